import { describe, expect, test } from 'vitest'
import { callsTogether } from '../../src/executor/together.ts'

const address = (n: number): Uint8Array => new Uint8Array(20).fill(n)
const input = new Uint8Array(4)
/** Calls of contracts; 0 is a payment to a same recipient, -1 makes a contract. */
const rows = (...contracts: readonly number[]): (readonly [number, number])[] =>
  callsTogether(
    contracts.map((n) =>
      n < 0 ? { data: input } : { to: address(n === 0 ? 99 : n), data: n === 0 ? new Uint8Array() : input },
    ),
  ).map(({ first, end }) => [first, end])

describe('callsTogether: which places are claimed together?', () => {
  test('two and more calls of one contract in a row are, by their places', () => {
    expect(rows(1, 1, 2, 3, 3, 3)).toEqual([
      [1, 3],
      [4, 7],
    ])
  })

  test('calls that are not neighbours, payments and creations are not', () => {
    expect(rows(1, 2, 1, 2)).toEqual([])
    expect(rows(0, 0, 0)).toEqual([])
    expect(rows(-1, -1)).toEqual([])
    expect(rows()).toEqual([])
  })

  test('eight are, and nine are a row of which nothing is said', () => {
    expect(rows(...Array<number>(8).fill(1), 2)).toEqual([[1, 9]])
    expect(rows(...Array<number>(9).fill(1), 2, 2)).toEqual([[10, 12]])
  })
})
