/**
 * The trace file: a header and chunks, each whole in itself.
 *
 * ```text
 * header   "BLMTRACE", format version, bytes of the library's version, these bytes, zeros up to a multiple of 4
 * chunk    kind, bytes of the payload, CRC-32 of kind, length and payload, payload, zeros up to a multiple of 4
 * ```
 * Numbers are 32 bits, little-endian. A run is the chunks from a `Begin` to the next one, or to the end. A reader takes
 * all whole chunks and says where the file breaks off, so what was written before a crash is not lost.
 *
 * Not here: what payloads mean (drain.ts, decode.ts).
 */
import { crc32Final, crc32Update } from '@foxglove/crc'
import { InvalidInputError } from '../core/errors.ts'

const MAGIC = new TextEncoder().encode('BLMTRACE')
/** Grows when a reader of the version before would misunderstand. */
const FORMAT_VERSION = 1
/** Bytes of a header without the library's version, and of a chunk without its payload. */
const HEADER = 16
const CHUNK = 12
/** A longer version is no version. */
const MOST_VERSION_BYTES = 64

/** What a chunk holds. */
export const ChunkKind = {
  /** JSON: `RunInfo` as far as it is known. */
  Begin: 1,
  /** What the places are: JSON of names and declared orders, then eight words a place. */
  Places: 2,
  /** Worker, time in ticks, then its events. */
  Events: 3,
  /** Names of locations. */
  Locations: 4,
  /** JSON: how the run ended. */
  End: 5,
  /** Gas used by transactions: pairs of words. */
  Gas: 6,
  /** What the run began with, to run it again: see replay. */
  Inputs: 7,
  /** Values of the base state that the run looked at. */
  Base: 8,
  /** The run found the state's tables too small and was given up; it follows again. */
  Discard: 9,
} as const

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
const padded = (length: number): number => (length + 3) & ~3

/** CRC-32 of bytes that follow others, whose CRC-32 is `before`. */
export type Crc32 = (bytes: Uint8Array, before: number) => number

const ownCrc32: Crc32 = (bytes, before) => crc32Final(crc32Update(~before, bytes))

/** No bytes after others: the system's would begin anew there. */
const checksum = (head: Uint8Array, payload: Uint8Array, crc32 = ownCrc32): number =>
  payload.length === 0 ? crc32(head, 0) : crc32(payload, crc32(head, 0))

export const encodeHeader = (libraryVersion: string): Uint8Array => {
  const version = new TextEncoder().encode(libraryVersion)
  const bytes = new Uint8Array(HEADER + padded(version.length))
  bytes.set(MAGIC)
  view(bytes).setUint32(8, FORMAT_VERSION, true)
  view(bytes).setUint32(12, version.length, true)
  bytes.set(version, HEADER)
  return bytes
}

/** `crc32` may be a faster one than that of this module, with the same answers. */
export const encodeChunk = (kind: number, payload: Uint8Array, crc32?: Crc32): Uint8Array => {
  const bytes = new Uint8Array(CHUNK + padded(payload.length))
  const v = view(bytes)
  v.setUint32(0, kind, true)
  v.setUint32(4, payload.length, true)
  bytes.set(payload, CHUNK)
  v.setUint32(8, checksum(bytes.subarray(0, 8), payload, crc32), true)
  return bytes
}

export const encodeJson = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

/** Words as the bytes of a payload. */
export const bytesOf = (words: Int32Array): Uint8Array =>
  new Uint8Array(words.buffer, words.byteOffset, words.byteLength)

export interface TraceChunk {
  readonly kind: number
  /** Its own copy, aligned to words. */
  readonly payload: Uint8Array<ArrayBuffer>
}

/** Where and why a trace is not whole. */
export interface TraceBreak {
  /** Bytes before it. */
  readonly at: number
  readonly reason: string
}

/** How a file that is no trace is told. */
export const notATrace = (reason: string, fields: Readonly<Record<string, unknown>> = {}): InvalidInputError =>
  new InvalidInputError('RECORDS_FORMAT', `not a trace of blockloom: ${reason}`, { reason, ...fields })

