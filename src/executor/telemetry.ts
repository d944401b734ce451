/**
 * OpenTelemetry: a span and some metrics for each run, through the API object that the caller gives.
 *
 * The API is typed by the shape of what is used, so that the package is loaded by those alone who have it; it does
 * nothing where no SDK is registered.
 */
import { InvalidInputError } from '../core/errors.ts'
import { LIBRARY_VERSION } from '../core/libraryVersion.ts'
import type { RunKind } from '../records/runRecord.ts'
import type { RunReport } from './runReport.ts'

type Attributes = Record<string, string | number | boolean>

interface Span {
  setAttributes(attributes: Attributes): unknown
  setStatus(status: { code: number; message?: string }): unknown
  recordException(error: Error): void
  end(): void
}
interface Counter {
  add(value: number, attributes?: Attributes): void
}
interface Histogram {
  record(value: number, attributes?: Attributes): void
}
interface InstrumentOptions {
  readonly description: string
  readonly unit: string
}

/** The part of `@opentelemetry/api` that is used: give the module itself. */
export interface TelemetryApi {
  readonly trace: {
    getTracer(name: string, version: string): { startSpan(name: string, options: { attributes: Attributes }): Span }
  }
  readonly metrics: {
    getMeter(
      name: string,
      version: string,
    ): {
      createCounter(name: string, options: InstrumentOptions): Counter
      createHistogram(name: string, options: InstrumentOptions): Histogram
    }
  }
}

/** `SpanStatusCode.ERROR`. */
const ERROR = 2

const NAME = 'blockloom'

/** What an implementation of the API throws says nothing of the run, which goes on: the API's own must not throw. */
const quietly = <T>(tell: () => T): T | undefined => {
  try {
    return tell()
  } catch {
    return undefined
  }
}

/** Reports runs to OpenTelemetry. */
export class Telemetry {
  readonly #tracer: ReturnType<TelemetryApi['trace']['getTracer']>
  readonly #duration: Histogram
  readonly #counters: Readonly<Record<'executions' | 'aborts' | 'waits' | 'fallbacks', Counter>>
  readonly #places: Counter

  /** @throws {InvalidInputError} INVALID_OPTION for what is not the API */
  constructor(api: TelemetryApi) {
    if (typeof api?.trace?.getTracer !== 'function' || typeof api.metrics?.getMeter !== 'function') {
      throw new InvalidInputError('INVALID_OPTION', 'telemetry is the module @opentelemetry/api', {
        option: 'telemetry',
      })
    }
    this.#tracer = api.trace.getTracer(NAME, LIBRARY_VERSION)
    const meter = api.metrics.getMeter(NAME, LIBRARY_VERSION)
    const counter = (name: string, unit: string, description: string): Counter =>
      meter.createCounter(`${NAME}.${name}`, { unit, description })
    this.#duration = meter.createHistogram(`${NAME}.run.duration`, { unit: 'ms', description: 'Time of a run' })
    this.#places = counter('places', '{place}', 'Transactions, tasks or inputs committed')
    this.#counters = {
      executions: counter('executions', '{execution}', 'Incarnations executed'),
      aborts: counter('aborts', '{abort}', 'Incarnations thrown away'),
      waits: counter('waits', '{wait}', 'Times that a reader waited for a lower place'),
      fallbacks: counter('fallbacks', '{fallback}', 'Times that speculation gave way to the sequential path'),
    }
  }

  /** Runs `work` in a span of its own. */
  async span<T>(
    kind: RunKind,
    attributes: Readonly<Attributes>,
    places: number,
    work: () => Promise<T>,
    reportOf: () => RunReport | undefined,
  ): Promise<T> {
    const kinds = { 'blockloom.kind': kind }
    const begun = { attributes: { ...kinds, 'blockloom.places': places, ...attributes } }
    const span = quietly(() => this.#tracer.startSpan(`${NAME} ${kind}`, begun))
    try {
      const result = await work()
      quietly(() => this.#tell(span, kinds, places, reportOf()))
      return result
    } catch (error) {
      const cause = error instanceof Error ? error : new Error(String(error))
      quietly(() => {
        span?.recordException(cause)
        span?.setStatus({ code: ERROR, message: cause.message })
      })
      throw error
    } finally {
      quietly(() => span?.end())
    }
  }

  #tell(span: Span | undefined, kinds: Attributes, places: number, report: RunReport | undefined): void {
    if (report === undefined) return
    const { ms, workers, speculative, direct, reexecuted, fallback } = report
    this.#duration.record(ms, kinds)
    this.#places.add(places, kinds)
    const counts: Attributes = {}
    for (const name of ['executions', 'aborts', 'waits', 'fallbacks'] as const) {
      this.#counters[name].add(report[name], kinds)
      counts[`blockloom.${name}`] = report[name]
    }
    span?.setAttributes({
      ...counts,
      'blockloom.workers': workers,
      'blockloom.speculative': speculative,
      'blockloom.direct': direct,
      'blockloom.reexecuted': reexecuted,
      'blockloom.fallback': fallback,
    })
  }
}
