/**
 * Tasks of a user's module over values by key.
 *
 * A task that throws ends with a failed result and no effects, decided only when everything before it is
 * final: a throw in speculation may come of what no sequential run would see (hazard 19).
 */

import { unpackText, wordsOf } from '../../core/bytes.ts'
import { type AsyncAdapter, type Complaint, Outcome, type SyncAdapter, type TaskMemory } from '../../core/contracts.ts'
import { InvalidInputError } from '../../core/errors.ts'
import { Fault } from '../../core/layout.ts'
import { MIX_START, mixBytes, mixWord } from '../../core/mix.ts'
import { type TaskFailure, TaskFlag, TaskInput, TaskResultWords } from '../../core/tasks.ts'
import { isError, textOf } from '../../core/thrown.ts'
import { type ValueCodec, Values } from '../../core/values.ts'
import { IncarnationStore } from './incarnation.ts'
import { type MergeFunction, Operations } from './operations.ts'
import type { TaskStore } from './store.ts'

type Words = Int32Array

/** What a task may know about its execution. Results must not depend on it. */
export interface TaskContext {
  /** Index in the list of calls, from 0. */
  readonly index: number
  /** How often this task was executed before in this run. */
  readonly incarnation: number
}

/** A task of a module: a function of what it reads, synchronous unless the executor is asked for more. */
export type TaskFunction = (memory: TaskStore, input: never, context: TaskContext) => unknown

/** Where a module of `defineTasks` keeps its merges. */
const MERGES = Symbol.for('blockloom.merges')

const failureOf = (error: unknown, code: TaskFailure['code'] = 'TASK_FAILED'): TaskFailure => {
  if (!isError(error)) {
    return { code, name: 'Error', message: textOf(() => error, 'the task threw what cannot be printed') }
  }
  const stack = textOf(() => error.stack, '')
  return {
    code,
    name: textOf(() => error.name, 'Error'),
    message: textOf(() => error.message, ''),
    ...(stack === '' ? {} : { stack }),
  }
}

interface Loaded {
  readonly functions: ReadonlyMap<string, TaskFunction>
  readonly merges: ReadonlyMap<string, MergeFunction>
}

const load = async (module: string, setup: string | undefined): Promise<Loaded> => {
  if (setup !== undefined) await import(/* @vite-ignore */ setup)
  const exported = (await import(/* @vite-ignore */ module)) as Record<string, unknown>
  const main = exported['default']
  const functions = new Map<string, TaskFunction>()
  for (const [name, value] of Object.entries({ ...(main as object | undefined), ...exported })) {
    if (typeof value === 'function') functions.set(name, value as TaskFunction)
  }
  if (functions.size === 0) {
    throw new InvalidInputError('MODULE_NOT_LOADED', `the module ${module} exports no function`, { module })
  }
  const declared = (main as { readonly [MERGES]?: Readonly<Record<string, MergeFunction>> } | undefined)?.[MERGES] ?? {}
  return { functions, merges: new Map(Object.entries(declared).sort(([a], [b]) => (a < b ? -1 : 1))) }
}

/**
 * Loads a module of tasks in a worker.
 *
 * @throws {InvalidInputError} MODULE_NOT_LOADED where the module cannot be loaded or exports no function
 */
export const createTaskAdapter = async (module: string, codec: ValueCodec, setup?: string): Promise<SyncAdapter> =>
  new SyncTasks(await load(module, setup), codec)

/**
 * As `createTaskAdapter`, for tasks that may return promises. Each incarnation has a store of its own, which refuses
 * everything once the task has settled: what a task left running cannot reach into the next one.
 */
export const createAsyncTaskAdapter = async (
  module: string,
  codec: ValueCodec,
  setup?: string,
): Promise<AsyncAdapter> => new AsyncTasks(await load(module, setup), codec)

const NOT_DETERMINISTIC: TaskFailure = {
  code: 'NOT_DETERMINISTIC',
  name: 'Error',
  message: 'run twice on the same state, the task gave two answers or wrote differently',
}

