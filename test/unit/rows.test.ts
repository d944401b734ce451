import { describe, expect, test } from 'vitest'
import { rowsToOne } from '../../src/executor/rows.ts'

const address = (n: number): Uint8Array => new Uint8Array(20).fill(n)
/** Rows of transactions to accounts, by their places; -1 makes a contract. */
const rows = (...accounts: readonly number[]): (readonly [number, number])[] =>
  rowsToOne(accounts.map((n) => (n < 0 ? {} : { to: address(n) }))).map(({ first, end }) => [first, end])

describe('rowsToOne: which places may be claimed together?', () => {
  test('two and more transactions to one account in a row, by their places', () => {
    expect(rows(1, 1, 2, 3, 3, 3)).toEqual([
      [1, 3],
      [4, 7],
    ])
  })

  test('not those that are no neighbours, nor creations', () => {
    expect(rows(1, 2, 1, 2)).toEqual([])
    expect(rows(-1, -1)).toEqual([])
    expect(rows()).toEqual([])
  })

  test('64 are a row, and of 65 nothing is said', () => {
    expect(rows(...Array<number>(64).fill(1), 2)).toEqual([[1, 65]])
    expect(rows(...Array<number>(65).fill(1), 2, 2)).toEqual([[66, 68]])
  })
})
