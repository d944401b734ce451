/**
 * One engine memory and its pool: lays a plan out in shared words, runs it, reports.
 *
 * Generic over adapters: a plan is a number of places, their input words and the run's constants. Results stay in
 * the engine memory until the next run; the caller copies out what it needs before it closes the state.
 */
import * as atomics from '../core/atomics.ts'
import { Control, Halt, MAX_WORKERS, RunKind, signaturesAt } from '../core/layout.ts'
import { recordOf } from '../core/location.ts'
import { badOption, checkChoice, wholeNumber } from '../core/options.ts'
import type { SharedState } from '../core/stateMemory.ts'
import { reserveShared } from '../platform/memory.ts'
import { coreCount, defaultWorker, type WorkerSource } from '../platform/threads.ts'
import { committedOf, haltError } from './faults.ts'
import { layOut, layOutBatch } from './layOut.ts'
import type { Plan, RunSettings } from './plan.ts'
import { WorkerPool } from './pool.ts'
import { writtenChains } from './putBack.ts'
import { type RunReport, reportOf } from './runReport.ts'
import { Stopping } from './stopping.ts'
import type { AdapterSpec } from './workerMain.ts'

type Words = Int32Array

const MIB = 2 ** 20
const DEFAULT_MEMORY = 1024 * MIB
const DEFAULT_STALL = 60_000

/** Options of every executor: its threads and its memory. */
export interface EngineOptions {
  /**
   * Threads, 1 to 64; the number of cores by default. Of more than there are cores the rest takes part in a run where the
   * others leave the cores idle; with `speculation: 'always'`, and for asynchronous tasks, at once.
   */
  readonly workers?: number
  /** The worker file, or a function that makes a worker (bundlers). */
  readonly worker?: WorkerSource
  /** Bytes that the working memory of a block may take; 1 GiB by default. Pages are committed as they are used. */
  readonly memoryLimit?: number
  /** Milliseconds without progress after which a run is given up; a minute by default. */
  readonly stallTimeout?: number
}

export interface BatchOptions {
  /** The one that workers are parked on, if possible: others need messages. */
  readonly state: SharedState
  readonly signal?: AbortSignal | undefined
}

export class Engine {
  readonly words: Words
  readonly workers: number
  readonly #pool: WorkerPool
  readonly #stallTimeout: number
  readonly #stopping = new Stopping()
  /** Where the words of runs end: behind lie signatures, in an executor that runs blocks. */
  readonly #end: number
  /** True where tasks are said to wait for something: then they need no cores of their own. */
  readonly #waits: boolean

  /** @throws {InvalidInputError} INVALID_OPTION */
  constructor(options: EngineOptions, spec: AdapterSpec) {
    const { worker } = options
    if (worker !== undefined && typeof worker !== 'function' && !(worker instanceof URL)) {
      throw badOption('worker', `worker is a URL or a function, not ${typeof worker}`)
    }
    this.workers = wholeNumber('workers', options.workers, 1, MAX_WORKERS, Math.min(coreCount(), MAX_WORKERS))
    const bytes = wholeNumber('memoryLimit', options.memoryLimit, 16 * MIB, 4096 * MIB, DEFAULT_MEMORY)
    this.#stallTimeout = wholeNumber('stallTimeout', options.stallTimeout, 1, 2 ** 31 - 1, DEFAULT_STALL)
    this.#waits = spec.kind === 'tasks' && spec.asynchronous === true
    const memory = reserveShared(bytes)
    this.words = new Int32Array(memory.buffer)
    const runsBlocks = spec.kind === 'revm' || spec.kind === 'evm'
    this.#end = runsBlocks ? signaturesAt(this.words) : this.words.length
    this.#pool = new WorkerPool(memory, this.workers, worker ?? defaultWorker(), spec, this.#stopping)
  }

