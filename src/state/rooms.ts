/**
 * Room for what is longer than its record: blocks of a state's memory that are given back and taken again.
 *
 * A block is 32 words times 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20 and so on, four sizes to each doubling, so that at
 * most a fifth of a long one is wasted. Its first word is its length; free blocks of one size are a list through the second. A
 * block stays what it is: so a size never takes more than it had in use at its height.
 *
 * Concurrency: main, while no run is open. What workers may read is never written to, since whoever gives a block back has
 * first changed the word that led to it.
 */
import { RECORD_WORDS } from '../core/location.ts'

type Words = Int32Array

/** Sizes up to the largest memory. */
const SIZES = 100

/** Which size of block has so many words, the first included. */
const sizeOf = (words: number): number => {
  const last = Math.ceil(words / RECORD_WORDS) - 1
  const shift = Math.max(0, 29 - Math.clz32(last))
  return 4 * shift + (last >> shift)
}

/** Words of a block of a size. */
const wordsOfSize = (size: number): number => {
  const shift = Math.max(0, (size >> 2) - 1)
  return ((size - 4 * shift + 1) << shift) * RECORD_WORDS
}

export class Rooms {
  readonly #words: Words
  readonly #fresh: (count: number) => number
  readonly #free = new Int32Array(SIZES)

  /** @param fresh - takes words that nobody has used, aligned to records; 0 where there are none */
  constructor(words: Words, fresh: (count: number) => number) {
    this.#words = words
    this.#fresh = fresh
  }

  /**
   * Room for `count` words; for `wished` where that much is there. 0 where there is none.
   *
   * Larger blocks are the last resort, when the memory has been used up to its end.
   */
  take(count: number, wished = count): number {
    const size = sizeOf(count + 1)
    const at = this.#ofSize(sizeOf(wished + 1)) || this.#ofSize(size)
    for (let larger = size + 1; at === 0 && larger < SIZES; larger++) {
      if (this.#free[larger] !== 0) return this.#pop(larger)
    }
    return at
  }

  /** Takes a room back. */
  give(room: number): void {
    const size = sizeOf(this.#words[room - 1])
    this.#words[room] = this.#free[size]
    this.#free[size] = room
  }

  /** Words that fit into a room. */
  capacity(room: number): number {
    return this.#words[room - 1] - 1
  }

  /** Forgets all rooms: the memory begins anew. */
  clear(): void {
    this.#free.fill(0)
  }

  #ofSize(size: number): number {
    if (this.#free[size] !== 0) return this.#pop(size)
    const words = wordsOfSize(size)
    const at = this.#fresh(words)
    if (at === 0) return 0
    this.#words[at] = words
    return at + 1
  }

  #pop(size: number): number {
    const room = this.#free[size]
    this.#free[size] = this.#words[room]
    return room
  }
}
