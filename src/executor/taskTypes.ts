/** The types of tasks end to end: what a module exports says what calls may say and what results hold. */
import type { TaskContext } from '../adapters/taskGraph/adapter.ts'
import type { TaskStore } from '../adapters/taskGraph/store.ts'
import type { TaskFailure } from '../core/tasks.ts'
import type { KeyValueDiff } from '../state/keyValueState.ts'
import type { RecordedOutcome } from './recordRun.ts'
import type { RunReport } from './runReport.ts'

/** Tasks by name. */
export type TaskTable = Readonly<Record<string, (memory: TaskStore, input: never, context: TaskContext) => unknown>>

/** What is known of a module that is given by its address alone. */
export type UntypedTasks = Readonly<
  Record<string, (memory: TaskStore, input?: unknown, context?: TaskContext) => unknown>
>

declare const TASKS: unique symbol

/** What `defineTasks` returns, besides the tasks: it remembers their types, merges and address. */
export interface TaskModule<T> {
  readonly [TASKS]?: T
}

/** Where the tasks are: the address of their module, or what it exports if that says its own `url`. */
export type ModuleSource<M> = URL | string | TaskModule<M>

/** What a module says of its tasks besides. */
export interface DefineTasksOptions {
  /** Merges by name, for `memory.merge`: pure functions of the value before (undefined for none) and an operand. */
  readonly merges?: Readonly<Record<string, (value: never, operand: never) => unknown>>
  /** `import.meta.url` of the module, so that it can be imported and given to `runTasks` itself. */
  readonly url?: string
}

const MERGES = Symbol.for('blockloom.merges')
const ADDRESS = Symbol.for('blockloom.url')

/**
 * Names the tasks of a module: its default export. It gives each task's `memory` its type, and calls and results
 * theirs.
 *
 * @example
 * export default defineTasks({
 *   count(memory, by: number) {
 *     memory.add('count', by)
 *   },
 * })
 */
export const defineTasks = <const T extends TaskTable>(
  tasks: T,
  options: DefineTasksOptions = {},
): T & TaskModule<T> => {
  const module = { ...tasks }
  Object.defineProperty(module, MERGES, { value: options.merges ?? {} })
  Object.defineProperty(module, ADDRESS, { value: options.url })
  return module
}

/** The address of a module, or undefined where it says none. */
export const addressOf = (module: unknown): string | undefined => {
  const given = module instanceof URL ? module.href : module
  if (typeof given === 'string') return given === '' ? undefined : given
  if (typeof given !== 'object' || given === null) return undefined
  const { [ADDRESS]: url } = given as { readonly [ADDRESS]?: string }
  return url
}

/** Names of a table's tasks. */
export type TaskName<M> = keyof M & string

type Parameter<F> = F extends (...parameters: infer P) => unknown ? P : never

/** What a call of a task must say beside its name. */
export type InputOf<F> =
  Parameter<F> extends readonly [unknown?]
    ? { readonly input?: undefined }
    : Parameter<F> extends readonly [unknown, infer I, ...unknown[]]
      ? { readonly input: I }
      : Parameter<F> extends readonly [unknown, (infer I)?, ...unknown[]]
        ? { readonly input?: I }
        : { readonly input?: unknown }

/** What a task answers. */
export type TaskValue<F> = F extends (...parameters: never[]) => infer R ? Awaited<R> : never

/**
 * What the caller knows of a call. All of it but `after` in a graph and `resources` is advice: where it is wrong the
 * result is the same, later.
 */
export interface TaskHints {
  /** Indices of calls that come before this one. In the order `graph` they must; in `ordered` they are advice. */
  readonly after?: readonly number[]
  /** Begun before others of lower priority where there is a choice; 0 by default. */
  readonly priority?: number
  /** Estimated milliseconds; by default what earlier runs of the executor measured for tasks of this name. */
  readonly cost?: number
  /** Units of named resources that it holds while it runs. */
  readonly resources?: Readonly<Record<string, number>>
  /** Keys that it will probably read. */
  readonly reads?: readonly string[]
  /** Keys that it will probably write. */
  readonly writes?: readonly string[]
}

/** One call of a task: its name, its input (a value as the store takes them), and what is known of it. */
export type TaskCall<M = UntypedTasks> = {
  [K in TaskName<M>]: { readonly task: K } & InputOf<M[K]> & TaskHints
}[TaskName<M>]

/** What every result tells. */
export interface ResultBase<K> {
  /** The name that was called. */
  readonly task: K
  /** How often it was executed before the incarnation that counts. */
  readonly incarnation: number
  /** Milliseconds of that incarnation. */
  readonly ms: number
}

/** What became of a call. */
export type TaskResult<M = UntypedTasks, K extends TaskName<M> = TaskName<M>> = {
  [N in K]:
    | ({ readonly status: 'done'; readonly value: TaskValue<M[N]> } & ResultBase<N>)
    | ({ readonly status: 'failed'; readonly error: TaskFailure } & ResultBase<N>)
}[K]

/** Results of a list of calls, each of its call's type. */
export type TaskResults<M, C extends readonly TaskCall<M>[]> = {
  readonly [I in keyof C]: C[I] extends { readonly task: infer K extends TaskName<M> } ? TaskResult<M, K> : never
}

/** What the tasks of one name did in a run. */
export interface TaskStatistics {
  /** Calls of tasks of this name. */
  readonly calls: number
  /** Those whose result is a failure. */
  readonly failed: number
  /** Executions, those that did not count included. */
  readonly executions: number
  /** Milliseconds of the executions that counted. */
  readonly totalMs: number
  /** Mean of these. */
  readonly meanMs: number
  /** The longest of these. */
  readonly maxMs: number
}

export interface RunTasksResult<M = UntypedTasks, C extends readonly TaskCall<M>[] = readonly TaskCall<M>[]>
  extends RecordedOutcome {
  /** In the order of the calls. */
  readonly results: TaskResults<M, C>
  /** What the tasks changed; `state.apply` takes it. */
  readonly stateDiff: KeyValueDiff
  /** The order whose result this is: indices of calls. The order given, unless it was `graph`. */
  readonly order: readonly number[]
  /** By name of a task. */
  readonly statistics: ReadonlyMap<string, TaskStatistics>
  /** What the run did. */
  readonly run: RunReport
}
