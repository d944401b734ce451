/**
 * The ends of a block on the real pool: system calls, withdrawals, rewards and drains as places 0 and n + 1. Each block
 * runs in parallel many times, never by fallback, and is compared with the sequential run and with what must come out.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DAO_REFUND_CONTRACT, daoTransfers } from '../../src/adapters/evm/dao.ts'
import { SYSTEM_CONTRACTS } from '../../src/adapters/evm/ends.ts'
import { hexOf } from '../../src/core/hex.ts'
import { type BlockResult, chainAtFork, type Executor, type Hex, type Reward } from '../../src/index.ts'
import { executorUnderTest, repeats } from '../support/adapter.ts'
import {
  address,
  asm,
  changeOf,
  ETHER,
  expectSame,
  fileOf,
  GWEI,
  NUMBER,
  slotOf,
  stateOf,
  type TestBlock,
  type TestFile,
  toHex,
  word,
} from '../support/evm.ts'

const WORKERS = [1, 2, 4]
const executors = new Map<number, Executor>()
beforeAll(async () => {
  for (const workers of WORKERS)
    executors.set(workers, await executorUnderTest({ workers, memoryLimit: 128 * 2 ** 20 }))
})
afterAll(async () => {
  for (const executor of executors.values()) await executor.close()
})

const COINBASE = address(0xc0)
const [ALICE, BOB] = [address(1), address(2)]
const ROOTS = toHex(SYSTEM_CONTRACTS.beaconRoots.address)
const HASHES = toHex(SYSTEM_CONTRACTS.blockHashes.address)
const WITHDRAWALS = toHex(SYSTEM_CONTRACTS.withdrawalRequests.address)
const CONSOLIDATIONS = toHex(SYSTEM_CONTRACTS.consolidationRequests.address)
const SYSTEM = 0xfffffffffffffffffffffffffffffffffffffffen

/** Slot 0 becomes calldata word 0; slot 1 the caller, slot 2 the gas left, slot 3 the gas price. */
const KEEPER = asm('GAS 2 SSTORE GASPRICE 3 SSTORE CALLER 1 SSTORE 0 CALLDATALOAD 0 SSTORE')
/** Called by the system, returns slot 0 and empties it; else adds calldata word 0 to slot 0. */
const QUEUE = asm(`
  CALLER ${`0x${SYSTEM.toString(16)}`} EQ @system JUMPI
  0 SLOAD 0 CALLDATALOAD ADD 0 SSTORE STOP
  system: 0 SLOAD DUP1 ISZERO @empty JUMPI 0 MSTORE 0 0 SSTORE 32 0 RETURN
  empty: STOP`)
/** Slot 0 becomes what calling `target` would find in its slot 0: the target answers with it. */
const ANSWERER = asm('CALLDATASIZE @write JUMPI 0 SLOAD 0 MSTORE 32 0 RETURN write: 0 CALLDATALOAD 0 SSTORE')
const askerOf = (target: Hex): Hex => asm(`32 0 0 0 0 ${target} GAS CALL POP 0 MLOAD 0 SSTORE`)

type Ends = { withdrawals?: readonly [Hex, bigint][]; root?: Hex; rewards?: readonly Reward[]; number?: number }

/** A block with its ends, and a state that has the two contracts without which none from Prague on is valid. */
function whole(block: TestBlock, { withdrawals = [], root = word(7), number = NUMBER }: Ends = {}): TestFile {
  const prague = block.fork === 'prague' || block.fork === 'osaka'
  const queues = prague ? { [WITHDRAWALS]: { nonce: 1, code: QUEUE }, [CONSOLIDATIONS]: { nonce: 1, code: QUEUE } } : {}
  const file = fileOf({ ...block, accounts: { ...queues, ...block.accounts } })
  const list = withdrawals.map(([to, amount], k) => ({
    index: `0x${k.toString(16)}`,
    validatorIndex: '0x1',
    address: to,
    amount: `0x${amount.toString(16)}`,
  }))
  Object.assign(file.block, { number: `0x${number.toString(16)}` })
  if (file.block.withdrawals !== undefined) Object.assign(file.block, { withdrawals: list })
  if (file.block.parentBeaconBlockRoot !== undefined) Object.assign(file.block, { parentBeaconBlockRoot: root })
  return file
}

