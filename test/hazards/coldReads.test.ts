/**
 * States whose values come later, where a run, a question and an answer do not come in the order that one would like.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import {
  type AsyncStateSource,
  chainAtFork,
  createExecutor,
  createSourceState,
  type ExecuteBlockOptions,
  type Executor,
  type SourceState,
} from '../../src/index.ts'
import { replay } from '../../src/testing.ts'
import { address, asm, ETHER, expectSame, fileOf, keccak256, run, stateOf, toHex, word } from '../support/evm.ts'

const MIB = 2 ** 20
const ADDER = address(0x60)
const BALANCES = address(0x61)
const SEEN = address(0x999)
const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.slice(2), 'hex'))
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

const accounts = {
  ...Object.fromEntries(Array.from({ length: 24 }, (_, k) => [address(k + 1), { balance: ETHER }])),
  // The slot of the call's number += 1.
  [ADDER]: {
    nonce: 1,
    code: asm('0 CALLDATALOAD DUP1 SLOAD 1 ADD SWAP1 SSTORE'),
    storage: Object.fromEntries(Array.from({ length: 24 }, (_, k) => [word(k + 1), word(k + 7)])),
  },
  // Slot 0 becomes the balance of the account that the call names.
  [BALANCES]: { nonce: 1, code: asm('0 CALLDATALOAD BALANCE 0 SSTORE') },
  [SEEN]: { balance: 5n },
}
const adding = (count: number) =>
  fileOf({
    fork: 'shanghai',
    coinbase: address(0xc0),
    accounts,
    transactions: Array.from({ length: count }, (_, k) => ({ from: address(k + 1), to: ADDER, data: word(k + 1) })),
  })
const file = adding(24)
const looking = fileOf({
  fork: 'shanghai',
  coinbase: address(0xc0),
  accounts,
  transactions: Array.from({ length: 6 }, (_, k) => ({ from: address(k + 1), to: BALANCES, data: word(SEEN) })),
})

/** A source over what the files begin with, and what it was asked. */
const sourceOf = (milliseconds: number) => {
  const state = stateOf(file)
  const asked: string[] = []
  const source: AsyncStateSource = {
    async getAccount(bytes) {
      asked.push(toHex(bytes))
      await pause(milliseconds)
      const account = state.getAccount(bytes)
      if (account === undefined) return undefined
      const { balance, nonce, codeHash } = account
      return { balance, nonce, ...(codeHash === undefined ? {} : { codeHash: fromHex(codeHash) }) }
    },
    async getStorage(bytes, key) {
      asked.push(toHex(bytes) + toHex(key))
      await pause(milliseconds)
      return fromHex(word(state.getStorage(bytes, toHex(key))))
    },
    async getCode(bytes) {
      return state.getCode(state.getAccount(bytes)?.codeHash as string) as Uint8Array
    },
    async apply(diff) {
      await pause(milliseconds)
      await state.apply(diff)
    },
  }
  return { source, asked }
}

const common = { chain: chainAtFork('shanghai'), senders: 'trust', only: 'transactions' } as const
const codeOf = (running: Promise<unknown>): Promise<unknown> =>
  running.then(
    () => 'ok',
    (error: { code?: unknown }) => error.code ?? error,
  )

let executor: Executor
beforeAll(async () => {
  executor = await createExecutor({ workers: 2, memoryLimit: 64 * MIB, stallTimeout: 3000 })
})
afterAll(() => executor.close())

const execute = (state: SourceState, options: Partial<ExecuteBlockOptions> = {}, block: unknown = file.block) =>
  executor.executeBlock(block, { ...common, state, ...options })

