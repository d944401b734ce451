/**
 * Memories of a recorded run. The multi-version memory keeps its read sets by itself; here are the oracle, which does
 * not, and both memories as they are where answers are recorded, so that a run that is not recorded pays nothing for
 * it.
 */
import type { Arena } from '../core/arena.ts'
import { Predicate } from '../core/contracts.ts'
import { MergeRecord, READ_PREDICATE_SHIFT, Read, Record } from '../core/layout.ts'
import { Kind, LENGTH, locationOf } from '../core/location.ts'
import { MIX_START, mixBytes } from '../core/mix.ts'
import type { LocationTable } from '../core/table.ts'
import { copy } from '../core/words.ts'
import { MVMemory } from '../mvmemory/mvmemory.ts'
import type { AnswerLog } from '../records/answers.ts'
import { Answer } from '../records/events.ts'
import type { NotedMemory } from '../records/recorder.ts'
import { SequentialMemory } from './sequential.ts'

type Words = Int32Array

/** The record in which an answer lies; other `Seen` values stay. */
const recordSeen = (answer: number): number => (answer > 0 ? answer - 1 : answer)

/**
 * Whether an answer is the value that the commit of a merge made, which lies inside the merge's record. What is taken
 * for one by the word before it is a value all the same, and only takes more room in the trace.
 */
const isMerged = (engine: Words, kind: Kind, answer: number): boolean =>
  kind === Kind.Bytes && answer > 0 && engine[answer - 1 - MergeRecord.Folded] === Record.Merge

type Visit = (record: number, present: boolean) => boolean

/** What a range is asked, in a word. */
export const rangeDigest = (prefix: Words, bytes: number, after: Words, afterBytes: number): number =>
  afterBytes < 0
    ? mixBytes(MIX_START, prefix, 0, bytes)
    : mixBytes(mixBytes(MIX_START, prefix, 0, bytes) ^ afterBytes, after, 0, afterBytes)

/** Notes what each place reads and writes. A number that is only folded is a guess to the adapter, and no read. */
export class NotingMemory extends SequentialMemory implements NotedMemory {
  reads = new Int32Array(1024)
  readWords = 0
  writes = new Int32Array(256)
  writeCount = 0
  readonly #answers: AnswerLog | undefined
  /** True while the memory asks itself. */
  #isInside = false

  constructor(engine: Words, table: LocationTable, arena: Arena, answers?: AnswerLog) {
    super(engine, table, arena)
    this.#answers = answers
  }

  override begin(place: number): void {
    super.begin(place)
    this.readWords = 0
    this.writeCount = 0
    this.#answers?.begin()
  }

  override read(location: number, kind: Kind, floor: number): number {
    const answer = super.read(location, kind, floor)
    const r = this.#room(Read.Size)
    this.reads[r] = location
    this.reads[r + Read.Kind] = kind
    this.reads[r + Read.Seen] = recordSeen(answer)
    this.reads[r + Read.Floor] = floor
    this.#answers?.value(Answer.Read, kind, location, answer, this.engine, isMerged(this.engine, kind, answer))
    return answer
  }

  override exists(location: number): number {
    const isInside = this.#isInside
    this.#isInside = true
    const there = super.exists(location)
    this.#isInside = isInside
    const r = this.#room(Read.Size)
    this.reads[r] = location
    this.reads[r + Read.Kind] = Kind.Bytes | (Predicate.Exists << READ_PREDICATE_SHIFT)
    this.reads[r + Read.Seen] = there
    this.reads[r + Read.Floor] = 0
    if (!isInside) this.#answers?.answer(Answer.Exists, Kind.Bytes, location, there)
    return there
  }

  override range(prefix: Words, bytes: number, after: Words, afterBytes: number, visit: Visit): boolean {
    const answers = this.#answers
    this.#isInside = true
    const all = super.range(prefix, bytes, after, afterBytes, (record, present) => {
      answers?.answer(Answer.Visit, Kind.Bytes, locationOf(record, Kind.Bytes), present ? 1 : 0)
      return visit(record, present)
    })
    this.#isInside = false
    answers?.answer(Answer.Range, Kind.Bytes, rangeDigest(prefix, bytes, after, afterBytes), all ? 1 : 0)
    return all
  }

