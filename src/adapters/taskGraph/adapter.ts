/**
 * Tasks of a user's module over byte strings and numbers by key.
 *
 * A task that throws ends with a failed result and no effects, decided only when everything before it is
 * final: a throw in speculation may come of what no sequential run would see (hazard 19).
 */

import { ArenaFull } from '../../core/arena.ts'
import { type Complaint, Outcome, type SyncAdapter, type TaskMemory } from '../../core/contracts.ts'
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

/** A task of a module: a synchronous function of what it reads. */
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

/**
 * Loads a module of tasks in a worker.
 *
 * @throws {InvalidInputError} MODULE_NOT_LOADED where the module cannot be loaded or exports no function
 */
export const createTaskAdapter = async (module: string): Promise<SyncAdapter> => {
  const loaded = (await import(/* @vite-ignore */ module)) as Record<string, unknown>
  const functions = new Map<string, TaskFunction>()
  const exported = { ...(loaded['default'] as object | undefined), ...loaded }
  for (const [name, value] of Object.entries(exported)) {
    if (typeof value === 'function') functions.set(name, value as TaskFunction)
  }
  if (functions.size === 0) {
    throw new InvalidInputError('MODULE_NOT_LOADED', `the module ${module} exports no function`, { module })
  }
  let calls: readonly TaskCall[] = []
  let store: IncarnationStore | undefined
  let complaint: Complaint = { fault: Fault.None, message: '' }

  const call = (memory: TaskMemory, own: IncarnationStore): TaskOutcome => {
    const { task, input } = calls[memory.place - 1] as TaskCall
    const run = functions.get(task) as TaskFunction
    try {
      const value = run(own, input as never, { index: memory.place - 1, incarnation: memory.incarnation })
      if (value instanceof Promise) throw new TypeError(`the task '${task}' is asynchronous; tasks are synchronous`)
      return { status: 'done', value }
    } catch (error) {
      if (error instanceof ArenaFull || error instanceof TableFull) throw error
      return failure(error)
    }
  }

  return {
    kind: 'sync',
    beginBlock() {},
    takeInputs(values) {
      calls = values as readonly TaskCall[]
    },
    execute(memory) {
      if (store === undefined) store = new IncarnationStore(memory)
      store.begin(memory)
      const { task } = calls[memory.place - 1] as TaskCall
      if (!functions.has(task)) {
        complaint = { fault: Fault.TaskFailed, message: `the module exports no function '${task}'` }
        return Outcome.Fault
      }
      const outcome = call(memory, store)
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
          if (error instanceof ArenaFull || error instanceof TableFull) throw error
          // A result that JSON cannot say is the task's failure.
          kept = failure(error)
          if (!memory.strict) return Outcome.Fault
        }
      }
      const [at, count] = encodeOutcome(kept, memory.engine, (words) => memory.allocate(words))
      memory.result(at, count)
      return Outcome.Done
    },
    complaint: () => complaint,
    endBlock() {},
    dispose() {},
  }
}
