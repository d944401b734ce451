/**
 * One engine memory and its pool: lays a plan out in shared words, runs it, reports.
 *
 * Generic over adapters: a plan is a number of places, their input words and the run's constants. Results stay in
 * the engine memory until the next run; the caller copies out what it needs before it closes the state.
 */
import * as atomics from '../core/atomics.ts'
import {
  AbortedError,
  CapacityError,
  InvalidInputError,
  InvariantError,
  ParallelExecutionError,
} from '../core/errors.ts'
import {
  CONTROL_END,
  Control,
  Entry,
  Fault,
  Halt,
  MAX_WORKERS,
  Mode,
  Place,
  RunKind,
  WorkerBlock,
} from '../core/layout.ts'
import { Kind, recordOf, Tag, WATCHED } from '../core/location.ts'
import type { SharedState } from '../core/stateMemory.ts'
import { reserveShared } from '../platform/memory.ts'
import { coreCount, defaultWorker, type WorkerSource } from '../platform/threads.ts'
import { WorkerPool } from './pool.ts'
import type { AdapterSpec } from './workerMain.ts'

type Words = Int32Array

const MIB = 2 ** 20
const DEFAULT_MEMORY = 1024 * MIB
const DEFAULT_STALL = 60_000
/** Places that may be executed ahead of the commit cursor. */
const DEFAULT_WINDOW = 512
const ALIGN = 32

export interface EngineOptions {
  /** Threads, 1 to 64; the number of cores by default. */
  readonly workers?: number
  /** The worker file, or a function that makes a worker (bundlers). */
  readonly worker?: WorkerSource
  /** Bytes that the working memory of a block may take; 1 GiB by default. Pages are committed as they are used. */
  readonly memoryLimit?: number
  /** Milliseconds without progress after which a run is given up; a minute by default. */
  readonly stallTimeout?: number
}

/** What to run. */
export interface Plan {
  readonly state: SharedState
  /** Transactions or tasks. */
  readonly places: number
  /** Input words of all places, and where each begins: `places + 1` offsets. */
  readonly inputs: Words
  readonly offsets: Words
  /** Input words of places 0 and `places + 1`; absent or empty, the end has no work and costs nothing. */
  readonly prologue?: Words | undefined
  readonly epilogue?: Words | undefined
  readonly environment: Words
  readonly adapterFlags: number
  /** Location of the state that collects dense deltas, given it is open; 0 for none. */
  readonly denseLocation: (state: SharedState) => number
  /** Where in the environment a schedule lies (core/schedule.ts); undefined claims places in order. */
  readonly schedule?: number | undefined
  /**
   * True lets places be executed at the commit cursor alone, where the run may fall back. Not for blocks: behind a nonce
   * chain such a place walks past all that speculation has put there (block 13287210: 0.33x with, 0.94x without). Nor for
   * states that answer late: the committer would wait for each value alone.
   */
  readonly reserves?: boolean
  /** Values for adapters whose inputs are no words. */
  readonly values?: readonly unknown[]
}

export interface RunSettings {
  readonly speculation: 'auto' | 'always'
  /** Everything on one worker by the oracle. */
  readonly sequential?: boolean
  readonly workers?: number
  readonly signal?: AbortSignal | undefined
  /** Keeps what each place wrote, so that differences can be told place by place. */
  readonly keepVersions?: boolean
  /** Called about every millisecond with the number of places that are final. */
  readonly onProgress?: ((committed: number) => void) | undefined
  /** Told when the run begins, all being laid out, and when it ends: with its milliseconds if it ended well. */
  readonly recording?: RunObserver | undefined
}

/** Whoever records a run. */
export interface RunObserver {
  begin(isSequential: boolean, workers: number): void
  end(ms: number | undefined): void
}

/** What a run did. */
export interface RunReport {
  /** Milliseconds from waking the pool to the last result being final. */
  readonly ms: number
  readonly workers: number
  /** Incarnations of transactions executed, thrown away, validated. */
  readonly executions: number
  readonly aborts: number
  readonly validations: number
  /** Places executed once, at the commit cursor, because everything below them was final. */
  readonly direct: number
  /** Places committed from speculative executions, by re-execution at the commit cursor, and by the sequential path. */
  readonly speculative: number
  readonly reexecuted: number
  readonly fallback: number
  /** Executions left to the commit stage; times a reader waited; times speculation gave way. */
  readonly deferrals: number
  readonly waits: number
  readonly fallbacks: number
  /** Ends of the block that had work, and how often they were executed. */
  readonly ends: number
  readonly endExecutions: number
  /** Bytes of working memory that the run took, of what `memoryLimit` allows. */
  readonly memoryBytes: number
}

