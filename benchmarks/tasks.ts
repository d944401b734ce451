/**
 * Tasks against a plain loop over a Map, and against piscina with a lock; workflows against a list schedule; codecs.
 *
 * All from the call to the result in hand: encoding of inputs, decoding of results and the difference are counted.
 */
import { existsSync, readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { gunzipSync } from 'node:zlib'
import * as msgpack from '@msgpack/msgpack'
import { createKeyValueState, createTaskExecutor, type TaskCall, type TaskExecutor } from 'blockloom/tasks'
import { Encoder } from 'cbor-x'
import { Packr } from 'msgpackr'
import { Piscina } from 'piscina'
import { dist } from './pool.ts'
import { median, round, type Spread, spreadOf } from './report.ts'
import { burn, transfer } from './taskModule.mjs'

const KEYS = 10_000
const MODULE = new URL('./taskModule.mjs', import.meta.url)
/** Microseconds of a task, how many make a run, and the goal at two workers over uniform keys. */
const SIZES = [
  { us: 5, tasks: 10_000, goal: 1.3 },
  { us: 50, tasks: 4_000, goal: 1.7 },
  { us: 500, tasks: 800, goal: 1.9 },
] as const

export interface TaskRow {
  readonly us: number
  readonly keys: 'uniform' | 'skewed'
  readonly tasks: number
  /** Milliseconds. */
  readonly loop: Spread
  readonly blockloom: Spread
  readonly piscina: Spread
  /** Loop over blockloom, by the medians. */
  readonly ratio: number
  readonly goal: number | undefined
  readonly aborts: number
  readonly fallback: number
}

export interface WorkflowRow {
  readonly order: 'ordered' | 'graph'
  readonly workflows: number
  /** Bound of a list schedule over what was measured: above 0.9 is the goal. */
  readonly ofBound: number
  readonly worst: number
}

export interface CodecRow {
  readonly value: string
  readonly codec: string
  readonly bytes: number
  readonly encodeNs: number
  readonly decodeNs: number
}

const openTasks = (workers: number): Promise<TaskExecutor> =>
  createTaskExecutor(MODULE, { workers, worker: () => new Worker(dist('worker.js'), { execArgv: [] }) })

/** Turns of `burn` that take a microsecond here. */
function calibrate(): number {
  burn(1e7)
  const began = performance.now()
  burn(2e7)
  return 2e7 / ((performance.now() - began) * 1000)
}

/** Pairs of keys; skewed as 1 / rank, so that a few keys are in many tasks. */
function pairs(count: number, skewed: boolean): [number, number][] {
  let seed = 12345
  const random = () => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff
    return seed / 0x80000000
  }
  const key = () => Math.floor(skewed ? KEYS ** random() - 1 : random() * KEYS)
  return Array.from({ length: count }, () => [key(), key()])
}

/** What is not the same is not worth timing. */
function assertSame(what: string, wanted: readonly unknown[], found: readonly unknown[]): void {
  const k = wanted.findIndex((value, index) => value !== found[index])
  if (k < 0 && wanted.length === found.length) return
  throw new Error(`${what} differ from the loop's at ${k}: ${String(found[k])} instead of ${String(wanted[k])}`)
}

/**
 * Times the three beside each other. The pool with a lock has the lighter work: accounts are numbers, batches go to its
 * threads in one message each, and nobody asks for the order; what it reads is not what a loop would have read.
 */