  override glance(location: number, kind: Kind): number {
    const answer = super.glance(location, kind)
    if (!this.#isInside) {
      this.#answers?.value(Answer.Glance, kind, location, answer, this.engine, isMerged(this.engine, kind, answer))
    }
    return answer
  }

  override fold(location: number, out: Words, at: number): boolean {
    if (this.#isInside) return super.fold(location, out, at)
    this.#isInside = true
    const isExact = super.fold(location, out, at)
    this.#isInside = false
    this.#answers?.folded(location, isExact, out, at)
    return isExact
  }

  override add(location: number, delta: Words, at: number): void {
    this.#isInside = true
    super.add(location, delta, at)
    this.#isInside = false
  }

  override expect(location: number, kind: Kind, predicate: Predicate, words: Words, at: number): void {
    const length = LENGTH[kind]
    const r = this.#room(Read.Size + length)
    this.reads[r] = location
    this.reads[r + Read.Kind] = kind | (predicate << READ_PREDICATE_SHIFT)
    this.reads[r + Read.Seen] = 0
    this.reads[r + Read.Floor] = 0
    copy(this.reads, r + Read.Size, words, at, length)
  }

  override write(location: number, kind: Kind, words: Words, at: number): void {
    super.write(location, kind, words, at)
    if (this.writeCount === this.writes.length) {
      const larger = new Int32Array(2 * this.writeCount)
      larger.set(this.writes)
      this.writes = larger
    }
    this.writes[this.writeCount++] = location
  }

  #room(words: number): number {
    const r = this.readWords
    if (r + words > this.reads.length) {
      const larger = new Int32Array(2 * this.reads.length + words)
      larger.set(this.reads)
      this.reads = larger
    }
    this.readWords = r + words
    return r
  }
}

/** Logs what it answers. */
export class AnsweringMemory extends MVMemory {
  readonly #answers: AnswerLog

  constructor(engine: Words, table: LocationTable, answers: AnswerLog) {
    super(engine, table)
    this.#answers = answers
  }

  override begin(place: number, strict: boolean, exact: boolean): void {
    super.begin(place, strict, exact)
    this.#answers.begin()
  }

  override read(location: number, kind: Kind, floor: number): number {
    const own = this.arena.next
    const answer = super.read(location, kind, floor)
    this.#answers.value(Answer.Read, kind, location, answer, this.engine, this.#isFolded(kind, answer, own))
    return answer
  }

  override glance(location: number, kind: Kind): number {
    const own = this.arena.next
    const answer = super.glance(location, kind)
    this.#answers.value(Answer.Glance, kind, location, answer, this.engine, this.#isFolded(kind, answer, own))
    return answer
  }

  /** Whether a byte string was made of merges, by this read, which then took room for it, or by a commit. */
  #isFolded(kind: Kind, answer: number, own: number): boolean {
    return isMerged(this.engine, kind, answer) || (kind === Kind.Bytes && answer > 0 && this.arena.next !== own)
  }

  override exists(location: number): number {
    const there = super.exists(location)
    this.#answers.answer(Answer.Exists, Kind.Bytes, location, there)
    return there
  }

  override range(prefix: Words, bytes: number, after: Words, afterBytes: number, visit: Visit): boolean {
    const answers = this.#answers
    const all = super.range(prefix, bytes, after, afterBytes, (record, present) => {
      answers.answer(Answer.Visit, Kind.Bytes, locationOf(record, Kind.Bytes), present ? 1 : 0)
      return visit(record, present)
    })
    answers.answer(Answer.Range, Kind.Bytes, rangeDigest(prefix, bytes, after, afterBytes), all ? 1 : 0)
    return all
  }

  override fold(location: number, out: Words, at: number, limit: number): boolean {
    const isExact = super.fold(location, out, at, limit)
    this.#answers.folded(location, isExact, out, at)
    return isExact
  }
}
