/**
 * Records of a state by key: an open-addressing index of words over records that never move.
 *
 * Readers and inserters share it without locks. An index word is 0 (free), BUSY (an inserter writes the
 * record) or a record id; the full key is compared, never the hash alone (hazard 17). A record is 128 bytes:
 * key, base value and the heads of its locations lie in two cache lines (0.07 us a transfer against three
 * tables; DESIGN.md section 3). Its id never changes, so an account id may be part of a slot's key.
 *
 * Invariants
 *   T1  A key has at most one record: the free word is claimed by compare-exchange, and a claim lost to
 *       another thread looks again at the same word.
 *   T2  Words below `runStart` were published by the start of the run; they are read plainly. Words of
 *       records inserted in the run are loaded atomically before the record is read.
 *   T3  Probing paths only ever grow in a run. Main removes all of a run's records at once, which restores
 *       the paths that older records were inserted along.
 *   T4  What was a record stays one until the state is emptied: one that main drops between runs is zeros, and later at
 *       most a record again. So what a thread remembers leads to a record or to zeros, and comparing the key tells
 *       whether to the right one: a key has one record, and what bears it is that.
 */
import * as atomics from './atomics.ts'
import { insertKey } from './keyOrder.ts'
import {
  AccountRecord,
  BytesRecord,
  INLINE_KEY_WORDS,
  RECORD_SHIFT,
  RECORD_WORDS,
  SlotRecord,
  Tag,
} from './location.ts'

type Words = Int32Array

const BUSY = -1

/** Words of the state memory's header. Writer: main between runs, but for `Next` and the counts. */
export const StateHeader = {
  /** Records asked for so far (core/cold.ts). Writers: workers, +1. Main waits on it. */
  Asked: 0,
  /** Next free word. Writers: inserters, +chunk; main. */
  Next: 32,
  /** Upper bounds of the records in each index. Writers: inserters, +chunk. */
  AccountCount: 64,
  SlotCount: 96,
  AccountIndex: 128,
  AccountMask: 129,
  SlotIndex: 130,
  SlotMask: 131,
  CodeIndex: 132,
  CodeMask: 133,
  CodeCount: 134,
  BlockHashes: 135,
  BlockHashCount: 136,
  /** `Next` when the run was opened: records from here on are the run's. Writer: main. */
  RunStart: 137,
  /** A word a record that says whether its base value is here, or 0 where all are; and the ring of requests. Writer: main. */
  Known: 138,
  Requests: 139,
  /** 140 to 147: heads of the order of keys (core/keyOrder.ts). */
  /** Times the state was emptied: what a thread remembers of its keys is of one of these. Writer: main. */
  Generation: 148,
  /** First word of the memory's contents. */
  Start: 160,
} as const

/**
 * Byte-string keys that a thread remembers, by hash; a power of two. The index has room for all that a run may insert and
 * so is spread over a megabyte: looking there first costs 0.1 us a task of two keys among 10,000 (docs/tasks.md).
 */
const REMEMBERED = 1 << 15

/** Records a worker takes from the bump pointer at a time. */
const RECORDS_A_CHUNK = 32

const mix = (h: number, word: number, k: number): number => {
  const x = Math.imul(h ^ (h >>> 15) ^ word, k)
  return x
}

/** Five words of an address. */
export const hashAddress = (words: Words, at: number): number => {
  let h = Math.imul(words[at] ^ 0x2545f491, 0x9e3779b1)
  let g = Math.imul(words[at + 1] ^ 0x68e31da4, 0x85ebca6b)
  h = mix(h, words[at + 2], 0x9e3779b1)
  g = mix(g, words[at + 3], 0x85ebca6b)
  h = mix(h, words[at + 4], 0xc2b2ae35) ^ g
  h = Math.imul(h ^ (h >>> 16), 0x27d4eb2f)
  return h ^ (h >>> 15)
}

