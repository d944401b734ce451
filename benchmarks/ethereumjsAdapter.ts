/**
 * The ethereumjs adapter beside plain `runTx`: on `MerkleStateManager`, which is what a user has today, and on this
 * library's flat state, one transaction after another, which is what the adapter adds to.
 *
 * Where real blocks are there, those above a hundred transactions run as well, once each: they take seconds.
 */
import { Worker } from 'node:worker_threads'
import { chainAtFork, createExecutor } from 'blockloom'
import { type EthereumjsFile, runEthereumjs } from './ethereumjs.ts'
import { type BenchFile, digestOf, dist, stateOf } from './pool.ts'
import { digits, median, round, table } from './report.ts'
import { makeWorkload, type WorkloadName } from './workloads.ts'

const NAMES: readonly WorkloadName[] = ['transfers', 'erc20', 'uniswap']
const TRANSACTIONS = 300
const MOST_RUNS = 5
const WARM_UP = 1

/** Milliseconds a block, medians. */
export interface AdapterRow {
  readonly name: string
  readonly transactions: number
  readonly runs: number
  /** `runTx` on MerkleStateManager with its caches. */
  readonly merkle: number
  /** `runTx` on this library's flat state: the adapter's sequential path. */
  readonly flat: number
  /** The adapter speculating with one worker, and with two. */
  readonly one: number
  readonly two: number
}

interface Named {
  readonly name: string
  readonly file: BenchFile
}

/** Medians of the sequential path and of speculation, on a pool of so many workers. */
async function timeAdapter(
  file: BenchFile,
  workers: number,
  runs: number,
): Promise<{ flat: number; parallel: number }> {
  const executor = await createExecutor({
    adapter: 'ethereumjs',
    workers,
    worker: () => new Worker(dist('worker.js'), { execArgv: [] }),
  })
  try {
    const state = stateOf(file, executor)
    const { fork } = file as unknown as EthereumjsFile
    const options = { state, chain: chainAtFork(fork as never), senders: 'trust', only: 'transactions' } as const
    const prepared = await executor.prepareBlock(file.block, options)
    const paths = [{ sequential: true }, { speculation: 'always' }] as const
    const times: [number[], number[]] = [[], []]
    const digests = new Set<string>()
    for (let k = 0; k < WARM_UP + runs; k++) {
      for (const [p, path] of paths.entries()) {
        const result = await executor.runPrepared(prepared, { ...options, ...path })
        if (k === 0) digests.add(digestOf(result))
        if (k >= WARM_UP) times[p as 0 | 1].push(result.run.ms)
      }
    }
    if (digests.size > 1) throw new Error('the parallel result is not the sequential one')
    return { flat: median(times[0]), parallel: median(times[1]) }
  } finally {
    await executor.close()
  }
}

export async function measureAdapter(real: readonly Named[], runs: number): Promise<AdapterRow[]> {
  const rows: AdapterRow[] = []
  const blocks = [
    ...NAMES.map((name) => ({
      name,
      file: makeWorkload(name, TRANSACTIONS) as BenchFile,
      runs: Math.min(runs, MOST_RUNS),
    })),
    ...real.map(({ name, file }) => ({ name, file, runs: 1 })),
  ]
  for (const { name, file, runs: count } of blocks) {
    const merkle: number[] = []
    let transactions = 0
    for (let k = 0; k < count; k++) {
      const { ms, txs } = await runEthereumjs(file as unknown as EthereumjsFile)
      merkle.push(ms)
      transactions = txs
    }
    const one = await timeAdapter(file, 1, count)
    const two = await timeAdapter(file, 2, count)
    const times = { merkle: median(merkle), flat: one.flat, one: one.parallel, two: two.parallel }
    rows.push({ name, transactions, runs: count, ...times })
  }
  if (real.length > 1) rows.push(sumOf(rows.slice(NAMES.length)))
  return rows.map((row) => ({
    ...row,
    ...{ merkle: round(row.merkle), flat: round(row.flat), one: round(row.one), two: round(row.two) },
  }))
}

const sumOf = (rows: readonly AdapterRow[]): AdapterRow => {
  const sum = (pick: (row: AdapterRow) => number) => rows.reduce((total, row) => total + pick(row), 0)
  return {
    ...{ name: `${rows.length} real blocks`, transactions: sum((row) => row.transactions), runs: 1 },
    ...{ merkle: sum((row) => row.merkle), flat: sum((row) => row.flat) },
    ...{ one: sum((row) => row.one), two: sum((row) => row.two) },
  }
}

export function adapterTable(rows: readonly AdapterRow[]): string {
  return table([
    [
      'adapter ethereumjs, ms a block',
      'runTx, Merkle',
      'runTx, flat',
      '1 worker',
      '2 workers',
      'gain over Merkle',
      'over flat',
      '1 worker over flat',
    ],
    ...rows.map(({ name, transactions, merkle, flat, one, two }) => [
      `${name} (${transactions})`,
      ...[merkle, flat, one, two].map((ms) => digits(ms)),
      ...[merkle / two, flat / two, one / flat].map((ratio) => ratio.toFixed(2)),
    ]),
  ])
}
