/**
 * The sequential oracle: the same adapter over a plain overlay, one place after another.
 *
 * It is the fallback of the engine, the baseline of every benchmark and the truth of every test, so it
 * shares as little as it can with the multi-version memory: no read sets, no validation, no atomics. What
 * it shares is the form of the result: each location written has one entry with its value, so a run can
 * begin here, continue speculatively and end here again.
 *
 * Concurrency: one worker, while every other worker is parked.
 */
import { Arena } from '../core/arena.ts'
import { ask, isKnown, MOST_ASKED } from '../core/cold.ts'
import { type Predicate, Seen, type TaskMemory } from '../core/contracts.ts'
import { hasPrefix, nextKey, seekKey } from '../core/keyOrder.ts'
import { Control, Entry, Place, Record } from '../core/layout.ts'
import { BASE, Kind, locationOf, recordOf, STORED } from '../core/location.ts'
import { assertRoom } from '../core/room.ts'
import { incarnationOf } from '../core/status.ts'
import { type LocationTable, StateHeader } from '../core/table.ts'
import { add256, copy, copy8, isZero8, zero8 } from '../core/words.ts'

type Words = Int32Array

export class SequentialMemory implements TaskMemory {
  readonly table: LocationTable
  readonly state: Words
  readonly engine: Words
  readonly arena: Arena
  readonly strict = true
  incarnation = 0
  place = 0
  exact = true
  /** Records whose base value this execution missed; where there is one, nothing that it did counts. */
  readonly cold: number[] = []
  /** Head of the chain of entries that were the first on their location. */
  written = 0
  #placeTable = 0
  #denseLocation = 0
  #keepsVersions = false
  #partial = false
  readonly #value = new Int32Array(8)

  constructor(engine: Words, table: LocationTable, arena = new Arena(engine)) {
    this.engine = engine
    this.table = table
    this.state = table.words
    this.arena = arena
  }

  beginRun(): void {
    this.arena.begin()
    this.written = 0
    this.#partial = this.state[StateHeader.Known] !== 0
    this.#placeTable = this.engine[Control.PlaceTable]
    this.#denseLocation = this.engine[Control.DenseLocation]
    this.#keepsVersions = this.engine[Control.KeepVersions] !== 0
  }

