/**
 * The worker pool: members (member.ts) that live as long as their executor, parked between runs; and the runs they serve.
 *
 * A run is opened by writing its constants and moving the workers' epoch words, and closed when all that
 * serve it have counted themselves finished; main waits without blocking. A worker that dies, a stall or
 * a signal halts the run; the pool then replaces what it lost and stays usable.
 *
 * Concurrency: main thread; one run at a time (the executor queues).
 */
import * as atomics from '../core/atomics.ts'
import { ParallelExecutionError, WorkerLostError } from '../core/errors.ts'
import { Control, Halt, JOIN_CLOSED, RunKind } from '../core/layout.ts'
import type { SharedState } from '../core/stateMemory.ts'
import { StateHeader } from '../core/table.ts'
import { cpuMilliseconds } from '../platform/clock.ts'
import { coreCount, type WorkerSource } from '../platform/threads.ts'
import { callRest, closeJoin } from '../scheduler/joining.ts'
import { Member } from './member.ts'
import type { AdapterSpec } from './workerMain.ts'

/** Milliseconds between two looks of the watchdog. */
const WATCH = 200
/** Milliseconds that workers have to come back from a halted run before they are replaced. */
const GRACE = 2000

/** Milliseconds between two looks at how busy the cores are, while not all workers are called. */
const LOOK = 10
/** Share of the cores below which the workers that are called let them idle. */
const IDLE = 0.4

/** How often a run is begun, where all its workers end before they take part. */
const ATTEMPTS = 3

/** A run, as the pool needs to know it. */
export interface PoolRun {
  readonly kind: number
  /** Workers that serve the run, from the first one on. */
  readonly workers: number
  /** True where all of them are called at once, however few cores there are. */
  readonly everybody?: boolean
  readonly state: SharedState
  readonly signal?: AbortSignal | undefined
  /** Milliseconds without a commit, or a question to a state that answers later, after which the run is given up. */
  readonly stallTimeout: number
  readonly inputs?: readonly unknown[] | undefined
}

export class WorkerPool {
  readonly engine: Int32Array
  readonly #memory: WebAssembly.Memory
  readonly #source: WorkerSource
  readonly #spec: AdapterSpec
  readonly #size: number
  readonly #members: (Member | undefined)[] = []
  readonly #cores = coreCount()
  /** Workers that a run begins with, where it does not say more: no use in others, unless those at work sleep. */
  readonly #first: number
  #epoch = 0
  #closed = false
  readonly #ending: Promise<void>[] = []
  #state = 0

  constructor(memory: WebAssembly.Memory, size: number, source: WorkerSource, spec: AdapterSpec) {
    this.#memory = memory
    this.engine = new Int32Array(memory.buffer)
    this.#size = size
    this.#source = source
    this.#spec = spec
    // Without that clock nobody would see that they do.
    this.#first = cpuMilliseconds() === undefined ? size : Math.max(2, this.#cores)
  }