describe('a source that is advanced', () => {
  test('lets no run begin meanwhile, and what it answered before is forgotten', async () => {
    const { source, asked } = sourceOf(20)
    const state = createSourceState(source)
    const { stateDiff } = await execute(state)
    const applying = state.apply(stateDiff)
    expect(await codeOf(execute(state))).toBe('STATE_BUSY')
    expect(() => state.putAccount(SEEN, {})).toThrow(expect.objectContaining({ code: 'STATE_BUSY' }))
    await applying
    asked.length = 0
    await state.prefetch([fromHex(address(1))])
    expect(asked).toEqual([address(1)])
    expect(state.getAccount(address(1))?.nonce).toBe(1n)
  })

  test('and fails, is forgotten too, and the state can be used', async () => {
    const { source, asked } = sourceOf(0)
    const state = createSourceState({ ...source, apply: () => Promise.reject(new Error('the disk is gone')) })
    const { stateDiff } = await execute(state)
    await expect(state.apply(stateDiff)).rejects.toThrow(/disk/)
    asked.length = 0
    await execute(state)
    expect(asked).toContain(address(1))
  })
})

describe('what is asked for', () => {
  test.each(['revm', 'ethereumjs'] as const)(
    'in a run that was aborted is asked for again in the next (%s)',
    async (adapter) => {
      const mine = await createExecutor({ adapter, workers: 2, memoryLimit: 64 * MIB, stallTimeout: 3000 })
      try {
        const { source, asked } = sourceOf(0)
        const aborting = new AbortController()
        let hangs = true
        const state = createSourceState({
          ...source,
          async getAccount(bytes) {
            if (hangs && toHex(bytes) === SEEN) {
              aborting.abort()
              return new Promise(() => undefined)
            }
            return source.getAccount(bytes)
          },
        })
        // The record that is asked for is then older than the run.
        state.putStorage(SEEN, 1n, 7n)
        const options = { ...common, state } as const
        expect(await codeOf(mine.executeBlock(looking.block, { ...options, signal: aborting.signal }))).toBe('ABORTED')
        hangs = false
        const { stateDiff } = await mine.executeBlock(looking.block, options)
        const changed = stateDiff.accounts.find((account) => account.address === BALANCES)
        expect([...(changed?.storage.values() ?? [])]).toEqual([word(5)])
        expect(asked.filter((name) => name === SEEN)).toHaveLength(1)
      } finally {
        await mine.close()
      }
    },
  )

  test('is not what was put', async () => {
    const { source, asked } = sourceOf(5)
    const state = createSourceState(source)
    // The answer comes after it was put.
    const late = state.prefetch([fromHex(SEEN)])
    state.putAccount(SEEN, { balance: 99n })
    await late
    state.putStorage(ADDER, 1n, 1000n)
    asked.length = 0
    const { stateDiff } = await execute(state, {}, looking.block)
    expect(stateDiff.accounts.find((account) => account.address === BALANCES)?.storage.get(word(0))).toBe(word(99))
    const added = (await execute(state)).stateDiff.accounts.find((account) => account.address === ADDER)
    expect(added?.storage.get(word(1))).toBe(word(1001))
    expect(added?.storage.get(word(2))).toBe(word(9))
    expect(asked).not.toContain(SEEN)
    expect(asked).not.toContain(ADDER + word(1).slice(2))
  })
})

describe('answers', () => {
  test('that come while another run reads the state are kept, all of them', async () => {
    const { source, asked } = sourceOf(0)
    const state = createSourceState(source)
    const who = [1, 2, 3].map((k) => fromHex(address(k)))
    state.open(4096)
    await state.prefetch(who)
    state.close([])
    expect(who.map((bytes) => state.getAccount(bytes)?.balance)).toEqual([ETHER, ETHER, ETHER])
    await state.prefetch(who)
    expect(asked).toHaveLength(3)
  })

  test.each(['close', 'scrub'] as const)('that find no room do not fail the %s of a run', async (how) => {
    const { source } = sourceOf(0)
    const code = new Uint8Array(3 * MIB)
    const codeHash = keccak256(code)
    const getAccount = async () => ({ balance: 1n, nonce: 0n, codeHash })
    const state = createSourceState({ ...source, getAccount, getCode: async () => code }, { maxBytes: 8 * MIB })
    state.open(4096)
    await state.prefetch([fromHex(SEEN)])
    if (how === 'close') state.close([])
    else state.scrub()
    expect(state.getAccount(SEEN)).toBeUndefined()
    // The state is nobody's: no STATE_BUSY.
    state.putAccount(address(1), { balance: 1n })
  })

  test('cost a run no more than it used of the state', () => {
    const state = createSourceState(sourceOf(0).source)
    const fill = vi.spyOn(state.words, 'fill')
    state.open(4096)
    state.close([])
    const words = fill.mock.calls.reduce((sum, [, from = 0, to = 0]) => sum + Math.max(0, to - from), 0)
    expect(words).toBeLessThan(1 << 12)
  })
})

