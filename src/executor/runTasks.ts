/**
 * `runTasks`: a list of tasks on every core, with exactly the result of running them one after another.
 */

import { InvalidInputError } from '../core/errors.ts'
import { Entry, Place } from '../core/layout.ts'
import { BytesRecord, Kind, locationOf, recordOf } from '../core/location.ts'
import { incarnationOf } from '../core/status.ts'
import { decodeOutcome, type TaskOutcome, unpackBytes } from '../core/taskCodec.ts'
import { equal, toBigInt } from '../core/words.ts'
import {
  createKeyValueState,
  type KeyValueChange,
  type KeyValueDiff,
  type KeyValueState,
} from '../state/keyValueState.ts'
import { Engine, type EngineOptions, type RunReport } from './engine.ts'
import { runOnState } from './runOnState.ts'

type Words = Int32Array

/** One task: the name of a function that the module exports, and its input (structured-clonable). */
export interface TaskCall {
  readonly task: string
  readonly input?: unknown
}

export interface RunTasksOptions {
  /** State before the run; an empty one by default. A run leaves it as it is. */
  readonly state?: KeyValueState
  readonly speculation?: 'auto' | 'always'
  /** Everything on one worker, without speculation. */
  readonly sequential?: boolean
  readonly signal?: AbortSignal
}

export interface TaskExecutorOptions extends EngineOptions {
  /** Address of the module whose functions are the tasks; workers import it. */
  readonly module: URL | string
  /** Lets tasks return promises. A worker awaits each before it begins another; without it a promise is a failed task. */
  readonly asynchronous?: boolean
}

/** What became of a task, and how often it was executed before the incarnation that counts. */
export type TaskResult = TaskOutcome & { readonly incarnation: number }

export interface RunTasksResult {
  readonly results: readonly TaskResult[]
  /** What the tasks changed; `state.apply` takes it. */
  readonly stateDiff: KeyValueDiff
  readonly run: RunReport
}

/** Keeps threads, with the module loaded, between runs. Make one with `createTaskExecutor`. */
export class TaskExecutor {
  readonly #engine: Engine
  #last: Promise<unknown> = Promise.resolve()

  constructor(engine: Engine) {
    this.#engine = engine
  }

  get workers(): number {
    return this.#engine.workers
  }

  /**
   * Runs tasks in the order given.
   *
   * @throws {InvalidInputError} for calls that are no tasks
   * @throws {ParallelExecutionError} TASK_FAILED for a task that the module does not export; MODULE_NOT_LOADED
   */
  async run(tasks: readonly TaskCall[], options: RunTasksOptions = {}): Promise<RunTasksResult> {
    tasks.forEach((call, taskIndex) => {
      if (typeof call?.task !== 'string') {
        throw new InvalidInputError('INVALID_OPTION', `task ${taskIndex} has no name; give { task, input }`, {
          option: 'tasks',
          taskIndex,
        })
      }
    })
    const state = options.state ?? createKeyValueState()
    const before = this.#last
    const work = () => this.#run(tasks, options, state)
    const mine = before.then(work, work)
    this.#last = mine.catch(() => undefined)
    return mine
  }

  async close(): Promise<void> {
    await this.#engine.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #run(tasks: readonly TaskCall[], options: RunTasksOptions, state: KeyValueState): Promise<RunTasksResult> {
    const plan = {
      state,
      places: tasks.length,
      inputs: new Int32Array(0),
      offsets: new Int32Array(tasks.length + 1),
      environment: new Int32Array(0),
      adapterFlags: 0,
      denseLocation: () => 0,
      values: tasks,
    }
    const settings = {
      speculation: options.speculation ?? ('auto' as const),
      sequential: options.sequential ?? false,
      signal: options.signal,
    }
    return runOnState(this.#engine, state, tasks.length, async () => {
      const run = await this.#engine.run(plan, settings)
      return { results: this.#results(tasks.length), stateDiff: collect(this.#engine, state.words), run }
    })
  }

  #results(count: number): TaskResult[] {
    const { words, placeTable } = this.#engine
    return Array.from({ length: count }, (_, k) => {
      const place = placeTable + (k + 1) * Place.Size
      return {
        ...decodeOutcome(words, words[place + Place.Result]),
        incarnation: incarnationOf(words[place + Place.Status]),
      }
    })
  }
}

/** Makes an executor for the tasks of a module. */
export const createTaskExecutor = async (options: TaskExecutorOptions): Promise<TaskExecutor> => {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidInputError('INVALID_OPTION', `options are an object, not ${String(options)}`, {
      option: 'options',
    })
  }
  const module = typeof options.module === 'string' ? options.module : options.module?.href
  if (typeof module !== 'string' || module === '') {
    throw new InvalidInputError('INVALID_OPTION', 'module is the URL of a module whose exports are the tasks', {
      option: 'module',
    })
  }
  const { asynchronous = false } = options
  if (typeof asynchronous !== 'boolean') {
    throw new InvalidInputError('INVALID_OPTION', `asynchronous is true or false, not ${String(asynchronous)}`, {
      option: 'asynchronous',
    })
  }
  return new TaskExecutor(new Engine(options, { kind: 'tasks', module, asynchronous }))
}

/**
 * Runs tasks on every core as if one after another. For more than one run, `createTaskExecutor` keeps the pool.
 *
 * @example
 * const { results } = await runTasks([{ task: 'increase', input: 1 }], { module: new URL('./tasks.mjs', import.meta.url) })
 */
export const runTasks = async (
  tasks: readonly TaskCall[],
  options: RunTasksOptions & TaskExecutorOptions,
): Promise<RunTasksResult> => {
  const executor = await createTaskExecutor(options)
  try {
    return await executor.run(tasks, options)
  } finally {
    await executor.close()
  }
}

/** The newest value of a written location. */
const newest = (engine: Words, state: Words, location: number, base: number): [Words, number] => {
  let entry = state[location]
  while (entry !== 0 && engine[entry + Entry.Record] === 0) entry = engine[entry + Entry.Next]
  return entry === 0 ? [state, base] : [engine, (engine[entry + Entry.Record] >> 1) + 1]
}

const collect = (engine: Engine, state: Words): KeyValueDiff => {
  const records = new Set<number>()
  for (const head of engine.written()) {
    for (let entry = head; entry !== 0; entry = engine.words[entry + Entry.Chain]) {
      records.add(recordOf(engine.words[entry + Entry.Location]))
    }
  }
  const entries: KeyValueChange[] = []
  for (const r of records) {
    const [valueWords, value] = newest(engine.words, state, locationOf(r, Kind.Bytes), r + BytesRecord.Value)
    const [numberWords, number] = newest(engine.words, state, locationOf(r, Kind.Balance), r + BytesRecord.Number)
    const length = valueWords[value]
    const before = state[r + BytesRecord.Value]
    const same =
      length === before &&
      (length <= 0 ||
        equal(valueWords, valueWords[value + 1], state, state[r + BytesRecord.Value + 1], (length + 3) >> 2))
    const change = {
      key: unpackBytes(state, state[r + BytesRecord.KeyOffset], state[r + BytesRecord.KeyLength]),
      ...(same ? {} : { value: length < 0 ? null : unpackBytes(valueWords, valueWords[value + 1], length) }),
      ...(equal(numberWords, number, state, r + BytesRecord.Number, 8)
        ? {}
        : { number: toBigInt(numberWords, number) }),
    }
    if ('value' in change || 'number' in change) entries.push(change)
  }
  return { entries }
}
