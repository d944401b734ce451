/**
 * Replays a recorded run in virtual time: what it would take on other numbers of workers, and under other policies.
 *
 * Deterministic: the same record and options give the same answer. Costs are those of the recorded places, overheads
 * those of the recorded run (overheads.ts), and what these leave unexplained of a run on several workers is their
 * contention (contention.ts). What the answer leaves out is said in docs/records.md.
 */
import { InvalidInputError } from '../core/errors.ts'
import { rowsOf } from '../core/rows.ts'
import { simulateBlockStm } from './blockStm.ts'
import { contended, fitContention } from './contention.ts'
import { costsOf, withAlone } from './costs.ts'
import { criticalPath } from './criticalPath.ts'
import type { RunGraph } from './graph.ts'
import { listSchedule } from './listSchedule.ts'
import type { Overheads } from './overheads.ts'
import type { PlaceRecord, RunRecord } from './runRecord.ts'
import { type RunsByPath, runsByPath } from './severalRuns.ts'
import type { Tally } from './virtualRun.ts'

/**
 * How work is given out.
 *
 * - `block-stm`: as this engine does it.
 * - `graph`: places wait for those that were declared to come before them (task graphs); what was not declared is found
 *   at commit.
 * - `access-list`: every true dependency is known before, none is found too late.
 * - `sequential`: one after another on one worker, without speculation.
 * - `oracle`: no schedule, but the lower bound of all: the longest chain of dependencies, or all work shared by all
 *   workers, whichever is longer, without overhead.
 */
export type Policy = 'block-stm' | 'graph' | 'access-list' | 'sequential' | 'oracle'

/** All policies, in the order in which they are told. */
export const POLICIES = ['block-stm', 'graph', 'access-list', 'sequential', 'oracle'] as const satisfies Policy[]

/** Most workers that can be asked for. */
export const MOST_WORKERS = 1024

/** On what a run is simulated. */
export interface SimulateOptions {
  /** 1 to 1,024. */
  readonly workers: number
  /** `block-stm` by default. */
  readonly policy?: Policy
  /** May Block-STM give way to the sequential path? As the recorded run, by default. */
  readonly speculation?: 'auto' | 'always'
  /** Microseconds that replace those of the run. */
  readonly overheads?: Partial<Overheads>
}

/** What a run would have taken. */
export interface Simulation {
  readonly policy: Policy
  readonly workers: number
  /** Microseconds from the run's begin to its end. */
  readonly makespan: number
  /** How many times shorter than the sequential policy. */
  readonly speedup: number
  readonly executions: number
  /** Executions thrown away and made again by the commit stage. */
  readonly aborts: number
  /** Times a reader waited for a lower place. */
  readonly waits: number
  /** Places that the sequential path ran. */
  readonly fallback: number
  /** Share of all workers' time in which they executed or committed, from 0 to 1. */
  readonly utilisation: number
  /** Microseconds of executions that were thrown away. */
  readonly wasted: number
}

/** Simulates one recorded run many times; what all runs share is made once. */
export interface Simulator {
  readonly graph: RunGraph
  readonly overheads: Overheads
  /** Microseconds of each place on the sequential path, by index. */
  readonly cost: Float64Array
  run(options: SimulateOptions): Simulation
}

/**
 * Simulates a recorded run once. Use `createSimulator` for several numbers of workers.
 *
 * Cost: 10,000 places take some tens of milliseconds at any number of workers.
 *
 * @throws {InvalidInputError} INVALID_OPTION where an option is out of its range, or records are of different work
 * @example
 * simulate(record, { workers: 16, policy: 'block-stm' }).makespan
 */
export function simulate(record: RunRecord | readonly RunRecord[], options: SimulateOptions): Simulation {
  return createSimulator(record).run(options)
}

/**
 * Prepares a recorded run for simulation. Several runs of the same work are taken for one of median times
 * (severalRuns.ts), which is steadier than any of them. Of runs on the sequential path and in speculation, the former tell
 * what places cost there, the latter all else.
 *
 * Cost: some ten simulations where the run was on several workers, for `contention` is fitted by them.
 *
 * @param change - of the run's graph, as `withoutLocation`
 */
export function createSimulator(
  records: RunRecord | readonly RunRecord[],
  change: (graph: RunGraph) => RunGraph = (graph) => graph,
): Simulator {
  const runs = runsByPath('run' in records ? [records] : records)
  const { record } = runs.main
  const graph = change(runs.main.graph)
  const contention = contentionOf(runs)
  const settings = settingsOf(graph, runs, { contention })
  return {
    graph,
    overheads: settings.overheads,
    cost: settings.cost,
    run: (options) => {
      const checked = {
        ...options,
        policy: options.policy ?? 'block-stm',
        speculation: options.speculation ?? record.run.speculation,
      }
      check(checked)
      const given =
        options.overheads === undefined ? settings : settingsOf(graph, runs, { contention, ...options.overheads })
      const sequential = tally(graph, { ...checked, policy: 'sequential' }, given).makespan
      const { busy, ...told } = tally(graph, checked, given)
      const workers = checked.policy === 'sequential' ? 1 : checked.workers
      return {
        policy: checked.policy,
        workers,
        ...told,
        // A run of nothing is all overhead.
        speedup: told.makespan === 0 || graph.places.length === 0 ? 1 : sequential / told.makespan,
        utilisation: told.makespan === 0 ? 0 : Math.min(1, busy / (workers * told.makespan)),
      }
    },
  }
}

interface Settings {
  readonly overheads: Overheads
  /** Those of a run on the sequential path. */
  readonly alone: Overheads
  readonly cost: Float64Array
  /** The same in multi-version memory. */
  readonly work: Float64Array
  /** Microseconds that committing each place takes. */
  readonly commits: Float64Array
  readonly reserves: boolean
  readonly light: boolean
  readonly queues: boolean
  readonly rowEnds: Int32Array
  /** Length of the critical path. */
  readonly bound: number
}

