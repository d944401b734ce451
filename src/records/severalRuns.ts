/**
 * Several recorded runs of the same work as one: what another program did to one of them is not in the median of all.
 *
 * Dependencies are those of the run of median time; each place costs the median of what it cost, and each overhead is
 * the median of what it was. All runs are of the same places, recorded on the same path; those that are not, and runs
 * of which the end is missing, are left out.
 */
import { graphOf, type RunGraph } from './graph.ts'
import { type Overheads, overheadsOf } from './overheads.ts'
import type { RunRecord } from './runRecord.ts'

export interface MedianRun {
  readonly record: RunRecord
  readonly graph: RunGraph
  readonly overheads: Overheads
}

export function medianRun(records: readonly RunRecord[]): MedianRun {
  const whole = records.filter(({ run }) => run.duration !== undefined)
  const sorted = (whole.length === 0 ? records : whole).toSorted((a, b) => durationOf(a) - durationOf(b))
  const record = sorted[(sorted.length - 1) >> 1]
  const graph = graphOf(record)
  const alike = sorted.filter((other) => other.run.places === record.run.places && isAlone(other) === isAlone(record))
  const graphs = alike.map((other) => (other === record ? graph : graphOf(other)))
  const costs = graph.places.map((place, index) => {
    // Mostly at the same index; not where an end of the block, or what a trace breaks off at, is missing.
    const all = graphs.flatMap((other) => {
      const at = other.places[index] === place ? index : other.places.indexOf(place)
      return at >= 0 && other.sequential[at] === graph.sequential[index] ? [other.cost[at]] : []
    })
    return median(all)
  })
  const cost = Float64Array.from(costs)
  const overheads = alike.map(overheadsOf)
  const names = Object.keys(overheads[0]) as (keyof Overheads)[]
  return {
    record,
    graph: { ...graph, cost, work: cost.reduce((sum, each) => sum + each, 0) },
    overheads: Object.fromEntries(names.map((name) => [name, median(overheads.map((one) => one[name]))])) as Record<
      keyof Overheads,
      number
    >,
  }
}

const durationOf = ({ run }: RunRecord): number => run.duration ?? Number.POSITIVE_INFINITY

const isAlone = ({ executions }: RunRecord): boolean => executions.every(({ mode }) => mode === 'sequential')

const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
