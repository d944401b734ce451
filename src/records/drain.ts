/**
 * What main's side of recording keeps its words in, and how it names locations; and aborts, which hints are made of.
 *
 * Concurrency: main thread.
 */
import * as atomics from '../core/atomics.ts'
import { Control, WorkerBlock } from '../core/layout.ts'
import { AccountRecord, BytesRecord, Kind, kindOf, RECORD_SHIFT, recordOf, SlotRecord, Tag } from '../core/location.ts'
import { Abort, Event } from './events.ts'

type Words = Int32Array

/** Words that grow. */
export class WordBuffer {
  words = new Int32Array(1 << 14)
  length = 0

  /** Where `count` more words go. */
  room(count: number): number {
    const at = this.length
    if (at + count > this.words.length) {
      const larger = new Int32Array(2 * (at + count))
      larger.set(this.words.subarray(0, at))
      this.words = larger
    }
    this.length = at + count
    return at
  }

  push(word: number): void {
    const at = this.room(1)
    this.words[at] = word
  }

  copy(from: Words, at: number, count: number): void {
    const to = this.room(count)
    const { words } = this
    for (let k = 0; k < count; k++) words[to + k] = from[at + k]
  }

  /** A copy of all words; the buffer is empty afterwards. */
  take(): Words {
    const taken = this.words.slice(0, this.length)
    this.length = 0
    return taken
  }
}

/** Locations that a run has met, in the order in which they were, and the words that name the new ones. */
export class LocationNames {
  readonly #state: Words
  /** A bit a kind for each record. It grows, so whoever keeps it may see too few. */
  known = new Uint8Array(1 << 12)
  readonly met: number[] = []
  readonly fresh = new WordBuffer()

  constructor(state: Words) {
    this.#state = state
  }

  meet(location: number): void {
    const record = location >>> RECORD_SHIFT
    if (record >= this.known.length) {
      const larger = new Uint8Array(2 * record)
      larger.set(this.known)
      this.known = larger
    }
    const bit = 1 << (location & 3)
    if ((this.known[record] & bit) !== 0) return
    this.known[record] |= bit
    this.met.push(location)
    this.#name(location)
  }

  /** Kind and words of a location, on their own. */
  nameOf(location: number): { readonly kind: number; readonly words: Words } {
    const at = this.fresh.length
    this.#name(location)
    const words = this.fresh.words.slice(at + 3, this.fresh.length)
    const kind = this.fresh.words[at + 1]
    this.fresh.length = at
    return { kind, words }
  }

  /** Location, kind, words that follow: an address, an address and a slot, or bytes of a key and the key. */
  #name(location: number): void {
    const { fresh } = this
    const state = this.#state
    const record = recordOf(location)
    const kind = kindOf(state, location)
    fresh.push(location)
    if (isKey(state, location)) {
      const bytes = state[record + BytesRecord.KeyLength]
      const words = (bytes + 3) >> 2
      fresh.push(kind)
      fresh.push(1 + words)
      fresh.push(bytes)
      fresh.copy(state, state[record + BytesRecord.KeyOffset], words)
      return
    }
    fresh.push(kind)
    const isSlot = kind === Kind.Slot
    const account = isSlot ? state[record + SlotRecord.Account] << RECORD_SHIFT : record
    fresh.push(isSlot ? 13 : 5)
    fresh.copy(state, account + AccountRecord.Address, 5)
    if (isSlot) fresh.copy(state, record + SlotRecord.Key, 8)
  }
}

/**
 * Visits the aborts in a worker's log of a run that is over.
 *
 * @param visit - place, and the location that failed, or 0
 */
export const visitAborts = (engine: Words, worker: number, visit: (place: number, location: number) => void): void => {
  const block = Control.WorkerBlocks + worker * WorkerBlock.Size
  const end = atomics.load(engine, block + WorkerBlock.Logged)
  if (end === 0) return
  for (let at = engine[block + WorkerBlock.Log]; at !== end; ) {
    const tag = engine[at] & 255
    if (tag === Event.Next) at = engine[at + 1]
    else {
      if (tag === Event.Abort) visit(engine[at + Abort.Place], engine[at + Abort.Location])
      at += engine[at + 1]
    }
  }
}

/** A task's value. */
const isKey = (state: Words, location: number): boolean => state[recordOf(location)] === Tag.Bytes
