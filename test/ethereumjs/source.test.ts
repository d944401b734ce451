/**
 * States whose values come later: an asynchronous source on the main thread, a state manager of ethereumjs among them.
 * The result is that of a state that has everything; what a source does wrong is a typed error, and nothing else
 * happens.
 */
import { Common, Mainnet } from '@ethereumjs/common'
import { MerkleStateManager } from '@ethereumjs/statemanager'
import { Account, createAddressFromString } from '@ethereumjs/util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stateManagerSource } from '../../src/ethereumjs.ts'
import {
  type AsyncStateSource,
  chainAtFork,
  createExecutor,
  createSourceState,
  type Executor,
  type MemoryState,
} from '../../src/index.ts'
import { address, asm, ETHER, expectSame, fileOf, run, stateOf, type TestBlock, toHex, word } from '../support/evm.ts'

const COINBASE = address(0xc0)
const CHAINED = address(0x60)
const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.slice(2), 'hex'))

/** Follows a list through its storage: each slot names the next one, so that reads cannot be guessed. */
const FOLLOW = asm('0 CALLDATALOAD loop: DUP1 SLOAD DUP1 @next JUMPI POP 1 ADD SSTORE STOP next: SWAP1 POP @loop JUMP')
const block: TestBlock = {
  fork: 'shanghai',
  coinbase: COINBASE,
  accounts: {
    ...Object.fromEntries(Array.from({ length: 6 }, (_, k) => [address(k + 1), { balance: ETHER }])),
    [CHAINED]: { nonce: 1, code: FOLLOW, storage: { [word(1)]: word(5), [word(5)]: word(9), [word(9)]: word(77) } },
  },
  transactions: Array.from({ length: 30 }, (_, k) =>
    k % 3 === 0
      ? { from: address((k % 6) + 1), to: CHAINED, data: word(1), gas: 200_000 }
      : { from: address((k % 6) + 1), to: address(0x900 + (k % 5)), value: BigInt(k) },
  ),
}
const file = fileOf(block)

/** A source over a state in memory, with a delay and a count of questions. */
const sourceOf = (state: MemoryState, milliseconds = 0) => {
  const asked: string[] = []
  const pause = () => (milliseconds > 0 ? new Promise((resolve) => setTimeout(resolve, milliseconds)) : undefined)
  const source: AsyncStateSource = {
    async getAccount(bytes) {
      asked.push(toHex(bytes))
      await pause()
      const account = state.getAccount(bytes)
      if (account === undefined) return undefined
      const { balance, nonce, codeHash } = account
      return { balance, nonce, ...(codeHash === undefined ? {} : { codeHash: fromHex(codeHash) }) }
    },
    async getStorage(bytes, key) {
      asked.push(toHex(bytes) + toHex(key))
      await pause()
      return fromHex(word(state.getStorage(bytes, toHex(key))))
    },
    async getCode(bytes) {
      return state.getCode(state.getAccount(bytes)?.codeHash as string) as Uint8Array
    },
  }
  return { source, asked }
}

