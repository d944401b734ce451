/** What the simulator makes of what a record shows besides times: whose values hold, which places are left, many runs. */
import { describe, expect, test } from 'vitest'
import type { RunRecord } from '../../src/records/runRecord.ts'
import { createSimulator, simulate } from '../../src/records/simulate.ts'
import { FREE, type Made, madeRun } from '../support/runRecords.ts'

const ALWAYS = { workers: 2, speculation: 'always', overheads: FREE } as const

/** Each place takes what the one before gave, and gives to the next: by another location each time, or by the same. */
const passing = (count: number, locationOf: (place: number) => number): Made[] =>
  Array.from({ length: count }, (_, k) => ({
    cost: 50,
    reads: k === 0 ? [] : [[locationOf(k), k] as const],
    writes: [locationOf(k + 1)],
  }))

const ofTasks = (record: RunRecord): RunRecord => ({ ...record, run: { ...record.run, kind: 'tasks' } })

describe('simulate', () => {
  test('a value that was written too early holds, but where it is made of the same location', () => {
    const places = 40
    const handed = simulate(madeRun(passing(places, (place) => place % 16)), ALWAYS)
    const counted = simulate(madeRun(passing(places, () => 0)), ALWAYS)
    // One place of each pair ran beside the one that it needs; what it wrote itself was right all the same.
    expect(handed.aborts).toBeGreaterThan(0)
    expect(handed.aborts).toBeLessThanOrEqual(places / 2)
    // A counter is watched after the first abort, and its readers wait.
    expect(counted.waits).toBeGreaterThan(handed.waits)
    expect(counted.aborts).toBeLessThan(handed.aborts)
  })

  test('short tasks that declare nothing are left to the committer in part, and then nothing is added to them', () => {
    const made = Array.from({ length: 400 }, () => ({ cost: 2 }))
    const record = madeRun(made, undefined, 'sequential')
    const overheads = { ...FREE, slower: 4, commit: 1 }
    const options = { workers: 2, speculation: 'auto', overheads } as const
    const tasks = simulate(ofTasks(record), options)
    const block = simulate(record, options)
    expect(tasks.executions).toBe(400)
    expect(tasks.makespan).toBeLessThan(block.makespan)
    // In speculation alone there is none.
    const always = { ...options, speculation: 'always' } as const
    expect(simulate(ofTasks(record), always).makespan).toBe(simulate(record, always).makespan)
  })

  test('of several runs each place costs the median, and one that was disturbed changes nothing', () => {
    const runs = [
      [10, 20],
      [12, 22],
      [900, 21],
    ].map((costs) => madeRun(costs.map((cost) => ({ cost }))))
    expect([...createSimulator(runs).graph.cost]).toEqual([12, 21])
    const torn = { ...madeRun([{ cost: 5 }]), run: { ...(runs[0] as RunRecord).run, duration: undefined } }
    expect([...createSimulator([...runs, torn]).graph.cost]).toEqual([12, 21])
    expect(() => createSimulator([])).toThrowError(/records is not one recorded run at least/)
  })

  test('what recording and multi-version memory added is taken off, and given back to places in speculation', () => {
    const made = [{ cost: 100, reads: [] }]
    const alone = createSimulator(madeRun(made, undefined, 'sequential'))
    const { recorded, recordedAlone, slower } = alone.overheads
    expect(alone.cost[0]).toBeCloseTo(100 - recordedAlone)
    expect(createSimulator(madeRun(made)).cost[0]).toBeCloseTo(100 - recorded - slower)
  })
})
