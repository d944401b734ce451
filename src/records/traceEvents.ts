/**
 * A recorded run as Chrome trace events, the JSON that ui.perfetto.dev and chrome://tracing open.
 *
 * One thread a worker; a slice an incarnation, its waits as slices inside; an arrow from the place that was waited for,
 * or whose write came too late, to the reader; counters of commits and of what is thrown away. Times are microseconds,
 * as the format has them.
 *
 * Source: Trace Event Format (Complete, Flow, Counter and Metadata Events), the document that
 * Perfetto's importer of JSON follows.
 */
import { placeName } from './explain.ts'
import { finalExecutions } from './graph.ts'
import type { LocationName } from './names.ts'
import type { ExecutionRecord, RunRecord } from './runRecord.ts'

/** Fields of every trace event. */
export interface TraceEventCommon {
  readonly name: string
  readonly pid: number
  readonly tid: number
}

/** Events of this module; `ph` is the format's name of the kind. */
export type TraceEvent =
  | (TraceEventCommon & {
      readonly ph: 'X'
      readonly cat: string
      readonly ts: number
      readonly dur: number
      readonly args: Readonly<Record<string, string | number>>
    })
  | (TraceEventCommon & { readonly ph: 's'; readonly cat: string; readonly ts: number; readonly id: number })
  | (TraceEventCommon & {
      readonly ph: 'f'
      readonly cat: string
      readonly ts: number
      readonly id: number
      readonly bp: 'e'
    })
  | (TraceEventCommon & { readonly ph: 'C'; readonly ts: number; readonly args: Readonly<Record<string, number>> })
  | (TraceEventCommon & { readonly ph: 'M'; readonly args: Readonly<Record<string, string | number>> })

/** The object form of the format. */
export interface TraceFile {
  readonly displayTimeUnit: 'ns'
  readonly otherData: Readonly<Record<string, string | number>>
  readonly traceEvents: readonly TraceEvent[]
}

const PID = 1

/**
 * Turns a recorded run into trace events.
 *
 * @param names - of locations (`nameLocations`); without them events tell their numbers
 * @returns an object for `JSON.stringify`, some three events an incarnation
 */
export function traceEvents(record: RunRecord, names: readonly LocationName[] = []): TraceFile {
  const { label, number, fork, workers, places, speculation } = record.run
  const nameOf = (location: number): string => names[location]?.name ?? `location ${location}`
  return {
    displayTimeUnit: 'ns',
    otherData: {
      ...(number !== undefined && { block: number }),
      ...(fork !== undefined && { fork }),
      ...{ label, places, workers, speculation },
    },
    traceEvents: [
      ...metadata(record),
      ...record.executions.flatMap((execution) => slices(record, execution, nameOf)),
      ...arrows(record),
      ...counters(record),
    ],
  }
}

/** Nanoseconds are the finest that the clock of a run is good for. */
const micros = (time: number): number => Math.round(time * 1000) / 1000

/** From start to end, so that slices that touch stay apart and nested ones inside after rounding. */
const span = (start: number, end: number): { readonly ts: number; readonly dur: number } => {
  const ts = micros(start)
  return { ts, dur: Math.max(0, micros(micros(end) - ts)) }
}

function metadata({ run, executions }: RunRecord): TraceEvent[] {
  const workers = [...new Set(executions.map(({ worker }) => worker))].sort((a, b) => a - b)
  const name = run.number === undefined ? run.label : `block ${run.number}`
  return [
    { ph: 'M', name: 'process_name', pid: PID, tid: 0, args: { name: `blockloom: ${name}` } },
    ...workers.flatMap((worker): TraceEvent[] => [
      { ph: 'M', name: 'thread_name', pid: PID, tid: worker + 1, args: { name: `worker ${worker}` } },
      { ph: 'M', name: 'thread_sort_index', pid: PID, tid: worker + 1, args: { sort_index: worker } },
    ]),
  ]
}

function slices(record: RunRecord, execution: ExecutionRecord, nameOf: (location: number) => string): TraceEvent[] {
  const { place, incarnation, worker, start, end, mode, outcome, reads, writes, waits, aborted } = execution
  const common = { pid: PID, tid: worker + 1 }
  const { to, selector, gasUsed } = record.places[place] ?? {}
  const result = aborted === undefined ? outcome : 'aborted'
  return [
    {
      ph: 'X',
      name: placeName(record, place),
      cat: `${mode},${result}`,
      ...common,
      ...span(start, end),
      args: {
        ...{ place, incarnation, mode, outcome: result, reads: reads.length, writes: writes.length },
        ...(to !== undefined && { to }),
        ...(selector !== undefined && { selector }),
        ...(gasUsed !== undefined && { gasUsed }),
        ...(aborted !== undefined && { 'aborted by': aborted.by, 'aborted over': nameOf(aborted.location) }),
      },
    },
    ...waits.map(
      (wait): TraceEvent => ({
        ...{ ph: 'X', name: `wait for ${placeName(record, wait.on)}`, cat: 'wait', ...common },
        ...span(wait.start, wait.end),
        args: { on: wait.on, over: nameOf(wait.location) },
      }),
    ),
  ]
}

/** Arrows end at the slice that encloses their time on their thread; a slice's own first moment is inside it. */
function arrows(record: RunRecord): TraceEvent[] {
  const final = finalExecutions(record)
  const firsts = new Map<number, ExecutionRecord>()
  for (const execution of record.executions) {
    if (!firsts.has(execution.place)) firsts.set(execution.place, execution)
  }
  const events: TraceEvent[] = []
  let id = 0
  const arrow = (kind: string, from: ExecutionRecord, fromAt: number, to: ExecutionRecord, toAt: number): void => {
    id++
    const common = { name: kind, cat: kind, id, pid: PID }
    events.push({ ph: 's', ...common, tid: from.worker + 1, ts: micros(fromAt) })
    events.push({ ph: 'f', bp: 'e', ...common, tid: to.worker + 1, ts: micros(toAt) })
  }
  for (const execution of record.executions) {
    for (const wait of execution.waits) {
      // The incarnation that ended the wait; an arrow that would point back in time is none.
      const on = [final.get(wait.on), firsts.get(wait.on)].find((one) => one !== undefined && one.start <= wait.end)
      if (on !== undefined) arrow('wait', on, on.start, execution, wait.start < on.start ? wait.end : wait.start)
    }
    const { aborted, place } = execution
    if (aborted === undefined) continue
    const again = final.get(place)
    if (again !== undefined && again.start >= execution.end)
      arrow('abort', execution, execution.start, again, again.start)
  }
  return events
}

/** How many places are final, and how many incarnations have been thrown away, whenever either changes. */
function counters({ places, executions }: RunRecord): TraceEvent[] {
  const changes = [
    ...places.flatMap((place) => (place?.committedAt === undefined ? [] : [{ at: place.committedAt, aborted: 0 }])),
    ...executions.flatMap(({ aborted }) => (aborted === undefined ? [] : [{ at: aborted.at, aborted: 1 }])),
  ].sort((a, b) => a.at - b.at)
  let committed = 0
  let aborted = 0
  return changes.flatMap((change): TraceEvent[] => {
    if (change.aborted === 0) committed++
    else aborted++
    const common = { ph: 'C', pid: PID, tid: 0, ts: micros(change.at) } as const
    return change.aborted === 0
      ? [{ ...common, name: 'committed', args: { places: committed } }]
      : [{ ...common, name: 'thrown away', args: { incarnations: aborted } }]
  })
}
