/**
 * Decides, while a block runs, whether speculation pays.
 *
 * A place that aborts is executed once more by the committer, alone: with share `a` of aborts, speculation
 * takes at least (1 + a) / workers of the sequential time, and at least `a` of it, since re-executions are
 * serial. Half is therefore where two workers stop gaining. What is measured is the block itself: the
 * committer judges every `SAMPLE` places, gives a losing block to the sequential path for a stretch that
 * doubles each time, and tries again after it, since conflicts come in runs.
 */

/** Places between judgements. */
export const SAMPLE = 32
/** Aborts in a sample at which speculation stops. */
const LOSING = SAMPLE * 0.45
/** Places of the first sequential stretch. */
const FIRST_STRETCH = 128
const LONGEST_STRETCH = 1 << 20

export const speculationLoses = (commits: number, aborts: number): boolean =>
  commits >= SAMPLE && aborts >= (LOSING * commits) / SAMPLE

/** Length of the next stretch, given the last one (0: none yet). */
export const nextStretch = (last: number): number => (last === 0 ? FIRST_STRETCH : Math.min(last * 4, LONGEST_STRETCH))
