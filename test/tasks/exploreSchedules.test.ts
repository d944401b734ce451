/** `exploreSchedules`: sound code passes under every schedule, planted bugs are found, and what is found runs again. */
import { describe, expect, test } from 'vitest'
import { makeWorkload } from '../../src/cli/workloads.ts'
import { chainAtFork, createExecutor, createMemoryState } from '../../src/index.ts'
import {
  type ExploreOptions,
  exploreSchedules,
  type ScheduleReport,
  type Subject,
  type TaskSubject,
} from '../../src/testing.ts'
import { programsOf } from '../faults/world.ts'
import { callsOf } from '../support/program.ts'
import { MODULE } from '../support/sampleTrace.ts'

const SEED = 7
const few = { seed: SEED, schedules: 40 }
const module = (body: string): string => `data:text/javascript,${encodeURIComponent(body)}`
const numbers = (count: number) => Array.from({ length: count }, (_, k) => Uint8Array.of(k))

/** Adds a number to a sum, and answers with the sum before. `body` is between read and write. */
const summing = (body: string, state = ''): string =>
  module(`${state}
    export function createAdapter(_options, host) {
      return {
        kind: 'sync',
        execute({ input, index, incarnation }, memory) {
          const seen = memory.get('sum')
          if (seen === host.BLOCKED) return host.blocked()
          let sum = seen === undefined ? 0 : seen[0]
          ${body}
          memory.set('sum', Uint8Array.of((sum + input[0]) & 255))
          return host.done(Uint8Array.of(sum))
        },
      }
    }`)

async function expectFound(subject: Subject, options: ExploreOptions = few): Promise<ScheduleReport> {
  const report = await exploreSchedules(subject, options)
  expect(report).toMatchObject({ ok: false, difference: { replays: true } })
  return report
}

describe('what is right', () => {
  const calls = callsOf(programsOf(SEED, 10))
  const awaiting = new URL('../support/asyncTaskModule.mjs', import.meta.url)

  test.each<[string, TaskSubject, ExploreOptions]>([
    ['tasks', { tasks: MODULE, calls }, {}],
    ['tasks whose speculation may give way', { tasks: MODULE, calls }, { speculation: 'auto' }],
    ['tasks on four threads', { tasks: MODULE, calls }, { workers: 4 }],
    ['tasks that await', { tasks: awaiting, calls, asynchronous: true }, { workers: 3 }],
  ])('%s pass', async (_, subject, options) => {
    const report = await exploreSchedules(subject, { ...few, ...options })
    expect(report).toMatchObject({ ok: true, schedules: 40, seed: SEED, cut: 0 })
    if (options.speculation !== 'auto') expect(report.aborts).toBeGreaterThan(0)
  })

  test('an adapter passes, with what its state holds', async () => {
    const subject = { adapter: summing(''), inputs: numbers(8), entries: { sum: Uint8Array.of(100) } }
    expect(await exploreSchedules(subject, few)).toMatchObject({ ok: true, schedules: 40, cut: 0 })
  })

  test('a block passes', async () => {
    const file = makeWorkload('erc20-hot', 12)
    const run = {
      state: createMemoryState({ maxBytes: 64 * 2 ** 20 }).load(file),
      chain: chainAtFork(file.fork),
      senders: 'trust',
      only: 'transactions',
    } as const
    const report = await exploreSchedules({ executor: createExecutor, block: file.block, run }, few)
    expect(report).toMatchObject({ ok: true, schedules: 40, cut: 0 })
    expect(report.aborts).toBeGreaterThan(0)
  })

  test('so does what fails, in the same way each time', async () => {
    const calls = [{ task: 'put', input: ['k', 'v'] }, { task: 'demand', input: 'k' }, { task: 'nobody' }]
    expect(await exploreSchedules({ tasks: MODULE, calls }, few)).toMatchObject({ ok: true, schedules: 40 })
  })

  test('the same seed makes the same schedules', async () => {
    const subject = { tasks: MODULE, calls: callsOf(programsOf(SEED, 12)) }
    const report = await exploreSchedules(subject, few)
    expect(await exploreSchedules(subject, few)).toEqual(report)
    expect(await exploreSchedules(subject, { ...few, seed: SEED + 1000 })).not.toEqual(report)
  })
})

describe('planted bugs', () => {
  test.each([
    ['an answer that depends on the incarnation', summing('sum += incarnation')],
    ['a value kept outside of the state', summing('first ??= sum; sum = first', 'let first')],
    ['a count of executions', summing('sum += count++', 'let count = 0')],
  ])('%s is found, and its schedule replays', async (_, adapter) => {
    const subject = { adapter, inputs: numbers(6) }
    const { difference } = await expectFound(subject, { seed: SEED, schedules: 500 })
    const schedule = JSON.parse(JSON.stringify(difference?.schedule))
    for (let repeat = 0; repeat < 3; repeat++) {
      const again = await exploreSchedules(subject, { schedule })
      expect(again).toMatchObject({ ok: false, schedules: 1, cut: 0, difference: { where: difference?.where } })
    }
    // The schedule finds nothing in the adapter without the bug, whose reads it may not fit.
    const mended = { adapter: summing(''), inputs: numbers(6) }
    expect(await exploreSchedules(mended, { schedule })).toMatchObject({ ok: true, schedules: 1 })
  })

  test('a difference that needs what earlier runs left in a thread says so', async () => {
    const adapter = summing('if (++runs > 40) sum++', 'let runs = 0')
    const report = await exploreSchedules({ adapter, inputs: numbers(4) }, few)
    expect(report).toMatchObject({ ok: false, difference: { replays: false } })
    expect(report.schedules).toBeGreaterThan(1)
  })
})

describe('options', () => {
  const subject = { tasks: MODULE, calls: callsOf(programsOf(SEED, 4)) }

  test.each([[{ workers: 1 }], [{ workers: 5 }], [{ schedules: 0 }], [{ preemptions: 13 }], [{ seed: -1 }]])(
    '%o are refused',
    async (options) => {
      await expect(exploreSchedules(subject, options)).rejects.toMatchObject({
        code: 'INVALID_OPTION',
        fields: { option: Object.keys(options)[0] },
      })
    },
  )

  test('what is no subject is refused', async () => {
    await expect(exploreSchedules({} as never, few)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })

  test('a list too long to be scheduled to its end runs on freely, and says so', async () => {
    const calls = Array.from({ length: 20_000 }, (_, k) => ({ task: 'increment', input: `k${k % 50}` }))
    expect(await exploreSchedules({ tasks: MODULE, calls }, { seed: SEED, schedules: 1 })).toMatchObject({
      ok: true,
      cut: 1,
    })
  })
})
