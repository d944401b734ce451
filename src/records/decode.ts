/**
 * From the bytes of a trace to recorded runs.
 *
 * A run of which the end is missing is decoded as far as it goes: its `duration` is undefined, places that had not
 * ended are holes, and reads of a version that the trace does not have are left out.
 */
import { unpackBytes } from '../core/bytes.ts'
import { Outcome, Predicate, Seen } from '../core/contracts.ts'
import { hexOf, wordHex } from '../core/hex.ts'
import { Kind } from '../core/location.ts'
import { Mode, WAITED } from './events.ts'
import { ChunkKind, notATrace, type TraceBreak, TraceReader } from './format.ts'
import { isRecord, type NamedLocation, type RawExecution, type RawRead, RunDecoder } from './runDecoder.ts'
import type {
  ExecutionRecord,
  LocationRecord,
  PlaceRecord,
  ReadRecord,
  RunInfo,
  RunRecord,
  VersionSeen,
} from './runRecord.ts'

/** All that a trace holds. */
export interface DecodedTrace {
  /** Version of the library that wrote it. */
  readonly libraryVersion: string
  /** In the order in which they were written. */
  readonly runs: readonly RunRecord[]
  /** Where and why the trace breaks off; undefined where it is whole. What comes before it is in `runs`. */
  readonly broken: TraceBreak | undefined
}

/**
 * The runs of a trace. Of one that breaks off, all that is whole: `duration` of its last run is undefined then.
 *
 * @throws {InvalidInputError} RECORDS_FORMAT where the bytes are no trace, of a version that is not known, or where
 *   what a chunk says does not hold together though its checksum is right
 */
export const decodeRecords = (bytes: Uint8Array): RunRecord[] => [...decodeTrace(bytes).runs]

/**
 * As `decodeRecords`, and says whether the trace is whole.
 *
 * @throws {InvalidInputError} RECORDS_FORMAT
 */
export const decodeTrace = (bytes: Uint8Array): DecodedTrace => {
  const { libraryVersion, runs, broken } = decodeRuns(bytes)
  return { libraryVersion, runs: runs.map(recordOf), broken }
}

/**
 * Decodes a trace as it comes, one run after another: memory is that of the largest run, not of the trace.
 *
 * @throws {InvalidInputError} RECORDS_FORMAT, as `decodeRecords`
 * @example
 * for await (const { run } of streamRecords(createReadStream('runs.trace'))) console.log(run.label)
 */
export async function* streamRecords(stream: AsyncIterable<Uint8Array>): AsyncGenerator<RunRecord> {
  const reader = new TraceReader()
  const splitter = new RunSplitter()
  for await (const bytes of stream) {
    for (const chunk of reader.push(bytes)) {
      const done = splitter.take(chunk)
      if (done !== undefined) yield recordOf(done)
    }
  }
  reader.end()
  const last = splitter.last()
  if (last !== undefined) yield recordOf(last)
}

/** Hands chunks to runs. */
class RunSplitter {
  #run: RunDecoder | undefined

  /** The run before, where the chunk begins another one. */
  take(chunk: { readonly kind: number; readonly payload: Uint8Array<ArrayBuffer> }): RunDecoder | undefined {
    if (chunk.kind === ChunkKind.Begin) {
      const done = this.#run
      this.#run = new RunDecoder(chunk)
      return done
    }
    if (chunk.kind === ChunkKind.Discard) this.#run = undefined
    else if (this.#run === undefined) throw notATrace('a chunk belongs to no run')
    else this.#run.take(chunk)
    return undefined
  }

  last(): RunDecoder | undefined {
    const run = this.#run
    this.#run = undefined
    return run
  }
}

/** Runs with their raw events. */
export const decodeRuns = (
  bytes: Uint8Array,
): { readonly libraryVersion: string; readonly runs: RunDecoder[]; readonly broken: TraceBreak | undefined } => {
  const reader = new TraceReader()
  const splitter = new RunSplitter()
  const runs: RunDecoder[] = []
  for (const chunk of reader.push(bytes)) {
    const done = splitter.take(chunk)
    if (done !== undefined) runs.push(done)
  }
  reader.end()
  const last = splitter.last()
  if (last !== undefined) runs.push(last)
  return { libraryVersion: reader.libraryVersion ?? '', runs, broken: reader.broken }
}

// ---- names ----

export const LOCATION_KINDS = ['balance', 'nonce', 'life', 'slot', 'bytes'] as const

/** Address, slot or key of a location, as text. */
export const locationRecord = ({ kind, words }: NamedLocation): LocationRecord => {
  const name = LOCATION_KINDS[kind]
  if (name === undefined) throw notATrace('a location is of no kind')
  if (kind === Kind.Bytes) {
    const bytes = words[0]
    if (bytes < 0 || (bytes + 3) >> 2 > words.length - 1) throw notATrace('a key breaks off')
    return { kind: name, address: undefined, slot: undefined, key: hexOf(unpackBytes(words, 1, bytes)) }
  }
  if (words.length < (kind === Kind.Slot ? 13 : 5)) throw notATrace('an address breaks off')
  const slot = kind === Kind.Slot ? wordHex(words, 5) : undefined
  return { kind: name, address: hexOf(unpackBytes(words, 0, 20)), slot, key: undefined }
}

const PLACE_WORDS = 8
/** More would not fit into an engine's memory. */
const MOST_PLACES = 2 ** 27

const placeName = (
  { info, places }: RunDecoder,
  place: number,
): Pick<PlaceRecord, 'name' | 'to' | 'selector' | 'resources' | 'after'> => {
  const count = numberOf(info, 'places')
  const nothing = { to: undefined, selector: undefined, resources: [], after: [] }
  if (place === 0 || place > count) return { name: place === 0 ? 'prologue' : 'epilogue', ...nothing }
  const at = (place - 1) * PLACE_WORDS
  if (places === undefined || at + PLACE_WORDS > places.rows.length) return { name: '', ...nothing }
  const { rows, json } = places
  const list = (name: string): readonly unknown[] => (Array.isArray(json[name]) ? (json[name] as unknown[]) : [])
  const flags = rows[at + 1]
  return {
    name: String(list('names')[rows[at]] ?? ''),
    to: (flags & 1) === 0 ? undefined : hexOf(unpackBytes(rows, at + 2, 20)),
    selector: (flags & 2) === 0 ? undefined : hexOf(unpackBytes(rows, at + 7, 4)),
    resources: stringsOf(list('resources')[place - 1]),
    after: numbersOf(list('after')[place - 1]),
  }
}

const stringsOf = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : [])
const numbersOf = (value: unknown): number[] => (Array.isArray(value) ? value.map(Number) : [])

