import { Worker } from 'node:worker_threads'
import { pathToFileURL } from 'node:url'
import { chainAtFork, createExecutor, MemoryState } from './dist/index.js'
import { makeWorkload } from './src/cli/workloads.ts'
const [name, count, rounds, ...workers] = process.argv.slice(2)
const file = makeWorkload(name as never, Number(count))
const pools = []
for (const path of workers) {
  const executor = await createExecutor({ workers: 2, worker: () => new Worker(pathToFileURL(path), { execArgv: [] }) })
  const state = new MemoryState({ keccak256: (bytes) => executor.keccak256(bytes) }).load(file)
  const off = { state, chain: chainAtFork(file.fork), senders: 'trust', only: 'transactions' } as const
  const on = { ...off, records: { onChunk: () => undefined } }
  const prepared = await executor.prepareBlock(file.block, off)
  pools.push({ path, executor, off, on, prepared, t: { off: [] as number[], on: [] as number[], ratio: [] as number[] } })
}
const median = (v: number[]) => v.sort((a, b) => a - b)[v.length >> 1]
for (let k = 0; k < Number(rounds) + 15; k++) for (const p of pools) {
  await p.executor.timePrepared(p.prepared, p.off)
  const off = (await p.executor.timePrepared(p.prepared, p.off)).ms
  await p.executor.timePrepared(p.prepared, p.off)
  const on = (await p.executor.timePrepared(p.prepared, p.on)).ms
  if (k >= 15) { p.t.off.push(off); p.t.on.push(on); p.t.ratio.push(on / off) }
}
for (const p of pools) {
  console.log(p.path.split('/').slice(-2).join('/'), name, 'off', median(p.t.off).toFixed(3), 'on', median(p.t.on).toFixed(3), 'more %', ((median(p.t.on) / median(p.t.off) - 1) * 100).toFixed(1), 'paired', ((median(p.t.ratio) - 1) * 100).toFixed(1), 'q1', ((p.t.on[p.t.on.length>>2]/p.t.off[p.t.off.length>>2]-1)*100).toFixed(1))
  await p.executor.close()
}
