/**
 * The worker pool: threads that live as long as their executor, parked between runs.
 *
 * A run is opened by writing its constants and moving the workers' epoch words, and closed when all that
 * serve it have counted themselves finished; main waits without blocking. A worker that dies, a stall or
 * a signal halts the run; the pool then replaces what it lost and stays usable.
 *
 * Concurrency: main thread; one run at a time (the executor queues).
 */
import { type Remote, releaseProxy, wrap } from 'comlink'
import * as atomics from '../core/atomics.ts'
import { fromWire, InvalidInputError, ParallelExecutionError, type WireError, WorkerLostError } from '../core/errors.ts'
import { Control, Halt, JOIN_CLOSED, RunKind, WorkerBlock } from '../core/layout.ts'
import type { SharedState } from '../core/stateMemory.ts'
import { StateHeader } from '../core/table.ts'
import { spawnWorker, type WorkerHandle, type WorkerSource } from '../platform/threads.ts'
import { closeJoin, isInside } from '../scheduler/joining.ts'
import type { AdapterSpec, WorkerApi } from './workerMain.ts'

/** Milliseconds between two looks of the watchdog. */
const WATCH = 200
/** Milliseconds that workers have to come back from a halted run before they are replaced. */
const GRACE = 2000

/** How often a run is begun, where all its workers end before they take part. */
const ATTEMPTS = 3

/** States that a worker keeps at hand; each holds address space until it is let go. */
const ATTACHED_STATES = 4

interface Member {
  readonly handle: WorkerHandle
  readonly api: Remote<WorkerApi>
  readonly attached: Set<number>
  lost: unknown
  ended: boolean
  /** Resolves when the thread is gone; what was asked of it then never is answered. */
  readonly gone: Promise<void>
  /** Resolves when the worker has left its park. */
  parked: Promise<WireError | undefined> | undefined
}

export interface RunOptions {
  readonly kind: number
  /** Workers that serve the run, from the first one on. */
  readonly workers: number
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
    for (const member of this.#living()) member.handle.ref()
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
      for (const member of this.#living()) member.handle.unref()
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

  async #instruct(state: SharedState, missing: readonly number[], inputs?: readonly unknown[]): Promise<void> {
    await this.#unpark()
    this.#assertOpen()
    // All of them, though one may fail: one that is still being built would be handed its inputs in vain.
    const spawned = await Promise.allSettled(missing.map(async (k) => this.#spawn(k)))
    for (const one of spawned) if (one.status === 'rejected') throw one.reason
    this.#state = state.id
    for (const member of this.#living()) {
      if (!member.attached.has(state.id)) {
        await Promise.race([member.api.attach(state.id, state.memory), member.gone])
        member.attached.add(state.id)
        for (const id of member.attached) {
          if (member.attached.size <= ATTACHED_STATES) break
          await Promise.race([member.api.detach(id), member.gone])
          member.attached.delete(id)
        }
      }
      if (inputs !== undefined) await this.#hand(member, inputs)
    }
    // Closed meanwhile, there is nobody to serve a run, and nobody who would end it.
    this.#assertOpen()
    for (const member of this.#living()) member.parked = this.#park(member, state.id)
  }

  #assertOpen(): void {
    if (this.#closed) throw new ParallelExecutionError('CLOSED', 'the executor was closed before the run began')
  }

  /**
   * Runs what the control words describe. Resolves with the halt reason, `Halt.None` for a whole run.
   *
   * @throws {WorkerLostError} WORKER_LOST when a worker ended while it took part
   */
  async run(options: RunOptions): Promise<number> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (await this.#attempt(options)) return atomics.load(this.engine, Control.Halt)
      await this.prepare(options.state, options.workers, options.inputs)
    }
    throw new WorkerLostError('WORKER_LOST', 'every worker ended before it took part in the run')
  }

  /** Runs once; false where all workers ended before one of them took part, and nothing has begun. */
  async #attempt(options: RunOptions): Promise<boolean> {
    const { engine } = this
    const serving = this.#members.slice(0, options.workers).filter((m): m is Member => m !== undefined)
    engine[Control.Kind] = options.kind
    engine[Control.Workers] = serving.length
    atomics.store(engine, Control.Finished, 0)
    atomics.store(engine, Control.Halt, Halt.None)
    atomics.store(engine, Control.Join, 0)
    for (const member of serving) member.handle.ref()
    const stop = (reason: number) => () => this.#halt(reason)
    const onAbort = stop(Halt.Signal)
    options.signal?.addEventListener('abort', onAbort, { once: true })
    const watch = this.#watch(options, serving)
    let begun = true
    try {
      if (options.signal?.aborted) this.#halt(Halt.Signal)
      this.#wake()
      begun = await this.#finished(serving)
      // A thread that is still ending could write into memory that the caller puts back.
      await Promise.all(this.#ending.splice(0))
    } finally {
      clearInterval(watch)
      options.signal?.removeEventListener('abort', onAbort)
      // One that is being ended must keep the process alive until it is: its caller waits for that.
      for (const member of serving) if (!member.ended) member.handle.unref()
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
        member.ended = true
        await member.handle.terminate()
        member.api[releaseProxy]()
      }),
    )
  }

  #living(): Member[] {
    return this.#members.filter((m): m is Member => m !== undefined && !m.ended)
  }

