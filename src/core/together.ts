/**
 * Which places are claimed together: rows of neighbours of which each may read what the one before it writes
 * (docs/algorithm.md D13).
 *
 * The engine and the simulator look for them in the same way. Of long rows nothing is said: given to one worker they would be
 * no parallel run any more, and most are independent (a popular token) or chains that are better watched (D5).
 */

/** Most places of a row. */
export const MOST_TOGETHER = 8

/** Places, or indices of them, from `first` to `end` (exclusive). */
export interface PlaceRange {
  readonly first: number
  readonly end: number
}

/**
 * Rows of two to eight among `count` indices from `from` on.
 *
 * @param continues - whether an index, which is not the first one, belongs to the row of the one before it
 */
export const rowsOf = (count: number, from: number, continues: (index: number) => boolean): PlaceRange[] => {
  const rows: PlaceRange[] = []
  for (let first = from; first < from + count; ) {
    let end = first + 1
    while (end < from + count && continues(end)) end++
    if (end - first > 1 && end - first <= MOST_TOGETHER) rows.push({ first, end })
    first = end
  }
  return rows
}
