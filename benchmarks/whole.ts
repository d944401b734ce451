/**
 * A whole block, from transactions with their senders to receipts and state root, beside @nomicfoundation/edr.
 *
 * Here `runPrepared`: execution on the pool, receipts, their root, the difference, the state root. There `evm_mine` of
 * the same transactions, which does as much and keeps the block. Neither makes objects of receipts: both would when asked.
 * State and, here, its trie are loaded before; a run leaves them as they are.
 */
import { chainAtFork, type Executor, stateRootOf } from 'blockloom'
import { mineWithEdr } from './edr.ts'
import { type BenchFile, openExecutor, stateOf } from './pool.ts'
import { digits, round, type Spread, showSpread, spreadOf, table } from './report.ts'
import { makeWorkload, type WorkloadName } from './workloads.ts'

const NAMES: readonly WorkloadName[] = ['transfers', 'erc20', 'uniswap']
/** edr takes a tenth of a second for so many. */
const TRANSACTIONS = 1_000
const EDR_RUNS = 5
const WARM_UP = 20
/** Of both: Prague's blocks need contracts that the workloads' states do not have. */
const CHAIN = chainAtFork('cancun')

export interface WholeRow {
  readonly name: string
  readonly transactions: number
  readonly runs: number
  /** Milliseconds a block with two workers. */
  readonly ms: Spread
  /** The same of edr; absent where it is not installed. */
  readonly edr?: Spread
}

async function timeWhole(executor: Executor, file: BenchFile, runs: number): Promise<number[]> {
  const state = stateOf(file, executor)
  await stateRootOf(state)
  const prepared = await executor.prepareBlock(file.block, { state, chain: CHAIN, senders: 'trust' })
  const times: number[] = []
  for (let k = 0; k < WARM_UP + runs; k++) {
    const began = performance.now()
    await executor.runPrepared(prepared, { state, chain: CHAIN })
    if (k >= WARM_UP) times.push(performance.now() - began)
    state.rollback()
  }
  return times
}

export async function measureWhole(runs: number): Promise<WholeRow[]> {
  const rows: WholeRow[] = []
  for (const name of NAMES) {
    const file = makeWorkload(name, TRANSACTIONS)
    const executor = await openExecutor(2)
    try {
      const ms = spreadOf(await timeWhole(executor, file, runs))
      const edr: number[] = []
      for (let k = 0; k < EDR_RUNS; k++) {
        const time = await mineWithEdr(file)
        if (time === undefined) break
        edr.push(time)
      }
      rows.push({
        ...{ name, transactions: TRANSACTIONS, runs, ms },
        ...(edr.length === 0 ? {} : { edr: spreadOf(edr) }),
      })
    } finally {
      await executor.close()
    }
  }
  return rows
}

export const wholeTable = (rows: readonly WholeRow[]): string =>
  table([
    ['whole block, ms', 'txs', 'runs', '2 workers', 'edr, evm_mine', 'times faster'],
    ...rows.map(({ name, transactions, runs, ms, edr }) => [
      name,
      String(transactions),
      String(runs),
      showSpread(ms),
      edr === undefined ? 'n/a' : showSpread(edr),
      edr === undefined ? 'n/a' : `${digits(round(edr.median / ms.median))}x`,
    ]),
  ])
