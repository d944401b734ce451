/** What the simulator makes of what a record shows besides times: whose values hold, which places are left, many runs. */
import { describe, expect, test } from 'vitest'
import type { RunRecord } from '../../src/records/runRecord.ts'
import { createSimulator, simulate } from '../../src/records/simulate.ts'
import { FREE, type Made, madeRun, slots } from '../support/runRecords.ts'

const ALWAYS = { workers: 2, speculation: 'always', overheads: FREE } as const

/** Each place takes what the one before gave, and gives to the next: by another location each time, or by the same. */
const passing = (count: number, locationOf: (place: number) => number): Made[] =>
  Array.from({ length: count }, (_, k) => ({
    cost: 50,
    reads: k === 0 ? [] : [[locationOf(k), k] as const],
    writes: [locationOf(k + 1)],
  }))

/** A run of which the engine knows more before it begins. */
const knownAs = (record: RunRecord, known: Partial<RunRecord['run']>): RunRecord => ({
  ...record,
  run: { ...record.run, ...known },
})

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

  test('short places are left to the committer in part where the engine reserves, and then need no validation', () => {
    const made = Array.from({ length: 400 }, () => ({ cost: 2 }))
    const record = madeRun(made, undefined, 'sequential')
    const overheads = { ...FREE, speculative: 1, commit: 1 }
    const options = { workers: 2, speculation: 'auto', overheads } as const
    const reserving = simulate(knownAs(record, { reserves: true }), options)
    const block = simulate(record, options)
    expect(reserving.executions).toBe(400)
    expect(reserving.makespan).toBeLessThan(block.makespan)
    // In speculation alone there is none.
    const always = { ...options, speculation: 'always' } as const
    expect(simulate(knownAs(record, { reserves: true }), always).makespan).toBe(simulate(record, always).makespan)
  })

  test('a light run begins on one worker, which calls the others where enough is left', () => {
    const of = (places: number, cost: number) =>
      knownAs(
        madeRun(
          Array.from({ length: places }, () => ({ cost })),
          undefined,
          'sequential',
        ),
        { light: true },
      )
    const options = { workers: 2, speculation: 'auto', overheads: { ...FREE, wakeNext: 40 } } as const
    // 480 us in all: nobody is called, and the run is the sequential one.
    const short = of(48, 10)
    expect(simulate(short, options).makespan).toBe(simulate(short, { ...options, policy: 'sequential' }).makespan)
    // 2 ms: after the first look at 100 us, which a tenth passes, two share what is left.
    const long = simulate(of(200, 10), options)
    expect(long.makespan).toBeGreaterThan(1000)
    expect(long.makespan).toBeLessThan(1300)
    expect(long.executions).toBe(200)
    // Without speculation giving way nobody begins alone.
    const always = { ...options, speculation: 'always' } as const
    expect(simulate(short, always).makespan).toBeLessThan(simulate(short, options).makespan)
  })

  test('a run of queues stays on one worker where its places are too short for speculation', () => {
    const of = (cost: number) => {
      const places = Array.from({ length: 1000 }, () => ({ cost }))
      return knownAs(madeRun(places, undefined, 'sequential'), { queues: true })
    }
    const options = { workers: 2, speculation: 'auto', overheads: { ...FREE, wakeNext: 40 } } as const
    const alone = { ...options, policy: 'sequential' } as const
    expect(simulate(of(9), options).makespan).toBe(simulate(of(9), alone).makespan)
    expect(simulate(of(12), options).makespan).toBeLessThan(0.7 * simulate(of(12), alone).makespan)
  })

  test('calls of one contract in a row are claimed together, so that the second sees what the first wrote', () => {
    const pairs = (contractOf: (k: number) => number) =>
      madeRun(
        Array.from({ length: 40 }, (_, k) => ({
          cost: 100,
          to: `0x${String(contractOf(k)).padStart(40, '0')}`,
          reads: k % 2 === 1 ? [[k >> 1, k] as const] : [],
          writes: k % 2 === 0 ? [k >> 1] : [],
        })),
        slots(20),
      )
    const options = { ...ALWAYS, overheads: FREE }
    expect(
      simulate(
        pairs((k) => k),
        options,
      ).aborts,
    ).toBeGreaterThan(0)
    expect(
      simulate(
        pairs((k) => k >> 1),
        options,
      ).aborts,
    ).toBe(0)
  })

  test('claims get smaller towards the end, so that two workers end together', () => {
    const record = madeRun(
      Array.from({ length: 24 * 9 }, () => ({ cost: 2 })),
      undefined,
      'sequential',
    )
    const { makespan } = simulate(record, { ...ALWAYS, overheads: { ...FREE, wakeNext: 0 } })
    expect(makespan).toBeLessThanOrEqual(24 * 9 + 4)
  })

  test('of several runs each place costs the median, all together the median of all, whatever disturbed one', () => {
    const runs = [
      [10, 20],
      [12, 22],
      [900, 21],
    ].map((costs) => madeRun(costs.map((cost) => ({ cost }))))
    // Medians are 12 and 21; the runs took 30, 34 and 921.
    const costs = [(12 * 34) / 33, (21 * 34) / 33]
    const close = (cost: Float64Array) =>
      expect([...cost].map((one) => one.toFixed(9))).toEqual(costs.map((one) => one.toFixed(9)))
    close(createSimulator(runs).graph.cost)
    const torn = { ...madeRun([{ cost: 5 }]), run: { ...(runs[0] as RunRecord).run, duration: undefined } }
    close(createSimulator([...runs, torn]).graph.cost)
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
