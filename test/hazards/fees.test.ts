/**
 * Fees of rollups: a vault for the base fee, another recipient of the priority fee, a fee for data.
 *
 * What everybody has afterwards is computed here by hand, on the sequential and on the parallel side alike; vaults are
 * senders, recipients, contracts, self-destruct targets, each other and the coinbase (hazards 10, 14, 20).
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeTransaction } from '../../src/evm.ts'
import { createMemoryState, type Executor, type FeeOptions, type Hex } from '../../src/index.ts'
import { executorUnderTest, repeats } from '../support/adapter.ts'
import {
  address,
  asm,
  BASE_FEE,
  COUNTER,
  changeOf,
  ETHER,
  endingOf,
  expectPlaceDiffs,
  expectSame,
  FORWARDER,
  fileOf,
  keccak256,
  observerOf,
  run,
  slotOf,
  stateOf,
  type TestAccount,
  type TestBlock,
  type TestTransaction,
  word,
} from '../support/evm.ts'

let executor: Executor
beforeAll(async () => {
  executor = await executorUnderTest({ workers: 4, memoryLimit: 256 * 2 ** 20 })
})
afterAll(() => executor.close())

const COINBASE = address(0xc0)
const [BASE_VAULT, TIP_VAULT, DATA_VAULT] = [address(0xf1), address(0xf2), address(0xf3)]
const PRICE = 10n
const TIP = PRICE - BASE_FEE
const dataFeeOf = (_: unknown, k: number): bigint => 1000n + BigInt(k)
const VAULTS: FeeOptions = {
  baseFeeRecipient: BASE_VAULT,
  priorityFeeRecipient: TIP_VAULT,
  dataFee: { recipient: DATA_VAULT, of: dataFeeOf },
}
const rich = (count: number): Record<Hex, TestAccount> =>
  Object.fromEntries(Array.from({ length: count }, (_, k) => [address(k + 1), { balance: ETHER }]))
const payments = (count: number): TestTransaction[] =>
  Array.from({ length: count }, (_, k) => ({
    from: address((k % 6) + 1),
    to: address(0x900 + k),
    value: 5n,
    // Every third takes the long way through the EVM.
    ...(k % 3 === 0 ? { data: '0x01' } : { gas: 21_000 }),
  }))
const blockOf = (transactions: readonly TestTransaction[], accounts: Record<Hex, TestAccount> = {}): TestBlock => ({
  fork: 'cancun',
  coinbase: COINBASE,
  accounts: { ...rich(6), ...accounts },
  transactions,
})

/** Runs sequentially and many times in parallel; all must be the same. Returns the sequential result. */
async function expectSameWithFees(block: TestBlock, fees: FeeOptions, repeat = 15) {
  const file = fileOf(block)
  const sequential = await run(executor, file, { sequential: true, fees, placeDiffs: true })
  await expectPlaceDiffs(() => stateOf(file), sequential)
  for (let k = 0; k < repeats(repeat); k++) {
    const parallel = await run(executor, file, { speculation: 'always', fees, placeDiffs: true })
    expect(parallel.run.fallback).toBe(0)
    expectSame(parallel, sequential, `run ${k}`)
    expect(parallel.placeDiffs).toEqual(sequential.placeDiffs)
  }
  return sequential
}

/** What all accounts of a block have before and after it: nothing may be lost but what is burnt. */
async function totals(block: TestBlock, fees: FeeOptions) {
  const state = stateOf(fileOf(block))
  const sum = (): bigint => [...names].reduce((total, name) => total + (state.getAccount(name)?.balance ?? 0n), 0n)
  const result = await run(executor, block, { state, sequential: true, fees })
  const names = new Set([
    ...Object.keys(block.accounts),
    ...result.stateDiff.accounts.map((account) => account.address),
  ])
  const before = sum()
  await state.apply(result.stateDiff)
  return { before, after: sum(), gasUsed: result.gasUsed }
}