  /** Hands a worker the inputs of a run; structured clone refuses functions and the like. */
  async #hand(member: Member, inputs: readonly unknown[]): Promise<void> {
    try {
      await Promise.race([member.api.inputs(inputs), member.gone])
    } catch (cause) {
      const message = `an input cannot be sent to another thread: ${cause instanceof Error ? cause.message : String(cause)}`
      throw new InvalidInputError('INVALID_OPTION', message, { option: 'input' }, { cause })
    }
  }

  async #spawn(index: number): Promise<void> {
    const handle = spawnWorker(this.#source)
    let leave: () => void = () => undefined
    const gone = new Promise<void>((resolve) => {
      leave = resolve
    })
    const member: Member = {
      handle,
      gone,
      api: wrap<WorkerApi>(handle.endpoint),
      attached: new Set(),
      lost: undefined,
      ended: false,
      parked: undefined,
    }
    let fail: (error: unknown) => void = () => undefined
    const ended = new Promise<never>((_, reject) => {
      fail = reject
    })
    ended.catch(() => undefined)
    let threw = false
    handle.onEnd((cause, failed) => {
      threw ||= failed
      member.lost ??= cause
      member.ended = true
      leave()
      fail(cause)
      atomics.notify(this.engine, Control.Finished)
    })
    this.#members[index] = member
    atomics.store(this.engine, Control.WorkerBlocks + index * WorkerBlock.Size + WorkerBlock.Inside, 0)
    let failed: WireError | undefined
    try {
      failed = await Promise.race([member.api.init(index, this.#memory, this.#spec), ended])
    } catch (cause) {
      this.#members[index] = undefined
      this.#assertOpen()
      if (!threw) throw new WorkerLostError('WORKER_LOST', 'a worker ended while it was being started', {}, { cause })
      throw new ParallelExecutionError(
        'MODULE_NOT_LOADED',
        'a worker could not be started; give its address as `worker`',
        {},
        { cause },
      )
    }
    if (failed !== undefined) {
      this.#members[index] = undefined
      member.ended = true
      await handle.terminate()
      throw fromWire(failed)
    }
  }

  #epochWord(index: number): number {
    return Control.WorkerBlocks + index * WorkerBlock.Size + WorkerBlock.Epoch
  }

  #park(member: Member, state: number): Promise<WireError | undefined> {
    const index = this.#members.indexOf(member)
    // The worker serves the first epoch that differs from the one it is told.
    atomics.store(this.engine, this.#epochWord(index), this.#epoch)
    const parked = member.api.park(this.#epoch, state) as Promise<WireError | undefined>
    parked.then(
      (failed) => {
        member.parked = undefined
        if (failed !== undefined) member.lost = fromWire(failed)
      },
      () => undefined,
    )
    return parked
  }

  /**
   * Opens the run for the first worker, which wakes the next ones (workerMain): woken from here, the second
   * would wait until the first, who takes this thread's core where cores are few, gives it back.
   */
  #wake(): void {
    this.#epoch++
    const first = this.#members[0]
    if (first !== undefined) this.#call(first)
  }

  /** Tells a parked worker that the epoch is another. */
  #call(member: Member): void {
    const word = this.#epochWord(this.#members.indexOf(member))
    atomics.store(this.engine, word, this.#epoch)
    atomics.notify(this.engine, word)
  }

  /** Brings parked workers back to their event loops. */
  async #unpark(): Promise<void> {
    const parked = this.#living().filter((m) => m.parked !== undefined)
    if (parked.length === 0) return
    this.engine[Control.Kind] = RunKind.Messages
    this.#epoch++
    for (const member of parked) this.#call(member)
    await Promise.all(parked.map((m) => Promise.race([m.parked, m.gone])))
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
      if (ended.some((m) => this.#inside(m))) {
        this.#halt(Halt.WorkerLost)
        closeJoin(engine)
        if (serving.every((m) => m.ended || !this.#inside(m))) return true
      } else if (ended.length === serving.length) return false
      // Those whom the ended one would have woken.
      else if (ended.length > 0) for (const member of serving) if (!member.ended) this.#call(member)
      await atomics.waitAsync(engine, Control.Finished, finished, ended.length > 0 ? 10 : 1000)
    }
  }

  #inside(member: Member): boolean {
    return isInside(this.engine, this.#members.indexOf(member))
  }

  #halt(reason: number): void {
    atomics.compareExchange(this.engine, Control.Halt, Halt.None, reason)
    atomics.notify(this.engine, Control.CommitIndex)
    atomics.notify(this.engine, Control.Mode)
  }

  /** Stops a run that commits nothing, and asks nothing of a state, for too long, and replaces workers that do not come back from a halt. */
  #watch(
    { stallTimeout, state }: Pick<RunOptions, 'stallTimeout' | 'state'>,
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
      if (member.ended || !this.#inside(member)) continue
      member.ended = true
      this.#ending.push(member.handle.terminate())
    }
    atomics.notify(this.engine, Control.Finished)
  }

  async #raiseLost(serving: readonly Member[]): Promise<void> {
    const halt = atomics.load(this.engine, Control.Halt)
    if (halt === Halt.WorkerLost) {
      // A worker that threw says why when it leaves its park.
      await Promise.race([
        Promise.allSettled(serving.map((m) => m.parked).filter((p) => p !== undefined && halt === Halt.WorkerLost)),
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
