/**
 * What the page of `blockloom report` draws, as compact data: columns of numbers, so that 10,000 transactions stay below a
 * megabyte. The page knows nothing but this.
 */
import { criticalPath, earliestEnds } from './criticalPath.ts'
import { type ExplainOptions, explain } from './explain.ts'
import type { Explanation } from './explanation.ts'
import { graphOf, type RunGraph } from './graph.ts'
import type { ExecutionRecord, RunRecord } from './runRecord.ts'
import { createSimulator, MOST_WORKERS, type Policy, type Simulator } from './simulate.ts'

/** What became of an incarnation; the order is that of the page's legend. */
export const FATES = ['committed', 'executed again', 'thrown away', 'left to the committer', 'sequential path'] as const

export interface TimelineData {
  readonly workers: readonly number[]
  /** Columns; `fate` is an index into `FATES`, times are microseconds. */
  readonly worker: readonly number[]
  readonly start: readonly number[]
  readonly end: readonly number[]
  readonly place: readonly number[]
  readonly incarnation: readonly number[]
  readonly fate: readonly number[]
  /** Waits: row of the worker in `workers`, start, end. */
  readonly waits: readonly (readonly [row: number, start: number, end: number])[]
}

export interface HeatData {
  /** Rows: the locations with most conflicts, most first. */
  readonly locations: readonly string[]
  /** Columns: first place of each stretch of the preset order, and how many places one has. */
  readonly stretches: readonly number[]
  readonly stretch: number
  /** Cells that are not 0: column, row, conflicts. */
  readonly cells: readonly (readonly [column: number, row: number, conflicts: number])[]
  /** Conflicts over locations that have no row. */
  readonly rest: number
}

export interface GraphData {
  readonly place: readonly number[]
  /** Microseconds of work, and earliest end with as many workers as places. */
  readonly cost: readonly number[]
  readonly end: readonly number[]
  /** For each place the index of the one that its end depends on, or -1. */
  readonly after: readonly number[]
  /** Indices of the critical path. */
  readonly critical: readonly number[]
}

export interface CurveData {
  readonly workers: readonly number[]
  readonly series: readonly { readonly policy: Policy; readonly speedup: readonly number[] }[]
  /** What any number of workers could gain. */
  readonly bound: number
}

export interface ReportData {
  readonly explanation: Explanation
  readonly timeline: TimelineData
  readonly heat: HeatData
  readonly graph: GraphData
  readonly curve: CurveData
}

/** Worker counts of the speed-up curve. */
export const CURVE_WORKERS = [1, 2, 4, 8, 16, 32, 64] as const
const HEAT_ROWS = 20
const HEAT_COLUMNS = 50

export function reportData(record: RunRecord, options: ExplainOptions = {}): ReportData {
  const explanation = explain(record, options)
  const graph = graphOf(record)
  return {
    explanation,
    timeline: timelineOf(record),
    heat: heatOf(graph, explanation),
    graph: graphDataOf(graph),
    curve: curveOf(createSimulator(record), CURVE_WORKERS),
  }
}

/** Tenths of a microsecond are what a screen can show. */
const rounded = (value: number): number => Math.round(value * 10) / 10

function timelineOf({ executions }: RunRecord): TimelineData {
  const workers = [...new Set(executions.map(({ worker }) => worker))].sort((a, b) => a - b)
  const rowOf = new Map(workers.map((worker, row) => [worker, row]))
  const column = (value: (execution: ExecutionRecord) => number): number[] => executions.map(value)
  return {
    workers,
    worker: column(({ worker }) => rowOf.get(worker) as number),
    start: column(({ start }) => rounded(start)),
    end: column(({ end }) => rounded(end)),
    place: column(({ place }) => place),
    incarnation: column(({ incarnation }) => incarnation),
    fate: column(fateOf),
    waits: executions.flatMap(({ worker, waits }) =>
      waits.map(({ start, end }) => [rowOf.get(worker) as number, rounded(start), rounded(end)] as const),
    ),
  }
}

function fateOf({ mode, incarnation, outcome, aborted }: ExecutionRecord): number {
  if (mode === 'sequential') return 4
  if (outcome !== 'done') return 3
  if (aborted !== undefined) return 2
  // The committer executes a place again, or for the first time where nobody else did.
  return mode === 'committing' && incarnation > 0 ? 1 : 0
}

/** Where in the preset order which locations conflict: reads that needed a lower place's write. */
function heatOf(graph: RunGraph, { conflicts }: Explanation): HeatData {
  const ranked = conflicts.filter(({ dependencies }) => dependencies > 0)
  const rows = [...ranked].sort((a, b) => b.dependencies - a.dependencies).slice(0, HEAT_ROWS)
  const rowOf = new Map(rows.map(({ location }, row) => [location, row]))
  const stretch = Math.max(1, Math.ceil(graph.places.length / HEAT_COLUMNS))
  const cells = new Map<string, [number, number, number]>()
  let rest = 0
  for (const [index, edges] of graph.needs.entries()) {
    for (const { location } of edges) {
      const row = rowOf.get(location)
      if (row === undefined) {
        rest++
        continue
      }
      const column = Math.floor(index / stretch)
      const cell = cells.get(`${column}:${row}`)
      if (cell === undefined) cells.set(`${column}:${row}`, [column, row, 1])
      else cell[2]++
    }
  }
  const columns = Math.ceil(graph.places.length / stretch)
  return {
    locations: rows.map(({ name }) => name),
    stretches: Array.from({ length: columns }, (_, column) => graph.places[column * stretch]),
    stretch,
    cells: [...cells.values()],
    rest,
  }
}

function graphDataOf(graph: RunGraph): GraphData {
  const { ends, via } = earliestEnds(graph)
  return {
    place: graph.places,
    cost: Array.from(graph.cost, rounded),
    end: Array.from(ends, rounded),
    after: Array.from(via, (edge, index) => (edge < 0 ? -1 : graph.needs[index][edge].on)),
    critical: criticalPath(graph).steps,
  }
}

/** Simulated speed-ups over the sequential policy; declared graphs only where something is declared. */
export function curveOf(simulator: Simulator, workers: readonly number[]): CurveData {
  const declared = simulator.graph.declared.some((before) => before.length > 0)
  const policies: Policy[] = ['oracle', 'access-list', ...(declared ? (['graph'] as const) : []), 'block-stm']
  return {
    workers,
    series: policies.map((policy) => ({
      policy,
      speedup: workers.map((count) => simulator.run({ workers: count, policy }).speedup),
    })),
    bound: simulator.run({ workers: MOST_WORKERS, policy: 'oracle' }).speedup,
  }
}
