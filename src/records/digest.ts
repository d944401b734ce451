/**
 * One word that stands for what an incarnation did: its result, and what it wrote where. Locations count by their
 * names, and their order does not count: an adapter publishes in the order of ids, which are another state's in a
 * replay.
 */

import { DeltaRecord, MergeRecord, OPERATION_WORDS, Record } from '../core/layout.ts'
import {
  AccountRecord,
  BytesRecord,
  Kind,
  kindOf,
  LENGTH,
  Life,
  RECORD_SHIFT,
  recordOf,
  SlotRecord,
  Tag,
} from '../core/location.ts'
import { MIX_START, mixBytes, mixWord, mixWords } from '../core/mix.ts'

type Words = Int32Array

/** Digest of a write: its location's name and its record. Add those of all writes to that of the result. */
export const digestOfWrite = (state: Words, location: number, words: Words, record: number): number => {
  const kind = kindOf(state, location)
  const r = recordOf(location)
  if (kind === Kind.Bytes || state[r] === Tag.Bytes) {
    return mixRecord(mixWord(mixWord(MIX_START, kind), state[r + BytesRecord.Hash]), words, record, kind)
  }
  const account = kind === Kind.Slot ? state[r + SlotRecord.Account] << RECORD_SHIFT : r
  let h = mixWords(mixWord(MIX_START, kind), state, account + AccountRecord.Address, 5)
  if (kind === Kind.Slot) h = mixWords(h, state, r + SlotRecord.Key, 8)
  return mixRecord(h, words, record, kind)
}

/** Adds a record. Where bytes and codes lie is not part of what they are. */
const mixRecord = (hash: number, words: Words, record: number, kind: Kind): number => {
  if (words[record] === Record.Delta) {
    return mixWords(mixWords(mixWord(hash, 2), words, record + 1, 8), words, record + DeltaRecord.Bound, 8)
  }
  if (words[record] === Record.Merge) {
    let h = mixWord(hash, 3)
    for (let k = 0; k < words[record + MergeRecord.Count]; k++) {
      const operation = record + MergeRecord.Operations + k * OPERATION_WORDS
      h = mixBytes(
        mixWord(mixWord(h, words[operation]), words[operation + 1]),
        words,
        words[operation + 2],
        words[operation + 1],
      )
    }
    return h
  }
  const value = record + 1
  if (kind === Kind.Bytes) {
    const h = mixWord(mixWord(hash, 1), words[value])
    return words[value] <= 0 ? h : mixBytes(h, words, words[value + 1], words[value])
  }
  const h = mixWords(mixWord(hash, 1), words, value, LENGTH[kind])
  return kind === Kind.Life ? mixWord(h, words[value + Life.CodeBytes]) : h
}