/** Checks an option that is a whole number in a range. */
const wholeNumber = (
  value: number | undefined,
  name: string,
  least: number,
  most: number,
  fallback: number,
): number => {
  if (value === undefined) return fallback
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new InvalidInputError(
      'INVALID_OPTION',
      `${name} is not a whole number from ${least} to ${most}: ${String(value)}`,
      {
        option: name,
        limit: most,
        actual: value,
      },
    )
  }
  return value
}

export class Engine {
  readonly words: Words
  readonly workers: number
  readonly #pool: WorkerPool
  readonly #stallTimeout: number
  #closed = false
  /** Called when the engine is closed, where somebody waits for what no worker does. */
  readonly #onClose = new Set<() => void>()

  constructor(options: EngineOptions, spec: AdapterSpec) {
    const { worker } = options
    if (worker !== undefined && typeof worker !== 'function' && !(worker instanceof URL)) {
      throw new InvalidInputError('INVALID_OPTION', `worker is a URL or a function, not ${typeof worker}`, {
        option: 'worker',
      })
    }
    this.workers = wholeNumber(options.workers, 'workers', 1, MAX_WORKERS, Math.min(coreCount(), MAX_WORKERS))
    const bytes = wholeNumber(options.memoryLimit, 'memoryLimit', 16 * MIB, 4096 * MIB, DEFAULT_MEMORY)
    this.#stallTimeout = wholeNumber(options.stallTimeout, 'stallTimeout', 1, 2 ** 31 - 1, DEFAULT_STALL)
    const memory = reserveShared(bytes)
    this.words = new Int32Array(memory.buffer)
    this.#pool = new WorkerPool(memory, this.workers, worker ?? defaultWorker(), spec)
  }

