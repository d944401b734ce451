/**
 * `runTasks`: calls of a module's functions on every core, with exactly the result of running them one after another.
 */
import { ParallelExecutionError } from '../core/errors.ts'
import { badOption, checkChoice, checkFlags, checkObject } from '../core/options.ts'
import { type TaskFailure, TaskFlag } from '../core/tasks.ts'
import { Values } from '../core/values.ts'
import { KeyValueState, type KeyValueStateOptions } from '../state/keyValueState.ts'
import { CallEncoder, type EncodedCalls } from './encodeCalls.ts'
import { Engine, type EngineOptions } from './engine.ts'
import { Line } from './line.ts'
import { type ObserveOptions, Observers } from './observe.ts'
import type { Plan, RunSettings } from './plan.ts'
import { recordedTasks, type TaskSource } from './recordPlan.ts'
import { RecordedRun } from './recordRun.ts'
import { runOnState } from './runOnState.ts'
import { checkRunOptions, type RunOptions, settingsOf } from './runOptions.ts'
import type { RunReport } from './runReport.ts'
import type { ExecutorStats } from './stats.ts'
import { changedWords, resultAt, statisticsOf } from './taskResults.ts'
import { orderTasks, type SchedulingPolicy, type TaskOrder } from './taskSchedule.ts'
import {
  addressOf,
  type ModuleSource,
  type RunTasksResult,
  type TaskCall,
  type TaskHints,
  type TaskResult,
  type TaskResults,
  type UntypedTasks,
} from './taskTypes.ts'
import { createValueCodec } from './valueCodec.ts'

/** Makes a state of values by key. */
export const createKeyValueState = (options: KeyValueStateOptions = {}): KeyValueState =>
  new KeyValueState(options, createValueCodec())

/** Options of one run of tasks. */
export interface RunTasksOptions extends RunOptions {
  /** State before the run; an empty one by default. A run leaves it as it is. */
  readonly state?: KeyValueState
  /**
   * `ordered` (default): exactly as if the calls were made one by one. `graph`: in some order that respects `after`, which
   * the result tells.
   */
  readonly order?: 'ordered' | 'graph'
  /** Capacities by name; calls say what they need. Never exceeded, by executions that turn out not to count neither. */
  readonly resources?: Readonly<Record<string, number>>
  /** Which of the tasks that are ready is begun first; `longestPathFirst` by default. */
  readonly policy?: SchedulingPolicy
  /** `collect` (default): a task that throws has a failed result, the others run. `stop`: the run ends with its error. */
  readonly failures?: 'collect' | 'stop'
  /** Executes each task twice, on one worker; the run ends with NOT_DETERMINISTIC where answers or writes differ. */
  readonly checkDeterminism?: boolean
}

/** Options of an executor of tasks. */
export interface TaskExecutorOptions extends EngineOptions, ObserveOptions {
  /** Lets tasks return promises. A worker awaits each before it begins another; without it a promise is a failed task. */
  readonly asynchronous?: boolean
  /** A module that each worker imports before the tasks: to register a loader, for one. */
  readonly setup?: URL | string
}

type Call = TaskHints & { readonly task: string; readonly input?: unknown }

/** Weight of a new measurement in what is known of a task's cost. */
const LEARNING = 0.5

/** Keeps threads, with the module loaded, and what earlier runs took. Make one with `createTaskExecutor`. */
export class TaskExecutor<M = UntypedTasks> {
  readonly #engine: Engine
  readonly #module: TaskSource
  readonly #observers: Observers
  readonly #values = new Values(createValueCodec())
  readonly #encoder = new CallEncoder(this.#values)
  readonly #learned = new Map<string, number>()
  readonly #line = new Line()

  /** @internal Made by `createTaskExecutor`. */
  constructor(engine: Engine, module: TaskSource, observers: Observers) {
    this.#engine = engine
    this.#module = module
    this.#observers = observers
  }

  /** Threads that serve a run. */
  get workers(): number {
    return this.#engine.workers
  }

  /** What this executor has done so far. */
  stats(): ExecutorStats {
    return this.#observers.stats()
  }