/** Account id and eight words of a slot's key. */
export const hashSlot = (account: number, words: Words, at: number): number => {
  let h = Math.imul(account ^ 0x2545f491, 0x9e3779b1)
  let g = Math.imul(words[at] ^ 0x68e31da4, 0x85ebca6b)
  h = mix(h, words[at + 1], 0x9e3779b1)
  g = mix(g, words[at + 2], 0x85ebca6b)
  h = mix(h, words[at + 3], 0x9e3779b1)
  g = mix(g, words[at + 4], 0x85ebca6b)
  h = mix(h, words[at + 5], 0x9e3779b1)
  g = mix(g, words[at + 6], 0x85ebca6b)
  h = mix(h, words[at + 7], 0xc2b2ae35) ^ g
  h = Math.imul(h ^ (h >>> 16), 0x27d4eb2f)
  return h ^ (h >>> 15)
}

/** A run of bytes, packed four to a word with a zeroed tail. */
export const hashBytes = (words: Words, at: number, bytes: number): number => {
  let h = Math.imul(bytes ^ 0x2545f491, 0x9e3779b1)
  const count = (bytes + 3) >> 2
  for (let k = 0; k < count; k++) h = mix(h, words[at + k], k & 1 ? 0x85ebca6b : 0x9e3779b1)
  h = Math.imul(h ^ (h >>> 16), 0x27d4eb2f)
  return h ^ (h >>> 15)
}

/** The table had no room for a new record: the run is repeated after main has grown it. */
export const FULL = -1

/** Thrown inside a worker on FULL; the run halts with `Halt.Capacity`. */
export class TableFull extends Error {
  override readonly name = 'Blockloom.TableFull'
}

/**
 * One thread's view of a state's records.
 *
 * Concurrency: each thread has its own; the methods may run on any thread at any time between `begin` and
 * the end of the run. `grow`, `rollBack` and `loadFactor` belong to main while no run is open.
 * Cost: a hit is one hash, one index word and one record; a miss one compare-exchange and a record more.
 */
export class LocationTable {
  readonly words: Words
  #accountIndex = 0
  #accountMask = 0
  #slotIndex = 0
  #slotMask = 0
  /** Ids below this were published before the run (T2). */
  #runStart = 0
  #chunk = 0
  #chunkEnd = 0
  #keyRoom = 0
  /** Ids of byte-string records by the lowest bits of their hashes: a guess, of records from before the run alone (T4). */
  #remembered = new Int32Array(1)
  #generation = 0
  /** Most recent record inserted by this thread in this run; records link through `Chain`. */
  inserted = 0
  /** True once this thread was refused a record in this run; whoever was told may have kept it to himself. */
  full = false

  constructor(words: Words) {
    this.words = words
    this.begin()
  }

