/**
 * Tasks of a user's module over byte strings and numbers by key.
 *
 * A task that throws ends with a failed result and no effects, decided only when everything before it is
 * final: a throw in speculation may come of what no sequential run would see (hazard 19).
 */

import { ArenaFull } from '../../core/arena.ts'
import { type AsyncAdapter, type Complaint, Outcome, type SyncAdapter, type TaskMemory } from '../../core/contracts.ts'
import { InvalidInputError } from '../../core/errors.ts'
import { Fault } from '../../core/layout.ts'
import { TableFull } from '../../core/table.ts'
import { encodeOutcome, type TaskOutcome } from '../../core/taskCodec.ts'
import { IncarnationStore, type TaskStore } from './store.ts'

/** What a task may know about its execution. Results must not depend on it. */
export interface TaskContext {
  /** Place in the list of tasks, from 0. */
  readonly index: number
  /** How often this task was executed before in this run. */
  readonly incarnation: number
}

/** A task of a module: a function of what it reads, synchronous unless the executor is asked for more. */
export type TaskFunction = (memory: TaskStore, input: never, context: TaskContext) => unknown

interface TaskCall {
  readonly task: string
  readonly input?: unknown
}

/** What a task threw, as text; anything can be thrown, also what cannot be printed. */
const failure = (error: unknown): TaskOutcome => {
  try {
    if (error instanceof Error)
      return { status: 'failed', error: { name: String(error.name), message: String(error.message) } }
    return { status: 'failed', error: { name: 'Error', message: String(error) } }
  } catch {
    return { status: 'failed', error: { name: 'Error', message: 'the task threw what cannot be printed' } }
  }
}

/** The functions of a module of tasks, and what the adapters of either kind make of their calls. */
class TaskModule {
  readonly #functions: ReadonlyMap<string, TaskFunction>
  #calls: readonly TaskCall[] = []
  complaint: Complaint = { fault: Fault.None, message: '' }

  constructor(functions: ReadonlyMap<string, TaskFunction>) {
    this.#functions = functions
  }

  takeInputs(values: readonly unknown[]): void {
    this.#calls = values as readonly TaskCall[]
  }

  /** Calls the task of the place; undefined, with a complaint, where the module has no such function. May throw. */
  call(memory: TaskMemory, store: TaskStore): { readonly task: string; readonly value: unknown } | undefined {
    const { task, input } = this.#calls[memory.place - 1] as TaskCall
    const run = this.#functions.get(task)
    if (run === undefined) {
      this.complaint = { fault: Fault.TaskFailed, message: `the module exports no function '${task}'` }
      return undefined
    }
    const value = run(store, input as never, { index: memory.place - 1, incarnation: memory.incarnation })
    return { task, value }
  }

  /** Keeps what became of a task, and publishes what it did where it is done. */
  finish(memory: TaskMemory, store: IncarnationStore, outcome: TaskOutcome): Outcome {
    if (store.poisoned) return Outcome.Blocked
    if (outcome.status === 'failed' && !memory.strict) return Outcome.Fault
    let kept = outcome
    if (outcome.status === 'done') {
      try {
        const [at, count] = encodeOutcome(outcome, memory.engine, (words) => memory.allocate(words))
        store.publish()
        memory.result(at, count)
        return Outcome.Done
      } catch (error) {
        // A result that JSON cannot say is the task's failure.
        kept = failureOf(error)
        if (!memory.strict) return Outcome.Fault
      }
    }
    const [at, count] = encodeOutcome(kept, memory.engine, (words) => memory.allocate(words))
    memory.result(at, count)
    return Outcome.Done
  }
}

/** What a task threw, as its outcome; a memory that is full is no task's failure. */
const failureOf = (error: unknown): TaskOutcome => {
  if (error instanceof ArenaFull || error instanceof TableFull) throw error
  return failure(error)
}

const loadTasks = async (module: string): Promise<TaskModule> => {
  const loaded = (await import(/* @vite-ignore */ module)) as Record<string, unknown>
  const functions = new Map<string, TaskFunction>()
  const exported = { ...(loaded['default'] as object | undefined), ...loaded }
  for (const [name, value] of Object.entries(exported)) {
    if (typeof value === 'function') functions.set(name, value as TaskFunction)
  }
  if (functions.size === 0) {
    throw new InvalidInputError('MODULE_NOT_LOADED', `the module ${module} exports no function`, { module })
  }
  return new TaskModule(functions)
}

/**
 * Loads a module of tasks in a worker.
 *
 * @throws {InvalidInputError} MODULE_NOT_LOADED where the module cannot be loaded or exports no function
 */
export const createTaskAdapter = async (module: string): Promise<SyncAdapter> => {
  const tasks = await loadTasks(module)
  let store: IncarnationStore | undefined
  return {
    kind: 'sync',
    beginBlock() {},
    takeInputs: (values) => tasks.takeInputs(values),
    execute(memory) {
      if (store === undefined) store = new IncarnationStore(memory)
      store.begin(memory)
      let outcome: TaskOutcome
      try {
        const called = tasks.call(memory, store)
        if (called === undefined) return Outcome.Fault
        const { task, value } = called
        if (value instanceof Promise) throw new TypeError(`the task '${task}' is asynchronous; tasks are synchronous`)
        outcome = { status: 'done', value }
      } catch (error) {
        outcome = failureOf(error)
      }
      return tasks.finish(memory, store, outcome)
    },
    complaint: () => tasks.complaint,
    endBlock() {},
    dispose() {},
  }
}

/**
 * As `createTaskAdapter`, for tasks that may return promises. Each incarnation has a store of its own, which refuses
 * everything once the task has settled: what a task left running cannot reach into the next one.
 */
export const createAsyncTaskAdapter = async (module: string): Promise<AsyncAdapter> => {
  const tasks = await loadTasks(module)
  return {
    kind: 'async',
    beginBlock() {},
    takeInputs: (values) => tasks.takeInputs(values),
    async execute(memory) {
      const store = new IncarnationStore(memory)
      try {
        let outcome: TaskOutcome
        try {
          const called = tasks.call(memory, store)
          if (called === undefined) return Outcome.Fault
          outcome = { status: 'done', value: await called.value }
        } catch (error) {
          outcome = failureOf(error)
        }
        return tasks.finish(memory, store, outcome)
      } finally {
        store.end()
      }
    },
    complaint: () => tasks.complaint,
    endBlock() {},
    dispose() {},
  }
}