  /** Mean milliseconds of the tasks run so far, by name; recent runs count more. */
  get costs(): ReadonlyMap<string, number> {
    return this.#learned
  }

  /**
   * Runs calls as if one after another. Runs of one executor wait for each other.
   *
   * @throws {InvalidInputError} INVALID_OPTION, TASK_CYCLE, NOT_ENCODABLE (an input), MODULE_NOT_LOADED
   * @throws {ParallelExecutionError} UNKNOWN_TASK, NOT_DETERMINISTIC; with `failures: 'stop'` what a task threw
   */
  async run<const C extends readonly TaskCall<M>[]>(
    calls: C,
    options: RunTasksOptions = {},
  ): Promise<RunTasksResult<M, C>> {
    checkObject(options)
    const list = checkCalls(calls)
    checkOptions(options)
    const order = orderTasks(list, {
      order: options.order ?? 'ordered',
      policy: options.policy,
      capacities: options.resources ?? {},
      workers: this.workers,
      learned: this.#learned,
    })
    const encoded = this.#encoder.encode(list, order)
    const state = options.state ?? createKeyValueState()
    const done = this.#line.next(() => this.#run(list, order, encoded, options, state), options.signal)
    return done as Promise<unknown> as Promise<RunTasksResult<M, C>>
  }

  /** Ends the workers; a run that is open rejects with CLOSED. The executor cannot be used afterwards. */
  async close(): Promise<void> {
    await this.#engine.close()
    await this.#observers.keeper.close()
  }

