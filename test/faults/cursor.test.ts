/**
 * Faults where places are executed with everything below them final: again at the commit cursor, at their first turn
 * there (reserved places), in the sequential stretch of a fallback. And two faults in one run: the first is the run's.
 */
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { ParallelExecutionError } from '../../src/index.ts'
import {
  createKeyValueState,
  createTaskExecutor,
  type RunTasksOptions,
  type TaskCall,
  type TaskExecutor,
  type TaskExecutorOptions,
} from '../../src/tasks.ts'
import { TASKS, Threads } from './world.ts'

const MIB = 2 ** 20
const open: TaskExecutor[] = []
afterEach(async () => {
  for (const executor of open.splice(0)) await executor.close()
})
const create = async (options: TaskExecutorOptions = {}): Promise<TaskExecutor> => {
  const executor = await createTaskExecutor(TASKS, { workers: 2, memoryLimit: 64 * MIB, ...options })
  open.push(executor)
  return executor
}
const call = (task: string, input?: unknown): TaskCall => ({ task, input })

const increments = Array.from({ length: 40 }, () => call('increment', 'k'))
async function expectUsable(executor: TaskExecutor): Promise<void> {
  for (const speculation of ['always', 'auto'] as const) {
    const { results } = await executor.run(increments, { speculation })
    expect(results).toMatchObject([...increments.keys()].map((value) => ({ status: 'done', value })))
  }
}

/** Places that fail until they are executed again: after a sample speculation gives way, for 128 places. */
const losing = Array.from({ length: 40 }, (_, k) => call('writeManyLate', { prefix: `w${k}-`, count: 1 }))
/** As many more in its stretch as bring what comes next out of reach of those who had run ahead: 130 in all. */
const inStretch = [...losing, ...Array.from({ length: 90 }, () => call('increment', 'k'))]
/** On the loop that awaits no place is reserved: speculation is what a run under `auto` begins with. */
const awaiting = { asynchronous: true }
const DRAINING = 1

const endOf = async (run: Promise<unknown>): Promise<ParallelExecutionError> =>
  run.then(
    () => {
      throw new Error('it ended well')
    },
    (error) => error as ParallelExecutionError,
  )

describe('in a sequential stretch', () => {
  test('a task that never ends: STALLED there, in bounded time', async () => {
    const executor = await create({ ...awaiting, stallTimeout: 500 })
    const began = performance.now()
    const error = await endOf(executor.run([...inStretch, call('loopForEver'), ...increments]))
    expect(error).toMatchObject({
      code: 'STALLED',
      committedPrefix: 130,
      fields: { mode: DRAINING, commitIndex: 131, taskIndex: 130, task: 'loopForEver' },
    })
    // Patience, then two seconds of grace before the thread is ended; the rest is a machine that is busy.
    expect(performance.now() - began).toBeLessThan(20_000)
    await expectUsable(executor)
  })

  test('a signal reaches a task that never ends', async () => {
    const executor = await create(awaiting)
    const controller = new AbortController()
    const calls = [...inStretch, call('loopForEver'), ...increments]
    const run = executor.run(calls, {
      signal: controller.signal,
      onProgress: ({ committed }) => committed >= 130 && controller.abort(),
    })
    expect(await endOf(run)).toMatchObject({ code: 'ABORTED', committedPrefix: 130 })
    await expectUsable(executor)
  })

  test('a signal ends it between two tasks, not where it ends', async () => {
    const executor = await create(awaiting)
    const controller = new AbortController()
    let told = 0
    const calls = [...losing, ...Array.from({ length: 120 }, () => call('spin', 10))]
    const run = executor.run(calls, {
      signal: controller.signal,
      onProgress: ({ committed }) => {
        if (committed < 60 || controller.signal.aborted) return
        told = committed
        controller.abort()
      },
    })
    const error = await endOf(run)
    expect(error).toMatchObject({ code: 'ABORTED' })
    // The stretch has a hundred places to go.
    expect(error.committedPrefix).toBeLessThan(told + 40)
    await expectUsable(executor)
  })
})

