/**
 * What the benchmark measured, in the form of its results file, and as text.
 *
 * Times are microseconds a transaction unless a field says otherwise. scripts/readme-table.mjs reads the file.
 */
import { execFileSync } from 'node:child_process'
import { cpus, totalmem } from 'node:os'
import type { EngineRows } from './engine.ts'
import type { AdapterRow } from './ethereumjsAdapter.ts'
import type { GrowthRow, PoolsRow } from './growth.ts'
import type { NativeRow } from './native.ts'
import type { PrecompileRow } from './precompiles.ts'
import type { RecordsRow } from './records.ts'
import type { RootRow } from './roots.ts'
import type { RunBlockRow } from './runblock.ts'
import type { SimulateRow } from './simulate.ts'
import type { CodecRow, TaskRow, WorkflowRow } from './tasks.ts'
import type { WholeRow } from './whole.ts'

/** Median and extremes of the runs. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** Sequential time over parallel time: above 1, parallel is faster. */
export interface Ratio {
  /** Of the two medians. */
  readonly ofMedians: number
  /** Median, least and greatest over the pairs of runs made one right after the other. */
  readonly ofPairs: Spread
}

/** Medians over the runs, a block. Names are those of `RunReport`. */
export interface Counts {
  readonly executions: number
  readonly aborts: number
  readonly validations: number
  readonly speculative: number
  readonly direct: number
  readonly reexecuted: number
  readonly fallback: number
  readonly fallbacks: number
  readonly deferrals: number
  readonly waits: number
}

/** One pool size against the sequential path on the same pool. */
export interface ParallelRow {
  readonly workers: number
  /** 'always' with one worker, where 'auto' is the sequential path itself. */
  readonly speculation: 'auto' | 'always'
  readonly sequential: Spread
  readonly parallel: Spread
  readonly ratio: Ratio
  readonly counts: Counts
}

export interface OutsiderRow {
  readonly transactions: number
  readonly runs: number
  /** As `createVM` makes it. */
  readonly withoutCaches: number
  readonly withCaches: number
}

export interface BlockRow {
  readonly name: string
  readonly kind: 'synthetic' | 'real' | 'sum'
  readonly transactions: number
  readonly runs: number
  /** By pool size; the first one of two workers or more is the one that tables show. */
  readonly pools: readonly ParallelRow[]
  readonly ethereumjs?: OutsiderRow
}

/** Costs that a block pays once or not at all; the unit is in the name. */
export interface CostRow {
  readonly name: string
  readonly unit: 'ms' | 'us'
  readonly runs: number
  readonly spread: Spread
}

/** Keccak-256 of many inputs of one length, by one of those compared. */
export interface HashRow {
  /** Length of an input. */
  readonly bytes: number
  readonly name: string
  readonly runs: number
  /** Nanoseconds a digest. */
  readonly ns: Spread
  /** Than @noble/hashes, by the medians. */
  readonly timesFaster: number
}

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly platform: string
  readonly node: string
}

export interface Results {
  readonly machine: Machine
  /** Short hash, with `+changes` where sources differ from it. */
  readonly commit: string
  readonly command: string
  readonly date: string
  readonly rows: readonly BlockRow[]
  readonly costs: readonly CostRow[]
  /** Absent where nothing was hashed. */
  readonly hashes?: readonly HashRow[]
  /** Absent where it was not measured. */
  readonly roots?: readonly RootRow[]
  /** Absent where it was not measured. */
  readonly whole?: readonly WholeRow[]
  /** Absent where it was not measured. */
  readonly runBlock?: readonly RunBlockRow[]
  /** Absent where it was not measured. */
  readonly adapter?: readonly AdapterRow[]
  /** Absent where it was not measured. */
  readonly simulations?: readonly SimulateRow[]
  /** Absent where it was not measured. */
  readonly records?: readonly RecordsRow[]
  /** Absent where they were not measured. */
  readonly engine?: EngineRows
  readonly growth?: readonly GrowthRow[]
  readonly pools?: readonly PoolsRow[]
  /** Absent where it was not measured, or there is no cargo. */
  readonly native?: readonly NativeRow[]
  /** Absent where they were not measured, or there is no cargo. */
  readonly precompiles?: readonly PrecompileRow[]
  /** Absent where they were not measured. */
  readonly tasks?: readonly TaskRow[]
  readonly workflows?: readonly WorkflowRow[]
  readonly codecs?: readonly CodecRow[]
  /** What was left out, and why. */
  readonly skipped: readonly string[]
}

