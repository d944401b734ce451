/**
 * The longest chain of true dependencies in time: what no number of workers can go below.
 *
 * A place may begin before what it needs is there, as far as its read; so an edge costs the reader only what comes
 * after that read. This makes the bound true of pipelines as well, and no policy can beat it.
 */
import type { RunGraph } from './graph.ts'

export interface CriticalPath {
  /** Microseconds. */
  readonly length: number
  /** Indices into `RunGraph.places`, lowest first. */
  readonly steps: readonly number[]
  /** For each step the location over which it needed the one before; undefined of the first. */
  readonly locations: readonly (number | undefined)[]
}

/** Earliest end of each place with as many workers as there are places. */
export function earliestEnds(graph: RunGraph): { readonly ends: Float64Array; readonly via: Int32Array } {
  const { cost, needs } = graph
  const ends = new Float64Array(cost.length)
  const via = new Int32Array(cost.length).fill(-1)
  for (let index = 0; index < cost.length; index++) {
    let end = cost[index]
    for (const [k, edge] of needs[index].entries()) {
      const after = ends[edge.on] + (1 - edge.at) * cost[index]
      if (after > end) {
        end = after
        via[index] = k
      }
    }
    ends[index] = end
  }
  return { ends, via }
}

export function criticalPath(graph: RunGraph): CriticalPath {
  const { ends, via } = earliestEnds(graph)
  let last = -1
  for (let index = 0; index < ends.length; index++) if (last < 0 || ends[index] > ends[last]) last = index
  const steps: number[] = []
  const locations: (number | undefined)[] = []
  for (let at = last; at >= 0; ) {
    const edge = via[at] < 0 ? undefined : graph.needs[at][via[at]]
    steps.push(at)
    locations.push(edge?.location)
    at = edge?.on ?? -1
  }
  return { length: last < 0 ? 0 : ends[last], steps: steps.reverse(), locations: locations.reverse() }
}
