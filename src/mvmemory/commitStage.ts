/**
 * The memory's part of the commit stage: validates a place once, in order, folds its deltas, makes it final; marks
 * what an aborted incarnation wrote, and takes back what a fallback throws away.
 *
 * Concurrency: holder of the commit lock only.
 */
import * as atomics from '../core/atomics.ts'
import { Predicate, Seen } from '../core/contracts.ts'
import {
  Control,
  DeltaRecord,
  Entry,
  ESTIMATE,
  MergeRecord,
  Place,
  READ_PREDICATE_SHIFT,
  Read,
  Record,
} from '../core/layout.ts'
import { BASE, Kind, LENGTH, recordOf, WATCHED } from '../core/location.ts'
import { add256, atLeast, copy, equal, isZero8, zero8 } from '../core/words.ts'
import { committed, isThere } from './committed.ts'
import type { Conflict, Merges } from './merges.ts'
import { compareRange, SAME } from './ranges.ts'
import { KIND_MASK } from './readSet.ts'
import { newest } from './walk.ts'

type Words = Int32Array

export class CommitStage {
  readonly #engine: Words
  readonly #state: Words
  #placeTable = 0
  #denseLocation = 0
  /** Folded records of a place between its validation and its commit. */
  #folded = new Int32Array(256)
  readonly #below = new Int32Array(8)
  readonly #merges: Merges
  readonly #conflict: Conflict

  constructor(engine: Words, state: Words, merges: Merges, conflict: Conflict) {
    this.#engine = engine
    this.#state = state
    this.#merges = merges
    this.#conflict = conflict
  }

  beginRun(): void {
    this.#placeTable = this.#engine[Control.PlaceTable]
    this.#denseLocation = this.#engine[Control.DenseLocation]
  }