  /** Spawns what is missing and parks everybody on `state`. */
  async prepare(state: SharedState, workers: number, inputs?: readonly unknown[]): Promise<void> {
    const missing = this.#missing(workers)
    const ready =
      missing.length === 0 &&
      this.#state === state.id &&
      inputs === undefined &&
      this.#members.every((m) => m === undefined || m.parked !== undefined)
    if (ready) return
    // An idle worker keeps no process alive, but one that is spoken to must.
    for (const member of this.#living()) member.ref()
    try {
      await this.#instruct(state, missing, inputs)
      // A thread that an earlier run left broken may end when it is spoken to: the run is not to suffer for it.
      const broken = this.#missing(workers)
      if (broken.length > 0) await this.#instruct(state, broken, inputs)
    } catch (error) {
      // A worker that is gone since is spoken to in vain.
      this.#assertOpen()
      throw error
    } finally {
      for (const member of this.#living()) member.unref()
    }
  }

  /** Workers that a run with so many needs and that are not there. */
  #missing(workers: number): number[] {
    const missing: number[] = []
    for (let k = 0; k < Math.min(workers, this.#size); k++) {
      const member = this.#members[k]
      if (member === undefined || member.ended) missing.push(k)
    }
    return missing
  }

  /** Tells everybody what they need to know before a run, between two parks. */
  async #instruct(state: SharedState, missing: readonly number[], inputs?: readonly unknown[]): Promise<void> {
    await this.#unpark()
    this.#assertOpen()
    // All of them, though one may fail: one that is still being built would be handed its inputs in vain.
    const spawned = await Promise.allSettled(missing.map(async (k) => this.#spawn(k)))
    for (const one of spawned) if (one.status === 'rejected') throw one.reason
    this.#state = state.id
    for (const member of this.#living()) {
      await member.attach(state)
      if (inputs !== undefined) await member.hand(inputs)
    }
    // Closed meanwhile, there is nobody to serve a run, and nobody who would end it.
    this.#assertOpen()
    for (const member of this.#living()) member.park(this.#epoch, state.id)
  }

  #assertOpen(): void {
    if (this.#closed) throw new ParallelExecutionError('CLOSED', 'the executor was closed before the run began')
  }

  /**
   * Runs what the control words describe. Resolves with the halt reason, `Halt.None` for a whole run.
   *
   * @throws {WorkerLostError} WORKER_LOST when a worker ended while it took part
   */
  async run(options: PoolRun): Promise<number> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (await this.#attempt(options)) return atomics.load(this.engine, Control.Halt)
      await this.prepare(options.state, options.workers, options.inputs)
    }
    throw new WorkerLostError('WORKER_LOST', 'every worker ended before it took part in the run')
  }

  /** Runs once; false where all workers ended before one of them took part, and nothing has begun. */
  async #attempt(options: PoolRun): Promise<boolean> {
    const { engine } = this
    const serving = this.#members.slice(0, options.workers).filter((m): m is Member => m !== undefined)
    engine[Control.Kind] = options.kind
    engine[Control.Workers] = serving.length
    engine[Control.Cores] = this.#cores
    const called = options.everybody === true ? serving.length : Math.min(serving.length, this.#first)
    atomics.store(engine, Control.Called, called)
    atomics.store(engine, Control.Finished, 0)
    atomics.store(engine, Control.Halt, Halt.None)
    atomics.store(engine, Control.Join, 0)
    for (const member of serving) member.ref()
    const onAbort = (): void => this.#halt(Halt.Signal)
    options.signal?.addEventListener('abort', onAbort, { once: true })
    const watch = this.#watch(options, serving)
    const looks = called < serving.length ? this.#lookForIdleCores() : undefined
    let begun = true
    try {
      if (options.signal?.aborted) this.#halt(Halt.Signal)
      this.#wake()
      begun = await this.#finished(serving)
      // A thread that is still ending could write into memory that the caller puts back.
      await Promise.all(this.#ending.splice(0))
    } finally {
      clearInterval(watch)
      clearInterval(looks)
      options.signal?.removeEventListener('abort', onAbort)
      // One that is being ended must keep the process alive until it is: its caller waits for that.
      for (const member of serving) if (!member.ended) member.unref()
    }
    if (begun) await this.#raiseLost(serving)
    return begun
  }

  /** Stops the run that is open. */
  stop(): void {
    this.#halt(Halt.Signal)
  }

  /** Ends every worker. The pool cannot be used afterwards. */
  async close(): Promise<void> {
    this.#closed = true
    this.#halt(Halt.Signal)
    await Promise.all(
      this.#members.map(async (member, k) => {
        if (member === undefined) return
        this.#members[k] = undefined
        await member.dispose()
      }),
    )
  }

  #living(): Member[] {
    return this.#members.filter((m): m is Member => m !== undefined && !m.ended)
  }

  /** Starts worker `index`. */
  async #spawn(index: number): Promise<void> {
    const member = new Member(this.#source, this.engine, index)
    this.#members[index] = member
    try {
      await member.init(this.#memory, this.#spec)
    } catch (error) {
      this.#members[index] = undefined
      this.#assertOpen()
      throw error
    }
  }

  /**
   * Opens the run for the first worker, which wakes the next ones (workerMain): woken from here, the second
   * would wait until the first, who takes this thread's core where cores are few, gives it back.
   */
  #wake(): void {
    this.#epoch++
    this.#members[0]?.call(this.#epoch)
  }

  /** Brings parked workers back to their event loops. */
  async #unpark(): Promise<void> {
    const parked = this.#living().filter((m) => m.parked !== undefined)
    if (parked.length === 0) return
    this.engine[Control.Kind] = RunKind.Messages
    this.#epoch++
    for (const member of parked) member.call(this.#epoch)
    await Promise.all(parked.map((m) => m.back()))
  }

  /**
   * Resolves when everybody who joined has left, or a worker is gone from the midst of the run and the others have left.
   * One that ended before it joined, by what an earlier run left behind, is not missed; false where nobody else is there.
   */
  async #finished(serving: readonly Member[]): Promise<boolean> {
    const { engine } = this
    for (;;) {
      const finished = atomics.load(engine, Control.Finished)
      const join = atomics.load(engine, Control.Join)
      if ((join & JOIN_CLOSED) !== 0 && finished >= (join & (JOIN_CLOSED - 1))) return true
      const ended = serving.filter((m) => m.ended)
      if (ended.some((m) => m.isInside)) {
        this.#halt(Halt.WorkerLost)
        closeJoin(engine)
        if (serving.every((m) => m.ended || !m.isInside)) return true
      } else if (ended.length === serving.length) return false
      // Those whom the ended one would have woken.
      else if (ended.length > 0) for (const member of serving) if (!member.ended) member.call(this.#epoch)
      await atomics.waitAsync(engine, Control.Finished, finished, ended.length > 0 ? 10 : 1000)
    }
  }

  #halt(reason: number): void {
    atomics.compareExchange(this.engine, Control.Halt, Halt.None, reason)
    atomics.notify(this.engine, Control.CommitIndex)
    atomics.notify(this.engine, Control.Mode)
  }

