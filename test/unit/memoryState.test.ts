/** The state of accounts in memory: what is put is read back, differences are applied whole, and growth is unseen. */
import { describe, expect, test } from 'vitest'
import { LocationTable, StateHeader } from '../../src/core/table.ts'
import { type AccountDiff, createMemoryState, type Hex, type StateDiff } from '../../src/index.ts'
import { address, hashOf, keccak256, word } from '../support/evm.ts'

const MIB = 2 ** 20
const CODE: Hex = '0x6001600055'
const create = () => createMemoryState({ maxBytes: 16 * MIB, keccak256 })
const diffOf = (account: Partial<AccountDiff>, codes: StateDiff['codes'] = new Map()): StateDiff => ({
  accounts: [{ address: address(1), storage: new Map(), storageCleared: false, deleted: false, ...account }],
  codes,
})

describe('memoryState: put and get', () => {
  test('an account is read as it was put, its slots too', () => {
    const state = create()
    state.putAccount(address(1), { balance: 5n, nonce: 2, code: CODE, storage: { '0x1': '0x2', '3': 4n } })
    expect(state.getAccount(address(1))).toEqual({ balance: 5n, nonce: 2n, codeHash: hashOf(CODE) })
    expect([1, 3, 7].map((slot) => state.getStorage(address(1), slot))).toEqual([2n, 4n, 0n])
    expect(state.getCode(hashOf(CODE))).toEqual(Uint8Array.of(0x60, 1, 0x60, 0, 0x55))
  })

  test('an empty account exists, an unknown one does not', () => {
    const state = create()
    state.putAccount(address(1), {})
    expect(state.getAccount(address(1))).toEqual({ balance: 0n, nonce: 0n, codeHash: undefined })
    expect(state.getAccount(address(2))).toBeUndefined()
    expect(state.getStorage(address(2), 0)).toBe(0n)
    expect(state.getCode(word(1))).toBeUndefined()
  })

  test('the largest values fit', () => {
    const state = create()
    const most = 2n ** 256n - 1n
    state.putAccount(address(1), { balance: most, nonce: 2n ** 64n - 1n, storage: { [word(most)]: most } })
    expect(state.getAccount(address(1))).toMatchObject({ balance: most, nonce: 2n ** 64n - 1n })
    expect(state.getStorage(address(1), most)).toBe(most)
  })

  test('putting an account again replaces balance, nonce and code', () => {
    const state = create()
    state.putAccount(address(1), { balance: 5n, nonce: 2, code: CODE })
    state.putAccount(address(1), { balance: 1n })
    expect(state.getAccount(address(1))).toEqual({ balance: 1n, nonce: 0n, codeHash: undefined })
  })

  test('a file is loaded, hash of nothing included', () => {
    const hash = hashOf(CODE)
    const state = create().load({
      pre: {
        [address(1)]: { balance: '0x10', nonce: '0x3', code_hash: hash, storage: { '0x0': '0x5' } },
        [address(2)]: { balance: '0x0', nonce: 0, code_hash: null },
        [address(3)]: { balance: '0x1', nonce: 0, code_hash: hashOf('0x') },
      },
      codes: { [hash]: CODE },
      blockHashes: { '7': word(9) },
    })
    expect(state.getAccount(address(1))).toEqual({ balance: 16n, nonce: 3n, codeHash: hash })
    expect(state.getStorage(address(1), 0)).toBe(5n)
    expect(state.getAccount(address(2))?.codeHash).toBeUndefined()
    expect(state.getAccount(address(3))?.codeHash).toBeUndefined()
  })

  test.each<[string, () => unknown]>([
    ['a balance below zero', () => create().putAccount(address(1), { balance: -1n })],
    ['a balance above 2^256', () => create().putAccount(address(1), { balance: 2n ** 256n })],
    ['a balance that is no number', () => create().putAccount(address(1), { balance: 'much' })],
    ['a nonce above 64 bits', () => create().putAccount(address(1), { nonce: 2n ** 64n })],
    ['a short address', () => create().putAccount('0x12', {})],
    ['code that is no hex', () => create().putCode('0xzz')],
    ['a short hash', () => create().putCode(CODE, '0x12')],
    ['a limit that is too small', () => createMemoryState({ maxBytes: 1 })],
    ['a limit that is no number', () => createMemoryState({ maxBytes: Number.NaN })],
  ])('%s is INVALID_OPTION', (_, act) => {
    expect(act).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
  })
})