const hexes = (requests: readonly Uint8Array[] | undefined) => requests?.map(toHex)

/** Runs sequentially, then in parallel with every number of workers; all must be the same. */
async function everywhere(file: TestFile, rewards: readonly Reward[] = [], repeat = 10): Promise<BlockResult> {
  const state = stateOf(file)
  const chain =
    file.fork === 'dao' ? { chainId: 1, forks: { dao: { block: NUMBER } } } : chainAtFork(file.fork as 'dao')
  const options = { state, chain, senders: 'trust', rewards } as const
  const executor = executors.get(1) as Executor
  const sequential = await executor.executeBlock(file.block, { ...options, sequential: true })
  for (const workers of WORKERS) {
    for (let k = 0; k < repeats(repeat); k++) {
      const parallel = await executors.get(workers)?.executeBlock(file.block, { ...options, speculation: 'always' })
      expectSame(parallel as BlockResult, sequential, `${workers} workers, run ${k}`)
      expect(hexes(parallel?.requests)).toEqual(hexes(sequential.requests))
      expect(parallel?.run.fallback).toBe(0)
      expect(parallel?.run.ends).toBe(sequential.run.ends)
      expect((parallel?.run.speculative ?? 0) + (parallel?.run.reexecuted ?? 0)).toBe(file.block.transactions.length)
    }
  }
  return sequential
}

const errorOf = (run: Promise<unknown>): Promise<unknown> =>
  run.then(
    () => undefined,
    (error: unknown) => error,
  )
const payments = (count: number) => Array.from({ length: count }, () => ({ from: ALICE, to: BOB, value: 1n }))

