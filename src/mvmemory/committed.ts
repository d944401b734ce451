/**
 * What is committed on a location: the newest value below a place of which everything below is final (M1, M4).
 *
 * Concurrency: holder of the commit lock.
 */
import * as atomics from '../core/atomics.ts'
import { Seen } from '../core/contracts.ts'
import { Record } from '../core/layout.ts'
import { BASE, Kind } from '../core/location.ts'
import { newest } from './walk.ts'

type Words = Int32Array

/** A record's offset, Base, or Cleared before generation `floor`. */
export const committed = (engine: Words, state: Words, location: number, place: number, floor: number): number => {
  // Entries below the commit cursor were published before the lock was taken: a plain 0 is the truth.
  if (atomics.peek(state, location) === 0) return floor > 0 ? Seen.Cleared : Seen.Base
  const record = newest(engine, atomics.load(state, location), place, floor)
  return record > 0 ? record >> 1 : record
}

/** Whether a record, or the base for 0, holds bytes: 1 or 0. A merge always leaves some. */
export const holds = (engine: Words, state: Words, location: number, record: number): number => {
  if (record === 0) return state[location + BASE[Kind.Bytes]] < 0 ? 0 : 1
  return engine[record] === Record.Merge || engine[record + 1] >= 0 ? 1 : 0
}

/** Whether bytes stand at a location below `place`: 1 or 0. */
export const isThere = (engine: Words, state: Words, location: number, place: number): number =>
  holds(engine, state, location, Math.max(committed(engine, state, location, place, 0), 0))
