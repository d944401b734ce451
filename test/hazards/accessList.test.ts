/**
 * Block access lists and the gas of Amsterdam on the real pool: what is listed must be what the committed incarnation
 * of each place loaded, however often the place ran before.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type AmsterdamDialect,
  type BlockMismatch,
  BlockMismatchError,
  type BlockResult,
  chainAtFork,
  createExecutor,
  type Executor,
  type FeeOptions,
  type Hex,
} from '../../src/index.ts'
import {
  address,
  asm,
  BASE_FEE,
  COUNTER,
  createdBy,
  ETHER,
  expectSame,
  fileOf,
  initOf,
  stateOf,
  type TestAccount,
  type TestTransaction,
  word,
} from '../support/evm.ts'
import { CONSOLIDATION_REQUESTS, WITHDRAWAL_REQUESTS } from '../support/systemContracts.ts'

const WORKERS = [1, 2, 4]
const executors = new Map<number, Executor>()
beforeAll(async () => {
  for (const workers of WORKERS) executors.set(workers, await createExecutor({ workers, memoryLimit: 128 * 2 ** 20 }))
})
afterAll(async () => {
  for (const executor of executors.values()) await executor.close()
})

const COINBASE = address(0xc0)
const [ALICE, BOB, CAROL] = [address(1), address(2), address(3)]
const DIALECTS: readonly AmsterdamDialect[] = ['bal-devnet-2', 'bal-devnet-4', 'glamsterdam-devnet-8']

/** What a block holds besides what all have. */
interface Block {
  readonly accounts?: Readonly<Record<string, TestAccount>>
  readonly transactions: readonly TestTransaction[]
  readonly dialect?: AmsterdamDialect
  readonly header?: Readonly<Record<string, unknown>>
}

function amsterdam({ accounts = {}, transactions, dialect = 'bal-devnet-4', header = {} }: Block) {
  const queues = [WITHDRAWAL_REQUESTS, CONSOLIDATION_REQUESTS]
  const all = {
    ...Object.fromEntries(queues.map(({ address: name, code }) => [name, { nonce: 1, code }])),
    ...Object.fromEntries([ALICE, BOB, CAROL].map((name) => [name, { balance: ETHER }])),
    ...accounts,
  }
  // 120 million: a byte of state costs 1,174 then.
  const file = fileOf({ fork: 'osaka', coinbase: COINBASE, accounts: all, transactions, gasLimit: 120_000_000n })
  // Uncles that are known by hash alone: a block's bytes, which are counted from Osaka on, take every field of the
  // header.
  Object.assign(file.block, { slotNumber: '0x7', uncles: [word(9)], ...header })
  return { file, chain: { ...chainAtFork('amsterdam'), amsterdam: dialect } }
}

/** Runs sequentially, then in parallel with every number of workers; all must be the same, the list among them. */
async function everywhere({ fees, ...block }: Block & { fees?: FeeOptions }, repeat = 10): Promise<BlockResult> {
  const { file, chain } = amsterdam(block)
  const paid = fees === undefined ? {} : { fees }
  const options = { state: stateOf(file), chain, senders: 'trust', ...paid } as const
  const sequential = await (executors.get(1) as Executor).executeBlock(file.block, { ...options, sequential: true })
  for (const workers of WORKERS) {
    for (let k = 0; k < repeat; k++) {
      const executor = executors.get(workers) as Executor
      const parallel = await executor.executeBlock(file.block, { ...options, speculation: 'always' })
      expect(parallel.run.fallback).toBe(0)
      expectSame(parallel, sequential, `${workers} workers, run ${k}`)
      expect(parallel.blockAccessListHash).toEqual(sequential.blockAccessListHash)
    }
  }
  return sequential
}

const entryOf = (result: BlockResult, name: Hex) => result.blockLevelAccessList?.find((entry) => entry.address === name)
const payments = (count: number): TestTransaction[] =>
  Array.from({ length: count }, () => ({ from: ALICE, to: BOB, value: 1n, gas: 21_000 }))

