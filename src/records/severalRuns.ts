/**
 * Several recorded runs of the same work as one: what another program did to one of them is not in the median of all.
 *
 * Runs on the sequential path and runs in speculation know different things: what places cost, and what workers cost one
 * another. Each kind is one median run. In it, dependencies are those of the run of median time; each place costs the
 * median of what it cost, and each overhead is the median of what it was. Runs of which the end is missing are left out
 * where there are others, and those of fewer workers than the most.
 */
import { InvalidInputError } from '../core/errors.ts'
import { graphOf, type RunGraph } from './graph.ts'
import { type Overheads, overheadsOf } from './overheads.ts'
import type { RunRecord } from './runRecord.ts'

interface MedianRun {
  readonly record: RunRecord
  readonly graph: RunGraph
  readonly overheads: Overheads
  /** Microseconds; undefined where a trace breaks off. */
  readonly duration: number | undefined
}

/** Runs of the same work by path; where all were on one path, both are the same. */
export interface RunsByPath {
  /** What tells of dependencies and of speculation: runs in speculation, where there are any. */
  readonly main: MedianRun
  /** What tells of the sequential path. */
  readonly alone: MedianRun
  /** Nobody speculated. */
  readonly isAlone: boolean
}

/** @throws {InvalidInputError} INVALID_OPTION where there is no run, or where runs are of different places */
export function runsByPath(records: readonly RunRecord[]): RunsByPath {
  if (records.length === 0) throw invalid('one recorded run at least', 'none')
  const whole = records.filter(({ run }) => run.duration !== undefined)
  const usable = whole.length === 0 ? records : whole
  const [{ run }] = usable
  const other = usable.find((one) => one.run.places !== run.places || one.run.kind !== run.kind)
  if (other !== undefined) {
    throw invalid('runs of the same work', `${run.places} ${run.kind} and ${other.run.places} ${other.run.kind}`)
  }
  const parallel = usable.filter((record) => !isAlone(record))
  const sequential = usable.filter(isAlone)
  if (parallel.length === 0) {
    const alone = medianRun(sequential)
    return { main: alone, alone, isAlone: true }
  }
  const most = Math.max(...parallel.map((record) => record.run.workers))
  const main = medianRun(parallel.filter((record) => record.run.workers === most))
  return { main, alone: sequential.length === 0 ? main : medianRun(sequential), isAlone: false }
}

function medianRun(records: readonly RunRecord[]): MedianRun {
  const sorted = records.toSorted((a, b) => durationOf(a) - durationOf(b))
  const record = sorted[(sorted.length - 1) >> 1]
  const graphs = sorted.map(graphOf)
  const graph = graphs[sorted.indexOf(record)]
  const cost = medianCosts(graph, graphs)
  const overheads = sorted.map(overheadsOf)
  const names = Object.keys(overheads[0]) as (keyof Overheads)[]
  return {
    record,
    graph: { ...graph, cost, work: sumOf(cost) },
    overheads: Object.fromEntries(names.map((name) => [name, median(overheads.map((one) => one[name]))])) as Record<
      keyof Overheads,
      number
    >,
    duration: record.run.duration === undefined ? undefined : median(sorted.map(durationOf)),
  }
}

/**
 * The median of what each place cost, all together as long as the median of what all cost: in every run some places
 * meet a cold cache, others in each, so medians alone sum up to less than any run took (8 % less of 1 us transfers).
 */
function medianCosts(graph: RunGraph, graphs: readonly RunGraph[]): Float64Array {
  const cost = Float64Array.from(graph.places, (place, index) => {
    // Mostly at the same index; not where an end of the block, or what a trace breaks off at, is missing.
    const all = graphs.flatMap((other) => {
      const at = other.places[index] === place ? index : other.places.indexOf(place)
      return at >= 0 && other.sequential[at] === graph.sequential[index] ? [other.cost[at]] : []
    })
    return median(all)
  })
  const sum = sumOf(cost)
  const by = sum === 0 ? 1 : median(graphs.map(({ work }) => work)) / sum
  return cost.map((each) => each * by)
}

const durationOf = ({ run }: RunRecord): number => run.duration ?? Number.POSITIVE_INFINITY

const isAlone = ({ executions }: RunRecord): boolean => executions.every(({ mode }) => mode === 'sequential')

const sumOf = (values: Float64Array): number => values.reduce((sum, each) => sum + each, 0)

const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

const invalid = (wanted: string, actual: string): InvalidInputError =>
  new InvalidInputError('INVALID_OPTION', `records is not ${wanted}: ${actual}`, { option: 'records', actual })