  /**
   * Re-reads what `place` read, everything below being committed, and folds its deltas into records that
   * `commit` publishes. Returns false, with nothing changed, where a predicate fails.
   */
  validate(place: number): boolean {
    const engine = this.#engine
    const t = this.#placeTable + place * Place.Size
    const end = engine[t + Place.ReadSet] + engine[t + Place.ReadCount]
    for (let r = engine[t + Place.ReadSet]; r < end; ) {
      const location = engine[r]
      const kind = (engine[r + Read.Kind] & KIND_MASK) as Kind
      const predicate = engine[r + Read.Kind] >> READ_PREDICATE_SHIFT
      const seen = engine[r + Read.Seen]
      if (predicate === Predicate.SameRecord) {
        const floor = engine[r + Read.Floor]
        const now = committed(engine, this.#state, location, place, floor)
        if (now !== seen && !this.#sameWords(location, kind, seen, now)) return this.#fails(location, kind)
        r += Read.Size
        continue
      }
      if (predicate >= Predicate.Exists) {
        if (predicate === Predicate.Exists) {
          if (isThere(engine, this.#state, location, place) !== seen) return this.#fails(location, kind)
        } else if (!this.#sameRange(location, place)) return false
        r += Read.Size
        continue
      }
      const length = LENGTH[kind]
      this.#valueBelow(location, kind, seen, place)
      const holds =
        predicate === Predicate.ValueEquals
          ? equal(this.#below, 0, engine, r + Read.Size, length)
          : atLeast(this.#below, 0, engine, r + Read.Size, length)
      if (!holds) return this.#fails(location, kind)
      r += Read.Size + length
    }
    return this.fold(place)
  }

  /** Computes the values of the place's deltas and merges; false where a bound is not reached or 2^256 is passed. */
  fold(place: number): boolean {
    const engine = this.#engine
    const t = this.#placeTable + place * Place.Size
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
        if (!this.#foldMerge(location, record, below)) return this.#fails(location, Kind.Bytes)
        folded[k] = record + MergeRecord.Folded
        continue
      }
      if (!this.#foldDelta(location, record, below)) return this.#fails(location, Kind.Balance)
      folded[k] = record + DeltaRecord.Folded
    }
    return true
  }

  /** Publishes the folded records and adds the place's dense delta. After it the place is final. */
  commit(place: number): void {
    const engine = this.#engine
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
    this.#addDense(t)
  }

  /** Makes a place final whose writes are values and lie in its write set. */
  commitValues(t: number): void {
    const engine = this.#engine
    if (this.#denseLocation !== 0) {
      const set = engine[t + Place.WriteSet]
      const end = set + engine[t + Place.WriteCount]
      for (let k = set; k < end; k++) {
        if (engine[engine[k] + Entry.Location] === this.#denseLocation) zero8(engine, Control.DenseSum)
      }
    }
    this.#addDense(t)
  }

  #addDense(t: number): void {
    const engine = this.#engine
    if (!isZero8(engine, t + Place.Dense)) {
      add256(engine, Control.DenseSum, engine, Control.DenseSum, engine, t + Place.Dense)
    }
  }

  /** Marks the writes of an aborted incarnation: it will probably write there again. */
  markEstimates(place: number): void {
    const engine = this.#engine
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
   * Concurrency: besides, every other worker is drained; `forgetWalks` follows on each before it writes again.
   */
  withdraw(place: number, from: number): void {
    const engine = this.#engine
    const state = this.#state
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

  // ---- internals ----

  /** A location that caused an abort is watched from now on: its next readers wait for their predecessor. */
  #fails(location: number, kind: Kind): false {
    // A plain flag: a reader that misses it runs as it would have without.
    this.#state[recordOf(location) + WATCHED[kind]] = 1
    this.#conflict.location = location
    return false
  }

  #sameRange(at: number, place: number): boolean {
    const differs = compareRange(this.#engine, this.#state, at, place)
    return differs > 0 ? this.#fails(differs, Kind.Bytes) : differs === SAME
  }

  /** Record of the committed value below `place`, from the place's own entry down if it has one; 0 for the base. */
  #recordBelow(location: number, own: number, place: number): number {
    const head = own !== 0 ? atomics.load(this.#engine, own + Entry.Next) : atomics.peek(this.#state, location)
    if (head === 0) return 0
    const record = newest(this.#engine, own !== 0 ? head : atomics.load(this.#state, location), place, 0)
    return record > 0 ? record >> 1 : 0
  }

  /** Copies the committed value below `place` to `#below`. */
  #valueBelow(location: number, kind: Kind, own: number, place: number): void {
    const record = this.#recordBelow(location, own, place)
    const length = LENGTH[kind]
    if (record > 0) copy(this.#below, 0, this.#engine, record + 1, length)
    else copy(this.#below, 0, this.#state, location + BASE[kind], length)
    if (location === this.#denseLocation) add256(this.#below, 0, this.#below, 0, this.#engine, Control.DenseSum)
  }

  /** Puts the value that the merge makes of the record below (0: the base) beside its operations. */
  #foldMerge(location: number, record: number, below: number): boolean {
    const engine = this.#engine
    const words = below > 0 ? engine : this.#state
    const at = below > 0 ? below + 1 : location + BASE[Kind.Bytes]
    if (!this.#merges.apply(words, at, record, record + MergeRecord.Value)) return false
    engine[record + MergeRecord.Folded] = Record.Value
    return true
  }

  /** Puts the sum that the delta makes with the record below (0: the base) into the words of its bound. */
  #foldDelta(location: number, record: number, below: number): boolean {
    const engine = this.#engine
    let from = below > 0 ? engine : this.#state
    let at = below > 0 ? below + 1 : location + BASE[Kind.Balance]
    if (location === this.#denseLocation) {
      add256(this.#below, 0, from, at, engine, Control.DenseSum)
      from = this.#below
      at = 0
    }
    if (!atLeast(from, at, engine, record + DeltaRecord.Bound, 8)) return false
    const value = record + DeltaRecord.Folded
    engine[value] = Record.Value
    const carry = add256(engine, value + 1, from, at, engine, record + DeltaRecord.Delta)
    const isNegative = engine[record + 8] < 0
    return (carry === 1) === isNegative || isZero8(engine, record + 1)
  }

  #sameWords(location: number, kind: Kind, seen: number, now: number): boolean {
    const length = LENGTH[kind]
    // A byte string's words say where it lies, not what it is.
    if (kind === Kind.Bytes) return this.#sameBytes(location, seen, now)
    for (let k = 0; k < length; k++) {
      if (this.#word(location, kind, seen, k) !== this.#word(location, kind, now, k)) return false
    }
    return true
  }

  #word(location: number, kind: Kind, seen: number, k: number): number {
    if (seen === Seen.Cleared) return 0
    return seen === Seen.Base ? this.#state[location + BASE[kind] + k] : this.#engine[seen + 1 + k]
  }

  #sameBytes(location: number, seen: number, now: number): boolean {
    const a = this.#word(location, Kind.Bytes, seen, 0)
    if (a !== this.#word(location, Kind.Bytes, now, 0)) return false
    if (a <= 0) return true
    const from = seen === Seen.Base ? this.#state : this.#engine
    const to = now === Seen.Base ? this.#state : this.#engine
    const length = (a + 3) >> 2
    return equal(from, this.#word(location, Kind.Bytes, seen, 1), to, this.#word(location, Kind.Bytes, now, 1), length)
  }
}
