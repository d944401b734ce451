/**
 * A `MerkleStateManager` written by its tries and by its functions: the same roots and the same answers afterwards,
 * whatever blocks come one after another, are reverted, or are followed by what the manager's owner does.
 */
import { Common, Mainnet, type StateManagerInterface } from '@ethereumjs/common'
import { Caches, MerkleStateManager } from '@ethereumjs/statemanager'
import { Account, createAddressFromString, hexToBytes } from '@ethereumjs/util'
import { keccak_256 } from '@noble/hashes/sha3.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { accessTo } from '../../src/adapters/ethereumjs/merkleAccess.ts'
import { plainAccess } from '../../src/adapters/ethereumjs/stateAccess.ts'
import type { AccountDiff, Hex } from '../../src/index.ts'
import { address, toHex, word } from '../support/evm.ts'

const common = new Common({ chain: Mainnet, hardfork: 'shanghai' })
const open = (): MerkleStateManager => new MerkleStateManager({ common })
const CODES = [Uint8Array.of(1), Uint8Array.of(2, 3)]
const codeOf = (hash: Hex): Uint8Array => CODES.find((code) => toHex(keccak_256(code)) === hash) ?? new Uint8Array(0)

const value = fc.oneof(fc.constant(0n), fc.bigInt(1n, 300n), fc.bigInt(0n, 2n ** 256n - 1n))
const change: fc.Arbitrary<AccountDiff> = fc
  .record({
    account: fc.integer({ min: 0, max: 7 }),
    balance: fc.option(value, { nil: undefined }),
    nonce: fc.option(fc.bigInt(0n, 2n ** 64n - 1n), { nil: undefined }),
    code: fc.option(fc.constantFrom(...CODES, new Uint8Array(0)), { nil: undefined }),
    slots: fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), value), { maxLength: 4 }),
    storageCleared: fc.boolean(),
    deleted: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
  })
  .map(({ account, balance, nonce, code, slots, storageCleared, deleted }) =>
    deleted
      ? { address: address(account), storage: new Map(), storageCleared: true, deleted }
      : {
          address: address(account),
          ...(balance === undefined ? {} : { balance }),
          ...(nonce === undefined ? {} : { nonce }),
          ...(code === undefined ? {} : { codeHash: toHex(keccak_256(code)) }),
          storage: new Map(slots.map(([key, one]) => [word(key), word(one)])),
          ...{ storageCleared, deleted },
        },
  )
const block = fc.record({
  accounts: fc.uniqueArray(change, { maxLength: 5, selector: (one) => one.address }),
  reverted: fc.boolean(),
})

/** All that the state's owner may ask about. */
const answersOf = async (manager: StateManagerInterface): Promise<unknown> => {
  const answers: unknown[] = [toHex(await manager.getStateRoot())]
  for (let account = 0; account < 8; account++) {
    const name = createAddressFromString(address(account))
    const found = await manager.getAccount(name)
    answers.push(found === undefined ? undefined : toHex(found.serialize()), toHex(await manager.getCode(name)))
    for (let key = 0; key < 6; key++) answers.push(toHex(await manager.getStorage(name, hexToBytes(word(key)))))
  }
  return answers
}

test('state access: by tries and by functions, blocks and reverts lead to the same state', () =>
  fc.assert(
    fc.asyncProperty(fc.array(block, { maxLength: 6 }), async (blocks) => {
      const [fast, slow] = [open(), open()]
      for (const { accounts, reverted } of blocks) {
        const roots: Hex[] = []
        for (const [manager, access] of [
          [fast, accessTo(fast, keccak_256)],
          [slow, plainAccess(slow)],
        ] as const) {
          await manager.checkpoint()
          for (const { address: name, storage } of accounts) {
            const bytes = hexToBytes(name)
            await access.source.getAccount(bytes)
            for (const key of storage.keys()) await access.source.getStorage(bytes, hexToBytes(key))
          }
          roots.push(toHex(await access.write({ accounts }, codeOf)))
          await (reverted ? manager.revert() : manager.commit())
        }
        expect(roots[0]).toBe(roots[1])
      }
      expect(await answersOf(fast)).toEqual(await answersOf(slow))
    }),
    { numRuns: 60 },
  ))

test('state access: what is written under a checkpoint of the caller is seen there', async () => {
  const manager = open()
  const [name, key] = [createAddressFromString(address(1)), hexToBytes(word(1))]
  await manager.putAccount(name, new Account(1n, 5n))
  await manager.putStorage(name, hexToBytes(word(9)), Uint8Array.of(9))
  await manager.checkpoint()
  const access = accessTo(manager, keccak_256)
  await manager.checkpoint()
  const slots = new Map([[word(1), word(7)]])
  await access.write(
    { accounts: [{ address: address(1), storage: slots, storageCleared: false, deleted: false }] },
    codeOf,
  )
  await manager.commit()
  expect(await manager.getStorage(name, key)).toEqual(Uint8Array.of(7))
  expect(await manager.getStorage(name, hexToBytes(word(9)))).toEqual(Uint8Array.of(9))
  await manager.revert()
  expect(await manager.getStorage(name, key)).toEqual(new Uint8Array(0))
})

describe('state access: only what is known is used without its functions', () => {
  class Own extends MerkleStateManager {}
  const replaced = open()
  replaced.getAccount = MerkleStateManager.prototype.getAccount.bind(replaced)
  const overlay = new Proxy(open(), {
    get: (manager, name) => {
      const value: unknown = Reflect.get(manager, name, manager)
      return name === 'getStorage' && typeof value === 'function' ? value.bind(manager) : value
    },
  })
  const prefixed = new MerkleStateManager({ common, prefixStorageTrieKeys: true })
  const bare = new MerkleStateManager({ common, prefixCodeHashes: false })
  const hash = (bytes: Uint8Array): Uint8Array => keccak_256(Uint8Array.of(...bytes, 1))
  const others = new MerkleStateManager({
    common: new Common({ chain: Mainnet, hardfork: 'shanghai', customCrypto: { keccak256: hash } }),
  })
  test.each<[string, StateManagerInterface, boolean]>([
    ['a MerkleStateManager', open(), true],
    ['one with caches', new MerkleStateManager({ common, caches: new Caches() }), false],
    ['a class of its own', new Own({ common }), false],
    ['a function replaced', replaced, false],
    ['a Proxy that answers for it', overlay, false],
    ['prefixes of storage', prefixed, false],
    ['codes without a prefix', bare, false],
    ['another hash', others, false],
  ])('%s', async (_, manager, byTries) => {
    const name = createAddressFromString(address(1))
    let asked = 0
    const shape = Object.getPrototypeOf(manager) as { getAccount: StateManagerInterface['getAccount'] }
    const owner = Object.hasOwn(shape, 'getAccount') ? shape : Object.getPrototypeOf(shape)
    const before = owner.getAccount
    owner.getAccount = async function (this: StateManagerInterface, one: typeof name) {
      asked++
      return before.call(this, one)
    }
    try {
      await accessTo(manager, keccak_256).source.getAccount(name.bytes)
    } finally {
      owner.getAccount = before
    }
    // The bound one was bound before it could be counted.
    if (manager !== replaced) expect(asked).toBe(byTries ? 0 : 1)
    expect(accessTo(manager, keccak_256).constructor.name).toBe(byTries ? 'MerkleAccess' : 'Object')
  })
})