describe('prologue', () => {
  test('calls see the system as caller, 30,000,000 gas and a gas price of 0; transactions see what they wrote', async () => {
    const accounts = {
      [ALICE]: { balance: ETHER },
      [ROOTS]: { nonce: 1, code: KEEPER },
      [HASHES]: { nonce: 1, code: ANSWERER },
      [address(9)]: { code: askerOf(HASHES) },
    }
    const transactions = [...payments(3), { from: ALICE, to: address(9) }, ...payments(3)]
    const file = whole({ fork: 'prague', coinbase: COINBASE, accounts, transactions }, { root: word(0xbeac) })
    const result = await everywhere(file)
    expect(slotOf(result, ROOTS, 0)).toBe(0xbeacn)
    expect(slotOf(result, ROOTS, 1)).toBe(SYSTEM)
    const left = slotOf(result, ROOTS, 2) as bigint
    expect(left <= 30_000_000n && left > 29_999_900n).toBe(true)
    expect(slotOf(result, ROOTS, 3)).toBeUndefined()
    // The parent's hash, which fileOf gives as word(2); the transaction found it there.
    expect(slotOf(result, HASHES, 0)).toBe(2n)
    expect(slotOf(result, address(9), 0)).toBe(2n)
    expect(changeOf(result, `0x${SYSTEM.toString(16)}`)).toBeUndefined()
    expect(result.gasUsed).toBe(result.receipts.at(-1)?.cumulativeBlockGasUsed)
    expect(result.run.ends).toBe(2)
  })

  test('contracts that are missing or fail change nothing, and the block is valid (EIP-4788, EIP-2935)', async () => {
    const accounts = { [ALICE]: { balance: ETHER }, [HASHES]: { nonce: 1, code: asm('1 0 SSTORE 0 0 REVERT') } }
    const result = await everywhere(whole({ fork: 'prague', coinbase: COINBASE, accounts, transactions: payments(5) }))
    expect(changeOf(result, ROOTS)).toBeUndefined()
    expect(changeOf(result, HASHES)).toBeUndefined()
  })

  test('an account that the prologue creates and destroys, with storage, is seen below no transaction', async () => {
    // Creates a contract that writes its slot 0 and destroys itself in the same call; keeps its address in slot 5.
    const doomed = asm('7 0 SSTORE CALLER SELFDESTRUCT').slice(2)
    const size = doomed.length / 2
    const creator = asm(`0x${doomed} 0 MSTORE ${size} ${32 - size} 0 CREATE 5 SSTORE`)
    const reader = asm(`0 CALLDATALOAD EXTCODESIZE 1 ADD 0 SSTORE 0 CALLDATALOAD BALANCE 1 SSTORE`)
    const accounts = {
      [ALICE]: { balance: ETHER },
      [ROOTS]: { nonce: 1, code: creator },
      [address(9)]: { code: reader },
    }
    const file = whole({ fork: 'cancun', coinbase: COINBASE, accounts, transactions: payments(3) })
    const created = slotOf(await everywhere(file), ROOTS, 5) as bigint
    const child: Hex = `0x${created.toString(16).padStart(40, '0')}`
    const transactions = [
      { from: ALICE, to: child, value: 5n },
      { from: ALICE, to: address(9), data: word(child) },
    ]
    const result = await everywhere(whole({ fork: 'cancun', coinbase: COINBASE, accounts, transactions }))
    expect(slotOf(result, address(9), 0)).toBe(1n)
    expect(slotOf(result, address(9), 1)).toBe(5n)
    expect(changeOf(result, child)).toMatchObject({ balance: 5n, storageCleared: false })
    expect(changeOf(result, child)?.storage.size).toBe(0)
  })

  test('a block without transactions has ends all the same', async () => {
    const accounts = { [ROOTS]: { nonce: 1, code: KEEPER } }
    const block = { fork: 'cancun', coinbase: COINBASE, accounts, transactions: [] } as const
    const result = await everywhere(whole(block, { withdrawals: [[BOB, 3n]] }))
    expect(slotOf(result, ROOTS, 0)).toBe(7n)
    expect(changeOf(result, BOB)?.balance).toBe(3n * GWEI)
    expect(result.gasUsed).toBe(0n)
  })

  test('the genesis block has none', async () => {
    const accounts = { [ROOTS]: { nonce: 1, code: KEEPER } }
    const result = await everywhere(
      whole(
        { fork: 'prague', coinbase: COINBASE, accounts, transactions: [] },
        { number: 0, withdrawals: [[BOB, 3n]] },
      ),
    )
    expect(result.stateDiff.accounts).toEqual([])
    expect([result.run.ends, result.requests]).toEqual([0, undefined])
  })

  test('the DAO fork moves every balance at its block, and creates what is not there', async () => {
    const drained = daoTransfers(1n, { dao: { block: 1n, support: true } })
    const rich = hexOf(drained[3].from)
    const block = {
      fork: 'homestead',
      coinbase: COINBASE,
      accounts: { [rich]: { balance: 9n } },
      transactions: [],
    } as const
    const result = await everywhere({ ...whole(block), fork: 'dao' })
    expect(changeOf(result, hexOf(DAO_REFUND_CONTRACT))?.balance).toBe(9n)
    expect(changeOf(result, rich)?.balance).toBe(0n)
    expect(result.stateDiff.accounts).toHaveLength(drained.length + 1)
  })
})

