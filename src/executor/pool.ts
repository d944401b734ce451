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
import { Control, Halt, JOIN_CLOSED, Mode, RunKind } from '../core/layout.ts'
import type { SharedState } from '../core/stateMemory.ts'
import { StateHeader } from '../core/table.ts'
import { cpuMilliseconds } from '../platform/clock.ts'
import { coreCount, type WorkerSource } from '../platform/threads.ts'
import { callRest, closeJoin, joined } from '../scheduler/joining.ts'
import { IdleCores } from './idleCores.ts'
import { Member } from './member.ts'
import { Late, Patience } from './patience.ts'
import type { Stopping } from './stopping.ts'
import type { AdapterSpec } from './workerMain.ts'

/** Milliseconds between two looks of the watchdog. */
const WATCH = 200
/**
 * Milliseconds that workers have to come back from a halted run before they are replaced; and at least to answer
 * between runs, however short a stall is.
 */
const GRACE = 2000
/** Milliseconds that a thread has at least to start and load its module. */
const START = 10_000

/** How often a run is begun, where all its workers end before they take part. */
const ATTEMPTS = 3

/** What the pool is to be ready for. */
export interface PoolTask {
  readonly state: SharedState
  /** Workers that serve the run, from the first one on. */
  readonly workers: number
  readonly inputs?: readonly unknown[] | undefined
  readonly signal?: AbortSignal | undefined
  /**
   * Milliseconds without a commit, or a question to a state that answers later, after which the run is given up; and
   * before it without an answer, after which a worker is replaced.
   */
  readonly stallTimeout: number
}

/** A run, as the pool needs to know it. */
export interface PoolRun extends PoolTask {
  readonly kind: number
  /** True where all of them are called at once, however few cores there are. */
  readonly everybody?: boolean
}

export class WorkerPool {
  readonly engine: Int32Array
  readonly #memory: WebAssembly.Memory
  readonly #source: WorkerSource
  readonly #spec: AdapterSpec
  readonly #size: number
  readonly #stopping: Stopping
  readonly #members: (Member | undefined)[] = []
  readonly #cores = coreCount()
  readonly #idleCores = new IdleCores(this.#cores)
  /** Workers that a run begins with, where it does not say more: no use in others, unless those at work sleep. */
  readonly #first: number
  #epoch = 0
  #closed = false
  readonly #ending: Promise<void>[] = []
  #state = 0

  constructor(memory: WebAssembly.Memory, size: number, source: WorkerSource, spec: AdapterSpec, stopping: Stopping) {
    this.#memory = memory
    this.engine = new Int32Array(memory.buffer)
    this.#size = size
    this.#source = source
    this.#spec = spec
    this.#stopping = stopping
    // Without that clock nobody would see that they do.
    this.#first = cpuMilliseconds() === undefined ? size : Math.max(2, this.#cores)
  }

