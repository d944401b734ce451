/**
 * Which places are claimed together: rows of neighbours of which each may read what the one before it writes
 * (docs/algorithm.md D13).
 *
 * The engine and the simulator look for them in the same way.
 */

/** Places, or indices of them, from `first` to `end` (exclusive). */
export interface PlaceRange {
  readonly first: number
  readonly end: number
}

/** A claim of fewer places than this is extended: short places are claimed in numbers anyway. */
export const EXTENDED_BELOW = 8

const MOST = 64
const ALWAYS = 8

/**
 * Places that a row may have: a worker's share of all, for it alone executes them, but eight in any case. Of longer rows
 * nothing is said: most are independent (a popular token), and a chain of them is better watched (D5).
 */
export const longestRow = (places: number, workers: number): number =>
  Math.min(MOST, Math.max(ALWAYS, Math.floor(places / workers)))

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
    if (end - first > 1 && end - first <= MOST) rows.push({ first, end })
    first = end
  }
  return rows
}
