/**
 * The write set of the incarnation that a worker executes: pairs of location and record, buffered until it ends, then the
 * place's entries in the arena.
 */
import type { Arena } from '../core/arena.ts'
import * as atomics from '../core/atomics.ts'
import { Entry, ESTIMATE, Place } from '../core/layout.ts'
import type { Entries } from './entries.ts'

type Words = Int32Array

/** Writes of a place up to which a scan beats a map. */
const FEW_WRITES = 64

export class WriteSet {
  /** Some write is a delta or a merge, which the commit stage folds. */
  hasDeltas = false
  count = 0
  readonly #engine: Words
  readonly #arena: Arena
  readonly #entries: Entries
  #pairs = new Int32Array(512)
  /** Where the entries lie once they are published. */
  #set = 0
  /** Entries of a long write set by location, while its reads are kept. */
  readonly #byLocation = new Map<number, number>()

  constructor(engine: Words, arena: Arena, entries: Entries) {
    this.#engine = engine
    this.#arena = arena
    this.#entries = entries
  }

  clear(): void {
    this.count = 0
    this.hasDeltas = false
  }

  add(location: number, record: number): void {
    const k = this.count
    if (2 * k + 2 > this.#pairs.length) {
      const larger = new Int32Array(this.#pairs.length * 2)
      larger.set(this.#pairs)
      this.#pairs = larger
    }
    this.#pairs[2 * k] = location
    this.#pairs[2 * k + 1] = record
    this.count = k + 1
  }

  locationAt(k: number): number {
    return this.#pairs[2 * k]
  }

  /** Links every write as one of `place`, whose words are at `t`. */
  publish(place: number, t: number): void {
    const engine = this.#engine
    const entries = this.#entries
    const pairs = this.#pairs
    const { count } = this
    const set = count === 0 ? 0 : this.#arena.take(count)
    for (let k = 0; k < count; k++) {
      const entry = entries.linkFirst(pairs[2 * k], pairs[2 * k + 1])
      engine[set + k] = entry !== 0 ? entry : entries.link(pairs[2 * k], pairs[2 * k + 1], place)
    }
    engine[t + Place.WriteSet] = set
    engine[t + Place.WriteCount] = count
    this.#set = set
    if (count > FEW_WRITES) this.#byLocation.clear()
  }

  /** What still is an estimate among the writes of an earlier incarnation was not written again (M3). */
  dropEstimates(previous: number, count: number): void {
    const engine = this.#engine
    for (let k = 0; k < count; k++) {
      const word = engine[previous + k] + Entry.Record
      if ((atomics.load(engine, word) & ESTIMATE) !== 0) atomics.store(engine, word, 0)
    }
  }

  /** The published entry on a location, 0 where the place does not write there. */
  entryOf(location: number): number {
    const { count } = this
    const pairs = this.#pairs
    if (count > FEW_WRITES) {
      // Looking through a long write set for each predicate would cost their product.
      if (this.#byLocation.size === 0) {
        for (let k = 0; k < count; k++) this.#byLocation.set(pairs[2 * k], this.#engine[this.#set + k])
      }
      return this.#byLocation.get(location) ?? 0
    }
    for (let k = 0; k < count; k++) if (pairs[2 * k] === location) return this.#engine[this.#set + k]
    return 0
  }
}
