/**
 * Runs of an adapter from outside the package: inputs in bytes, results in bytes, one after another as far as can be
 * told.
 */
import { packBytes, wordsOf } from '../core/bytes.ts'
import { InvalidInputError, ParallelExecutionError } from '../core/errors.ts'
import { badOption, checkChoice } from '../core/options.ts'
import { type TaskFailure, TaskFlag } from '../core/tasks.ts'
import { Values } from '../core/values.ts'
import type { KeyValueDiff } from '../state/keyValueState.ts'
import { KeyValueState } from '../state/keyValueState.ts'
import { Engine, type EngineOptions } from './engine.ts'
import { Line } from './line.ts'
import { type ObserveOptions, Observers } from './observe.ts'
import type { Plan, RunSettings } from './plan.ts'
import { type AdapterSource, recordedAdapter } from './recordPlan.ts'
import { type RecordedOutcome, RecordedRun } from './recordRun.ts'
import { runOnState } from './runOnState.ts'
import { checkRunOptions, type RunOptions, settingsOf } from './runOptions.ts'
import type { RunReport } from './runReport.ts'
import { createKeyValueState, type RunTasksOptions } from './runTasks.ts'
import type { ExecutorStats } from './stats.ts'
import { changedWords, resultAt } from './taskResults.ts'
import { createValueCodec } from './valueCodec.ts'

/** Options of an executor of an adapter from outside the package. */
export interface AdapterExecutorOptions extends EngineOptions, ObserveOptions {
  /** Address of a module that exports `createAdapter`. */
  readonly adapter: URL | string
  /** Given to `createAdapter` in each worker; structured-clonable. */
  readonly options?: unknown
}

/** Options of one run. */
export interface RunAdapterOptions extends RunOptions, Pick<RunTasksOptions, 'state' | 'failures'> {
  /** Given to `beginBlock` in each worker. */
  readonly environment?: Uint8Array
}

/** What became of an input. `invalid` and `failed` left nothing behind. */
export type AdapterResult =
  | { readonly status: 'done'; readonly value: Uint8Array; readonly incarnation: number }
  | { readonly status: 'invalid' | 'failed'; readonly reason: string; readonly incarnation: number }

/** What a run came to. */
export interface RunAdapterResult extends RecordedOutcome {
  /** By input. */
  readonly results: readonly AdapterResult[]
  /** What the run changed; `state.apply` takes it. */
  readonly stateDiff: KeyValueDiff
  /** What the run did. */
  readonly run: RunReport
}

/** Keeps threads, with the adapter built, between runs. Make one with `createAdapterExecutor`. */
export class AdapterExecutor {
  readonly #engine: Engine
  readonly #source: AdapterSource
  readonly #observers: Observers
  readonly #values = new Values(createValueCodec())
  readonly #line = new Line()

