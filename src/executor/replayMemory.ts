/**
 * The memory of an incarnation that is run again: each question is answered as it was recorded.
 *
 * Values of other places come from their own replayed incarnations. What the incarnation asks, and in which order, is
 * compared as it goes; the first difference stays, and everything after it is unwound.
 */

import { wordsOf } from '../core/bytes.ts'
import { Predicate, type SyncAdapter, type TaskMemory } from '../core/contracts.ts'
import { CapacityError } from '../core/errors.ts'
import { Control, DeltaRecord, Record } from '../core/layout.ts'
import { Kind, LENGTH, Life, recordOf, STORED } from '../core/location.ts'
import { MIX_START, mixWords } from '../core/mix.ts'
import type { LocationTable } from '../core/table.ts'
import { LIST_HEAD } from '../core/values.ts'
import { copy, copy8 } from '../core/words.ts'
import { digestOfWrite } from '../records/digest.ts'
import { Answer, answerSize } from '../records/events.ts'
import { isRecord, type RawExecution, type RawRead } from '../records/runDecoder.ts'
import { rangeDigest } from './recordedMemory.ts'

type Words = Int32Array

/** A value that an incarnation wrote, on its own. */
interface Written {
  readonly record: Words
  /** Bytes of a task's value, or code: what the record's offset pointed to. */
  readonly body: Words
}

/** What a replayed incarnation wrote, by location. */
export type WrittenValues = ReadonlyMap<number, Written>

/** How a replayed incarnation is not the recorded one. */
export interface Divergence {
  /** What is not the same. */
  readonly what: 'read' | 'predicate' | 'write' | 'outcome' | 'result'
  /** Location in the replay's state, or 0. */
  readonly location: number
  readonly expected: string
  readonly actual: string
}

/** Unwinds an incarnation that does what the recorded one did not; never leaves the library. */
export class Diverged extends Error {
  override readonly name = 'Blockloom.Diverged'
}

/** Where the replay finds what the trace says. */
export interface ReplaySource {
  /** Location in the replay's state of one that the trace's events name. */
  locationOf(id: number): number
  /** The same of one that its executions name, by index. */
  locationAt(index: number): number
  /** What the incarnation that wrote a record has written, replayed first if need be. */
  valuesOf(record: number): WrittenValues
}

const QUESTIONS = ['', 'read', 'glance', 'fold', 'fold', 'read', 'glance', 'exists', 'range', 'range'] as const
/** Answers of other kinds to the same question. */
const SAME_QUESTION: Readonly<Record<number, number>> = {
  [Answer.FoldGuess]: Answer.Fold,
  [Answer.ReadFolded]: Answer.Read,
  [Answer.GlanceFolded]: Answer.Glance,
}

export class ReplayMemory implements TaskMemory {
  readonly table: LocationTable
  readonly state: Words
  readonly engine: Words
  place = 0
  incarnation = 0
  strict = false
  exact = false
  /** The first difference of this incarnation. */
  divergence: Divergence | undefined
  readonly #source: ReplaySource
  readonly #resultDigest: SyncAdapter['resultDigest']
  /** First word of the engine memory that an incarnation may use. */
  readonly #scratch: number
  #next = 0
  #execution: RawExecution | undefined
  #at = 0
  #result = 0
  #resultWords = 0
  #predicates: { location: number; predicate: number; words: Words }[] = []
  #writes: { location: number; kind: Kind }[] = []
  readonly #records = new Map<number, number>()

  constructor(
    engine: Words,
    scratch: number,
    table: LocationTable,
    source: ReplaySource,
    resultDigest: SyncAdapter['resultDigest'],
  ) {
    this.#resultDigest = resultDigest
    this.engine = engine
    this.table = table
    this.state = table.words
    this.#scratch = scratch
    this.#source = source
  }

  /** What had no room has left no incarnation behind to run again. */
  assertRoom(): void {}

  begin(execution: RawExecution, strict: boolean): void {
    this.#execution = execution
    this.place = execution.place
    this.incarnation = execution.incarnation
    this.strict = strict
    this.exact = execution.exact
    this.divergence = undefined
    this.#next = this.#scratch
    this.#at = 0
    this.#result = 0
    this.#resultWords = 0
    this.#predicates = []
    this.#writes = []
    this.#records.clear()
  }

  // ---- answers ----

  read(location: number, kind: Kind, _floor: number): number {
    return this.#value(Answer.Read, kind, location)
  }

  glance(location: number, kind: Kind): number {
    return this.#value(Answer.Glance, kind, location)
  }

  fold(location: number, out: Words, at: number): boolean {
    const a = this.#answer(Answer.Fold, location)
    const answers = this.#recorded.answers
    copy8(out, at, answers, a + 2)
    return answers[a] >> Answer.KindBits === Answer.Fold
  }

