/** One word that stands for what an incarnation did: its result and the values that it wrote, in order. */
import { DeltaRecord, Record } from '../core/layout.ts'
import { Kind, LENGTH, Life } from '../core/location.ts'

type Words = Int32Array

/** FNV-1a over words, 0x811c9dc5 to begin with. It tells executions apart, and is no proof against an adversary. */
export const mixWord = (hash: number, word: number): number => {
  const h = Math.imul(hash ^ word, 0x01000193)
  return h ^ (h >>> 15)
}

export const DIGEST_START = 0x811c9dc5 | 0

export const mixWords = (hash: number, words: Words, at: number, count: number): number => {
  let h = hash
  for (let k = 0; k < count; k++) h = mixWord(h, words[at + k])
  return h
}

/** Adds the record of a write. Where bytes and codes lie is not part of what they are. */
export const mixRecord = (hash: number, words: Words, record: number, kind: Kind): number => {
  if (words[record] === Record.Delta) {
    return mixWords(mixWords(mixWord(hash, 2), words, record + 1, 8), words, record + DeltaRecord.Bound, 8)
  }
  const value = record + 1
  if (kind === Kind.Bytes) {
    const h = mixWord(mixWord(hash, 1), words[value])
    return words[value] <= 0 ? h : mixWords(h, words, words[value + 1], (words[value] + 3) >> 2)
  }
  const h = mixWords(mixWord(hash, 1), words, value, LENGTH[kind])
  return kind === Kind.Life ? mixWord(h, words[value + Life.CodeBytes]) : h
}
