/**
 * What a review of whole blocks found: guesses on which the clearing of empty accounts hangs (EIP-161), fee recipients
 * that destroy themselves, and accounts that one system call destroys and the next one pays.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SYSTEM_CONTRACTS } from '../../src/adapters/evm/ends.ts'
import { chainAtFork, type Executor, type Hex, stateRootOf } from '../../src/index.ts'
import { executorUnderTest } from '../support/adapter.ts'
import {
  address,
  asm,
  changeOf,
  createdBy,
  ETHER,
  expectParallelSame,
  expectPlaceDiffs,
  expectSame,
  fileOf,
  run,
  stateOf,
  toHex,
  word,
} from '../support/evm.ts'

const executors: Executor[] = []
beforeAll(async () => {
  for (const workers of [1, 2, 4]) executors.push(await executorUnderTest({ workers, memoryLimit: 128 * 2 ** 20 }))
})
afterAll(async () => {
  for (const executor of executors) await executor.close()
})

const COINBASE = address(0xc0)
const [ALICE, BOB, EMPTY] = [address(1), address(2), address(7)]
const GATE = address(0x60)

test('an empty account that only a credit withdrawn later funded is cleared by a touch without value', async () => {
  // Forwards its value to the empty account unless the transaction before has shut the gate.
  const gate = asm(
    `CALLDATASIZE @shut JUMPI 0 SLOAD @end JUMPI 0 0 0 0 1 ${EMPTY} GAS CALL POP end: STOP shut: 1 0 SSTORE`,
  )
  const busy = asm('3000 loop: 1 SWAP1 SUB DUP1 @loop JUMPI 1 0 SSTORE')
  const [SLOW, CAROL] = [address(0x61), address(3)]
  const accounts = {
    [ALICE]: { balance: ETHER },
    [BOB]: { balance: ETHER },
    [CAROL]: { balance: ETHER },
    [EMPTY]: {},
    [GATE]: { nonce: 1, balance: ETHER, code: `${gate.slice(0, 2)}${gate.slice(2)}` },
    [SLOW]: { nonce: 1, code: busy },
  }
  const transactions = [
    { from: ALICE, to: SLOW },
    { from: ALICE, to: GATE, data: '0x01' },
    { from: BOB, to: GATE },
    { from: CAROL, to: EMPTY, gas: 30_000 },
  ]
  for (const executor of executors) {
    const result = await expectParallelSame(
      executor,
      { fork: 'shanghai', coinbase: COINBASE, accounts, transactions },
      60,
    )
    expect(changeOf(result, EMPTY)?.deleted).toBe(true)
  }
})

/** Destroys itself in favour of whoever calls. */
const DOOMED = asm('CALLER SELFDESTRUCT')
const doomed = {
  fork: 'homestead',
  coinbase: COINBASE,
  accounts: { [ALICE]: { balance: ETHER }, [COINBASE]: { code: DOOMED }, [BOB]: { balance: ETHER } },
} as const

test('before EIP-161 a fee recipient that the last transaction destroyed does not exist after it', async () => {
  const transactions = [
    { from: BOB, to: ALICE, value: 1n },
    { from: ALICE, to: COINBASE },
  ]
  for (const executor of executors) {
    const block = { ...doomed, transactions }
    const result = await expectParallelSame(executor, block)
    expect(changeOf(result, COINBASE)?.deleted).toBe(true)
    const file = fileOf(block)
    const placed = await run(executor, file, { placeDiffs: true })
    await expectPlaceDiffs(() => stateOf(file), placed)
  }
})

test('before EIP-161 a fee recipient that was destroyed right before is a new account to a call', async () => {
  const caller = asm(`0 0 0 0 0 ${COINBASE} 50000 CALL POP STOP`)
  const accounts = { ...doomed.accounts, [GATE]: { nonce: 1, code: caller } }
  const gasOf = async (executor: Executor, between: number): Promise<bigint | undefined> => {
    const pause = Array.from({ length: between }, () => ({ from: BOB, to: ALICE, value: 1n, gasPrice: 0n }))
    const transactions = [{ from: ALICE, to: COINBASE }, ...pause, { from: ALICE, to: GATE }]
    const result = await expectParallelSame(executor, { ...doomed, accounts, transactions })
    return result.receipts.at(-1)?.gasUsed
  }
  for (const executor of executors) {
    // 25,000 of gas make an account; a fee of nothing, paid in between, has made it already.
    expect(((await gasOf(executor, 0)) ?? 0n) - ((await gasOf(executor, 1)) ?? 0n)).toBe(25_000n)
  }
})

