/**
 * The status word of a place: incarnation and state packed, so that neither is seen without the other (hazard 2).
 *
 * ```text
 *            claimed through the cursor
 *   Ready --+----------------------------> Executed --+
 *           |                                         |  validation failed, or nothing to validate
 *           |  given up: blocked, invalid, failed     v
 *           +----------------------------> Deferred --+--> Aborting --+--> Executed  (strictly, by the committer)
 *           |                                 ^                       |
 *           |                                 |  base value has come  v  base value is not here yet
 *           |                                 +---------------------- Cold
 *           |  left for the committer                                 ^  the same
 *           +----------------------------> Reserved ------------------+
 *
 *   Early --+-> Ready   claimed through the cursor
 *           +-> Begun   claimed before its turn; then as from Ready
 * ```
 * There is no state for committed: a place below the commit cursor is final, and that one word says so for all, also
 * for places that were Reserved, whose words stay as they are.
 * One writer at a time: the worker that claimed the place until `Executed`, `Deferred` or `Reserved`, then the holder
 * of the commit lock. Of an `Early` place two may be about to claim it, and exchange the word. A fallback, and who begins alone where others were there before, return places to `Ready` while
 * every other worker is parked.
 */

export const Ready = 0
export const Executed = 1
export const Deferred = 2
export const Aborting = 3
/**
 * Left for whoever holds the commit lock, to be executed once, when everything below is final. The word of the first of
 * places that are left together; the others' stay Ready, and none changes when it is committed.
 */
export const Reserved = 4
/** Executed strictly as far as a base value that is not here yet; whoever executed it defers it when it is (core/cold.ts). */
export const Cold = 5
/** Known to take long: whoever has nothing to do in order may begin it before its turn (docs/algorithm.md D12). */
export const Early = 6
/** Claimed before its turn. */
export const Begun = 7

const STATE_BITS = 3
const STATE_MASK = (1 << STATE_BITS) - 1
/** Incarnations a block can hold before the word would wrap (hazard 21); reaching it breaks S2 and halts the run. */
export const MAX_INCARNATION = (1 << (31 - STATE_BITS)) - 1

export const pack = (incarnation: number, state: number): number => (incarnation << STATE_BITS) | state
export const stateOf = (status: number): number => status & STATE_MASK
export const incarnationOf = (status: number): number => status >>> STATE_BITS

/** Legal steps, as data: a test walks the product of states against these. */
export const transitions: readonly (readonly [from: number, to: number, incarnationGrows: boolean])[] = [
  [Ready, Executed, false],
  [Ready, Deferred, false],
  [Executed, Aborting, true],
  [Deferred, Aborting, true],
  [Aborting, Executed, false],
  [Aborting, Cold, false],
  [Reserved, Cold, false],
  [Ready, Cold, false],
  [Cold, Deferred, false],
  [Executed, Ready, true],
  [Deferred, Ready, true],
  [Ready, Reserved, false],
  [Reserved, Ready, false],
  [Cold, Ready, false],
  [Early, Ready, false],
  [Early, Begun, false],
  [Begun, Executed, false],
  [Begun, Deferred, false],
  [Begun, Ready, false],
  [Ready, Early, false],
]

/** True where the place was begun since it was last Ready: it is executed, given up, or waits for a base value. */
export const hasRun = (status: number): boolean => {
  const state = stateOf(status)
  return state !== Ready && state !== Reserved && state !== Early && state !== Begun
}

/** True of a place that is not executed yet, and has been claimed if everything below it has. */
export const isBeingBegun = (status: number): boolean => {
  const state = stateOf(status)
  return state === Ready || state === Begun
}
