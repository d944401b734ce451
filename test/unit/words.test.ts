/** 256-bit words against BigInt. Numbers near carries on purpose: all ones, one bit, and their neighbours. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  add256,
  atLeast,
  copy,
  copy2,
  copy8,
  equal,
  equal8,
  fromBigInt,
  isZero8,
  toBigInt,
  zero8,
} from '../../src/core/words.ts'

const LIMIT = 1n << 256n
const nearPowers = fc
  .tuple(fc.nat(256), fc.integer({ min: -2, max: 2 }))
  .map(([bits, off]) => BigInt.asUintN(256, (1n << BigInt(bits)) + BigInt(off)))
const number = fc.oneof(nearPowers, fc.bigInt(0n, LIMIT - 1n), fc.bigInt(0n, 3n))

const wordsOf = (value: bigint, at = 0): Int32Array => {
  const words = new Int32Array(8 + at)
  fromBigInt(value, words, at)
  return words
}

describe('256-bit words', () => {
  test('a number survives the way to words and back, at any offset', () => {
    fc.assert(
      fc.property(number, fc.nat(5), (value, at) => {
        expect(toBigInt(wordsOf(value, at), at)).toBe(value)
      }),
    )
  })

  test('add256 is addition modulo 2^256 and returns the carry, aliased or not', () => {
    fc.assert(
      fc.property(number, number, (a, b) => {
        const sum = (a + b) % LIMIT
        const carry = a + b >= LIMIT ? 1 : 0
        const [x, y, out] = [wordsOf(a, 1), wordsOf(b, 2), new Int32Array(11)]
        expect(add256(out, 3, x, 1, y, 2)).toBe(carry)
        expect(toBigInt(out, 3)).toBe(sum)
        expect(add256(x, 1, x, 1, y, 2)).toBe(carry)
        expect(toBigInt(x, 1)).toBe(sum)
        const z = wordsOf(a)
        expect(add256(y, 2, z, 0, y, 2)).toBe(carry)
        expect(toBigInt(y, 2)).toBe(sum)
      }),
      { numRuns: 2000 },
    )
  })

  test('doubling in place carries through', () => {
    const words = wordsOf(LIMIT - 1n)
    expect(add256(words, 0, words, 0, words, 0)).toBe(1)
    expect(toBigInt(words, 0)).toBe(LIMIT - 2n)
  })

  test('comparisons are unsigned', () => {
    fc.assert(
      fc.property(number, number, (a, b) => {
        const [x, y] = [wordsOf(a), wordsOf(b)]
        expect(atLeast(x, 0, y, 0, 8)).toBe(a >= b)
        expect(equal8(x, 0, y, 0)).toBe(a === b)
        expect(equal(x, 0, y, 0, 8)).toBe(a === b)
        expect(isZero8(x, 0)).toBe(a === 0n)
      }),
      { numRuns: 1000 },
    )
  })

  test('equal looks at as many words as it is told', () => {
    const [a, b] = [Int32Array.of(1, 2, 3), Int32Array.of(1, 2, 4)]
    expect(equal(a, 0, b, 0, 2)).toBe(true)
    expect(equal(a, 0, b, 0, 3)).toBe(false)
    expect(equal(a, 2, b, 2, 0)).toBe(true)
  })

  test.each([0, 1, 7, 8, 9, 16, 63, 64, 65, 200])('copy moves %i words and nothing beside them', (count) => {
    const from = Int32Array.from({ length: count + 4 }, (_, k) => k + 1)
    const to = new Int32Array(count + 4).fill(-1)
    copy(to, 2, from, 1, count)
    expect([...to]).toEqual([-1, -1, ...from.slice(1, 1 + count), -1, -1])
  })

  test('copy8, copy2 and zero8 touch exactly their words', () => {
    const from = Int32Array.from({ length: 10 }, (_, k) => k + 1)
    const to = new Int32Array(10).fill(-1)
    copy8(to, 1, from, 2)
    expect([...to]).toEqual([-1, 3, 4, 5, 6, 7, 8, 9, 10, -1])
    copy2(to, 8, from, 0)
    expect([...to]).toEqual([-1, 3, 4, 5, 6, 7, 8, 9, 1, 2])
    zero8(to, 1)
    expect([...to]).toEqual([-1, 0, 0, 0, 0, 0, 0, 0, 0, 2])
  })
})
