/**
 * A `MerkleStateManager` without caches, read and written by its tries instead of its functions: those walk, decode and
 * hash the path from the root anew for each account and slot, and that was most of what `runBlock` took.
 *
 * Its fields are not declared public, so every part that is relied on is looked at first, and a manager or a trie that
 * is anything else (caches, a class of its own, functions replaced, nodes pruned, another hash, a checkpoint of the caller's
 * that is open) is used by its functions.
 * What is relied on of @ethereumjs/statemanager and mpt 10.1.3 is a test by name in test/ethereumjs/traps.test.ts.
 *
 * Always true: nodes go through the account trie's own database, so that its checkpoint holds them until it is committed,
 * and forgets them when it is reverted.
 */
import type { StateManagerInterface } from '@ethereumjs/common'
import { RLP } from '@ethereumjs/rlp'
import { Account, Address, createAccountFromRLP, unpadBytes } from '@ethereumjs/util'
import type { AccountDiff, Hex } from '../../core/diff.ts'
import { ParallelExecutionError } from '../../core/errors.ts'
import { hexOf, readHex } from '../../core/hex.ts'
import { MerkleTrie, MissingNode } from './merkleTrie.ts'
import { plainAccess, type StateAccess } from './stateAccess.ts'

type Hash = (bytes: Uint8Array) => Uint8Array

interface Database {
  get(key: Uint8Array): Promise<Uint8Array | undefined>
  put(key: Uint8Array, value: Uint8Array): Promise<void>
}

/** What is looked at of an @ethereumjs/mpt trie. */
interface Trie {
  root(value?: Uint8Array): Uint8Array
  hasCheckpoints(): boolean
  database(): Database
  shallowCopy(includeCheckpoints: boolean): Trie
  readonly EMPTY_TRIE_ROOT: Uint8Array
  readonly _opts: Readonly<Record<string, unknown>>
}

/** And of a `MerkleStateManager`. */
interface Manager extends StateManagerInterface {
  readonly _trie: Trie
  _storageTries: Record<string, Trie>
  readonly _caches: unknown
  readonly _prefixCodeHashes: boolean
  readonly _prefixStorageTrieKeys: boolean
  readonly keccakFunction: Hash
}

const FUNCTIONS_OF_MANAGER = [
  ...['getAccount', 'putAccount', 'deleteAccount', 'getStorage', 'putStorage', 'clearStorage', 'getCode', 'putCode'],
  ...['getStateRoot', 'flush', '_getStorageTrie', '_modifyContractStorage'],
]
const FUNCTIONS_OF_TRIE = [
  'get',
  'put',
  'del',
  'root',
  'database',
  'findPath',
  'appliedKey',
  'hasCheckpoints',
  'shallowCopy',
]

/** An object of a class that extends none, with these functions as its class has them. */
const hasOwnClass = (object: object, functions: readonly string[]): boolean => {
  const shape = Object.getPrototypeOf(object) as Readonly<Record<string, unknown>> | null
  if (shape === null || Object.getPrototypeOf(shape) !== Object.prototype) return false
  // Asked of the object as whoever calls it would: a Proxy answers with functions of its own.
  return functions.every((name) => typeof shape[name] === 'function' && Reflect.get(object, name) === shape[name])
}

const SAMPLE = Uint8Array.of(1, 2, 3)
const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, k) => byte === b[k])

/** Whether the manager is one whose tries are known to hold all of its state. */
const isMerkle = (manager: StateManagerInterface, keccak256: Hash): manager is Manager => {
  const { _trie: trie, _storageTries, _caches, keccakFunction, ...rest } = manager as Partial<Manager>
  if (typeof trie !== 'object' || typeof _storageTries !== 'object' || typeof keccakFunction !== 'function')
    return false
  if (_caches !== undefined || rest._prefixCodeHashes !== true || rest._prefixStorageTrieKeys !== false) return false
  if (!hasOwnClass(manager, FUNCTIONS_OF_MANAGER) || !hasOwnClass(trie, FUNCTIONS_OF_TRIE)) return false
  // Its tries of storage do not see what lies in a checkpoint of the account trie, until the outermost is committed.
  if (trie.hasCheckpoints()) return false
  const { useKeyHashing, useKeyHashingFunction, keyPrefix, useRootPersistence, useNodePruning } = trie._opts ?? {}
  if (useKeyHashing !== true || useRootPersistence !== false || useNodePruning !== false) return false
  if (keyPrefix !== undefined || typeof useKeyHashingFunction !== 'function') return false
  const expected = keccak256(SAMPLE)
  return equal(keccakFunction(SAMPLE), expected) && equal((useKeyHashingFunction as Hash)(SAMPLE), expected)
}

/** The fastest way into the manager that is known to be right. */
export const accessTo = (manager: StateManagerInterface, keccak256: Hash): StateAccess =>
  isMerkle(manager, keccak256) ? new MerkleAccess(manager, keccak256) : plainAccess(manager)

class MerkleAccess implements StateAccess {
  readonly source
  readonly #manager: Manager
  readonly #hash: Hash
  /** Opened at the first question: by then the manager stands at the block's root, under its checkpoint. */
  #accounts: MerkleTrie | undefined
  /** By the hex of addresses. */
  readonly #storages = new Map<string, MerkleTrie>()
  /**
   * Where nodes of storage are read, as by the manager: what is read through a checkpoint is written again when it is
   * committed. What the block writes itself its tries have in memory.
   */
  readonly #stored: Database

