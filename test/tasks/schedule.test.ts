/** Orders, hints, priorities, resources and the policy hook: what they promise, and what a wrong hint may not break. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  createTaskExecutor,
  firstComeFirst,
  longestPathFirst,
  type SchedulableTask,
  type TaskCall,
  type TaskExecutor,
} from '../../src/tasks.ts'

const MIB = 2 ** 20
let executor: TaskExecutor
let flows: TaskExecutor
beforeAll(async () => {
  const options = { workers: 3, memoryLimit: 64 * MIB }
  executor = await createTaskExecutor(new URL('../support/taskModule.mjs', import.meta.url), options)
  flows = await createTaskExecutor(new URL('../support/workflowModule.mjs', import.meta.url), options)
})
afterAll(async () => {
  await executor.close()
  await flows.close()
})

const valuesOf = (results: readonly unknown[]) => results.map((result) => (result as { value: unknown }).value)
const step = (id: number, more: Partial<TaskCall> & { reads?: never; ms?: number } = {}): TaskCall => {
  const { ms = 0, ...hints } = more
  return { task: 'step', input: { id, reads: [], writes: [id], ms }, ...hints } as TaskCall
}

describe('orders', () => {
  test('a graph runs in a topological order, which the result tells; undeclared conflicts are caught', async () => {
    // Edges point from higher to lower index, so the order given would be wrong everywhere.
    const count = 60
    const calls: TaskCall[] = Array.from({ length: count }, (_, index) => ({
      task: 'increment',
      input: 'shared',
      after: index + 1 < count ? [index + 1] : [],
    }))
    const { results, order } = await executor.run(calls, { order: 'graph', speculation: 'always' })
    expect(order).toEqual(calls.map((_, k) => count - 1 - k))
    expect(valuesOf(results)).toEqual(calls.map((_, k) => count - 1 - k))

    const free: TaskCall[] = Array.from({ length: 200 }, (_, k) => ({ task: 'increment', input: `k${k % 5}` }))
    const loose = await executor.run(free, { order: 'graph', speculation: 'always' })
    const counts = new Map<string, number>()
    for (const index of loose.order) {
      const key = free[index]?.input as string
      expect(loose.results[index]).toMatchObject({ value: counts.get(key) ?? 0 })
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
  })

  test('more urgent tasks that wait than one claim looks at: those that they wait for run all the same', async () => {
    const count = 8_200
    const waiting = Array.from(
      { length: count },
      (): TaskCall => ({ task: 'spin', input: 0, priority: 1, after: [count] }),
    )
    const graph = await executor.run([...waiting, { task: 'spin', input: 0 }], { order: 'graph' })
    expect(graph.order[0]).toBe(count)
    const reading = Array.from(
      { length: count },
      (): TaskCall => ({ task: 'spin', input: 0, priority: 1, reads: ['c'] }),
    )
    const ordered = await executor.run([{ task: 'spin', input: 0, writes: ['c'] }, ...reading])
    expect(ordered.results.every(({ status }) => status === 'done')).toBe(true)
  })

  test('wrong hints in the order given: the same result as without them', async () => {
    const calls: TaskCall[] = Array.from({ length: 300 }, (_, k) => ({
      task: 'increment',
      input: `k${(k * k) % 7}`,
      after: [299 - k].filter((other) => other !== k),
      priority: (k * 31) % 17,
      cost: (k * 7) % 13,
      reads: [`k${k % 3}`],
      writes: ['nothing'],
    }))
    const plain = calls.map(({ task, input }): TaskCall => ({ task, input }))
    const hinted = await executor.run(calls, { speculation: 'always' })
    const expected = await executor.run(plain, { sequential: true })
    expect(valuesOf(hinted.results)).toEqual(valuesOf(expected.results))
    expect(hinted.stateDiff.entries).toEqual(expected.stateDiff.entries)
    expect(hinted.order).toEqual(calls.map((_, k) => k))
  })

  test('declared reads and writes spare a chain its aborts', async () => {
    const calls: TaskCall[] = Array.from({ length: 100 }, () => ({
      task: 'increment',
      input: 'n',
      reads: ['n'],
      writes: ['n'],
    }))
    const { results, run } = await executor.run(calls, { speculation: 'always' })
    expect(valuesOf(results)).toEqual([...calls.keys()])
    expect(run.aborts).toBe(0)
  })

  test.each([
    ['itself', [[0]], [0]],
    ['each other', [[1], [0]], [0, 1]],
    ['round', [[2], [0], [1], []], [0, 1, 2]],
  ])('calls that wait for %s: TASK_CYCLE with the cycle', async (_, after, cycle) => {
    const calls = after.map((list, id): TaskCall => ({ ...step(id), after: list }))
    const error = await flows.run(calls, { order: 'graph' }).catch((e: unknown) => e)
    expect(error).toMatchObject({ code: 'TASK_CYCLE', name: 'Blockloom.InvalidInputError' })
    expect([...(error as { fields: { cycle: number[] } }).fields.cycle].sort()).toEqual(cycle)
    expect((await flows.run([step(1)])).results).toHaveLength(1)
  })

  test.each([
    ['an edge to no call', { after: [7] }, 'after'],
    ['an edge to half a call', { after: [0.5] }, 'after'],
    ['a cost below zero', { cost: -1 }, 'cost'],
    ['a priority that is no number', { priority: Number.NaN }, 'priority'],
    ['a resource that nobody has', { resources: { gpu: 1 } }, 'resources'],
    ['more of a resource than there is', { resources: { disk: 3 } }, 'resources'],
  ])('%s is refused', async (_, hints, option) => {
    const run = flows.run([step(0), { ...step(1), ...hints }], { resources: { disk: 2 } })
    await expect(run).rejects.toMatchObject({ code: 'INVALID_OPTION', fields: { option, taskIndex: 1 } })
  })

  test('an order, a capacity or a policy that is none is refused', async () => {
    const refused = (option: string) => expect.objectContaining({ fields: expect.objectContaining({ option }) })
    await expect(flows.run([], { order: 'any' as never })).rejects.toEqual(refused('order'))
    await expect(flows.run([], { resources: { gpu: 0 } })).rejects.toEqual(refused('resources'))
    await expect(flows.run([step(0)], { policy: () => [] })).rejects.toEqual(refused('policy'))
    await expect(flows.run([step(0)], { policy: () => [Number.NaN] })).rejects.toEqual(refused('policy'))
  })
})

describe('resources', () => {
  test.each(['ordered', 'graph'] as const)('capacities are never exceeded (%s)', async (order) => {
    const calls: TaskCall[] = Array.from({ length: 24 }, (_, k) => ({
      task: 'hold',
      input: 4,
      resources: k % 3 === 0 ? { gpu: 1 } : k % 3 === 1 ? { disk: 2 } : { gpu: 1, disk: 1 },
    }))
    const { results } = await flows.run(calls, { order, resources: { gpu: 1, disk: 2 }, speculation: 'always' })
    const spans = (valuesOf(results) as { began: number; ended: number }[]).map((span, k) => ({
      ...span,
      needs: calls[k]?.resources ?? {},
    }))
    for (const [name, capacity] of [
      ['gpu', 1],
      ['disk', 2],
    ] as const) {
      for (const { began } of spans) {
        const held = spans.filter((other) => other.began <= began && began < other.ended)
        expect(held.reduce((sum, { needs }) => sum + (needs[name] ?? 0), 0)).toBeLessThanOrEqual(capacity)
      }
    }
  })

  test('an execution that does not count holds its units too', async () => {
    // Every task reads what the one before writes, so most are executed twice; the gpu is taken each time.
    const calls: TaskCall[] = Array.from({ length: 40 }, (_, id) => ({
      task: 'step',
      input: { id, reads: [0], writes: [0], ms: 1 },
      resources: { gpu: 1 },
    }))
    const { results } = await flows.run(calls, { resources: { gpu: 1 }, speculation: 'always' })
    const spans = valuesOf(results) as { seen: number[]; began: number; ended: number }[]
    expect(spans.map(({ seen }) => seen[0])).toEqual(calls.map((_, k) => k - 1))
    const sorted = [...spans].sort((a, b) => a.began - b.began)
    sorted.forEach(({ began }, k) => {
      if (k > 0) expect(began).toBeGreaterThanOrEqual(sorted[k - 1]?.ended as number)
    })
  })
})

describe('policies', () => {
  const task = (index: number, cost: number, after: number[] = [], priority = 0): SchedulableTask => ({
    ...{ index, task: 't', cost, after, priority, resources: {} },
  })

  test('longest remaining path first, priority before all', () => {
    const tasks = [task(0, 1), task(1, 5), task(2, 1, [0]), task(3, 9, [2]), task(4, 1, [], 1)]
    const ranked = (policy: typeof longestPathFirst) => {
      const urgency = policy(tasks, 2)
      return [...tasks.keys()].sort((a, b) => Number(urgency[b]) - Number(urgency[a]) || a - b)
    }
    expect(ranked(longestPathFirst)).toEqual([4, 0, 2, 3, 1])
    expect(ranked(firstComeFirst)).toEqual([4, 0, 1, 2, 3])
  })

  test('a policy of the caller decides the order of a graph, and is told all that is known', async () => {
    const seen: SchedulableTask[][] = []
    const calls = [step(0), step(1, { cost: 3 }), step(2, { priority: 2 }), step(3, { after: [1] })]
    const { order } = await flows.run(calls, {
      order: 'graph',
      policy: (tasks) => {
        seen.push([...tasks])
        return tasks.map(({ index }) => index)
      },
    })
    expect(order).toEqual([2, 1, 3, 0])
    expect(seen[0]?.map(({ priority, after }) => [priority, after])).toEqual([
      [0, []],
      [0, []],
      [2, []],
      [0, [1]],
    ])
    expect(seen[0]?.[1]?.cost).toBe(3)
  })

  test('costs are learned by name, and statistics told by name', async () => {
    const fresh = await createTaskExecutor(new URL('../support/workflowModule.mjs', import.meta.url), { workers: 2 })
    try {
      expect(fresh.costs.size).toBe(0)
      const calls: TaskCall[] = [{ task: 'hold', input: 20 }, { task: 'hold', input: 20 }, step(1), step(2)]
      const { statistics, results } = await fresh.run(calls, { speculation: 'always' })
      expect([...statistics.keys()].sort()).toEqual(['hold', 'step'])
      expect(statistics.get('hold')).toMatchObject({ calls: 2, failed: 0, executions: 2 })
      expect(statistics.get('hold')?.meanMs).toBeGreaterThanOrEqual(15)
      expect(results[0]?.ms).toBeGreaterThanOrEqual(15)
      expect(fresh.costs.get('hold')).toBe(statistics.get('hold')?.meanMs)
      let told = 0
      await fresh.run([{ task: 'hold', input: 0 }], {
        policy: (tasks) => {
          told = tasks[0]?.cost ?? 0
          return [0]
        },
      })
      expect(told).toBe(statistics.get('hold')?.meanMs)
    } finally {
      await fresh.close()
    }
  })
})

describe('differences', () => {
  test('a key is told once, also where speculation gave way', async () => {
    let fallbacks = 0
    for (let repeat = 0; repeat < 5; repeat++) {
      // Slow at first, so that others are far ahead when speculation gives way, and what they wrote is withdrawn.
      const calls: TaskCall[] = Array.from({ length: 700 }, (_, index) => ({
        task: 'link',
        input: { index, ms: index < 40 ? 0.5 : 0, own: 50 },
      }))
      const { stateDiff, run } = await executor.run(calls)
      fallbacks += run.fallbacks
      const keys = ['hot', ...Array.from({ length: 50 }, (_, k) => `own${k}`)]
      expect(stateDiff.entries.map(({ key }) => key)).toEqual(keys.sort())
    }
    expect(fallbacks).toBeGreaterThan(0)
  })
})

describe('failures', () => {
  test('failures: stop ends the run with the error, task, index and stack of the first in order', async () => {
    const calls: TaskCall[] = [
      ...Array.from({ length: 20 }, (): TaskCall => ({ task: 'increment', input: 'n' })),
      { task: 'demand', input: 'never' },
      { task: 'demand', input: 'neither' },
    ]
    for (const options of [{ speculation: 'always' as const }, { sequential: true }]) {
      const error = await executor.run(calls, { ...options, failures: 'stop' }).catch((e: unknown) => e)
      expect(error).toMatchObject({
        code: 'TASK_FAILED',
        fields: { taskIndex: 20, task: 'demand', name: 'RangeError' },
      })
      expect((error as Error).cause).toMatchObject({ name: 'RangeError', message: 'never is missing' })
      expect(((error as Error).cause as Error).stack).toContain('taskModule.mjs')
      expect((await executor.run(calls)).results[20]).toMatchObject({ status: 'failed' })
    }
    await expect(executor.run([], { failures: 'ignore' as never })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })

  test('in a graph the index is the one of the call', async () => {
    const calls: TaskCall[] = [{ task: 'demand', input: 'x', after: [2] }, step(1), { task: 'increment', input: 'n' }]
    const run = executor.run([calls[0] as TaskCall, calls[2] as TaskCall, calls[2] as TaskCall], {
      order: 'graph',
      failures: 'stop',
    })
    await expect(run).rejects.toMatchObject({ fields: { taskIndex: 0, task: 'demand' } })
  })

  test.each([
    ['remember', undefined],
    ['writeTime', 'k'],
  ])('checkDeterminism finds %s out', async (task, input) => {
    const calls: TaskCall[] = [
      { task: 'increment', input: 'n' },
      { task, input },
    ]
    const run = executor.run(calls, { checkDeterminism: true })
    await expect(run).rejects.toMatchObject({ code: 'NOT_DETERMINISTIC', fields: { taskIndex: 1, task } })
    const { results } = await executor.run([calls[0] as TaskCall, calls[0] as TaskCall], { checkDeterminism: true })
    expect(valuesOf(results)).toEqual([0, 1])
  })
})
