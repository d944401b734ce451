/**
 * The library's worker with a meter: counts what its isolate allocates between two parks.
 *
 * A worker that waits for work blocks its thread in `Atomics.wait`, so no message and no profiler from outside reaches
 * it; but the wait itself is a property of `Atomics`, and a worker parks on a word that nothing else waits on. The
 * meter looks there, where no block is running: nothing is added to the path that is measured.
 */
import { Session } from 'node:inspector'
import { GCProfiler, getHeapStatistics } from 'node:v8'
import { parentPort, workerData } from 'node:worker_threads'

/**
 * @typedef {object} MeterData
 * @property {Int32Array} phase - [0]: 0 idle, 1 measure from the next park on, 2 stop at the next park
 * @property {Float64Array} results - a worker's: state (1 started, 2 stopped), runs, bytes, young and full collections
 * @property {boolean} sites - sample where the bytes come from instead of counting them
 * @property {number} parkBase - the word that worker 0 parks on
 * @property {number} parkStep - distance to the word of the next worker
 */
const FIELDS = 5
const { phase, results, sites, parkBase, parkStep } = /** @type {MeterData} */ (workerData)

const profiler = new GCProfiler()
const session = sites ? new Session() : undefined
let used = 0

/** One sample in so many bytes, on average. */
const SAMPLING_INTERVAL = 64

/** @param {number} worker */
function atPark(worker) {
  const at = worker * FIELDS
  if (results[at] === 1) {
    results[at + 1]++
    if (Atomics.load(phase, 0) === 2) stop(at)
  } else if (results[at] === 0 && Atomics.load(phase, 0) === 1) {
    results[at] = 1
    if (session !== undefined) {
      session.connect()
      session.post('HeapProfiler.startSampling', {
        samplingInterval: SAMPLING_INTERVAL,
        includeObjectsCollectedByMajorGC: true,
        includeObjectsCollectedByMinorGC: true,
      })
    }
    profiler.start()
    used = getHeapStatistics().used_heap_size
  }
}

/**
 * What was allocated is what the heap grew by before, between and after its collections.
 *
 * @param {number} at
 */
function stop(at) {
  const end = getHeapStatistics().used_heap_size
  let bytes = 0
  let last = used
  for (const { gcType, beforeGC, afterGC } of profiler.stop().statistics) {
    bytes += beforeGC.heapStatistics.usedHeapSize - last
    last = afterGC.heapStatistics.usedHeapSize
    results[at + (gcType === 'Scavenge' ? 3 : 4)]++
  }
  results[at + 2] = bytes + end - last
  // A session answers on the spot; the message leaves though this thread's event loop does not turn.
  session?.post('HeapProfiler.stopSampling', (_, { profile }) => {
    parentPort?.postMessage({ allocationSites: sitesBelow(profile.head) })
  })
  results[at] = 2
}

/**
 * A builtin (`subarray`) counts for its caller, and the meter's own functions do not count.
 *
 * @param {import('node:inspector').HeapProfiler.SamplingHeapProfileNode} node
 * @param {string} [caller]
 * @returns {{ site: string, bytes: number }[]} functions that allocated, with their line in dist/worker.js
 */
function sitesBelow(node, caller) {
  const { functionName, url, lineNumber } = node.callFrame
  const builtin = url === ''
  const ours = url.endsWith('/dist/worker.js')
    ? `${functionName || '(anonymous)'} worker.js:${lineNumber + 1}`
    : builtin
      ? caller
      : undefined
  const site = builtin && ours !== undefined ? `${functionName} in ${ours}` : ours
  const own = node.selfSize > 0 && site !== undefined ? [{ site, bytes: node.selfSize }] : []
  return [...own, ...node.children.flatMap((child) => sitesBelow(child, ours))]
}

const wait = Atomics.wait
Object.defineProperty(Atomics, 'wait', {
  /** @type {(words: Int32Array, index: number, value: number, milliseconds?: number) => string} */
  value: (words, index, value, milliseconds) => {
    const fromBase = index - parkBase
    if (milliseconds === undefined && fromBase >= 0 && fromBase % parkStep === 0) atPark(fromBase / parkStep)
    return wait(words, index, value, milliseconds)
  },
})

await import(new URL('../dist/worker.js', import.meta.url).href)
