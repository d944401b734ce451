/**
 * Everything that looks on while an executor runs: records, hints, statistics, telemetry. Each is optional but the
 * third.
 */
import { InvalidInputError } from '../core/errors.ts'
import type { SharedState } from '../core/stateMemory.ts'
import type { RunKind, RunRecord } from '../records/runRecord.ts'
import type { Engine } from './engine.ts'
import { Hints } from './hints.ts'
import type { RunObserver } from './plan.ts'
import type { RecordedRun } from './recordRun.ts'
import { RecordKeeper, type RecordsOption } from './recordSink.ts'
import type { RunReport } from './runReport.ts'
import { type ExecutorStats, StatsKeeper } from './stats.ts'
import { Telemetry, type TelemetryApi } from './telemetry.ts'

/** Options of executors about what is kept of their runs. */
export interface ObserveOptions {
  /** What of every run is recorded, and where it goes; nothing by default. */
  readonly records?: RecordsOption
  /**
   * Learns from each run which locations conflict, and has the next runs of the same tasks or contracts wait there in
   * time instead of aborting, and which take long, to begin these early; records of earlier runs to begin with may be given.
   * Never changes a result.
   */
  readonly learn?: boolean | readonly RunRecord[]
  /** The module `@opentelemetry/api`: a span and metrics of every run. */
  readonly telemetry?: TelemetryApi
}

/** One run, as those who look on see it. */
export interface ObservedRun {
  readonly kind: RunKind
  readonly places: number
  /** Of its span. */
  readonly attributes: Readonly<Record<string, string | number | boolean>>
  readonly state: SharedState
  readonly recorded: RecordedRun | undefined
  /** Task name, or contract and selector, of each place; of an adapter's inputs nothing is known. */
  callers(): readonly string[]
}

export class Observers {
  readonly keeper: RecordKeeper
  readonly #engine: Engine
  readonly #stats: StatsKeeper
  readonly #hints: Hints | undefined
  readonly #telemetry: Telemetry | undefined

  /** @throws {InvalidInputError} INVALID_OPTION */
  constructor(engine: Engine, { records, learn, telemetry }: ObserveOptions) {
    if (learn !== undefined && typeof learn !== 'boolean' && !Array.isArray(learn)) {
      throw new InvalidInputError('INVALID_OPTION', 'learn is true, false, or records of earlier runs', {
        option: 'learn',
      })
    }
    this.keeper = new RecordKeeper(records)
    this.#engine = engine
    this.#stats = new StatsKeeper(engine.workers)
    this.#hints = learn === undefined || learn === false ? undefined : new Hints()
    if (Array.isArray(learn)) this.#hints?.learn(learn)
    this.#telemetry = telemetry === undefined ? undefined : new Telemetry(telemetry)
  }

  stats(): ExecutorStats {
    return this.#stats.read()
  }

  /**
   * Runs `work` under everybody's eyes.
   *
   * @param work - is given what to tell the engine's run of, and says its report while the engine's memory is untouched
   */
  async run<T>(
    run: ObservedRun,
    work: (observer: RunObserver | undefined, ended: (report: RunReport) => void) => Promise<T>,
  ): Promise<T> {
    let report: RunReport | undefined
    const hints = this.#hints?.follow(this.#engine.words, run.state, () => run.callers())
    const observers = [run.recorded, hints].filter((observer) => observer !== undefined)
    const all: RunObserver = {
      begin: (isSequential, workers) => {
        for (const observer of observers) observer.begin(isSequential, workers)
      },
      end: (ms) => {
        for (const observer of observers) observer.end(ms)
      },
    }
    const counted = async (): Promise<T> => {
      try {
        return await work(observers.length === 0 ? undefined : all, (ended) => {
          report = ended
          this.#stats.add(ended, run.places, this.#engine.words)
        })
      } catch (error) {
        // A run that ended well may have a result that does not fit its header: that is no failure of the run.
        if (report === undefined) this.#stats.fail()
        throw error
      }
    }
    return this.#telemetry === undefined
      ? counted()
      : this.#telemetry.span(run.kind, run.attributes, run.places, counted, () => report)
  }
}
