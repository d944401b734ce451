/**
 * Adapters from outside the package: a module's `createAdapter`, spoken to in bytes.
 *
 * The engine speaks words and locations; this is the wrapper above it. An adapter is built once a worker from options that
 * structured cloning copies. docs/adapters.md walks through one, `checkAdapter` of `blockloom/testing` tests any.
 */
import { unpackBytes, wordsOf } from '../../core/bytes.ts'
import { type AsyncAdapter, type Complaint, Outcome, type SyncAdapter, type TaskMemory } from '../../core/contracts.ts'
import { InvalidInputError, ParallelExecutionError } from '../../core/errors.ts'
import { Fault } from '../../core/layout.ts'
import { type TaskFailure, TaskFlag, TaskResultWords } from '../../core/tasks.ts'
import { messageOf } from '../../core/thrown.ts'
import { Values } from '../../core/values.ts'
import { IncarnationStore } from '../taskGraph/incarnation.ts'
import { Operations } from '../taskGraph/operations.ts'
import type { RangeOptions } from '../taskGraph/store.ts'

type Words = Int32Array

/** Answer of a read that meets a value which is not there yet. The memory is poisoned from then on: unwind. */
export const BLOCKED: unique symbol = Symbol.for('blockloom.blocked') as never

/** What one execution sees of the state: byte strings by key. Valid until it ends. */
export interface AdapterMemory {
  /** The bytes under a key, a copy; undefined for none. */
  get(key: string): Uint8Array | undefined | typeof BLOCKED
  /** Whether there are bytes under a key. */
  has(key: string): boolean | typeof BLOCKED
  /** Keys that begin with a prefix, in the order of their UTF-8 bytes. */
  keys(prefix: string, options?: RangeOptions): readonly string[] | typeof BLOCKED
  /** Buffered, and published if the execution is done. */
  set(key: string, value: Uint8Array): void
  /** As `set`: buffered. */
  delete(key: string): void
}

/** What is executed. */
export interface AdapterPlace {
  /** Index in the list of inputs. */
  readonly index: number
  /** Its bytes, a copy. */
  readonly input: Uint8Array
  /** How often it was executed before in this run. Answers must not depend on it. */
  readonly incarnation: number
}

/** How an execution ended. All but `done` leave nothing behind, and count only once everything below is final. */
export type AdapterAnswer =
  | { readonly outcome: 'done'; readonly result?: Uint8Array }
  | { readonly outcome: 'blocked' }
  | { readonly outcome: 'invalid' | 'fault'; readonly reason: string }

/** An adapter in one worker. `execute` is a pure function of the place's input and of what it reads. */
export interface CustomAdapter {
  /** Whether `execute` returns a promise. */
  readonly kind: 'sync' | 'async'
  /** A run begins; what its caller gave for all places. Once a run and worker. */
  beginBlock?(environment: Uint8Array): void
  /** Executes one place. It may be called more than once for a place, and for several places in any order. */
  execute(place: AdapterPlace, memory: AdapterMemory): AdapterAnswer | Promise<AdapterAnswer>
  /** The run is over, for a worker whose run began. */
  endBlock?(): void
  /** The worker ends. */
  dispose?(): void
}

/** What the package gives an adapter, so that its module need not import anything. */
export interface AdapterHost {
  /** The mark of a read that cannot be answered yet. */
  readonly BLOCKED: typeof BLOCKED
  /** It is done; its writes and its result count. */
  done(result?: Uint8Array): AdapterAnswer
  /** It met `BLOCKED` and unwound; it is executed again. */
  blocked(): AdapterAnswer
  /** The input is not valid at its place; if that holds at the end, the result says so. */
  invalid(reason: string): AdapterAnswer
  /** It failed; if that holds at the end, the result says so, or the run ends (`failures`). */
  fault(reason: string): AdapterAnswer
}

/** What a module of an adapter exports under this name. */
export type CreateAdapter = (options: unknown, host: AdapterHost) => CustomAdapter | Promise<CustomAdapter>

const adapterHost: AdapterHost = {
  BLOCKED,
  done: (result) => (result === undefined ? { outcome: 'done' } : { outcome: 'done', result }),
  blocked: () => ({ outcome: 'blocked' }),
  invalid: (reason) => ({ outcome: 'invalid', reason }),
  fault: (reason) => ({ outcome: 'fault', reason }),
}

