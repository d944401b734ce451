/**
 * Threads that end when nobody expects it: while the pool starts, between runs, after their work is done. Found by
 * `npm run faults`, and written down with the moment at which the thread ends.
 */
import type { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, test } from 'vitest'
import { createTaskExecutor, runTasks, type TaskExecutor, type TaskExecutorOptions } from '../../src/tasks.ts'
import { TASKS, Threads } from './world.ts'

const MIB = 2 ** 20
const open: TaskExecutor[] = []
afterEach(async () => {
  for (const executor of open.splice(0)) await executor.close()
})
const create = async (worker: () => Worker, workers: number): Promise<TaskExecutor> => {
  const executor = await createTaskExecutor(TASKS, { workers, memoryLimit: 16 * MIB, worker })
  open.push(executor)
  return executor
}

const tasks = Array.from({ length: 40 }, () => ({ task: 'increment', input: 'k' }))
const always = { speculation: 'always' as const }
const values = [...tasks.keys()].map((value) => ({ status: 'done', value }))
const expectRight = async (executor: TaskExecutor): Promise<void> => {
  for (let repeat = 0; repeat < 3; repeat++) {
    const { results, run } = await executor.run(tasks, always)
    expect(results).toMatchObject(values)
    expect(run.workers).toBe(executor.workers)
  }
}

describe('threads that end on their own', () => {
  test('one of them while the pool starts: WORKER_LOST, and the others have their inputs in the next run', async () => {
    const threads = new Threads()
    let made = 0
    const executor = await create(() => {
      // The last one is still being built when the second is gone and the next run begins.
      const thread = threads.make(made === 3 ? { env: { SLOW_START: '1000' } } : {})
      if (made++ === 1) void thread.terminate()
      return thread
    }, 4)
    await expect(executor.run(tasks, always)).rejects.toMatchObject({ code: 'WORKER_LOST', retryable: true })
    await expectRight(executor)
    expect(threads.living.size).toBe(4)
  })

  test('between two runs: the next run does not notice', async () => {
    const threads = new Threads()
    const executor = await create(() => threads.make(), 3)
    await expectRight(executor)
    for (const thread of [...threads.living].slice(0, 2)) await thread.terminate()
    await expectRight(executor)
    expect(threads.living.size).toBe(3)
  })

  test.each([
    ['the first', [0]],
    ['the second', [1]],
    ['all but the last', [0, 1, 2]],
    ['all', [0, 1, 2, 3]],
  ])('%s on the way to its park, when the run is open already: it does not notice', async (_, ending) => {
    const threads = new Threads()
    const doomed = new Set<Worker>()
    const executor = await create(() => {
      const thread = threads.make()
      const post = thread.postMessage.bind(thread)
      thread.postMessage = (message: { path?: string[] }, transfer) => {
        if (message.path?.[0] === 'park' && doomed.delete(thread)) void thread.terminate()
        else post(message, transfer)
      }
      return thread
    }, 4)
    await expectRight(executor)
    for (let repeat = 0; repeat < 3; repeat++) {
      for (const k of ending) doomed.add([...threads.living][k] as Worker)
      await expectRight(executor)
    }
    expect(threads.living.size).toBe(4)
  })

  test('by an error that a task left behind in its event loop: the next run does not notice', async () => {
    const threads = new Threads()
    const executor = await create(() => threads.make(), 2)
    for (let repeat = 0; repeat < 5; repeat++) {
      const { results } = await executor.run([...tasks, { task: 'throwLater' }], always)
      expect(results.at(-1)).toMatchObject({ status: 'done' })
      await expectRight(executor)
    }
  })
})