describe('two faults in one run', () => {
  const stop: RunTasksOptions = { speculation: 'always', failures: 'stop' }

  test.each([
    ['never comes back', 'loopForEver'],
    ['ends', 'exitAfter'],
  ])('a task fails, then a worker %s: the error is the failure', async (_, task) => {
    const threads = new Threads()
    const executor = await create({ worker: () => threads.make() })
    const error = await endOf(executor.run([call('failAfter', 300), call(task, 1500), ...increments], stop))
    expect(error).toMatchObject({ code: 'TASK_FAILED', fields: { taskIndex: 0, task: 'failAfter' } })
    expect(error.message).toContain('that was it')
    await expectUsable(executor)
    expect(threads.living.size).toBe(2)
  })

  test('a worker ends, then a task fails: the error is the lost worker', async () => {
    const executor = await create()
    const error = await endOf(executor.run([call('failAfter', 1000), call('exitAfter', 100)], stop))
    expect(error).toMatchObject({ code: 'WORKER_LOST', retryable: true })
    await expectUsable(executor)
  })
})

describe('the tables of the state are full', () => {
  const many = (count: number, prefix = 'm') => call('writeMany', { prefix, count, value: 'x' })
  const many100 = Array.from({ length: 100 }, (_, k) => many(400, `m${k}-`))

  interface Path {
    readonly calls: readonly TaskCall[]
    readonly executor: TaskExecutorOptions
    readonly options: RunTasksOptions
    /** Places of the run that ended well which were committed so, at the least. */
    readonly counts: { readonly [count in 'speculative' | 'reexecuted' | 'direct' | 'fallback']?: number }
  }
  const always = { speculation: 'always' } as const
  const late = call('writeManyLate', { prefix: 'late', count: 40_000 })
  const paths: Readonly<Record<string, Path>> = {
    'ahead of the cursor': { calls: many100, executor: {}, options: always, counts: { speculative: 1 } },
    'again at the cursor': { calls: [late], executor: {}, options: always, counts: { reexecuted: 1 } },
    'at a reserved place': {
      calls: [many(40_000), ...increments],
      executor: {},
      options: { speculation: 'auto' },
      counts: { direct: 1 },
    },
    'in a sequential stretch': {
      calls: [...losing, ...many100],
      executor: awaiting,
      options: { speculation: 'auto' },
      counts: { fallback: 100 },
    },
    'on the sequential path': {
      calls: many100,
      executor: {},
      options: { sequential: true },
      counts: { fallback: 100 },
    },
  }

  test.each(Object.entries(paths))('%s: they grow, and nothing is seen of it', async (_, path) => {
    const executor = await create(path.executor)
    const state = createKeyValueState({ maxBytes: 64 * MIB, entries: { k: 5 } })
    const grow = vi.spyOn(state, 'grow')
    const { results, stateDiff, run } = await executor.run(path.calls, { ...path.options, state })
    expect(grow).toHaveBeenCalled()
    expect(results).toHaveLength(path.calls.length)
    for (const [count, least] of Object.entries(path.counts)) {
      expect(run[count as keyof Path['counts']]).toBeGreaterThanOrEqual(least)
    }
    expect(stateDiff.entries.length).toBeGreaterThanOrEqual(40_000)
    expect(new Set(stateDiff.entries.map(({ key }) => key)).size).toBe(stateDiff.entries.length)
    const { results: after } = await executor.run([call('read', 'k'), call('keysOf', { prefix: 'm' })], { state })
    expect(after).toMatchObject([{ value: 5 }, { value: [] }])
    await expectUsable(executor)
  })

  test.each(Object.entries(paths))(
    '%s, where they cannot grow: CAPACITY, and the next run is right',
    async (_, path) => {
      const executor = await create(path.executor)
      const state = createKeyValueState({ maxBytes: MIB, entries: { k: 5 } })
      expect(await endOf(executor.run(path.calls, { ...path.options, state }))).toMatchObject({
        code: 'CAPACITY',
        name: 'Blockloom.CapacityError',
      })
      const { results } = await executor.run([call('read', 'k'), call('keysOf', { prefix: '' })], { state })
      expect(results).toMatchObject([{ value: 5 }, { value: ['k'] }])
      await expectUsable(executor)
    },
  )
})
