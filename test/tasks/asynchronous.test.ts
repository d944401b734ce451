/** Tasks that return promises: on the loop that awaits, one at a time a worker, with the faults that only they know. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createKeyValueState, createTaskExecutor, type TaskCall, type TaskExecutor } from '../../src/tasks.ts'

const module = new URL('../support/asyncTaskModule.mjs', import.meta.url)
const MIB = 2 ** 20
const always = { speculation: 'always' as const }
const call = (task: string, input?: unknown): TaskCall => ({ task, input })
const valuesOf = (results: readonly unknown[]): unknown[] => results.map((r) => (r as { value: unknown }).value)

describe('asynchronous tasks', () => {
  let executor: TaskExecutor
  beforeAll(async () => {
    executor = await createTaskExecutor(module, { asynchronous: true, workers: 3, memoryLimit: 64 * MIB })
  })
  afterAll(() => executor.close())

  test.each([
    ['always', { speculation: 'always' }],
    ['auto', { speculation: 'auto' }],
    ['sequential', { sequential: true }],
  ] as const)('a chain of tasks that await in between counts to its end (%s)', async (_, options) => {
    const { results, run } = await executor.run(
      Array.from({ length: 600 }, () => call('increment', 'n')),
      options,
    )
    expect(valuesOf(results)).toEqual([...results.keys()])
    expect(run.speculative + run.direct + run.reexecuted + run.fallback).toBe(600)
  })

  test('what waits in one task does not hold another worker', async () => {
    const { results, run } = await executor.run(
      Array.from({ length: 30 }, () => call('pause', 20)),
      always,
    )
    expect(valuesOf(results)).toEqual(results.map(() => 20))
    // Three workers wait side by side; a sum of the waits would be one worker's.
    expect(run.speculative).toBe(30)
    expect(run.ms).toBeLessThan(30 * 20)
  })

  test('a task that rejects fails, and leaves nothing behind', async () => {
    const state = createKeyValueState({ entries: { a: 'before' } })
    const { results, stateDiff } = await executor.run([call('rejectAfterWriting', 'a'), call('readAll', ['a'])], {
      ...always,
      state,
    })
    expect(results[0]).toMatchObject({ status: 'failed', error: { name: 'RangeError', message: 'no' } })
    expect(results[1]).toMatchObject({ value: ['before'] })
    expect(stateDiff.entries).toEqual([])
  })

  test('what a task left running is refused by its store and changes no other task', async () => {
    const { results, stateDiff } = await executor.run([call('leaveRunning', 'a'), call('afterwards')], {
      sequential: true,
    })
    expect(valuesOf(results)).toEqual(['settled', 'the task has ended; its store cannot be used any more'])
    expect(stateDiff.entries).toEqual([])
  })
})

describe('faults', () => {
  const open: TaskExecutor[] = []
  afterEach(async () => {
    for (const executor of open.splice(0)) await executor.close()
  })
  const create = async (stallTimeout?: number): Promise<TaskExecutor> => {
    const options = stallTimeout === undefined ? {} : { stallTimeout }
    const executor = await createTaskExecutor(module, { asynchronous: true, workers: 2, ...options })
    open.push(executor)
    return executor
  }
  const expectUsable = async (executor: TaskExecutor): Promise<void> => {
    const { results } = await executor.run(
      Array.from({ length: 40 }, () => call('increment', 'n')),
      always,
    )
    expect(valuesOf(results)).toEqual([...results.keys()])
  }

  test.each([always, { sequential: true }])(
    'a task that awaits for ever: STALLED, the pool usable (%j)',
    async (how) => {
      const executor = await create(300)
      const run = executor.run([call('increment', 'n'), call('never'), call('increment', 'n')], how)
      await expect(run).rejects.toMatchObject({ code: 'STALLED' })
      await expectUsable(executor)
    },
  )

  test('a signal is heard while a task awaits: ABORTED, the pool usable', async () => {
    const executor = await create()
    await expectUsable(executor)
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 100)
    const run = executor.run([call('increment', 'n'), call('never')], { ...always, signal: controller.signal })
    await expect(run).rejects.toMatchObject({ code: 'ABORTED', committedPrefix: 1 })
    await expectUsable(executor)
  })

  test('an executor is closed while a task awaits: CLOSED', async () => {
    const executor = await create()
    await expectUsable(executor)
    const run = executor.run([call('never')], always)
    setTimeout(() => executor.close(), 50)
    await expect(run).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test('a promise is a failed task where nobody asked for asynchronous ones; the option is true or false', async () => {
    const executor = await createTaskExecutor(module, { workers: 1 })
    open.push(executor)
    const { results } = await executor.run([call('increment', 'n')])
    expect(results[0]).toMatchObject({ status: 'failed', error: { name: 'TypeError' } })
    await expect(createTaskExecutor(module, { asynchronous: 'yes' as never })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      fields: { option: 'asynchronous' },
    })
  })
})
