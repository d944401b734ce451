/**
 * Generated tasks on real worker threads: results and state equal those of a plain interpreter run in order.
 *
 * `speculation: 'always'`, so that nothing is hidden by the sequential path; a run with fallbacks has its own property
 * with `'auto'` and long lists. A failing example prints fast-check's seed and path.
 */
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { createKeyValueState, createTaskExecutor, type TaskExecutor } from '../../src/tasks.ts'
import { withoutAgain } from '../support/cases.ts'
import {
  callsOf,
  contentsOf,
  fill,
  outcomesOf,
  PlainStore,
  type Program,
  programs,
  runInOrder,
} from '../support/program.ts'

const modules = {
  synchronous: new URL('../support/taskModule.mjs', import.meta.url),
  asynchronous: new URL('../support/asyncTaskModule.mjs', import.meta.url),
}
type Loop = keyof typeof modules
const MIB = 2 ** 20

const executors = new Map<string, TaskExecutor>()
const executorOf = async (workers: number, loop: Loop = 'synchronous'): Promise<TaskExecutor> => {
  const options = { asynchronous: loop === 'asynchronous', workers, memoryLimit: 64 * MIB }
  const executor = executors.get(loop + workers) ?? (await createTaskExecutor(modules[loop], options))
  executors.set(loop + workers, executor)
  return executor
}
afterAll(async () => {
  for (const executor of executors.values()) await executor.close()
})

const workerCount = fc.integer({ min: 1, max: 4 })
const contents = fc.array(fc.tuple(fc.nat(7), fc.nat(99), fc.nat(12)), { maxLength: 8 }).map((entries) => {
  const store = new PlainStore()
  for (const [k, value, small] of entries) store.set(`k${k}`, small > 0 ? small : value)
  return store
})

/** Runs the programs and compares everything that can be seen of the run. */
async function expectInOrder(
  list: readonly Program[],
  workers: number,
  start = new PlainStore(),
  speculation: 'always' | 'auto' = 'always',
  loop: Loop = 'synchronous',
) {
  const state = fill(createKeyValueState({ maxBytes: 4 * MIB }), start)
  const before = contentsOf(state)
  const executor = await executorOf(workers, loop)
  const { results, stateDiff, run } = await executor.run(callsOf(list), { state, speculation })
  const store = new PlainStore()
  store.values = new Map(start.values)
  const expected = runInOrder(
    list,
    results.map((result) => result.incarnation),
    store,
  )
  expectSame(outcomesOf(results), expected)
  expect(contentsOf(state)).toEqual(before)
  await state.apply(stateDiff)
  expect(contentsOf(state)).toEqual(contentsOf(store))
  expect(run.speculative + run.direct + run.reexecuted + run.fallback).toBe(list.length)
  if (speculation === 'always') expect(run.fallback).toBe(0)
  return run
}

describe('tasks on the pool equal tasks in order', () => {
  test('programs that depend on what they read and on their incarnation', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(programs, { maxLength: 60 }), workerCount, contents, async (list, workers, start) => {
        await expectInOrder(list, workers, start)
      }),
      { numRuns: 300, endOnFailure: true },
    )
  })

  test('programs in long lists, where the committer lags behind', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(programs, { minLength: 400, maxLength: 700, size: 'max' }),
        fc.integer({ min: 2, max: 4 }),
        contents,
        async (list, workers, start) => {
          await expectInOrder(list, workers, start)
        },
      ),
      { numRuns: 12, endOnFailure: true },
    )
  })

  test('programs in long lists under `auto`: speculation gives way and comes back', async () => {
    let fallbacks = 0
    let direct = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(programs, { minLength: 400, maxLength: 900, size: 'max' }),
        fc.integer({ min: 2, max: 4 }),
        async (list, workers) => {
          // The incarnation that a task sees in a sequential stretch is another matter (tasks/incarnation.test.ts).
          const blind = list.map(withoutAgain)
          const run = await expectInOrder(blind, workers, new PlainStore(), 'auto')
          fallbacks += run.fallbacks
          direct += run.direct
        },
      ),
      { numRuns: 12, endOnFailure: true },
    )
    expect(fallbacks).toBeGreaterThan(0)
    expect(direct).toBeGreaterThan(0)
  })

  test('programs that await between their operations, on the loop that awaits', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(programs, { maxLength: 60 }), workerCount, contents, async (list, workers, start) => {
        await expectInOrder(list, workers, start, 'always', 'asynchronous')
      }),
      { numRuns: 150, endOnFailure: true },
    )
    let fallbacks = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(programs, { minLength: 300, maxLength: 600, size: 'max' }),
        fc.integer({ min: 2, max: 4 }),
        fc.boolean(),
        async (list, workers, auto) => {
          const blind = list.map(withoutAgain)
          const run = auto
            ? await expectInOrder(blind, workers, new PlainStore(), 'auto', 'asynchronous')
            : await expectInOrder(list, workers, new PlainStore(), 'always', 'asynchronous')
          fallbacks += run.fallbacks
        },
      ),
      { numRuns: 12, endOnFailure: true },
    )
    expect(fallbacks).toBeGreaterThan(0)
  })

  test('sequential runs of the library say the same', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(programs, { maxLength: 40 }), contents, async (list, start) => {
        const state = fill(createKeyValueState({ maxBytes: 4 * MIB }), start)
        const executor = await executorOf(1)
        const { results, stateDiff } = await executor.run(callsOf(list), { state, sequential: true })
        const expected = runInOrder(
          list,
          results.map(() => 0),
          start,
        )
        expect(outcomesOf(results)).toEqual(expected)
        await state.apply(stateDiff)
        expect(contentsOf(state)).toEqual(contentsOf(start))
      }),
      { numRuns: 60 },
    )
  })
})

