/**
 * The ethereumjs adapter beside `runTx` of @ethereumjs/vm: on `MerkleStateManager`, which is what a user has today, and on
 * a flat state manager (flatState.ts) that holds the same state, which is what the adapter adds to.
 *
 * The paths take turns on each block, so that what drifts meets all alike, and must agree on the gas they used.
 */
import { Worker } from 'node:worker_threads'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { chainAtFork, createExecutor, type Executor } from 'blockloom'
import { type EthereumjsFile, runEthereumjs } from './ethereumjs.ts'
import { FlatStateManager } from './flatState.ts'
import { measureBlocks, type NamedBlock, type OutsiderOptions } from './outsiderBlocks.ts'
import { type BenchFile, dist, stateOf } from './pool.ts'
import { digits, median, round, table } from './report.ts'
import type { WorkloadName } from './workloads.ts'

const NAMES: readonly WorkloadName[] = ['transfers', 'erc20', 'uniswap']
const MOST_RUNS = 5
/** Milliseconds of each path before its first run that counts: V8 compiles @ethereumjs/evm in every thread anew. */
const WARM_UP = 2000

const PATHS = ['merkle', 'flat', 'sequential', 'one', 'two'] as const
type Path = (typeof PATHS)[number]

/** Milliseconds a block, medians. */
export interface AdapterRow {
  readonly name: string
  readonly kind: 'synthetic' | 'real' | 'sum'
  readonly transactions: number
  readonly runs: number
  /** `runTx` on MerkleStateManager with its caches. */
  readonly merkle: number
  /** `runTx` on a flat state manager over this library's state. */
  readonly flat: number
  /** The adapter, one transaction after another: what one worker does unless it is told to speculate. */
  readonly sequential: number
  /** The adapter speculating with one worker, and with two. */
  readonly one: number
  readonly two: number
}

/** Milliseconds that each path takes for a block, one after another. */
type Paths = Readonly<Record<Path, () => Promise<{ readonly ms: number; readonly gasUsed: bigint }>>>

const openPool = (workers: number): Promise<Executor> =>
  createExecutor({
    adapter: 'ethereumjs',
    workers,
    worker: () => new Worker(dist('worker.js'), { execArgv: [] }),
  })

async function pathsOf(file: BenchFile, one: Executor, two: Executor): Promise<Paths> {
  const state = stateOf(file, one)
  const plain = file as unknown as EthereumjsFile
  const options = { state, chain: chainAtFork(plain.fork as never), senders: 'trust', only: 'transactions' } as const
  const inPool = async (executor: Executor, path: { sequential: true } | { speculation: 'always' }) => {
    const prepared = await executor.prepareBlock(file.block, options)
    return async () => {
      const { run, gasUsed } = await executor.runPrepared(prepared, { ...options, ...path })
      return { ms: run.ms, gasUsed }
    }
  }
  return {
    merkle: () => runEthereumjs(plain),
    flat: () => runEthereumjs(plain, { stateManager: new FlatStateManager(state, keccak_256) }),
    sequential: await inPool(one, { sequential: true }),
    one: await inPool(one, { speculation: 'always' }),
    two: await inPool(two, { speculation: 'always' }),
  }
}

async function measureOne({ name, file, isReal }: NamedBlock, paths: Paths, runs: number): Promise<AdapterRow> {
  const times: Record<Path, number[]> = { merkle: [], flat: [], sequential: [], one: [], two: [] }
  const gas = new Set<bigint>()
  // A real block runs once, in threads that are warm from the blocks before.
  for (const path of isReal ? [] : PATHS) {
    for (let spent = 0; spent < WARM_UP; ) spent += (await paths[path]()).ms
  }
  for (let k = 0; k < runs; k++) {
    for (const path of PATHS) {
      const { ms, gasUsed } = await paths[path]()
      gas.add(gasUsed)
      times[path].push(ms)
    }
  }
  if (gas.size > 1) throw new Error(`${name}: the paths differ in the gas they used`)
  const [merkle, flat, sequential, one, two] = PATHS.map((path) => round(median(times[path]))) as [
    ...[number, number, number, number, number],
  ]
  const { transactions } = file.block as { readonly transactions: readonly unknown[] }
  const kind = isReal ? 'real' : 'synthetic'
  return { name, kind, transactions: transactions.length, runs, merkle, flat, sequential, one, two }
}

export async function measureAdapter(
  real: readonly { readonly name: string; readonly file: BenchFile }[],
  options: OutsiderOptions,
): Promise<AdapterRow[]> {
  const pools = [await openPool(1), await openPool(2)] as const
  try {
    const rows = await measureBlocks(NAMES, real, options, async (block) => {
      const runs = block.isReal ? 1 : Math.min(options.runs, MOST_RUNS)
      const row = await measureOne(block, await pathsOf(block.file, ...pools), runs)
      options.say(`bench: ${PATHS.map((path) => `${path} ${digits(row[path])}`).join(', ')} ms: ${row.name}`)
      return row
    })
    return [...rows.synthetic, ...rows.real, ...(rows.real.length > 1 ? [sumOf(rows.real)] : [])]
  } finally {
    for (const pool of pools) await pool.close()
  }
}

const sumOf = (rows: readonly AdapterRow[]): AdapterRow => {
  const sum = (pick: (row: AdapterRow) => number) => round(rows.reduce((total, row) => total + pick(row), 0))
  return {
    ...{ name: `${rows.length} real blocks`, kind: 'sum', transactions: sum((row) => row.transactions), runs: 1 },
    ...{ merkle: sum((row) => row.merkle), flat: sum((row) => row.flat) },
    ...{ sequential: sum((row) => row.sequential), one: sum((row) => row.one), two: sum((row) => row.two) },
  }
}

export function adapterTable(rows: readonly AdapterRow[]): string {
  const head = ['runTx, Merkle', 'runTx, flat', 'sequential', '1 worker', '2 workers']
  return table([
    ['adapter ethereumjs, ms a block', ...head, 'Merkle / flat', 'sequential / flat', '1 worker / flat', 'flat / 2'],
    ...rows.map((row) => [
      `${row.name} (${row.transactions})`,
      ...PATHS.map((path) => digits(row[path])),
      ...[row.merkle / row.flat, row.sequential / row.flat, row.one / row.flat, row.flat / row.two].map((ratio) =>
        ratio.toFixed(2),
      ),
    ]),
  ])
}