describe('vaults', () => {
  test('each gets its fee, the coinbase nothing, senders pay all three, and nothing conflicts', async () => {
    const block = blockOf(payments(30))
    const result = await expectSameWithFees(block, VAULTS)
    const dataFees = Array.from({ length: 30 }, (_, k) => dataFeeOf(undefined, k))
    expect(changeOf(result, BASE_VAULT)?.balance).toBe(result.gasUsed * BASE_FEE)
    expect(changeOf(result, TIP_VAULT)?.balance).toBe(result.gasUsed * TIP)
    expect(changeOf(result, DATA_VAULT)?.balance).toBe(dataFees.reduce((sum, fee) => sum + fee))
    expect(changeOf(result, COINBASE)).toBeUndefined()
    for (let sender = 0; sender < 6; sender++) {
      const spent = block.transactions.reduce((sum, _, k) => {
        const gas = result.receipts[k]?.gasUsed ?? 0n
        return k % 6 === sender ? sum + 5n + gas * PRICE + (dataFees[k] ?? 0n) : sum
      }, 0n)
      expect(changeOf(result, address(sender + 1))?.balance).toBe(ETHER - spent)
    }
    const { before, after } = await totals(block, VAULTS)
    expect(after).toBe(before)
    const parallel = await run(executor, block, { speculation: 'always', fees: VAULTS })
    // @ethereumjs/evm looks at more balances than the rules need (docs/ethereumjs-adapter.md), so some may be stale
    //   there.
    if (executor.adapter === 'revm') expect([parallel.run.aborts, parallel.run.reexecuted]).toEqual([0, 0])
  })

  test.each([
    ['all three the same', BASE_VAULT, BASE_VAULT, BASE_VAULT],
    ['all three the coinbase', COINBASE, COINBASE, COINBASE],
    ['base fee with the priority fee', TIP_VAULT, TIP_VAULT, DATA_VAULT],
    ['data fee with the priority fee', BASE_VAULT, TIP_VAULT, TIP_VAULT],
    ['data fee with the base fee', BASE_VAULT, TIP_VAULT, BASE_VAULT],
    ['a sender', address(1), address(1), address(1)],
    ['three senders', address(1), address(2), address(3)],
    ['recipients of payments', address(0x900), address(0x901), address(0x902)],
  ])('%s: every wei arrives', async (_, base, tip, data) => {
    const fees: FeeOptions = {
      baseFeeRecipient: base,
      priorityFeeRecipient: tip,
      dataFee: { recipient: data, of: dataFeeOf },
    }
    const block = blockOf(payments(30))
    const result = await expectSameWithFees(block, fees)
    const { before, after } = await totals(block, fees)
    expect(after).toBe(before)
    // What each vault earns, beside what it does otherwise: the same block without vaults tells that.
    const plain = await run(executor, block, { sequential: true })
    const dataFee = Array.from({ length: 30 }, (__, k) => dataFeeOf(undefined, k)).reduce((a, b) => a + b)
    for (const vault of new Set([base, tip, data])) {
      const sender = block.transactions.reduce(
        (sum, tx, k) => (tx.from === vault ? sum + dataFeeOf(undefined, k) : sum),
        0n,
      )
      const earned =
        (vault === base ? result.gasUsed * BASE_FEE : 0n) +
        (vault === tip ? result.gasUsed * TIP : 0n) +
        (vault === data ? dataFee : 0n) -
        (vault === COINBASE ? result.gasUsed * TIP : 0n)
      const own = changeOf(plain, vault)?.balance ?? block.accounts[vault]?.balance ?? 0n
      expect(changeOf(result, vault)?.balance).toBe(own + earned - sender)
    }
  })

  test('before London there is no base fee to keep, and the other two are paid', async () => {
    const block: TestBlock = { ...blockOf(payments(12)), fork: 'berlin' }
    const result = await expectSameWithFees(block, VAULTS)
    expect(changeOf(result, BASE_VAULT)).toBeUndefined()
    expect(changeOf(result, TIP_VAULT)?.balance).toBe(result.gasUsed * PRICE)
  })

  test('before EIP-161 a vault comes to exist with its first wei', async () => {
    const block: TestBlock = { ...blockOf(payments(12)), fork: 'homestead' }
    const result = await expectSameWithFees(block, VAULTS)
    expect(changeOf(result, DATA_VAULT)?.balance).toBe(12n * 1000n + 66n)
  })
})

