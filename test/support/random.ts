/** Numbers from a seed, for choices that must come out the same again: mulberry32 (T. Ettinger, public domain). */

/** @returns a function whose results are spread evenly over 0 (inclusive) to 1 (exclusive) */
export const randomFrom = (seed: number): (() => number) => {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let word = Math.imul(state ^ (state >>> 15), 1 | state)
    word ^= word + Math.imul(word ^ (word >>> 7), 61 | word)
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32
  }
}
