/**
 * The simulator against reality: predicted and measured time of a block at one and at two workers.
 *
 * One worker is the sequential path, two are Block-STM with `speculation: 'auto'`, as users run them. Runs with and
 * without records take turns. Predicted is from the recorded run whose time is the median of all recorded ones;
 * measured are the runs without records. Each recording predicts both: the own number of workers, and the other one,
 * for which the simulator has to know what it has not seen.
 */
import type { ExecuteBlockOptions, Executor, MemoryState, PreparedBlock } from 'blockloom'
import { type RunRecord, simulate } from 'blockloom/records'
import { type BenchFile, openExecutor, stateOf } from './pool.ts'
import { median, round, table } from './report.ts'

const WARM_UP = 12
/** What a prediction may be wrong by. */
export const TOLERANCE = 0.15

export interface SimulateRow {
  readonly name: string
  readonly transactions: number
  readonly runs: number
  /** Milliseconds, medians. */
  readonly measured: { readonly one: number; readonly two: number }
  /** Predicted over measured, from the recording of one worker and from that of two. */
  readonly fromOne: { readonly one: number; readonly two: number }
  readonly fromTwo: { readonly one: number; readonly two: number }
}

interface Path {
  readonly measured: number
  /** Predicted milliseconds at one worker and at two. */
  readonly one: number
  readonly two: number
}

async function measurePath(
  executor: Executor,
  prepared: PreparedBlock,
  state: MemoryState,
  sequential: boolean,
  runs: number,
): Promise<Path> {
  const options: ExecuteBlockOptions = { state, senders: 'trust', only: 'transactions', sequential }
  const plain: number[] = []
  const recorded: { readonly ms: number; readonly record: RunRecord }[] = []
  for (let k = 0; k < WARM_UP + runs; k++) {
    const { ms } = await executor.timePrepared(prepared, options)
    const { run, records } = await executor.runPrepared(prepared, { ...options, records: true })
    if (k < WARM_UP) continue
    plain.push(ms)
    if (records === undefined) throw new Error('the run has no records')
    recorded.push({ ms: run.ms, record: records })
  }
  recorded.sort((a, b) => a.ms - b.ms)
  const { record } = recorded[recorded.length >> 1]
  const at = (workers: number) => simulate(record, { workers, speculation: 'auto' }).makespan / 1000
  return { measured: median(plain), one: at(1), two: at(2) }
}

export async function measureSimulation(name: string, file: BenchFile, runs: number): Promise<SimulateRow> {
  const executor = await openExecutor(2)
  try {
    const state = stateOf(file, executor)
    const prepared = await executor.prepareBlock(file.block, { state, senders: 'trust', only: 'transactions' })
    const one = await measurePath(executor, prepared, state, true, runs)
    const two = await measurePath(executor, prepared, state, false, runs)
    const measured = { one: round(one.measured), two: round(two.measured) }
    const over = ({ one: first, two: second }: Path) => ({
      one: round(first / one.measured),
      two: round(second / two.measured),
    })
    return { name, transactions: prepared.plan.places, runs, measured, fromOne: over(one), fromTwo: over(two) }
  } finally {
    await executor.close()
  }
}

/** Largest error of the predictions for the number of workers that was recorded, and of those for the other one. */
export function errorsOf(rows: readonly SimulateRow[]): { readonly own: number; readonly other: number } {
  const worst = (ratios: readonly number[]) => Math.max(0, ...ratios.map((ratio) => Math.abs(ratio - 1)))
  return {
    own: worst(rows.flatMap(({ fromOne, fromTwo }) => [fromOne.one, fromTwo.two])),
    other: worst(rows.flatMap(({ fromOne, fromTwo }) => [fromOne.two, fromTwo.one])),
  }
}

export const simulateTable = (rows: readonly SimulateRow[]): string =>
  table([
    ['predicted / measured', 'txs', '1 worker, ms', '2 workers, ms', '1 from 1', '2 from 2', '2 from 1', '1 from 2'],
    ...rows.map(({ name, transactions, measured, fromOne, fromTwo }) => [
      ...[name, String(transactions), measured.one.toFixed(2), measured.two.toFixed(2)],
      ...[fromOne.one, fromTwo.two, fromOne.two, fromTwo.one].map((ratio) => ratio.toFixed(2)),
    ]),
  ])