export const machine = (): Machine => ({
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  platform: `${process.platform} ${process.arch}`,
  node: process.version,
})

/** The commit that the measured sources belong to; `unknown` outside of a repository. */
export const commit = (root: string): string => {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    const changed = git('status', '--porcelain', '--', 'src', 'rust', 'package-lock.json', 'tsup.config.ts')
    return git('rev-parse', '--short', 'HEAD') + (changed === '' ? '' : '+changes')
  } catch {
    return 'unknown'
  }
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}

export const spreadOf = (values: readonly number[], scale = 1): Spread => ({
  median: round(median(values) * scale),
  min: round(Math.min(...values) * scale),
  max: round(Math.max(...values) * scale),
})

/** Ratios from runs in pairs: `sequential[k]` and `parallel[k]` were made one right after the other. */
export const ratioOf = (sequential: readonly number[], parallel: readonly number[]): Ratio => ({
  ofMedians: round(median(sequential) / median(parallel)),
  ofPairs: spreadOf(sequential.map((ms, k) => ms / parallel[k])),
})

/** Three significant digits after the point are more than any of these repeats. */
export const round = (value: number): number => Math.round(value * 1000) / 1000

/** Lines of a table with columns as wide as their widest cell; all but the first column to the right. */
export const table = (rows: readonly (readonly string[])[]): string => {
  const widths = rows[0].map((_, c) => Math.max(...rows.map((row) => row[c].length)))
  return rows
    .map((row) => row.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c]))).join('  '))
    .join('\n')
}

/** A time with its extremes: `5.71 (5.60..6.02)`. */
export const showSpread = ({ median: m, min, max }: Spread): string => `${digits(m)} (${digits(min)}..${digits(max)})`

export const digits = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)

const HEAD = ['', 'txs', 'workers', 'sequential us/tx', 'parallel us/tx', 'ratio', 'of pairs']
const COUNTS = ['executions', 'aborts', 'fallback']

/** One line a pool size. */
export const blockTable = (rows: readonly BlockRow[]): string =>
  table([
    [...HEAD, ...COUNTS],
    ...rows.flatMap((row) =>
      row.pools.map((pool, p) => [
        p === 0 ? row.name : '',
        String(row.transactions),
        pool.speculation === 'always' ? `${pool.workers} always` : String(pool.workers),
        showSpread(pool.sequential),
        showSpread(pool.parallel),
        `${pool.ratio.ofMedians.toFixed(2)}x`,
        `${pool.ratio.ofPairs.median.toFixed(2)} (${pool.ratio.ofPairs.min.toFixed(2)}..${pool.ratio.ofPairs.max.toFixed(2)})`,
        String(pool.counts.executions),
        String(pool.counts.aborts),
        String(pool.counts.fallback),
      ]),
    ),
  ])

export const outsiderTable = (rows: readonly BlockRow[]): string =>
  table([
    ['@ethereumjs/vm, us/tx', 'txs', 'runs', 'as createVM makes it', 'with caches', 'sequential here', 'times faster'],
    ...rows.flatMap(({ name, ethereumjs, pools }) => {
      if (ethereumjs === undefined) return []
      const own = pools[0]?.sequential.median
      return [
        [
          name,
          String(ethereumjs.transactions),
          String(ethereumjs.runs),
          digits(ethereumjs.withoutCaches),
          digits(ethereumjs.withCaches),
          own === undefined ? 'n/a' : digits(own),
          own === undefined ? 'n/a' : `${digits(ethereumjs.withCaches / own)}x`,
        ],
      ]
    }),
  ])

export const costTable = (costs: readonly CostRow[]): string =>
  table([
    ['once', 'unit', 'runs', 'median (min..max)'],
    ...costs.map(({ name, unit, runs, spread }) => [name, unit, String(runs), showSpread(spread)]),
  ])

export const hashTable = (hashes: readonly HashRow[]): string =>
  table([
    ['Keccak-256', 'bytes', 'runs', 'ns a digest (min..max)', '@noble/hashes over it'],
    ...hashes.map(({ name, bytes, runs, ns, timesFaster }) => [
      name,
      String(bytes),
      String(runs),
      showSpread(ns),
      `${digits(timesFaster)}x`,
    ]),
  ])
