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
import {
  Control,
  DeltaRecord,
  Entry,
  ESTIMATE,
  Halt,
  MergeRecord,
  Mode,
  OPERATION_WORDS,
  Place,
  RangeRead,
  READ_PREDICATE_SHIFT,
  Read,
  Record,
} from '../core/layout.ts'
import { BASE, Kind, LENGTH, locationOf, recordOf, STORED, WATCHED } from '../core/location.ts'
import { hasRun, incarnationOf } from '../core/status.ts'
import { type LocationTable, StateHeader } from '../core/table.ts'
import { add256, atLeast, copy, copy8, equal, isZero8, zero8 } from '../core/words.ts'

type Words = Int32Array

const KIND_MASK = (1 << READ_PREDICATE_SHIFT) - 1
/** Turns of a waiting reader: some 40 us of atomic loads. */
const SPINS = 1000
/** Parks before a reader gives up waiting, and how long each may last if nobody notifies. */
const PARKS = 20
const PARK_MILLISECONDS = 0.5

/** Writes of a place up to which a scan beats a map. */
const FEW_WRITES = 64
const ABOVE_SLOTS = 64
const aboveSlot = (location: number): number => ((location ^ (location >> 5)) & (ABOVE_SLOTS - 1)) << 1

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
  /** Who applies merges; the adapter of the run. */
  folder: Adapter | undefined
  /** Times a reader waited for another place. */
  waits = 0
  /** Head of the chain of entries that were the first on their location; after a fallback one may be there twice. */
  written = 0
  /** Location of the last predicate that failed, or estimate that was not waited for; the caller clears it. */
  conflict = 0
  /** Keeps what strict executions read, too, which no validation asks for: where a run is recorded. */
  notesAll = false
  /** Told of each wait once it is over, where a run is recorded; `began` as performance.now() gives it. */
  onWait: ((location: number, on: number, began: number) => void) | undefined = undefined

  #placeTable = 0
  #denseLocation = 0
  /** Base values may be missing (core/cold.ts). */
  #partial = false
  /** Offset of the place that executes. */
  #at = 0
  /** The read set being built; copied to the arena when the incarnation ends. */
  #reads = new Int32Array(1024)
  #readCount = 0
  /** Pairs of location and record, then, once published, of entry and record. */
  #writes = new Int32Array(512)
  #writeCount = 0
  /** Some write of the incarnation is a delta. */
  #deltas = false
  /** Folded records of a place between its validation and its commit. */
  #folded = new Int32Array(256)
  /** Pairs of a location and the entry above what this worker linked there last; direct-mapped. */
  readonly #above = new Int32Array(2 * ABOVE_SLOTS)
  /** Entries of a long write set by location, while its reads are kept. */
  readonly #ownEntries = new Map<number, number>()
  readonly #below = new Int32Array(8)
  readonly #sum = new Int32Array(8)

  constructor(engine: Words, table: LocationTable) {
    this.engine = engine
    this.table = table
    this.state = table.words
    this.arena = new Arena(engine)
  }

  /** Takes the run's constants and an empty arena. */
  beginRun(): void {
    this.arena.begin()
    this.#placeTable = this.engine[Control.PlaceTable]
    this.#denseLocation = this.engine[Control.DenseLocation]
    this.#partial = this.state[StateHeader.Known] !== 0
    this.written = 0
    this.waits = 0
    this.#above.fill(0)
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
    this.#readCount = 0
    this.#writeCount = 0
    this.#deltas = false
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
      const record = this.#newest(atomics.load(this.state, location), this.place, floor)
      if (record > 0 && (record & ESTIMATE) !== 0) {
        if (this.#awaitWriter(location, floor)) continue
        return Seen.Blocked
      }
      let seen = record > 0 ? record >> 1 : record
      if (this.#partial && seen === Seen.Base && this.#misses(location)) return Seen.Blocked
      if (kind === Kind.Bytes && record > 0 && this.engine[seen] === Record.Merge) {
        seen = this.#foldMerges(location)
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
    this.#noteRange(prefix, bytes, after, afterBytes, stop, present)
    return true
  }

  glance(location: number, kind: Kind): number {
    if (atomics.peek(this.state, location) === 0) return Seen.Base
    const record = this.#newest(atomics.load(this.state, location), this.place, 0)
    if (record === Seen.Base) return Seen.Base
    if (kind !== Kind.Bytes || this.engine[record >> 1] !== Record.Merge) return (record >> 1) + 1
    const folded = this.#foldMerges(location)
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
    const length = LENGTH[kind]
    const r = this.#roomForRead(Read.Size + length)
    const reads = this.#reads
    reads[r + Read.Location] = location
    reads[r + Read.Kind] = kind | (predicate << READ_PREDICATE_SHIFT)
    reads[r + Read.Seen] = 0
    reads[r + Read.Floor] = 0
    copy(reads, r + Read.Size, words, at, length)
  }

  write(location: number, kind: Kind, words: Words, at: number): void {
    const length = STORED[kind]
    const record = this.#entry(location, 1 + length)
    this.engine[record] = Record.Value
    if (length === 8) copy8(this.engine, record + 1, words, at)
    else copy(this.engine, record + 1, words, at, length)
    this.#buffer(location, record)
  }

  add(location: number, delta: Words, at: number, bound: Words, boundAt: number): void {
    const record = this.#entry(location, DeltaRecord.Size)
    this.#deltas = true
    this.engine[record] = Record.Delta
    copy8(this.engine, record + DeltaRecord.Delta, delta, at)
    copy8(this.engine, record + DeltaRecord.Bound, bound, boundAt)
    this.#buffer(location, record)
  }

  merge(location: number, from: number): void {
    const { engine } = this
    const words = MergeRecord.Operations + engine[from + MergeRecord.Count] * OPERATION_WORDS
    const record = this.#entry(location, words)
    this.#deltas = true
    copy(engine, record, engine, from, words)
    this.#buffer(location, record)
  }

  allocate(count: number): number {
    return this.arena.take(count)
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
    const engine = this.engine
    const t = this.#at
    const previous = engine[t + Place.WriteSet]
    const previousCount = engine[t + Place.WriteCount]
    const writes = this.#writes
    const count = this.#writeCount
    const set = count === 0 ? 0 : this.arena.take(count)
    for (let k = 0; k < count; k++) {
      const entry = this.#linkFirst(writes[2 * k], writes[2 * k + 1])
      engine[set + k] = entry !== 0 ? entry : this.#link(writes[2 * k], writes[2 * k + 1])
    }
    // What still is an estimate was not written again (M3).
    for (let k = 0; k < previousCount; k++) {
      const word = engine[previous + k] + Entry.Record
      if ((atomics.load(engine, word) & ESTIMATE) !== 0) atomics.store(engine, word, 0)
    }
    engine[t + Place.WriteSet] = set
    engine[t + Place.WriteCount] = count
    this.#keepReads(t, set, count)
  }

  /**
   * Keeps the read set of an incarnation that ended without a result, for whoever records it. Its place is deferred, so
   * no validation looks at it.
   */
  keepUnpublished(): void {
    const t = this.#at
    this.#keepReads(t, 0, 0)
  }

  /**
   * Publishes the first incarnation of a place whose reads are the truth, everything below it being final, and commits
   * it at once. False where a delta misses its own bound (M4).
   *
   * Concurrency: holder of the commit lock.
   */
  publishFinal(): boolean {
    if (this.#deltas) {
      this.publish()
      if (!this.foldStrict(this.place)) return false
      this.commit(this.place)
      return true
    }
    const engine = this.engine
    const t = this.#at
    const writes = this.#writes
    const count = this.#writeCount
    const set = count === 0 ? 0 : this.arena.take(count)
    for (let k = 0; k < count; k++) {
      const location = writes[2 * k]
      const entry = this.#linkFirst(location, writes[2 * k + 1])
      engine[set + k] = entry !== 0 ? entry : this.#link(location, writes[2 * k + 1])
      if (location === this.#denseLocation) zero8(engine, Control.DenseSum)
    }
    engine[t + Place.WriteSet] = set
    engine[t + Place.WriteCount] = count
    engine[t + Place.ReadCount] = 0
    if (!isZero8(engine, t + Place.Dense)) {
      add256(engine, Control.DenseSum, engine, Control.DenseSum, engine, t + Place.Dense)
    }
    return true
  }

  /** Copies the read set to the arena; a predicate on a location written here keeps the entry, to start below it. */
  #keepReads(t: number, set: number, count: number): void {
    const engine = this.engine
    const reads = this.#reads
    const length = this.#readCount
    const to = length === 0 ? 0 : this.arena.take(length)
    for (let r = 0; r < length; ) {
      const kind = reads[r + Read.Kind]
      const predicate = kind >> READ_PREDICATE_SHIFT
      if (predicate === Predicate.SameRecord || predicate >= Predicate.Exists) {
        r += Read.Size
        continue
      }
      const location = reads[r]
      reads[r + Read.Seen] = this.#ownEntry(location, set, count)
      r += Read.Size + LENGTH[(kind & KIND_MASK) as Kind]
    }
    copy(engine, to, reads, 0, length)
    if (count > FEW_WRITES) this.#ownEntries.clear()
    engine[t + Place.ReadSet] = to
    engine[t + Place.ReadCount] = length
  }

  /** This place's entry on a location, 0 where it does not write there. */
  #ownEntry(location: number, set: number, count: number): number {
    if (count > FEW_WRITES) {
      // Looking through a long write set for each predicate would cost their product.
      if (this.#ownEntries.size === 0) {
        for (let k = 0; k < count; k++) this.#ownEntries.set(this.#writes[2 * k], this.engine[set + k])
      }
      return this.#ownEntries.get(location) ?? 0
    }
    for (let k = 0; k < count; k++) if (this.#writes[2 * k] === location) return this.engine[set + k]
    return 0
  }

  // ---- the commit stage: holder of the commit lock only ----

  /**
   * Re-reads what `place` read, everything below being committed, and folds its deltas into records that
   * `commit` publishes. Returns false, with nothing changed, where a predicate fails.
   */
  validate(place: number): boolean {
    const engine = this.engine
    const t = this.#placeTable + place * Place.Size
    const end = engine[t + Place.ReadSet] + engine[t + Place.ReadCount]
    for (let r = engine[t + Place.ReadSet]; r < end; ) {
      const location = engine[r]
      const kind = (engine[r + Read.Kind] & KIND_MASK) as Kind
      const predicate = engine[r + Read.Kind] >> READ_PREDICATE_SHIFT
      const seen = engine[r + Read.Seen]
      if (predicate === Predicate.SameRecord) {
        const floor = engine[r + Read.Floor]
        const now = this.#committed(location, place, floor)
        if (now !== seen && !this.#sameWords(location, kind, seen, now)) return this.#conflict(location, kind)
        r += Read.Size
        continue
      }
      if (predicate >= Predicate.Exists) {
        const holds =
          predicate === Predicate.Exists ? this.#isThere(location, place) === seen : this.#sameRange(location, place)
        if (!holds) return predicate === Predicate.Exists ? this.#conflict(location, kind) : false
        r += Read.Size
        continue
      }
      const length = LENGTH[kind]
      this.#valueBelow(location, kind, seen, place)
      const holds =
        predicate === Predicate.ValueEquals
          ? equal(this.#below, 0, engine, r + Read.Size, length)
          : atLeast(this.#below, 0, engine, r + Read.Size, length)
      if (!holds) return this.#conflict(location, kind)
      r += Read.Size + length
    }
    return this.#foldDeltas(t, place)
  }

  /** Folds the deltas of a strict execution, whose reads are true because nothing below can change. */
  foldStrict(place: number): boolean {
    return this.#foldDeltas(this.#placeTable + place * Place.Size, place)
  }

  /** Publishes the folded records and adds the place's dense delta. After it the place is final. */
  commit(place: number): void {
    const engine = this.engine
    const t = this.#placeTable + place * Place.Size
    const set = engine[t + Place.WriteSet]
    const count = engine[t + Place.WriteCount]
    const folded = this.#folded
    for (let k = 0; k < count; k++) {
      const entry = engine[set + k]
      // Whoever writes the dense location has folded the pending sum in, by a delta here or by observing it.
      if (engine[entry + Entry.Location] === this.#denseLocation) zero8(engine, Control.DenseSum)
      if (folded[k] !== 0) atomics.store(engine, entry + Entry.Record, folded[k] << 1)
    }
    if (!isZero8(engine, t + Place.Dense)) {
      add256(engine, Control.DenseSum, engine, Control.DenseSum, engine, t + Place.Dense)
    }
  }

  /** Marks the writes of an aborted incarnation: it will probably write there again. */
  markEstimates(place: number): void {
    const engine = this.engine
    const t = this.#placeTable + place * Place.Size
    const set = engine[t + Place.WriteSet]
    const count = engine[t + Place.WriteCount]
    for (let k = 0; k < count; k++) {
      const word = engine[set + k] + Entry.Record
      const record = atomics.load(engine, word)
      if (record !== 0) atomics.store(engine, word, record | ESTIMATE)
    }
  }

  /**
   * Takes back everything that `place` and those above it wrote: speculation gives way to the sequential path.
   * Their entries stand in front of every list, and are unlinked; so lists stay in descending order when the
   * oracle moves a committed entry up to its place. Called for each such place, `from` being the lowest.
   *
   * Concurrency: every other worker is drained; `forgetWalks` follows on each before it writes again.
   */
  withdraw(place: number, from: number): void {
    const { engine, state } = this
    const t = this.#placeTable + place * Place.Size
    const set = engine[t + Place.WriteSet]
    const count = engine[t + Place.WriteCount]
    for (let k = 0; k < count; k++) {
      const location = engine[engine[set + k] + Entry.Location]
      let head = atomics.load(state, location)
      while (head !== 0 && engine[head + Entry.Place] >= from) head = atomics.load(engine, head + Entry.Next)
      atomics.store(state, location, head)
    }
    engine[t + Place.WriteCount] = 0
    engine[t + Place.ReadCount] = 0
  }

  /** Forgets where walks began: a fallback has unlinked entries. */
  forgetWalks(): void {
    this.#above.fill(0)
  }

  /** A committed write that is no place's own: what was left of the dense sum, at the end of the run. */
  settleDense(place: number): void {
    const location = this.#denseLocation
    if (location === 0 || isZero8(this.engine, Control.DenseSum)) return
    this.begin(place, true, true)
    const sum = new Int32Array(8)
    this.fold(location, sum, 0, Number.MAX_SAFE_INTEGER)
    this.write(location, 0, sum, 0)
    this.#link(this.#writes[0], this.#writes[1])
    zero8(this.engine, Control.DenseSum)
  }

  // ---- byte strings: merges, existence, ranges ----

  /** Applies a merge's operations to the bytes described at `words[at]`; their description goes to `engine[out]`. */
  #applyMerge(words: Words, at: number, record: number, out: number): boolean {
    const { engine, folder } = this
    const operations = record + MergeRecord.Operations
    return (
      folder?.fold?.(this, words, words[at], words[at + 1], operations, engine[record + MergeRecord.Count], out) ===
      true
    )
  }

  /**
   * A value's record made of everything below the place: the newest value and the merges above it, applied in order. It is
   * this worker's own; validation compares its bytes with what was committed.
   */
  #foldMerges(location: number): number {
    const { engine, place } = this
    const merges: number[] = []
    let words = this.state
    let at = location + BASE[Kind.Bytes]
    for (
      let entry = atomics.load(this.state, location);
      entry !== 0;
      entry = atomics.load(engine, entry + Entry.Next)
    ) {
      if (engine[entry + Entry.Place] >= place) continue
      const word = atomics.load(engine, entry + Entry.Record)
      if (word === 0) continue
      if ((word & ESTIMATE) !== 0) {
        this.conflict = location
        return Seen.Blocked
      }
      const record = word >> 1
      if (engine[record] === Record.Merge) {
        merges.push(record)
        continue
      }
      words = engine
      at = record + 1
      break
    }
    const own = this.arena.take(1 + STORED[Kind.Bytes])
    engine[own] = Record.Value
    copy(engine, own + 1, words, at, STORED[Kind.Bytes])
    for (let k = merges.length - 1; k >= 0; k--) {
      // What speculation cannot apply is decided at the commit cursor.
      if (!this.#applyMerge(engine, own + 1, merges[k], own + 1)) return Seen.Blocked
    }
    return own
  }

  /** Whether bytes stand at a location below this place: 1, 0 or Blocked. */
  #presence(location: number): number {
    for (;;) {
      const head = atomics.load(this.state, location)
      if (head === 0) {
        if (this.#partial && this.#misses(location)) return Seen.Blocked
        return this.state[location + BASE[Kind.Bytes]] < 0 ? 0 : 1
      }
      const word = this.#newest(head, this.place, 0)
      if (word > 0 && (word & ESTIMATE) !== 0) {
        if (this.#awaitWriter(location, 0)) continue
        return Seen.Blocked
      }
      return this.#holds(location, word > 0 ? word >> 1 : 0)
    }
  }

  /** As `#presence`, with everything below committed. */
  #isThere(location: number, place: number): number {
    const record = this.#committed(location, place, 0)
    return this.#holds(location, Math.max(record, 0))
  }

  /** Whether a record, or the base for 0, holds bytes. A merge always leaves some. */
  #holds(location: number, record: number): number {
    if (record === 0) return this.state[location + BASE[Kind.Bytes]] < 0 ? 0 : 1
    return this.engine[record] === Record.Merge || this.engine[record + 1] >= 0 ? 1 : 0
  }

  #noteExistence(location: number, there: number): void {
    this.#note(location, (Kind.Bytes | (Predicate.Exists << READ_PREDICATE_SHIFT)) as Kind, there, 0)
  }

  #noteRange(
    prefix: Words,
    bytes: number,
    after: Words,
    afterBytes: number,
    stop: number,
    present: readonly number[],
  ): void {
    if (this.strict) return
    const { engine } = this
    const prefixWords = (bytes + 3) >> 2
    const afterWords = (Math.max(0, afterBytes) + 3) >> 2
    const at = this.arena.take(RangeRead.Words + prefixWords + afterWords + present.length)
    engine[at + RangeRead.Prefix] = bytes
    engine[at + RangeRead.After] = afterBytes
    engine[at + RangeRead.Stop] = stop
    engine[at + RangeRead.Count] = present.length
    let to = at + RangeRead.Words
    copy(engine, to, prefix, 0, prefixWords)
    to += prefixWords
    copy(engine, to, after, 0, afterWords)
    to += afterWords
    for (const record of present) engine[to++] = record
    this.#note(at, (Kind.Bytes | (Predicate.Range << READ_PREDICATE_SHIFT)) as Kind, 0, 0)
  }

  /** Walks a range again, everything below being committed, and compares what has bytes now with what had them. */
  #sameRange(at: number, place: number): boolean {
    const { engine, state } = this
    const bytes = engine[at + RangeRead.Prefix]
    const afterBytes = engine[at + RangeRead.After]
    const stop = engine[at + RangeRead.Stop]
    const prefix = at + RangeRead.Words
    const after = prefix + ((bytes + 3) >> 2)
    const records = after + ((Math.max(0, afterBytes) + 3) >> 2)
    const end = records + engine[at + RangeRead.Count]
    let expected = records
    let record =
      afterBytes < 0 ? seekKey(state, engine, prefix, bytes, false) : seekKey(state, engine, after, afterBytes, true)
    for (; record !== 0 && hasPrefix(state, record, engine, prefix, bytes); record = nextKey(state, record)) {
      if (this.#isThere(locationOf(record, Kind.Bytes), place) === 1) {
        if (expected === end || engine[expected] !== record)
          return this.#conflict(locationOf(record, Kind.Bytes), Kind.Bytes)
        expected++
      }
      if (record === stop) break
    }
    return expected === end
  }

  // ---- internals ----

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
    if (this.strict && !this.notesAll) return
    const r = this.#roomForRead(Read.Size)
    const reads = this.#reads
    reads[r] = location
    reads[r + 1] = kind
    reads[r + 2] = seen
    reads[r + 3] = floor
  }

  #roomForRead(words: number): number {
    const r = this.#readCount
    if (r + words > this.#reads.length) {
      const larger = new Int32Array(this.#reads.length * 2 + words)
      larger.set(this.#reads)
      this.#reads = larger
    }
    this.#readCount = r + words
    return r
  }

  #buffer(location: number, record: number): void {
    const k = this.#writeCount
    if (2 * k + 2 > this.#writes.length) {
      const larger = new Int32Array(this.#writes.length * 2)
      larger.set(this.#writes)
      this.#writes = larger
    }
    this.#writes[2 * k] = location
    this.#writes[2 * k + 1] = record
    this.#writeCount = k + 1
  }

  /** Links a write to a location that nobody has written: the common case, in one exchange. 0 where it is not so. */
  #linkFirst(location: number, record: number): number {
    // A stale 0 fails the exchange.
    if (atomics.peek(this.state, location) !== 0) return 0
    const fresh = record - Entry.Size
    const { engine } = this
    engine[fresh + Entry.Next] = 0
    engine[fresh + Entry.Chain] = this.written
    if (atomics.compareExchange(this.state, location, 0, fresh) !== 0) return 0
    this.written = fresh
    return fresh
  }

  /** Links `record` as this place's write to `location`, reusing the entry of an earlier incarnation. */
  #link(location: number, record: number): number {
    const { engine, state, place } = this
    const fresh = record - Entry.Size
    for (;;) {
      // A stale 0 fails the exchange and is read again; any other head is loaded before its entry is looked at.
      const head = atomics.peek(state, location) === 0 ? 0 : atomics.load(state, location)
      if (head === 0 || engine[head + Entry.Place] < place) {
        engine[fresh + Entry.Next] = head
        if (atomics.compareExchange(state, location, head, fresh) !== head) continue
        if (head === 0) {
          engine[fresh + Entry.Chain] = this.written
          this.written = fresh
        }
        return fresh
      }
      return this.#linkBelow(this.#nearestAbove(head, location), location, record)
    }
  }

  /**
   * Where to begin a walk: the entry that this worker last linked below on the location, if it still lies above.
   * Entries are unlinked by a fallback only (`forgetWalks`), so any entry of the list at a higher place will do;
   * the head may be as many foreign cache lines away as other workers are ahead (long nonce chains).
   */
  #nearestAbove(head: number, location: number): number {
    const engine = this.engine
    const k = aboveSlot(location)
    const above = this.#above[k + 1]
    if (this.#above[k] === location && engine[above + Entry.Place] > this.place) return above
    return head
  }

  /** Links below `start`, an entry at or above this place. */
  #linkBelow(start: number, location: number, record: number): number {
    const { engine, place } = this
    const fresh = record - Entry.Size
    let above = start
    for (;;) {
      if (engine[above + Entry.Place] === place) {
        atomics.store(engine, above + Entry.Record, record << 1)
        return above
      }
      const next = atomics.load(engine, above + Entry.Next)
      if (next !== 0 && engine[next + Entry.Place] >= place) {
        above = next
        continue
      }
      engine[fresh + Entry.Next] = next
      if (atomics.compareExchange(engine, above + Entry.Next, next, fresh) === next) {
        const k = aboveSlot(location)
        this.#above[k] = location
        this.#above[k + 1] = above
        return fresh
      }
    }
  }

  /** A record of `words` with an entry right before it, which counts where this place has none on the location yet. */
  #entry(location: number, words: number): number {
    const { engine } = this
    const entry = this.arena.take(Entry.Size + words)
    const record = entry + Entry.Size
    engine[entry + Entry.Place] = this.place
    engine[entry + Entry.Record] = record << 1
    engine[entry + Entry.Location] = location
    return record
  }

  /** Record word (with its ESTIMATE bit) of the newest entry below `place`, or Base, or Cleared before generation `floor`. */
  #newest(head: number, place: number, floor: number): number {
    const engine = this.engine
    let entry = head
    while (entry !== 0) {
      const p = engine[entry + Entry.Place]
      if (p < place) {
        if (p + 1 < floor) return Seen.Cleared
        const word = atomics.load(engine, entry + Entry.Record)
        if (word !== 0) return word
      }
      entry = atomics.load(engine, entry + Entry.Next)
    }
    return floor > 0 ? Seen.Cleared : Seen.Base
  }

  /** As `#newest`, for the commit stage: a record offset, Base or Cleared. */
  #committed(location: number, place: number, floor: number): number {
    // Entries below the commit cursor were published before the lock was taken: a plain 0 is the truth.
    if (atomics.peek(this.state, location) === 0) return floor > 0 ? Seen.Cleared : Seen.Base
    const record = this.#newest(atomics.load(this.state, location), place, floor)
    return record > 0 ? record >> 1 : record
  }

  /** Record of the committed value below `place`, from the place's own entry down if it has one; 0 for the base. */
  #recordBelow(location: number, own: number, place: number): number {
    const head = own !== 0 ? atomics.load(this.engine, own + Entry.Next) : atomics.peek(this.state, location)
    if (head === 0) return 0
    const record = this.#newest(own !== 0 ? head : atomics.load(this.state, location), place, 0)
    return record > 0 ? record >> 1 : 0
  }

  /** Copies the committed value below `place` to `#below`. */
  #valueBelow(location: number, kind: Kind, own: number, place: number): void {
    const record = this.#recordBelow(location, own, place)
    const length = LENGTH[kind]
    if (record > 0) copy(this.#below, 0, this.engine, record + 1, length)
    else copy(this.#below, 0, this.state, location + BASE[kind], length)
    if (location === this.#denseLocation) add256(this.#below, 0, this.#below, 0, this.engine, Control.DenseSum)
  }

  /** Computes the values of the place's deltas; false where a bound is not reached or 2^256 is passed. */
  #foldDeltas(t: number, place: number): boolean {
    const engine = this.engine
    const set = engine[t + Place.WriteSet]
    const count = engine[t + Place.WriteCount]
    if (count > this.#folded.length) this.#folded = new Int32Array(count * 2)
    const folded = this.#folded
    for (let k = 0; k < count; k++) {
      folded[k] = 0
      const entry = engine[set + k]
      const record = engine[entry + Entry.Record] >> 1
      if (record === 0 || engine[record] === Record.Value) continue
      const location = engine[entry + Entry.Location]
      const below = this.#recordBelow(location, entry, place)
      if (engine[record] === Record.Merge) {
        const words = below > 0 ? engine : this.state
        if (
          !this.#applyMerge(
            words,
            below > 0 ? below + 1 : location + BASE[Kind.Bytes],
            record,
            record + MergeRecord.Value,
          )
        ) {
          return this.#conflict(location, Kind.Bytes)
        }
        engine[record + MergeRecord.Folded] = Record.Value
        folded[k] = record + MergeRecord.Folded
        continue
      }
      let from = below > 0 ? engine : this.state
      let at = below > 0 ? below + 1 : location + BASE[0]
      if (location === this.#denseLocation) {
        add256(this.#below, 0, from, at, engine, Control.DenseSum)
        from = this.#below
        at = 0
      }
      if (!atLeast(from, at, engine, record + DeltaRecord.Bound, 8)) return this.#conflict(location, 0)
      const value = record + DeltaRecord.Folded
      engine[value] = Record.Value
      const carry = add256(engine, value + 1, from, at, engine, record + DeltaRecord.Delta)
      const negative = engine[record + 8] < 0
      if ((carry === 1) !== negative && !isZero8(engine, record + 1)) return this.#conflict(location, 0)
      folded[k] = value
    }
    return true
  }

  #sameWords(location: number, kind: Kind, seen: number, now: number): boolean {
    const length = LENGTH[kind]
    // A byte string's words say where it lies, not what it is.
    if (kind === 4) return this.#sameBytes(location, seen, now)
    for (let k = 0; k < length; k++) {
      if (this.#word(location, kind, seen, k) !== this.#word(location, kind, now, k)) return false
    }
    return true
  }

  #word(location: number, kind: Kind, seen: number, k: number): number {
    if (seen === Seen.Cleared) return 0
    return seen === Seen.Base ? this.state[location + BASE[kind] + k] : this.engine[seen + 1 + k]
  }

  #sameBytes(location: number, seen: number, now: number): boolean {
    const a = this.#word(location, 4, seen, 0)
    if (a !== this.#word(location, 4, now, 0)) return false
    if (a <= 0) return true
    const from = seen === Seen.Base ? this.state : this.engine
    const to = now === Seen.Base ? this.state : this.engine
    return equal(from, this.#word(location, 4, seen, 1), to, this.#word(location, 4, now, 1), (a + 3) >> 2)
  }

  /** A location that caused an abort is watched from now on: its next readers wait for their predecessor. */
  #conflict(location: number, kind: Kind): false {
    // A plain flag: a reader that misses it runs as it would have without.
    this.state[recordOf(location) + WATCHED[kind]] = 1
    this.conflict = location
    return false
  }

  /**
   * Waits, one short task's length at most, until the newest value of a watched location is committed and the
   * place before this one has executed. Whoever executes that place commits after it, so a true chain becomes
   * a pipeline: what comes before the read overlaps, and the read is not aborted. Waits are for lower places
   * only (S4).
   */
  #awaitFinal(location: number): void {
    if (atomics.load(this.engine, Control.CommitIndex) >= this.place) return
    this.waits++
    if (this.onWait === undefined) this.#turnUntilFinal(location)
    else {
      const began = performance.now()
      const writer = this.newestPlace(location, this.place)
      const on = writer < atomics.load(this.engine, Control.CommitIndex) ? this.place - 1 : writer
      this.#turnUntilFinal(location)
      this.onWait(location, on, began)
    }
  }

  #turnUntilFinal(location: number): void {
    const { engine, place } = this
    const before = this.#at - Place.Size + Place.Status
    for (let k = 0; k < SPINS; k++) {
      const committed = atomics.load(engine, Control.CommitIndex)
      if (committed >= place) return
      if (hasRun(atomics.load(engine, before)) && this.newestPlace(location, place) < committed) return
      if (this.#stopped()) return
    }
  }

  /** Place of the newest entry on a location below `place`, -1 where there is none. */
  newestPlace(location: number, place: number): number {
    const engine = this.engine
    let entry = atomics.load(this.state, location)
    while (entry !== 0) {
      if (engine[entry + Entry.Place] < place && atomics.load(engine, entry + Entry.Record) !== 0) {
        return engine[entry + Entry.Place]
      }
      entry = atomics.load(engine, entry + Entry.Next)
    }
    return -1
  }

  /** The run halts or drains: whoever is waited for may never come. */
  #stopped(): boolean {
    return (
      atomics.load(this.engine, Control.Halt) !== Halt.None ||
      atomics.load(this.engine, Control.Mode) !== Mode.Speculative
    )
  }

  /** Waits until the estimate on `location` is gone; false when it is not for a long time. */
  #awaitWriter(location: number, floor: number): boolean {
    this.waits++
    const { onWait } = this
    const began = onWait === undefined ? 0 : performance.now()
    const on = onWait === undefined ? 0 : this.newestPlace(location, this.place)
    const gone = this.#turnUntilWritten(location, floor)
    if (!gone) this.conflict = location
    onWait?.(location, on, began)
    return gone
  }

  #turnUntilWritten(location: number, floor: number): boolean {
    for (let k = 0; k < SPINS + PARKS; k++) {
      const record = this.#newest(atomics.load(this.state, location), this.place, floor)
      if (record <= 0 || (record & ESTIMATE) === 0) return true
      if (this.#stopped()) return false
      if (k >= SPINS)
        atomics.wait(
          this.engine,
          Control.CommitIndex,
          atomics.load(this.engine, Control.CommitIndex),
          PARK_MILLISECONDS,
        )
    }
    return false
  }
}