describe('hazards with vaults', () => {
  const bomb = asm(`${BASE_VAULT} SELFDESTRUCT`)
  const ownBomb = asm('CALLER SELFDESTRUCT')

  test('hazard 10: as target of self-destructs', async () => {
    const bombs = [0, 1, 2, 3].map((k) => address(0xb0 + k))
    const accounts = Object.fromEntries(bombs.map((name) => [name, { code: bomb, nonce: 1, balance: 9n }]))
    const transactions = payments(24).map((tx, k) => (k % 6 === 5 ? { from: tx.from, to: bombs[k >> 3] } : tx))
    const block = blockOf(transactions as TestTransaction[], accounts)
    const result = await expectSameWithFees(block, VAULTS)
    expect(changeOf(result, BASE_VAULT)?.balance).toBe(result.gasUsed * BASE_FEE + 3n * 9n)
  })

  test.each([
    ['base fee', BASE_VAULT],
    ['data fee', DATA_VAULT],
    ['priority fee', TIP_VAULT],
  ])(
    'hazard 10: the vault of the %s that destroys itself loses that fee too, and earns again after it',
    async (_, vault) => {
      const transactions = payments(18)
      transactions[9] = { from: address(1), to: vault }
      const accounts = { [vault]: { code: ownBomb, nonce: 1, balance: 50n } }
      const block: TestBlock = { ...blockOf(transactions, accounts), fork: 'london' }
      const result = await expectSameWithFees(block, VAULTS)
      const after = result.receipts.slice(10)
      const expected = after.reduce((sum, { gasUsed = 0n }, k) => {
        if (vault === BASE_VAULT) return sum + gasUsed * BASE_FEE
        return vault === TIP_VAULT ? sum + gasUsed * TIP : sum + dataFeeOf(undefined, k + 10)
      }, 0n)
      expect(changeOf(result, vault)).toMatchObject({ balance: expected, storageCleared: true })
    },
  )

  test('hazard 14: payments to vaults, direct and from contracts, are not lost among fees', async () => {
    const forwarder = address(0x103)
    const vaults = [BASE_VAULT, TIP_VAULT, DATA_VAULT]
    const transactions = payments(30).map((tx, k): TestTransaction => {
      const vault = vaults[k % 3] as Hex
      return k % 2 === 0
        ? { from: tx.from, to: vault, value: 1000n, gas: 21_000 }
        : { from: tx.from, to: forwarder, data: word(vault), value: 1000n }
    })
    const block = blockOf(transactions, { [forwarder]: { nonce: 1, code: FORWARDER } })
    const result = await expectSameWithFees(block, VAULTS)
    expect(changeOf(result, BASE_VAULT)?.balance).toBe(result.gasUsed * BASE_FEE + 10_000n)
    expect(changeOf(result, TIP_VAULT)?.balance).toBe(result.gasUsed * TIP + 10_000n)
    expect(changeOf(result, DATA_VAULT)?.balance).toBe(30n * 1000n + 435n + 10_000n)
  })

  test('hazard 20: a transaction that reads a vault sees every fee below it and none of its own', async () => {
    const observer = address(0x102)
    const transactions = payments(24)
    transactions[17] = { from: address(6), to: observer, data: word(DATA_VAULT) }
    const block = blockOf(transactions, { [observer]: { nonce: 1, code: observerOf('cancun') } })
    const result = await expectSameWithFees(block, VAULTS, 25)
    expect(slotOf(result, observer, 0)).toBe(17n * 1000n + 136n)
    const base = await expectSameWithFees(
      blockOf(transactions.with(17, { from: address(6), to: observer, data: word(BASE_VAULT) }), {
        [observer]: { nonce: 1, code: observerOf('cancun') },
      }),
      VAULTS,
    )
    const below = base.receipts[16]?.cumulativeBlockGasUsed ?? 0n
    expect(slotOf(base, observer, 0)).toBe(below * BASE_FEE)
  })

  test('a vault that is a called contract keeps its code and storage', async () => {
    const transactions = payments(18).map((tx, k) => (k % 4 === 0 ? { from: tx.from, to: DATA_VAULT } : tx))
    const block = blockOf(transactions, { [DATA_VAULT]: { nonce: 1, code: COUNTER } })
    const result = await expectSameWithFees(block, VAULTS)
    expect(slotOf(result, DATA_VAULT, 0)).toBe(5n)
    expect(changeOf(result, DATA_VAULT)?.balance).toBe(18n * 1000n + 153n)
  })
})

