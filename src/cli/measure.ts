/**
 * Runs one block by both paths, compares what came out, and takes the times.
 *
 * Owns the order of runs: each path once with its result, which also warms it up, then timed runs by turns. Does not
 * own what a time covers: `Executor.timePrepared` measures execution alone and puts the state back (executor/).
 */
import {
  AbortedError,
  type BlockResult,
  chainAtFork,
  createMemoryState,
  type ExecuteBlockOptions,
  type Executor,
  type Hex,
  ParallelExecutionError,
  type PreparedBlock,
  type RunReport,
} from '../index.ts'
import type { BlockFile } from './blockFile.ts'
import { bytesEqual, type Digests, differencesOf, digestsOf, toHex } from './digest.ts'

export interface MeasureOptions {
  /** Leave the parallel path out. */
  readonly sequential: boolean
  readonly speculation: 'auto' | 'always'
  /** Timed runs of each path, from 1 on. */
  readonly repeat: number
  readonly senders: 'recover' | 'trust'
  readonly signal: AbortSignal
  /** A file for the records of the run that is told, and the run's name in it. */
  readonly records?: { readonly file: string; readonly label: string } | undefined
}

/** True, false, or null where the header does not say. */
interface Matches {
  readonly gasUsed: boolean | null
  readonly logsBloom: boolean | null
  readonly receiptsRoot: boolean | null
}

/** What there is to tell about one block. */
export interface Measurement {
  readonly number: bigint
  readonly txs: number
  readonly gasUsed: bigint
  readonly receiptsRoot: Hex | null
  readonly logsBloom: Hex
  readonly matches: Matches
  /** Phrases, one for each field that does not match the header. */
  readonly mismatches: readonly string[]
  /** Phrases, one for each part in which the parallel result is not the sequential one. */
  readonly differences: readonly string[]
  /** Of the sequential run, and of the parallel one if there was one with a result. */
  readonly digests: { readonly sequential: Digests; readonly parallel: Digests | null }
  readonly sequentialMs: number
  /** Null where the parallel path was left out or failed. */
  readonly parallelMs: number | null
  readonly workers: number
  /** What the parallel run did; the sequential one where there is no other. */
  readonly run: RunReport
  /** Why its records could not be written, in a phrase. */
  readonly recordsError?: string
}

/** Untimed milliseconds on a pool that has not run this file: V8 compiles a worker's code while it runs. */
const WARM_UP_MILLISECONDS = 400
/** Untimed runs of a path at the least, besides the one that is compared. */
const WARM_UPS = 2

/** How often `measure` calls `onStep`. */
export const stepsOf = ({ sequential, repeat }: Pick<MeasureOptions, 'sequential' | 'repeat'>): number =>
  1 + (sequential ? 1 : 2) * (1 + repeat)

/**
 * Runs a block.
 *
 * @param onStep - called after each run, `stepsOf(options)` times in all
 * @throws {ParallelExecutionError} where the file cannot be run sequentially, or the signal was aborted. A parallel run
 *   that fails where the sequential one did not is a difference, not an error
 */
