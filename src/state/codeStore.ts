/**
 * Codes by hash and hashes of blocks in the memory of a state, as main writes them; core/codes.ts is how workers read.
 *
 * The index grows by being written anew, but not while a run reads it: what comes then lies where the run's records
 * lie, and goes with them. Concurrency: main thread.
 */
import { BLOCK_HASH_WORDS, findCode } from '../core/codes.ts'
import type { CapacityError } from '../core/errors.ts'
import { StateHeader } from '../core/table.ts'

type Words = Int32Array

/** Entries of the index when a state is made; a power of two. */
const FIRST_CODES = 1 << 8
const MOST_BLOCK_HASHES = 256
/** Words before those of a code: its hash, its length in bytes. */
const CODE_HEAD = 9

/** Where a store takes words from. */
export interface Room {
  /** Words that stay. @throws {CapacityError} CAPACITY */
  take(count: number): number
  /** Words that the run gives back; they may lie past the end. */
  takeInRun(count: number): number
  full(wanted: number): CapacityError
}

export class CodeStore {
  readonly #words: Words
  readonly #room: Room
  /** Codes that came while the present run read the state. */
  #ofRun: number[] = []

  constructor(words: Words, room: Room) {
    this.#words = words
    this.#room = room
  }

  /** Takes room for the first index and for the hashes of blocks. */
  layOut(): void {
    const w = this.#words
    w[StateHeader.CodeIndex] = this.#room.take(FIRST_CODES)
    w[StateHeader.CodeMask] = FIRST_CODES - 1
    w[StateHeader.BlockHashes] = this.#room.take(MOST_BLOCK_HASHES * BLOCK_HASH_WORDS)
  }

  /** Enlarges the index until `count` codes fill a half of it. */
  fit(count: number): void {
    while (count * 2 > this.#words[StateHeader.CodeMask]) this.#enlarge()
  }

  /** Keeps a code for good. */
  insert(hash: Uint8Array, code: Uint8Array): void {
    const w = this.#words
    const key = new Int32Array(hash.slice().buffer)
    if (findCode(w, key, 0) !== 0) return
    if (w[StateHeader.CodeCount] * 2 > w[StateHeader.CodeMask]) this.#enlarge()
    this.#write(this.#room.take(CODE_HEAD + wordsOfCode(code)), key, code)
  }

  /** As `insert`, while a run reads the state: the index cannot grow, and what is written goes when the run ends. */
  insertInRun(hash: Uint8Array, code: Uint8Array): void {
    const w = this.#words
    const key = new Int32Array(hash.slice().buffer)
    if (findCode(w, key, 0) !== 0) return
    const count = CODE_HEAD + wordsOfCode(code)
    const at = this.#room.takeInRun(count)
    if (at + count > w.length || w[StateHeader.CodeCount] * 4 > w[StateHeader.CodeMask] * 3) {
      throw this.#room.full(count)
    }
    // A worker that finds it before it was told of it compares hashes, and no other than this one is equal.
    this.#write(at, key, code)
    this.#ofRun.push(at)
  }

  /** Takes the codes of `insertInRun` out of the index, before their memory is given back. */
  dropOfRun(): void {
    const w = this.#words
    const mask = w[StateHeader.CodeMask]
    for (const at of this.#ofRun) {
      // Zeros on its path may be codes that went before it.
      let probe = w[at] & mask
      while (w[w[StateHeader.CodeIndex] + probe] !== at) probe = (probe + 1) & mask
      w[w[StateHeader.CodeIndex] + probe] = 0
    }
    w[StateHeader.CodeCount] -= this.#ofRun.length
    this.#ofRun = []
  }

  /** Keeps the hash of a block; of more than 256 the lowest number gives way. */
  insertBlockHash(number: bigint, hash: Uint8Array): void {
    const w = this.#words
    const low = Number(number & 0xffffffffn) | 0
    const high = Number((number >> 32n) & 0xffffffffn) | 0
    const from = w[StateHeader.BlockHashes]
    let slot = w[StateHeader.BlockHashCount]
    let lowest = 0
    for (let k = 0; k < w[StateHeader.BlockHashCount]; k++) {
      const at = from + k * BLOCK_HASH_WORDS
      if (w[at] === low && w[at + 1] === high) slot = k
      const best = from + lowest * BLOCK_HASH_WORDS
      if (w[at + 1] >>> 0 < w[best + 1] >>> 0 || (w[at + 1] === w[best + 1] && w[at] >>> 0 < w[best] >>> 0)) lowest = k
    }
    if (slot === MOST_BLOCK_HASHES) slot = lowest
    const at = from + slot * BLOCK_HASH_WORDS
    w[at] = low
    w[at + 1] = high
    w.set(new Int32Array(hash.slice().buffer), at + 2)
    if (slot === w[StateHeader.BlockHashCount]) w[StateHeader.BlockHashCount]++
  }

  /** Writes a code at `at`, and only then into the index. */
  #write(at: number, key: Words, code: Uint8Array): void {
    const w = this.#words
    w.set(key, at)
    w[at + 8] = code.length
    const padded = new Uint8Array(wordsOfCode(code) * 4)
    padded.set(code)
    w.set(new Int32Array(padded.buffer), at + CODE_HEAD)
    this.#index(at)
    w[StateHeader.CodeCount]++
  }

  #index(at: number): void {
    const w = this.#words
    const mask = w[StateHeader.CodeMask]
    let probe = w[at] & mask
    while (w[w[StateHeader.CodeIndex] + probe] !== 0) probe = (probe + 1) & mask
    w[w[StateHeader.CodeIndex] + probe] = at
  }

  #enlarge(): void {
    const w = this.#words
    const from = w[StateHeader.CodeIndex]
    const size = w[StateHeader.CodeMask] + 1
    w[StateHeader.CodeIndex] = this.#room.take(size * 4)
    w[StateHeader.CodeMask] = size * 4 - 1
    for (let k = 0; k < size; k++) if (w[from + k] !== 0) this.#index(w[from + k])
  }
}

const wordsOfCode = (code: Uint8Array): number => (code.length + 3) >> 2
