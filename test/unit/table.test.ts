/** The shared table of records, from two views in one thread: one record a key, roll-back, growth, FULL. */
import { afterEach, describe, expect, test } from 'vitest'
import { BytesRecord, RECORD_WORDS, SlotRecord, Tag } from '../../src/core/location.ts'
import { FULL, LocationTable, StateHeader } from '../../src/core/table.ts'
import { MemoryState } from '../../src/state/memoryState.ts'
import { createKeyValueState } from '../../src/tasks.ts'

const MIB = 2 ** 20
const addressOf = (n: number): Int32Array => Int32Array.of(n, n * 7, 3, 4, n ^ 0x5555)
const keyOf = (n: number): Int32Array => Int32Array.of(n, 0, 0, 0, 0, 0, 0, n)

let state = new MemoryState({ maxBytes: 4 * MIB })
afterEach(() => {
  state = new MemoryState({ maxBytes: 4 * MIB })
})

const viewOf = (): LocationTable => new LocationTable(state.words)

describe('table: the last records', () => {
  test('two workers that both saw room for one more chunk: one is told FULL, and all that was inserted goes with the run', () => {
    state.open(100)
    const other = viewOf()
    class Outrun extends LocationTable {
      override reserve(count: number): number {
        // The other one is faster, each time.
        super.reserve(count)
        return super.reserve(count)
      }
    }
    const table = new Outrun(state.words)
    for (const view of [other, table]) view.begin()
    const first = table.account(addressOf(1), 0)
    const chunk = 32 * RECORD_WORDS
    state.words[StateHeader.Next] = state.words.length - chunk
    for (let n = 2; n <= 32; n++) expect(table.account(addressOf(n), 0)).toBe(first + (n - 1) * RECORD_WORDS)
    expect(table.account(addressOf(33), 0)).toBe(FULL)
    expect(table.full).toBe(true)
    state.close([table.inserted, other.inserted])
    state.open(100)
    const after = viewOf()
    after.begin()
    for (let n = 1; n <= 40; n++) expect(after.account(addressOf(n), 0)).toBeLessThan(state.words.length - RECORD_WORDS)
    state.close([after.inserted])
  })
})

describe('table: one record a key (T1)', () => {
  test('what one view inserted, the other finds', () => {
    state.open(100)
    const [a, b] = [viewOf(), viewOf()]
    for (let n = 0; n < 200; n++) {
      const [first, second] = n % 2 === 0 ? [a, b] : [b, a]
      const r = first.account(addressOf(n), 0)
      expect(second.account(addressOf(n), 0)).toBe(r)
      expect(r % RECORD_WORDS).toBe(0)
    }
  })

  test('accounts, slots and byte strings with equal words are different records', () => {
    state.open(100)
    const table = viewOf()
    const words = new Int32Array(8)
    const account = table.account(words, 0)
    const slot = table.slot(account >> 5, words, 0)
    const bytes = table.bytes(words, 0, 32)
    const shorter = table.bytes(words, 0, 31)
    expect(new Set([account, slot, bytes, shorter]).size).toBe(4)
    expect([account, slot, bytes].map((r) => state.words[r])).toEqual([Tag.Account, Tag.Slot, Tag.Bytes])
  })

  test('one slot key of two accounts is two records', () => {
    state.open(100)
    const table = viewOf()
    expect(table.slot(1, keyOf(5), 0)).not.toBe(table.slot(2, keyOf(5), 0))
    expect(state.words[table.slot(2, keyOf(5), 0) + SlotRecord.Account]).toBe(2)
  })

  test('keys are read at their offset', () => {
    state.open(10)
    const table = viewOf()
    const words = Int32Array.of(9, 9, ...addressOf(3), 9)
    expect(table.account(words, 2)).toBe(table.account(addressOf(3), 0))
  })

  test('the empty byte string is a key', () => {
    state.open(10)
    const table = viewOf()
    expect(table.bytes(new Int32Array(0), 0, 0)).toBe(table.bytes(new Int32Array(0), 0, 0))
  })
})

describe('table: roll-back', () => {
  test('after a run only older records are found, and nothing of the run is left', () => {
    for (let n = 0; n < 50; n++)
      state.putAccount(
        Uint8Array.from({ length: 20 }, () => n),
        { balance: n },
      )
    const before = state.words.slice(0, state.words[StateHeader.Next])
    state.open(100)
    const opened = state.words.slice(0, state.words[StateHeader.Next])
    const [a, b] = [viewOf(), viewOf()]
    for (let n = 0; n < 300; n++) {
      const account = (n % 2 === 0 ? a : b).account(addressOf(n + 1000), 0)
      b.slot(account >> 5, keyOf(n), 0)
    }
    state.close([a.inserted, b.inserted])
    expect(state.words[StateHeader.Next]).toBe(opened[StateHeader.Next])
    expect(state.words.slice(0, opened.length)).toEqual(opened)
    expect(before.length).toBeLessThanOrEqual(opened.length)
    for (let n = 0; n < 50; n++) {
      expect(state.getAccount(Uint8Array.from({ length: 20 }, () => n))?.balance).toBe(BigInt(n))
    }
    expect(state.getAccount(new Uint8Array(20).fill(77))).toBeUndefined()
  })

  test('many runs leave the memory as long as it was', () => {
    state.open(100)
    state.close([])
    const next = state.words[StateHeader.Next]
    for (let run = 0; run < 20; run++) {
      state.open(100)
      const view = viewOf()
      for (let n = 0; n < 100; n++) view.account(addressOf(run * 100 + n), 0)
      state.close([view.inserted])
    }
    expect(state.words[StateHeader.Next]).toBe(next)
  })
})

