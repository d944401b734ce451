/** Recorded runs as trace events, read by a strict check of the format. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { RunRecord } from '../../src/records/runRecord.ts'
import { traceEvents } from '../../src/records/traceEvents.ts'
import { madePlaces, madeRun } from '../support/runRecords.ts'
import { traceFormatErrors } from '../support/traceFormat.ts'

const text = (record: RunRecord): string => JSON.stringify(traceEvents(record))

/** Two workers; transaction 1 waits for transaction 0, transaction 2 is thrown away and executed again. */
function waitingRun(): RunRecord {
  const record = madeRun([
    { cost: 10, writes: [0] },
    { cost: 20, reads: [[0, 1]] },
    { cost: 5, reads: [[0, 1]], aborted: { location: 0, by: 1 } },
  ])
  const executions = record.executions.map((execution, k) => ({
    ...execution,
    worker: k === 1 ? 1 : 0,
    ...(k === 1 && { start: 2, end: 30, waits: [{ location: 0, on: 1, start: 4, end: 12 }] }),
  }))
  return { ...record, executions }
}

test('trace events: an incarnation is a slice on its worker, a wait a slice inside', () => {
  const { traceEvents: events } = traceEvents(waitingRun())
  const slices = events.filter((event) => event.ph === 'X').map(({ name, tid, ts, dur }) => [name, tid, ts, dur])
  expect(slices).toEqual([
    ['transaction 0', 1, 0, 10],
    ['transaction 1', 2, 2, 28],
    ['wait for transaction 0', 2, 4, 8],
    ['transaction 2', 1, 32, 5],
    ['transaction 2', 1, 38, 5],
  ])
  expect(traceFormatErrors(text(waitingRun()))).toEqual([])
})

test('trace events: arrows run from who was waited for, and from what was thrown away to what replaced it', () => {
  const { traceEvents: events } = traceEvents(waitingRun())
  const ends = events.flatMap((event) => (event.ph === 's' || event.ph === 'f' ? [event] : []))
  expect(ends.map(({ ph, name, tid, ts }) => [ph, name, tid, ts])).toEqual([
    ['s', 'wait', 1, 0],
    ['f', 'wait', 2, 4],
    ['s', 'abort', 1, 32],
    ['f', 'abort', 1, 38],
  ])
})

test('trace events: counters count every commit and every incarnation thrown away', () => {
  const { traceEvents: events } = traceEvents(waitingRun())
  const counters = events.flatMap((event) => (event.ph === 'C' ? [event] : []))
  expect(counters.filter(({ name }) => name === 'committed').at(-1)?.args).toEqual({ places: 3 })
  expect(counters.filter(({ name }) => name === 'thrown away').at(-1)?.args).toEqual({ incarnations: 1 })
})

test('trace events: every generated run follows the format', () => {
  fc.assert(
    fc.property(madePlaces(), (made) => {
      expect(traceFormatErrors(text(madeRun(made)))).toEqual([])
    }),
    { numRuns: 50 },
  )
})

test('trace events: the check sees what a viewer would drop', () => {
  const file = traceEvents(waitingRun())
  const broken = (matches: Readonly<Record<string, unknown>>, change: Readonly<Record<string, unknown>>): string[] => {
    const copy = structuredClone(file) as unknown as { traceEvents: Record<string, unknown>[] }
    for (const event of copy.traceEvents) {
      if (Object.entries(matches).every(([name, value]) => event[name] === value)) Object.assign(event, change)
    }
    return traceFormatErrors(JSON.stringify(copy))
  }
  expect(broken({}, {})).toEqual([])
  for (const [matches, change] of [
    [{ ph: 'X' }, { dur: undefined }],
    [{ name: 'transaction 1' }, { dur: 5 }],
    [{ ph: 'f' }, { ts: 1_000 }],
    [{ ph: 'f' }, { id: 77 }],
    [{ ph: 'C' }, { args: {} }],
    [{ name: 'thread_name' }, { name: 'thread' }],
  ] as const) {
    expect(broken(matches, change)).not.toEqual([])
  }
})