  begin(place: number): void {
    this.place = place
    if (this.cold.length > 0) this.cold.length = 0
    const at = this.#placeTable + place * Place.Size
    this.incarnation = incarnationOf(this.engine[at + Place.Status])
    // A speculative execution that was withdrawn may have left its fee.
    if (this.#keepsVersions) zero8(this.engine, at + Place.Dense)
  }

  read(location: number, _kind: Kind, floor: number): number {
    const entry = this.#entry(location)
    if (entry === 0) return floor > 0 ? Seen.Cleared : this.#base(location)
    if (this.engine[entry + Entry.Place] + 1 < floor) return Seen.Cleared
    return (this.engine[entry + Entry.Record] >> 1) + 1
  }

  glance(location: number, _kind: Kind): number {
    const entry = this.#entry(location)
    return entry === 0 ? Seen.Base : (this.engine[entry + Entry.Record] >> 1) + 1
  }

  fold(location: number, out: Words, at: number): boolean {
    const value = this.glance(location, Kind.Balance)
    if (value === Seen.Base) copy8(out, at, this.state, location + BASE[Kind.Balance])
    else copy8(out, at, this.engine, value)
    if (location === this.#denseLocation) add256(out, at, out, at, this.engine, Control.DenseSum)
    return true
  }

  expect(_location: number, _kind: Kind, _predicate: Predicate, _words: Words, _at: number): void {}

  write(location: number, kind: Kind, words: Words, at: number): void {
    // Made of what is not there: it runs again.
    if (this.cold.length > 0) return
    const { engine, state } = this
    const length = STORED[kind]
    if (location === this.#denseLocation) zero8(engine, Control.DenseSum)
    let entry = state[location]
    const head = entry
    // Withdrawn entries are unlinked and committed ones lie below, so an entry in front keeps the list in order.
    if (entry === 0 || (this.#keepsVersions && engine[entry + Entry.Place] !== this.place)) {
      entry = this.arena.take(Entry.Size + 1 + length)
      engine[entry + Entry.Next] = head
      engine[entry + Entry.Location] = location
      if (head === 0) {
        engine[entry + Entry.Chain] = this.written
        this.written = entry
      }
      state[location] = entry
      engine[entry + Entry.Record] = (entry + Entry.Size) << 1
    } else if (engine[entry + Entry.Record] === 0) {
      engine[entry + Entry.Record] = this.arena.take(1 + length) << 1
    }
    engine[entry + Entry.Place] = this.place
    const record = engine[entry + Entry.Record] >> 1
    engine[record] = Record.Value
    if (length === 8) copy8(engine, record + 1, words, at)
    else copy(engine, record + 1, words, at, length)
  }

  add(location: number, delta: Words, at: number): void {
    const value = this.#value
    this.fold(location, value, 0)
    add256(value, 0, value, 0, delta, at)
    this.write(location, Kind.Balance, value, 0)
  }

  exists(location: number): number {
    const value = this.glance(location, Kind.Bytes)
    if (value === Seen.Base && this.#base(location) === Seen.Blocked) return Seen.Blocked
    const length = value === Seen.Base ? this.state[location + BASE[Kind.Bytes]] : this.engine[value]
    return length < 0 ? 0 : 1
  }

  range(
    prefix: Words,
    bytes: number,
    after: Words,
    afterBytes: number,
    visit: (record: number, present: boolean) => boolean,
  ): boolean {
    const { state } = this
    let record = afterBytes < 0 ? seekKey(state, prefix, 0, bytes, false) : seekKey(state, after, 0, afterBytes, true)
    for (; record !== 0 && hasPrefix(state, record, prefix, 0, bytes); record = nextKey(state, record)) {
      const there = this.exists(locationOf(record, Kind.Bytes))
      if (there === Seen.Blocked) return false
      if (!visit(record, there === 1)) break
    }
    return true
  }

  /** Never called: where everything below is final, operations are applied at once (`strict`). */
  merge(): void {
    throw new Error('M1: a merge in a sequential run')
  }

  allocate(count: number): number {
    return this.arena.take(count)
  }

  assertRoom(): void {
    assertRoom(this.arena, this.table)
  }

  result(offset: number, count: number): void {
    const t = this.#placeTable + this.place * Place.Size
    this.engine[t + Place.Result] = offset
    this.engine[t + Place.ResultWords] = count
  }

  dense(words: Words, at: number): void {
    if (this.cold.length > 0) return
    add256(this.engine, Control.DenseSum, this.engine, Control.DenseSum, words, at)
    if (this.#keepsVersions) copy8(this.engine, this.#placeTable + this.place * Place.Size + Place.Dense, words, at)
  }

  /** Writes what is left of the dense sum to its location, after the last place. */
  settleDense(place: number): void {
    if (this.#denseLocation === 0 || isZero8(this.engine, Control.DenseSum)) return
    this.begin(place)
    const value = new Int32Array(8)
    this.fold(this.#denseLocation, value, 0)
    this.write(this.#denseLocation, Kind.Balance, value, 0)
  }

  /** What a read that finds no write is answered: Base, which may not be here yet, or Blocked where enough is asked for. */
  #base(location: number): number {
    if (!this.#partial || isKnown(this.state, recordOf(location))) return Seen.Base
    this.cold.push(recordOf(location))
    ask(this.state, recordOf(location))
    return this.cold.length >= MOST_ASKED ? Seen.Blocked : Seen.Base
  }

  /** The newest entry with a record: of what a place no longer writes, an entry without one is left. */
  #entry(location: number): number {
    const engine = this.engine
    let entry = this.state[location]
    while (entry !== 0 && engine[entry + Entry.Record] === 0) entry = engine[entry + Entry.Next]
    return entry
  }
}
