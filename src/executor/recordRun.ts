/**
 * One recorded run, on the main thread: asks the workers to log, drains their logs while the run goes on, and turns them
 * into the chunks of a trace.
 *
 * Concurrency: main thread. Cost while the run goes on: a copy of what was logged, every `DRAIN` milliseconds, as far as
 * main comes in `SHARE` of them.
 */
import * as atomics from '../core/atomics.ts'
import { InvalidInputError, type ParallelExecutionError } from '../core/errors.ts'
import { Control, MAX_WORKERS, Recording } from '../core/layout.ts'
import type { SharedState } from '../core/stateMemory.ts'
import { systemCrc32 } from '../platform/checksum.ts'
import { clockOffset } from '../platform/clock.ts'
import { decodeTrace } from '../records/decode.ts'
import { LocationNames, type WordBuffer } from '../records/drain.ts'
import { bytesOf, ChunkKind, encodeChunk, encodeJson } from '../records/format.ts'
import { LogReader, Rows } from '../records/logReader.ts'
import type { RunKind, RunRecord } from '../records/runRecord.ts'
import { MemorySink, type RecordKeeper, type RecordsOption, type Sink } from './recordSink.ts'

type Words = Int32Array

/**
 * Milliseconds between two drains. Logs are kept until the run ends: more often would only save less from a crash, and
 * main takes a core from the workers meanwhile.
 */
const DRAIN = 100

/** The part of that time that main takes for it while a run goes on: with two cores, it is a worker's. */
const SHARE = 0.05

/** What a trace says of a run, by what runs. */
export interface RecordedPlan {
  readonly kind: RunKind
  readonly label: string
  readonly number?: number
  readonly fork?: string
  readonly places: number
  readonly speculation: 'auto' | 'always'
  /** As in `RunInfo`. */
  readonly reserves: boolean
  readonly light: boolean
  readonly queues: boolean
  /** Names of the places, as a payload of `ChunkKind.Places`. */
  names(): Uint8Array
  /** Gas used by each transaction, two words each, once the run is over. */
  gas?(): Words
  /** What the run begins with, for replay. */
  inputs(): Uint8Array
  /** Values of the base state at the locations that the run met, for replay. */
  base(locations: readonly number[]): Uint8Array
}

/** What is asked for, and where it goes. */
export interface RecordRequest {
  readonly keeper: RecordKeeper
  readonly records: RecordsOption | undefined
  /** Keeps a whole trace, to replay, in the result. */
  readonly record: boolean | undefined
}

/** The part of a result that is about records. */
export interface RecordedOutcome {
  /** What happened, where `records: true` or `record: true` asked for it. */
  readonly records?: RunRecord
  /** The same as bytes, to keep or to replay, where `record: true` asked for it. */
  readonly trace?: Uint8Array
  /** What went wrong when records were written. The run itself is unharmed. */
  readonly recordsError?: ParallelExecutionError
}

export class RecordedRun {
  readonly #words: Words
  readonly #state: SharedState
  readonly #plan: RecordedPlan
  readonly #sink: Sink
  readonly #what: number
  readonly #buffer: WordBuffer
  readonly #crc32 = systemCrc32()
  #names: LocationNames | undefined
  #readers: LogReader[] = []
  #rows = new Rows()
  /** Writes what the run is, before its first events. */
  #introduce: (() => void) | undefined
  #clock = 0
  #timer: ReturnType<typeof setInterval> | undefined

  /** Undefined where nothing is asked for. */
  static open(
    request: RecordRequest,
    words: Words,
    state: SharedState,
    planOf: () => RecordedPlan,
  ): RecordedRun | undefined {
    const option = request.keeper.optionOf(request.records) ?? (request.record === true ? true : undefined)
    if (option === undefined) return undefined
    const payload = request.record === true || (option !== true && option.payload === true)
    const sink = request.keeper.sinkOf(option)
    const plan = planOf()
    const label = option === true ? undefined : option.label
    const what = Recording.Events | (payload ? Recording.Answers : 0)
    return new RecordedRun(
      words,
      state,
      label === undefined ? plan : { ...plan, label },
      sink,
      what,
      request.keeper.buffer,
    )
  }

  private constructor(
    words: Words,
    state: SharedState,
    plan: RecordedPlan,
    sink: Sink,
    what: number,
    buffer: WordBuffer,
  ) {
    this.#buffer = buffer
    this.#words = words
    this.#state = state
    this.#plan = plan
    this.#sink = sink
    this.#what = what
  }

