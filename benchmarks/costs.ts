/** What a block pays once or not at all: importing, compiling the kernel, starting the pool, recovering senders. */

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { type BenchFile, dist, openExecutor, stateOf } from './pool.ts'
import { signedTransfers } from './raw.ts'
import { type CostRow, median, spreadOf } from './report.ts'
import { makeWorkload } from './workloads.ts'

/** Signatures recovered at a time; at 0.05 ms each on one worker, a twentieth of a second. */
const SIGNATURES = 1024

/** Importing the package, in a process of its own each time. */
export function measureImport(runs: number): CostRow {
  const url = JSON.stringify(dist('index.js').href)
  const program = `const t = performance.now(); await import(${url}); console.log(performance.now() - t)`
  const times = Array.from({ length: runs }, () =>
    Number(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' })),
  )
  return { name: 'import of the package', unit: 'ms', runs, spread: spreadOf(times) }
}

/** Kernel compiled from new bytes each time: V8 keeps what it compiled and would hand it out again. */
export async function measureCompile(runs: number): Promise<CostRow> {
  const kernel = readFileSync(dist('evm-core.wasm'))
  const times: number[] = []
  for (let k = 0; k <= runs; k++) {
    // A custom section of one name and two bytes, which means nothing to WebAssembly: id 0, length 4, name '', payload.
    const bytes = Buffer.concat([kernel, Buffer.from([0, 4, 1, 0x62, k & 0xff, k >> 8])])
    const start = performance.now()
    await WebAssembly.compile(bytes)
    if (k > 0) times.push(performance.now() - start)
  }
  return { name: 'compile evm-core.wasm', unit: 'ms', runs, spread: spreadOf(times) }
}

/** From no thread to the first result, kernel compiled before, and the same block again on the pool that stands. */
export async function measureStart(workers: number, runs: number): Promise<CostRow[]> {
  const wasm = await WebAssembly.compile(readFileSync(dist('evm-core.wasm')))
  const file: BenchFile = makeWorkload('single', 1)
  const cold: number[] = []
  const warm: number[] = []
  for (let k = 0; k <= runs; k++) {
    const start = performance.now()
    const executor = await openExecutor(workers, wasm)
    try {
      const state = stateOf(file, executor)
      const execute = () => executor.executeBlock(file.block, { state, senders: 'trust', only: 'transactions' })
      await execute()
      const first = performance.now()
      await execute()
      const second = performance.now()
      if (k === 0) continue
      cold.push(first - start)
      warm.push(second - first)
    } finally {
      await executor.close()
    }
  }
  const pool = `pool of ${workers}`
  return [
    { name: `${pool}: start, to the result of a block of one payment`, unit: 'ms', runs, spread: spreadOf(cold) },
    { name: `${pool}: the same block again`, unit: 'ms', runs, spread: spreadOf(warm) },
  ]
}

/** Preparing a block with signatures less preparing it without recovery, a signature. */
export async function measureSenders(workers: number, runs: number): Promise<CostRow> {
  const file = signedTransfers(SIGNATURES)
  const executor = await openExecutor(workers)
  try {
    const state = stateOf(file, executor)
    const time = async (senders: 'recover' | 'trust'): Promise<number> => {
      const start = performance.now()
      await executor.prepareBlock(file.block, { state, senders, only: 'transactions' })
      return performance.now() - start
    }
    for (let k = 0; k < 3; k++) {
      await time('recover')
      await time('trust')
    }
    const recover: number[] = []
    const trust: number[] = []
    for (let k = 0; k < runs; k++) {
      recover.push(await time('recover'))
      trust.push(await time('trust'))
    }
    const without = median(trust)
    const each = recover.map((ms) => (1000 * (ms - without)) / SIGNATURES)
    const name = `sender recovery, a signature, ${workers} ${workers === 1 ? 'worker' : 'workers'}`
    return { name, unit: 'us', runs, spread: spreadOf(each) }
  } finally {
    await executor.close()
  }
}
