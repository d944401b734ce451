/**
 * Multi-version memory: for each location the newest write of each place, and for each place what it read.
 *
 * A worker executes places against it through `TaskMemory`; the holder of the commit lock validates and
 * folds. Entries are linked in descending place order and never unlinked while anybody reads, so a reader needs
 * no lock: it walks to the first entry below its place. A record is immutable once published, but that the holder of
 * the lock folds a delta into the words of its bound, which nobody else reads; an entry's one mutable word says which
 * record counts, or none.
 *
 * Source: Gelashvili et al., Block-STM, arXiv:2203.06871, Algorithms 2 and 3; deltas after Aptos aggregators.
 * Deviations: docs/algorithm.md (D1 validation at the commit cursor, D2 value predicates, D3 bounded deltas).
 *
 * Always true
 *   M1  Below the commit cursor every entry's record is 0 or a Value without ESTIMATE: folding is one step.
 *   M2  A record's words are written before the atomic store or exchange that lets others find it.
 *   M3  A place's entries that its last incarnation did not write have record 0 when it is published (hazard 3).
 *   M4  What a validation reads lies below the place, is committed, and so cannot change under it (hazard 13).
 * Not here: when things run (scheduler), what words mean (adapters), threads (executor).
 */

import { Arena } from '../core/arena.ts'
import * as atomics from '../core/atomics.ts'
import { ask, isKnown, MOST_ASKED } from '../core/cold.ts'
import { type Adapter, Predicate, Seen, type TaskMemory } from '../core/contracts.ts'
import { hasPrefix, nextKey, seekKey } from '../core/keyOrder.ts'
import { Control, DeltaRecord, Entry, ESTIMATE, Place, READ_PREDICATE_SHIFT, Record } from '../core/layout.ts'
import { BASE, Kind, locationOf, recordOf, STORED, WATCHED } from '../core/location.ts'
import { assertRoom } from '../core/room.ts'
import { incarnationOf } from '../core/status.ts'
import { type LocationTable, StateHeader } from '../core/table.ts'
import { add256, copy, copy8, isZero8, zero8 } from '../core/words.ts'
import { CommitStage } from './commitStage.ts'
import { holds } from './committed.ts'
import { Entries } from './entries.ts'
import { type Conflict, Merges, wordsOfMerge } from './merges.ts'
import { keepRange } from './ranges.ts'
import { ReadSet } from './readSet.ts'
import { Waiting } from './waiting.ts'
import { newest, newestPlace } from './walk.ts'
import { WriteSet } from './writeSet.ts'

type Words = Int32Array

const EXISTS = Kind.Bytes | (Predicate.Exists << READ_PREDICATE_SHIFT)
const RANGE = Kind.Bytes | (Predicate.Range << READ_PREDICATE_SHIFT)

export class MVMemory implements TaskMemory {
  readonly table: LocationTable
  readonly state: Words
  readonly engine: Words
  readonly arena: Arena
  place = 0
  incarnation = 0
  strict = false
  exact = false
  /** Records whose base value this incarnation missed; where there is one, nothing that it did counts. */
  readonly cold: number[] = []
  /** Keeps what strict executions read, too, which no validation asks for: where a run is recorded. */
  notesAll = false

  #placeTable = 0
  #denseLocation = 0
  /** Base values may be missing (core/cold.ts). */
  #partial = false
  /** Offset of the place that executes. */
  #at = 0
  readonly #entries: Entries
  readonly #reads: ReadSet
  readonly #writes: WriteSet
  readonly #merges: Merges
  readonly #waiting: Waiting
  readonly #commits: CommitStage
  readonly #conflict: Conflict = { location: 0 }
  readonly #sum = new Int32Array(8)

  constructor(engine: Words, table: LocationTable) {
    this.engine = engine
    this.table = table
    this.state = table.words
    this.arena = new Arena(engine)
    this.#entries = new Entries(engine, this.state, this.arena)
    this.#reads = new ReadSet(engine, this.arena)
    this.#writes = new WriteSet(engine, this.arena, this.#entries)
    this.#merges = new Merges(this, this.arena, this.#conflict)
    this.#waiting = new Waiting(engine, this.state)
    this.#commits = new CommitStage(engine, this.state, this.#merges, this.#conflict)
  }

