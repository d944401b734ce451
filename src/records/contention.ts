/**
 * How much slower a worker is while others run beside it: cache lines that cross between cores, memory that all share,
 * and whatever else of a run on several workers no other overhead explains.
 *
 * Machines differ in it more than in anything else that is simulated: without it, predictions that were within a tenth
 * on one were a third too low on another, whose cores take 350 ns to pass a cache line there and back. So it is no
 * constant but fitted: the run itself, simulated on as many workers as recorded it, has to take as long as it did. On
 * one worker there is none.
 *
 * A share and not microseconds a place: from one worker, 0.62 of what two took was predicted of 1 us transfers and 0.73
 * of 15 us swaps. Those are shares of 0.6 and 0.4, but microseconds that differ tenfold (docs/records.md).
 */
import type { Overheads } from './overheads.ts'

/** What workers do beside one another. Microseconds of each place, by index. */
export interface Load {
  readonly overheads: Overheads
  readonly work: Float64Array
  readonly commits: Float64Array
}

/**
 * Four times as slow is no contention: another program held the run up, or most of it was on the sequential path, where
 * contention changes little.
 */
const MOST_CONTENTION = 3
/** Halvings of what is between two whole numbers: the last is a 256th. */
const HALVINGS = 8

/** The same load on so many workers. */
export function contended<Some extends Load>(load: Some, workers: number): Some {
  const by = 1 + load.overheads.contention
  if (workers < 2 || by === 1) return load
  return {
    ...load,
    overheads: { ...load.overheads, speculative: load.overheads.speculative * by },
    work: load.work.map((each) => each * by),
    commits: load.commits.map((each) => each * by),
  }
}

/**
 * Finds the contention at which a run takes as long as it was recorded to; 0 where it takes longer without any.
 *
 * What is simulated has steps (another place is thrown away), so of all that was tried the nearest counts, and the
 * least of those that are as near.
 *
 * Cost: some ten simulations.
 *
 * @param duration - of the recorded run, microseconds
 * @param makespanAt - simulates the run with so much contention
 */
export function fitContention(duration: number, makespanAt: (contention: number) => number): number {
  let nearest = 0
  let error = Number.POSITIVE_INFINITY
  const isShort = (contention: number): boolean => {
    const makespan = makespanAt(contention)
    if (Math.abs(makespan - duration) < error) {
      error = Math.abs(makespan - duration)
      nearest = contention
    }
    return makespan < duration
  }
  if (!isShort(0)) return 0
  let low = 0
  let high = 1
  while (isShort(high)) {
    if (high >= MOST_CONTENTION) return nearest
    low = high
    high = 2 * high + 1
  }
  for (let k = 0; k < HALVINGS && error > 0; k++) {
    const middle = (low + high) / 2
    if (isShort(middle)) low = middle
    else high = middle
  }
  return nearest
}
