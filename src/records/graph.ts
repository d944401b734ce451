/**
 * What a recorded run says about its places: what each costs, and which other place each read truly needed.
 *
 * The simulator, the explanation and the report all stand on this; it holds no policy and no overhead. An edge says that a
 * read needs the final write of a lower place. Reads that only assert something (a nonce that was predicted, a balance that
 * had to reach a bound) make no edge: they hold whatever the lower place has written, unless the run itself shows an
 * abort there.
 *
 * Cost: linear in the recorded reads and writes.
 */
import { directTimes } from './direct.ts'
import type { ExecutionRecord, ReadRecord, RunRecord, WaitRecord } from './runRecord.ts'

/** A read of a place, and the lower place whose write it needs. Indices are those of `RunGraph.places`. */
export interface Edge {
  /** Index of the place that wrote. */
  readonly on: number
  /** Index into `RunRecord.locations`. */
  readonly location: number
  /** When the place reads, as a share of its own work from 0 to 1. */
  readonly at: number
}

/** A recorded run as costs and true dependencies. */
export interface RunGraph {
  /** Numbers of the places that ran to an end, in preset order. */
  readonly places: readonly number[]
  /** Microseconds of each place's own work: its last incarnation without its waits, and without commits of others. */
  readonly cost: Float64Array
  /** True where that incarnation was run by the oracle, whose reads and writes cost less. */
  readonly sequential: readonly boolean[]
  /** Locations that each place read, predicates included. */
  readonly reads: Float64Array
  /** Locations that each place read or wrote, and that many places write. */
  readonly crowded: Float64Array
  /** What each place needs from lower ones, in the order in which it reads. */
  readonly needs: readonly (readonly Edge[])[]
  /** Places that speculation cannot run: those whose first incarnation ended blocked or not valid. */
  readonly deferred: readonly boolean[]
  /** Lower places that were declared to come first; task graphs only. */
  readonly declared: readonly (readonly number[])[]
  /** Sum of `cost`. */
  readonly work: number
}

/** Writers of a location from which it is crowded: its entries lie in the caches of all cores. */
const CROWD = 16

/** The incarnation of each place that counted: its last one that ended well. */
export function finalExecutions(record: RunRecord): Map<number, ExecutionRecord> {
  const final = new Map<number, ExecutionRecord>()
  for (const execution of record.executions) {
    const before = final.get(execution.place)
    if (execution.outcome !== 'done' || execution.aborted !== undefined) continue
    if (before === undefined || execution.incarnation >= before.incarnation) final.set(execution.place, execution)
  }
  return final
}

/** Builds the graph. Places that a broken-off trace does not hold are left out. */
export function graphOf(record: RunRecord): RunGraph {
  const final = finalExecutions(record)
  const places = [...final.keys()].sort((a, b) => a - b)
  const indexOf = new Map(places.map((place, index) => [place, index]))
  const asserted = abortedAssertions(record)
  const needs = places.map((place) => {
    const execution = final.get(place) as ExecutionRecord
    return edgesOf(execution, record, final, indexOf, asserted)
  })
  const { within } = directTimes(record, final)
  const cost = Float64Array.from(places, (place) => {
    const own = ownWork(final.get(place) as ExecutionRecord)
    // The mean of its kind: a short one had less in it, but was something itself.
    return Math.max(own - (within.get(place) ?? 0), own / 2)
  })
  const deferring = new Set<number>()
  for (const { place, mode, outcome } of record.executions) {
    if (mode === 'speculative' && outcome !== 'done' && outcome !== 'waited') deferring.add(place)
  }
  return {
    places,
    cost,
    sequential: places.map((place) => final.get(place)?.mode === 'sequential'),
    reads: Float64Array.from(places, (place) => final.get(place)?.reads.length ?? 0),
    crowded: crowdedOf(places.map((place) => final.get(place) as ExecutionRecord)),
    needs,
    deferred: places.map((place) => deferring.has(place)),
    declared: places.map((place) => known(record.places[place]?.after ?? [], place, indexOf)),
    work: cost.reduce((sum, each) => sum + each, 0),
  }
}

function crowdedOf(executions: readonly ExecutionRecord[]): Float64Array {
  const writers = new Map<number, number>()
  for (const { writes } of executions) {
    for (const { location } of writes) writers.set(location, (writers.get(location) ?? 0) + 1)
  }
  const isCrowded = (location: number): boolean => (writers.get(location) ?? 0) >= CROWD
  return Float64Array.from(executions, ({ reads, writes }) => {
    const met = new Set([...reads, ...writes].map(({ location }) => location))
    return [...met].filter(isCrowded).length
  })
}

/** The same graph without the edges over one location: as if nobody conflicted there. */
export function withoutLocation(graph: RunGraph, location: number): RunGraph {
  return { ...graph, needs: graph.needs.map((edges) => edges.filter((edge) => edge.location !== location)) }
}

/** Microseconds of an incarnation without its waits. */
export function ownWork({ start, end, waits }: ExecutionRecord): number {
  return Math.max(0, end - start - waits.reduce((sum, wait) => sum + Math.max(0, wait.end - wait.start), 0))
}

const known = (places: readonly number[], below: number, indexOf: ReadonlyMap<number, number>): number[] =>
  places.flatMap((place) => {
    const index = place < below ? indexOf.get(place) : undefined
    return index === undefined ? [] : [index]
  })

/** Assertions that failed in this run: `place:location`. Only there an assertion is a true dependency. */
function abortedAssertions(record: RunRecord): Set<string> {
  const failed = new Set<string>()
  for (const { place, aborted } of record.executions) {
    if (aborted !== undefined) failed.add(`${place}:${aborted.location}`)
  }
  return failed
}

function edgesOf(
  execution: ExecutionRecord,
  record: RunRecord,
  final: ReadonlyMap<number, ExecutionRecord>,
  indexOf: ReadonlyMap<number, number>,
  asserted: ReadonlySet<string>,
): Edge[] {
  const { place, reads, waits } = execution
  const edges: Edge[] = []
  const nearest = new Map<number, number>()
  for (const [index, read] of reads.entries()) {
    const on = read.seen.place < place ? indexOf.get(read.seen.place) : undefined
    if (on === undefined) continue
    if (!asserted.has(`${place}:${read.location}`)) {
      if (isAssertion(read, record)) continue
      // The value was as asserted before the writer had ended, so it does not need that writer.
      const writer = final.get(read.seen.place)
      if (read.predicate === 'valueEquals' && writer !== undefined && writer.end > execution.end) continue
    }
    // A later read of the same value needs nothing more.
    if ((nearest.get(read.location) ?? -1) >= on) continue
    nearest.set(read.location, on)
    edges.push({ on, location: read.location, at: readAt(execution, read, (index + 0.5) / reads.length, waits) })
  }
  return edges.sort((a, b) => a.at - b.at)
}

/** True of a read that says what the value has to be like, and not what it was. */
function isAssertion(read: ReadRecord, record: RunRecord): boolean {
  if (read.predicate === 'sameRecord') return false
  return read.predicate === 'atLeast' || record.locations[read.location]?.kind === 'nonce'
}

/** When a read happened: known where it waited, else as if reads were spread evenly. */
function readAt(execution: ExecutionRecord, read: ReadRecord, evenly: number, waits: readonly WaitRecord[]): number {
  const work = ownWork(execution)
  let before = 0
  for (const wait of waits) {
    if (wait.location === read.location && work > 0) {
      return Math.min(1, Math.max(0, (wait.start - execution.start - before) / work))
    }
    before += wait.end - wait.start
  }
  return evenly
}
