/**
 * One worker of a pool, as main sees it: its thread from start to end, and what is said to it between runs.
 *
 * A member knows nothing of runs but that it is parked for one and called to it. What is asked of a thread that ends
 * is never answered, so every question races with the end.
 * Concurrency: main thread.
 */
import { type Remote, releaseProxy, wrap } from 'comlink'
import * as atomics from '../core/atomics.ts'
import { fromWire, InvalidInputError, ParallelExecutionError, type WireError, WorkerLostError } from '../core/errors.ts'
import { Control, WorkerBlock } from '../core/layout.ts'
import type { SharedState } from '../core/stateMemory.ts'
import { spawnWorker, type WorkerHandle, type WorkerSource } from '../platform/threads.ts'
import { isInside } from '../scheduler/joining.ts'
import type { AdapterSpec, WorkerApi } from './workerMain.ts'

type Words = Int32Array

/** States that a worker keeps at hand; each holds address space until it is let go. */
const ATTACHED_STATES = 4

export class Member {
  /** Why the thread ended, or what its worker threw; undefined where nothing is wrong, or it was told already. */
  lost: unknown
  /** True once the thread is gone, or is being ended. */
  ended = false
  /** Resolves when the worker has left its park; undefined while it is at its event loop. */
  parked: Promise<WireError | undefined> | undefined
  readonly #engine: Words
  readonly #index: number
  readonly #handle: WorkerHandle
  readonly #api: Remote<WorkerApi>
  readonly #attached = new Set<number>()
  readonly #gone: Promise<void>
  #end: () => void = () => undefined
  #building: Promise<void> | undefined
  #isBuilt = false
  /** True where the thread ended because its code threw. */
  #threw = false

  /** Starts a thread; `init` makes a worker of it. */
  constructor(source: WorkerSource, engine: Words, index: number) {
    this.#engine = engine
    this.#index = index
    this.#handle = spawnWorker(source)
    this.#api = wrap<WorkerApi>(this.#handle.endpoint)
    this.#gone = new Promise((resolve) => {
      this.#end = resolve
    })
    this.#handle.onEnd((cause, failed) => {
      this.#threw ||= failed
      this.lost ??= cause
      this.ended = true
      this.#end()
      atomics.store(engine, this.#word(WorkerBlock.Recovering), 0)
      atomics.notify(engine, Control.Finished)
    })
    atomics.store(engine, this.#word(WorkerBlock.Inside), 0)
  }

  /** True once the thread has its adapter: before that it is told nothing else. */
  get isBuilt(): boolean {
    return this.#isBuilt
  }

  /**
   * Builds the adapter in the thread. Asked again, it is the same building: a run that was aborted meanwhile has not
   * ended it.
   *
   * @throws {WorkerLostError} WORKER_LOST where the thread ends meanwhile
   * @throws {ParallelExecutionError} MODULE_NOT_LOADED where it cannot start; or what the adapter's module says
   */
  init(memory: WebAssembly.Memory, spec: AdapterSpec): Promise<void> {
    this.#building ??= this.#build(memory, spec)
    return this.#building
  }

  async #build(memory: WebAssembly.Memory, spec: AdapterSpec): Promise<void> {
    const ended = this.#gone.then(() => {
      throw this.lost
    })
    let failed: WireError | undefined
    try {
      failed = await Promise.race([this.#api.init(this.#index, memory, spec), ended])
    } catch (cause) {
      if (!this.#threw) {
        throw new WorkerLostError('WORKER_LOST', 'a worker ended while it was being started', {}, { cause })
      }
      const message = 'a worker could not be started; give its address as `worker`'
      throw new ParallelExecutionError('MODULE_NOT_LOADED', message, {}, { cause })
    }
    if (failed === undefined) {
      this.#isBuilt = true
      return
    }
    await this.terminate()
    throw fromWire(failed)
  }

  /** Makes a state known to the worker, and has it let the oldest go. */
  async attach({ id, memory }: SharedState): Promise<void> {
    if (this.#attached.has(id)) return
    // Noted when it is said: the caller may not wait for the answer, and what is said next is heard next.
    this.#attached.add(id)
    const said = [this.#api.attach(id, memory)]
    for (const oldest of this.#attached) {
      if (this.#attached.size <= ATTACHED_STATES) break
      this.#attached.delete(oldest)
      said.push(this.#api.detach(oldest))
    }
    try {
      await Promise.race([Promise.all(said), this.#gone])
    } catch (error) {
      this.#attached.delete(id)
      throw error
    }
  }

  /**
   * Hands the worker the inputs of a run.
   *
   * @throws {InvalidInputError} INVALID_OPTION for functions and the like, which structured clone refuses
   */
  async hand(inputs: readonly unknown[]): Promise<void> {
    try {
      await Promise.race([this.#api.inputs(inputs), this.#gone])
    } catch (cause) {
      const message = `an input cannot be sent to another thread: ${cause instanceof Error ? cause.message : String(cause)}`
      throw new InvalidInputError('INVALID_OPTION', message, { option: 'input' }, { cause })
    }
  }

  /** Parks the worker, for runs on the state, behind the run `epoch`: it serves the first epoch that differs. */
  park(epoch: number, state: number): void {
    atomics.store(this.#engine, this.#word(WorkerBlock.Epoch), epoch)
    const parked = this.#api.park(epoch, state) as Promise<WireError | undefined>
    this.parked = parked
    parked.then(
      (failed) => {
        this.parked = undefined
        if (failed !== undefined) this.lost = fromWire(failed)
      },
      () => undefined,
    )
  }

  /** Tells the parked worker that the epoch is another. */
  call(epoch: number): void {
    const word = this.#word(WorkerBlock.Epoch)
    atomics.store(this.#engine, word, epoch)
    atomics.notify(this.#engine, word)
  }

  /** Resolves when the worker is back at its event loop, or gone. */
  async back(): Promise<void> {
    await Promise.race([this.parked, this.#gone])
  }

  /** True while the worker takes part in a run. */
  get isInside(): boolean {
    return isInside(this.#engine, this.#index)
  }

  /** Keeps the process alive. */
  ref(): void {
    this.#handle.ref()
  }

  unref(): void {
    this.#handle.unref()
  }

  /** Ends the thread. */
  async terminate(): Promise<void> {
    this.ended = true
    await this.#handle.terminate()
    // A browser says nothing of an end that it was asked for.
    this.#end()
    atomics.store(this.#engine, this.#word(WorkerBlock.Recovering), 0)
  }

  /** Ends the thread and forgets it. */
  async dispose(): Promise<void> {
    await this.terminate()
    this.#api[releaseProxy]()
  }

  #word(field: number): number {
    return Control.WorkerBlocks + this.#index * WorkerBlock.Size + field
  }
}
