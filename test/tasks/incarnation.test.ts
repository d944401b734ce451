/** What a task is told of its execution is what the result says of it, on every path. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTaskExecutor, type TaskExecutor } from '../../src/tasks.ts'

const module = new URL('../support/taskModule.mjs', import.meta.url)
let executor: TaskExecutor
beforeAll(async () => {
  executor = await createTaskExecutor(module, { workers: 2, memoryLimit: 64 * 2 ** 20 })
})
afterAll(() => executor.close())

test.each(['always', 'auto', 'sequential'])('the incarnation that a task saw is the one reported (%s)', async (how) => {
  const links = Array.from({ length: 500 }, (_, index) => ({ task: 'link', input: { index, ms: 0.01, own: 0 } }))
  const options = how === 'sequential' ? { sequential: true } : { speculation: how as 'always' | 'auto' }
  for (let repeat = 0; repeat < 5; repeat++) {
    const { results } = await executor.run(links, options)
    const seen = results.map((result) => (result as { value: { incarnation: number } }).value.incarnation)
    const other = results.findIndex(({ incarnation }, index) => incarnation !== seen[index])
    expect({ other, saw: seen[other], reported: results[other]?.incarnation }).toEqual({ other: -1 })
    if (how === 'sequential') expect(new Set(seen)).toEqual(new Set([0]))
  }
})

test('a task that swallows the signal of a blocked read does not count', async () => {
  for (let repeat = 0; repeat < 20; repeat++) {
    const tasks = Array.from({ length: 60 }, (_, k) =>
      k % 2 === 0 ? { task: 'addTo', input: { key: 'n', amount: 1 } } : { task: 'swallow', input: 'n' },
    )
    const { results, stateDiff } = await executor.run(tasks, { speculation: 'always' })
    for (let k = 1; k < 60; k += 2) expect(results[k]).toMatchObject({ value: (k + 1) / 2 })
    expect(stateDiff.entries).toHaveLength(1)
  }
})