  exists(location: number): number {
    return this.#recorded.answers[this.#answer(Answer.Exists, location) + 2]
  }

  range(
    prefix: Words,
    bytes: number,
    after: Words,
    afterBytes: number,
    visit: (record: number, present: boolean) => boolean,
  ): boolean {
    const { answers } = this.#recorded
    let goesOn = true
    while (this.#isNext(Answer.Visit)) {
      if (!goesOn) return this.#diverge('read', 0, 'a range that goes on', 'a range that stops')
      const location = this.#source.locationOf(answers[this.#at + 1])
      const isPresent = answers[this.#at + 2] === 1
      this.#at += answerSize(answers, this.#at)
      goesOn = visit(recordOf(location), isPresent)
    }
    const at = this.#answer(Answer.Range, rangeDigest(prefix, bytes, after, afterBytes))
    return answers[at + 2] === 1
  }

  #isNext(tag: number): boolean {
    const { answers } = this.#recorded
    return this.#at < answers.length && answers[this.#at] >> Answer.KindBits === tag
  }

  /** A value that was made of merges, as it was kept. */
  #folded(at: number): number {
    const { answers } = this.#recorded
    const bytes = answers[at + 2]
    const count = wordsOf(Math.max(0, bytes))
    const pair = this.allocate(2)
    this.engine[pair] = bytes
    this.engine[pair + 1] = this.#layOut(answers, at + 3, count)
    return pair
  }

  /** Copies a value's words; where they are a list, it has no room behind it. */
  #layOut(from: Words, at: number, count: number): number {
    const to = this.allocate(LIST_HEAD + count) + LIST_HEAD
    for (let k = 1; k <= LIST_HEAD; k++) this.engine[to - k] = 0
    copy(this.engine, to, from, at, count)
    return to
  }

  #value(tag: number, kind: Kind, location: number): number {
    const { answers } = this.#recorded
    const a = this.#answer(tag, location)
    if (answers[a] >> Answer.KindBits !== tag) return this.#folded(a)
    const seen = answers[a + 2]
    if (!isRecord(seen)) return seen
    const written = this.#source.valuesOf(seen).get(location)
    if (written === undefined) return this.#diverge('read', location, 'a value of a lower place', 'nothing was written')
    const { record, body } = written
    const at = this.allocate(record.length)
    copy(this.engine, at, record, 0, record.length)
    if (body.length > 0) {
      const to = this.#layOut(body, 0, body.length)
      this.engine[at + 1 + (kind === Kind.Bytes ? 1 : Life.CodeOffset)] = to
    }
    return at + 1
  }

  get #recorded(): RawExecution {
    return this.#execution as RawExecution
  }

  /** Offset of the next answer, which must be to this question. */
  #answer(tag: number, location: number): number {
    if (this.divergence !== undefined) throw new Diverged(this.divergence.actual)
    const { answers } = this.#recorded
    const at = this.#at
    const asked = at < answers.length ? answers[at] >> Answer.KindBits : 0
    const isSame = (SAME_QUESTION[asked] ?? asked) === tag
    const isRange = asked === Answer.Range
    const where = asked === 0 ? 0 : isRange ? answers[at + 1] : this.#source.locationOf(answers[at + 1])
    if (!isSame || where !== location) {
      const expected = asked === 0 ? 'no more questions' : `${QUESTIONS[asked]} of another location`
      return this.#diverge(
        'read',
        isRange || tag === Answer.Range ? 0 : location,
        isSame ? expected : QUESTIONS[asked] || expected,
        QUESTIONS[tag] ?? '',
      )
    }
    this.#at = at + answerSize(answers, at)
    return at
  }

  #diverge(what: Divergence['what'], location: number, expected: string, actual: string): never {
    this.divergence ??= { what, location, expected, actual }
    throw new Diverged(actual)
  }

  // ---- effects ----

  expect(location: number, kind: Kind, predicate: Predicate, words: Words, at: number): void {
    this.#predicates.push({ location, predicate, words: words.slice(at, at + LENGTH[kind]) })
  }

  write(location: number, kind: Kind, words: Words, at: number): void {
    const record = this.allocate(1 + STORED[kind])
    this.engine[record] = Record.Value
    copy(this.engine, record + 1, words, at, STORED[kind])
    this.#keep(location, kind, record)
  }

  add(location: number, delta: Words, at: number, bound: Words, boundAt: number): void {
    const record = this.allocate(DeltaRecord.Size)
    this.engine[record] = Record.Delta
    copy8(this.engine, record + DeltaRecord.Delta, delta, at)
    copy8(this.engine, record + DeltaRecord.Bound, bound, boundAt)
    this.#keep(location, Kind.Balance, record)
  }

  merge(location: number, from: number): void {
    this.#keep(location, Kind.Bytes, from)
  }

  #keep(location: number, kind: Kind, record: number): void {
    this.#writes.push({ location, kind })
    this.#records.set(location, record)
  }

  allocate(count: number): number {
    const at = this.#next
    if (at + count > this.engine.length) {
      throw new CapacityError('CAPACITY', 'an incarnation needs more memory than a replay has', {
        limit: this.engine.length * 4,
        actual: (at + count) * 4,
      })
    }
    this.#next = at + count
    return at
  }

  result(offset: number, count: number): void {
    this.#result = offset
    this.#resultWords = count
  }

  dense(): void {}

  // ---- the end of an incarnation ----

  /** Compares what it did with the record; `divergence` holds the first difference. Call it once, if it ran to its end. */
  compare(): void {
    const { answers, reads, writes, digest } = this.#recorded
    if (this.divergence !== undefined) return
    if (this.#at < answers.length) {
      const tag = answers[this.#at] >> Answer.KindBits
      const location = tag === Answer.Range ? 0 : this.#source.locationOf(answers[this.#at + 1])
      this.#note('read', location, QUESTIONS[tag] ?? '', 'no more questions')
    }
    this.#comparePredicates(
      reads.filter(({ predicate }) => predicate === Predicate.ValueEquals || predicate === Predicate.AtLeast),
    )
    this.#compareWrites(writes.map(({ location }) => this.#source.locationAt(location)))
    const mine = this.#digest()
    if (mine !== digest) this.#note('result', 0, `digest ${hex(digest)}`, `digest ${hex(mine)}`)
  }

  /** In no order: an adapter asserts in the order of ids, which are another state's here. */
  #comparePredicates(recorded: readonly RawRead[]): void {
    const expected = new Map<number, string>()
    for (const { location, predicate, words } of recorded) {
      const at = this.#source.locationAt(location)
      expected.set(at, join(expected.get(at), told(predicate, words)))
    }
    const actual = new Map<number, string>()
    for (const { location, predicate, words } of this.#predicates) {
      actual.set(location, join(actual.get(location), told(predicate, words)))
    }
    for (const location of new Set([...expected.keys(), ...actual.keys()])) {
      const [theirs, mine] = [expected.get(location), actual.get(location)]
      if (theirs !== mine) this.#note('predicate', location, theirs ?? 'nothing asserted', mine ?? 'nothing asserted')
    }
  }

  #compareWrites(recorded: readonly number[]): void {
    const expected = new Set(recorded)
    for (const location of expected) if (!this.#records.has(location)) this.#note('write', location, 'a write', 'none')
    for (const location of this.#records.keys()) {
      if (!expected.has(location)) this.#note('write', location, 'no write', 'a write')
    }
  }

  #note(what: Divergence['what'], location: number, expected: string, actual: string): void {
    this.divergence ??= { what, location, expected, actual }
  }

  #digest(): number {
    const { engine, place } = this
    const isEnd = place === 0 || place > engine[Control.Places]
    let h =
      this.#resultDigest?.(engine, this.#result, isEnd) ?? mixWords(MIX_START, engine, this.#result, this.#resultWords)
    for (const { location } of this.#writes) {
      h = (h + digestOfWrite(this.state, location, this.engine, this.#records.get(location) as number)) | 0
    }
    return h
  }

  /** What it wrote, for those who saw it. */
  written(): WrittenValues {
    const { engine } = this
    const values = new Map<number, Written>()
    for (const { location, kind } of this.#writes) {
      const record = this.#records.get(location) as number
      // Who reads through a merge is answered the value itself.
      if (engine[record] === Record.Merge) continue
      const isDelta = engine[record] === Record.Delta
      const value = record + 1
      const bytes = isDelta
        ? 0
        : kind === Kind.Bytes
          ? engine[value]
          : kind === Kind.Life
            ? engine[value + Life.CodeBytes]
            : 0
      const from = engine[value + (kind === Kind.Bytes ? 1 : Life.CodeOffset)]
      values.set(location, {
        record: engine.slice(record, record + (isDelta ? DeltaRecord.Size : 1 + STORED[kind])),
        body: bytes > 0 ? engine.slice(from, from + ((bytes + 3) >> 2)) : new Int32Array(0),
      })
    }
    return values
  }
}

const join = (before: string | undefined, text: string): string => (before === undefined ? text : `${before}, ${text}`)

const hex = (word: number): string => `0x${(word >>> 0).toString(16).padStart(8, '0')}`

const told = (predicate: number, words: Words): string => {
  let value = ''
  for (const word of words) value = (word >>> 0).toString(16).padStart(8, '0') + value
  return `${predicate === Predicate.ValueEquals ? 'equals' : 'is at least'} 0x${value.replace(/^0+(?=.)/, '')}`
}
