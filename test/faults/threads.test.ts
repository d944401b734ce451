/**
 * Threads that end when nobody expects it: while the pool starts, between runs, after their work is done. Found by
 * `npm run faults`, and written down with the moment at which the thread ends.
 */
import type { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, test } from 'vitest'
import { createTaskExecutor, type TaskExecutor } from '../../src/tasks.ts'
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