describe('epilogue', () => {
  test('the coinbase gets fees, a withdrawal, and is read in between', async () => {
    const accounts = {
      [ALICE]: { balance: ETHER },
      [address(9)]: { code: asm('COINBASE BALANCE 0 SSTORE') },
    }
    const transactions = [...payments(6), { from: ALICE, to: address(9) }, ...payments(6)]
    const block = { fork: 'shanghai', coinbase: COINBASE, accounts, transactions } as const
    const result = await everywhere(
      whole(block, {
        withdrawals: [
          [COINBASE, 5n],
          [BOB, 1n],
          [COINBASE, 2n],
        ],
      }),
    )
    const fees = result.results.reduce((sum, { minerValue }) => sum + minerValue, 0n)
    expect(changeOf(result, COINBASE)?.balance).toBe(fees + 7n * GWEI)
    expect(changeOf(result, BOB)?.balance).toBe(12n + GWEI)
    // The withdrawal comes after: the reader saw the fees of six transactions alone.
    expect(slotOf(result, address(9), 0)).toBe(6n * (result.results[0]?.minerValue ?? 0n))
  })

  test('a withdrawal of nothing clears an empty account and creates none (EIP-161)', async () => {
    const accounts = { [ALICE]: { balance: ETHER }, [address(8)]: {}, [address(7)]: { balance: 1n } }
    const block = { fork: 'shanghai', coinbase: COINBASE, accounts, transactions: payments(5) } as const
    const withdrawals: [Hex, bigint][] = [
      [address(8), 0n],
      [address(7), 0n],
      [address(6), 0n],
      [BOB, 0n],
    ]
    const result = await everywhere(whole(block, { withdrawals }))
    expect(changeOf(result, address(8))?.deleted).toBe(true)
    expect([changeOf(result, address(7)), changeOf(result, address(6))]).toEqual([undefined, undefined])
    expect(changeOf(result, BOB)?.balance).toBe(5n)
  })

  test('the largest withdrawal is in gwei', async () => {
    const block = { fork: 'shanghai', coinbase: COINBASE, accounts: {}, transactions: [] } as const
    const result = await everywhere(whole(block, { withdrawals: [[BOB, 2n ** 64n - 1n]] }))
    expect(changeOf(result, BOB)?.balance).toBe((2n ** 64n - 1n) * GWEI)
  })

  test.each(['frontier', 'spuriousDragon'] as const)(
    'rewards in %s: one of nothing creates or does not',
    async (fork) => {
      const block = { fork, coinbase: COINBASE, accounts: { [ALICE]: { balance: ETHER } }, transactions: payments(5) }
      const bytes = (hex: Hex) => Uint8Array.from(Buffer.from(hex.slice(2), 'hex'))
      const rewards = [
        { address: bytes(address(8)), amount: 0n },
        { address: bytes(COINBASE), amount: 5n * ETHER },
        { address: bytes(COINBASE), amount: 1n },
      ]
      const result = await everywhere(whole(block), rewards)
      const fees = result.results.reduce((sum, { minerValue }) => sum + minerValue, 0n)
      expect(changeOf(result, COINBASE)?.balance).toBe(5n * ETHER + 1n + fees)
      expect(changeOf(result, address(8))?.balance).toBe(fork === 'frontier' ? 0n : undefined)
    },
  )

  test('queues are read after the last transactions wrote them, withdrawals before consolidations', async () => {
    const asks = (to: Hex, count: number) => Array.from({ length: count }, () => ({ from: ALICE, to, data: word(1) }))
    const transactions = [...asks(WITHDRAWALS, 5), ...asks(CONSOLIDATIONS, 3), ...asks(WITHDRAWALS, 2)]
    const block = {
      fork: 'prague',
      coinbase: COINBASE,
      accounts: { [ALICE]: { balance: ETHER } },
      transactions,
    } as const
    const result = await everywhere(whole(block))
    expect(hexes(result.requests)).toEqual([`0x01${word(7).slice(2)}`, `0x02${word(3).slice(2)}`])
    // The queues are emptied again: no slot differs.
    expect([slotOf(result, WITHDRAWALS, 0), slotOf(result, CONSOLIDATIONS, 0)]).toEqual([undefined, undefined])
    const none = await everywhere(whole({ ...block, transactions: payments(4) }))
    expect(none.requests).toEqual([])
  })

  test.each([
    ['no code', {}, 'it has no code'],
    ['a revert', { nonce: 1, code: asm('0 0 REVERT') }, 'it reverted'],
    ['a halt', { nonce: 1, code: asm('INVALID') }, 'it ran into a halt'],
  ])('%s in EIP-7251 makes the block invalid, on every path', async (_, account, reason) => {
    const accounts = { [ALICE]: { balance: ETHER }, [CONSOLIDATIONS]: account }
    const file = whole({ fork: 'prague', coinbase: COINBASE, accounts, transactions: payments(5) })
    const options = { state: stateOf(file), chain: chainAtFork('prague'), senders: 'trust' } as const
    for (const settings of [{ sequential: true }, { speculation: 'always' }, {}] as const) {
      const error = await errorOf((executors.get(2) as Executor).executeBlock(file.block, { ...options, ...settings }))
      expect(error).toMatchObject({
        code: 'SYSTEM_CALL_FAILED',
        fields: { eip: 7251, address: CONSOLIDATIONS, reason },
      })
    }
    // Transactions alone need neither.
    const alone = await executors.get(2)?.executeBlock(file.block, { ...options, only: 'transactions' })
    expect([alone?.requests, alone?.run.ends]).toEqual([undefined, 0])
  })

  test('a fault in an end names the end', async () => {
    const missing = word(0xdead)
    const file = whole({
      fork: 'cancun',
      coinbase: COINBASE,
      accounts: { [ALICE]: { balance: ETHER } },
      transactions: payments(5),
    })
    for (const [place, target, end] of [
      [ROOTS, ROOTS, 'prologue'],
      [WITHDRAWALS, WITHDRAWALS, 'epilogue'],
    ] as const) {
      const fork = end === 'prologue' ? 'cancun' : 'prague'
      const other = whole({
        ...{ fork, coinbase: COINBASE },
        accounts: { [ALICE]: { balance: ETHER } },
        transactions: payments(5),
      })
      const state = stateOf(end === 'prologue' ? file : other)
      state.putAccount(place, { nonce: 1, codeHash: missing })
      const block = end === 'prologue' ? file.block : other.block
      for (const settings of [{ sequential: true }, { speculation: 'always' }] as const) {
        const options = { state, chain: chainAtFork(fork), senders: 'trust', ...settings } as const
        const error = await errorOf((executors.get(2) as Executor).executeBlock(block, options))
        expect(error).toMatchObject({ code: 'MISSING_CODE', fields: { end, codeHash: missing } })
        expect((error as Error).message).toContain(`the ${end} needs`)
        expect((error as { committedPrefix: number }).committedPrefix).toBe(end === 'prologue' ? 0 : 5)
        expect(target).toBe(place)
      }
    }
  })
})

