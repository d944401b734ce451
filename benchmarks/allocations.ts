/**
 * Counts what is allocated and what is said by message while blocks run: nothing may grow with the transactions.
 *
 * Bytes are those of each worker's JavaScript heap, read from its V8 at the ends of `runs` runs of one block
 * (allocation-worker.mjs); messages are counted on main, both ways. The kernel's own memory is WebAssembly's and is not
 * in the heap.
 */

import { Worker } from 'node:worker_threads'
import { createExecutor } from 'blockloom'
import { Control, WorkerBlock } from '../src/core/layout.ts'
import { stateOf } from './pool.ts'
import { round, table } from './report.ts'
import { makeWorkload, type WorkloadName } from './workloads.ts'

/** Fields of a worker in the meter's results. */
const FIELDS = 5
const WARM_UP_MS = 3000

export interface AllocationRow {
  readonly workload: WorkloadName
  readonly path: 'sequential' | 'speculative'
  readonly worker: number
  readonly runs: number
  /** Transactions of the block; with two workers each runs about half of them. */
  readonly transactions: number
  readonly bytesPerRun: number
  readonly bytesPerTransaction: number
  readonly scavenges: number
  readonly fullCollections: number
  /** To and from this worker in all of the runs. */
  readonly messages: number
}

/** Where a path allocates, by sampling: shares are good, sums are not. */
export interface AllocationSite {
  readonly workload: WorkloadName
  readonly path: AllocationRow['path']
  /** Function and its line in dist/worker.js. */
  readonly site: string
  readonly bytesPerTransaction: number
}

export interface AllocationReport {
  readonly rows: readonly AllocationRow[]
  readonly sites: readonly AllocationSite[]
}

const SITES_SHOWN = 6

export async function measureAllocations(
  workload: WorkloadName,
  transactions: number,
  workers: number,
  runs: number,
): Promise<AllocationReport> {
  const file = makeWorkload(workload, transactions)
  const rows: AllocationRow[] = []
  const sites: AllocationSite[] = []
  for (const path of ['sequential', 'speculative'] as const) {
    const counted = await measurePath(file, path, workers, runs, false)
    counted.meters.forEach(({ count, bytes, ...rest }, worker) => {
      const bytesPerRun = Math.round(bytes / count)
      const bytesPerTransaction = round(bytes / count / transactions)
      rows.push({ workload, path, worker, runs: count, transactions, bytesPerRun, bytesPerTransaction, ...rest })
    })
    const sampled = await measurePath(file, path, workers, runs, true)
    const bySite = new Map<string, number>()
    for (const { site, bytes } of sampled.sites) bySite.set(site, (bySite.get(site) ?? 0) + bytes)
    const top = [...bySite].sort(([, a], [, b]) => b - a).slice(0, SITES_SHOWN)
    for (const [site, bytes] of top) {
      sites.push({ workload, path, site, bytesPerTransaction: round(bytes / runs / transactions) })
    }
  }
  return { rows, sites }
}

interface Meter {
  readonly count: number
  readonly bytes: number
  readonly scavenges: number
  readonly fullCollections: number
  readonly messages: number
}

interface SampledSite {
  readonly site: string
  readonly bytes: number
}

async function measurePath(
  file: ReturnType<typeof makeWorkload>,
  path: AllocationRow['path'],
  workers: number,
  runs: number,
  sample: boolean,
): Promise<{ meters: Meter[]; sites: SampledSite[] }> {
  const phase = new Int32Array(new SharedArrayBuffer(4))
  const results = new Float64Array(new SharedArrayBuffer(8 * FIELDS * workers))
  const messages: number[] = []
  const sites: SampledSite[] = []
  let profiles = 0
  const open = () => {
    const worker = new Worker(new URL('./allocation-worker.mjs', import.meta.url), {
      execArgv: [],
      workerData: {
        phase,
        results,
        sites: sample,
        parkBase: Control.WorkerBlocks + WorkerBlock.Epoch,
        parkStep: WorkerBlock.Size,
      },
    })
    countMessages(worker, messages, messages.push(0) - 1)
    worker.on('message', (message: { readonly allocationSites?: readonly SampledSite[] }) => {
      if (message.allocationSites === undefined) return
      sites.push(...message.allocationSites)
      profiles++
    })
    return worker
  }
  const executor = await createExecutor({ workers, worker: open })
  try {
    const state = stateOf(file, executor)
    const prepared = await executor.prepareBlock(file.block, { state, senders: 'trust', only: 'transactions' })
    const run = () =>
      executor.timePrepared(prepared, { state, sequential: path === 'sequential', speculation: 'always' })
    const warm = performance.now() + WARM_UP_MS
    for (let k = 0; k < 5 || performance.now() < warm; k++) await run()
    Atomics.store(phase, 0, 1)
    await run()
    const before = [...messages]
    for (let k = 1; k < runs; k++) await run()
    Atomics.store(phase, 0, 2)
    await run()
    const serving = path === 'sequential' ? 1 : workers
    // The last worker counts itself finished before it parks.
    for (let k = 0; k < serving; k++) await until(() => results[k * FIELDS] === 2)
    if (sample) await until(() => profiles === serving)
    const meters = Array.from({ length: serving }, (_, k) => {
      const [, count, bytes, scavenges, fullCollections] = results.subarray(k * FIELDS, (k + 1) * FIELDS)
      return { count, bytes, scavenges, fullCollections, messages: messages[k] - before[k] }
    })
    return { meters, sites }
  } finally {
    await executor.close()
  }
}

/** Counts what goes to a worker and what comes from it. */
function countMessages(worker: Worker, messages: number[], index: number): void {
  const post = worker.postMessage.bind(worker)
  worker.postMessage = (...args: Parameters<typeof post>) => {
    messages[index]++
    post(...args)
  }
  worker.on('message', () => {
    messages[index]++
  })
}

async function until(done: () => boolean): Promise<void> {
  const end = performance.now() + 5000
  while (!done()) {
    if (performance.now() > end) throw new Error('a worker did not come back to its park')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export const allocationText = ({ rows, sites }: AllocationReport): string =>
  [
    table([
      ['workload', 'path', 'worker', 'runs', 'txs', 'bytes/run', 'bytes/tx', 'scavenges', 'full', 'messages'],
      ...rows.map((row) => [
        row.workload,
        row.path,
        String(row.worker),
        String(row.runs),
        String(row.transactions),
        String(row.bytesPerRun),
        row.bytesPerTransaction.toFixed(2),
        String(row.scavenges),
        String(row.fullCollections),
        String(row.messages),
      ]),
    ]),
    '',
    table([
      ['workload', 'path', 'where (sampled apart, all workers)', 'bytes/tx'],
      ...sites.map(({ workload, path, site, bytesPerTransaction }) => [
        workload,
        path,
        site,
        bytesPerTransaction.toFixed(2),
      ]),
    ]),
  ].join('\n')