function settingsOf(graph: RunGraph, { main, alone }: RunsByPath, given: Partial<Overheads>): Settings {
  const base = { ...alone.overheads, ...given }
  const overheads = { ...main.overheads, sequential: base.sequential, ...given }
  const own = costsOf(graph, overheads)
  const { cost, work } = alone === main ? own : withAlone(graph, own, alone.graph, costsOf(alone.graph, base))
  return {
    overheads,
    alone: base,
    cost,
    work,
    commits: graph.reads.map((reads) => overheads.commit + overheads.commitRead * reads),
    reserves: main.record.run.reserves,
    light: main.record.run.light,
    queues: main.record.run.queues,
    rowEnds: rowEndsIn(main.record, graph),
    bound: criticalPath({ ...graph, cost }).length,
  }
}

/** Of each transaction in a row to one account where the row ends; 0 of others. */
function rowEndsIn({ run, places }: RunRecord, graph: RunGraph): Int32Array {
  const ends = new Int32Array(graph.places.length)
  if (run.kind !== 'block') return ends
  const placeAt = (k: number): PlaceRecord | undefined => places[graph.places[k] as number]
  const rows = rowsOf(ends.length, 0, (k) => {
    const [before, place] = [placeAt(k - 1), placeAt(k)]
    return place?.to !== undefined && place.to === before?.to && place.place === before.place + 1
  })
  for (const { first, end } of rows) ends.fill(end, first, end)
  return ends
}

/** The contention at which the recorded run takes what it took, recording included. */
function contentionOf(runs: RunsByPath): number {
  const { record, graph, overheads, duration } = runs.main
  const { workers, speculation } = record.run
  if (runs.isAlone || workers < 2 || duration === undefined) return overheads.contention
  const declared = graph.declared.some((before) => before.length > 0)
  const as = { workers, speculation, policy: declared ? 'graph' : 'block-stm' } as const
  const settings = settingsOf(graph, runs, { recorded: 0, recordedAlone: 0, recordedRead: 0 })
  return fitContention(duration, (contention) => {
    return tally(graph, as, { ...settings, overheads: { ...settings.overheads, contention } }).makespan
  })
}

type Checked = SimulateOptions & Required<Pick<SimulateOptions, 'policy' | 'speculation'>>

function tally(graph: RunGraph, { policy, workers, speculation }: Checked, settings: Settings): Tally {
  const { cost, bound } = settings
  const { overheads, work, commits } = contended(settings, workers)
  const sum = cost.reduce((total, each) => total + each, 0)
  if (policy === 'oracle') return plain(Math.max(bound, sum / workers), sum, cost.length)
  if (policy === 'graph' || policy === 'access-list') {
    const after =
      policy === 'graph' ? graph.declared : graph.needs.map((edges) => [...new Set(edges.map(({ on }) => on))])
    return listSchedule(graph, { workers, overheads, work, commits, after })
  }
  // As the engine: one worker would speculate against itself, and so few places have nothing to overlap.
  const alone = speculation === 'auto' && (workers === 1 || cost.length < 4)
  if (policy === 'sequential' || alone) {
    const { wake, sequential, finish } = settings.alone
    const busy = sum + cost.length * sequential
    return plain(wake + busy + finish, busy, cost.length, policy === 'sequential' ? 0 : cost.length)
  }
  const reserves = settings.reserves && speculation === 'auto'
  const light = settings.light && speculation === 'auto'
  const queues = settings.queues && speculation === 'auto'
  const tallies = (overheads.wakeNext === 0 ? [1] : BEGINNINGS).map((factor) => {
    const begun = { ...overheads, wakeNext: overheads.wakeNext * factor }
    return simulateBlockStm(graph, {
      workers,
      speculation,
      overheads: begun,
      cost,
      work,
      commits,
      reserves,
      light,
      queues,
      rowEnds: settings.rowEnds,
    })
  })
  const tally = tallies.sort((a, b) => a.makespan - b.makespan)[tallies.length >> 1]
  // Values that held though they were written too early may cut a chain; that much luck is not predicted.
  return { ...tally, makespan: Math.max(tally.makespan, bound) }
}

/**
 * Who claims which places is decided by when workers wake: a claim that has three long places or one makes a block a
 * third longer. So a run is simulated with some beginnings, and the one of median time is told.
 */
const BEGINNINGS = [0.4, 0.7, 1, 1.4, 1.9]

const plain = (makespan: number, busy: number, executions: number, fallback = 0): Tally => ({
  makespan,
  executions,
  aborts: 0,
  waits: 0,
  fallback,
  busy,
  wasted: 0,
})

function check({ workers, policy, speculation, overheads }: Checked): void {
  if (!Number.isInteger(workers) || workers < 1 || workers > MOST_WORKERS) {
    throw invalid('workers', `a whole number from 1 to ${MOST_WORKERS}`, workers)
  }
  if (!POLICIES.includes(policy)) throw invalid('policy', `one of ${POLICIES.join(', ')}`, policy)
  if (speculation !== 'auto' && speculation !== 'always')
    throw invalid('speculation', "'auto' or 'always'", speculation)
  for (const [name, value] of Object.entries(overheads ?? {})) {
    if (!(typeof value === 'number' && value >= 0 && value < Number.POSITIVE_INFINITY)) {
      throw invalid(`overheads.${name}`, 'a number of microseconds', value)
    }
  }
}

const invalid = (option: string, wanted: string, actual: unknown): InvalidInputError =>
  new InvalidInputError('INVALID_OPTION', `${option} is not ${wanted}: ${String(actual)}`, { option, actual })
