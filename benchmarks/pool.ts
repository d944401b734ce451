/** Executors of the built library, for all measurements. */

import { Worker } from 'node:worker_threads'
import { type BlockResult, createExecutor, type Executor, MemoryState, type StateFile } from 'blockloom'

export const dist = (file: string): URL => new URL(`../dist/${file}`, import.meta.url)

/** A block file, synthetic or real. */
export interface BenchFile extends StateFile {
  readonly block: unknown
}

/**
 * Opens a pool whose threads run dist/worker.js and nothing else: without `execArgv: []` each would load tsx too, as
 * this process did, and no user's does.
 */
export const openExecutor = (workers: number, wasm?: WebAssembly.Module, learn = false): Promise<Executor> =>
  createExecutor({
    workers,
    worker: () => new Worker(dist('worker.js'), { execArgv: [] }),
    ...(wasm !== undefined && { wasm }),
    learn,
  })

export const stateOf = (file: BenchFile, executor: Executor): MemoryState =>
  new MemoryState({ keccak256: (bytes) => executor.keccak256(bytes) }).load(file)

/**
 * All that a result says about the block, as text; two runs are equal if these are. Accounts and slots of the
 * difference are sorted: they come in the order in which they were first written, which is any.
 */
export const digestOf = ({ gasUsed, logsBloom, receiptsRoot, results, receipts, stateDiff }: BlockResult): string => {
  const accounts = [...stateDiff.accounts].sort((a, b) => (a.address < b.address ? -1 : 1))
  const parts = { gasUsed, logsBloom, receiptsRoot, results, receipts, accounts, codes: stateDiff.codes }
  return JSON.stringify(parts, (_, value: unknown) => {
    if (typeof value === 'bigint') return `${value}n`
    if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length).toString('hex')
    if (value instanceof Map) return [...value].sort(([a], [b]) => (a < b ? -1 : 1))
    return value
  })
}
