/** The simulator against what any schedule must obey, on generated runs. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { criticalPath } from '../../src/records/criticalPath.ts'
import { createSimulator, POLICIES, simulate } from '../../src/records/simulate.ts'
import { FREE, type Made, madePlaces, madeRun } from '../support/runRecords.ts'

const workers = fc.constantFrom(1, 2, 3, 4, 7, 16, 64, 1024)
const speculation = fc.constantFrom('auto' as const, 'always' as const)
const some = { numRuns: 200 }
/** Sums of floating point numbers in another order. */
const CLOSE = 1e-6

describe('simulate', () => {
  test('one worker takes the sum of all costs and overheads', () => {
    fc.assert(
      fc.property(madePlaces(), (made) => {
        const record = madeRun(made, undefined, 'sequential')
        const sum = made.reduce((total, { cost }) => total + cost, 0)
        const plain = simulate(record, { workers: 1, policy: 'sequential', overheads: FREE })
        expect(plain.makespan).toBeCloseTo(sum)
        const overheads = { ...FREE, wake: 5, sequential: 2, finish: 7 }
        const more = simulate(record, { workers: 1, policy: 'sequential', overheads })
        expect(more.makespan).toBeCloseTo(sum + 5 + 2 * made.length + 7)
        const always = { ...FREE, speculative: 3, slower: 1, commit: 2 }
        const alone = simulate(record, { workers: 1, speculation: 'always', overheads: always })
        // In order nothing is read too early. The last place's publishing is over when its commit is.
        expect(alone.aborts).toBe(0)
        expect(alone.makespan).toBeCloseTo(sum + 6 * made.length)
      }),
      some,
    )
  })

  test('no policy beats the oracle, and none is slower than to run every place twice in turn', () => {
    fc.assert(
      fc.property(madePlaces(), workers, speculation, (made, count, mode) => {
        const simulator = createSimulator(madeRun(made))
        const overheads = FREE
        const sum = simulator.graph.work
        const oracle = simulator.run({ workers: count, policy: 'oracle', overheads }).makespan
        for (const policy of POLICIES) {
          const told = simulator.run({ workers: count, policy, speculation: mode, overheads })
          expect(told.makespan, policy).toBeGreaterThanOrEqual(oracle - CLOSE)
          expect(told.makespan, policy).toBeLessThanOrEqual(3 * sum + CLOSE)
          expect(told.executions, policy).toBeGreaterThanOrEqual(made.length)
          expect(told.aborts, policy).toBeLessThanOrEqual(made.length)
          expect(told.utilisation, policy).toBeGreaterThanOrEqual(0)
          expect(told.utilisation, policy).toBeLessThanOrEqual(1)
        }
      }),
      some,
    )
  })

  test('the oracle never loses by more workers and ends at the critical path', () => {
    fc.assert(
      fc.property(madePlaces(), (made) => {
        const simulator = createSimulator(madeRun(made))
        const times = [1, 2, 4, 16, 64, 1024].map(
          (count) => simulator.run({ workers: count, policy: 'oracle' }).makespan,
        )
        for (let k = 1; k < times.length; k++) expect(times[k]).toBeLessThanOrEqual(times[k - 1] + CLOSE)
        const path = criticalPath({ ...simulator.graph, cost: simulator.cost })
        expect(times.at(-1)).toBeCloseTo(Math.max(path.length, simulator.graph.work / 1024), 0)
      }),
      some,
    )
  })

  test('without conflicts Block-STM is the list schedule in preset order', () => {
    // Long places are claimed one at a time, as a list schedule gives them out.
    const long = fc.array(fc.integer({ min: 100, max: 400 }), { maxLength: 80 })
    fc.assert(
      fc.property(long, workers, (costs, count) => {
        const record = madeRun(costs.map((cost) => ({ cost })))
        // Without overheads, and nothing taken off for recording.
        const cost = costs
        const free = Array.from({ length: count }, () => 0)
        let makespan = 0
        for (const each of cost) {
          const w = free.indexOf(Math.min(...free))
          free[w] += each
          makespan = Math.max(makespan, free[w])
        }
        const options = { workers: count, speculation: 'always', overheads: FREE } as const
        expect(simulate(record, options).makespan).toBeCloseTo(makespan)
        expect(simulate(record, { ...options, policy: 'access-list' }).makespan).toBeCloseTo(makespan)
        expect(simulate(record, options).aborts).toBe(0)
      }),
      { numRuns: 50 },
    )
  })

  test('the same record and options give the same answer', () => {
    fc.assert(
      fc.property(madePlaces(), workers, fc.constantFrom(...POLICIES), (made, count, policy) => {
        const once = simulate(madeRun(made), { workers: count, policy })
        expect(simulate(madeRun(made), { workers: count, policy })).toEqual(once)
      }),
      some,
    )
  })

  test('a graph that declares all dependencies throws nothing away; one that declares none may', () => {
    fc.assert(
      fc.property(madePlaces(), workers, (made, count) => {
        const declared = made.map((one) => ({ ...one, after: (one.reads ?? []).map(([, on]) => on) }))
        const options = { workers: count, policy: 'graph', overheads: FREE } as const
        const whole = simulate(madeRun(declared), options)
        expect(whole.aborts).toBe(0)
        expect(whole.makespan).toBeCloseTo(simulate(madeRun(made), { ...options, policy: 'access-list' }).makespan)
      }),
      some,
    )
  })

  test('a chain at 1,024 workers ends, and is no faster than its critical path', () => {
    const chain: Made[] = Array.from({ length: 10_000 }, (_, k) => ({
      cost: 5 + (k % 7),
      writes: [0],
      reads: k === 0 ? [] : [[0, k] as const],
    }))
    const record = madeRun(chain)
    for (const mode of ['auto', 'always'] as const) {
      const simulator = createSimulator(record)
      const told = simulator.run({ workers: 1024, speculation: mode, overheads: FREE })
      expect(told.makespan).toBeGreaterThan(simulator.run({ workers: 1024, policy: 'oracle' }).makespan)
      expect(told.waits + told.aborts + told.fallback).toBeGreaterThan(0)
    }
  })
})