describe('options', () => {
  const file = whole({
    fork: 'shanghai',
    coinbase: COINBASE,
    accounts: { [ALICE]: { balance: ETHER } },
    transactions: payments(1),
  })
  const settings = { state: stateOf(file), chain: chainAtFork('shanghai'), senders: 'trust' } as const
  test.each([
    ['only', { only: 'ends' }],
    ['rewards', { rewards: 5 }],
    ['rewards', { rewards: [{ address: new Uint8Array(20), amount: -1n }] }],
    ['rewards', { rewards: [{ address: new Uint8Array(20), amount: 2n ** 256n }] }],
    ['rewards[0].address', { rewards: [{ address: new Uint8Array(19), amount: 1n }] }],
  ])('%s of another shape is refused', async (option, given) => {
    const error = await errorOf(
      (executors.get(1) as Executor).executeBlock(file.block, { ...settings, ...(given as object) }),
    )
    expect(error).toMatchObject({ code: 'INVALID_OPTION', fields: { option } })
  })

  test.each([
    ['shanghai', 'withdrawals'],
    ['cancun', 'parentBeaconBlockRoot'],
    ['prague', 'parentHash'],
  ] as const)('a %s block without %s cannot run whole', async (fork, field) => {
    const whole_ = whole({ fork, coinbase: COINBASE, accounts: {}, transactions: [] })
    const { [field]: _, ...block } = whole_.block as Record<string, unknown>
    const options = { state: stateOf(whole_), chain: chainAtFork(fork) }
    const error = await errorOf((executors.get(1) as Executor).executeBlock(block, options))
    expect(error).toMatchObject({ code: 'UNDECODABLE_BLOCK', fields: { field } })
  })
})
