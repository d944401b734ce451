/**
 * One run of a trace, from chunks to events with names: what decode.ts and replay build on.
 *
 * A read names the record that it saw by its offset in the engine memory. Each worker's arena grows upwards, and each
 * execution's event says where it ended, so the stretches between tell which incarnation wrote a record.
 */
import { Seen } from '../core/contracts.ts'
import { READ_PREDICATE_SHIFT, Read } from '../core/layout.ts'
import { Abort, Chunk, Commit, Event, EXACT, Execution, isRange, readSize, SHARED, TICKS, Wait } from './events.ts'
import { ChunkKind, notATrace, type TraceChunk, wordsOf } from './format.ts'

type Words = Int32Array

/** A location's name in words, as drain.ts writes it. */
export interface NamedLocation {
  readonly index: number
  /** A `Kind`. */
  readonly kind: number
  readonly words: Words
}

export interface RawRead {
  readonly location: number
  readonly predicate: number
  /** A record or a `Seen` value; of predicates the place's own entry or 0. */
  readonly seen: number
  readonly floor: number
  /** The words that a predicate compares. */
  readonly words: Words
}

/** An execution as it was logged; locations are indices. */
export interface RawExecution {
  readonly worker: number
  readonly place: number
  readonly incarnation: number
  readonly mode: number
  readonly outcome: number
  readonly exact: boolean
  /** Its times are shares of a longer one. */
  readonly isShared: boolean
  readonly start: number
  readonly end: number
  readonly digest: number
  /** Location that it was blocked on, or -1. */
  readonly conflict: number
  readonly reads: readonly RawRead[]
  readonly writes: readonly { readonly location: number; readonly isDelta: boolean }[]
  readonly waits: readonly {
    readonly location: number
    readonly on: number
    readonly start: number
    readonly end: number
  }[]
  /** As they were logged, locations included. */
  readonly answers: Words
}

export interface RawAbort {
  readonly place: number
  readonly incarnation: number
  readonly at: number
  readonly location: number
  readonly by: number
}

/** Part of a worker's arena that one execution filled. */
interface Stretch {
  readonly from: number
  readonly to: number
  readonly execution: RawExecution
}

interface WorkerState {
  /** Where the next execution's stretch begins, and where the chunk that it lies in ends. */
  at: number
  chunkEnd: number
  chunks: [at: number, words: number][]
  waits: RawExecution['waits'][number][]
}

const NO_WORDS = new Int32Array(0)

const microseconds = (float: Float64Array): number => float[0]

export class RunDecoder {
  readonly info: Readonly<Record<string, unknown>>
  end: Readonly<Record<string, unknown>> | undefined
  places: { readonly json: Readonly<Record<string, unknown>>; readonly rows: Words } | undefined
  gas: Words | undefined
  inputs: Uint8Array<ArrayBuffer> | undefined
  base: Uint8Array<ArrayBuffer> | undefined
  readonly locations: NamedLocation[] = []
  readonly executions: RawExecution[] = []
  readonly aborts: RawAbort[] = []
  readonly commits: { readonly from: number; readonly to: number; readonly at: number }[] = []
  readonly #byId = new Map<number, number>()
  readonly #workers = new Map<number, WorkerState>()
  #stretches: Stretch[] = []
  #isSorted = true

  /** Of a `Begin` chunk. */
  constructor(begin: TraceChunk) {
    this.info = parseJson(begin.payload)
  }

  /** @throws {InvalidInputError} RECORDS_FORMAT where the chunk's words do not hold together */
  take({ kind, payload }: TraceChunk): void {
    if (kind === ChunkKind.Events) this.#events(wordsOf(payload))
    else if (kind === ChunkKind.Locations) this.#name(wordsOf(payload))
    else if (kind === ChunkKind.End) this.end = parseJson(payload)
    else if (kind === ChunkKind.Gas) this.gas = wordsOf(payload)
    else if (kind === ChunkKind.Inputs) this.inputs = payload
    else if (kind === ChunkKind.Base) this.base = payload
    else if (kind === ChunkKind.Places) this.places = splitJson(payload)
    // Kinds that are not known may be left out: a version that they matter to has another number.
  }