describe('memoryState: apply', () => {
  test('fields that are absent stay', async () => {
    const state = create()
    state.putAccount(address(1), { balance: 5n, nonce: 2, code: CODE, storage: { '0x1': '0x2', '0x2': '0x2' } })
    await state.apply(diffOf({ balance: 6n, storage: new Map([[word(1), word(0)]]) }))
    expect(state.getAccount(address(1))).toEqual({ balance: 6n, nonce: 2n, codeHash: hashOf(CODE) })
    expect([1, 2].map((slot) => state.getStorage(address(1), slot))).toEqual([0n, 2n])
  })

  test('a new account comes with its code', async () => {
    const state = create()
    const bytes = Uint8Array.of(1, 2, 3)
    const codeHash: Hex = hashOf('0x010203')
    await state.apply(diffOf({ balance: 0n, nonce: 1n, codeHash }, new Map([[codeHash, bytes]])))
    expect(state.getAccount(address(1))).toEqual({ balance: 0n, nonce: 1n, codeHash })
    expect(state.getCode(codeHash)).toEqual(bytes)
  })

  test('a cleared storage keeps only what the difference lists', async () => {
    const state = create()
    state.putAccount(address(1), { storage: { '0x1': '0x2', '0x2': '0x2' } })
    await state.apply(diffOf({ storageCleared: true, storage: new Map([[word(2), word(9)]]) }))
    expect([1, 2].map((slot) => state.getStorage(address(1), slot))).toEqual([0n, 9n])
  })

  test('a deleted account is gone with its storage, and may come back without it', async () => {
    const state = create()
    state.putAccount(address(1), { balance: 5n, nonce: 2, code: CODE, storage: { '0x1': '0x2' } })
    await state.apply(diffOf({ deleted: true }))
    expect(state.getAccount(address(1))).toBeUndefined()
    expect(state.getStorage(address(1), 1)).toBe(0n)
    await state.apply(diffOf({ balance: 7n }))
    expect(state.getAccount(address(1))).toEqual({ balance: 7n, nonce: 0n, codeHash: undefined })
    expect(state.getStorage(address(1), 1)).toBe(0n)
  })

  test('a malformed difference changes nothing', async () => {
    const state = create()
    state.putAccount(address(1), { balance: 5n })
    const good = diffOf({ balance: 6n }).accounts[0] as AccountDiff
    const bad = { ...good, address: address(2), storage: new Map([[word(1), '0xqq' as Hex]]) }
    await expect(state.apply({ accounts: [good, bad], codes: new Map() })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
    })
    expect(state.getAccount(address(1))?.balance).toBe(5n)
  })

  test.each([
    ['deleted', { deleted: 'yes' }],
    ['storageCleared', { storageCleared: 1 }],
  ])('%s that is neither true nor false is refused', async (option, given) => {
    const run = create().apply(diffOf(given as never))
    await expect(run).rejects.toMatchObject({ code: 'INVALID_OPTION', fields: { option } })
  })

  test('nothing is changed while a run uses the state', async () => {
    const state = create()
    state.putAccount(address(1), { balance: 5n })
    state.open(10)
    const busy = { code: 'STATE_BUSY', retryable: true }
    await expect(state.apply(diffOf({ balance: 6n }))).rejects.toMatchObject(busy)
    expect(() => state.putAccount(address(1), {})).toThrow(expect.objectContaining(busy))
    expect(() => state.putCode(CODE)).toThrow(expect.objectContaining(busy))
    expect(() => state.putBlockHash(1, word(1))).toThrow(expect.objectContaining(busy))
    expect(() => state.open(10)).toThrow(expect.objectContaining(busy))
    expect(state.getAccount(address(1))?.balance).toBe(5n)
    state.close([])
    await state.apply(diffOf({ balance: 6n }))
    expect(state.getAccount(address(1))?.balance).toBe(6n)
  })
})

