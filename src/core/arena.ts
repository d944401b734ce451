/**
 * A worker's bump allocator over the engine memory. What it hands out lives until the run ends.
 *
 * A chunk is taken from the shared bump pointer when the last one is full, so that workers rarely meet.
 * Offsets count words and are below 2^30, so that a record word `offset << 1 | ESTIMATE` never wraps (hazard 21).
 */
import * as atomics from './atomics.ts'
import { ARENA_CHUNK, Control } from './layout.ts'

/** Thrown inside a worker when the engine memory is full; the run halts with `Halt.Capacity`. */
export class ArenaFull extends Error {
  override readonly name = 'Blockloom.ArenaFull'
}

export class Arena {
  readonly words: Int32Array
  /** Told of each chunk that is taken, where a run is recorded. */
  onChunk: ((at: number, size: number) => void) | undefined = undefined
  /** True once words were refused in this run; whoever was told may have kept it to himself. */
  full = false
  #next = 0
  #end = 0

  constructor(words: Int32Array) {
    this.words = words
  }

  /** Forgets the chunk of an earlier run. */
  begin(): void {
    this.full = false
    this.#next = 0
    this.#end = 0
  }

  /** Offset of the next word that `take` hands out, as long as the chunk lasts. */
  get next(): number {
    return this.#next
  }

  /** Offset of `count` fresh words, not cleared. Throws ArenaFull. */
  take(count: number): number {
    const at = this.#next
    if (at + count <= this.#end) {
      this.#next = at + count
      return at
    }
    return this.#refill(count)
  }

  #refill(count: number): number {
    const size = Math.max(count, ARENA_CHUNK)
    const at = atomics.add(this.words, Control.ArenaNext, size)
    if (at < 0 || at + size > this.words[Control.ArenaEnd]) {
      this.full = true
      throw new ArenaFull('the engine memory is full')
    }
    this.onChunk?.(at, size)
    // A large request does not cost what is left of the chunk.
    if (count > ARENA_CHUNK / 2) return at
    this.#next = at + count
    this.#end = at + size
    return at
  }
}