describe('shapes', () => {
  test.each([1, 2, 3, 4])('no task and one task, %i workers', async (workers) => {
    await expectInOrder([], workers)
    await expectInOrder([[{ op: 'set', key: 'k0', by: 0, plus: 5 }]], workers)
    await expectInOrder([[{ op: 'get', key: 'k0', to: 0 }]], workers)
  })

  test('a chain: every task reads and writes one key', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 300 }), workerCount, async (count, workers) => {
        const link: Program = [
          { op: 'get', key: 'k0', to: 0 },
          { op: 'set', key: 'k0', by: 0, plus: 1 },
        ]
        await expectInOrder(
          Array.from({ length: count }, () => link),
          workers,
        )
      }),
      { numRuns: 25 },
    )
  })

  test('additions without bounds on one key never conflict', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 300 }),
        workerCount,
        async (amounts, workers) => {
          const list = amounts.map((amount): Program => [{ op: 'add', key: 'k0', amount, atLeast: null, to: 0 }])
          const run = await expectInOrder(list, workers)
          expect(run.aborts).toBe(0)
        },
      ),
      { numRuns: 25 },
    )
  })

  test('bounded additions on one key, near their bounds', async () => {
    const step = fc.record({
      op: fc.constant('add' as const),
      key: fc.constantFrom('k0', 'k1'),
      amount: fc.integer({ min: -4, max: 4 }),
      atLeast: fc.integer({ min: 0, max: 6 }),
      to: fc.constant(0 as const),
    })
    const observer: fc.Arbitrary<Program> = fc.constant([
      { op: 'get', key: 'k0', to: 0 },
      { op: 'set', key: 'k2', by: 0, plus: 0 },
    ])
    const short: fc.Arbitrary<Program> = fc.array(step, { minLength: 1, maxLength: 3 })
    const list = fc.array(fc.oneof({ weight: 6, arbitrary: short }, { weight: 1, arbitrary: observer }), {
      minLength: 1,
      maxLength: 150,
    })
    await fc.assert(
      fc.asyncProperty(list, workerCount, contents, async (tasks, workers, start) => {
        await expectInOrder(tasks, workers, start)
      }),
      { numRuns: 100 },
    )
  })

  test('tasks that throw by what they read leave nothing behind', async () => {
    const list: Program[] = Array.from({ length: 200 }, (_, k) => [
      { op: 'get', key: 'k0', to: 0 },
      { op: 'set', key: 'k0', by: 0, plus: 1 },
      { op: 'set', key: `k${k % 8}`, by: 0, plus: k },
      { op: 'add', key: 'k1', amount: 3, atLeast: null, to: 1 },
      { op: 'throwIfOdd', by: 0 },
    ])
    for (const workers of [1, 2, 4]) await expectInOrder(list, workers)
  })

  test('tasks that catch everything, the unwinding of a blocked read too', async () => {
    const list: Program[] = Array.from({ length: 200 }, (_, k) => [
      {
        op: 'catch',
        body: [
          { op: 'get', key: 'k0', to: 0 },
          { op: 'get', key: 'k1', to: 1 },
          { op: 'add', key: 'k0', amount: k % 3 === 0 ? -2 : 1, atLeast: 2, to: 2 },
        ],
      },
      { op: 'set', key: 'k1', by: 0, plus: 1 },
      { op: 'set', key: 'k2', by: 2, plus: k },
    ])
    for (const workers of [2, 3, 4]) for (let repeat = 0; repeat < 5; repeat++) await expectInOrder(list, workers)
  })
})

/** Compares task by task, so that a failure shows the first task that is wrong and not all of them. */
function expectSame(actual: readonly unknown[], expected: readonly unknown[]): void {
  const first = expected.findIndex((value, index) => !isDeepStrictEqual(value, actual[index]))
  expect({ first, actual: actual[first] }).toEqual({
    first: -1,
    actual: undefined,
    ...(first < 0 ? {} : { expected: expected[first] }),
  })
}