/** The header of a trace: where its chunks begin, and which library wrote it. Undefined where there are too few bytes. */
const readHeader = (bytes: Uint8Array): { readonly at: number; readonly libraryVersion: string } | undefined => {
  if (MAGIC.some((byte, k) => k < bytes.length && bytes[k] !== byte)) throw notATrace('it does not begin as one')
  if (bytes.length < HEADER) return undefined
  const version = view(bytes).getUint32(8, true)
  if (version !== FORMAT_VERSION) {
    throw notATrace(`it has version ${version} of the format, and this library reads ${FORMAT_VERSION}`, {
      version,
      supported: FORMAT_VERSION,
    })
  }
  const length = view(bytes).getUint32(12, true)
  if (length > MOST_VERSION_BYTES) throw notATrace('its header is broken')
  if (HEADER + padded(length) > bytes.length) return undefined
  return {
    at: HEADER + padded(length),
    libraryVersion: new TextDecoder().decode(bytes.subarray(HEADER, HEADER + length)),
  }
}

/**
 * Takes a trace apart, piece by piece as it comes. What follows the first chunk that is not whole is left out.
 *
 * @example
 * const reader = new TraceReader()
 * for await (const bytes of stream) for (const chunk of reader.push(bytes)) use(chunk)
 * reader.end()
 */
export class TraceReader {
  #pending = new Uint8Array(0)
  /** Bytes of the trace before `#pending`. */
  #before = 0
  #libraryVersion: string | undefined
  #broken: TraceBreak | undefined

  /** Which library wrote it; undefined before the header is whole. */
  get libraryVersion(): string | undefined {
    return this.#libraryVersion
  }

  /** Where it breaks off, if it does; known for good after `end`. */
  get broken(): TraceBreak | undefined {
    return this.#broken
  }

  /**
   * The chunks that are whole now.
   *
   * @throws {InvalidInputError} RECORDS_FORMAT where the bytes are no trace, or of a version that is not known
   */
  push(given: Uint8Array): TraceChunk[] {
    if (!(given instanceof Uint8Array)) throw notATrace('it is no Uint8Array')
    // `slice` of Node's buffers does not copy: payloads would be the caller's bytes, and lie at any offset.
    const bytes = new Uint8Array(given.buffer, given.byteOffset, given.byteLength)
    const all = this.#pending.length === 0 ? bytes : join(this.#pending, bytes)
    let at = 0
    if (this.#libraryVersion === undefined) {
      const header = readHeader(all)
      if (header === undefined) {
        this.#pending = all.slice()
        return []
      }
      this.#libraryVersion = header.libraryVersion
      at = header.at
    }
    const chunks: TraceChunk[] = []
    const v = view(all)
    while (this.#broken === undefined && at + CHUNK <= all.length) {
      const length = v.getUint32(at + 4, true)
      if (padded(length) > all.length - at - CHUNK) break
      const payload = all.slice(at + CHUNK, at + CHUNK + length)
      if (checksum(all.subarray(at, at + 8), payload) !== v.getUint32(at + 8, true)) {
        this.#broken = { at: this.#before + at, reason: 'a chunk has a wrong checksum' }
        break
      }
      chunks.push({ kind: v.getUint32(at, true), payload })
      at += CHUNK + padded(length)
    }
    this.#pending = all.slice(at)
    this.#before += at
    return chunks
  }

  /** @throws {InvalidInputError} RECORDS_FORMAT where not even the header is whole */
  end(): void {
    if (this.#libraryVersion === undefined) throw notATrace('it is shorter than a header')
    if (this.#pending.length > 0) this.#broken ??= { at: this.#before, reason: 'a chunk breaks off' }
  }
}

const join = (a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(a.length + b.length)
  bytes.set(a)
  bytes.set(b, a.length)
  return bytes
}

/** The words of a payload; what is left over after the last whole one is not looked at. */
export const wordsOf = (payload: Uint8Array<ArrayBuffer>): Int32Array =>
  new Int32Array(payload.buffer, payload.byteOffset, payload.byteLength >> 2)

/** A payload of JSON and words: bytes of the JSON, the JSON up to a whole word, the words. */
export const withJson = (json: unknown, words: Int32Array): Uint8Array => {
  const text = encodeJson(json)
  const bytes = new Uint8Array(4 + padded(text.length) + words.byteLength)
  view(bytes).setUint32(0, text.length, true)
  bytes.set(text, 4)
  bytes.set(bytesOf(words), 4 + padded(text.length))
  return bytes
}