describe('fees of rollups', () => {
  const dialect = 'glamsterdam-devnet-8'

  test('who earns the priority fee is listed, be it nothing, and the coinbase that does not is not', async () => {
    const fees = { priorityFeeRecipient: address(0xf2) }
    const free = {
      transactions: payments(2).map((tx) => ({ ...tx, gas: 100_000, gasPrice: BASE_FEE })),
      dialect,
    } as const
    const result = await everywhere({ ...free, fees }, 1)
    expect(entryOf(result, COINBASE)).toBeUndefined()
    expect(entryOf(result, address(0xf2))).toMatchObject({ balanceChanges: [] })
    expect(entryOf(await everywhere(free, 1), COINBASE)).toMatchObject({ balanceChanges: [] })
  })

  test.each(['bal-devnet-2', 'bal-devnet-4'] as const)(
    '%s logs the burn of fees, so that they have no other way',
    async (name) => {
      const { file, chain } = amsterdam({ transactions: payments(1), dialect: name })
      const options = { state: stateOf(file), chain, senders: 'trust', fees: { baseFeeRecipient: BOB } } as const
      const run = (executors.get(1) as Executor).executeBlock(file.block, options)
      await expect(run).rejects.toMatchObject({ code: 'INVALID_OPTION', fields: { option: 'fees', dialect: name } })
    },
  )
})