  /** The same, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #run(
    calls: readonly Call[],
    order: TaskOrder,
    encoded: EncodedCalls,
    options: RunTasksOptions,
    state: KeyValueState,
  ): Promise<RunTasksResult> {
    const stop = options.failures === 'stop' ? TaskFlag.Stop : 0
    const twice = options.checkDeterminism === true
    const plan: Plan = {
      state,
      places: calls.length,
      ...encoded,
      adapterFlags: stop | (twice ? TaskFlag.Twice : 0),
      denseLocation: () => 0,
      reserves: true,
    }
    const places = calls.length
    const { speculation = 'auto', records, record } = options
    const settings = settingsOf(twice ? { ...options, sequential: true } : options, places)
    const ordered = (): Call[] => order.calls.map((index) => calls[index] as Call)
    const recorded = RecordedRun.open(
      { keeper: this.#observers.keeper, records, record },
      this.#engine.words,
      state,
      () => recordedTasks({ calls: ordered(), order: order.calls, plan, ...this.#module }, state.words, speculation),
    )
    const callers = (): string[] => ordered().map(({ task }) => task)
    const observed = { kind: 'tasks' as const, places, attributes: {}, state, recorded, callers }
    const work = (recording: RunSettings['recording'], ended: (run: RunReport) => void) =>
      runOnState(this.#engine, state, places, async (besides) => {
        const run = await this.#engine.run(plan, { ...settings, ...besides, recording })
        ended(run)
        const results: TaskResult[] = new Array(calls.length)
        order.calls.forEach((index, k) => {
          results[index] = resultAt(this.#engine, this.#values, k + 1, (calls[index] as Call).task)
        })
        const stateDiff = state.difference(changedWords(this.#engine, state.words, run.fallbacks > 0))
        const statistics = statisticsOf(results)
        for (const [task, { meanMs }] of statistics) {
          const known = this.#learned.get(task)
          this.#learned.set(task, known === undefined ? meanMs : known + LEARNING * (meanMs - known))
        }
        const typed = results as unknown as TaskResults<UntypedTasks, readonly TaskCall[]>
        return { results: typed, stateDiff, order: order.calls, statistics, run }
      })
    try {
      const result = await this.#observers.run(observed, work)
      return { ...result, ...(await recorded?.settle()) }
    } catch (error) {
      throw taskError(error, calls, order)
    } finally {
      this.#encoder.release(encoded)
    }
  }
}

/** What the engine says of a place, said of the call. */
function taskError(error: unknown, calls: readonly Call[], order: TaskOrder): unknown {
  if (!(error instanceof ParallelExecutionError)) return error
  const details = error.committedPrefix === undefined ? {} : { committedPrefix: error.committedPrefix }
  if (error.code === 'STALLED' && error.fields['commitIndex'] !== undefined) {
    const taskIndex = order.calls[Number(error.fields['commitIndex']) - 1]
    const task = taskIndex === undefined ? undefined : calls[taskIndex]?.task
    const message = `${error.message}: task ${taskIndex} ('${task}') does not return`
    return new ParallelExecutionError('STALLED', message, { ...error.fields, taskIndex, task }, details)
  }
  if (error.code !== 'TASK_FAILED') return error
  const taskIndex = order.calls[Number(error.fields['taskIndex'])] as number
  const task = calls[taskIndex]?.task
  const failure = JSON.parse(String(error.fields['reason'])) as TaskFailure
  const cause = Object.assign(new Error(failure.message), { name: failure.name })
  if (failure.stack !== undefined) cause.stack = failure.stack
  const message = `task ${taskIndex} ('${task}') failed: ${failure.message}`
  return new ParallelExecutionError(
    failure.code,
    message,
    { taskIndex, task, name: failure.name },
    { ...details, cause },
  )
}

const checkCalls = (calls: unknown): readonly Call[] => {
  if (!Array.isArray(calls)) {
    throw badOption('calls', `calls are a list, not ${typeof calls}`)
  }
  // By index: `forEach` would pass over a hole.
  for (let taskIndex = 0; taskIndex < calls.length; taskIndex++) {
    if (typeof (calls[taskIndex] as Call | undefined | null)?.task === 'string') continue
    throw badOption('calls', `task ${taskIndex} has no name; give { task, input }`, { taskIndex })
  }
  return calls as readonly Call[]
}

const checkOptions = (options: RunTasksOptions): void => {
  const { order, failures, state } = options
  checkRunOptions(options)
  checkFlags(options, 'checkDeterminism')
  checkChoice('order', order, ['ordered', 'graph'])
  checkChoice('failures', failures, ['collect', 'stop'])
  if (state !== undefined && !(state instanceof KeyValueState)) {
    throw badOption('state', `state is made by createKeyValueState, not ${typeof state}`)
  }
}

/**
 * Makes an executor for the tasks of a module, which keeps pool and module between runs.
 *
 * @param module - address of the module whose default export is made by `defineTasks`, or that export if it says its `url`
 * @throws {InvalidInputError} INVALID_OPTION
 */
export const createTaskExecutor = async <M = UntypedTasks>(
  module: ModuleSource<M>,
  options: TaskExecutorOptions = {},
): Promise<TaskExecutor<M>> => {
  checkObject(options)
  const address = addressOf(module)
  if (address === undefined) {
    const message =
      'module is the URL of a module of tasks, or its tasks if they were defined with { url: import.meta.url }'
    throw badOption('module', message)
  }
  checkFlags(options, 'asynchronous')
  const { asynchronous = false, setup } = options
  if (setup !== undefined && addressOf(setup) === undefined) throw badOption('setup', 'setup is the URL of a module')
  const first = setup === undefined ? {} : { setup: String(setup) }
  const source = { module: address, asynchronous, ...first }
  const engine = new Engine(options, { kind: 'tasks', ...source })
  return new TaskExecutor<M>(engine, source, new Observers(engine, options))
}

/**
 * Runs calls on every core as if one after another. For more than one run, `createTaskExecutor` keeps the pool.
 *
 * @example
 * const { results } = await runTasks<typeof import('./tasks.ts').default>(new URL('./tasks.ts', import.meta.url), [
 *   { task: 'count', input: 1 },
 * ])
 */
export const runTasks = async <M = UntypedTasks, const C extends readonly TaskCall<M>[] = readonly TaskCall<M>[]>(
  module: ModuleSource<M>,
  calls: C,
  options: RunTasksOptions & TaskExecutorOptions = {},
): Promise<RunTasksResult<M, C>> => {
  const executor = await createTaskExecutor<M>(module, options)
  try {
    return await executor.run(calls, options)
  } finally {
    await executor.close()
  }
}
