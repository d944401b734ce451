/**
 * 256-bit arithmetic and copies on 32-bit words, little-endian limbs.
 *
 * Unrolled on purpose: a copy of 8 words costs 4 ns so, 18 as a loop, 22 with `copyWithin`, 47 with
 * `set(subarray)` (2-core EPYC, Node 20.20, 2026; DESIGN.md section 3).
 * Words are held in `Int32Array`; `>>> 0` reads one as unsigned.
 */

type Words = Int32Array

export const copy2 = (to: Words, t: number, from: Words, f: number): void => {
  to[t] = from[f]
  to[t + 1] = from[f + 1]
}

export const copy8 = (to: Words, t: number, from: Words, f: number): void => {
  to[t] = from[f]
  to[t + 1] = from[f + 1]
  to[t + 2] = from[f + 2]
  to[t + 3] = from[f + 3]
  to[t + 4] = from[f + 4]
  to[t + 5] = from[f + 5]
  to[t + 6] = from[f + 6]
  to[t + 7] = from[f + 7]
}

export const copy = (to: Words, t: number, from: Words, f: number, count: number): void => {
  // A view costs an object; below this length the loop is faster too.
  if (count > 256) {
    to.set(from.subarray(f, f + count), t)
    return
  }
  let k = 0
  for (; k + 8 <= count; k += 8) copy8(to, t + k, from, f + k)
  for (; k < count; k++) to[t + k] = from[f + k]
}

export const zero8 = (to: Words, t: number): void => {
  to[t] = 0
  to[t + 1] = 0
  to[t + 2] = 0
  to[t + 3] = 0
  to[t + 4] = 0
  to[t + 5] = 0
  to[t + 6] = 0
  to[t + 7] = 0
}

export const equal = (a: Words, i: number, b: Words, j: number, count: number): boolean => {
  for (let k = 0; k < count; k++) if (a[i + k] !== b[j + k]) return false
  return true
}

export const equal8 = (a: Words, i: number, b: Words, j: number): boolean =>
  a[i] === b[j] &&
  a[i + 1] === b[j + 1] &&
  a[i + 2] === b[j + 2] &&
  a[i + 3] === b[j + 3] &&
  a[i + 4] === b[j + 4] &&
  a[i + 5] === b[j + 5] &&
  a[i + 6] === b[j + 6] &&
  a[i + 7] === b[j + 7]

export const isZero8 = (a: Words, i: number): boolean =>
  (a[i] | a[i + 1] | a[i + 2] | a[i + 3] | a[i + 4] | a[i + 5] | a[i + 6] | a[i + 7]) === 0

/** a >= b, unsigned, `count` words. */
export const atLeast = (a: Words, i: number, b: Words, j: number, count: number): boolean => {
  for (let k = count - 1; k >= 0; k--) {
    const x = a[i + k] >>> 0
    const y = b[j + k] >>> 0
    if (x !== y) return x > y
  }
  return true
}

/**
 * to = a + b modulo 2^256; returns the carry out, 0 or 1. `to` may be `a` or `b`.
 * Carries by unsigned comparison, so that all arithmetic stays in 32-bit integers.
 */
export const add256 = (to: Words, t: number, a: Words, i: number, b: Words, j: number): number => {
  let carry = 0
  for (let k = 0; k < 8; k++) {
    const x = a[i + k]
    const sum = (x + b[j + k]) | 0
    const withCarry = (sum + carry) | 0
    carry = (sum >>> 0 < x >>> 0 ? 1 : 0) | (withCarry >>> 0 < sum >>> 0 ? 1 : 0)
    to[t + k] = withCarry
  }
  return carry
}

/** 64 bits at a time, where numbers are made and taken apart: fewer BigInts than by words. */
const halves = new Int32Array(2)
const quarter = new BigUint64Array(halves.buffer)

/** Reads an unsigned number of `count` words, an even count. Not for the hot path: it makes a BigInt. */
export const toBigInt = (words: Words, at: number, count = 8): bigint => {
  let value = 0n
  for (let k = count - 2; k >= 0; k -= 2) {
    const low = words[at + k]
    const high = words[at + k + 1]
    if (low === 0 && high === 0 && value === 0n) continue
    halves[0] = low
    halves[1] = high
    value = value === 0n ? quarter[0] : (value << 64n) | quarter[0]
  }
  return value
}

/** Writes an unsigned number below 2^(32 count), an even count. Not for the hot path. */
export const fromBigInt = (value: bigint, words: Words, at: number, count = 8): void => {
  let rest = value
  for (let k = 0; k < count; k += 2) {
    if (rest === 0n) {
      words[at + k] = 0
      words[at + k + 1] = 0
      continue
    }
    // Stores the lowest 64 bits.
    quarter[0] = rest
    words[at + k] = halves[0]
    words[at + k + 1] = halves[1]
    rest >>= 64n
  }
}
