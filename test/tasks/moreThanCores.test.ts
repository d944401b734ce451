/** More workers than cores: who is called to a run (docs/algorithm.md D11). The cores are those of the machine. */
import { availableParallelism } from 'node:os'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MAX_WORKERS } from '../../src/core/layout.ts'
import { createTaskExecutor, type TaskCall, type TaskExecutor } from '../../src/tasks.ts'

const first = Math.max(2, availableParallelism())
const workers = Math.min(2 * first + 3, MAX_WORKERS)
const module = new URL('../support/taskModule.mjs', import.meta.url)
const calls = (task: string, input: unknown, count: number): TaskCall[] =>
  Array.from({ length: count }, () => ({ task, input }))

describe.skipIf(first >= workers)('more workers than cores', () => {
  let executor: TaskExecutor
  beforeAll(async () => {
    executor = await createTaskExecutor(module, { workers, memoryLimit: 64 * 2 ** 20 })
  })
  afterAll(() => executor.close())

  test('the rest is called while tasks sleep, in a run after others without them', async () => {
    for (let run = 0; run < 3; run++) {
      const { results } = await executor.run(calls('increment', 'n', 40))
      expect(results.map((result) => result.status)).toEqual(results.map(() => 'done'))
    }
    // Far longer than main takes to look, on any machine.
    const { results, run } = await executor.run(calls('sleep', { ms: 50 }, 20 * first))
    expect(run.workers).toBe(workers)
    expect(results.map((result) => result.status)).toEqual(results.map(() => 'done'))
  })

  test('they are called at once to the next run, however short', async () => {
    const own = await createTaskExecutor(module, { workers, memoryLimit: 64 * 2 ** 20 })
    try {
      await own.run(calls('sleep', { ms: 50 }, 20 * first))
      expect((await own.run(calls('sleep', { ms: 1 }, 4))).run.workers).toBe(workers)
    } finally {
      await own.close()
    }
  })

  test("all are called at once with speculation: 'always', and come to later runs too", async () => {
    for (let run = 0; run < 3; run++) {
      const { results, run } = await executor.run(calls('increment', 'n', 40), { speculation: 'always' })
      expect(run.workers).toBe(workers)
      expect(results).toMatchObject([...results.keys()].map((value) => ({ value })))
    }
  })
})