  /** Runs a plan on an open state. The results lie in `words` until the next run. */
  async run(plan: Plan, settings: RunSettings): Promise<RunReport> {
    this.#stopping.assertOpen()
    checkChoice('speculation', settings.speculation, ['auto', 'always'])
    const { words } = this
    const { signal, recording } = settings
    const workers = Math.min(settings.workers ?? this.workers, this.workers)
    // One worker would speculate against itself, and a block shorter than the pool has nothing to overlap.
    const alone = settings.speculation === 'auto' && (workers === 1 || plan.places < 4)
    const sequential = settings.sequential === true || settings.afterStall === true || alone
    const serving = sequential ? 1 : workers
    const task = { state: plan.state, workers: serving, inputs: plan.values, signal, stallTimeout: this.#stallTimeout }
    await this.#pool.prepare(task)
    layOut(words, plan, settings, this.#end)
    let failure: { readonly error: unknown } | undefined
    const fail = (error: unknown): void => {
      failure ??= { error }
      this.#pool.stop()
    }
    let watch: ReturnType<typeof setInterval> | undefined
    let stopServing: (() => void) | undefined
    let began = 0
    let ms: number | undefined
    let halt: number = Halt.None
    try {
      recording?.begin(sequential, serving)
      watch = follow(words, plan.places, settings.onProgress, fail)
      stopServing = plan.state.serve?.(fail, () => atomics.notify(words, Control.CommitIndex))
      const dense = words[Control.DenseLocation]
      // The fee recipient is paid without being read.
      if (dense !== 0) await this.unlessStopped(async () => plan.state.fetchAccount?.(recordOf(dense)), signal)
      began = performance.now()
      const kind = sequential ? RunKind.Sequential : RunKind.Speculative
      const everybody = settings.speculation === 'always' || this.#waits
      halt = await this.#pool.run({ ...task, kind, everybody })
      ms = performance.now() - began
    } finally {
      clearInterval(watch)
      stopServing?.()
      recording?.end(halt === Halt.None ? ms : undefined)
    }
    if (failure !== undefined) throw failure.error
    this.#assertWhole(halt, signal)
    settings.onProgress?.(plan.places)
    return { ...reportOf(words, ms), stalls: settings.afterStall === true ? 1 : 0 }
  }

  /** What main asks for before workers run, unless the signal or `close` comes first (stopping.ts). */
  async unlessStopped<T>(ask: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return this.#stopping.unlessStopped(ask, signal)
  }

  /** Has items of signatures done that are not, each at its offset. */
  async batch(items: Words, { state, signal }: BatchOptions): Promise<void> {
    this.#stopping.assertOpen()
    const { workers, words } = this
    const task = { state, workers, signal, stallTimeout: this.#stallTimeout }
    await this.#pool.prepare(task)
    layOutBatch(words, items, this.#end)
    this.#assertWhole(await this.#pool.run({ ...task, kind: RunKind.Batch }), signal)
  }

  /** Heads of the chains of locations written by the last run (putBack.ts). */
  written(): number[] {
    return writtenChains(this.words)
  }

  /** Record of the location that collected dense deltas. */
  get denseRecord(): number {
    return recordOf(this.words[Control.DenseLocation])
  }

  /** Where the places of the last run lie. */
  get placeTable(): number {
    return this.words[Control.PlaceTable]
  }

  async close(): Promise<void> {
    this.#stopping.close()
    await this.#pool.close()
  }

  /** Throws why a run halted, if it did. */
  #assertWhole(halt: number, signal: AbortSignal | undefined): void {
    if (halt === Halt.None) return
    if (halt === Halt.Signal) throw this.#stopping.error(signal, committedOf(this.words))
    throw haltError(this.words, halt, this.#stallTimeout)
  }
}

/** Tells the caller of progress; a callback that throws fails the run. */
const follow = (
  words: Words,
  places: number,
  onProgress: RunSettings['onProgress'],
  fail: (error: unknown) => void,
): ReturnType<typeof setInterval> | undefined => {
  if (onProgress === undefined) return undefined
  let last = 0
  return setInterval(() => {
    const committed = Math.min(atomics.load(words, Control.CommitIndex) - 1, places)
    if (committed <= last) return
    last = committed
    try {
      onProgress(committed)
    } catch (error) {
      fail(error)
    }
  }, 1)
}