  /** Takes the run's constants and an empty arena. */
  beginRun(): void {
    this.arena.begin()
    this.#placeTable = this.engine[Control.PlaceTable]
    this.#denseLocation = this.engine[Control.DenseLocation]
    this.#partial = this.state[StateHeader.Known] !== 0
    this.#waiting.waits = 0
    this.#entries.beginRun()
    this.#commits.beginRun()
  }

  // ---- what others ask of a worker's memory ----

  /** Head of the chain of entries that were the first on their location; after a fallback one may be there twice. */
  get written(): number {
    return this.#entries.written
  }

  set written(head: number) {
    this.#entries.written = head
  }

  /** Times a reader waited for another place. */
  get waits(): number {
    return this.#waiting.waits
  }

  set onWait(told: Waiting['onWait']) {
    this.#waiting.onWait = told
  }

  /** Location of the last predicate that failed, or estimate that was not waited for; the caller clears it. */
  get conflict(): number {
    return this.#conflict.location
  }

  set conflict(location: number) {
    this.#conflict.location = location
  }

  set folder(adapter: Adapter) {
    this.#merges.folder = adapter
  }

  /** Place of the newest entry on a location below `place`, -1 where there is none. */
  newestPlace(location: number, place: number): number {
    return newestPlace(this.engine, this.state, location, place)
  }

  /** Forgets where walks began: a fallback has unlinked entries. */
  forgetWalks(): void {
    this.#entries.forgetWalks()
  }

  // ---- execution: TaskMemory ----

  begin(place: number, strict: boolean, exact: boolean): void {
    const at = this.#placeTable + place * Place.Size
    this.#at = at
    this.place = place
    this.incarnation = incarnationOf(this.engine[at + Place.Status])
    this.strict = strict
    this.exact = exact
    if (this.cold.length > 0) this.cold.length = 0
    this.#reads.clear()
    this.#writes.clear()
    // Main cleared the words of a first incarnation.
    if (this.incarnation !== 0) zero8(this.engine, at + Place.Dense)
  }

