/**
 * Hazards 5 and 16 of DESIGN.md section 7, on waiting for a place that is thrown away: stepped in one thread, and on
 * the pool where threads make it.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Control } from '../../src/core/layout.ts'
import { incarnationOf, Ready, stateOf } from '../../src/core/status.ts'
import { createTaskExecutor, type TaskExecutor } from '../../src/tasks.ts'
import { Bench } from '../support/engineMemory.ts'

let executor: TaskExecutor
beforeAll(async () => {
  const module = new URL('../support/taskModule.mjs', import.meta.url)
  executor = await createTaskExecutor(module, { workers: 4, memoryLimit: 64 * 2 ** 20 })
})
afterAll(() => executor.close())

test('hazard 5: waking resumes nobody: who met an estimate runs again once, when its place is due', () => {
  const bench = new Bench(3)
  const [a, b] = [bench.view(), bench.view()]
  const { scheduler } = bench
  // Place 2 reads what place 1 then writes, so its write is an estimate when place 3 wants it.
  bench.execute(b, 2, () => bench.write(b, 'x', (bench.read(b, 'y') as bigint) + 1n))
  bench.execute(a, 1, () => bench.write(a, 'y', 1n))
  bench.commit(a, 1)
  expect(b.validate(2)).toBe(false)
  b.markEstimates(2)
  scheduler.abort(2)
  a.begin(3, false, false)
  expect(bench.read(a, 'x')).toBe('blocked')
  scheduler.defer(3)
  const before = scheduler.status(3)
  // Every wake there is, and late ones of an incarnation that is gone: the place that waits stays as it is.
  for (let wake = 0; wake < 3; wake++) scheduler.advance(2)
  scheduler.drain()
  scheduler.resume(3)
  expect(scheduler.status(3)).toBe(before)
  bench.execute(b, 2, () => bench.write(b, 'x', (bench.read(b, 'y') as bigint) + 1n), true)
  expect(scheduler.status(3)).toBe(before)
  expect(scheduler.isDeferred(3)).toBe(true)
  b.commit(2)
  scheduler.advance(3)
  // The commit stage executes it, once; nobody else can be given it.
  scheduler.abort(3)
  bench.execute(a, 3, () => bench.write(a, 'z', bench.read(a, 'x') as bigint), true)
  a.commit(3)
  scheduler.advance(4)
  expect(incarnationOf(scheduler.status(3))).toBe(1)
  expect(stateOf(scheduler.status(3))).not.toBe(Ready)
  expect([scheduler.done(), bench.engine[Control.CommitIndex]]).toEqual([true, 4])
  a.begin(4, true, true)
  expect(bench.read(a, 'z')).toBe(2n)
})

test('hazard 5: readers that wait for one writer each run at most twice, and see what it wrote in the end', async () => {
  for (let repeat = 0; repeat < 20; repeat++) {
    const tasks = Array.from({ length: 120 }, (_, k) =>
      k % 6 === 0 ? { task: 'increment', input: 'hot' } : { task: 'readNumber', input: 'hot' },
    )
    const { results, run } = await executor.run(tasks, { speculation: 'always' })
    const seen = results.map((result) => (result.status === 'done' ? result.value : undefined))
    expect(seen).toEqual(tasks.map((_, k) => (k % 6 === 0 ? k / 6 : Math.floor(k / 6) + 1)))
    expect(Math.max(...results.map(({ incarnation }) => incarnation))).toBeLessThanOrEqual(1)
    expect(run.executions).toBeLessThanOrEqual(2 * tasks.length)
  }
})

test('hazard 16: what a task would have written before it failed holds up nobody', async () => {
  for (let repeat = 0; repeat < 20; repeat++) {
    // The first incarnation of the middle one writes `far`; once `near` is there it throws, and has written nothing.
    const tasks = [
      { task: 'spin', input: 0.05 },
      { task: 'put', input: ['near', 'x'] },
      ...Array.from({ length: 30 }, () => ({ task: 'writeUnless', input: ['near', 'far'] })),
      { task: 'readAll', input: ['near', 'far'] },
    ]
    const { results } = await executor.run(tasks, { speculation: 'always' })
    expect(results.slice(2, -1).every(({ status }) => status === 'failed')).toBe(true)
    expect(results.at(-1)).toMatchObject({ value: ['x', null] })
  }
})
