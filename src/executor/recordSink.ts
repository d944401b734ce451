/**
 * Where the bytes of a trace go: a file, a callback, or memory. A sink that fails says so once, and takes no more.
 *
 * Files belong to the executor: the first run to name a path begins the file anew, later ones append to it.
 */
import { InvalidInputError, ParallelExecutionError } from '../core/errors.ts'
import { LIBRARY_VERSION } from '../core/libraryVersion.ts'
import { createFile, type GrowingFile } from '../platform/files.ts'
import { WordBuffer } from '../records/drain.ts'
import { encodeHeader } from '../records/format.ts'

/** Where records of runs go, and what of them. */
export interface RecordsTo {
  /** A file to write; the first run of an executor that names it begins it anew. Node only. */
  readonly file?: string | URL
  /**
   * Called with each piece of the trace, in order; all pieces together are the trace. Called while a run goes on: what
   * takes long belongs elsewhere.
   */
  readonly onChunk?: (bytes: Uint8Array) => void
  /** What the run is called; `block N` or `tasks` by default. */
  readonly label?: string
  /** Keeps besides what it takes to run each incarnation again (`blockloom/testing`). Costs more than events alone. */
  readonly payload?: boolean
}

/** `true` keeps the records in memory: they are part of the result. */
export type RecordsOption = boolean | RecordsTo

/** Takes bytes in order. Never throws. */
export interface Sink {
  write(bytes: Uint8Array): void
  /** Resolves when everything written so far is where it belongs; with what went wrong, told once. */
  settle(): Promise<ParallelExecutionError | undefined>
}

const failure = (what: string, cause: unknown): ParallelExecutionError => {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new ParallelExecutionError(
    'RECORDS_WRITE',
    `${what}: ${reason}; nothing more is recorded there`,
    { reason },
    { cause },
  )
}

export class MemorySink implements Sink {
  readonly #parts: Uint8Array[] = [encodeHeader(LIBRARY_VERSION)]

  write(bytes: Uint8Array): void {
    this.#parts.push(bytes)
  }

  settle(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  /** The whole trace. */
  bytes(): Uint8Array {
    const trace = new Uint8Array(this.#parts.reduce((sum, { length }) => sum + length, 0))
    let at = 0
    for (const part of this.#parts) {
      trace.set(part, at)
      at += part.length
    }
    return trace
  }
}

class CallbackSink implements Sink {
  readonly #call: (bytes: Uint8Array) => void
  #error: ParallelExecutionError | undefined
  #failed = false

  constructor(call: (bytes: Uint8Array) => void) {
    this.#call = call
    this.write(encodeHeader(LIBRARY_VERSION))
  }

  write(bytes: Uint8Array): void {
    if (this.#failed) return
    try {
      const answer: unknown = this.#call(bytes)
      // An asynchronous callback that fails must not be an unhandled rejection.
      if (answer instanceof Promise) answer.catch((error: unknown) => this.#fail(error))
    } catch (error) {
      this.#fail(error)
    }
  }

  settle(): Promise<ParallelExecutionError | undefined> {
    const error = this.#error
    this.#error = undefined
    return Promise.resolve(error)
  }

  #fail(error: unknown): void {
    if (!this.#failed) this.#error = failure('`onChunk` failed', error)
    this.#failed = true
  }
}

export class FileSink implements Sink {
  readonly #path: string | URL
  readonly #file: Promise<GrowingFile | undefined>
  #last: Promise<void> = Promise.resolve()
  #error: ParallelExecutionError | undefined
  #failed = false

  constructor(path: string | URL) {
    this.#path = path
    this.#file = createFile(path).catch((error: unknown) => {
      this.#fail(error)
      return undefined
    })
    this.write(encodeHeader(LIBRARY_VERSION))
  }

  write(bytes: Uint8Array): void {
    this.#last = this.#last.then(async () => {
      if (this.#failed) return
      try {
        await (await this.#file)?.append(bytes)
      } catch (error) {
        this.#fail(error)
      }
    })
  }

  async settle(): Promise<ParallelExecutionError | undefined> {
    await this.#last
    const error = this.#error
    this.#error = undefined
    return error
  }

  async close(): Promise<void> {
    await this.#last
    await (await this.#file)?.close().catch(() => undefined)
  }

  #fail(error: unknown): void {
    if (!this.#failed) this.#error = failure(`records cannot be written to ${String(this.#path)}`, error)
    this.#failed = true
  }
}

/** Opens sinks for the runs of one executor. */
export class RecordKeeper {
  /** Room for what is drained, kept from run to run: of an executor, one run goes on at a time. */
  readonly buffer = new WordBuffer()
  readonly #option: RecordsOption | undefined
  readonly #files = new Map<string, FileSink>()
  readonly #callbacks = new WeakMap<(bytes: Uint8Array) => void, CallbackSink>()

  /** @throws {InvalidInputError} INVALID_OPTION */
  constructor(option: RecordsOption | undefined) {
    checkRecords(option)
    this.#option = option
  }

  /** What a run is asked to record, by its own option or else the executor's. */
  optionOf(option: RecordsOption | undefined): RecordsTo | true | undefined {
    checkRecords(option)
    const chosen = option ?? this.#option
    return chosen === false ? undefined : chosen
  }

  sinkOf(option: RecordsTo | true): Sink {
    if (option === true) return new MemorySink()
    const { file, onChunk } = option
    if (file !== undefined) return entry(this.#files, String(file), () => new FileSink(file))
    if (onChunk === undefined) return new MemorySink()
    return entry(this.#callbacks, onChunk, () => new CallbackSink(onChunk))
  }

  /** Closes the files. */
  async close(): Promise<void> {
    await Promise.all([...this.#files.values()].map((sink) => sink.close()))
    this.#files.clear()
  }
}

const entry = <K, V>(map: { get(key: K): V | undefined; set(key: K, value: V): unknown }, key: K, make: () => V): V => {
  let value = map.get(key)
  if (value === undefined) {
    value = make()
    map.set(key, value)
  }
  return value
}

const checkRecords = (option: unknown): void => {
  const refuse = (wanted: string): never => {
    throw new InvalidInputError('INVALID_OPTION', `records ${wanted}`, { option: 'records' })
  }
  if (option === undefined || typeof option === 'boolean') return
  if (typeof option !== 'object' || option === null) refuse('is true, false, { file } or { onChunk }')
  const { file, onChunk, label, payload } = option as Record<string, unknown>
  if (file !== undefined && onChunk !== undefined) refuse('go to a file or to a callback, not to both')
  if (file !== undefined && typeof file !== 'string' && !(file instanceof URL)) refuse('.file is a path or a URL')
  if (onChunk !== undefined && typeof onChunk !== 'function') refuse('.onChunk is a function')
  if (label !== undefined && typeof label !== 'string') refuse('.label is text')
  if (payload !== undefined && typeof payload !== 'boolean') refuse('.payload is true or false')
}