test('what one system call destroys and the next one pays exists', async () => {
  const WITHDRAWALS = toHex(SYSTEM_CONTRACTS.withdrawalRequests.address)
  const CONSOLIDATIONS = toHex(SYSTEM_CONTRACTS.consolidationRequests.address)
  const init = asm('7 0 SSTORE CALLER SELFDESTRUCT').slice(2)
  const size = init.length / 2
  const creator = asm(`0x${init} 0 MSTORE ${size} ${32 - size} 0 CREATE POP`)
  const child: Hex = createdBy(WITHDRAWALS, 1)
  const payer = asm(`0 0 0 0 5 ${child} GAS CALL POP`)
  const file = fileOf({
    fork: 'prague',
    coinbase: COINBASE,
    accounts: {
      [WITHDRAWALS]: { nonce: 1, code: creator },
      [CONSOLIDATIONS]: { nonce: 1, balance: 9n, code: payer },
    },
    transactions: [],
  })
  for (const executor of executors) {
    for (const sequential of [true, false]) {
      const options = { state: stateOf(file), chain: chainAtFork('prague'), senders: 'trust', sequential } as const
      const result = await executor.executeBlock(file.block, { ...options, speculation: 'always' })
      expect(changeOf(result, child)).toMatchObject({ balance: 5n, deleted: false })
      expect(changeOf(result, child)?.storage.size).toBe(0)
      expect(changeOf(result, CONSOLIDATIONS)?.balance).toBe(4n)
    }
  }
})

test('a prepared block runs on another state than it was prepared with', async () => {
  const file = fileOf({
    fork: 'cancun',
    coinbase: COINBASE,
    accounts: { [ALICE]: { balance: ETHER } },
    transactions: Array.from({ length: 6 }, () => ({ from: ALICE, to: BOB, value: 1n })),
  })
  const [first, second] = [stateOf(file), stateOf(file)]
  for (let k = 0; k < 50; k++) second.putAccount(address(0x100 + k), { balance: 1n })
  const options = { chain: chainAtFork('cancun'), senders: 'trust', speculation: 'always' } as const
  for (const executor of executors) {
    const prepared = await executor.prepareBlock(file.block, { ...options, state: first })
    const expected = await executor.runPrepared(prepared, { ...options, state: first })
    expectSame(await executor.runPrepared(prepared, { ...options, state: second, stateRoot: false }), expected)
    expect(first.getAccount(COINBASE)).toBeUndefined()
  }
})

test('a difference for which there is no room changes nothing', async () => {
  const { createMemoryState } = await import('../../src/index.ts')
  const state = createMemoryState({ maxBytes: 2 ** 20, accounts: { [ALICE]: { balance: 3n } } })
  const before = await stateRootOf(state)
  const accounts = Array.from({ length: 9000 }, (_, k) => ({
    address: k === 0 ? ALICE : address(0x1000 + k),
    balance: 5n,
    storage: new Map([[word(1), word(2)]]),
    storageCleared: false,
    deleted: false,
  }))
  await expect(state.apply({ accounts, codes: new Map() })).rejects.toMatchObject({ code: 'CAPACITY' })
  expect(state.getAccount(ALICE)?.balance).toBe(3n)
  expect(state.getAccount(address(0x1001))).toBeUndefined()
  expect(await stateRootOf(state)).toEqual(before)
  await state.apply({ accounts: accounts.slice(0, 2), codes: new Map() })
  expect(state.getAccount(ALICE)?.balance).toBe(5n)
})

test('an account whose fields are not all good is not put in part', async () => {
  const { createMemoryState } = await import('../../src/index.ts')
  const state = createMemoryState({ maxBytes: 2 ** 20 })
  const storage = { [word(1)]: 'x' }
  for (const bad of [{ nonce: -1 }, { codeHash: '0x12' }, { storage }]) {
    expect(() => state.putAccount(ALICE, { balance: 5n, ...bad })).toThrow()
  }
  await state.apply({
    accounts: [{ address: ALICE, nonce: 1n, storage: new Map(), storageCleared: false, deleted: false }],
    codes: new Map(),
  })
  expect(state.getAccount(ALICE)).toMatchObject({ balance: 0n, nonce: 1n })
})
