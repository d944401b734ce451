import { describe, expect, test } from 'vitest'
import { isQueues, isSpread } from '../../src/executor/spread.ts'

const address = (n: number): Uint8Array => {
  const bytes = new Uint8Array(20)
  new DataView(bytes.buffer).setUint32(16, n)
  return bytes
}
/** Transactions as pairs of sender and recipient; a negative recipient is called without a payment. */
const spread = (pairs: readonly (readonly [number, number | undefined])[]): boolean =>
  isSpread(
    pairs.map(([, to]) => (to === undefined ? { value: 5n } : { to: address(Math.abs(to)), value: to < 0 ? 0n : 5n })),
    pairs.map(([from]) => address(from)),
  )
const pairs = (count: number, of: (k: number) => readonly [number, number | undefined]) =>
  Array.from({ length: count }, (_, k) => of(k))

describe('isSpread: does a block pay from and to accounts of their own?', () => {
  test('payments between strangers, and chains of payments, do', () => {
    expect(spread(pairs(100, (k) => [k, 1000 + k]))).toBe(true)
    expect(spread(pairs(100, (k) => [k, k + 1]))).toBe(true)
  })

  test('a contract that all call without paying counts no more than one that is created', () => {
    expect(spread(pairs(100, (k) => [k, -7]))).toBe(true)
    expect(spread(pairs(100, (k) => [k, undefined]))).toBe(true)
  })

  test('a sender of many transactions, and a recipient of many payments, do not', () => {
    expect(spread(pairs(100, (k) => [1, 1000 + k]))).toBe(false)
    expect(spread(pairs(100, (k) => [k, 7]))).toBe(false)
  })

  test('one in sixteen may repeat', () => {
    expect(spread(pairs(160, (k) => [Math.max(k, 10), 1000 + k]))).toBe(true)
    expect(spread(pairs(160, (k) => [Math.max(k, 11), 1000 + k]))).toBe(false)
  })
})

describe('isQueues: is a block made of payments by a few senders?', () => {
  const senders = (count: number, different: number) => Array.from({ length: count }, (_, k) => address(k % different))

  test('where one in eight senders is another, and all are payments', () => {
    expect(isQueues(senders(80, 10), 80n * 21_000n)).toBe(true)
    expect(isQueues(senders(80, 11), 80n * 21_000n)).toBe(false)
  })

  test('not where calls use the gas', () => {
    expect(isQueues(senders(80, 2), 80n * 25_000n)).toBe(true)
    expect(isQueues(senders(80, 2), 80n * 25_001n)).toBe(false)
  })
})