export async function measureTasks(runs: number, workers: number): Promise<TaskRow[]> {
  const perMicrosecond = calibrate()
  const executor = await openTasks(workers)
  const filename = new URL('./piscinaWorker.mjs', import.meta.url).pathname
  const pool = new Piscina({ filename, minThreads: workers, maxThreads: workers, execArgv: [] })
  const rows: TaskRow[] = []
  try {
    for (const { us, tasks, goal } of SIZES) {
      for (const keys of ['uniform', 'skewed'] as const) {
        const turns = Math.round(us * perMicrosecond)
        const list = pairs(tasks, keys === 'skewed')
        const calls = list.map(
          ([from, to]): TaskCall => ({
            task: 'transfer',
            input: { from: `account:${from}`, to: `account:${to}`, turns },
          }),
        )
        const entries = Array.from({ length: KEYS }, (_, k) => [`account:${k}`, 100] as const)
        const state = createKeyValueState({ entries })
        const loop: number[] = []
        const own: number[] = []
        const other: number[] = []
        let aborts = 0
        let fallback = 0
        for (let k = 0; k < runs + 2; k++) {
          const map = new Map<string, number>(entries)
          const began = performance.now()
          const read = calls.map(({ input }) => transfer(map, input as Parameters<typeof transfer>[1]))
          const mid = performance.now()
          const { run, results, stateDiff } = await executor.run(calls, { state })
          const end = performance.now()
          const balances = new SharedArrayBuffer(KEYS * 8)
          new Float64Array(balances).fill(100)
          const shared = { words: new SharedArrayBuffer(4), balances, turns }
          const size = Math.ceil(tasks / (workers * 8))
          const batches = Array.from({ length: Math.ceil(tasks / size) }, (_, b) =>
            list.slice(b * size, (b + 1) * size),
          )
          const start = performance.now()
          await Promise.all(batches.map((batch) => pool.run({ ...shared, list: batch })))
          const stop = performance.now()
          // Two runs warm the threads up, and the first says whether all three come to the same.
          if (k === 0) {
            assertSame(
              'results',
              read,
              results.map((result) => (result.status === 'done' ? result.value : result.error)),
            )
            const after = new Map([...entries, ...stateDiff.entries.map(({ key, value }) => [key, value] as const)])
            assertSame('values', [...map.values()], [...after.values()])
            assertSame('balances under a lock', [...map.values()], [...new Float64Array(balances)])
          }
          if (k < 2) continue
          other.push(stop - start)
          loop.push(mid - began)
          own.push(end - mid)
          aborts = run.aborts
          fallback = run.fallback
        }
        rows.push({
          us,
          keys,
          tasks,
          loop: spreadOf(loop),
          blockloom: spreadOf(own),
          piscina: spreadOf(other),
          ratio: round(median(loop) / median(own)),
          goal: keys === 'uniform' ? goal : undefined,
          aborts,
          fallback,
        })
      }
    }
  } finally {
    await executor.close()
    await pool.destroy()
  }
  return rows
}

interface Workflow {
  readonly tasks: readonly {
    readonly id: number
    readonly parents: readonly number[]
    readonly reads: readonly number[]
    readonly writes: readonly number[]
    readonly ms: number
  }[]
}

/**
 * Length of a list schedule, longest remaining path first: what two workers without any cost of their own would take.
 */
function listSchedule(costs: readonly number[], parents: readonly (readonly number[])[], workers: number): number {
  const rest = [...costs]
  const children: number[][] = costs.map(() => [])
  parents.forEach((list, k) => {
    for (const parent of list) children[parent]?.push(k)
  })
  for (let k = costs.length - 1; k >= 0; k--) {
    rest[k] = (costs[k] ?? 0) + Math.max(0, ...(children[k] ?? []).map((child) => rest[child] ?? 0))
  }
  const missing = parents.map((list) => list.length)
  const ready = missing.flatMap((count, k) => (count === 0 ? [k] : []))
  const running: { readonly end: number; readonly task: number }[] = []
  let now = 0
  for (let left = costs.length; left > 0; left--) {
    while (running.length < workers && ready.length > 0) {
      ready.sort((a, b) => (rest[b] ?? 0) - (rest[a] ?? 0))
      const task = ready.shift() as number
      running.push({ end: now + (costs[task] ?? 0), task })
    }
    running.sort((a, b) => a.end - b.end)
    const { end, task } = running.shift() as { end: number; task: number }
    now = end
    for (const child of children[task] ?? []) {
      const count = (missing[child] ?? 0) - 1
      missing[child] = count
      if (count === 0) ready.push(child)
    }
  }
  return now
}