  /** The run is laid out, and begins now. */
  begin(isSequential: boolean, workers: number): void {
    // The run before found the state's tables too small, and is made again.
    if (this.#names !== undefined) this.#write(ChunkKind.Discard, new Uint8Array(0))
    const words = this.#words
    const { kind, label, number, fork, places, speculation, reserves, light, queues } = this.#plan
    words[Control.Recording] = this.#what
    // Every write keeps an entry of its own, so that it can be told whose a record is.
    words[Control.KeepVersions] = 1
    const inputs = (this.#what & Recording.Answers) === 0 ? undefined : this.#inputs()
    this.#names = new LocationNames(this.#state.words)
    this.#rows = new Rows()
    this.#readers = Array.from({ length: Math.min(workers, MAX_WORKERS) }, (_, k) => new LogReader(words, k))
    const info = {
      kind,
      label,
      number,
      fork,
      places,
      workers,
      speculation,
      reserves,
      light,
      queues,
      sequential: isSequential,
      startedAt: Date.now(),
    }
    // Names take main as long as a short run takes the workers, whose inputs would be out of the caches by then.
    this.#introduce = () => {
      this.#write(ChunkKind.Begin, encodeJson(info))
      this.#write(ChunkKind.Places, this.#plan.names())
      if (inputs !== undefined) this.#write(ChunkKind.Inputs, inputs)
    }
    this.#clock = performance.now() + clockOffset()
    const clock = new Int32Array(new Float64Array([this.#clock]).buffer)
    words[Control.RecordingClock] = clock[0]
    words[Control.RecordingClock + 1] = clock[1]
    this.#timer = setInterval(() => this.#drain(), DRAIN)
  }

  /** The workers are back. `ms` is undefined where the run failed: then the trace says no end. */
  end(ms: number | undefined): void {
    clearInterval(this.#timer)
    this.#rows.isOver = true
    this.#rows.until = Number.POSITIVE_INFINITY
    this.#drain()
    if (ms === undefined) return
    const gas = this.#plan.gas?.()
    if (gas !== undefined) this.#write(ChunkKind.Gas, bytesOf(gas))
    if ((this.#what & Recording.Answers) !== 0) {
      this.#write(ChunkKind.Base, this.#plan.base(this.#names?.met ?? []))
    }
    this.#write(ChunkKind.End, encodeJson({ duration: ms * 1000 }))
  }

  /** Waits until everything is written, and says what came of it. */
  async settle(): Promise<RecordedOutcome> {
    const error = await this.#sink.settle()
    if (error !== undefined) return { recordsError: error }
    if (!(this.#sink instanceof MemorySink)) return {}
    const trace = this.#sink.bytes()
    const [records] = decodeTrace(trace).runs
    return { ...(records === undefined ? {} : { records }), trace }
  }

  /** @throws {InvalidInputError} INVALID_OPTION where tasks have inputs that a file cannot hold */
  #inputs(): Uint8Array {
    try {
      return this.#plan.inputs()
    } catch (cause) {
      const message = `an input cannot be recorded: ${cause instanceof Error ? cause.message : String(cause)}`
      throw new InvalidInputError('INVALID_OPTION', message, { option: 'input' }, { cause })
    }
  }

  #drain(): void {
    const names = this.#names
    if (names === undefined) return
    this.#introduce?.()
    this.#introduce = undefined
    const rows = this.#rows
    // Before the logs: what a place below was before it was executed again is in them.
    rows.committed = atomics.load(this.#words, Control.CommitIndex)
    for (const reader of this.#readers) reader.scan(rows, () => this.#now())
    const chunks: Uint8Array[] = []
    for (const reader of this.#readers) {
      if (!rows.isOver) rows.until = performance.now() + (SHARE * DRAIN) / this.#readers.length
      reader.drain(this.#buffer, names, rows, (words) => {
        chunks.push(encodeChunk(ChunkKind.Events, bytesOf(words), this.#crc32))
      })
    }
    // A reader knows a location before the first event that names it.
    if (names.fresh.length > 0) {
      this.#write(ChunkKind.Locations, bytesOf(names.fresh.words.subarray(0, names.fresh.length)))
      names.fresh.length = 0
    }
    for (const chunk of chunks) this.#sink.write(chunk)
  }

  /** Microseconds since the run began, to which the ticks of events are near: a 64-bit float in two words. */
  #now(): Words {
    return new Int32Array(new Float64Array([(performance.now() + clockOffset() - this.#clock) * 1000]).buffer)
  }

  #write(kind: number, payload: Uint8Array): void {
    this.#sink.write(encodeChunk(kind, payload, this.#crc32))
  }
}