describe('before workers run', () => {
  const never = { getAccount: () => new Promise<never>(() => undefined) }
  /** The second is asked for the fee recipient alone. */
  const states = [
    ['accounts that a block needs', () => createSourceState({ ...sourceOf(0).source, ...never })],
    [
      'the fee recipient',
      () => Object.assign(createSourceState({ ...sourceOf(0).source, ...never }), { prefetch: async () => undefined }),
    ],
  ] as const

  test.each(states)('a signal ends waiting for %s', async (_, stateOfIt) => {
    const failed = executor.stats().failed
    expect(await codeOf(execute(stateOfIt(), { signal: AbortSignal.timeout(30) }))).toBe('ABORTED')
    expect(await codeOf(execute(stateOfIt(), { signal: AbortSignal.abort() }))).toBe('ABORTED')
    // What was aborted before it began is no run.
    expect(executor.stats().failed).toBe(failed + 1)
    expectSame(await run(executor, file), await run(executor, file, { sequential: true }))
  })

  test.each(states)('closing ends waiting for %s', async (_, stateOfIt) => {
    const mine = await createExecutor({ workers: 2, memoryLimit: 64 * MIB })
    const ending = codeOf(mine.executeBlock(file.block, { ...common, state: stateOfIt() }))
    await pause(300)
    await mine.close()
    expect(await ending).toBe('CLOSED')
  })
})

describe('a recorded run whose values come later', () => {
  test.each([
    ['always', { speculation: 'always' }],
    ['auto', { speculation: 'auto' }],
    ['sequential', { sequential: true }],
  ] as const)('tells each execution, and can be replayed (%s)', async (_, how) => {
    const state = createSourceState(sourceOf(3).source)
    const result = await execute(state, { ...how, record: true })
    const { executions } = result.records ?? { executions: [] }
    expect(executions).toHaveLength(result.run.executions)
    const counted = executions.filter(({ outcome }) => outcome !== 'waited')
    expect(counted.length).toBeLessThan(executions.length)
    const names = counted.map(({ place, incarnation }) => `${place}:${incarnation}`)
    expect(new Set(names).size).toBe(names.length)
    for (const waited of executions.filter(({ outcome }) => outcome === 'waited')) {
      expect(waited).toMatchObject({ reads: [], writes: [], aborted: undefined })
    }
    const again = await replay(result.trace as Uint8Array)
    expect(again.difference).toBeUndefined()
    expect(again.incarnations).toBe(counted.length)
  })

  test.each([
    ['revm', { speculation: 'always' }],
    ['revm', { sequential: true }],
    ['ethereumjs', { speculation: 'always' }],
    ['ethereumjs', { sequential: true }],
  ] as const)('does not count what was waited as work (%s, %o)', async (adapter, how) => {
    const mine = await createExecutor({ adapter, workers: 2, memoryLimit: 64 * MIB })
    try {
      const state = createSourceState(sourceOf(60).source)
      const options = { ...common, ...how, state, records: true }
      const { records } = await mine.executeBlock(adding(1).block, options)
      const executions = records?.executions ?? []
      expect(executions.at(-1)?.outcome).toBe('done')
      expect(executions.length).toBeGreaterThan(1)
      // What is measured from the end of the execution before begins there, to less than a microsecond.
      for (let k = 1; k < executions.length; k++) {
        expect((executions[k]?.start ?? 0) - (executions[k - 1]?.end ?? 0)).toBeGreaterThan(1)
      }
    } finally {
      await mine.close()
    }
  })
})