  /** Calls the workers beyond the cores to the open run, where those at work let the cores idle: their places sleep. */
  #lookForIdleCores(): ReturnType<typeof setInterval> {
    let since = performance.now()
    let used = cpuMilliseconds() ?? 0
    const looks = setInterval(() => {
      const [now, total] = [performance.now(), cpuMilliseconds() ?? 0]
      if (total - used < IDLE * (now - since) * this.engine[Control.Cores]) {
        clearInterval(looks)
        callRest(this.engine, this.#epoch)
      }
      since = now
      used = total
    }, LOOK)
    return looks
  }

  /**
   * Stops a run that commits nothing, and asks nothing of a state, for too long, and ends workers that do not come back
   * from a halt.
   */
  #watch(
    { stallTimeout, state }: Pick<PoolRun, 'stallTimeout' | 'state'>,
    serving: readonly Member[],
  ): ReturnType<typeof setInterval> {
    const { engine } = this
    let progress = -1
    let since = performance.now()
    let halted = 0
    return setInterval(() => {
      const now = performance.now()
      if (atomics.load(engine, Control.Halt) !== Halt.None) {
        if (halted === 0) halted = now
        else if (now - halted > GRACE) this.#giveUp(serving)
        return
      }
      const done = atomics.load(engine, Control.CommitIndex) + atomics.load(engine, Control.BatchIndex)
      const mark = done + atomics.load(state.words, StateHeader.Asked)
      // How long a source may take is its own limit, or none.
      if (mark !== progress || state.isAsking === true) {
        progress = mark
        since = now
      } else if (now - since > stallTimeout) this.#halt(Halt.Stalled)
    }, WATCH)
  }

  /** Ends workers that do not come back. */
  #giveUp(serving: readonly Member[]): void {
    for (const member of serving) {
      if (member.ended || !member.isInside) continue
      this.#ending.push(member.terminate())
    }
    atomics.notify(this.engine, Control.Finished)
  }

  /** Throws why a worker was lost, once. */
  async #raiseLost(serving: readonly Member[]): Promise<void> {
    const halt = atomics.load(this.engine, Control.Halt)
    if (halt === Halt.WorkerLost) {
      // A worker that threw says why when it leaves its park.
      await Promise.race([
        Promise.allSettled(serving.map((m) => m.parked).filter((p) => p !== undefined)),
        new Promise((resolve) => setTimeout(resolve, 50)),
      ])
    }
    for (const member of serving) {
      if (member.lost === undefined) continue
      const cause = member.lost
      member.lost = undefined
      if (cause instanceof ParallelExecutionError) throw cause
      // Of a whole run it took no part; of a stopped one, what stopped it is the reason why it did not come back.
      if (halt !== Halt.WorkerLost) continue
      throw new WorkerLostError(
        'WORKER_LOST',
        'a worker ended while a block ran; the pool has replaced it',
        {},
        { cause },
      )
    }
  }
}