  constructor(manager: Manager, keccak256: Hash) {
    this.#manager = manager
    this.#hash = keccak256
    this.#stored = manager._trie.shallowCopy(false).database()
    this.source = {
      getAccount: async (address: Uint8Array) => {
        const account = await this.#account(address)
        if (account === undefined) return undefined
        const { balance, nonce, codeHash, storageRoot } = account
        return { balance, nonce, codeHash, hasStorage: !equal(storageRoot, manager._trie.EMPTY_TRIE_ROOT) }
      },
      getStorage: async (address: Uint8Array, key: Uint8Array) => {
        let slots = this.#storages.get(hexOf(address))
        if (slots === undefined) {
          const account = await this.#account(address)
          if (account === undefined) return new Uint8Array(0)
          slots = this.#storage(address, account)
        }
        const found = await this.#read(slots, key)
        return found === undefined ? new Uint8Array(0) : (RLP.decode(found) as Uint8Array)
      },
      getCode: async (address: Uint8Array) => {
        const account = await this.#account(address)
        if (account === undefined || !account.isContract()) return new Uint8Array(0)
        return (await manager._trie.database().get(codeKey(account.codeHash))) ?? new Uint8Array(0)
      },
    }
  }

  async write(
    { accounts }: { readonly accounts: readonly AccountDiff[] },
    codeOf: (hash: Hex) => Uint8Array,
    step?: () => void,
  ): Promise<Uint8Array> {
    const { _trie: trie } = this.#manager
    const save = (hash: Uint8Array, node: Uint8Array): Promise<void> => {
      step?.()
      return trie.database().put(hash, node)
    }
    for (const change of accounts) {
      step?.()
      await this.#writeAccount(change, codeOf, save)
    }
    const root = await this.#trie().commit(save)
    step?.()
    trie.root(root)
    // It keeps those whatever the accounts say. As its own `setStateRoot` does.
    this.#manager._storageTries = {}
    await this.#assertWritten(accounts)
    return root
  }

  async #writeAccount(
    { address, balance, nonce, codeHash, storage, storageCleared, deleted }: AccountDiff,
    codeOf: (hash: Hex) => Uint8Array,
    save: (hash: Uint8Array, node: Uint8Array) => Promise<void>,
  ): Promise<void> {
    const bytes = readHex(address, 20, 'address')
    const key = this.#hash(bytes)
    if (deleted) {
      this.#storages.delete(address)
      return this.#trie().delete(key)
    }
    const account = (await this.#account(bytes)) ?? new Account()
    if (balance !== undefined) account.balance = balance
    if (nonce !== undefined) account.nonce = nonce
    if (codeHash !== undefined) {
      const code = codeOf(codeHash)
      account.codeHash = readHex(codeHash, 32, 'codeHash')
      if (code.length > 0) await save(codeKey(account.codeHash), code)
    }
    if (storageCleared) {
      account.storageRoot = this.#manager._trie.EMPTY_TRIE_ROOT
      this.#storages.set(address, this.#open(account.storageRoot, this.#stored))
    }
    if (storage.size > 0) {
      const slots = this.#storage(bytes, account)
      for (const [slot, value] of storage) {
        const hashed = this.#hash(readHex(slot, 32, 'key'))
        const plain = unpadBytes(readHex(value, 32, 'value'))
        await (plain.length === 0 ? slots.delete(hashed) : slots.put(hashed, RLP.encode(plain)))
      }
      account.storageRoot = await slots.commit(save)
    }
    await this.#trie().put(key, account.serialize())
  }

  /** Reads one account back by the manager's own function: it must find what was written. */
  async #assertWritten(accounts: readonly AccountDiff[]): Promise<void> {
    const [change] = accounts
    if (change === undefined) return
    const bytes = readHex(change.address, 20, 'address')
    const [own, theirs] = [await this.#account(bytes), await this.#manager.getAccount(new Address(bytes))]
    if (own === undefined ? theirs === undefined : theirs !== undefined && equal(own.serialize(), theirs.serialize())) {
      return
    }
    const message = 'the state manager does not find what was written into its trie'
    throw new ParallelExecutionError('STATE_SOURCE_FAILED', message, { address: change.address })
  }

  #trie(): MerkleTrie {
    this.#accounts ??= this.#open(this.#manager._trie.root(), this.#manager._trie.database())
    return this.#accounts
  }

  #open(root: Uint8Array, database: Database): MerkleTrie {
    return new MerkleTrie(root, (hash) => database.get(hash), this.#hash)
  }

  async #account(address: Uint8Array): Promise<Account | undefined> {
    const found = await this.#read(this.#trie(), address)
    return found === undefined ? undefined : createAccountFromRLP(found)
  }

  #storage(address: Uint8Array, { storageRoot }: Account): MerkleTrie {
    const name = hexOf(address)
    let trie = this.#storages.get(name)
    if (trie === undefined) {
      trie = this.#open(storageRoot, this.#stored)
      this.#storages.set(name, trie)
    }
    return trie
  }

  /** As the manager reads: what lies behind a node that is not there is not there. */
  async #read(trie: MerkleTrie, key: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      return await trie.get(this.#hash(key))
    } catch (error) {
      if (error instanceof MissingNode) return undefined
      throw error
    }
  }
}

/** Codes lie among the nodes, by their hashes behind a letter. */
const codeKey = (hash: Uint8Array): Uint8Array => {
  const key = new Uint8Array(1 + hash.length)
  key[0] = 0x63
  key.set(hash, 1)
  return key
}
