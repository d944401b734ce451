/**
 * Walks along a location's entries, from the highest place down. Entries are unlinked by a fallback alone, so a walk needs
 * no lock.
 */
import * as atomics from '../core/atomics.ts'
import { Seen } from '../core/contracts.ts'
import { Entry } from '../core/layout.ts'

type Words = Int32Array

/** Record word (with its ESTIMATE bit) of the newest entry below `place`, or Base, or Cleared before generation `floor`. */
export const newest = (engine: Words, head: number, place: number, floor: number): number => {
  let entry = head
  while (entry !== 0) {
    const p = engine[entry + Entry.Place]
    if (p < place) {
      if (p + 1 < floor) return Seen.Cleared
      const word = atomics.load(engine, entry + Entry.Record)
      if (word !== 0) return word
    }
    entry = atomics.load(engine, entry + Entry.Next)
  }
  return floor > 0 ? Seen.Cleared : Seen.Base
}

/** Place of the newest entry on a location below `place`, -1 where there is none. */
export const newestPlace = (engine: Words, state: Words, location: number, place: number): number => {
  let entry = atomics.load(state, location)
  while (entry !== 0) {
    if (engine[entry + Entry.Place] < place && atomics.load(engine, entry + Entry.Record) !== 0) {
      return engine[entry + Entry.Place]
    }
    entry = atomics.load(engine, entry + Entry.Next)
  }
  return -1
}
