/**
 * Tasks of a user's module over values by key.
 *
 * A task that throws ends with a failed result and no effects, decided only when everything before it is
 * final: a throw in speculation may come of what no sequential run would see (hazard 19).
 */

import { unpackText, wordsOf } from '../../core/bytes.ts'
import { type Complaint, Outcome, type SyncAdapter, type TaskMemory } from '../../core/contracts.ts'
import { InvalidInputError } from '../../core/errors.ts'
import { Fault } from '../../core/layout.ts'
import { type TaskFailure, TaskFlag, TaskInput, TaskResultWords } from '../../core/tasks.ts'
import { type ValueCodec, Values } from '../../core/values.ts'
import { isShortage, type MergeFunction, Operations } from './operations.ts'
import { IncarnationStore, type TaskStore } from './store.ts'

type Words = Int32Array

/** What a task may know about its execution. Results must not depend on it. */
export interface TaskContext {
  /** Index in the list of calls, from 0. */
  readonly index: number
  /** How often this task was executed before in this run. */
  readonly incarnation: number
}

/** A task of a module: a synchronous function of what it reads. */
export type TaskFunction = (memory: TaskStore, input: never, context: TaskContext) => unknown

/** Where a module of `defineTasks` keeps its merges. */
const MERGES = Symbol.for('blockloom.merges')

/** The text of something thrown; anything can be, also what cannot be printed. */
const textOf = (read: () => unknown, otherwise: string): string => {
  try {
    return String(read())
  } catch {
    return otherwise
  }
}