describe.each(['revm', 'ethereumjs'] as const)('a state that answers later, adapter %s', (adapter) => {
  let executor: Executor
  beforeAll(async () => {
    executor = await createExecutor({ adapter, workers: 2, memoryLimit: 64 * 2 ** 20 })
  })
  afterAll(() => executor.close())

  test.each([
    ['always', { speculation: 'always' }],
    ['auto', { speculation: 'auto' }],
    ['sequential', { sequential: true }],
  ] as const)(
    'gives the result of a state that has everything, and is asked once for each value (%s)',
    async (_, how) => {
      const expected = await run(executor, file, { sequential: true })
      const { source, asked } = sourceOf(stateOf(file), 2)
      const state = createSourceState(source)
      expectSame(await run(executor, file, { ...how, state }), expected)
      expect(new Set(asked).size).toBe(asked.length)
      const count = asked.length
      expectSame(await run(executor, file, { ...how, state }), expected)
      expect(asked.length).toBe(count)
    },
  )

  test.each([
    ['rejects', () => Promise.reject(new Error('the disk is gone')), /failed/],
    [
      'throws',
      () => {
        throw new TypeError('no')
      },
      /failed/,
    ],
    ['hangs', () => new Promise<never>(() => undefined), /within 200 ms/],
    ['answers with no value', () => Promise.resolve('0x1' as never), /no value/],
    ['answers with too long a value', () => Promise.resolve(new Uint8Array(33)), /no value/],
  ] as const)('a source that %s: STATE_SOURCE_FAILED, the pool usable', async (_, getStorage, message) => {
    const { source } = sourceOf(stateOf(file))
    const state = createSourceState({ ...source, getStorage }, { timeout: 200 })
    const options = { state, chain: chainAtFork('shanghai'), senders: 'trust', only: 'transactions' } as const
    const error = await executor
      .executeBlock(file.block, { ...options, speculation: 'always' })
      .catch((e: unknown) => e)
    expect(error).toMatchObject({ code: 'STATE_SOURCE_FAILED', fields: { address: CHAINED } })
    expect((error as Error).message).toMatch(message)
    expectSame(await run(executor, file), await run(executor, file, { sequential: true }))
  })

  test.each([
    ['a balance that is none', { balance: -1n, nonce: 0n }],
    ['a nonce that is none', { balance: 0n, nonce: 1n << 64n }],
    ['what is no account', 7],
    ['a code hash that is not 32 bytes', { balance: 0n, nonce: 0n, codeHash: new Uint8Array(31) }],
  ])('an account with %s: STATE_SOURCE_FAILED', async (reason, account) => {
    const { source } = sourceOf(stateOf(file))
    const state = createSourceState({ ...source, getAccount: async () => account as never })
    const options = { state, chain: chainAtFork('shanghai'), senders: 'trust', only: 'transactions' } as const
    const ending = executor.executeBlock(file.block, options)
    await expect(ending).rejects.toMatchObject({ code: 'STATE_SOURCE_FAILED', fields: { reason } })
  })

  test('a state manager of ethereumjs, left as it is until the difference is applied', async () => {
    const manager = new MerkleStateManager({ common: new Common({ chain: Mainnet, hardfork: 'shanghai' }) })
    for (const [name, { balance = 0n, nonce = 0n, code, storage = {} }] of Object.entries(block.accounts)) {
      const who = createAddressFromString(name)
      await manager.putAccount(who, new Account(BigInt(nonce), BigInt(balance)))
      if (code !== undefined) await manager.putCode(who, fromHex(code))
      for (const [key, value] of Object.entries(storage)) await manager.putStorage(who, fromHex(key), fromHex(value))
    }
    const before = toHex(await manager.getStateRoot())
    const state = createSourceState(stateManagerSource(manager))
    const expected = await run(executor, file, { sequential: true })
    const result = await run(executor, file, { state, speculation: 'always' })
    expectSame(result, expected)
    expect(toHex(await manager.getStateRoot())).toBe(before)
    await state.apply(result.stateDiff)
    const all = stateOf(file)
    await all.apply(expected.stateDiff)
    for (const { address: name } of expected.stateDiff.accounts) {
      const account = await manager.getAccount(createAddressFromString(name))
      expect([name, account?.balance, account?.nonce]).toEqual([
        name,
        all.getAccount(name)?.balance,
        all.getAccount(name)?.nonce,
      ])
    }
    // The second block is of the state after the first: nothing of the answers before is left.
    const again = await run(
      executor,
      fileOf({ ...block, transactions: [{ from: address(1), to: address(2), nonce: 5, value: 1n }] }),
      { state },
    )
    expect(again.receipts).toHaveLength(1)
  })
})

test('an answer to a question from before the state was cleared is not kept', async () => {
  const { source } = sourceOf(stateOf(file))
  const pause = () => new Promise((resolve) => setTimeout(resolve, 10))
  let balance = 1n
  const state = createSourceState({
    ...source,
    getAccount: async () => {
      const answer = { balance, nonce: 0n }
      await pause()
      return answer
    },
  })
  const who = fromHex(address(7))
  const before = state.prefetch([who])
  await Promise.resolve()
  state.clear()
  await before
  balance = 2n
  await state.prefetch([who])
  expect(state.getAccount(who)?.balance).toBe(2n)
})

test('a source without its functions, and a timeout that is none', () => {
  expect(() => createSourceState({} as never)).toThrow(/getAccount/)
  const { source } = sourceOf(stateOf(file))
  for (const timeout of [-1, 0.5, Number.NaN, 2 ** 31]) {
    expect(() => createSourceState(source, { timeout })).toThrow(/timeout/)
  }
})