  /** @internal Made by `createAdapterExecutor`. */
  constructor(engine: Engine, source: AdapterSource, observers: Observers) {
    this.#engine = engine
    this.#source = source
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

  /**
   * Runs inputs as if one after another.
   *
   * @throws {InvalidInputError} INVALID_OPTION for inputs that are no bytes; MODULE_NOT_LOADED
   * @throws {ParallelExecutionError} TASK_FAILED with `failures: 'stop'`
   */
  async run(inputs: readonly Uint8Array[], options: RunAdapterOptions = {}): Promise<RunAdapterResult> {
    inputs.forEach((input, taskIndex) => {
      if (input instanceof Uint8Array) return
      throw badOption('inputs', `input ${taskIndex} is not bytes`, { taskIndex })
    })
    checkRunOptions(options)
    checkChoice('failures', options.failures, ['collect', 'stop'])
    const state = options.state ?? createKeyValueState()
    if (!(state instanceof KeyValueState)) {
      throw badOption('state', 'state is made by createKeyValueState')
    }
    return this.#line.next(() => this.#run(inputs, options, state), options.signal)
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
    inputs: readonly Uint8Array[],
    options: RunAdapterOptions,
    state: KeyValueState,
  ): Promise<RunAdapterResult> {
    const [words, offsets] = pack(inputs)
    const places = inputs.length
    const plan: Plan = {
      state,
      places,
      inputs: words,
      offsets,
      environment: pack([options.environment ?? new Uint8Array(0)])[0],
      adapterFlags: options.failures === 'stop' ? TaskFlag.Stop : 0,
      denseLocation: () => 0,
      reserves: true,
    }
    const settings = settingsOf(options, places)
    const { speculation = 'auto', records, record } = options
    const recorded = RecordedRun.open(
      { keeper: this.#observers.keeper, records, record },
      this.#engine.words,
      state,
      () => recordedAdapter(this.#source, plan, state.words, speculation),
    )
    const callers = (): string[] => new Array<string>(places).fill('')
    const observed = { kind: 'adapter' as const, places, attributes: {}, state, recorded, callers }
    const work = (recording: RunSettings['recording'], ended: (run: RunReport) => void) =>
      runOnState(this.#engine, state, places, async (besides) => {
        const run = await this.#engine.run(plan, { ...settings, ...besides, recording })
        ended(run)
        const results = inputs.map((_, k) => this.#resultAt(k + 1))
        return { results, stateDiff: state.difference(changedWords(this.#engine, state.words, run.fallbacks > 0)), run }
      })
    try {
      const result = await this.#observers.run(observed, work)
      return { ...result, ...(await recorded?.settle()) }
    } catch (error) {
      if (!(error instanceof ParallelExecutionError) || error.code !== 'TASK_FAILED') throw error
      const { taskIndex } = error.fields
      const { message, name } = JSON.parse(String(error.fields['reason'])) as TaskFailure
      const details = error.committedPrefix === undefined ? {} : { committedPrefix: error.committedPrefix }
      throw new ParallelExecutionError(
        'TASK_FAILED',
        `input ${taskIndex} failed: ${message}`,
        { taskIndex, name },
        details,
      )
    }
  }

  #resultAt(place: number): AdapterResult {
    const result = resultAt(this.#engine, this.#values, place, '')
    const { incarnation } = result
    if (result.status === 'done') return { status: 'done', value: result.value as Uint8Array, incarnation }
    const { name, message } = JSON.parse(new TextDecoder().decode(result.error as never)) as TaskFailure
    return { status: name === 'Invalid' ? 'invalid' : 'failed', reason: message, incarnation }
  }
}

/** Byte strings as words, each after its length. */
function pack(list: readonly Uint8Array[]): [words: Int32Array, offsets: Int32Array] {
  const offsets = new Int32Array(list.length + 1)
  list.forEach((bytes, k) => {
    offsets[k + 1] = (offsets[k] as number) + 1 + wordsOf(bytes.length)
  })
  const words = new Int32Array(offsets[list.length] as number)
  list.forEach((bytes, k) => {
    words[offsets[k] as number] = bytes.length
    packBytes(bytes, words, (offsets[k] as number) + 1)
  })
  return [words, offsets]
}

/**
 * Makes an executor for an adapter that a module outside the package exports (`createAdapter`).
 *
 * @throws {InvalidInputError} INVALID_OPTION
 */
export const createAdapterExecutor = async (options: AdapterExecutorOptions): Promise<AdapterExecutor> => {
  const address = options?.adapter instanceof URL ? options.adapter.href : options?.adapter
  if (typeof address !== 'string' || address === '') {
    throw new InvalidInputError('INVALID_OPTION', 'adapter is the URL of a module that exports createAdapter', {
      option: 'adapter',
    })
  }
  const engine = new Engine(options, { kind: 'module', module: address, options: options.options })
  const source = { adapter: address, options: options.options }
  return new AdapterExecutor(engine, source, new Observers(engine, options))
}