  /** Runs a plan on an open state. The results lie in `words` until the next run. */
  async run(plan: Plan, settings: RunSettings): Promise<RunReport> {
    this.#assertOpen()
    if (settings.speculation !== 'auto' && settings.speculation !== 'always') {
      const given = String(settings.speculation)
      throw new InvalidInputError('INVALID_OPTION', `speculation is 'auto' or 'always', not ${given}`, {
        option: 'speculation',
      })
    }
    const workers = Math.min(settings.workers ?? this.workers, this.workers)
    // One worker would speculate against itself, and a block shorter than the pool has nothing to overlap.
    const alone = settings.speculation === 'auto' && (workers === 1 || plan.places < 4)
    const sequential = settings.sequential === true || alone
    const serving = sequential ? 1 : workers
    await this.#pool.prepare(plan.state, serving, plan.values)
    this.#layOut(plan, settings)
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
      settings.recording?.begin(sequential, serving)
      watch = this.#follow(plan, settings, fail)
      stopServing = plan.state.serve?.(fail, () => atomics.notify(this.words, Control.CommitIndex))
      const dense = this.words[Control.DenseLocation]
      // The fee recipient is paid without being read.
      if (dense !== 0) await this.unlessStopped(async () => plan.state.fetchAccount?.(recordOf(dense)), settings.signal)
      began = performance.now()
      halt = await this.#pool.run({
        kind: sequential ? RunKind.Sequential : RunKind.Speculative,
        workers: serving,
        state: plan.state,
        signal: settings.signal,
        stallTimeout: this.#stallTimeout,
        inputs: plan.values,
      })
      ms = performance.now() - began
    } finally {
      clearInterval(watch)
      stopServing?.()
      settings.recording?.end(halt === Halt.None ? ms : undefined)
    }
    if (failure !== undefined) throw failure.error
    if (halt !== Halt.None) this.#raise(halt, settings.signal)
    settings.onProgress?.(plan.places)
    return this.#report(ms, serving, plan)
  }

  /**
   * What main asks for before workers run, unless the signal or `close` comes first: what is asked then goes on alone.
   *
   * @throws {AbortedError} ABORTED
   * @throws {ParallelExecutionError} CLOSED
   */
  async unlessStopped<T>(ask: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    this.#assertOpen()
    const details = { committedPrefix: 0 }
    if (signal?.aborted) throw this.#stopped(signal, details)
    let stop: () => void = () => undefined
    const stopped = new Promise<never>((_, reject) => {
      stop = () => reject(this.#stopped(signal, details))
    })
    signal?.addEventListener('abort', stop)
    this.#onClose.add(stop)
    try {
      return await Promise.race([ask(), stopped])
    } finally {
      signal?.removeEventListener('abort', stop)
      this.#onClose.delete(stop)
    }
  }

  /** Why a run that was told to stop did. */
  #stopped(signal: AbortSignal | undefined, details: { readonly committedPrefix: number }): ParallelExecutionError {
    return this.#closed
      ? new ParallelExecutionError('CLOSED', 'the executor was closed during the run', {}, details)
      : new AbortedError('ABORTED', 'the run was aborted by its signal', {}, { ...details, cause: signal?.reason })
  }

  /** Runs a batch of independent items, each `words` long at its offset; they are answered in place. */
  async batch(state: SharedState, items: Words, offsets: Words, signal?: AbortSignal): Promise<void> {
    this.#assertOpen()
    const { words } = this
    await this.#pool.prepare(state, this.workers)
    this.#reset()
    const at = CONTROL_END
    const data = at + offsets.length
    this.#assertRoom(data + items.length)
    words.set(offsets, at)
    words.set(items, data)
    for (let k = 0; k < offsets.length; k++) words[at + k] += data
    words[Control.InputOffsets] = at
    words[Control.BatchItems] = offsets.length
    const halt = await this.#pool.run({
      kind: RunKind.Batch,
      workers: this.workers,
      state,
      signal,
      stallTimeout: this.#stallTimeout,
    })
    if (halt !== Halt.None) this.#raise(halt, signal)
    items.set(words.subarray(data, data + items.length))
  }

  /** Heads of the chains of first entries, one for each location written. */
  written(): number[] {
    return this.#chains(WorkerBlock.Written)
  }

  /**
   * Forgets what a run wrote, inserted and learned, and ends the state's part in it. After a run that failed the
   * workers' chains cannot be trusted, so the state is looked through.
   */
  putBack(state: SharedState, succeeded: boolean): void {
    if (!succeeded) {
      state.scrub()
      return
    }
    const { words } = this
    for (const head of this.written()) {
      for (let entry = head; entry !== 0; entry = words[entry + Entry.Chain]) {
        const location = words[entry + Entry.Location]
        const record = recordOf(location)
        state.words[location] = 0
        state.words[record + (state.words[record] === Tag.Slot ? WATCHED[Kind.Slot] : WATCHED[Kind.Life])] = 0
      }
    }
    state.close([...this.#chains(WorkerBlock.Inserted), state.table.inserted])
  }

  /** Record of the location that collected dense deltas. */
  get denseRecord(): number {
    return recordOf(this.words[Control.DenseLocation])
  }

  get placeTable(): number {
    return this.words[Control.PlaceTable]
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const stop of this.#onClose) stop()
    await this.#pool.close()
  }

  #assertOpen(): void {
    if (this.#closed) throw new ParallelExecutionError('CLOSED', 'the executor is closed; make a new one')
  }

  #chains(field: number): number[] {
    const heads: number[] = []
    for (let k = 0; k < MAX_WORKERS; k++) {
      const head = this.words[Control.WorkerBlocks + k * WorkerBlock.Size + field]
      if (head !== 0) heads.push(head)
    }
    return heads
  }

  /** Clears the control words and worker blocks of the run before. Epochs stay. */
  #reset(): void {
    const { words } = this
    // `Join` stays closed: a worker that is late for the run before must find it so.
    words.fill(0, 0, Control.Join)
    for (let k = 0; k < MAX_WORKERS; k++) {
      const block = Control.WorkerBlocks + k * WorkerBlock.Size
      words.fill(0, block, block + WorkerBlock.Epoch)
    }
  }

  #assertRoom(end: number): void {
    if (end + ALIGN > this.words.length) {
      throw new CapacityError('CAPACITY', 'the block does not fit into memoryLimit', {
        limit: this.words.length * 4,
        actual: end * 4,
      })
    }
  }

  #layOut(plan: Plan, settings: RunSettings): void {
    const { words } = this
    this.#reset()
    const align = (at: number) => (at + ALIGN - 1) & ~(ALIGN - 1)
    const table = align(CONTROL_END)
    const prologue = plan.prologue?.length ?? 0
    const epilogue = plan.epilogue?.length ?? 0
    const first = prologue > 0 ? 0 : 1
    // One row more than there are places: what is left of the dense sum is written after the last one.
    const offsets = align(table + (plan.places + 3) * Place.Size)
    const environment = align(offsets + plan.places + 3)
    const inputs = align(environment + plan.environment.length)
    const transactions = inputs + prologue
    const arenas = align(transactions + plan.inputs.length + epilogue)
    this.#assertRoom(arenas)
    words.fill(0, table, table + (plan.places + 3) * Place.Size)
    words.set(plan.environment, environment)
    words.set(plan.inputs, transactions)
    if (plan.prologue !== undefined) words.set(plan.prologue, inputs)
    if (plan.epilogue !== undefined) words.set(plan.epilogue, transactions + plan.inputs.length)
    words[offsets] = inputs
    for (let k = 0; k <= plan.places; k++) words[offsets + 1 + k] = transactions + plan.offsets[k]
    words[offsets + plan.places + 2] = transactions + plan.inputs.length + epilogue
    words[Control.Places] = plan.places
    words[Control.PlaceTable] = table
    words[Control.FirstPlace] = first
    words[Control.LastPlace] = plan.places + (epilogue > 0 ? 1 : 0)
    words[Control.InputOffsets] = offsets
    words[Control.Environment] = environment
    words[Control.AdapterFlags] = plan.adapterFlags
    // A schedule takes places out of order, and declared edges say what need not be guessed.
    const scheduled = plan.schedule !== undefined
    words[Control.Schedule] = scheduled ? environment + (plan.schedule ?? 0) : 0
    words[Control.Window] = scheduled ? plan.places : DEFAULT_WINDOW
    words[Control.Speculation] = settings.speculation === 'always' || scheduled ? 1 : 0
    words[Control.Reserve] = plan.reserves === true && words[Control.Speculation] === 0 ? 1 : 0
    words[Control.Wary] = words[Control.Speculation] !== 0 ? 0 : first + 1
    words[Control.DenseLocation] = plan.denseLocation(plan.state)
    words[Control.KeepVersions] = settings.keepVersions === true ? 1 : 0
    words[Control.ArenaEnd] = words.length
    words[Control.ExecutionIndex] = first
    words[Control.CommitIndex] = first
    words[Control.Mode] = Mode.Speculative
    atomics.store(words, Control.ArenaNext, arenas)
  }

  /** Tells the caller of progress; a callback that throws fails the run. */
  #follow(
    plan: Plan,
    settings: RunSettings,
    fail: (error: unknown) => void,
  ): ReturnType<typeof setInterval> | undefined {
    const { onProgress } = settings
    if (onProgress === undefined) return undefined
    let last = 0
    return setInterval(() => {
      const committed = Math.min(atomics.load(this.words, Control.CommitIndex) - 1, plan.places)
      if (committed <= last) return
      last = committed
      try {
        onProgress(committed)
      } catch (error) {
        fail(error)
      }
    }, 1)
  }

  #report(ms: number, workers: number, plan: Plan): RunReport {
    const sum = (field: number) => {
      let total = 0
      for (let k = 0; k < MAX_WORKERS; k++) total += this.words[Control.WorkerBlocks + k * WorkerBlock.Size + field]
      return total
    }
    const sequential = this.words[Control.Kind] === RunKind.Sequential
    const speculative = sum(WorkerBlock.Speculative)
    const direct = sum(WorkerBlock.Direct)
    const fallback = sequential ? plan.places : sum(WorkerBlock.Fallback)
    return {
      ms,
      workers,
      executions: sum(WorkerBlock.Executions),
      aborts: sum(WorkerBlock.Aborts),
      validations: sum(WorkerBlock.Validations),
      speculative,
      direct,
      reexecuted: plan.places - speculative - fallback - direct,
      fallback,
      deferrals: sum(WorkerBlock.Deferrals),
      waits: sum(WorkerBlock.Waits),
      fallbacks: sum(WorkerBlock.Fallbacks),
      ends: this.words[Control.LastPlace] - this.words[Control.FirstPlace] + 1 - plan.places,
      endExecutions: sum(WorkerBlock.EndExecutions),
      memoryBytes: 4 * atomics.load(this.words, Control.ArenaNext),
    }
  }

  /** Text that a worker left in the arena. */
  #message(): string {
    const { words } = this
    const at = words[Control.FaultMessage]
    return new TextDecoder().decode(
      new Uint8Array(words.slice(at + 1, at + 1 + ((words[at] + 3) >> 2)).buffer, 0, words[at]),
    )
  }

  #raise(halt: number, signal: AbortSignal | undefined): never {
    const { words } = this
    const committedPrefix = Math.min(Math.max(0, atomics.load(words, Control.CommitIndex) - 1), words[Control.Places])
    const details = { committedPrefix }
    if (halt === Halt.Signal) throw this.#stopped(signal, details)
    if (halt === Halt.StateFull) throw new StateFull()
    if (halt === Halt.Capacity) {
      const limit = words.length * 4
      throw new CapacityError(
        'CAPACITY',
        `the block needs more than memoryLimit, ${limit} bytes`,
        { limit, actual: limit },
        details,
      )
    }
    if (halt === Halt.Stalled) {
      const fields = {
        commitIndex: words[Control.CommitIndex],
        executionIndex: words[Control.ExecutionIndex],
        places: words[Control.Places],
        mode: words[Control.Mode],
        lock: words[Control.CommitLock],
        status: words[words[Control.PlaceTable] + words[Control.CommitIndex] * Place.Size + Place.Status],
      }
      const message = `no place was committed for ${this.#stallTimeout} ms at place ${fields.commitIndex} of ${fields.places}`
      throw new ParallelExecutionError('STALLED', message, fields, details)
    }
    if (halt === Halt.Fault) throw this.#faultError(details)
    throw new InvariantError('INVARIANT', `the run halted for an unknown reason: ${halt}`, { halt }, details)
  }

  #faultError(details: { readonly committedPrefix: number }): ParallelExecutionError {
    const { words } = this
    const place = words[Control.FaultPlace]
    const txIndex = place - 1
    const end = place === 0 ? 'prologue' : place > words[Control.Places] ? 'epilogue' : undefined
    const who = end === undefined ? `transaction ${txIndex}` : `the ${end}`
    const where = end === undefined ? { txIndex } : { end }
    const reason = this.#message()
    switch (words[Control.FaultCode]) {
      case Fault.InvalidTransaction:
        return new InvalidInputError(
          'INVALID_TRANSACTION',
          `${who} is not valid in this block: ${reason}`,
          { ...where, reason },
          details,
        )
      case Fault.MissingCode:
        return new InvalidInputError(
          'MISSING_CODE',
          `the state has no code with hash ${reason}, which ${who} needs`,
          { ...where, codeHash: reason },
          details,
        )
      case Fault.MissingBlockHash:
        return new InvalidInputError(
          'MISSING_BLOCK_HASH',
          `the state has no hash of block ${reason}, which ${who} asks for`,
          { ...where, blockNumber: reason },
          details,
        )
      case Fault.ModuleFailed:
        return new ParallelExecutionError(
          'MODULE_FAILED',
          `the EVM failed at ${who}: ${reason}`,
          { ...where, reason },
          { ...details, cause: new Error(reason) },
        )
      case Fault.TaskFailed:
        return new ParallelExecutionError(
          'TASK_FAILED',
          `task ${txIndex} failed: ${reason}`,
          { taskIndex: txIndex, reason },
          details,
        )
      default:
        return new InvariantError('INVARIANT', `broken at place ${place}: ${reason}`, { ...where, reason }, details)
    }
  }
}

/** The state's tables were too small for what the run met; they grow and it runs again. Never leaves the library. */
export class StateFull extends Error {
  override readonly name = 'Blockloom.StateFull'
}
