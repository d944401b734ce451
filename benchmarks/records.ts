/**
 * What recording costs, and what learning saves: the same block by turns with records off and on, and its aborts with
 * an executor that learns and one that does not.
 *
 * Records go to a callback that drops them, so that no disk is measured. `ms` is the run on the pool, `wall` all of the
 * call, in which main also copies the logs out.
 */
import { chainAtFork, type ExecuteBlockOptions } from 'blockloom'
import { openExecutor, stateOf } from './pool.ts'
import { digits, median, type Spread, showSpread, spreadOf, table } from './report.ts'
import { makeWorkload, type WorkloadName } from './workloads.ts'

const NAMES: readonly WorkloadName[] = ['transfers', 'erc20', 'erc20-hot', 'mixed', 'uniswap']
const TRANSACTIONS = 5_000
const WARM_UP = 10
/** Runs of each kind whose aborts are counted; the first of them is what there is to learn from. */
const LEARNING_RUNS = 8

export interface RecordsRow {
  readonly name: string
  readonly transactions: number
  readonly runs: number
  /** Milliseconds on the pool, and of the whole call, without records and with them. */
  readonly off: Spread
  readonly on: Spread
  readonly wallOff: Spread
  readonly wallOn: Spread
  /** Median aborts of a run with `speculation: 'always'`, without hints and with those of the runs before. */
  readonly aborts: number
  readonly abortsLearned: number
}

async function measureOne(name: WorkloadName, runs: number): Promise<RecordsRow> {
  const file = makeWorkload(name, TRANSACTIONS)
  const times = { off: [] as number[], on: [] as number[], wallOff: [] as number[], wallOn: [] as number[] }
  const executor = await openExecutor(2)
  try {
    const state = stateOf(file, executor)
    const off: ExecuteBlockOptions = { state, chain: chainAtFork(file.fork), senders: 'trust', only: 'transactions' }
    const on: ExecuteBlockOptions = { ...off, records: { onChunk: () => undefined } }
    const prepared = await executor.prepareBlock(file.block, off)
    for (let k = 0; k < WARM_UP + runs; k++) {
      for (const [options, ms, wall] of [
        [off, times.off, times.wallOff],
        [on, times.on, times.wallOn],
      ] as const) {
        const began = performance.now()
        const report = await executor.timePrepared(prepared, options)
        if (k < WARM_UP) continue
        ms.push(report.ms)
        wall.push(performance.now() - began)
      }
    }
  } finally {
    await executor.close()
  }
  return {
    ...{ name, transactions: TRANSACTIONS, runs, off: spreadOf(times.off), on: spreadOf(times.on) },
    ...{ wallOff: spreadOf(times.wallOff), wallOn: spreadOf(times.wallOn) },
    aborts: await abortsOf(name, false),
    abortsLearned: await abortsOf(name, true),
  }
}

async function abortsOf(name: WorkloadName, learn: boolean): Promise<number> {
  const file = makeWorkload(name, TRANSACTIONS)
  const executor = await openExecutor(2, undefined, learn)
  try {
    const state = stateOf(file, executor)
    const options = { state, chain: chainAtFork(file.fork), only: 'transactions', speculation: 'always' } as const
    const prepared = await executor.prepareBlock(file.block, { ...options, senders: 'trust' })
    const aborts: number[] = []
    for (let k = 0; k < LEARNING_RUNS; k++) aborts.push((await executor.timePrepared(prepared, options)).aborts)
    return median(aborts.slice(1))
  } finally {
    await executor.close()
  }
}

export async function measureRecords(runs: number): Promise<RecordsRow[]> {
  const rows: RecordsRow[] = []
  for (const name of NAMES) rows.push(await measureOne(name, runs))
  return rows
}

export const recordsTable = (rows: readonly RecordsRow[]): string =>
  table([
    ['records', 'off, ms', 'on, ms', 'more, %', 'call off, ms', 'call on, ms', 'more, %', 'aborts', 'aborts, learned'],
    ...rows.map(({ name, off, on, wallOff, wallOn, aborts, abortsLearned }) => [
      name,
      ...[showSpread(off), showSpread(on), digits((on.median / off.median - 1) * 100)],
      ...[showSpread(wallOff), showSpread(wallOn), digits((wallOn.median / wallOff.median - 1) * 100)],
      ...[String(aborts), String(abortsLearned)],
    ]),
  ])