const failureOf = (error: unknown, code: TaskFailure['code'] = 'TASK_FAILED'): TaskFailure => {
  if (!(error instanceof Error)) {
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

const load = async (module: string): Promise<Loaded> => {
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
export const createTaskAdapter = async (module: string, codec: ValueCodec): Promise<SyncAdapter> => {
  const { functions, merges } = await load(module)
  return new TaskAdapter(functions, merges, codec)
}

class TaskAdapter implements SyncAdapter {
  readonly kind = 'sync'
  readonly #functions: ReadonlyMap<string, TaskFunction>
  readonly #mergeNames: readonly string[]
  readonly #values: Values
  readonly #operations: Operations
  #store: IncarnationStore | undefined
  #names: string[] = []
  #tasks: (TaskFunction | undefined)[] = []
  #flags = 0
  #fresh = true
  #complaint: Complaint = { fault: Fault.None, message: '' }

  constructor(
    functions: ReadonlyMap<string, TaskFunction>,
    merges: ReadonlyMap<string, MergeFunction>,
    codec: ValueCodec,
  ) {
    this.#functions = functions
    this.#values = new Values(codec)
    this.#operations = new Operations(this.#values, [...merges.values()])
    this.#mergeNames = [...merges.keys()]
  }

  /** The environment: how many names, then each one's length in bytes and its words. */
  beginBlock(engine: Words, environment: number, flags: number): void {
    this.#flags = flags
    this.#fresh = true
    this.#names = []
    let at = environment + 1
    for (let k = 0; k < engine[environment]; k++) {
      this.#names.push(unpackText(engine, at + 1, engine[at]))
      at += 1 + wordsOf(engine[at])
    }
    this.#tasks = this.#names.map((name) => this.#functions.get(name))
  }

  execute(memory: TaskMemory, input: number): Outcome {
    const store = this.#storeFor(memory)
    const name = memory.engine[input + TaskInput.Name]
    const task = this.#tasks[name]
    if (task === undefined) {
      const message = `the module exports no task '${this.#names[name]}'; it has ${[...this.#functions.keys()].join(', ')}`
      return this.#fault({ code: 'UNKNOWN_TASK', name: 'Error', message })
    }
    if ((this.#flags & TaskFlag.Twice) !== 0 && memory.strict) return this.#twice(memory, store, task, input)
    return this.#once(memory, store, task, input, memory.incarnation)
  }

  fold(
    memory: TaskMemory,
    words: Words,
    bytes: number,
    at: number,
    operations: number,
    count: number,
    out: number,
  ): boolean {
    return this.#operations.fold(memory, words, bytes, at, operations, count, out)
  }

  complaint(): Complaint {
    return this.#complaint
  }

  endBlock(): void {}

  dispose(): void {}

  #storeFor(memory: TaskMemory): IncarnationStore {
    this.#store ??= new IncarnationStore(memory, this.#values, this.#operations, this.#mergeNames)
    if (this.#fresh) this.#store.beginRun(memory)
    this.#fresh = false
    return this.#store
  }

  #once(memory: TaskMemory, store: IncarnationStore, task: TaskFunction, input: number, incarnation: number): Outcome {
    const began = performance.now()
    const failure = this.#call(memory, store, task, input, incarnation)
    if (store.poisoned) return Outcome.Blocked
    if (failure !== undefined) {
      if (!memory.strict) return Outcome.Fault
      if ((this.#flags & TaskFlag.Stop) !== 0) return this.#fault(failure)
      this.#values.encode(failure)
      this.#keep(memory, TaskResultWords.Failed, began)
      return Outcome.Done
    }
    store.publish()
    this.#keep(memory, TaskResultWords.Done, began)
    return Outcome.Done
  }

  /** Runs the task; its result is encoded in `#values`, or the answer is why it failed. */
  #call(
    memory: TaskMemory,
    store: IncarnationStore,
    task: TaskFunction,
    input: number,
    incarnation: number,
  ): TaskFailure | undefined {
    const { engine } = memory
    const length = engine[input + TaskInput.Length]
    store.begin(memory)
    let value: unknown
    try {
      const given = length === 0 ? undefined : this.#values.decode(engine, input + TaskInput.Words, length)
      value = task(store, given as never, { index: engine[input + TaskInput.Index], incarnation })
    } catch (error) {
      if (isShortage(error)) throw error
      return failureOf(error)
    }
    if (value === undefined) {
      this.#values.length = 0
      return undefined
    }
    if (typeof (value as { then?: unknown } | null)?.then === 'function') {
      // Nobody awaits it: what it rejects with must not end the worker.
      Promise.resolve(value).catch(() => undefined)
      const error = new TypeError('the task is asynchronous; tasks are synchronous')
      return failureOf(error, 'ASYNCHRONOUS_TASK')
    }
    try {
      this.#values.encode(value)
      return undefined
    } catch (error) {
      return failureOf(error, 'NOT_ENCODABLE')
    }
  }

  /** Executes a task twice on one state: whoever answers or writes differently is no function of what it reads. */
  #twice(memory: TaskMemory, store: IncarnationStore, task: TaskFunction, input: number): Outcome {
    const seen = () => {
      const { words, length } = this.#values
      return `${length}:${words.subarray(0, wordsOf(length)).join()} ${store.effects()}`
    }
    const firstFailure = this.#call(memory, store, task, input, memory.incarnation)
    const first = firstFailure === undefined ? seen() : firstFailure.message
    const began = performance.now()
    // Told of another incarnation, so that one which depends on that is found out too.
    const secondFailure = this.#call(memory, store, task, input, memory.incarnation + 1)
    const second = secondFailure === undefined ? seen() : secondFailure.message
    if (first !== second || (firstFailure === undefined) !== (secondFailure === undefined)) {
      const message = 'run twice on the same state, the task gave two answers or wrote differently'
      return this.#fault({ code: 'NOT_DETERMINISTIC', name: 'Error', message })
    }
    if (secondFailure === undefined) {
      store.publish()
      this.#keep(memory, TaskResultWords.Done, began)
      return Outcome.Done
    }
    if ((this.#flags & TaskFlag.Stop) !== 0) return this.#fault(secondFailure)
    this.#values.encode(secondFailure)
    this.#keep(memory, TaskResultWords.Failed, began)
    return Outcome.Done
  }

  #keep(memory: TaskMemory, kind: number, began: number): void {
    const { length } = this.#values
    const count = wordsOf(length)
    const at = memory.allocate(TaskResultWords.Words + count)
    const { engine } = memory
    engine[at + TaskResultWords.Kind] = kind
    engine[at + TaskResultWords.Length] = length
    engine[at + TaskResultWords.Micros] = Math.min(0x7fffffff, Math.round((performance.now() - began) * 1000))
    if (length > 0) this.#values.copyTo(engine, at + TaskResultWords.Words)
    memory.result(at, TaskResultWords.Words + count)
  }

  /** A fault's text is data: main makes the error of it (executor/runTasks.ts). */
  #fault(failure: TaskFailure): Outcome {
    this.#complaint = { fault: Fault.TaskFailed, message: JSON.stringify(failure) }
    return Outcome.Fault
  }
}
