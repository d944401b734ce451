/**
 * The bloom filters of a block's receipts, from words.
 *
 * A block's logs name the same contracts and events again and again, so what an address or a topic sets is remembered.
 *
 * Source: yellow paper, 4.3.1 (bloom M3:2048).
 */

import { type KeptResults, LOG_HEAD, TOPIC_WORDS } from './keptResults.ts'
import type { Kernel } from './kernel.ts'
import { Output } from './kernel.ts'

type Words = Int32Array

/** Bytes of a filter. */
export const BLOOM_BYTES = 256
const BLOOM_WORDS = BLOOM_BYTES / 4
const ADDRESS_WORDS = 5

/** Addresses and topics that are remembered, a power of two; two that fall together take turns. */
const REMEMBERED = 1 << 10

export interface Blooms {
  /** 256 bytes a receipt. */
  readonly each: Uint8Array
  /** 256 bytes: all of them together. */
  readonly block: Uint8Array
}

export const bloomsOf = (kept: KeptResults, kernel: Kernel): Blooms => {
  const { words, starts } = kept
  const each = new Uint8Array(BLOOM_BYTES * kept.count)
  const filter = new Filter(words, each, kernel)
  const all = new Int32Array(each.buffer)
  const block = new Int32Array(BLOOM_WORDS)
  for (let k = 0; k < kept.count; k++) {
    const logs = words[starts[k] + Output.Logs]
    if (logs === 0) continue
    filter.from = BLOOM_BYTES * k
    let at = starts[k] + Output.Body
    for (let left = logs; left > 0; left--) {
      const data = at + LOG_HEAD + TOPIC_WORDS * words[at + LOG_HEAD - 1]
      filter.add(at, ADDRESS_WORDS)
      for (let topic = at + LOG_HEAD; topic < data; topic += TOPIC_WORDS) filter.add(topic, TOPIC_WORDS)
      at = data + 1 + ((words[data] + 3) >> 2)
    }
    for (let w = 0; w < BLOOM_WORDS; w++) block[w] |= all[BLOOM_WORDS * k + w]
  }
  return { each, block: new Uint8Array(block.buffer) }
}

class Filter {
  /** Where the filter at hand begins. */
  from = 0
  readonly #words: Words
  readonly #blooms: Uint8Array
  readonly #kernel: Kernel
  /** By hash: where what is remembered stands, shifted left, with a bit for topics; then the bits that it sets. */
  readonly #known = new Int32Array(REMEMBERED)
  readonly #bits = new Uint16Array(3 * REMEMBERED)

  constructor(words: Words, blooms: Uint8Array, kernel: Kernel) {
    this.#words = words
    this.#blooms = blooms
    this.#kernel = kernel
  }

  /** Sets the bits of the address or topic at `at`. */
  add(at: number, count: number): void {
    const words = this.#words
    let hash = count
    for (let k = at; k < at + count; k++) hash = Math.imul(hash ^ words[k], 0x9e3779b1)
    const slot = (hash >>> 16) & (REMEMBERED - 1)
    if (!this.#isKnown(slot, at, count)) this.#learn(slot, at, count)
    for (let k = 3 * slot; k < 3 * slot + 3; k++) {
      const bit = this.#bits[k]
      this.#blooms[this.from + BLOOM_BYTES - 1 - (bit >> 3)] |= 1 << (bit & 7)
    }
  }

  #isKnown(slot: number, at: number, count: number): boolean {
    const known = this.#known[slot]
    // No result begins at 0 with a log, so 0 is nobody.
    if (known === 0 || (known & 1) !== (count === TOPIC_WORDS ? 1 : 0)) return false
    const words = this.#words
    const before = known >> 1
    for (let k = 0; k < count; k++) if (words[before + k] !== words[at + k]) return false
    return true
  }

  /** Bits are the low 11 of the first three byte pairs of the hash; bit 0 is the lowest of the last byte. */
  #learn(slot: number, at: number, count: number): void {
    this.#known[slot] = (at << 1) | (count === TOPIC_WORDS ? 1 : 0)
    const digest = this.#kernel.keccakOfWords(this.#words, at, count)
    const hashed = this.#kernel.words
    for (let k = 0; k < 3; k++) {
      const pair = hashed[digest + (k >> 1)] >>> (16 * (k & 1))
      this.#bits[3 * slot + k] = (((pair & 255) << 8) | ((pair >>> 8) & 255)) & 2047
    }
  }
}