export async function measure(
  executor: Executor,
  file: BlockFile,
  options: MeasureOptions,
  onStep: () => void,
): Promise<Measurement> {
  const { repeat, senders, signal, speculation } = options
  const chain = chainAtFork(file.fork)
  // Before the state is filled: a block that cannot be decoded is told at once.
  executor.decode(file.block, { chain })
  const state = createMemoryState().load(file)
  // A block file has the accounts of its transactions, not those of system calls, withdrawals and rewards.
  const only = 'transactions'
  const parallel: ExecuteBlockOptions = { state, chain, senders, speculation, signal, only }
  const sequential: ExecuteBlockOptions = { ...parallel, sequential: true }
  const recorded = options.records === undefined ? {} : { records: options.records }
  const prepared = await executor.prepareBlock(file.block, parallel)
  onStep()

  const compared = options.sequential
    ? await compare(executor, prepared, { ...sequential, ...recorded }, undefined, onStep)
    : await compare(executor, prepared, sequential, { ...parallel, ...recorded }, onStep)
  const paths = compared.ranParallel ? [sequential, parallel] : [sequential]
  const times = new Map<ExecuteBlockOptions, number[]>(paths.map((path) => [path, []]))
  // One run alone is asked for where the result matters, several where the times do.
  const warmUntil = performance.now() + WARM_UP_MILLISECONDS
  for (let round = 0; repeat > 1 && (round < WARM_UPS || performance.now() < warmUntil); round++) {
    for (const path of paths) await executor.timePrepared(prepared, path)
  }
  for (let round = 0; round < repeat; round++) {
    for (const path of paths) {
      times.get(path)?.push((await executor.timePrepared(prepared, path)).ms)
      onStep()
    }
  }
  return {
    ...compared.facts,
    sequentialMs: median(times.get(sequential) as number[]),
    parallelMs: compared.ranParallel ? median(times.get(parallel) as number[]) : null,
    workers: options.sequential ? 1 : executor.workers,
  }
}

type Facts = Omit<Measurement, 'sequentialMs' | 'parallelMs' | 'workers'>

/** The runs whose results count. Results live no longer than this: their garbage would fall into the timed runs. */
async function compare(
  executor: Executor,
  prepared: PreparedBlock,
  sequential: ExecuteBlockOptions,
  parallel: ExecuteBlockOptions | undefined,
  onStep: () => void,
): Promise<{ readonly facts: Facts; readonly ranParallel: boolean }> {
  const oracle = await executor.runPrepared(prepared, sequential)
  onStep()
  let result: BlockResult | undefined
  let differences: readonly string[] = []
  if (parallel !== undefined) {
    try {
      result = await executor.runPrepared(prepared, parallel)
      differences = differencesOf(oracle, result).map(({ name, where }) =>
        where === '' ? name : `${name} of ${where}`,
      )
    } catch (error) {
      if (error instanceof AbortedError || !(error instanceof ParallelExecutionError)) throw error
      differences = [`everything: the parallel run failed (${error.code}: ${error.message})`]
    }
    onStep()
  }
  const told = result ?? oracle
  const { receiptsRoot, logsBloom, gasUsed, run, recordsError } = told
  return {
    ranParallel: result !== undefined,
    facts: {
      number: prepared.block.header.number,
      txs: prepared.block.transactions.length,
      gasUsed,
      receiptsRoot: receiptsRoot === undefined ? null : toHex(receiptsRoot),
      logsBloom: toHex(logsBloom),
      ...compareWithHeader(prepared, told),
      differences,
      digests: { sequential: digestsOf(oracle), parallel: result === undefined ? null : digestsOf(result) },
      run,
      ...(recordsError === undefined ? {} : { recordsError: recordsError.message }),
    },
  }
}

/** What the header says of a block's gas, bloom and receipts, where it says something. */
export function compareWithHeader(
  { block }: Pick<PreparedBlock, 'block'>,
  result: BlockResult,
): Pick<Measurement, 'matches' | 'mismatches'> {
  const { gasUsed, logsBloom, receiptsRoot } = block.header
  const root = result.receiptsRoot
  const matches: Matches = {
    gasUsed: gasUsed === undefined ? null : gasUsed === result.gasUsed,
    logsBloom: logsBloom === undefined ? null : bytesEqual(logsBloom, result.logsBloom),
    receiptsRoot: receiptsRoot === undefined || root === undefined ? null : bytesEqual(receiptsRoot, root),
  }
  const mismatches: string[] = []
  if (matches.gasUsed === false) mismatches.push(`gasUsed is ${result.gasUsed}, the header says ${gasUsed}`)
  if (matches.logsBloom === false) mismatches.push('logsBloom is not the one of the header')
  if (matches.receiptsRoot === false && root !== undefined && receiptsRoot !== undefined) {
    mismatches.push(`receiptsRoot is ${toHex(root)}, the header says ${toHex(receiptsRoot)}`)
  }
  return { matches, mismatches }
}

/** The middle value; of an even number, the mean of the two. */
function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}
