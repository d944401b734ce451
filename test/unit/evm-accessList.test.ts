/** Block access lists as data: what is listed, in which order, in which bytes. */
import { RLP } from '@ethereumjs/rlp'
import { describe, expect, test } from 'vitest'
import {
  accessListItems,
  encodeAccessList,
  makeAccessList,
  mostAccessListItems,
  type PlaceAccesses,
} from '../../src/adapters/evm/accessList.ts'
import { BlockGas } from '../../src/adapters/evm/blockGas.ts'
import type { AccountDiff, Hex, StateDiff } from '../../src/index.ts'
import { address, hashOf, keccak256, toHex, word } from '../support/evm.ts'

const [A, B, C] = [address(1), address(2), address(3)]
const CODE = '0x6001'

const change = (name: Hex, fields: Partial<AccountDiff>): AccountDiff => ({
  address: name,
  storage: new Map(),
  storageCleared: false,
  deleted: false,
  ...fields,
})
const diff = (...accounts: AccountDiff[]): StateDiff => ({
  accounts,
  codes: new Map([[hashOf(CODE), Uint8Array.of(0x60, 0x01)]]),
})
const place = (number: number, loaded: readonly [Hex, ...Hex[]][], stateDiff = diff()): PlaceAccesses => ({
  place: number,
  stateDiff,
  loaded: loaded.map(([name, ...slots]) => ({ address: name, slots })),
})

describe('the list', () => {
  test('accounts and slots stand in ascending order, whatever the order in which they were met', () => {
    const list = makeAccessList([place(1, [[C], [A, word(9), word(2)]]), place(2, [[B]])])
    expect(list.map(({ address: name }) => name)).toEqual([A, B, C])
    expect(list[0]?.storageReads).toEqual([word(2), word(9)])
  })

  test('a slot that is read at one place and changed at another is a change and no read', () => {
    const storage = new Map([[word(1), word(7)]])
    const places = [place(1, [[A, word(1), word(2)]]), place(3, [[A, word(1)]], diff(change(A, { storage })))]
    const [account] = makeAccessList([...places, place(4, [[A, word(1)]])])
    expect(account?.storageReads).toEqual([word(2)])
    expect(account?.storageChanges).toEqual([
      { slot: word(1), slotChanges: [{ blockAccessIndex: 3, postValue: word(7) }] },
    ])
  })

  test('each place that changes something has its entry, numbered from the prologue on', () => {
    const places = [
      place(0, [[A]], diff(change(A, { balance: 1n }))),
      place(1, [[A]], diff(change(A, { balance: 2n, nonce: 1n, codeHash: hashOf(CODE) as Hex }))),
      place(2, [[A]], diff(change(A, { codeHash: hashOf('0x') as Hex }))),
    ]
    const [account] = makeAccessList(places)
    expect(account?.balanceChanges.map(({ blockAccessIndex }) => blockAccessIndex)).toEqual([0, 1])
    expect(account?.nonceChanges).toEqual([{ blockAccessIndex: 1, postNonce: 1n }])
    // A delegation that was taken back leaves no code.
    expect(account?.codeChanges.map(({ newCode }) => toHex(newCode))).toEqual([CODE, '0x'])
  })

  test('an account that was only looked at is listed with nothing', () => {
    const [account] = makeAccessList([place(1, [[A]])])
    const none = { storageChanges: [], storageReads: [], balanceChanges: [], nonceChanges: [], codeChanges: [] }
    expect(account).toEqual({ address: A, ...none })
  })
})

describe('its bytes', () => {
  test('the empty list hashes to that of the empty RLP list, as a genesis header says', () => {
    const hash = toHex(keccak256(encodeAccessList([])))
    expect(hash).toBe('0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347')
  })

  test('numbers, slots and values have no leading zeros; fields stand in the order of the EIP', () => {
    const storage = new Map([
      [word(0), word(0x100)],
      [word(0x200b), word(0)],
    ])
    const fields = { balance: 5n, nonce: 0n, codeHash: hashOf(CODE) as Hex, storage }
    const bytes = encodeAccessList(makeAccessList([place(1, [[A, word(3)]], diff(change(A, fields)))]))
    const show = (item: unknown): unknown => (item instanceof Uint8Array ? toHex(item) : (item as unknown[]).map(show))
    expect(show(RLP.decode(bytes))).toEqual([
      [
        A,
        [
          ['0x', [['0x01', '0x0100']]],
          ['0x200b', [['0x01', '0x']]],
        ],
        ['0x03'],
        [['0x01', '0x05']],
        [['0x01', '0x']],
        [['0x01', CODE]],
      ],
    ])
  })

  test('accounts and slots count, changes of one slot once', () => {
    const storage = new Map([[word(1), word(7)]])
    const changed = diff(change(A, { storage }))
    const list = makeAccessList([place(1, [[A, word(1), word(2)], [B]], changed), place(2, [[A]], changed)])
    expect(accessListItems(list)).toBe(4)
    expect(mostAccessListItems(7_999n)).toBe(3n)
  })
})

describe('gas of a block', () => {
  test('the larger sum counts', () => {
    const gas = new BlockGas(1_000_000n)
    gas.add({ regular: 30n, state: 10n })
    expect(gas.used).toBe(30n)
    gas.add({ regular: 0n, state: 50n })
    expect(gas.used).toBe(60n)
  })

  test('a transaction must fit into what is left of both; only 2^24 of its limit can be regular gas', () => {
    const gas = new BlockGas(100_000_000n)
    gas.add({ regular: 90_000_000n, state: 0n })
    expect(gas.missingFor(10_000_000n)).toBeUndefined()
    expect(gas.missingFor(10_000_001n)).toBe(10_000_000n)
    gas.add({ regular: -7_000_000n, state: 60_000_000n })
    expect(gas.missingFor(40_000_000n)).toBeUndefined()
    expect(gas.missingFor(40_000_001n)).toBe(40_000_000n)
  })
})
