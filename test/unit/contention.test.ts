/** Simulations calibrated on the run itself, runs of both paths together, and times of places that hide commits. */
import { describe, expect, test } from 'vitest'
import { contended, fitContention } from '../../src/records/contention.ts'
import { directTimes } from '../../src/records/direct.ts'
import { finalExecutions } from '../../src/records/graph.ts'
import { DEFAULT_OVERHEADS } from '../../src/records/overheads.ts'
import type { ExecutionRecord, RunRecord } from '../../src/records/runRecord.ts'
import { createSimulator, simulate } from '../../src/records/simulate.ts'
import { FREE, type Made, madeRun } from '../support/runRecords.ts'

const ALWAYS = { workers: 2, speculation: 'always' } as const
const places = (count: number, cost: number): Made[] => Array.from({ length: count }, () => ({ cost }))

/** The run as if two workers had taken turns in it, and all had taken so many microseconds. */
function onTwo(record: RunRecord, duration: number): RunRecord {
  const ends = [0, 0]
  const executions = record.executions.map((execution, index) => {
    const worker = index % 2
    const start = ends[worker]
    ends[worker] += execution.end - execution.start
    return { ...execution, worker, start, end: ends[worker] }
  })
  return { ...record, run: { ...record.run, workers: 2, duration }, executions }
}

/** What a simulation takes when recording is put back. */
const RECORDED = { recorded: 0, recordedAlone: 0, recordedRead: 0 }

describe('contention', () => {
  test.each([1.1, 1.5, 2, 3])(
    'a run that took %f times what two workers explain is predicted to take that',
    (times) => {
      const made = madeRun(places(200, 20))
      // Two workers share 4 ms.
      const duration = 2100 * times
      const simulator = createSimulator(onTwo(made, duration))
      const { makespan } = simulator.run({ ...ALWAYS, overheads: RECORDED })
      expect(makespan / duration).toBeGreaterThan(0.99)
      expect(makespan / duration).toBeLessThan(1.01)
      expect(simulator.overheads.contention).toBeGreaterThan(0)
    },
  )

  test('other numbers of workers are slower by it too, one worker is not', () => {
    const made = madeRun(places(400, 20))
    const calm = createSimulator(onTwo(made, 4000))
    const crowded = createSimulator(onTwo(made, 8000))
    const at = (simulator: typeof calm, workers: number) => simulator.run({ ...ALWAYS, workers }).makespan
    expect(at(crowded, 4)).toBeGreaterThan(1.4 * at(calm, 4))
    const alone = { workers: 1, speculation: 'auto', overheads: { wake: 0, finish: 0 } } as const
    expect(crowded.run(alone).makespan).toBe(calm.run(alone).makespan)
  })

  test('nothing is fitted where the model explains too much, on one worker, or where the end is missing', () => {
    const made = madeRun(places(100, 20))
    const contentionOf = (record: RunRecord) => createSimulator(record).overheads.contention
    expect(contentionOf(onTwo(made, 500))).toBe(0)
    expect(contentionOf(made)).toBe(DEFAULT_OVERHEADS.contention)
    const torn = onTwo(made, 5000)
    expect(contentionOf({ ...torn, run: { ...torn.run, duration: undefined } })).toBe(DEFAULT_OVERHEADS.contention)
    const sequential = madeRun(places(100, 20), undefined, 'sequential')
    expect(contentionOf({ ...sequential, run: { ...sequential.run, workers: 2, duration: 9000 } })).toBe(
      DEFAULT_OVERHEADS.contention,
    )
  })

  test('what the caller says replaces what was fitted, and has to be a number from 0', () => {
    const record = onTwo(madeRun(places(100, 20)), 3000)
    const free = { ...ALWAYS, overheads: FREE }
    expect(simulate(record, free).makespan).toBeLessThan(1100)
    const twice = simulate(record, { ...ALWAYS, overheads: { ...FREE, contention: 1 } }).makespan
    expect(twice).toBeCloseTo(2 * simulate(record, free).makespan, 0)
    for (const contention of [-0.1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => simulate(record, { ...ALWAYS, overheads: { contention } })).toThrowError(
        /overheads.contention is not/,
      )
    }
  })

  test('the same records give the same contention', () => {
    const record = onTwo(madeRun(places(300, 7)), 1999)
    expect(createSimulator(record).overheads).toEqual(createSimulator(structuredClone(record)).overheads)
  })

  test('a function with a step is fitted as near as it comes, and one that never reaches the time ends', () => {
    const stepped = (contention: number) => (contention < 0.3 ? 100 : 200)
    expect(Math.abs(stepped(fitContention(120, stepped)) - 120)).toBe(20)
    expect(Math.abs(stepped(fitContention(190, stepped)) - 190)).toBe(10)
    let tries = 0
    const flat = () => {
      tries++
      return 100
    }
    expect(fitContention(1000, flat)).toBe(0)
    expect(tries).toBeLessThan(10)
    expect(fitContention(1000, (contention) => 100 + contention)).toBe(3)
    expect(fitContention(100, flat)).toBe(0)
  })

  test('load on one worker is left as it is', () => {
    const load = {
      overheads: { ...DEFAULT_OVERHEADS, contention: 0.5, speculative: 2 },
      work: Float64Array.of(10),
      commits: Float64Array.of(4),
    }
    expect(contended(load, 1)).toBe(load)
    const more = contended(load, 2)
    expect([more.work[0], more.commits[0], more.overheads.speculative]).toEqual([15, 6, 3])
    expect(more.overheads.wake).toBe(load.overheads.wake)
  })
})