  /** Takes the header's words anew, at the start of a run or after growth. */
  begin(): void {
    const w = this.words
    this.#accountIndex = w[StateHeader.AccountIndex]
    this.#accountMask = w[StateHeader.AccountMask]
    this.#slotIndex = w[StateHeader.SlotIndex]
    this.#slotMask = w[StateHeader.SlotMask]
    this.#runStart = w[StateHeader.RunStart] >> RECORD_SHIFT
    this.#chunk = 0
    this.#chunkEnd = 0
    this.#keyRoom = 0
    this.inserted = 0
    this.full = false
    if (this.#generation !== w[StateHeader.Generation]) this.#remembered = new Int32Array(1)
    this.#generation = w[StateHeader.Generation]
  }

  /**
   * Has the next insertion take this record, all zeros and counted already, and this room for a key that does not fit into
   * it (0: fresh words). Main, between runs; `lend(0, 0)` afterwards.
   */
  lend(record: number, keyRoom: number): void {
    this.#chunk = record
    this.#chunkEnd = record === 0 ? 0 : record + RECORD_WORDS
    this.#keyRoom = keyRoom
  }

  /** Record of the address at `key[at..at+5]`, inserted as absent if need be; or FULL. */
  account(key: Words, at: number): number {
    const w = this.words
    const mask = this.#accountMask
    const index = this.#accountIndex
    let probe = hashAddress(key, at) & mask
    for (;;) {
      // A stale 0 leads to the compare-exchange, which tells the truth (T1).
      let id = atomics.peek(w, index + probe)
      if (id >= this.#runStart || id < 0) id = this.#published(index + probe)
      if (id !== 0) {
        const r = id << RECORD_SHIFT
        if (
          w[r + 1] === key[at] &&
          w[r + 2] === key[at + 1] &&
          w[r + 3] === key[at + 2] &&
          w[r + 4] === key[at + 3] &&
          w[r + 5] === key[at + 4] &&
          w[r] === Tag.Account
        )
          return r
        probe = (probe + 1) & mask
        continue
      }
      const r = this.#claim(index + probe, StateHeader.AccountCount, mask)
      if (r === 0) continue
      if (r === FULL) return this.#refuse()
      w[r] = Tag.Account
      for (let k = 0; k < 5; k++) w[r + AccountRecord.Address + k] = key[at + k]
      this.#publish(index + probe, r, AccountRecord.Chain)
      return r
    }
  }

  /** Record of the slot `key[at..at+8]` of `account` (an id), inserted as zero if need be; or FULL. */
  slot(account: number, key: Words, at: number): number {
    const w = this.words
    const mask = this.#slotMask
    const index = this.#slotIndex
    let probe = hashSlot(account, key, at) & mask
    for (;;) {
      let id = atomics.peek(w, index + probe)
      if (id >= this.#runStart || id < 0) id = this.#published(index + probe)
      if (id !== 0) {
        const r = id << RECORD_SHIFT
        if (
          w[r + 2] === key[at] &&
          w[r + 3] === key[at + 1] &&
          w[r + 4] === key[at + 2] &&
          w[r + 5] === key[at + 3] &&
          w[r + 6] === key[at + 4] &&
          w[r + 7] === key[at + 5] &&
          w[r + 8] === key[at + 6] &&
          w[r + 9] === key[at + 7] &&
          w[r + 1] === account &&
          w[r] === Tag.Slot
        )
          return r
        probe = (probe + 1) & mask
        continue
      }
      const r = this.#claim(index + probe, StateHeader.SlotCount, mask)
      if (r === 0) continue
      if (r === FULL) return this.#refuse()
      w[r] = Tag.Slot
      w[r + SlotRecord.Account] = account
      for (let k = 0; k < 8; k++) w[r + SlotRecord.Key + k] = key[at + k]
      this.#publish(index + probe, r, SlotRecord.Chain)
      return r
    }
  }

  /** Record of a byte-string key (tasks), `bytes` long at `key[at]`, kept in the slot index; or FULL. */
  bytes(key: Words, at: number, bytes: number): number {
    const hash = hashBytes(key, at, bytes)
    const remembered = this.#remembered
    const guess = remembered[hash & (remembered.length - 1)] << RECORD_SHIFT
    if (guess !== 0 && this.#hasKey(guess, hash, key, at, bytes)) return guess
    return this.#lookUp(hash, key, at, bytes)
  }

  #hasKey(r: number, hash: number, key: Words, at: number, bytes: number): boolean {
    const w = this.words
    if (w[r + BytesRecord.Hash] !== hash || w[r + BytesRecord.KeyLength] !== bytes || w[r] !== Tag.Bytes) return false
    const own = w[r + BytesRecord.KeyOffset]
    const count = (bytes + 3) >> 2
    for (let k = 0; k < count; k++) if (w[own + k] !== key[at + k]) return false
    return true
  }

  #lookUp(hash: number, key: Words, at: number, bytes: number): number {
    const w = this.words
    const mask = this.#slotMask
    const index = this.#slotIndex
    const count = (bytes + 3) >> 2
    let from = 0
    let probe = hash & mask
    for (;;) {
      let id = atomics.peek(w, index + probe)
      if (id >= this.#runStart || id < 0) id = this.#published(index + probe)
      if (id !== 0) {
        const r = id << RECORD_SHIFT
        if (this.#hasKey(r, hash, key, at, bytes)) {
          if (id < this.#runStart) this.#remember(hash, id)
          return r
        }
        probe = (probe + 1) & mask
        continue
      }
      // Reserved before the index word is claimed: a claim cannot be taken back.
      if (count > INLINE_KEY_WORDS && from === 0) {
        if (this.#keyRoom === 0 && atomics.load(w, StateHeader.Next) + count > w.length) return this.#refuse()
        from = this.#keyRoom || this.reserve(count)
      }
      if (from + count > w.length) return this.#refuse()
      const r = this.#claim(index + probe, StateHeader.SlotCount, mask)
      if (r === 0) continue
      if (r === FULL) return this.#refuse()
      if (count <= INLINE_KEY_WORDS) from = r + BytesRecord.Room
      for (let k = 0; k < count; k++) w[from + k] = key[at + k]
      w[r] = Tag.Bytes
      w[r + BytesRecord.Hash] = hash
      w[r + BytesRecord.KeyLength] = bytes
      w[r + BytesRecord.KeyOffset] = from
      w[r + BytesRecord.Value] = -1
      // Before anybody else can find the record: a key that can be written is in the order of keys.
      insertKey(w, r)
      this.#publish(index + probe, r, BytesRecord.Chain)
      return r
    }
  }

  #remember(hash: number, id: number): void {
    if (this.#remembered.length === 1) this.#remembered = new Int32Array(REMEMBERED)
    this.#remembered[hash & (REMEMBERED - 1)] = id
  }

  /** Takes `count` words of the state memory, aligned to a record. */
  reserve(count: number): number {
    const aligned = (count + RECORD_WORDS - 1) & ~(RECORD_WORDS - 1)
    return atomics.add(this.words, StateHeader.Next, aligned)
  }

  /** The id in an index word once its inserter is done; the atomic load orders the record after it (T2). */
  #published(word: number): number {
    for (;;) {
      const id = atomics.load(this.words, word)
      if (id !== BUSY) return id
    }
  }

  /** A fresh record for a free index word; 0 when another thread was faster; FULL. */
  #claim(word: number, count: number, mask: number): number {
    const w = this.words
    if (this.#chunk === this.#chunkEnd) {
      const size = RECORDS_A_CHUNK * RECORD_WORDS
      if (atomics.load(w, StateHeader.Next) + size > w.length) return FULL
      // Three quarters of the index: beyond it, probing paths grow without bound.
      if (w[count] + RECORDS_A_CHUNK > (mask + 1) * 0.75) return FULL
      const chunk = this.reserve(size)
      // Another worker may have taken the last ones in between.
      if (chunk + size > w.length) return FULL
      this.#chunk = chunk
      this.#chunkEnd = chunk + size
      // Counted by the chunk, and for both indexes: an addition a record would have all workers wait for one line.
      atomics.add(w, StateHeader.AccountCount, RECORDS_A_CHUNK)
      atomics.add(w, StateHeader.SlotCount, RECORDS_A_CHUNK)
    }
    if (atomics.compareExchange(w, word, 0, BUSY) !== 0) return 0
    const r = this.#chunk
    this.#chunk += RECORD_WORDS
    return r
  }

  #refuse(): typeof FULL {
    this.full = true
    return FULL
  }

  #publish(word: number, record: number, chain: number): void {
    this.words[record + chain] = this.inserted
    this.inserted = record
    atomics.store(this.words, word, record >> RECORD_SHIFT)
  }
}

/** Offset of a record's chain word, by tag. */
export const chainOf = (tag: number): number =>
  tag === Tag.Account ? AccountRecord.Chain : tag === Tag.Slot ? SlotRecord.Chain : BytesRecord.Chain