const numberOf = (info: Readonly<Record<string, unknown>>, name: string): number => {
  const value = info[name]
  if (typeof value !== 'number' || !(value >= 0 && value <= Number.MAX_SAFE_INTEGER))
    throw notATrace(`a run does not say its ${name}`)
  return value
}

const infoOf = ({ info, end }: RunDecoder): RunInfo => {
  const duration = end?.['duration']
  return {
    kind: info['kind'] === 'tasks' || info['kind'] === 'adapter' ? info['kind'] : 'block',
    label: String(info['label'] ?? ''),
    number: typeof info['number'] === 'number' ? info['number'] : undefined,
    fork: typeof info['fork'] === 'string' ? info['fork'] : undefined,
    places: numberOf(info, 'places'),
    workers: numberOf(info, 'workers'),
    speculation: info['speculation'] === 'always' ? 'always' : 'auto',
    reserves: info['reserves'] === true,
    light: info['light'] === true,
    queues: info['queues'] === true,
    startedAt: numberOf(info, 'startedAt'),
    duration: typeof duration === 'number' ? duration : undefined,
  }
}

// ---- executions ----

const MODES = ['speculative', 'committing', 'sequential', 'committing'] as const
const PREDICATES = {
  [Predicate.SameRecord]: 'sameRecord',
  [Predicate.ValueEquals]: 'valueEquals',
  [Predicate.AtLeast]: 'atLeast',
  [Predicate.Exists]: 'exists',
} as const
/** A restart ends within its incarnation; what is left of it is a deferral like `blocked`. */
const OUTCOMES = {
  [Outcome.Done]: 'done',
  [Outcome.Invalid]: 'invalid',
  [Outcome.Blocked]: 'blocked',
  [Outcome.Restart]: 'blocked',
  [Outcome.Fault]: 'fault',
  [WAITED]: 'waited',
} as const

const named = <T>(names: Readonly<Record<number, T>> | readonly T[], index: number): T => {
  const name = (names as Readonly<Record<number, T>>)[index]
  if (name === undefined) throw notATrace(`an event says ${index} where that means nothing`)
  return name
}

const BASE: VersionSeen = { place: -1, incarnation: 0 }

/** Writers of each location in the end: places in order, with the incarnation that counts. */
class FinalWriters {
  readonly #byLocation = new Map<number, RawExecution[]>()

  constructor(last: ReadonlyMap<number, RawExecution>) {
    const executions = [...last.values()].filter(({ outcome }) => outcome === Outcome.Done)
    executions.sort((a, b) => a.place - b.place)
    for (const execution of executions) {
      for (const { location } of execution.writes) {
        const writers = this.#byLocation.get(location)
        if (writers === undefined) this.#byLocation.set(location, [execution])
        else if (writers.at(-1) !== execution) writers.push(execution)
      }
    }
  }

  /** The last one below a place. */
  below(location: number, place: number): VersionSeen {
    const writers = this.#byLocation.get(location) ?? []
    let low = 0
    let high = writers.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((writers[middle] as RawExecution).place < place) low = middle + 1
      else high = middle
    }
    const writer = writers[low - 1]
    return writer === undefined ? BASE : { place: writer.place, incarnation: writer.incarnation }
  }
}

