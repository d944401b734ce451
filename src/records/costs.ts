/** Microseconds of each place, without what recording took: on the sequential path, and in multi-version memory. */
import type { RunGraph } from './graph.ts'
import type { Overheads } from './overheads.ts'

export interface Costs {
  /** On the sequential path, by index. */
  readonly cost: Float64Array
  /** In multi-version memory. */
  readonly work: Float64Array
}

export function costsOf(graph: RunGraph, overheads: Overheads): Costs {
  const { recorded, recordedAlone, recordedRead } = overheads
  const cost = new Float64Array(graph.cost.length)
  const work = new Float64Array(graph.cost.length)
  for (const [index, whole] of graph.cost.entries()) {
    const more = slowerBy(graph, overheads, index)
    if (graph.sequential[index]) {
      cost[index] = without(whole, recordedAlone + recordedRead * graph.reads[index])
      work[index] = cost[index] + more
    } else {
      work[index] = without(whole, recorded)
      cost[index] = without(work[index], more)
    }
  }
  return { cost, work }
}

/** Costs of `own`, but on the sequential path those of the same places in records of that path. */
export function withAlone(graph: RunGraph, own: Costs, alone: RunGraph, costs: Costs): Costs {
  const indexOf = new Map(alone.places.map((place, index) => [place, index]))
  const cost = own.cost.map((each, index) => {
    const at = indexOf.get(graph.places[index])
    return at === undefined ? each : costs.cost[at]
  })
  return { ...own, cost }
}

/** A short place may have taken less than what is usual, but was something itself. */
const without = (whole: number, added: number): number => Math.max(whole - added, whole / 2)

const slowerBy = ({ reads, crowded }: RunGraph, { slower, slowerRead, slowerCrowded }: Overheads, index: number) =>
  slower + slowerRead * reads[index] + slowerCrowded * crowded[index]