  read(location: number, kind: Kind, floor: number): number {
    if (this.state[recordOf(location) + WATCHED[kind]] !== 0 && !this.strict) this.#awaitFinal(location)
    // A stale 0 is an early read: the entry that it misses is seen by the validation (M4).
    if (atomics.peek(this.state, location) === 0) {
      const seen = floor > 0 ? Seen.Cleared : Seen.Base
      if (this.#partial && seen === Seen.Base && this.#misses(location)) return Seen.Blocked
      this.#note(location, kind, seen, floor)
      return seen
    }
    for (;;) {
      const record = newest(this.engine, atomics.load(this.state, location), this.place, floor)
      if (record > 0 && (record & ESTIMATE) !== 0) {
        if (this.#awaitWriter(location, floor)) continue
        return Seen.Blocked
      }
      let seen = record > 0 ? record >> 1 : record
      if (this.#partial && seen === Seen.Base && this.#misses(location)) return Seen.Blocked
      if (kind === Kind.Bytes && record > 0 && this.engine[seen] === Record.Merge) {
        seen = this.#merges.foldBelow(location, this.place)
        if (seen === Seen.Blocked) return seen
      }
      this.#note(location, kind, seen, floor)
      return record > 0 ? seen + 1 : seen
    }
  }

  exists(location: number): number {
    if (this.state[recordOf(location) + WATCHED[Kind.Bytes]] !== 0 && !this.strict) this.#awaitFinal(location)
    const there = this.#presence(location)
    if (there !== Seen.Blocked) this.#noteExistence(location, there)
    return there
  }

  range(
    prefix: Words,
    bytes: number,
    after: Words,
    afterBytes: number,
    visit: (record: number, present: boolean) => boolean,
  ): boolean {
    const { state } = this
    const present: number[] = []
    let stop = 0
    let record = afterBytes < 0 ? seekKey(state, prefix, 0, bytes, false) : seekKey(state, after, 0, afterBytes, true)
    for (; record !== 0 && hasPrefix(state, record, prefix, 0, bytes); record = nextKey(state, record)) {
      const there = this.#presence(locationOf(record, Kind.Bytes))
      if (there === Seen.Blocked) return false
      if (there === 1) present.push(record)
      // A range's own item names no locations; these can fail only where it fails, too.
      if (this.notesAll) this.#noteExistence(locationOf(record, Kind.Bytes), there)
      if (!visit(record, there === 1)) {
        stop = record
        break
      }
    }
    if (this.strict) return true
    const kept = keepRange(this.engine, this.arena, prefix, bytes, after, afterBytes, stop, present)
    this.#reads.note(kept, RANGE, 0, 0)
    return true
  }

  glance(location: number, kind: Kind): number {
    if (atomics.peek(this.state, location) === 0) return Seen.Base
    const record = newest(this.engine, atomics.load(this.state, location), this.place, 0)
    if (record === Seen.Base) return Seen.Base
    if (kind !== Kind.Bytes || this.engine[record >> 1] !== Record.Merge) return (record >> 1) + 1
    const folded = this.#merges.foldBelow(location, this.place)
    return folded === Seen.Blocked ? Seen.Base : folded + 1
  }

  fold(location: number, out: Words, at: number, limit: number): boolean {
    const base = location + BASE[0]
    if (location === this.#denseLocation && !this.strict) {
      copy8(out, at, this.state, base)
      return false
    }
    if (atomics.peek(this.state, location) === 0) {
      copy8(out, at, this.state, base)
      if (location === this.#denseLocation) add256(out, at, out, at, this.engine, Control.DenseSum)
      return true
    }
    const engine = this.engine
    const sum = this.#sum
    zero8(sum, 0)
    let entry = atomics.load(this.state, location)
    // A guess is not worth a walk past what other workers wrote above: each entry is a cache line of theirs.
    if (engine[entry + Entry.Place] >= this.place && limit < Number.MAX_SAFE_INTEGER) {
      copy8(out, at, this.state, base)
      return false
    }
    let deltas = 0
    let from = this.state
    let value = base
    while (entry !== 0) {
      if (engine[entry + Entry.Place] < this.place) {
        const word = atomics.load(engine, entry + Entry.Record)
        if (word !== 0) {
          if ((word & ESTIMATE) !== 0 || deltas === limit) {
            copy8(out, at, this.state, base)
            return false
          }
          const record = word >> 1
          if (engine[record] === Record.Value) {
            from = engine
            value = record + 1
            break
          }
          add256(sum, 0, sum, 0, engine, record + 1)
          deltas++
        }
      }
      entry = atomics.load(engine, entry + Entry.Next)
    }
    const carry = add256(out, at, from, value, sum, 0)
    // Debits of places that may never be committed so can exceed what is there: no number, not even a guess.
    if ((carry === 1) !== sum[7] < 0 && !isZero8(sum, 0)) {
      copy8(out, at, this.state, base)
      return false
    }
    if (location === this.#denseLocation) add256(out, at, out, at, engine, Control.DenseSum)
    return true
  }

  expect(location: number, kind: Kind, predicate: Predicate, words: Words, at: number): void {
    this.#reads.expect(location, kind, predicate, words, at)
  }

  write(location: number, kind: Kind, words: Words, at: number): void {
    const length = STORED[kind]
    const record = this.#entries.make(location, this.place, 1 + length)
    this.engine[record] = Record.Value
    if (length === 8) copy8(this.engine, record + 1, words, at)
    else copy(this.engine, record + 1, words, at, length)
    this.#writes.add(location, record)
  }

  add(location: number, delta: Words, at: number, bound: Words, boundAt: number): void {
    const record = this.#entries.make(location, this.place, DeltaRecord.Size)
    this.#writes.hasDeltas = true
    this.engine[record] = Record.Delta
    copy8(this.engine, record + DeltaRecord.Delta, delta, at)
    copy8(this.engine, record + DeltaRecord.Bound, bound, boundAt)
    this.#writes.add(location, record)
  }

  merge(location: number, from: number): void {
    const { engine } = this
    const words = wordsOfMerge(engine, from)
    const record = this.#entries.make(location, this.place, words)
    this.#writes.hasDeltas = true
    copy(engine, record, engine, from, words)
    this.#writes.add(location, record)
  }

  allocate(count: number): number {
    return this.arena.take(count)
  }

  assertRoom(): void {
    assertRoom(this.arena, this.table)
  }

  result(offset: number, count: number): void {
    this.engine[this.#at + Place.Result] = offset
    this.engine[this.#at + Place.ResultWords] = count
  }

  dense(words: Words, at: number): void {
    // A place that missed a base value runs again as the incarnation it is, whose words nobody clears.
    if (this.cold.length > 0) return
    copy8(this.engine, this.#at + Place.Dense, words, at)
  }

  // ---- the end of an incarnation ----

  /**
   * Publishes the incarnation's writes and keeps its read set. An earlier incarnation's are estimates by now. The
   * caller then sets the place's status, which is the atomic store that lets a validation see all of it.
   *
   * Concurrency: the place's worker, or the holder of the commit lock after it marked estimates.
   */
  publish(): void {
    const { engine } = this
    const t = this.#at
    const previous = engine[t + Place.WriteSet]
    const previousCount = engine[t + Place.WriteCount]
    this.#writes.publish(this.place, t)
    this.#writes.dropEstimates(previous, previousCount)
    this.#reads.keep(t, this.#writes)
  }

  /**
   * Keeps the read set of an incarnation that ended without a result, for whoever records it. Its place is deferred, so
   * no validation looks at it.
   */
  keepUnpublished(): void {
    this.#writes.clear()
    this.#reads.keep(this.#at, this.#writes)
  }

  /**
   * Publishes the first incarnation of a place whose reads are the truth, everything below it being final, and commits
   * it at once. False where a delta misses its own bound (M4).
   *
   * Concurrency: holder of the commit lock.
   */
  publishFinal(): boolean {
    if (this.#writes.hasDeltas) {
      this.publish()
      if (!this.#commits.fold(this.place)) return false
      this.#commits.commit(this.place)
      return true
    }
    const t = this.#at
    this.#writes.publish(this.place, t)
    if (this.notesAll) this.#reads.keep(t, this.#writes)
    else this.engine[t + Place.ReadCount] = 0
    this.#commits.commitValues(t)
    return true
  }

  /** A committed write that is no place's own: what was left of the dense sum, at the end of the run. */
  settleDense(place: number): void {
    const location = this.#denseLocation
    if (location === 0 || isZero8(this.engine, Control.DenseSum)) return
    this.begin(place, true, true)
    const sum = new Int32Array(8)
    this.fold(location, sum, 0, Number.MAX_SAFE_INTEGER)
    const record = this.#entries.make(location, place, 1 + sum.length)
    this.engine[record] = Record.Value
    copy8(this.engine, record + 1, sum, 0)
    this.#entries.link(location, record, place)
    zero8(this.engine, Control.DenseSum)
  }

  // ---- the commit stage (commitStage.ts): holder of the commit lock only ----

  validate(place: number): boolean {
    return this.#commits.validate(place)
  }

  /** Folds the deltas of a strict execution, whose reads are true because nothing below can change. */
  foldStrict(place: number): boolean {
    return this.#commits.fold(place)
  }

  commit(place: number): void {
    this.#commits.commit(place)
  }

  markEstimates(place: number): void {
    this.#commits.markEstimates(place)
  }

  withdraw(place: number, from: number): void {
    this.#commits.withdraw(place, from)
  }

  // ---- internals ----

  /** Whether bytes stand at a location below this place: 1, 0 or Blocked. */
  #presence(location: number): number {
    for (;;) {
      const head = atomics.load(this.state, location)
      if (head === 0) {
        if (this.#partial && this.#misses(location)) return Seen.Blocked
        return this.state[location + BASE[Kind.Bytes]] < 0 ? 0 : 1
      }
      const word = newest(this.engine, head, this.place, 0)
      if (word > 0 && (word & ESTIMATE) !== 0) {
        if (this.#awaitWriter(location, 0)) continue
        return Seen.Blocked
      }
      return holds(this.engine, this.state, location, word > 0 ? word >> 1 : 0)
    }
  }

  /** Asks for a base value that is not here yet; true where the incarnation has asked for enough. */
  #misses(location: number): boolean {
    const record = recordOf(location)
    if (isKnown(this.state, record)) return false
    ask(this.state, record)
    this.cold.push(record)
    return this.cold.length >= MOST_ASKED
  }

  #note(location: number, kind: Kind, seen: number, floor: number): void {
    // What is read with everything below final needs no validation.
    if (!this.strict || this.notesAll) this.#reads.note(location, kind, seen, floor)
  }

  #noteExistence(location: number, there: number): void {
    if (!this.strict || this.notesAll) this.#reads.note(location, EXISTS, there, 0)
  }

  #awaitFinal(location: number): void {
    this.#waiting.forFinal(location, this.place, this.#placeTable)
  }

  #awaitWriter(location: number, floor: number): boolean {
    const isGone = this.#waiting.forWriter(location, this.place, floor)
    if (!isGone) this.#conflict.location = location
    return isGone
  }
}
