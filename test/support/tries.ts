/** Tries for tests, and their truth: @ethereumjs/mpt, built anew from all accounts. */
import { readFileSync } from 'node:fs'
import { MerklePatriciaTrie } from '@ethereumjs/mpt'
import { RLP } from '@ethereumjs/rlp'
import { KECCAK256_NULL, KECCAK256_RLP } from '@ethereumjs/util'
import type { AccountDiff, StateDiff } from '../../src/index.ts'
import { openTrieStore, type TrieStore, type TrieStoreOptions } from '../../src/wasm/stateTrie.ts'

const file = new URL('../../src/wasm/hash-core.wasm', import.meta.url)
const module = WebAssembly.compile(readFileSync(file))

export const openStore = async (options: TrieStoreOptions = {}): Promise<TrieStore> =>
  openTrieStore(await module, options)

interface ModelAccount {
  balance: bigint
  nonce: bigint
  codeHash: string | undefined
  storage: Map<string, bigint>
}

/** What a state should contain, by address. */
export type Model = Map<string, ModelAccount>

export const copyOf = (model: Model): Model =>
  new Map([...model].map(([address, account]) => [address, { ...account, storage: new Map(account.storage) }]))

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.slice(2), 'hex'))
const minimal = (value: bigint): Uint8Array => {
  const hex = value.toString(16)
  return value === 0n
    ? new Uint8Array()
    : Uint8Array.from(Buffer.from(hex.padStart(hex.length + (hex.length & 1), '0'), 'hex'))
}

/** Applies a difference to the model, as `StateDiff` documents it. */
export const applyToModel = (model: Model, { accounts }: StateDiff): void => {
  for (const account of accounts as readonly AccountDiff[]) {
    if (account.deleted) {
      model.delete(account.address)
      continue
    }
    const old = model.get(account.address)
    const to = old ?? { balance: 0n, nonce: 0n, codeHash: undefined, storage: new Map() }
    model.set(account.address, to)
    if (account.balance !== undefined) to.balance = account.balance
    if (account.nonce !== undefined) to.nonce = account.nonce
    if (account.codeHash !== undefined) to.codeHash = account.codeHash
    if (account.storageCleared) to.storage.clear()
    for (const [key, value] of account.storage) {
      if (BigInt(value) === 0n) to.storage.delete(key)
      else to.storage.set(key, BigInt(value))
    }
  }
}

const storageRootOf = async (storage: Iterable<readonly [string, bigint]>): Promise<Uint8Array> => {
  const trie = new MerklePatriciaTrie({ useKeyHashing: true })
  for (const [key, value] of storage) await trie.put(bytes(key), RLP.encode(minimal(value)))
  return trie.root()
}

/** Root of the model by @ethereumjs/mpt. */
export const modelRoot = async (model: Model): Promise<Uint8Array> => {
  const trie = new MerklePatriciaTrie({ useKeyHashing: true })
  for (const [address, { nonce, balance, codeHash, storage }] of model) {
    const root = storage.size === 0 ? KECCAK256_RLP : await storageRootOf(storage)
    const code = codeHash === undefined ? KECCAK256_NULL : bytes(codeHash)
    await trie.put(bytes(address), RLP.encode([minimal(nonce), minimal(balance), root, code]))
  }
  return trie.root()
}
