/**
 * The words of a schedule: which places may be claimed before others, and when. Main lays it out beside the
 * environment; a run without one claims in order. Nothing in it decides a result: places are committed in order in any
 * case.
 *
 * ```text
 * header | free units of each resource | places by rank | a row for each place | predecessors and needs
 * ```
 * Offsets in it are counted from its first word.
 */
export const Schedule = {
  /** Lowest rank that is not claimed. Writers: workers, by exchange. */
  Low: 0,
  Places: 1,
  Ranks: 2,
  Rows: 3,
  Resources: 4,
  /** First word of the free units. Writers: workers, by exchange. */
  Free: 8,
} as const

/**
 * A row: `Claimed` is 0 or 1, changed by exchange; `Next` is the first predecessor not known to be through, a plain
 * word.
 */
export const ScheduleRow = {
  Size: 6,
  Claimed: 0,
  Next: 1,
  PredecessorsEnd: 2,
  /** Pairs of a resource and how many units. */
  Needs: 3,
  NeedsEnd: 4,
} as const
