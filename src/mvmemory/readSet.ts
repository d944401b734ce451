/**
 * The read set of the incarnation that a worker executes: built in a buffer of its own, copied to the arena when the
 * incarnation ends, where the commit stage finds it (`Read` in core/layout.ts).
 */
import type { Arena } from '../core/arena.ts'
import { Predicate } from '../core/contracts.ts'
import { Place, READ_PREDICATE_SHIFT, Read } from '../core/layout.ts'
import { type Kind, LENGTH } from '../core/location.ts'
import { copy } from '../core/words.ts'
import type { WriteSet } from './writeSet.ts'

type Words = Int32Array

export const KIND_MASK = (1 << READ_PREDICATE_SHIFT) - 1

export class ReadSet {
  readonly #engine: Words
  readonly #arena: Arena
  #items = new Int32Array(1024)
  #count = 0

  constructor(engine: Words, arena: Arena) {
    this.#engine = engine
    this.#arena = arena
  }

  clear(): void {
    this.#count = 0
  }

  /** Notes what was seen; `kind` with its predicate. */
  note(location: number, kind: number, seen: number, floor: number): void {
    const r = this.#room(Read.Size)
    const items = this.#items
    items[r] = location
    items[r + 1] = kind
    items[r + 2] = seen
    items[r + 3] = floor
  }

  /** Notes a predicate over `words[at..]`. */
  expect(location: number, kind: Kind, predicate: Predicate, words: Words, at: number): void {
    const length = LENGTH[kind]
    const r = this.#room(Read.Size + length)
    const items = this.#items
    items[r + Read.Location] = location
    items[r + Read.Kind] = kind | (predicate << READ_PREDICATE_SHIFT)
    items[r + Read.Seen] = 0
    items[r + Read.Floor] = 0
    copy(items, r + Read.Size, words, at, length)
  }

  /** Copies it to the arena for the place at `t`; a predicate on a location written here keeps the entry, to start below it. */
  keep(t: number, writes: WriteSet): void {
    const engine = this.#engine
    const items = this.#items
    const length = this.#count
    const to = length === 0 ? 0 : this.#arena.take(length)
    for (let r = 0; r < length; ) {
      const kind = items[r + Read.Kind]
      const predicate = kind >> READ_PREDICATE_SHIFT
      if (predicate === Predicate.SameRecord || predicate >= Predicate.Exists) {
        r += Read.Size
        continue
      }
      items[r + Read.Seen] = writes.entryOf(items[r])
      r += Read.Size + LENGTH[(kind & KIND_MASK) as Kind]
    }
    copy(engine, to, items, 0, length)
    engine[t + Place.ReadSet] = to
    engine[t + Place.ReadCount] = length
  }

  #room(words: number): number {
    const r = this.#count
    if (r + words > this.#items.length) {
      const larger = new Int32Array(this.#items.length * 2 + words)
      larger.set(this.#items)
      this.#items = larger
    }
    this.#count = r + words
    return r
  }
}