/** What adapters of either kind make of a module's functions. */
abstract class TaskAdapter {
  protected readonly values: Values
  protected readonly operations: Operations
  readonly fold: Operations['fold']
  readonly #functions: ReadonlyMap<string, TaskFunction>
  readonly #mergeNames: readonly string[]
  #names: string[] = []
  #tasks: (TaskFunction | undefined)[] = []
  #flags = 0
  #complaint: Complaint = { fault: Fault.None, message: '' }

  constructor({ functions, merges }: Loaded, codec: ValueCodec) {
    this.#functions = functions
    this.values = new Values(codec)
    this.operations = new Operations(this.values, [...merges.values()])
    this.fold = this.operations.fold.bind(this.operations)
    this.#mergeNames = [...merges.keys()]
  }

  /** The environment: how many names, then each one's length in bytes and its words. */
  beginBlock(engine: Words, environment: number, flags: number): void {
    this.#flags = flags
    this.#names = []
    let at = environment + 1
    for (let k = 0; k < engine[environment]; k++) {
      this.#names.push(unpackText(engine, at + 1, engine[at]))
      at += 1 + wordsOf(engine[at])
    }
    this.#tasks = this.#names.map((name) => this.#functions.get(name))
  }

  /** How long it took is no part of a result, nor where in which thread's code an error was made. */
  resultDigest(engine: Words, result: number): number {
    const kind = engine[result + TaskResultWords.Kind]
    const length = engine[result + TaskResultWords.Length]
    const digest = mixWord(MIX_START, kind)
    if (kind === TaskResultWords.Done)
      return mixBytes(mixWord(digest, length), engine, result + TaskResultWords.Words, length)
    const { values } = this
    const { code, name, message } = values.decode(engine, result + TaskResultWords.Words, length) as TaskFailure
    values.encode({ code, name, message })
    return mixBytes(digest, values.words, 0, values.length)
  }

  complaint(): Complaint {
    return this.#complaint
  }

  endBlock(): void {}

  dispose(): void {}