describe('the data fee', () => {
  const poor = address(0xd0)
  const need = 7n + 21_000n * PRICE + 1000n
  const dataFee = { recipient: DATA_VAULT, of: () => 1000n }
  const pay: TestTransaction = { from: poor, to: address(0x900), value: 7n, gas: 21_000 }

  test.each([0, 1])('the last wei of it decides whether a transaction is valid (%i missing)', async (missing) => {
    for (const data of [undefined, '0x']) {
      const block = blockOf(
        [
          ...payments(8),
          { ...pay, ...(data === undefined ? {} : { extra: { accessList: [], type: '0x1', chainId: '0x1' } }) },
        ],
        {
          [poor]: { balance: need - BigInt(missing) },
        },
      )
      for (const options of [{ sequential: true }, { speculation: 'always' as const }]) {
        const ending = await endingOf(executor, block, { ...options, fees: { dataFee } })
        if (missing === 0) expect(ending).toHaveProperty('result')
        else {
          expect(ending).toMatchObject({ code: 'INVALID_TRANSACTION', txIndex: 8 })
          expect(ending).toHaveProperty('reason', expect.stringContaining('data fee of 1000'))
        }
      }
      expect(await endingOf(executor, block)).toHaveProperty('result')
    }
  })

  test('is paid by a transaction that reverts, too', async () => {
    const failing = address(0xfa)
    const block = blockOf([{ from: address(1), to: failing }], { [failing]: { nonce: 1, code: asm('0 0 REVERT') } })
    const result = await run(executor, block, { fees: { dataFee } })
    expect(result.results[0]?.status).toBe('revert')
    expect(changeOf(result, DATA_VAULT)?.balance).toBe(1000n)
  })

  test('is computed of the raw transaction, or given as a list', async () => {
    const block = blockOf(payments(9))
    const file = fileOf(block)
    const seen: bigint[] = []
    let expected = 0n
    const of = (raw: Uint8Array, k: number): bigint => {
      seen.push(decodeTransaction(raw, k).nonce)
      expected += BigInt(raw.length + k)
      return BigInt(raw.length + k)
    }
    const result = await run(executor, file, { fees: { dataFee: { recipient: DATA_VAULT, of } } })
    expect(seen).toEqual(file.block.transactions.map(({ nonce }) => BigInt(nonce)))
    const amounts = file.block.transactions.map((_, k) => BigInt(k))
    const listed = await run(executor, file, { fees: { dataFee: { recipient: DATA_VAULT, of: amounts } } })
    expect(changeOf(listed, DATA_VAULT)?.balance).toBe(36n)
    expect(changeOf(result, DATA_VAULT)?.balance).toBe(expected)
  })

  test.each([
    ['no object', 5],
    ['a recipient of another length', { baseFeeRecipient: '0x12' }],
    ['a data fee without recipient', { dataFee: { of: [] } }],
    ['neither list nor function', { dataFee: { recipient: DATA_VAULT, of: 3n } }],
    ['a list of another length', { dataFee: { recipient: DATA_VAULT, of: [1n] } }],
    ['an amount that is no bigint', { dataFee: { recipient: DATA_VAULT, of: () => 1 } }],
    ['a negative amount', { dataFee: { recipient: DATA_VAULT, of: () => -1n } }],
    ['more wei than there is', { dataFee: { recipient: DATA_VAULT, of: () => 1n << 128n } }],
    ['a name that is misspelt', { baseFeeReceiver: BASE_VAULT }],
    ['a misspelt name of the data fee', { dataFee: { recipient: DATA_VAULT, of: dataFeeOf, unit: 'gwei' } }],
  ])('%s is INVALID_OPTION', async (_, fees) => {
    const ending = await endingOf(executor, blockOf(payments(4)), { fees: fees as never })
    expect(ending).toMatchObject({ code: 'INVALID_OPTION' })
    expect(await endingOf(executor, blockOf(payments(4)))).toHaveProperty('result')
  })
})

test('a state without room for who is paid the fees ends in CAPACITY, and no fee is lost', async () => {
  const transactions = Array.from({ length: 12 }, (_, k) => ({
    ...{ from: address((k % 6) + 1), to: address(((k + 1) % 6) + 1), value: 5n, gas: 21_000 },
  }))
  const file = fileOf({ ...blockOf(transactions), fork: 'london' })
  const state = createMemoryState({ maxBytes: 2 ** 20, keccak256 }).load(file)
  // Code of ever shorter length, until not even one record is free.
  for (const length of [20_000, 1000, 60]) {
    let count = 0
    const fill = () => {
      const code = new Uint8Array(length)
      new DataView(code.buffer).setUint32(0, ++count)
      state.putCode(code)
    }
    expect(() => {
      for (;;) fill()
    }).toThrow(expect.objectContaining({ code: 'CAPACITY' }))
  }
  for (const how of [{ sequential: true }, { speculation: 'always' }, { speculation: 'auto' }] as const) {
    expect(await endingOf(executor, file, { ...how, state })).toMatchObject({ code: 'CAPACITY' })
  }
})