/** Values of such a state are bytes, which need no codec. */
const bytesAlone = {
  encode(): never {
    throw new TypeError('values of an adapter are bytes')
  },
  decode(): never {
    throw new TypeError('the value is not bytes: another program than an adapter has written it')
  },
}

/** Input words of a place: bytes, then the words. The same form carries the environment. */
const bytesAt = (engine: Words, at: number): Uint8Array => unpackBytes(engine, at + 1, engine[at])

class StoreMemory implements AdapterMemory {
  readonly store: IncarnationStore

  constructor(store: IncarnationStore) {
    this.store = store
  }

  get(key: string): Uint8Array | undefined | typeof BLOCKED {
    const value = this.#read(() => this.store.get(key))
    if (value === undefined || value === BLOCKED || value instanceof Uint8Array) return value
    throw new TypeError(`the value under '${key}' is not bytes`)
  }

  has(key: string): boolean | typeof BLOCKED {
    return this.#read(() => this.store.has(key))
  }

  keys(prefix: string, options?: RangeOptions): readonly string[] | typeof BLOCKED {
    return this.#read(() => this.store.keys(prefix, options))
  }

  set(key: string, value: Uint8Array): void {
    if (!(value instanceof Uint8Array)) throw new TypeError('values of an adapter are bytes')
    if (!this.store.poisoned) this.store.set(key, value)
  }

  delete(key: string): void {
    if (!this.store.poisoned) this.store.delete(key)
  }

  #read<T>(read: () => T): T | typeof BLOCKED {
    try {
      return read()
    } catch (error) {
      if (this.store.poisoned) return BLOCKED
      throw error
    }
  }
}

/** What `execute` answered; a fault where that is no answer. */
const answerOf = (given: unknown): AdapterAnswer => {
  const fault = (reason: string): AdapterAnswer => ({ outcome: 'fault', reason: `execute ${reason}` })
  try {
    if (given instanceof Promise) {
      Promise.prototype.then.call(given, undefined, () => undefined)
      return fault("returned a promise, and the adapter's kind is 'sync'")
    }
    const { outcome, result, reason } = (given ?? {}) as { outcome?: unknown; result?: unknown; reason?: unknown }
    if (outcome === 'blocked') return { outcome }
    if (outcome === 'done') {
      if (result === undefined) return { outcome }
      return result instanceof Uint8Array
        ? { outcome, result }
        : fault(`gave a result that is ${typeof result}, not bytes`)
    }
    if (outcome === 'invalid' || outcome === 'fault') return { outcome, reason: String(reason ?? 'no reason given') }
    return fault(`answered with no outcome; return host.done(), blocked(), invalid(reason) or fault(reason)`)
  } catch (error) {
    return fault(`gave an answer that cannot be looked at: ${messageOf(error)}`)
  }
}

/** What both kinds share. */
class Wrapper {
  readonly adapter: CustomAdapter
  readonly #values = new Values(bytesAlone)
  readonly #operations = new Operations(this.#values, [])
  #flags = 0
  #complaint: Complaint = { fault: Fault.None, message: '' }

  constructor(adapter: CustomAdapter) {
    this.adapter = adapter
  }

  beginBlock(engine: Words, environment: number, flags: number): void {
    this.#flags = flags
    this.#call('beginBlock', () => this.adapter.beginBlock?.(bytesAt(engine, environment)))
  }

  complaint(): Complaint {
    return this.#complaint
  }

  endBlock(): void {
    this.#call('endBlock', () => this.adapter.endBlock?.())
  }

  dispose(): void {
    this.adapter.dispose?.()
  }

