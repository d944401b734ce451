/**
 * Records whose base value is not here yet: a state that answers later (state/sourceState.ts) marks them, a run asks.
 *
 * A word a record, beside the records: unknown, asked for, answered. The first worker to meet an unknown record puts it
 * on a ring, from which main takes it; when main has written the value it marks the record, and whoever waited looks
 * again. A state that has everything has no such words, and a run on it asks for their place once.
 *
 * Shares: `StateHeader.Asked` and the words at `StateHeader.Known` and `StateHeader.Requests`.
 * The ring hardly ever fills up: a place asks for `MOST_ASKED` records and is not executed again before they are
 * answered, and a window of places is under way (`Control.Window`). With many workers, and where idle ones run on behind a
 * long place (scheduler `looksAhead`), that is no bound, so a slot that main has not emptied yet is never overwritten: its
 * run halts for want of room.
 */

import { ArenaFull } from './arena.ts'
import * as atomics from './atomics.ts'
import { RECORD_SHIFT, RECORD_WORDS } from './location.ts'
import { StateHeader } from './table.ts'

type Words = Int32Array

const Known = { Unknown: 0, Asked: 1, Answered: 2 } as const

/**
 * Records that one execution may ask for. After the first it goes on with zeros, to learn what else it needs: one by
 * one, a transaction with a thousand reads would run a thousand times. What it does so counts for nothing.
 */
export const MOST_ASKED = 128

/** Words of the ring; a power of two. */
export const REQUESTS = 1 << 17

const wordOf = (state: Words, record: number): number => state[StateHeader.Known] + (record >> RECORD_SHIFT)

/** Whether the record's base value is here. The load orders the value after it. Any thread. */
export const isKnown = (state: Words, record: number): boolean =>
  atomics.load(state, wordOf(state, record)) === Known.Answered

/** Asks main for a record, once. Any worker. Throws ArenaFull where main has fallen behind by a whole ring. */
export const ask = (state: Words, record: number): void => {
  if (atomics.compareExchange(state, wordOf(state, record), Known.Unknown, Known.Asked) !== Known.Unknown) return
  const next = atomics.add(state, StateHeader.Asked, 1)
  const slot = state[StateHeader.Requests] + (next & (REQUESTS - 1))
  if (atomics.compareExchange(state, slot, 0, record) !== 0) throw new ArenaFull('too many base values are asked for')
  atomics.notify(state, StateHeader.Asked)
}

/** The request at `index` of all that were made, taken from the ring; 0 while its worker is still writing it. Main. */
export const takeRequest = (state: Words, index: number): number => {
  const word = state[StateHeader.Requests] + (index & (REQUESTS - 1))
  const record = atomics.load(state, word)
  if (record !== 0) atomics.store(state, word, 0)
  return record
}

/** Marks a record whose base value has been written. Main. */
export const answer = (state: Words, record: number): void => {
  const word = wordOf(state, record)
  atomics.store(state, word, Known.Answered)
  atomics.notify(state, word)
}

/** Parks a worker that has nothing else to do until the record is answered, some milliseconds at most. */
export const awaitAnswer = (state: Words, record: number): void => {
  atomics.wait(state, wordOf(state, record), Known.Asked, 5)
}

/** As `awaitAnswer`, with the event loop free. */
export const awaitAnswerAsync = (state: Words, record: number, milliseconds = 5): Promise<void> =>
  atomics.waitAsync(state, wordOf(state, record), Known.Asked, milliseconds)

/**
 * Forgets what the run that ends has asked, and what it was answered for records that go with it. Main, while the
 * workers are back.
 *
 * @param failed - workers may have died between two words
 */
export const coolDown = (state: Words, failed: boolean): void => {
  const known = state[StateHeader.Known]
  const asked = state[StateHeader.Asked]
  const stay = state[StateHeader.RunStart] >> RECORD_SHIFT
  const end = Math.min(state[StateHeader.Next], state.length)
  state.fill(Known.Unknown, known + stay, known + ((end + RECORD_WORDS - 1) >> RECORD_SHIFT))
  state.fill(0, state[StateHeader.Requests], state[StateHeader.Requests] + Math.min(asked, REQUESTS))
  if (asked === 0 && !failed) return
  // What nobody has answered the next run asks anew.
  for (let k = known; k < known + stay; k++) if (state[k] === Known.Asked) state[k] = Known.Unknown
}
