/**
 * Codes of a state by hash, and hashes of earlier blocks: read by every worker, written by main between runs.
 *
 * A code's entry in the index is the offset of `hash (8 words), bytes, code words...`; 0 is free. Content
 * addressed, so nothing here is ever stale (hazard 18).
 */
import { StateHeader } from './table.ts'
import { equal8 } from './words.ts'

type Words = Int32Array

/** Offset of the code with the hash at `hash[at..at+8]`: its length in bytes, then its words; 0 if there is none. */
export const findCode = (state: Words, hash: Words, at: number): number => {
  const index = state[StateHeader.CodeIndex]
  const mask = state[StateHeader.CodeMask]
  let probe = hash[at] & mask
  for (;;) {
    const entry = state[index + probe]
    if (entry === 0) return 0
    if (equal8(state, entry, hash, at)) return entry + 8
    probe = (probe + 1) & mask
  }
}

/** Words of one block hash: number (2), hash (8). */
export const BLOCK_HASH_WORDS = 10

/** Offset of the hash of a block, or 0. At most 256 are kept, and BLOCKHASH is rare. */
export const findBlockHash = (state: Words, low: number, high: number): number => {
  const count = state[StateHeader.BlockHashCount]
  let at = state[StateHeader.BlockHashes]
  for (let k = 0; k < count; k++, at += BLOCK_HASH_WORDS) {
    if (state[at] === low && state[at + 1] === high) return at + 2
  }
  return 0
}
