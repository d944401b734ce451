/** What a worker that began a run alone makes of its pace: whether to call the others, and when to look again (D10). */

/** Milliseconds before the first look, since the first places are slow. */
const FIRST_LOOK = 0.1
/** What must be left for one worker, in milliseconds, to wake the others: a wake takes them a tenth of a millisecond. */
const WORTH_CALLING = 0.5
/** Milliseconds from which a payment of a queue is worth what speculation adds to it, which grows with what it waits for memory. */
const WORTH_SPECULATING = 0.01
/**
 * Places of a queue that do not count, and after which there is a look: the first one alone, where it calls a contract, would
 * speak for all of them.
 */
export const UNCOUNTED = 8
/** Two looks are so many milliseconds apart where places are short, else a few places. */
const BETWEEN_LOOKS = 0.02
const LEAST_BETWEEN_LOOKS = 4

/**
 * Whether what is left is worth waking the others.
 *
 * @param done - places that took `elapsed` milliseconds, of a queue without the first eight; `left` are those that remain
 * @param isQueues - whether they are payments of queues (spread.ts)
 */
export const paysToCall = (done: number, elapsed: number, left: number, isQueues: boolean): boolean => {
  if (elapsed < FIRST_LOOK) return false
  const pace = elapsed / done
  return pace * left >= WORTH_CALLING && (!isQueues || pace >= WORTH_SPECULATING)
}

/** Places to execute before the next look: at first 1, 2 and 4. */
export const untilNextLook = (done: number, elapsed: number): number =>
  Math.min(done, Math.max(LEAST_BETWEEN_LOOKS, ((BETWEEN_LOOKS * done) / elapsed) | 0))
