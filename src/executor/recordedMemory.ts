/**
 * Memories of a recorded run. The multi-version memory keeps its read sets by itself; here are the oracle, which does not,
 * and both memories as they are where answers are recorded, so that a run that is not recorded pays nothing for it.
 */
import type { Arena } from '../core/arena.ts'
import type { Predicate } from '../core/contracts.ts'
import { READ_PREDICATE_SHIFT, Read } from '../core/layout.ts'
import { type Kind, LENGTH } from '../core/location.ts'
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
    this.#answers?.answer(Answer.Read, kind, location, recordSeen(answer))
    return answer
  }

  override glance(location: number, kind: Kind): number {
    const answer = super.glance(location, kind)
    if (!this.#isInside) this.#answers?.answer(Answer.Glance, kind, location, recordSeen(answer))
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
    const answer = super.read(location, kind, floor)
    this.#answers.answer(Answer.Read, kind, location, recordSeen(answer))
    return answer
  }

  override glance(location: number, kind: Kind): number {
    const answer = super.glance(location, kind)
    this.#answers.answer(Answer.Glance, kind, location, recordSeen(answer))
    return answer
  }

  override fold(location: number, out: Words, at: number, limit: number): boolean {
    const isExact = super.fold(location, out, at, limit)
    this.#answers.folded(location, isExact, out, at)
    return isExact
  }
}
