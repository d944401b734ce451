/**
 * Byte-string records in the order of their keys: a skip list through the records of a state.
 *
 * What asks for "all keys that begin so" walks it. Records are only ever inserted while a run is open, by any worker;
 * main takes a run's records out again when it is over, and those of deleted keys when the state advances. A record is linked before the table of records hands it out,
 * so whatever can be written to can be found here: a key cannot appear behind the back of a validation (hazard 12).
 *
 * Source: Pugh, Skip lists, 1990; insertion without locks after Herlihy and Shavit, chapter 14, which is simple here
 * because nothing is removed meanwhile. Links are words 12 to 19 of the record, heads lie in the state's header.
 * Concurrency: `insertKey`, `seekKey` and `nextKey` on any thread at any time; the others are main's, between runs.
 * Cost: log4 n comparisons of keys an insertion or a seek; one atomic load a step.
 */
import * as atomics from './atomics.ts'
import { BytesRecord } from './location.ts'

type Words = Int32Array

/** Header words of the state memory that hold the first record of each level. */
const KEY_ORDER_HEADS = 140
/** Levels: with a quarter of the records on each next one, enough for a million keys and some. */
const LEVELS = 8
/** Links of a record, counted from it. */
const LINKS = 12

/** Word of the link that follows `record` on a level; record 0 is the head. */
const linkOf = (record: number, level: number): number => (record === 0 ? KEY_ORDER_HEADS : record + LINKS) + level

const levelsOf = (words: Words, record: number): number => {
  let bits = Math.imul(words[record + BytesRecord.Hash] ^ 0x5bd1e995, 0x9e3779b1) >>> 0
  let levels = 1
  while (levels < LEVELS && bits >>> 30 === 0) {
    levels++
    bits = (bits << 2) >>> 0
  }
  return levels
}

/** Compares two packed byte strings as bytes: below, at or above zero. */
const compareBytes = (a: Words, i: number, m: number, b: Words, j: number, n: number): number => {
  const bytes = Math.min(m, n)
  const whole = (bytes + 3) >> 2
  for (let k = 0; k < whole; k++) {
    const differing = a[i + k] ^ b[j + k]
    if (differing === 0) continue
    // The lowest differing byte comes first in memory.
    const shift = (31 - Math.clz32(differing & -differing)) & ~7
    if (4 * k + (shift >> 3) >= bytes) break
    return ((a[i + k] >>> shift) & 255) - ((b[j + k] >>> shift) & 255)
  }
  return m - n
}

const compareKey = (words: Words, record: number, key: Words, at: number, bytes: number): number =>
  compareBytes(words, words[record + BytesRecord.KeyOffset], words[record + BytesRecord.KeyLength], key, at, bytes)

/** Links a record whose key and hash are complete. Nobody else links the same one. */
export const insertKey = (words: Words, record: number): void => {
  const key = words[record + BytesRecord.KeyOffset]
  const bytes = words[record + BytesRecord.KeyLength]
  const levels = levelsOf(words, record)
  const before = PREDECESSORS
  descend(words, words, key, bytes, false, before)
  // From the bottom: who finds it on a level finds it on those below.
  for (let level = 0; level < levels; level++) {
    let above = before[level]
    for (;;) {
      const next = atomics.load(words, linkOf(above, level))
      if (next !== 0 && compareKey(words, next, words, key, bytes) < 0) {
        above = next
        continue
      }
      words[linkOf(record, level)] = next
      if (atomics.compareExchange(words, linkOf(above, level), next, record) === next) break
    }
  }
}

/** Room for a descent; each thread has its own copy of this module. */
const PREDECESSORS = new Int32Array(LEVELS)

/** Last record of each level below the key (at or below it with `past`); 0 for the head. */
const descend = (words: Words, key: Words, at: number, bytes: number, past: boolean, before: Int32Array): void => {
  let above = 0
  for (let level = LEVELS - 1; level >= 0; level--) {
    for (;;) {
      const next = atomics.load(words, linkOf(above, level))
      if (next === 0) break
      const order = compareKey(words, next, key, at, bytes)
      if (past ? order > 0 : order >= 0) break
      above = next
    }
    before[level] = above
  }
}

/** First record at the key or above it (`past`: above it), 0 where there is none. */
export const seekKey = (words: Words, key: Words, at: number, bytes: number, past: boolean): number => {
  descend(words, key, at, bytes, past, PREDECESSORS)
  return nextKey(words, PREDECESSORS[0])
}

/** The record after `record`, 0 after the last. */
export const nextKey = (words: Words, record: number): number => atomics.load(words, linkOf(record, 0))

/** Whether a record's key begins with a prefix. */
export const hasPrefix = (words: Words, record: number, prefix: Words, at: number, bytes: number): boolean =>
  words[record + BytesRecord.KeyLength] >= bytes &&
  compareBytes(words, words[record + BytesRecord.KeyOffset], bytes, prefix, at, bytes) === 0

/** Takes a record out. Main, while no run is open. */
export const removeKey = (words: Words, record: number): void => {
  const before = PREDECESSORS
  descend(words, words, words[record + BytesRecord.KeyOffset], words[record + BytesRecord.KeyLength], false, before)
  for (let level = 0; level < LEVELS; level++) {
    const link = linkOf(before[level], level)
    if (words[link] === record) words[link] = words[linkOf(record, level)]
  }
}

/** Takes out every record from `limit` on, also those that a worker which died had linked in part. Main. */
export const removeKeysFrom = (words: Words, limit: number): void => {
  for (let level = 0; level < LEVELS; level++) {
    let kept = 0
    let next = words[linkOf(0, level)]
    while (next !== 0) {
      const after = words[linkOf(next, level)]
      if (next < limit) {
        words[linkOf(kept, level)] = next
        kept = next
      }
      next = after
    }
    words[linkOf(kept, level)] = 0
  }
}