  protected makeStore(memory: TaskMemory): IncarnationStore {
    return new IncarnationStore(memory, this.values, this.operations, this.#mergeNames)
  }

  /** The function that a place calls; undefined, with a complaint, where the module has none of that name. */
  protected taskOf(memory: TaskMemory, input: number): TaskFunction | undefined {
    const name = memory.engine[input + TaskInput.Name]
    const task = this.#tasks[name]
    if (task !== undefined) return task
    const message = `the module exports no task '${this.#names[name]}'; it has ${[...this.#functions.keys()].join(', ')}`
    this.fault({ code: 'UNKNOWN_TASK', name: 'Error', message })
    return undefined
  }

  /** Each task is to be executed twice: only where everything below is final are two executions to be compared. */
  protected comparesTwo(memory: TaskMemory): boolean {
    return (this.#flags & TaskFlag.Twice) !== 0 && memory.strict
  }

  /** Calls the task; may throw. */
  protected start(
    memory: TaskMemory,
    store: IncarnationStore,
    task: TaskFunction,
    input: number,
    again: number,
  ): unknown {
    const { engine } = memory
    const length = engine[input + TaskInput.Length]
    store.begin(memory)
    const given = length === 0 ? undefined : this.values.decode(engine, input + TaskInput.Words, length)
    return task(store, given as never, {
      index: engine[input + TaskInput.Index],
      incarnation: memory.incarnation + again,
    })
  }

  /** Encodes what a task returned; why it cannot be, where that is so. */
  protected encode(store: IncarnationStore, value: unknown): TaskFailure | undefined {
    try {
      if (value === undefined) this.values.length = 0
      else store.encode(value)
      return undefined
    } catch (error) {
      return failureOf(error, 'NOT_ENCODABLE')
    }
  }

  /** All that can be seen of an execution, as text. */
  protected seen(store: IncarnationStore, failure: TaskFailure | undefined): string {
    if (failure !== undefined) return `failed: ${failure.message}`
    const { words, length } = this.values
    return `${length}:${words.subarray(0, wordsOf(length)).join()} ${store.effects()}`
  }

  /** Keeps what became of a task, and publishes what it did where it is done. */
  protected finish(
    memory: TaskMemory,
    store: IncarnationStore,
    failure: TaskFailure | undefined,
    began: number,
  ): Outcome {
    if (store.poisoned) return Outcome.Blocked
    if (failure === undefined) store.publish()
    else {
      if (!memory.strict) return Outcome.Fault
      if ((this.#flags & TaskFlag.Stop) !== 0) return this.fault(failure)
      this.values.encode(failure)
    }
    const { length } = this.values
    const count = wordsOf(length)
    const at = memory.allocate(TaskResultWords.Words + count)
    const { engine } = memory
    engine[at + TaskResultWords.Kind] = failure === undefined ? TaskResultWords.Done : TaskResultWords.Failed
    engine[at + TaskResultWords.Length] = length
    engine[at + TaskResultWords.Micros] = Math.min(0x7fffffff, Math.round((performance.now() - began) * 1000))
    if (length > 0) this.values.copyTo(engine, at + TaskResultWords.Words)
    memory.result(at, TaskResultWords.Words + count)
    return Outcome.Done
  }

  /** A fault's text is data: main makes the error of it (executor/runTasks.ts). */
  protected fault(failure: TaskFailure): Outcome {
    this.#complaint = { fault: Fault.TaskFailed, message: JSON.stringify(failure) }
    return Outcome.Fault
  }
}

/** Whether somebody could await a value. What a promise rejects with must not end the worker, since nobody does. */
const isThenable = (value: unknown): boolean => {
  if (value instanceof Promise) Promise.prototype.then.call(value, undefined, () => undefined)
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}

class SyncTasks extends TaskAdapter implements SyncAdapter {
  readonly kind = 'sync'
  #store: IncarnationStore | undefined

  execute(memory: TaskMemory, input: number): Outcome {
    this.#store ??= this.makeStore(memory)
    const store = this.#store
    const task = this.taskOf(memory, input)
    if (task === undefined) return Outcome.Fault
    let first: string | undefined
    if (this.comparesTwo(memory)) first = this.seen(store, this.#call(memory, store, task, input, 1))
    const began = performance.now()
    const failure = this.#call(memory, store, task, input, 0)
    if (first !== undefined && first !== this.seen(store, failure)) return this.fault(NOT_DETERMINISTIC)
    return this.finish(memory, store, failure, began)
  }

  #call(memory: TaskMemory, store: IncarnationStore, task: TaskFunction, input: number, again: number) {
    let value: unknown
    let thenable: boolean
    try {
      value = this.start(memory, store, task, input, again)
      thenable = isThenable(value)
    } catch (error) {
      return failureOf(error)
    }
    if (thenable) {
      const error = new TypeError(
        'the task is asynchronous; tasks are synchronous unless asked for with `asynchronous`',
      )
      return failureOf(error, 'ASYNCHRONOUS_TASK')
    }
    return this.encode(store, value)
  }
}

class AsyncTasks extends TaskAdapter implements AsyncAdapter {
  readonly kind = 'async'

  async execute(memory: TaskMemory, input: number): Promise<Outcome> {
    const task = this.taskOf(memory, input)
    if (task === undefined) return Outcome.Fault
    let first: string | undefined
    if (this.comparesTwo(memory)) {
      const store = this.makeStore(memory)
      first = this.seen(store, await this.#call(memory, store, task, input, 1))
    }
    const began = performance.now()
    const store = this.makeStore(memory)
    const failure = await this.#call(memory, store, task, input, 0)
    if (first !== undefined && first !== this.seen(store, failure)) return this.fault(NOT_DETERMINISTIC)
    return this.finish(memory, store, failure, began)
  }

  async #call(memory: TaskMemory, store: IncarnationStore, task: TaskFunction, input: number, again: number) {
    try {
      return this.encode(store, await this.start(memory, store, task, input, again))
    } catch (error) {
      return failureOf(error)
    } finally {
      store.end()
    }
  }
}