describe('threads that do not answer between runs', () => {
  const NEVER = 'data:text/javascript,await new Promise(() => {}); export const increment = () => 1'
  const impatient = { workers: 2, memoryLimit: 16 * MIB, stallTimeout: 1000 }
  const make = async (module: URL | string, options: TaskExecutorOptions = impatient): Promise<TaskExecutor> => {
    const executor = await createTaskExecutor(module, options)
    open.push(executor)
    return executor
  }

  test('a module that never ends loading: a signal is heard', async () => {
    const executor = await make(NEVER)
    for (let repeat = 0; repeat < 2; repeat++) {
      const signal = AbortSignal.timeout(200)
      await expect(executor.run(tasks, { ...always, signal })).rejects.toMatchObject({ code: 'ABORTED' })
    }
    const signal = AbortSignal.timeout(200)
    await expect(runTasks(NEVER, tasks, { ...impatient, signal })).rejects.toMatchObject({ code: 'ABORTED' })
  }, 60_000)

  test('a module that never ends loading: MODULE_NOT_LOADED', async () => {
    await expect(runTasks(NEVER, tasks, impatient)).rejects.toMatchObject({ code: 'MODULE_NOT_LOADED' })
  }, 60_000)

  test('the second thread never starts: MODULE_NOT_LOADED, and the next run has another', async () => {
    const threads = new Threads()
    let made = 0
    const worker = () => threads.make(made++ === 1 ? { env: { SLOW_START: '1000000' } } : {})
    const executor = await make(TASKS, { ...impatient, worker })
    await expect(executor.run(tasks, always)).rejects.toMatchObject({ code: 'MODULE_NOT_LOADED' })
    await expectRight(executor)
    expect(threads.living.size).toBe(2)
  }, 60_000)

  test('a signal while threads start: the next run has them', async () => {
    const threads = new Threads()
    const worker = () => threads.make({ env: { SLOW_START: '1500' } })
    const executor = await make(TASKS, { ...impatient, worker })
    for (let repeat = 0; repeat < 3; repeat++) {
      const signal = AbortSignal.timeout(50)
      await expect(executor.run(tasks, { ...always, signal })).rejects.toMatchObject({ code: 'ABORTED' })
    }
    await expectRight(executor)
    expect(threads.living.size).toBe(2)
  }, 60_000)

  test.each(['loopLater', 'loopInMicrotasks'])(
    'a task that keeps its thread (%s): a signal is heard, and later runs have other threads',
    async (task) => {
      const threads = new Threads()
      const executor = await make(TASKS, { ...impatient, worker: () => threads.make() })
      for (let repeat = 0; repeat < 2; repeat++) {
        const { results } = await executor.run([...tasks, { task }], always)
        expect(results.at(-1)).toMatchObject({ status: 'done' })
        // On another state: the thread is spoken to.
        const signal = AbortSignal.timeout(200)
        const aborted = await executor.run(tasks, { ...always, signal }).then(
          () => 'it was as fast as that',
          ({ code }: { code: string }) => code,
        )
        expect(['ABORTED', 'it was as fast as that']).toContain(aborted)
        await expectRight(executor)
      }
      expect(threads.living.size).toBe(2)
    },
    120_000,
  )

  test('every thread is kept, one that awaits its tasks too', async () => {
    for (const asynchronous of [false, true]) {
      const threads = new Threads()
      // Both threads are made anew at once, which a busy machine takes more than a second for.
      const executor = await make(TASKS, {
        ...impatient,
        stallTimeout: 4000,
        asynchronous,
        worker: () => threads.make(),
      })
      const each = Array.from({ length: 8 }, () => [{ task: 'loopLater' }, { task: 'sleep', input: { ms: 100 } }])
      await executor.run(each.flat(), always).catch(() => undefined)
      await expectRight(executor)
      expect(threads.living.size).toBe(2)
    }
  }, 120_000)
})

describe('a run in line', () => {
  test('hears its signal at once, and the others run', async () => {
    const executor = await createTaskExecutor(TASKS, { workers: 2, memoryLimit: 16 * MIB })
    open.push(executor)
    const [long, controller] = [new AbortController(), new AbortController()]
    const ended: string[] = []
    const first = executor
      .run([{ task: 'loopForEver' }], { signal: long.signal })
      .catch(({ code }: { code: string }) => ended.push(`first ${code}`))
    const second = executor.run(tasks, { ...always, signal: controller.signal }).finally(() => ended.push('second'))
    const third = executor.run(tasks, always).finally(() => ended.push('third'))
    controller.abort()
    await expect(second).rejects.toMatchObject({ code: 'ABORTED', retryable: true })
    expect(ended).toEqual(['second'])
    const early = executor.run(tasks, { ...always, signal: controller.signal })
    await expect(early).rejects.toMatchObject({ code: 'ABORTED' })
    expect(ended).toEqual(['second'])
    long.abort()
    await first
    expect(ended).toEqual(['second', 'first ABORTED'])
    expect((await third).results).toMatchObject(values)
  }, 60_000)
})