describe('what is listed', () => {
  test('reads of an incarnation that was thrown away are not (the pointer that it followed has moved)', async () => {
    // One counts slot 0 up; the other reads the slot that slot 0 of the first names.
    const counter = asm('CALLDATASIZE @up JUMPI 0 SLOAD 0 MSTORE 32 0 RETURN up: 0 SLOAD 1 ADD 0 SSTORE')
    const follower = asm(`32 0 0 0 0 ${address(0x10)} GAS CALL POP 0 MLOAD SLOAD POP`)
    const transactions: TestTransaction[] = []
    for (let k = 0; k < 20; k++) {
      transactions.push({ from: ALICE, to: address(0x10), data: '0x01', gas: 100_000 })
      if (k % 4 === 3) transactions.push({ from: BOB, to: address(0x11), gas: 100_000 })
    }
    const accounts = { [address(0x10)]: { nonce: 1, code: counter }, [address(0x11)]: { nonce: 1, code: follower } }
    const result = await everywhere({ accounts, transactions })
    expect(entryOf(result, address(0x11))?.storageReads).toEqual([4, 8, 12, 16, 20].map(word))
    const changes = entryOf(result, address(0x10))?.storageChanges
    expect(changes?.[0]?.slotChanges).toHaveLength(20)
    expect(changes?.[0]?.slotChanges.at(-1)).toEqual({ blockAccessIndex: 24, postValue: word(20) })
  })

  test('what a revert undid was loaded all the same; what there was no gas to load was not', async () => {
    const reverting = asm(`5 SLOAD POP 1 6 SSTORE ${address(0x77)} BALANCE POP 0 0 REVERT`)
    // Leaves its callee 1,000 gas: too little for a cold slot.
    const poor = asm(`0 0 0 0 0 ${address(0x12)} 1000 CALL POP`)
    const accounts = {
      [address(0x10)]: { nonce: 1, code: reverting },
      [address(0x11)]: { nonce: 1, code: poor },
      [address(0x12)]: { nonce: 1, code: asm('9 SLOAD POP') },
    }
    const transactions = [
      { from: ALICE, to: address(0x10) },
      { from: BOB, to: address(0x11) },
    ]
    const result = await everywhere({ accounts, transactions })
    expect(entryOf(result, address(0x10))).toMatchObject({ storageReads: [word(5), word(6)], storageChanges: [] })
    expect(entryOf(result, address(0x77))).toBeDefined()
    expect(entryOf(result, address(0x12))?.storageReads).toEqual([])
  })

  test.each(DIALECTS)(
    '%s: a contract that comes and goes in one transaction leaves its slots as reads',
    async (dialect) => {
      const doomed = initOf('0x00', '7 3 SSTORE CALLER SELFDESTRUCT')
      const size = (doomed.length - 2) / 2
      const factory = `${asm(`${size} @code 1 ADD 0 CODECOPY ${size} 0 0 CREATE POP STOP code:`)}${doomed.slice(2)}`
      // What it had before goes to its creator.
      const accounts = { [address(0x10)]: { nonce: 1, code: factory }, [createdBy(address(0x10), 1)]: { balance: 5n } }
      const transactions = [{ from: ALICE, to: address(0x10), gas: 1_000_000 }]
      const result = await everywhere({ accounts, transactions, dialect }, 3)
      const entry = entryOf(result, createdBy(address(0x10), 1))
      expect(entry).toMatchObject({ storageReads: [word(3)], storageChanges: [], nonceChanges: [], codeChanges: [] })
      expect(entry?.balanceChanges).toEqual([{ blockAccessIndex: 1, postBalance: 0n }])
    },
  )

  test('who earns the fees, with a balance after each place that paid; who calls the contracts of the protocol is not', async () => {
    const result = await everywhere({ transactions: payments(3) })
    expect(entryOf(result, COINBASE)?.balanceChanges.map(({ blockAccessIndex }) => blockAccessIndex)).toEqual([1, 2, 3])
    expect(entryOf(result, '0xfffffffffffffffffffffffffffffffffffffffe')).toBeUndefined()
    // The epilogue asked both queues, and found nothing.
    expect(entryOf(result, WITHDRAWAL_REQUESTS.address)?.storageReads).toEqual([0, 1, 2, 3].map(word))
    expect(entryOf(result, BOB)?.balanceChanges.at(-1)).toEqual({ blockAccessIndex: 3, postBalance: ETHER + 3n })
  })

  test('a fee of nothing is looked at and changes nothing', async () => {
    const result = await everywhere({ transactions: payments(2).map((tx) => ({ ...tx, gasPrice: 7n })) })
    expect(entryOf(result, COINBASE)).toMatchObject({ balanceChanges: [] })
  })

  test('contended blocks list the same with any number of workers', async () => {
    const transactions = Array.from(
      { length: 60 },
      (_, k): TestTransaction =>
        k % 3 === 0
          ? { from: [ALICE, BOB, CAROL][k % 2] as Hex, to: address(0x10), gas: 100_000 }
          : { from: CAROL, to: address(0x20 + (k % 7)), value: BigInt(k), gas: 21_000 },
    )
    const result = await everywhere({ accounts: { [address(0x10)]: { nonce: 1, code: COUNTER } }, transactions })
    expect(entryOf(result, address(0x10))?.storageChanges[0]?.slotChanges).toHaveLength(20)
  })

  test('transactions alone have no list', async () => {
    const { file, chain } = amsterdam({ transactions: payments(1) })
    const options = { state: stateOf(file), chain, senders: 'trust', only: 'transactions' } as const
    const result = await (executors.get(2) as Executor).executeBlock(file.block, options)
    expect(result.blockLevelAccessList).toBeUndefined()
  })
})

describe('what a header claims', () => {
  const mismatchesOf = async (block: Block): Promise<readonly BlockMismatch[]> => {
    const { file, chain } = amsterdam(block)
    const run = (executors.get(2) as Executor).executeBlock(file.block, {
      state: stateOf(file),
      chain,
      senders: 'trust',
    })
    const error = await run.then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(BlockMismatchError)
    return (error as BlockMismatchError).mismatches
  }

  test('a hash of another list is a mismatch, with the hash that it should be', async () => {
    const { blockAccessListHash } = await everywhere({ transactions: payments(1) }, 1)
    const found = await mismatchesOf({ transactions: payments(1), header: { blockAccessListHash: word(1) } })
    expect(found).toMatchObject([{ field: 'blockAccessListHash', expected: blockAccessListHash }])
  })

  test('more accounts and slots than the gas limit allows', async () => {
    // At 2,000 gas each it allows five; the ends alone come to four accounts and eight slots.
    const found = await mismatchesOf({ transactions: [], header: { gasLimit: '0x2710' } })
    expect(found).toMatchObject([{ field: 'blockAccessList', expected: 'at most 5', actual: 12n }])
  })
})