describe('runs of both paths', () => {
  const alone = { ...madeRun(places(100, 20), undefined, 'sequential') }
  const parallel = onTwo(madeRun(places(100, 31)), 2400)

  test('one worker is predicted from the sequential ones, more from those in speculation', () => {
    const both = createSimulator([alone, parallel])
    const one = { workers: 1, speculation: 'auto' } as const
    expect(both.run(one).makespan).toBe(simulate(alone, one).makespan)
    expect(both.run({ ...one, policy: 'sequential' }).makespan).toBe(simulate(alone, one).makespan)
    expect(both.run({ ...ALWAYS, overheads: RECORDED }).makespan / 2400).toBeCloseTo(1, 1)
    expect(both.overheads.contention).toBe(createSimulator(parallel).overheads.contention)
    // Told is speed-up over the path that was recorded, not over what speculation guesses of it.
    const told = both.run({ ...ALWAYS })
    expect(told.speedup).toBeCloseTo(simulate(alone, one).makespan / told.makespan)
  })

  test('their order does not matter, and of runs in speculation those of most workers count', () => {
    const more: RunRecord = { ...parallel, run: { ...parallel.run, workers: 4, duration: 1700 } }
    const told = createSimulator([more, parallel, alone]).run({ ...ALWAYS, workers: 4 })
    expect(createSimulator([alone, parallel, more]).run({ ...ALWAYS, workers: 4 })).toEqual(told)
    expect(createSimulator([alone, more]).run({ ...ALWAYS, workers: 4 })).toEqual(told)
  })

  test('runs of other work are refused', () => {
    expect(() => createSimulator([alone, onTwo(madeRun(places(99, 31)), 2400)])).toThrowError(
      /records is not runs of the same work: 100 block and 99 block/,
    )
    const tasks: RunRecord = { ...parallel, run: { ...parallel.run, kind: 'tasks' } }
    expect(() => createSimulator([alone, tasks])).toThrowError(/100 block and 100 tasks/)
    expect(() => createSimulator([])).toThrowError(/records is not one recorded run at least/)
  })
})

describe('directTimes', () => {
  /** Every other place was run by the commit stage and has the commits of its neighbours in its time. */
  function mixed(count: number, more: number): RunRecord {
    const record = madeRun(places(count, 4))
    const isDirect = (place: number): boolean => place % 2 === 0
    return {
      ...record,
      executions: record.executions.map((execution): ExecutionRecord => {
        const { place, end } = execution
        if (!isDirect(place)) return { ...execution, isShared: true }
        return { ...execution, isShared: true, mode: 'committing', end: end + more }
      }),
      places: record.places.map(
        (place) => place && { ...place, committed: isDirect(place.place) ? ('direct' as const) : place.committed },
      ),
    }
  }

  test('what direct places took longer than others of their kind is what commits took', () => {
    const record = mixed(40, 1.5)
    const { within, commit } = directTimes(record, finalExecutions(record))
    expect(within.size).toBe(20)
    expect(within.get(2)).toBeCloseTo(1.5)
    expect(commit).toBeCloseTo(1.5)
    const { graph, overheads } = createSimulator(record)
    expect([...graph.cost].every((cost) => Math.abs(cost - 4) < 1e-6)).toBe(true)
    expect(overheads.commit).toBeCloseTo(1.5)
    expect(overheads.commitRead).toBe(0)
  })

  test('one that another program held up for a millisecond counts little', () => {
    const record = mixed(400, 1.5)
    const executions = record.executions.map((one) => (one.place === 2 ? { ...one, end: one.end + 1000 } : one))
    const held = { ...record, executions }
    expect(directTimes(held, finalExecutions(held)).commit).toBeLessThan(1.7)
  })

  test('few places, and faster ones, tell nothing', () => {
    const few = mixed(14, 1.5)
    expect(directTimes(few, finalExecutions(few)).commit).toBeUndefined()
    const faster = mixed(40, -1)
    expect(directTimes(faster, finalExecutions(faster)).within.get(2)).toBe(0)
  })
})
