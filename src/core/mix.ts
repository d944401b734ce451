/**
 * A digest of words, one word long: FNV-1a, over words instead of bytes. It tells executions apart, and is no proof
 * against an adversary.
 */

type Words = Int32Array

export const MIX_START = 0x811c9dc5 | 0

export const mixWord = (digest: number, word: number): number => {
  const h = Math.imul(digest ^ word, 0x01000193)
  return h ^ (h >>> 15)
}

export const mixWords = (digest: number, words: Words, at: number, count: number): number => {
  let h = digest
  for (let k = 0; k < count; k++) h = mixWord(h, words[at + k])
  return h
}

/** Bytes that begin at a word; what the last word holds besides does not count. */
export const mixBytes = (digest: number, words: Words, at: number, bytes: number): number => {
  const whole = bytes >> 2
  const h = mixWords(digest, words, at, whole)
  const rest = bytes & 3
  return rest === 0 ? h : mixWord(h, words[at + whole] & ((1 << (8 * rest)) - 1))
}
