/**
 * One worker's entries: made with a record behind each, linked into the lists of their locations.
 *
 * A list is in descending place order. Whoever links exchanges one word, the head or an entry's `Next`, so two writers
 * never lose an entry, and nobody who reads needs a lock.
 */
import type { Arena } from '../core/arena.ts'
import * as atomics from '../core/atomics.ts'
import { Entry } from '../core/layout.ts'

type Words = Int32Array

const ABOVE_SLOTS = 64
const aboveSlot = (location: number): number => ((location ^ (location >> 5)) & (ABOVE_SLOTS - 1)) << 1

export class Entries {
  /** Head of the chain of entries that were the first on their location; after a fallback one may be there twice. */
  written = 0
  readonly #engine: Words
  readonly #state: Words
  readonly #arena: Arena
  /** Pairs of a location and the entry above what this worker linked there last; direct-mapped. */
  readonly #above = new Int32Array(2 * ABOVE_SLOTS)

  constructor(engine: Words, state: Words, arena: Arena) {
    this.#engine = engine
    this.#state = state
    this.#arena = arena
  }

  beginRun(): void {
    this.written = 0
    this.#above.fill(0)
  }

  /** Forgets where walks began: a fallback has unlinked entries. */
  forgetWalks(): void {
    this.#above.fill(0)
  }

  /** A record of `words` with an entry right before it, which counts where the place has none on the location yet. */
  make(location: number, place: number, words: number): number {
    const engine = this.#engine
    const entry = this.#arena.take(Entry.Size + words)
    const record = entry + Entry.Size
    engine[entry + Entry.Place] = place
    engine[entry + Entry.Record] = record << 1
    engine[entry + Entry.Location] = location
    return record
  }

  /** Links a write to a location that nobody has written: the common case, in one exchange. 0 where it is not so. */
  linkFirst(location: number, record: number): number {
    const state = this.#state
    // A stale 0 fails the exchange.
    if (atomics.peek(state, location) !== 0) return 0
    const fresh = record - Entry.Size
    const engine = this.#engine
    engine[fresh + Entry.Next] = 0
    engine[fresh + Entry.Chain] = this.written
    if (atomics.compareExchange(state, location, 0, fresh) !== 0) return 0
    this.written = fresh
    return fresh
  }

  /** Links `record` as the write of `place` to `location`, reusing the entry of an earlier incarnation. */
  link(location: number, record: number, place: number): number {
    const engine = this.#engine
    const state = this.#state
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
      return this.#linkBelow(this.#nearestAbove(head, location, place), location, record, place)
    }
  }

  /**
   * Where to begin a walk: the entry that this worker last linked below on the location, if it still lies above.
   * Entries are unlinked by a fallback only (`forgetWalks`), so any entry of the list at a higher place will do;
   * the head may be as many foreign cache lines away as other workers are ahead (long nonce chains).
   */
  #nearestAbove(head: number, location: number, place: number): number {
    const k = aboveSlot(location)
    const above = this.#above[k + 1]
    if (this.#above[k] === location && this.#engine[above + Entry.Place] > place) return above
    return head
  }

  /** Links below `start`, an entry at or above the place. */
  #linkBelow(start: number, location: number, record: number, place: number): number {
    const engine = this.#engine
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
}