describe('table: growth and FULL', () => {
  test('an index that is three quarters full says so, and takes more after it has grown', () => {
    state.open(1)
    const a = viewOf()
    let n = 0
    while (a.account(addressOf(n), 0) !== FULL) n++
    expect(n).toBeGreaterThan((state.words[StateHeader.AccountMask] + 1) / 2)
    expect(n).toBeLessThanOrEqual((state.words[StateHeader.AccountMask] + 1) * 0.75)
    // What is there is still found.
    expect(a.account(addressOf(n - 1), 0)).not.toBe(FULL)
    state.close([a.inserted])
    state.grow()
    state.open(1)
    const b = viewOf()
    for (let k = 0; k <= n; k++) expect(b.account(addressOf(k), 0)).not.toBe(FULL)
    state.close([b.inserted])
  })

  test('records keep their ids when the index grows', () => {
    const ids = Array.from({ length: 100 }, (_, n) => state.table.account(addressOf(n), 0))
    state.grow()
    state.grow()
    expect(ids).toEqual(Array.from({ length: 100 }, (_, n) => state.table.account(addressOf(n), 0)))
  })

  test('a memory without room for a record is FULL, and growing it is a CAPACITY error', () => {
    const small = new MemoryState({ maxBytes: MIB })
    small.open(1)
    const view = new LocationTable(small.words)
    let n = 0
    while (n < 20_000 && view.account(addressOf(n), 0) !== FULL) n++
    expect(view.account(addressOf(n), 0)).toBe(FULL)
    small.close([view.inserted])
    expect(() => {
      for (let k = 0; k < 20; k++) small.grow()
    }).toThrow(expect.objectContaining({ code: 'CAPACITY' }))
  })

  test('a long key that does not fit is FULL, not half a key', () => {
    const small = createKeyValueState({ maxBytes: MIB })
    small.open(1)
    const view = new LocationTable(small.words)
    const words = new Int32Array(16_384)
    let full = false
    for (let n = 0; n < 40 && !full; n++) {
      words[0] = n
      const r = view.bytes(words, 0, words.length * 4)
      full = r === FULL
      // A record that exists is found again.
      if (!full) expect(view.bytes(words, 0, words.length * 4)).toBe(r)
    }
    expect(full).toBe(true)
  })
})

describe('table: keys that a thread remembers (T4)', () => {
  const key = Int32Array.of(1, 2, 3)
  const indexOf = (words: Int32Array) => [words[StateHeader.SlotIndex] as number, words[StateHeader.SlotMask] as number]

  test('a key from before the run is found again without the index', () => {
    const tasks = createKeyValueState({ maxBytes: 4 * MIB })
    const before = tasks.table.bytes(key, 0, 12)
    tasks.open(10)
    const table = new LocationTable(tasks.words)
    expect(table.bytes(key, 0, 12)).toBe(before)
    const [index, mask] = indexOf(tasks.words) as [number, number]
    const kept = tasks.words.slice(index, index + mask + 1)
    tasks.words.fill(0, index, index + mask + 1)
    expect(table.bytes(key, 0, 12)).toBe(before)
    tasks.words.set(kept, index)
    tasks.close([table.inserted])
  })

  test('another key of the same hash is not taken for it', () => {
    const tasks = createKeyValueState({ maxBytes: 4 * MIB })
    const r = tasks.table.bytes(key, 0, 12)
    tasks.open(10)
    const table = new LocationTable(tasks.words)
    expect(table.bytes(key, 0, 12)).toBe(r)
    // The record that is remembered under this hash now has another key.
    const at = tasks.words[r + BytesRecord.KeyOffset] as number
    tasks.words[at + 2] = 4
    const other = table.bytes(key, 0, 12)
    expect(other).not.toBe(r)
    tasks.words[at + 2] = 3
    tasks.close([table.inserted])
  })

  test('keys of a run that is over are not remembered, nor any once the state was emptied', () => {
    const tasks = createKeyValueState({ maxBytes: 4 * MIB })
    const table = new LocationTable(tasks.words)
    const old = tasks.table.bytes(key, 0, 12)
    tasks.open(10)
    table.begin()
    const fresh = table.bytes(Int32Array.of(7, 8, 9), 0, 12)
    expect([table.bytes(key, 0, 12), table.bytes(Int32Array.of(7, 8, 9), 0, 12)]).toEqual([old, fresh])
    tasks.close([table.inserted])
    tasks.clear()
    for (let n = 0; n < 3; n++) tasks.set(`k${n}`, 'x'.repeat(60))
    tasks.open(10)
    table.begin()
    const again = [table.bytes(key, 0, 12), table.bytes(Int32Array.of(7, 8, 9), 0, 12)]
    for (const r of again) expect(r).toBeGreaterThanOrEqual(tasks.words[StateHeader.RunStart] as number)
    tasks.close([table.inserted])
    expect([...tasks.keys()]).toEqual(['k0', 'k1', 'k2'])
  })
})
