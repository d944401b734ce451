/**
 * What a range read saw, kept in the arena (`RangeRead` in core/layout.ts), and walked again by the validation
 * (docs/algorithm.md D9).
 */
import type { Arena } from '../core/arena.ts'
import { hasPrefix, nextKey, seekKey } from '../core/keyOrder.ts'
import { RangeRead } from '../core/layout.ts'
import { Kind, locationOf } from '../core/location.ts'
import { copy } from '../core/words.ts'
import { isThere } from './committed.ts'

type Words = Int32Array

/** Keeps what a range was asked, the last record looked at (0: to the end of the prefix), and the records that had bytes. */
export const keepRange = (
  engine: Words,
  arena: Arena,
  prefix: Words,
  bytes: number,
  after: Words,
  afterBytes: number,
  stop: number,
  present: readonly number[],
): number => {
  const prefixWords = (bytes + 3) >> 2
  const afterWords = (Math.max(0, afterBytes) + 3) >> 2
  const at = arena.take(RangeRead.Words + prefixWords + afterWords + present.length)
  engine[at + RangeRead.Prefix] = bytes
  engine[at + RangeRead.After] = afterBytes
  engine[at + RangeRead.Stop] = stop
  engine[at + RangeRead.Count] = present.length
  let to = at + RangeRead.Words
  copy(engine, to, prefix, 0, prefixWords)
  to += prefixWords
  copy(engine, to, after, 0, afterWords)
  to += afterWords
  for (const record of present) engine[to++] = record
  return at
}

export const SAME = 0
const DIFFERS = -1

/**
 * Walks a range again, everything below being committed, and compares what has bytes now with what had them: SAME,
 * DIFFERS, or the location of a key that came. Holder of the commit lock.
 */
export const compareRange = (engine: Words, state: Words, at: number, place: number): number => {
  const bytes = engine[at + RangeRead.Prefix]
  const afterBytes = engine[at + RangeRead.After]
  const stop = engine[at + RangeRead.Stop]
  const prefix = at + RangeRead.Words
  const after = prefix + ((bytes + 3) >> 2)
  const records = after + ((Math.max(0, afterBytes) + 3) >> 2)
  const end = records + engine[at + RangeRead.Count]
  let expected = records
  let record =
    afterBytes < 0 ? seekKey(state, engine, prefix, bytes, false) : seekKey(state, engine, after, afterBytes, true)
  for (; record !== 0 && hasPrefix(state, record, engine, prefix, bytes); record = nextKey(state, record)) {
    const location = locationOf(record, Kind.Bytes)
    if (isThere(engine, state, location, place) === 1) {
      if (expected === end || engine[expected] !== record) return location
      expected++
    }
    if (record === stop) break
  }
  return expected === end ? SAME : DIFFERS
}