  memory(memory: TaskMemory): StoreMemory {
    const store = new IncarnationStore(memory, this.#values, this.#operations, [])
    store.begin(memory)
    return new StoreMemory(store)
  }

  placeOf(memory: TaskMemory, input: number): AdapterPlace {
    return { index: memory.place - 1, input: bytesAt(memory.engine, input), incarnation: memory.incarnation }
  }

  thrown(error: unknown): AdapterAnswer {
    return { outcome: 'fault', reason: messageOf(error) }
  }

  finish(memory: TaskMemory, { store }: StoreMemory, given: unknown): Outcome {
    store.end()
    const answer = answerOf(given)
    if (store.poisoned || answer.outcome === 'blocked') return Outcome.Blocked
    if (answer.outcome === 'done') {
      store.publish()
      this.#keep(memory, TaskResultWords.Done, answer.result ?? new Uint8Array(0))
      return Outcome.Done
    }
    if (!memory.strict) return Outcome.Fault
    const name = answer.outcome === 'invalid' ? 'Invalid' : 'Error'
    const failure: TaskFailure = { code: 'TASK_FAILED', name, message: answer.reason }
    const text = JSON.stringify(failure)
    if ((this.#flags & TaskFlag.Stop) !== 0) {
      this.#complaint = { fault: Fault.TaskFailed, message: text }
      return Outcome.Fault
    }
    this.#keep(memory, TaskResultWords.Failed, new TextEncoder().encode(text))
    return Outcome.Done
  }

  /** Calls a hook of the adapter. @throws {ParallelExecutionError} MODULE_FAILED with what it threw */
  #call(name: string, hook: () => void): void {
    try {
      hook()
    } catch (cause) {
      const reason = messageOf(cause)
      throw new ParallelExecutionError(
        'MODULE_FAILED',
        `${name} of the adapter threw: ${reason}`,
        { reason },
        { cause },
      )
    }
  }

  #keep(memory: TaskMemory, kind: number, bytes: Uint8Array): void {
    this.#values.encode(bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes))
    const { length } = this.#values
    const at = memory.allocate(TaskResultWords.Words + wordsOf(length))
    memory.engine[at + TaskResultWords.Kind] = kind
    memory.engine[at + TaskResultWords.Length] = length
    memory.engine[at + TaskResultWords.Micros] = 0
    this.#values.copyTo(memory.engine, at + TaskResultWords.Words)
    memory.result(at, TaskResultWords.Words + wordsOf(length))
  }
}

class SyncWrapper extends Wrapper implements SyncAdapter {
  readonly kind = 'sync'

  execute(memory: TaskMemory, input: number): Outcome {
    const own = this.memory(memory)
    let answer: unknown
    try {
      answer = this.adapter.execute(this.placeOf(memory, input), own)
    } catch (error) {
      answer = this.thrown(error)
    }
    return this.finish(memory, own, answer)
  }
}

class AsyncWrapper extends Wrapper implements AsyncAdapter {
  readonly kind = 'async'

  async execute(memory: TaskMemory, input: number): Promise<Outcome> {
    const own = this.memory(memory)
    let answer: unknown
    try {
      answer = await this.adapter.execute(this.placeOf(memory, input), own)
    } catch (error) {
      answer = this.thrown(error)
    }
    return this.finish(memory, own, answer)
  }
}

/**
 * Imports a module and makes its adapter.
 *
 * @throws {InvalidInputError} MODULE_NOT_LOADED where it cannot be imported or exports no `createAdapter`
 */
export const loadAdapter = async (module: string, options: unknown): Promise<CustomAdapter> => {
  const { createAdapter } = (await import(/* @vite-ignore */ module)) as { readonly createAdapter?: CreateAdapter }
  if (typeof createAdapter !== 'function') {
    throw new InvalidInputError('MODULE_NOT_LOADED', `the module ${module} exports no createAdapter`, { module })
  }
  const adapter = await createAdapter(options, adapterHost)
  if ((adapter?.kind !== 'sync' && adapter?.kind !== 'async') || typeof adapter.execute !== 'function') {
    const message = `createAdapter of ${module} returns no { kind: 'sync' | 'async', execute }`
    throw new InvalidInputError('MODULE_NOT_LOADED', message, { module })
  }
  return adapter
}

/** As `loadAdapter`, in the engine's terms. */
export const createCustomAdapter = async (module: string, options: unknown): Promise<SyncAdapter | AsyncAdapter> => {
  const adapter = await loadAdapter(module, options)
  return adapter.kind === 'sync' ? new SyncWrapper(adapter) : new AsyncWrapper(adapter)
}