describe('memoryState: runs', () => {
  test('what a run interned on the main thread is given back: records put after it survive the next run', () => {
    const state = create()
    const words = (hex: Hex) => new Int32Array(Uint8Array.from(Buffer.from(hex.slice(2), 'hex')).buffer)
    state.open(10)
    // A fee recipient that the state does not have.
    state.table.account(words(address(9)), 0)
    state.close([state.table.inserted])
    state.putAccount(address(1), { balance: 5n })
    state.open(10)
    new LocationTable(state.words).account(words(address(2)), 0)
    expect(state.getAccount(address(1))?.balance).toBe(5n)
    expect(state.table.account(words(address(1)), 0)).not.toBe(state.table.account(words(address(2)), 0))
    state.close([state.table.inserted])
  })
})

describe('memoryState: growth', () => {
  test('thousands of accounts, slots and codes, past the first indexes', () => {
    const state = create()
    for (let n = 0; n < 6000; n++)
      state.putAccount(address(n), { balance: n, storage: { [`0x${n.toString(16)}`]: n + 1 } })
    for (let n = 0; n < 600; n++) state.putCode(Uint8Array.of(n & 255, n >> 8), word(n + 1))
    for (let n = 0; n < 6000; n++) {
      expect(state.getAccount(address(n))?.balance).toBe(BigInt(n))
      expect(state.getStorage(address(n), n)).toBe(BigInt(n + 1))
    }
    for (let n = 0; n < 600; n++) expect(state.getCode(word(n + 1))).toEqual(Uint8Array.of(n & 255, n >> 8))
  })

  test('an index that grows between two slots of a difference links none of them twice', async () => {
    // One of these lengths has the index grow right before a slot that the account has already.
    for (let before = 1985; before < 2018; before++) {
      const state = createMemoryState({ maxBytes: 2 ** 23 })
      const owner = address(1)
      state.putAccount(owner, { balance: 1 })
      for (let k = 0; k < before; k++) state.putStorage(owner, word(k), 1)
      const storage = new Map<Hex, Hex>()
      for (let k = 0; k < 90; k++) {
        storage.set(word(100_000 + k), word(7))
        if (k % 2 === 1) storage.set(word(k), word(9))
      }
      await state.apply({
        accounts: [{ address: owner, storage, storageCleared: false, deleted: false }],
        codes: new Map(),
      })
      let slots = 0
      for (const { storage: all } of state.accounts()) {
        for (const _ of all) if (++slots > before + 90) break
      }
      expect(slots).toBe(before + 90)
    }
  })

  test('a state that is full says so, with both numbers', () => {
    const state = createMemoryState({ maxBytes: MIB })
    expect(() => {
      for (let n = 0; n < 20_000; n++) state.putAccount(address(n), { balance: 1n })
    }).toThrow(expect.objectContaining({ code: 'CAPACITY', fields: expect.objectContaining({ limit: MIB }) }))
  })
})

describe('memoryState: between runs', () => {
  test('a record put after a run does not lie in memory that the next run takes', () => {
    const state = create()
    state.putAccount(address(1), { balance: 5n })
    // What a run does: main interns the fee recipient, which is taken back at the end.
    state.open(4)
    state.table.account(new Int32Array(5).fill(7), 0)
    state.close([state.table.inserted])
    state.putAccount(address(2), { balance: 6n, storage: { '1': 2n } })
    state.open(4)
    expect(state.words[StateHeader.Next]).toBeGreaterThan(recordOf(state, address(2)))
    state.table.account(new Int32Array(5).fill(9), 0)
    state.close([state.table.inserted])
    expect(state.getAccount(address(2))).toEqual({ balance: 6n, nonce: 0n, codeHash: undefined })
    expect(state.getStorage(address(2), 1)).toBe(2n)
  })
})

/** Offset of an account's record: its address is unique in a memory this small. */
function recordOf(state: ReturnType<typeof create>, of: Hex): number {
  const key = new Int32Array(Uint8Array.from(Buffer.from(of.slice(2), 'hex')).buffer)
  return state.words.findIndex(
    (_, at) => at % 32 === 0 && state.words[at] === 1 && key.every((w, k) => state.words[at + 1 + k] === w),
  )
}