describe('prices', () => {
  /** Gas paid and gas that the block counts, of one payment to an account that is there. */
  test.each([
    ['bal-devnet-2', 21_000n],
    ['bal-devnet-4', 21_000n],
    // EIP-2780: 12,000, a cold recipient 3,000, its new balance 6,000.
    ['glamsterdam-devnet-8', 21_000n],
  ] as const)('%s: a payment', async (dialect, gas) => {
    const result = await everywhere({ transactions: payments(1), dialect }, 1)
    expect(result.receipts[0]?.gasUsed).toBe(gas)
    expect(result.gasUsed).toBe(gas)
  })

  test.each([
    // EIP-2929: a cold slot filled.
    ['bal-devnet-2', 22_100n, 0n],
    // EIP-8037: 32 bytes of state at 1,174.
    ['bal-devnet-4', 5_000n, 37_568n],
    // EIP-8038: 2,100 and 10,000; 64 bytes of state at 1,530.
    ['glamsterdam-devnet-8', 12_100n, 97_920n],
  ] as const)('%s: a slot that is filled', async (dialect, regular, state) => {
    const accounts = { [address(0x10)]: { nonce: 1, code: asm('1 0 SSTORE') } }
    const transactions = [{ from: ALICE, to: address(0x10), gas: 1_000_000 }]
    const result = await everywhere({ accounts, transactions, dialect }, 1)
    const base = dialect === 'glamsterdam-devnet-8' ? 15_000n : 21_000n
    const all = base + 6n + regular
    expect(result.receipts[0]?.gasUsed).toBe(all + state)
    expect(result.gasUsed).toBe(all > state ? all : state)
  })

  test('a block counts gas before refunds, a receipt after them (EIP-7778)', async () => {
    const accounts = { [address(0x10)]: { nonce: 1, code: asm('0 0 SSTORE'), storage: { [word(0)]: word(5) } } }
    const transactions = [{ from: ALICE, to: address(0x10) }]
    const result = await everywhere({ accounts, transactions, dialect: 'bal-devnet-2' }, 1)
    expect(result.gasUsed).toBe(26_006n)
    expect(result.receipts[0]?.gasUsed).toBe(26_006n - 4_800n)
  })

  test("SLOTNUM is the header's (EIP-7843)", async () => {
    const accounts = { [address(0x10)]: { nonce: 1, code: asm('SLOTNUM 0 SSTORE') } }
    const transactions = [{ from: ALICE, to: address(0x10) }]
    const result = await everywhere({ accounts, transactions, dialect: 'bal-devnet-2' }, 1)
    expect(entryOf(result, address(0x10))?.storageChanges[0]?.slotChanges[0]?.postValue).toBe(word(7))
  })

  test('payments leave a log of the protocol (EIP-7708)', async () => {
    const result = await everywhere({ transactions: payments(2) }, 1)
    expect(result.receipts.map(({ logs }) => logs.length)).toEqual([1, 1])
  })

  test('an account that a payment brings into being is paid for once, whoever comes first (EIP-2780)', async () => {
    const transactions = [ALICE, BOB, CAROL].map((from) => ({ from, to: address(0x99), value: 5n, gas: 300_000 }))
    const result = await everywhere({ transactions, dialect: 'glamsterdam-devnet-8' })
    // 120 bytes of state at 1,530.
    expect(result.receipts.map(({ gasUsed }) => gasUsed)).toEqual([21_000n + 183_600n, 21_000n, 21_000n])
  })
})
