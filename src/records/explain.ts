/**
 * Why a run took as long as it did: which locations made which places run again or wait, what chain holds it, what more
 * workers could give, and what to do about it.
 */
import { advise } from './advice.ts'
import { type CriticalPath, criticalPath } from './criticalPath.ts'
import type { Affected, Conflict, Explanation, Relief, Step } from './explanation.ts'
import { graphOf, ownWork, type RunGraph, withoutLocation } from './graph.ts'
import { type Keccak256, type LocationName, nameLocations } from './names.ts'
import { type RunRecord, THINGS } from './runRecord.ts'
import { createSimulator, MOST_WORKERS, type Simulator } from './simulate.ts'

/** What an explanation may be told besides the record. */
export interface ExplainOptions {
  /** Keccak-256, for names of mappings (`createHasher` of `blockloom/wasm`); without it they stay hashed slots. */
  readonly hash?: Keccak256
  /** Addresses besides those that the run shows, as 0x hex. */
  readonly addresses?: readonly string[]
}

/**
 * Explains a recorded run.
 *
 * Cost: linear in the record, some forty simulations, and a hash for each address and each of eleven slots.
 */
export function explain(record: RunRecord, options: ExplainOptions = {}): Explanation {
  const names = nameLocations(record, options.hash, options.addresses)
  const graph = graphOf(record)
  const simulator = createSimulator(record)
  const path = criticalPath(graph)
  const conflicts = conflictsOf(record, graph, names)
  const told: Omit<Explanation, 'advice'> = {
    label: record.run.label,
    kind: record.run.kind,
    places: graph.places.length,
    workers: record.run.workers,
    duration: record.run.duration,
    work: graph.work,
    executions: record.executions.length,
    aborts: record.executions.filter(({ aborted }) => aborted !== undefined).length,
    waits: record.executions.reduce((sum, { waits }) => sum + waits.length, 0),
    fallback: record.places.filter((place) => place?.committed === 'fallback').length,
    conflicts,
    criticalPath: {
      length: path.length,
      share: graph.work === 0 ? 0 : path.length / graph.work,
      steps: stepsOf(record, graph, path, names),
    },
    bound: { speedup: path.length === 0 ? 1 : graph.work / path.length, ...bestOf(simulator) },
    hottest: relief(record, simulator, conflicts[0]),
  }
  return { ...told, advice: advise(told, graph) }
}

/** What a place is, in words: its number counts transactions or tasks from 0, as results do. */
export function placeName(record: RunRecord, place: number): string {
  const { kind, places } = record.run
  if (place === 0) return 'prologue'
  if (place > places) return 'epilogue'
  const name = kind === 'tasks' ? (record.places[place]?.name ?? '') : ''
  return `${THINGS[kind]} ${place - 1}${name === '' ? '' : ` (${name})`}`
}

function conflictsOf(record: RunRecord, graph: RunGraph, names: readonly LocationName[]): Conflict[] {
  const found = new Map<number, { aborts: number; waits: number; wasted: number; waited: number; places: Affected[] }>()
  const at = (location: number) => {
    const known = found.get(location)
    if (known !== undefined) return known
    const fresh = { aborts: 0, waits: 0, wasted: 0, waited: 0, places: [] }
    found.set(location, fresh)
    return fresh
  }
  const dependencies = new Map<number, number>()
  for (const { location } of graph.needs.flat()) dependencies.set(location, (dependencies.get(location) ?? 0) + 1)
  for (const execution of record.executions) {
    const { place, aborted, waits } = execution
    if (aborted !== undefined) {
      const one = at(aborted.location)
      const lost = ownWork(execution)
      one.aborts++
      one.wasted += lost
      one.places.push({ place, by: aborted.by, aborted: true, lost })
    }
    for (const wait of waits) {
      const one = at(wait.location)
      const lost = wait.end - wait.start
      one.waits++
      one.waited += lost
      one.places.push({ place, by: wait.on, aborted: false, lost })
    }
  }
  for (const location of dependencies.keys()) at(location)
  return [...found]
    .flatMap(([location, one]) => {
      const name = names[location]
      return name === undefined ? [] : [{ ...name, ...one, dependencies: dependencies.get(location) ?? 0 }]
    })
    .sort(
      (a, b) => b.wasted + b.waited - a.wasted - a.waited || b.dependencies - a.dependencies || a.location - b.location,
    )
}

function stepsOf(record: RunRecord, graph: RunGraph, path: CriticalPath, names: readonly LocationName[]): Step[] {
  return path.steps.map((index, k) => {
    const location = path.locations[k]
    const place = graph.places[index]
    return {
      place,
      name: placeName(record, place),
      cost: graph.cost[index],
      via: location === undefined ? undefined : names[location],
    }
  })
}

/** The best that Block-STM is simulated to reach, with the fewest workers that come within 5 % of it. */
function bestOf(simulator: Simulator): { readonly reached: number; readonly workers: number } {
  const runs: { readonly workers: number; readonly speedup: number }[] = []
  for (let workers = 1; workers <= MOST_WORKERS; workers *= 2) runs.push(simulator.run({ workers }))
  const reached = Math.max(...runs.map(({ speedup }) => speedup))
  const workers = runs.find(({ speedup }) => speedup >= 0.95 * reached)?.workers ?? 1
  return { reached, workers }
}

/** Simulates the run without one location's conflicts. */
function relief(record: RunRecord, simulator: Simulator, hottest: Conflict | undefined): Relief | undefined {
  if (hottest === undefined) return undefined
  const { graph } = simulator
  const { location, kind, address, slot, key, role, name } = hottest
  const without = withoutLocation(graph, location)
  // One worker has no conflicts: what the location costs shows from two on.
  const workers = Math.max(2, record.run.workers)
  const before = criticalPath(graph).length
  const after = criticalPath(without).length
  return {
    location: { location, kind, address, slot, key, role, name },
    pathBefore: before,
    pathAfter: after,
    boundBefore: before === 0 ? 1 : graph.work / before,
    boundAfter: after === 0 ? 1 : graph.work / after,
    makespanBefore: simulator.run({ workers }).makespan,
    makespanAfter: createSimulator(record, () => without).run({ workers }).makespan,
    workers,
  }
}