/** Each workflow once, its tasks waiting for their scaled time: waiting is not slower on a busy machine. */
export async function measureWorkflows(): Promise<WorkflowRow[] | undefined> {
  const file = new URL('../../shared/data/workflows/wfinstances.jsonl.gz', import.meta.url)
  if (!existsSync(file)) return undefined
  const lines = gunzipSync(readFileSync(file)).toString('utf8').trim().split('\n')
  const executor = await openTasks(2)
  const rows: WorkflowRow[] = []
  try {
    await executor.run([{ task: 'hold', input: { reads: [], writes: [], ms: 0 } }], { speculation: 'always' })
    for (const order of ['ordered', 'graph'] as const) {
      const shares: number[] = []
      let bounds = 0
      let times = 0
      for (const line of lines) {
        const { tasks } = JSON.parse(line) as Workflow
        const total = tasks.reduce((sum, { ms }) => sum + ms, 0)
        // A millisecond a task on the average, and a fifth of a second at least.
        const scale = Math.max(tasks.length, 200) / Math.max(total, 1)
        const costs = tasks.map(({ ms }) => ms * scale)
        const calls = tasks.map(
          ({ reads, writes, parents }, k): TaskCall => ({
            task: 'hold',
            input: { reads, writes, ms: costs[k] },
            after: parents,
            cost: costs[k] ?? 0,
          }),
        )
        const { run } = await executor.run(calls, { order, speculation: 'always' })
        const bound = listSchedule(
          costs,
          tasks.map(({ parents }) => parents),
          2,
        )
        bounds += bound
        times += run.ms
        shares.push(bound / run.ms)
      }
      rows.push({ order, workflows: lines.length, ofBound: round(bounds / times), worst: round(Math.min(...shares)) })
    }
  } finally {
    await executor.close()
  }
  return rows
}

export function measureCodecs(): CodecRow[] {
  const cbor = new Encoder({ useRecords: false, structuredClone: true, mapsAsObjects: true, tagUint8Array: true })
  const packr = new Packr({ useRecords: false, structuredClone: true })
  const codecs: readonly (readonly [string, (value: unknown) => Uint8Array, (bytes: Uint8Array) => unknown])[] = [
    ['cbor-x', (value) => cbor.encode(value), (bytes) => cbor.decode(bytes)],
    ['msgpackr', (value) => packr.pack(value), (bytes) => packr.unpack(bytes)],
    ['@msgpack/msgpack', (value) => msgpack.encode(value), (bytes) => msgpack.decode(bytes)],
    ['JSON', (value) => Buffer.from(JSON.stringify(value)), (bytes) => JSON.parse(Buffer.from(bytes).toString())],
  ]
  const values = {
    small: { sku: 'sku-17', quantity: 3 },
    order: { id: 'o-123', side: 'buy', price: 1234, quantity: 10, tags: ['a', 'b'], at: 1.7e12 },
    list: Array.from({ length: 20 }, (_, k) => ({ k, name: `n${k}` })),
  }
  const ROUNDS = 50_000
  return Object.entries(values).flatMap(([value, given]) =>
    codecs.map(([codec, encode, decode]) => {
      const bytes = Uint8Array.from(encode(given))
      const time = (work: () => unknown): number => {
        for (let k = 0; k < ROUNDS / 5; k++) work()
        const began = performance.now()
        for (let k = 0; k < ROUNDS; k++) work()
        return Math.round(((performance.now() - began) * 1e6) / ROUNDS)
      }
      return {
        value,
        codec,
        bytes: bytes.length,
        encodeNs: time(() => encode(given)),
        decodeNs: time(() => decode(bytes)),
      }
    }),
  )
}

export const taskTable = (rows: readonly TaskRow[]): string =>
  [
    '| task | keys | loop over a Map, ms | 2 workers, ms | ratio | goal | piscina with a lock, ms | aborts | by fallback |',
    '|---:|---|---:|---:|---:|---:|---:|---:|---:|',
    ...rows.map(
      ({ us, keys, loop, blockloom, ratio, goal, piscina, aborts, fallback }) =>
        `| ${us} us | ${keys} | ${loop.median} | ${blockloom.median} | ${ratio}x | ${goal ?? ''} | ${piscina.median} | ${aborts} | ${fallback} |`,
    ),
  ].join('\n')

export const workflowTable = (rows: readonly WorkflowRow[]): string =>
  rows
    .map(
      ({ order, workflows, ofBound, worst }) =>
        `${workflows} workflows, ${order}: ${ofBound} of the list schedule's bound at two workers (goal 0.9), the worst ${worst}`,
    )
    .join('\n')

export const codecTable = (rows: readonly CodecRow[]): string =>
  [
    '| value | codec | bytes | encode, ns | decode, ns |',
    '|---|---|---:|---:|---:|',
    ...rows.map(
      ({ value, codec, bytes, encodeNs, decodeNs }) => `| ${value} | ${codec} | ${bytes} | ${encodeNs} | ${decodeNs} |`,
    ),
  ].join('\n')
