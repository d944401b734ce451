/**
 * Merges: writes of byte strings that are operations, applied in the order of the places to the value below
 * (docs/algorithm.md D9). What an operation is, the adapter knows.
 */
import type { Arena } from '../core/arena.ts'
import * as atomics from '../core/atomics.ts'
import { type Adapter, Seen, type TaskMemory } from '../core/contracts.ts'
import { Entry, ESTIMATE, MergeRecord, OPERATION_WORDS, Record } from '../core/layout.ts'
import { BASE, Kind, STORED } from '../core/location.ts'
import { copy } from '../core/words.ts'

type Words = Int32Array

/** Location of the last predicate that failed, or estimate that was not waited for; whoever reads it clears it. */
export interface Conflict {
  location: number
}

export const wordsOfMerge = (engine: Words, record: number): number =>
  MergeRecord.Operations + engine[record + MergeRecord.Count] * OPERATION_WORDS

export class Merges {
  /** Who applies merges; the adapter of the run. */
  folder: Adapter | undefined
  readonly #memory: TaskMemory
  readonly #arena: Arena
  readonly #conflict: Conflict

  constructor(memory: TaskMemory, arena: Arena, conflict: Conflict) {
    this.#memory = memory
    this.#arena = arena
    this.#conflict = conflict
  }

  /** Applies a merge's operations to the bytes described at `words[at]`; their description goes to `engine[out]`. */
  apply(words: Words, at: number, record: number, out: number): boolean {
    const { folder } = this
    const { engine } = this.#memory
    const operations = record + MergeRecord.Operations
    const count = engine[record + MergeRecord.Count]
    return folder?.fold?.(this.#memory, words, words[at], words[at + 1], operations, count, out) === true
  }

  /**
   * A value's record made of everything below `place`: the newest value and the merges above it, applied in order. It is
   * this worker's own; validation compares its bytes with what was committed. Blocked where it cannot be made.
   */
  foldBelow(location: number, place: number): number {
    const { engine, state } = this.#memory
    const merges: number[] = []
    let words = state
    let at = location + BASE[Kind.Bytes]
    for (let entry = atomics.load(state, location); entry !== 0; entry = atomics.load(engine, entry + Entry.Next)) {
      if (engine[entry + Entry.Place] >= place) continue
      const word = atomics.load(engine, entry + Entry.Record)
      if (word === 0) continue
      if ((word & ESTIMATE) !== 0) {
        this.#conflict.location = location
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
    const own = this.#arena.take(1 + STORED[Kind.Bytes])
    engine[own] = Record.Value
    copy(engine, own + 1, words, at, STORED[Kind.Bytes])
    for (let k = merges.length - 1; k >= 0; k--) {
      // What speculation cannot apply is decided at the commit cursor.
      if (!this.apply(engine, own + 1, merges[k], own + 1)) return Seen.Blocked
    }
    return own
  }
}
