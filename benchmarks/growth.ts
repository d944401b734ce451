/**
 * How time and memory grow with the block, and what more workers than cores lose.
 *
 * Time a transaction should not depend on how many there are; 4, 8 and 16 workers on two cores should lose nothing, since
 * no more are called than there are cores (docs/algorithm.md D11).
 */
import { openExecutor, stateOf } from './pool.ts'
import { median, round, type Spread, spreadOf, table } from './report.ts'
import { makeWorkload, type WorkloadName } from './workloads.ts'

const GROWTH_NAMES: readonly WorkloadName[] = ['transfers', 'erc20-hot', 'chain']
const SIZES = [1_000, 5_000, 20_000, 50_000] as const
const POOLS = [2, 4, 8, 16] as const
const POOL_NAMES: readonly WorkloadName[] = ['transfers', 'erc20', 'uniswap']
const POOL_TRANSACTIONS = 2_000
const WARM_UP = 5
/** A short block runs often before V8 is done with it. */
const WARM_UP_MS = 1000

/** One size of block, two workers. */
export interface GrowthRow {
  readonly name: string
  readonly transactions: number
  /** Microseconds a transaction. */
  readonly sequential: Spread
  readonly parallel: Spread
  /** Bytes of working memory a transaction. */
  readonly memory: number
}

/** One block on pools of several sizes; milliseconds by pool size. */
export interface PoolsRow {
  readonly name: string
  readonly transactions: number
  readonly ms: Readonly<Record<number, Spread>>
  /** Time of the slowest pool over that of two workers. */
  readonly worst: number
}

/** Runs of one block in turn with those of others would meet the same weather; here each size has its own pool. */
export async function measureGrowth(runs: number): Promise<GrowthRow[]> {
  const rows: GrowthRow[] = []
  for (const name of GROWTH_NAMES) {
    for (const transactions of SIZES) {
      const executor = await openExecutor(2)
      try {
        const file = makeWorkload(name, transactions)
        const state = stateOf(file, executor)
        const prepared = await executor.prepareBlock(file.block, { state, senders: 'trust', only: 'transactions' })
        const times: [sequential: number[], parallel: number[]] = [[], []]
        let memory = 0
        const warm = performance.now() + WARM_UP_MS
        for (let k = 0; times[0].length < runs; k++) {
          const { ms } = await executor.timePrepared(prepared, { state, sequential: true })
          const run = await executor.timePrepared(prepared, { state })
          memory = Math.max(memory, run.memoryBytes)
          if (k < WARM_UP || performance.now() < warm) continue
          times[0].push(ms)
          times[1].push(run.ms)
        }
        const [sequential, parallel] = times.map((list) => spreadOf(list, 1000 / transactions)) as [Spread, Spread]
        rows.push({ name, transactions, sequential, parallel, memory: Math.round(memory / transactions) })
      } finally {
        await executor.close()
      }
    }
  }
  return rows
}

/** All pools stand at once and run the block in turn. */
export async function measurePools(runs: number): Promise<PoolsRow[]> {
  const rows: PoolsRow[] = []
  for (const name of POOL_NAMES) {
    const file = makeWorkload(name, POOL_TRANSACTIONS)
    const pools = await Promise.all(
      POOLS.map(async (workers) => {
        const executor = await openExecutor(workers)
        const state = stateOf(file, executor)
        const options = { state, senders: 'trust', only: 'transactions' } as const
        return { executor, state, prepared: await executor.prepareBlock(file.block, options), times: [] as number[] }
      }),
    )
    try {
      const warm = performance.now() + WARM_UP_MS * POOLS.length
      for (let k = 0, counted = 0; counted < runs; k++) {
        const counts = k >= WARM_UP && performance.now() > warm
        if (counts) counted++
        for (const { executor, state, prepared, times } of pools) {
          const { ms } = await executor.timePrepared(prepared, { state })
          if (counts) times.push(ms)
        }
      }
    } finally {
      await Promise.all(pools.map(({ executor }) => executor.close()))
    }
    const ms = Object.fromEntries(pools.map(({ times }, p) => [POOLS[p], spreadOf(times)]))
    const slowest = Math.max(...pools.map(({ times }) => median(times)))
    rows.push({ name, transactions: POOL_TRANSACTIONS, ms, worst: round(slowest / median(pools[0].times)) })
  }
  return rows
}

export const growthTable = (rows: readonly GrowthRow[]): string =>
  table([
    ['growth', 'txs', 'sequential us/tx', '2 workers us/tx', 'bytes/tx'],
    ...rows.map(({ name, transactions, sequential, parallel, memory }) => [
      name,
      String(transactions),
      sequential.median.toFixed(2),
      parallel.median.toFixed(2),
      String(memory),
    ]),
  ])

export const poolsTable = (rows: readonly PoolsRow[]): string =>
  table([
    ['ms by workers', 'txs', ...POOLS.map(String), 'slowest over 2'],
    ...rows.map(({ name, transactions, ms, worst }) => [
      name,
      String(transactions),
      ...POOLS.map((workers) => (ms[workers] as Spread).median.toFixed(2)),
      worst.toFixed(2),
    ]),
  ])
