/**
 * Rows: places that follow one another and of which each may read what the one before it writes, so that one worker claims
 * them together (docs/algorithm.md D13).
 *
 * The engine and the simulator look for them in the same way.
 */

/** Places, or indices of them, from `first` to `end` (exclusive). */
export interface PlaceRange {
  readonly first: number
  readonly end: number
}

/** A claim of fewer places than this is extended over the rest of a row: short places are claimed in numbers anyway. */
export const EXTENDED_BELOW = 8

/**
 * Places of the longest row. Of longer ones nothing is said: most are independent (a popular token), and a chain of them is
 * better watched (D5).
 */
const LONGEST_ROW = 64

/**
 * Rows of two to 64 among `count` indices from `from` on.
 *
 * @param continues - whether an index, which is not the first one, belongs to the row of the one before it
 */
export const rowsOf = (count: number, from: number, continues: (index: number) => boolean): PlaceRange[] => {
  const rows: PlaceRange[] = []
  for (let first = from; first < from + count; ) {
    let end = first + 1
    while (end < from + count && continues(end)) end++
    if (end - first > 1 && end - first <= LONGEST_ROW) rows.push({ first, end })
    first = end
  }
  return rows
}
