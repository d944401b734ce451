/** Runs made by hand, with answers that can be worked out on paper. */
import { keccak_256 } from '@noble/hashes/sha3.js'
import { describe, expect, test } from 'vitest'
import { hexOf, readHex } from '../../src/core/hex.ts'
import { explain } from '../../src/records/explain.ts'
import { nameLocations } from '../../src/records/names.ts'
import type { LocationRecord } from '../../src/records/runRecord.ts'
import { ADDRESS, madeRun, slot, slots } from '../support/runRecords.ts'

const HOLDER = `0x${'b2'.repeat(20)}`
const OTHER = `0x${'c3'.repeat(20)}`

/** Slot of `mapping[key]`, the mapping lying at a slot given as a word of hex. */
const entryOf = (key: string, at: string): string => {
  const bytes = new Uint8Array(64)
  bytes.set(readHex(key, 20, 'key'), 12)
  bytes.set(readHex(at, 32, 'slot'), 32)
  return hexOf(keccak_256(bytes))
}
const wordOf = (number: number): string => `0x${number.toString(16).padStart(64, '0')}`
const at = (address: string, slotHex: string): LocationRecord => ({
  kind: 'slot',
  address,
  slot: slotHex,
  key: undefined,
})
const account = (address: string, kind: 'balance' | 'nonce' | 'life'): LocationRecord => ({
  kind,
  address,
  slot: undefined,
  key: undefined,
})
const named = (locations: LocationRecord[], writes: number[] = [], to?: string) =>
  nameLocations(madeRun([{ cost: 1, writes, ...(to !== undefined && { to }) }], locations), keccak_256).map(
    ({ name }) => name,
  )

describe('explain', () => {
  test('tells the location that threw work away before the one that only could have', () => {
    const record = madeRun([
      { cost: 10, writes: [0, 1] },
      { cost: 20, reads: [[0, 1]], writes: [1] },
      { cost: 30, reads: [[1, 2]], aborted: { location: 1, by: 2 } },
      { cost: 40 },
    ])
    const told = explain(record)
    expect(told.aborts).toBe(1)
    expect(told.executions).toBe(5)
    expect(
      told.conflicts.map(({ location, aborts, wasted, dependencies }) => [location, aborts, wasted, dependencies]),
    ).toEqual([
      [1, 1, 30, 1],
      [0, 0, 0, 1],
    ])
    expect(told.conflicts[0].places).toEqual([{ place: 3, by: 2, aborted: true, lost: 30 }])
  })

  test('finds the critical path: a read in the middle of a place costs what comes after it', () => {
    const record = madeRun([
      { cost: 100, writes: [0] },
      { cost: 10, reads: [[0, 1]], writes: [1] },
      { cost: 60, reads: [[1, 2]] },
      { cost: 50 },
    ])
    const told = explain(record)
    // One read a place: half of its work comes after it. 100 + 5 + 30.
    expect(told.criticalPath.length).toBeCloseTo(135)
    expect(told.criticalPath.steps.map(({ place, name }) => [place, name])).toEqual([
      [1, 'transaction 0'],
      [2, 'transaction 1'],
      [3, 'transaction 2'],
    ])
    expect(told.criticalPath.steps.map(({ via }) => via?.location)).toEqual([undefined, 0, 1])
    expect(told.work).toBe(220)
    expect(told.bound.speedup).toBeCloseTo(220 / 135)
  })

  test('simulates the run without the hottest location', () => {
    const chain = Array.from({ length: 40 }, (_, k) => ({
      cost: 100,
      writes: [0],
      ...(k > 0 && { reads: [[0, k] as const], aborted: { location: 0, by: k } }),
    }))
    const { hottest, advice } = explain(madeRun(chain, slots(1)))
    expect(hottest?.location.location).toBe(0)
    expect(hottest?.pathBefore).toBeCloseTo(100 + 39 * 50)
    expect(hottest?.pathAfter).toBe(100)
    expect(hottest?.boundAfter).toBe(40)
    expect(hottest?.makespanAfter).toBeLessThan(hottest?.makespanBefore as number)
    expect(advice[0]).toContain('variable at slot 0 of contract 0xa1a1a1..a1a1')
    for (const sentence of advice) expect(sentence).toMatch(/^[A-Z0-9].*\.$/)
  })

  test('names a long transaction that bounds the gain', () => {
    const { advice } = explain(madeRun([{ cost: 900 }, ...Array.from({ length: 10 }, () => ({ cost: 10 }))]))
    expect(advice[0]).toBe(
      'Transaction 0 alone takes 90 % of all work, so it bounds the gain at 1.11x: split it or put it first.',
    )
  })

  test('has something to say about a run in which nothing ended', () => {
    const { advice, bound, conflicts } = explain(madeRun([]))
    expect(advice).toEqual(['Nothing ran to an end, so there is nothing to say.'])
    expect(bound.speedup).toBe(1)
    expect(conflicts).toEqual([])
  })
})

describe('names of locations', () => {
  test('a balance is an entry of the mapping of which one transaction writes two', () => {
    const holder = at(ADDRESS, entryOf(HOLDER, wordOf(3)))
    const other = at(ADDRESS, entryOf(OTHER, wordOf(3)))
    const accounts = [account(HOLDER, 'balance'), account(OTHER, 'nonce')]
    const [first, second] = named([holder, other, ...accounts], [0, 1])
    expect(first).toBe('balance of 0xb2b2b2..b2b2 of token 0xa1a1a1..a1a1')
    expect(second).toBe('balance of 0xc3c3c3..c3c3 of token 0xa1a1a1..a1a1')
  })

  test('one entry alone is an entry, whoever it is of', () => {
    expect(named([at(ADDRESS, entryOf(HOLDER, wordOf(3))), account(HOLDER, 'life')], [0])[0]).toBe(
      'entry of 0xb2b2b2..b2b2 in the mapping at slot 3 of contract 0xa1a1a1..a1a1',
    )
  })

  test('allowances are nested: the spender is a contract that was called', () => {
    const allowance = at(ADDRESS, entryOf(OTHER, entryOf(HOLDER, wordOf(1))))
    expect(named([allowance, account(HOLDER, 'nonce')], [], OTHER)[0]).toBe(
      'allowance of 0xc3c3c3..c3c3 by 0xb2b2b2..b2b2 of contract 0xa1a1a1..a1a1',
    )
  })

  test('a pair is known by the slots that a swap reads', () => {
    const names = named([6, 7, 8, 12, 0, 4].map((number) => slot(ADDRESS, number)))
    expect(names).toEqual([
      ...['token0', 'token1', 'reserves', 'unlocked', 'totalSupply'].map((name) => `${name} of pair 0xa1a1a1..a1a1`),
      'variable at slot 4 of pair 0xa1a1a1..a1a1',
    ])
  })

  test('accounts, keys of tasks, and slots that nobody can name', () => {
    const task = (key: string): LocationRecord => ({ kind: 'bytes', address: undefined, slot: undefined, key })
    expect(
      named([account(HOLDER, 'life'), task('0x73756d'), task('0x00ff'), at(ADDRESS, `0x${'d4'.repeat(32)}`)]),
    ).toEqual([
      'code and existence of 0xb2b2b2..b2b2',
      "key 'sum'",
      'key 0x00ff',
      'hashed slot 0xd4d4d4..d4d4 of contract 0xa1a1a1..a1a1',
    ])
  })
})
