/**
 * Times one block on pools of several sizes, each against the sequential path on the same pool.
 *
 * Runs are made in pairs, sequential and parallel in turn, the order within a pair swapped each time: what drifts
 * (clock, neighbours, temperature) meets both alike. Every row opens pools of its own, so that a row is the same
 * whether others were measured before it or not. Nothing is timed before all paths gave the same result.
 */
import type { Executor, MemoryState, PreparedBlock, RunReport } from 'blockloom'
import { type BenchFile, digestOf, openExecutor, stateOf } from './pool.ts'
import { type BlockRow, type Counts, median, type ParallelRow, ratioOf, spreadOf } from './report.ts'

/** At least so many pairs before the first that counts, ... */
const WARM_UP_PAIRS = 5
/** ... and as many as take this long: a block of 100 transactions runs hundreds of times before V8 is done with it. */
const WARM_UP_MS = 1000

export interface BlockOptions {
  readonly runs: number
  /** Pool sizes from 2 on; one worker is always measured. */
  readonly workers: readonly number[]
}

/** Milliseconds of each run of a pool, from which sums over blocks are made. */
export interface Samples {
  readonly workers: number
  readonly sequential: readonly number[]
  readonly parallel: readonly number[]
  readonly counts: Counts
}

export interface MeasuredBlock {
  readonly row: BlockRow
  readonly samples: readonly Samples[]
}

/** @throws {Error} where the parallel result is not the sequential one: no time is given for a wrong result */
export async function measureBlock(
  name: string,
  kind: 'synthetic' | 'real',
  file: BenchFile,
  options: BlockOptions,
): Promise<MeasuredBlock> {
  const samples: Samples[] = []
  let transactions = 0
  // The pool that tables show comes first.
  for (const workers of [...options.workers, 1]) {
    const executor = await openExecutor(workers)
    try {
      const state = stateOf(file, executor)
      const prepared = await executor.prepareBlock(file.block, { state, senders: 'trust', only: 'transactions' })
      transactions = prepared.plan.places
      await assertSame(name, executor, prepared, state, file)
      samples.push({ workers, ...(await timePairs(executor, prepared, state, options.runs)) })
    } finally {
      await executor.close()
    }
  }
  const pools = samples.map((sample) => poolRow(sample, transactions))
  return { row: { name, kind, transactions, runs: options.runs, pools }, samples }
}

/** The row of all blocks together: run k of it is the sum of the k-th runs of the blocks. */
export function sumOf(name: string, blocks: readonly MeasuredBlock[]): BlockRow {
  const transactions = blocks.reduce((sum, { row }) => sum + row.transactions, 0)
  const add = (lists: readonly (readonly number[])[]) =>
    lists[0].map((_, k) => lists.reduce((sum, list) => sum + list[k], 0))
  const pools = blocks[0].samples.map(({ workers }, p) => {
    const parts = blocks.map(({ samples }) => samples[p])
    const keys = Object.keys(parts[0].counts) as (keyof Counts)[]
    const counts = Object.fromEntries(keys.map((key) => [key, parts.reduce((sum, part) => sum + part.counts[key], 0)]))
    return poolRow(
      {
        workers,
        sequential: add(parts.map((part) => part.sequential)),
        parallel: add(parts.map((part) => part.parallel)),
        counts: counts as unknown as Counts,
      },
      transactions,
    )
  })
  // The goal is stated for the sum of times: each block's median, summed.
  const summed = pools.map((pool, p) => {
    const total = (of: (s: Samples) => readonly number[]) =>
      blocks.reduce((sum, { samples }) => sum + median(of(samples[p])), 0)
    const ofMedians = Math.round((1000 * total((s) => s.sequential)) / total((s) => s.parallel)) / 1000
    return { ...pool, ratio: { ...pool.ratio, ofMedians } }
  })
  return { name, kind: 'sum', transactions, runs: blocks[0].row.runs, pools: summed }
}

const poolRow = ({ workers, sequential, parallel, counts }: Samples, transactions: number): ParallelRow => ({
  workers,
  speculation: speculationOf(workers),
  sequential: spreadOf(sequential, 1000 / transactions),
  parallel: spreadOf(parallel, 1000 / transactions),
  ratio: ratioOf(sequential, parallel),
  counts,
})

/** With one worker 'auto' would compare the sequential path with itself; 'always' shows what speculation costs. */
const speculationOf = (workers: number): 'auto' | 'always' => (workers === 1 ? 'always' : 'auto')

async function timePairs(
  executor: Executor,
  prepared: PreparedBlock,
  state: MemoryState,
  runs: number,
): Promise<Omit<Samples, 'workers'>> {
  const speculation = speculationOf(executor.workers)
  const run = (sequential: boolean) => executor.timePrepared(prepared, { state, sequential, speculation })
  const pair = async (k: number): Promise<{ sequential: RunReport; parallel: RunReport }> => {
    if (k % 2 === 0) return { sequential: await run(true), parallel: await run(false) }
    const parallel = await run(false)
    return { sequential: await run(true), parallel }
  }
  const warm = performance.now() + WARM_UP_MS
  for (let k = 0; k < WARM_UP_PAIRS || performance.now() < warm; k++) await pair(k)
  const pairs: { sequential: RunReport; parallel: RunReport }[] = []
  for (let k = 0; k < runs; k++) pairs.push(await pair(k))
  const count = (key: keyof Counts) => median(pairs.map(({ parallel }) => parallel[key]))
  return {
    sequential: pairs.map(({ sequential }) => sequential.ms),
    parallel: pairs.map(({ parallel }) => parallel.ms),
    counts: {
      executions: count('executions'),
      aborts: count('aborts'),
      validations: count('validations'),
      speculative: count('speculative'),
      direct: count('direct'),
      reexecuted: count('reexecuted'),
      fallback: count('fallback'),
      fallbacks: count('fallbacks'),
      deferrals: count('deferrals'),
      waits: count('waits'),
    },
  }
}

async function assertSame(
  name: string,
  executor: Executor,
  prepared: PreparedBlock,
  state: MemoryState,
  file: BenchFile,
): Promise<void> {
  const speculation = speculationOf(executor.workers)
  const sequential = await executor.runPrepared(prepared, { state, sequential: true })
  const parallel = await executor.runPrepared(prepared, { state, speculation })
  if (digestOf(sequential) !== digestOf(parallel)) {
    throw new Error(`${name}: ${executor.workers} workers do not give the sequential result`)
  }
  const { gasUsed } = file.block as { gasUsed?: string }
  // A synthetic block's header claims nothing.
  if (gasUsed !== undefined && BigInt(gasUsed) !== 0n && BigInt(gasUsed) !== parallel.gasUsed) {
    throw new Error(`${name}: ${parallel.gasUsed} gas used, the header says ${BigInt(gasUsed)}`)
  }
}