  /** Index of a location by the id that the events use. */
  indexOf(id: number): number {
    const index = this.#byId.get(id)
    if (index === undefined) throw notATrace('an event names a location that has no name')
    return index
  }

  /** Which execution wrote the record at an offset; undefined where the trace does not have it. */
  writerOf(record: number): RawExecution | undefined {
    if (!this.#isSorted) {
      this.#stretches = this.#stretches.sort((a, b) => a.from - b.from)
      this.#isSorted = true
    }
    let low = 0
    let high = this.#stretches.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#stretches[middle] as Stretch).from <= record) low = middle + 1
      else high = middle
    }
    const stretch = this.#stretches[low - 1]
    return stretch !== undefined && record < stretch.to ? stretch.execution : undefined
  }

  #name(words: Words): void {
    for (let at = 0; at + 3 <= words.length; ) {
      const count = words[at + 2]
      if (count < 1 || at + 3 + count > words.length) throw notATrace('a name breaks off')
      this.#byId.set(words[at], this.locations.length)
      const named = { index: this.locations.length, kind: words[at + 1], words: words.slice(at + 3, at + 3 + count) }
      this.locations.push(named)
      at += 3 + count
    }
  }

  #events(words: Words): void {
    if (words.length < 3) throw notATrace('a chunk of events has no head')
    const now = microseconds(new Float64Array(words.slice(1, 3).buffer))
    const nowTicks = (now * (TICKS / 1000)) | 0
    // Events are from before the drain, but for a stretch in which clocks may differ.
    const time = (tick: number): number => {
      const ago = (nowTicks - tick) | 0
      return now - (ago < -(1 << 20) ? ago + 2 ** 32 : ago) / (TICKS / 1000)
    }
    const worker = words[0]
    let state = this.#workers.get(worker)
    if (state === undefined) {
      state = { at: 0, chunkEnd: 0, chunks: [], waits: [] }
      this.#workers.set(worker, state)
    }
    for (let at = 3; at < words.length; ) {
      const size = words[at + 1]
      if (!(size >= 2) || at + size > words.length) throw notATrace('an event breaks off')
      const tag = words[at] & 255
      if (size < (LEAST[tag] ?? 2)) throw notATrace('an event is too short')
      if (tag === Event.Execution) this.#execution(words, at, worker, state, time)
      else if (tag === Event.Chunk) state.chunks.push([words[at + Chunk.At], words[at + Chunk.Words]])
      else if (tag === Event.Wait) {
        state.waits.push({
          location: this.indexOf(words[at + Wait.Location]),
          on: words[at + Wait.On],
          start: time(words[at + Wait.Start]),
          end: time(words[at + Wait.End]),
        })
      } else if (tag === Event.Abort) {
        const location = words[at + Abort.Location]
        this.aborts.push({
          place: words[at + Abort.Place],
          incarnation: words[at + Abort.Incarnation],
          at: time(words[at + Abort.At]),
          location: location === 0 ? -1 : this.indexOf(location),
          by: words[at + Abort.By],
        })
      } else if (tag === Event.Commit) {
        this.commits.push({
          from: words[at + Commit.From],
          to: words[at + Commit.To],
          at: time(words[at + Commit.At]),
        })
      }
      at += size
    }
  }

  #execution(words: Words, at: number, worker: number, state: WorkerState, time: (tick: number) => number): void {
    const size = words[at + Execution.Length]
    const writeCount = words[at + Execution.WriteCount]
    const readWords = words[at + Execution.ReadWords]
    const answerWords = words[at + Execution.AnswerWords]
    const rest = size - Execution.Writes
    const fits = writeCount >= 0 && readWords >= 0 && answerWords >= 0 && writeCount + readWords + answerWords === rest
    if (!fits) throw notATrace('an execution does not add up')
    const reads = at + Execution.Writes + writeCount
    const answers = reads + readWords
    const tag = words[at]
    const execution: RawExecution = {
      worker,
      place: words[at + Execution.Place],
      incarnation: words[at + Execution.Incarnation],
      mode: (tag >> 8) & 15,
      outcome: (tag >> 12) & 15,
      exact: (tag & EXACT) !== 0,
      isShared: (tag & SHARED) !== 0,
      start: time(words[at + Execution.Start]),
      end: time(words[at + Execution.End]),
      digest: words[at + Execution.Digest],
      conflict: words[at + Execution.Conflict] === 0 ? -1 : this.indexOf(words[at + Execution.Conflict]),
      reads: this.#reads(words, reads, answers),
      writes: Array.from(words.subarray(at + Execution.Writes, reads), (location) => ({
        location: this.indexOf(location < 0 ? ~location : location),
        isDelta: location < 0,
      })),
      waits: state.waits,
      answers: words.slice(answers, answers + answerWords),
    }
    state.waits = []
    this.executions.push(execution)
    this.#stretch(state, execution, words[at + Execution.ArenaEnd])
  }

  #reads(words: Words, from: number, to: number): RawRead[] {
    const reads: RawRead[] = []
    for (let r = from; r < to; ) {
      const kind = words[r + Read.Kind]
      const size = readSize(kind)
      if (size === undefined || r + size > to) throw notATrace('a read set breaks off')
      if (!isRange(kind)) {
        reads.push({
          location: this.indexOf(words[r + Read.Location]),
          predicate: kind >> READ_PREDICATE_SHIFT,
          seen: words[r + Read.Seen],
          floor: words[r + Read.Floor],
          words: size === Read.Size ? NO_WORDS : words.subarray(r + Read.Size, r + size),
        })
      }
      r += size
    }
    return reads
  }

  /** What the execution filled: the rest of the chunk before, chunks of its own, and the last one up to its end. */
  #stretch(state: WorkerState, execution: RawExecution, end: number): void {
    const add = (from: number, to: number): void => {
      if (from < to) this.#stretches.push({ from, to, execution })
    }
    const current = state.chunks.findLast(([at, words]) => at < end && end <= at + words)
    if (current === undefined) add(state.at, end)
    else {
      add(state.at, state.chunkEnd)
      state.chunkEnd = current[0] + current[1]
    }
    for (const chunk of state.chunks) add(chunk[0], chunk === current ? end : chunk[0] + chunk[1])
    state.at = end
    state.chunks = []
    this.#isSorted = false
  }
}

/** Words that an event has at the least, by tag. */
const LEAST: Readonly<Record<number, number>> = {
  [Event.Execution]: Execution.Writes,
  [Event.Chunk]: Chunk.Size,
  [Event.Wait]: Wait.Size,
  [Event.Abort]: Abort.Size,
  [Event.Commit]: Commit.Size,
}

/** True where a record was seen, and not the base or nothing. */
export const isRecord = (seen: number): boolean => seen !== Seen.Base && seen !== Seen.Cleared && seen > 0

export const parseJson = (payload: Uint8Array): Readonly<Record<string, unknown>> => {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(payload))
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // Told below.
  }
  throw notATrace('a chunk is no JSON')
}

/** A payload that `withJson` made. */
export const splitJson = (
  payload: Uint8Array<ArrayBuffer>,
): { readonly json: Readonly<Record<string, unknown>>; readonly rows: Words } => {
  const words = wordsOf(payload)
  const length = words[0] ?? 0
  const from = 1 + ((length + 3) >> 2)
  if (length < 0 || from > words.length) throw notATrace('a chunk of JSON and words breaks off')
  return { json: parseJson(payload.subarray(4, 4 + length)), rows: words.subarray(from) }
}