  /**
   * Spawns what is missing and parks everybody on a state. A worker that does not answer is replaced.
   *
   * @throws {ParallelExecutionError} MODULE_NOT_LOADED where a new one is not ready in time; STALLED where it does not
   *   answer either; ABORTED, CLOSED
   */
  async prepare(task: PoolTask): Promise<void> {
    const { state, workers, inputs, signal } = task
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
      await this.#stopping.during(async (stopped) => {
        await this.#instruct(task, missing, new Patience(stopped))
        // A thread that an earlier run left broken may end when it is spoken to: the run is not to suffer for it.
        const broken = this.#missing(workers)
        if (broken.length === 0) return
        const unanswered = await this.#instruct(task, broken, new Patience(stopped))
        if (unanswered !== undefined && this.#missing(workers).length > 0)
          throw stalled(unanswered, Math.max(task.stallTimeout, GRACE))
      }, signal)
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
      if (member === undefined || member.ended || !member.isBuilt) missing.push(k)
    }
    return missing
  }

  /**
   * Tells everybody what they need to know before a run, between two parks. Returns what one of them did not answer to,
   * and was ended for, or undefined.
   */
  async #instruct(task: PoolTask, missing: readonly number[], patience: Patience): Promise<string | undefined> {
    const { state, inputs } = task
    const limit = Math.max(task.stallTimeout, GRACE)
    // Until all is said nobody is ready for a run: this may end in between.
    this.#state = 0
    const left = await settled(
      this.#unpark().map((member) => this.#heard(member, patience.of(member.back(), limit), 'left its park')),
    )
    this.#assertOpen()
    const start = Math.max(task.stallTimeout, START)
    await settled(missing.map((k) => this.#spawn(k, patience, start)))
    const told = await settled(
      this.#built().map((member) => {
        const answer = async (): Promise<void> => {
          await member.attach(state)
          if (inputs !== undefined) await member.hand(inputs)
        }
        return this.#heard(member, patience.of(answer(), limit), 'taken what it was told of the run')
      }),
    )
    // Closed meanwhile, there is nobody to serve a run, and nobody who would end it.
    this.#assertOpen()
    for (const member of this.#built()) member.park(this.#epoch, state.id)
    this.#state = state.id
    return [...left, ...told].find((what) => what !== undefined)
  }

  /** Waits for an answer. A member that gives none is ended, and what it has not done is returned. */
  async #heard(member: Member, answer: Promise<void>, what: string): Promise<string | undefined> {
    try {
      await answer
      return undefined
    } catch (error) {
      if (!(error instanceof Late)) throw error
      await this.#drop(member)
      return what
    }
  }

  /** Ends a member whose place another one is to take. */
  async #drop(member: Member): Promise<void> {
    const index = this.#members.indexOf(member)
    if (index >= 0) this.#members[index] = undefined
    await member.terminate()
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
    let silent = false
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (await this.#attempt(options)) return atomics.load(this.engine, Control.Halt)
      const isSilent = atomics.load(this.engine, Control.Halt) !== Halt.None
      if (silent && isSilent) throw stalled('taken part in the run', options.stallTimeout)
      silent ||= isSilent
      await this.prepare(options)
    }
    throw new WorkerLostError('WORKER_LOST', 'every worker ended before it took part in the run')
  }

  /**
   * Runs once; false where all workers ended before one of them took part, or none did before the run was given up, and
   * nothing has begun.
   */
  async #attempt(options: PoolRun): Promise<boolean> {
    const { engine } = this
    const serving = this.#members.slice(0, options.workers).filter((m): m is Member => m !== undefined)
    engine[Control.Kind] = options.kind
    engine[Control.Workers] = serving.length
    engine[Control.Cores] = this.#cores
    // Where there are more than run at once, who is called follows from what the cores do.
    const watched = options.everybody !== true && serving.length > this.#first
    const called = watched && !this.#idleCores.sleeping ? this.#first : serving.length
    atomics.store(engine, Control.Called, called)
    atomics.store(engine, Control.Finished, 0)
    atomics.store(engine, Control.Halt, Halt.None)
    atomics.store(engine, Control.Join, 0)
    for (const member of serving) member.ref()
    const onAbort = (): void => this.#halt(Halt.Signal)
    options.signal?.addEventListener('abort', onAbort, { once: true })
    const watch = this.#watch(options, serving)
    if (watched) this.#idleCores.begin(() => callRest(engine, this.#epoch))
    let begun = true
    try {
      if (options.signal?.aborted) this.#halt(Halt.Signal)
      this.#wake()
      begun = await this.#finished(serving)
      // A thread that is still ending could write into memory that the caller puts back.
      await Promise.all(this.#ending.splice(0))
    } finally {
      clearInterval(watch)
      if (watched) this.#idleCores.end()
      options.signal?.removeEventListener('abort', onAbort)
      // One that is being ended must keep the process alive until it is: its caller waits for that.
      for (const member of serving) if (!member.ended) member.unref()
    }
    const [first] = serving
    if (begun && first !== undefined && joined(engine) === 0 && isStall(atomics.load(engine, Control.Halt))) {
      // It wakes the others; called in vain, it is not where its park was.
      await this.#drop(first)
      return false
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

  #built(): Member[] {
    return this.#living().filter((m) => m.isBuilt)
  }

  /** Starts worker `index`, or waits for the one that a run which was stopped has started. */
  async #spawn(index: number, patience: Patience, limit: number): Promise<void> {
    const before = this.#members[index]
    const member = before === undefined || before.ended ? new Member(this.#source, this.engine, index) : before
    this.#members[index] = member
    const building = member.init(this.#memory, this.#spec)
    let unanswered: string | undefined
    try {
      unanswered = await this.#heard(member, patience.of(building, limit), 'become ready')
    } finally {
      if (member.ended) this.#members[index] = undefined
      this.#assertOpen()
    }
    if (unanswered === undefined) return
    const message = `a worker was not ready after ${limit} ms: it does not start, or its module does not end loading`
    throw new ParallelExecutionError('MODULE_NOT_LOADED', message, { limit })
  }

  /**
   * Opens the run for the first worker, which wakes the next ones (workerMain): woken from here, the second
   * would wait until the first, who takes this thread's core where cores are few, gives it back.
   */
  #wake(): void {
    this.#epoch++
    this.#members[0]?.call(this.#epoch)
  }

  /** Calls parked workers back to their event loops, and says who they are. */
  #unpark(): Member[] {
    const parked = this.#living().filter((m) => m.parked !== undefined)
    if (parked.length === 0) return parked
    this.engine[Control.Kind] = RunKind.Messages
    this.#epoch++
    for (const member of parked) member.call(this.#epoch)
    return parked
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
    // Over when those are back who take part: nobody waits for one that may never come.
    closeJoin(this.engine)
    atomics.notify(this.engine, Control.Finished)
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
      } else if (now - since > stallTimeout) this.#halt(isStrict(engine) ? Halt.Stalled : Halt.StalledAhead)
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

const isStall = (halt: number): boolean => halt === Halt.Stalled || halt === Halt.StalledAhead

/**
 * Whether what does not return is executed with everything below it final: by the oracle, or by the holder of the commit
 * lock, once it is alone where it asks for that. With a schedule the holder may wait for units that others hold.
 */
const isStrict = (engine: Int32Array): boolean => {
  if (engine[Control.Kind] !== RunKind.Speculative) return true
  if (atomics.load(engine, Control.CommitLock) === 0 || engine[Control.Schedule] !== 0) return false
  if (atomics.load(engine, Control.Mode) === Mode.Speculative) return true
  return atomics.load(engine, Control.Drained) >= joined(engine) - 1
}

/** The error of a run that could not begin, because of what a worker has not done. */
const stalled = (what: string, limit: number): ParallelExecutionError =>
  new ParallelExecutionError(
    'STALLED',
    `a worker has not ${what} for ${limit} ms, nor has the one that replaced it`,
    { waitedFor: what },
    { committedPrefix: 0 },
  )

/** What all come to, though one may fail: what is under way is not to meet what comes next. */
const settled = async <T>(all: readonly Promise<T>[]): Promise<T[]> => {
  const values: T[] = []
  for (const one of await Promise.allSettled(all)) {
    if (one.status === 'rejected') throw one.reason
    values.push(one.value)
  }
  return values
}
