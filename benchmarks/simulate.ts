/**
 * The simulator against reality: predicted and measured time of a block at one and at two workers.
 *
 * One worker is the sequential path, two are Block-STM with `speculation: 'auto'`, as users run them. Runs with and
 * without records, on one worker and on two, take turns. Predicted is from all recorded runs together, measured is the
 * median of those without records; before each of these goes one that is not counted, since what main does with the
 * records of the run before leaves the caches cold. Each recording predicts both: the own number of workers, and the
 * other one, for which the simulator has to know what it has not seen. The own number is calibrated (contention), on
 * the recorded runs alone: runs without records are what it has to meet. Both recordings together predict both numbers.
 */
import { decodeTrace, type ExecuteBlockOptions } from 'blockloom'
import { createSimulator } from 'blockloom/records'
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
  /** And from both together. */
  readonly fromBoth: { readonly one: number; readonly two: number }
}

/** One number of workers. */
interface Path {
  readonly sequential: boolean
  readonly plain: number[]
  readonly traces: Uint8Array[]
}

export async function measureSimulation(name: string, file: BenchFile, runs: number): Promise<SimulateRow> {
  const executor = await openExecutor(2)
  const one: Path = { sequential: true, plain: [], traces: [] }
  const two: Path = { sequential: false, plain: [], traces: [] }
  try {
    const state = stateOf(file, executor)
    const prepared = await executor.prepareBlock(file.block, { state, senders: 'trust', only: 'transactions' })
    for (let k = 0; k < WARM_UP + runs; k++) {
      for (const { sequential, plain, traces } of [one, two]) {
        const options: ExecuteBlockOptions = { state, senders: 'trust', only: 'transactions', sequential }
        await executor.timePrepared(prepared, options)
        const { ms } = await executor.timePrepared(prepared, options)
        const pieces: Uint8Array[] = []
        // Decoded later: a collection of garbage would fall into the next run.
        const onChunk = (bytes: Uint8Array) => void pieces.push(bytes)
        await executor.timePrepared(prepared, { ...options, records: { onChunk } })
        if (k < WARM_UP) continue
        plain.push(ms)
        traces.push(Buffer.concat(pieces))
      }
    }
    const measured = { one: round(median(one.plain)), two: round(median(two.plain)) }
    const over = (...paths: readonly Path[]) => {
      const { run } = createSimulator(paths.flatMap(({ traces }) => traces.flatMap((trace) => decodeTrace(trace).runs)))
      const at = (workers: number) => run({ workers, speculation: 'auto' }).makespan / 1000
      return { one: round(at(1) / measured.one), two: round(at(2) / measured.two) }
    }
    return {
      ...{ name, transactions: prepared.plan.places, runs, measured },
      ...{ fromOne: over(one), fromTwo: over(two), fromBoth: over(one, two) },
    }
  } finally {
    await executor.close()
  }
}

/** Largest error of the predictions for numbers of workers that were recorded, and of those for the other one. */
export function errorsOf(rows: readonly SimulateRow[]): { readonly own: number; readonly other: number } {
  const worst = (ratios: readonly number[]) => Math.max(0, ...ratios.map((ratio) => Math.abs(ratio - 1)))
  return {
    own: worst(
      rows.flatMap(({ fromOne, fromTwo, fromBoth }) => [fromOne.one, fromTwo.two, fromBoth.one, fromBoth.two]),
    ),
    other: worst(rows.flatMap(({ fromOne, fromTwo }) => [fromOne.two, fromTwo.one])),
  }
}

export const simulateTable = (rows: readonly SimulateRow[]): string =>
  table([
    [
      'predicted / measured',
      'txs',
      '1 worker, ms',
      '2 workers, ms',
      '1 from 1',
      '2 from 2',
      '2 from 1',
      '1 from 2',
      '1 from both',
      '2 from both',
    ],
    ...rows.map(({ name, transactions, measured, fromOne, fromTwo, fromBoth }) => [
      ...[name, String(transactions), measured.one.toFixed(2), measured.two.toFixed(2)],
      ...[fromOne.one, fromTwo.two, fromOne.two, fromTwo.one, fromBoth.one, fromBoth.two].map((ratio) =>
        ratio.toFixed(2),
      ),
    ]),
  ])
