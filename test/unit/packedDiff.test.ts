/** Differences in words: to words and back they are what they were, and once seen their objects count. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ChangeCursor, diffOf, isSameChanges, packDiff, wordsOfDiff } from '../../src/core/packedDiff.ts'
import { type AccountDiff, createMemoryState, type Hex, type StateDiff } from '../../src/index.ts'
import { address, word } from '../support/evm.ts'

const hex = (bytes: number): fc.Arbitrary<Hex> =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((array): Hex => `0x${Buffer.from(array).toString('hex')}`)
const byKey = <T>(entries: readonly (readonly [Hex, T])[]): (readonly [Hex, T])[] =>
  [...new Map(entries)].sort(([a], [b]) => (a < b ? -1 : 1))
const fields = fc.record(
  {
    balance: fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
    nonce: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    codeHash: hex(32),
  },
  { requiredKeys: [] },
)
const account = fc
  .tuple(fields, fc.array(fc.tuple(hex(32), hex(32)), { maxLength: 5 }), fc.boolean(), fc.boolean())
  .map(
    ([some, slots, storageCleared, deleted]): Omit<AccountDiff, 'address'> => ({
      ...(deleted ? {} : some),
      storage: new Map(byKey(slots)),
      storageCleared: storageCleared && !deleted,
      deleted,
    }),
  )
const accounts = fc
  .array(fc.tuple(hex(20), account), { maxLength: 5 })
  .map((list): AccountDiff[] => byKey(list).map(([name, rest]) => ({ address: name, ...rest })))

describe('packed differences', () => {
  test('any difference is itself again, accounts and slots in order', () => {
    fc.assert(
      fc.property(accounts, (list) => {
        const packed = packDiff({ accounts: [...list].reverse(), codes: new Map() })
        expect(diffOf(packed, new Map())).toEqual({ accounts: list, codes: new Map() })
      }),
    )
  })

  test('the same changes are the same in any order, and no others', () => {
    fc.assert(
      fc.property(accounts, fc.nat(), fc.integer({ min: 0, max: 31 }), (list, seed, bit) => {
        const turned = [...list].reverse().map((one) => ({ ...one, storage: new Map([...one.storage].reverse()) }))
        const [packed, other] = [list, turned].map((some) => packDiff({ accounts: some, codes: new Map() })) as [
          Int32Array,
          Int32Array,
        ]
        expect(isSameChanges(packed, other)).toBe(true)
        if (list.length === 0) return
        // A bit of a field, of a slot or of an address, where it leaves the lengths alone.
        const change = new ChangeCursor(other)
        change.next()
        const end = change.slots + 16 * change.slotCount
        other[change.address + (seed % (end - change.address))] ^= 1 << bit
        expect(isSameChanges(packed, other)).toBe(false)
      }),
    )
  })

  test('the hash of no code is zeros in words, however it is spelt', () => {
    const none: Hex = '0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470'
    const diff = (codeHash: Hex): StateDiff => ({
      accounts: [{ address: address(1), codeHash, storage: new Map(), storageCleared: false, deleted: false }],
      codes: new Map(),
    })
    const packed = packDiff(diff(`0x${none.slice(2).toUpperCase()}`))
    expect([...packed.subarray(7)]).toEqual(new Array(8).fill(0))
    expect(diffOf(packed, new Map())).toEqual(diff(none))
  })

  test('what somebody has seen, and may have changed, is applied as it is then', async () => {
    const storage = new Map([[word(1), word(2)]])
    const given = [{ address: address(1), balance: 5n, storage, storageCleared: false, deleted: false }]
    const unseen = diffOf(packDiff({ accounts: given, codes: new Map() }), new Map())
    const state = createMemoryState({ maxBytes: 2 ** 23 })
    expect(wordsOfDiff(unseen)).toBeDefined()
    await state.apply(unseen)
    expect(state.getAccount(address(1))?.balance).toBe(5n)
    expect(state.getStorage(address(1), word(1))).toBe(2n)

    const [seen] = unseen.accounts as { -readonly [K in keyof AccountDiff]: AccountDiff[K] }[]
    expect(wordsOfDiff(unseen)).toBeUndefined()
    Object.assign(seen as object, { balance: 6n })
    await state.apply(unseen)
    expect(state.getAccount(address(1))?.balance).toBe(6n)
    Object.assign(seen as object, { balance: -1n })
    await expect(state.apply(unseen)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })

  const unseenDiff = (): StateDiff => {
    const account = { address: address(1), balance: 5n, storage: new Map(), storageCleared: false, deleted: false }
    return diffOf(packDiff({ accounts: [account], codes: new Map() }), new Map())
  }
  test.each<[string, (diff: StateDiff) => void]>([
    ['assigned', (diff) => Object.assign(diff, { accounts: [] })],
    ['assigned in a sealed object', (diff) => Object.assign(Object.seal(diff), { accounts: [] })],
    ['defined', (diff) => Object.defineProperty(diff, 'accounts', { value: [] })],
  ])('accounts that are %s, unseen, are what is applied', async (_, change) => {
    const diff = unseenDiff()
    change(diff)
    expect(wordsOfDiff(diff)).toBeUndefined()
    const state = createMemoryState({ maxBytes: 2 ** 23 })
    await state.apply(diff)
    expect(state.getAccount(address(1))).toBeUndefined()
  })
})