/** The last execution of each place: the one that counts, in a run that was whole. */
const lastExecutions = (executions: readonly RawExecution[]): Map<number, RawExecution> => {
  const last = new Map<number, RawExecution>()
  for (const execution of executions) {
    if (execution.outcome === WAITED) continue
    const before = last.get(execution.place)
    if (before === undefined || before.incarnation <= execution.incarnation) last.set(execution.place, execution)
  }
  return last
}

const versionSeen = (
  run: RunDecoder,
  read: RawRead,
  { place }: RawExecution,
  last: ReadonlyMap<number, RawExecution>,
  writers: FinalWriters,
): VersionSeen | undefined => {
  // A predicate names no record: it was checked, or is, against the newest value below.
  if (read.predicate !== Predicate.SameRecord) return writers.below(read.location, place)
  if (isRecord(read.seen)) {
    const writer = run.writerOf(read.seen)
    // Merges below were folded into a record of the reader's own.
    if (writer !== undefined && writer.place >= place) return writers.below(read.location, place)
    return writer === undefined ? undefined : { place: writer.place, incarnation: writer.incarnation }
  }
  if (read.seen !== Seen.Cleared) return BASE
  // Storage that a place below has emptied: it is that place that was seen.
  const cleared = read.floor - 1
  return { place: cleared, incarnation: last.get(cleared)?.incarnation ?? 0 }
}

/** The record of a run. */
export const recordOf = (run: RunDecoder): RunRecord => {
  const info = infoOf(run)
  const last = lastExecutions(run.executions)
  const writers = new FinalWriters(last)
  const aborts = new Map(run.aborts.map((abort) => [`${abort.place}:${abort.incarnation}`, abort]))
  const executions = run.executions.map((raw): ExecutionRecord => {
    const abort = raw.outcome === WAITED ? undefined : aborts.get(`${raw.place}:${raw.incarnation}`)
    // A deferred place is told by what it was blocked on, if by anything.
    const location = abort === undefined || abort.location < 0 ? raw.conflict : abort.location
    const reads = raw.reads.flatMap((read): ReadRecord[] => {
      const seen = versionSeen(run, read, raw, last, writers)
      return seen === undefined ? [] : [{ location: read.location, predicate: named(PREDICATES, read.predicate), seen }]
    })
    return {
      place: raw.place,
      incarnation: raw.incarnation,
      worker: raw.worker,
      start: raw.start,
      end: raw.end,
      isShared: raw.isShared,
      mode: named(MODES, raw.mode),
      outcome: named(OUTCOMES, raw.outcome),
      reads,
      writes: raw.writes.map(({ location: written, isDelta }) => ({
        location: written,
        kind: isDelta ? 'delta' : 'value',
      })),
      waits: raw.waits,
      aborted:
        abort === undefined || location < 0
          ? undefined
          : { at: abort.at, location, by: abort.location < 0 ? writers.below(location, raw.place).place : abort.by },
    }
  })
  executions.sort((a, b) => a.start - b.start)
  return { run: info, places: placesOf(run, info, last), executions, locations: run.locations.map(locationRecord) }
}

const placesOf = (run: RunDecoder, info: RunInfo, last: ReadonlyMap<number, RawExecution>): RunRecord['places'] => {
  if (info.places > MOST_PLACES) throw notATrace(`a run has ${info.places} places`)
  const places: (PlaceRecord | undefined)[] = new Array<undefined>(info.places + 2).fill(undefined)
  const committedAt = new Map<number, number>()
  for (const { from, to, at } of run.commits) {
    for (let place = Math.max(0, from); place < Math.min(to, places.length); place++) committedAt.set(place, at)
  }
  const alone = run.info['sequential'] === true
  for (const [place, execution] of last) {
    if (place < 0 || place >= places.length) throw notATrace('an event is of no place')
    const isAlone = execution.mode === Mode.Sequential && execution.outcome === Outcome.Done
    const at = isAlone ? execution.end : committedAt.get(place)
    const gas = run.gas === undefined || place < 1 || place > info.places ? undefined : gasAt(run.gas, place - 1)
    places[place] = {
      place,
      ...placeName(run, place),
      gasUsed: gas,
      committedAt: at,
      committed: at === undefined ? undefined : howCommitted(execution.mode, alone),
    }
  }
  return places
}

const howCommitted = (mode: number, alone: boolean): PlaceRecord['committed'] =>
  mode === Mode.Sequential
    ? alone
      ? 'sequential'
      : 'fallback'
    : mode === Mode.Direct
      ? 'direct'
      : mode === Mode.Committing
        ? 'reexecuted'
        : 'speculative'

const gasAt = (gas: Int32Array, index: number): number | undefined =>
  2 * index + 1 < gas.length ? (gas[2 * index] >>> 0) + (gas[2 * index + 1] >>> 0) * 2 ** 32 : undefined
