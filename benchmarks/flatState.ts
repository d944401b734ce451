/**
 * The least that a state manager for @ethereumjs/vm can be: maps of what a state of this library holds, and a list of
 * what undoes each change. `runTx` on it is what the adapter adds to; the step up to MerkleStateManager is what tries
 * cost.
 *
 * Everything is taken out of the state when it is made, so that no read of a run pays for a search.
 */
import type { AccountFields, StateManagerInterface } from '@ethereumjs/common'
import { OriginalStorageCache } from '@ethereumjs/statemanager'
import {
  Account,
  type Address,
  bytesToUnprefixedHex,
  hexToBytes,
  KECCAK256_RLP,
  type PrefixedHexString,
  unpadBytes,
} from '@ethereumjs/util'
import type { MemoryState } from 'blockloom'

const NOTHING = new Uint8Array(0)
const bytesOf = (hex: string): Uint8Array => hexToBytes(hex as PrefixedHexString)

type Slots = Map<string, Uint8Array>

export class FlatStateManager implements StateManagerInterface {
  readonly #accounts = new Map<string, Account>()
  readonly #slots = new Map<string, Slots>()
  readonly #codes = new Map<string, Uint8Array>()
  readonly #keccak256: (bytes: Uint8Array) => Uint8Array
  #undo: (() => void)[] = []
  readonly #checkpoints: number[] = []
  readonly originalStorageCache = new OriginalStorageCache((address, key) => this.getStorage(address, key))

  constructor(state: MemoryState, keccak256: (bytes: Uint8Array) => Uint8Array) {
    this.#keccak256 = keccak256
    for (const { address, balance, nonce, codeHash, storage } of state.accounts()) {
      const name = address.slice(2)
      const hash = codeHash === undefined ? undefined : bytesOf(codeHash)
      this.#accounts.set(name, new Account(nonce, balance, KECCAK256_RLP, hash))
      if (hash !== undefined) this.#codes.set(bytesToUnprefixedHex(hash), state.getCode(hash) ?? NOTHING)
      const slots = [...storage].map(([key, value]) => [key.slice(2), unpadBytes(bytesOf(value))] as const)
      if (slots.length > 0) this.#slots.set(name, new Map(slots))
    }
  }

  /** Changes a map, and notes what it held. */
  #set<T>(map: Map<string, T>, name: string, value: T | undefined): void {
    const before = map.get(name)
    this.#undo.push(() => {
      if (before === undefined) map.delete(name)
      else map.set(name, before)
    })
    if (value === undefined) map.delete(name)
    else map.set(name, value)
  }

  /** A copy: @ethereumjs/vm writes into what it is given. */
  async getAccount(address: Address): Promise<Account | undefined> {
    const account = this.#accounts.get(bytesToUnprefixedHex(address.bytes))
    return account === undefined
      ? undefined
      : new Account(account.nonce, account.balance, account.storageRoot, account.codeHash)
  }

  async putAccount(address: Address, account?: Account): Promise<void> {
    this.#set(this.#accounts, bytesToUnprefixedHex(address.bytes), account)
  }

  async deleteAccount(address: Address): Promise<void> {
    const name = bytesToUnprefixedHex(address.bytes)
    this.#set(this.#accounts, name, undefined)
    if (this.#slots.has(name)) this.#set(this.#slots, name, undefined)
  }

  async modifyAccountFields(address: Address, fields: AccountFields): Promise<void> {
    const account = (await this.getAccount(address)) ?? new Account()
    await this.putAccount(address, Object.assign(account, fields))
  }

  async putCode(address: Address, value: Uint8Array): Promise<void> {
    const codeHash = this.#keccak256(value)
    this.#codes.set(bytesToUnprefixedHex(codeHash), value)
    await this.modifyAccountFields(address, { codeHash })
  }

  async getCode(address: Address): Promise<Uint8Array> {
    const account = this.#accounts.get(bytesToUnprefixedHex(address.bytes))
    return account === undefined ? NOTHING : (this.#codes.get(bytesToUnprefixedHex(account.codeHash)) ?? NOTHING)
  }

  async getCodeSize(address: Address): Promise<number> {
    return (await this.getCode(address)).length
  }

  async getStorage(address: Address, key: Uint8Array): Promise<Uint8Array> {
    return this.#slots.get(bytesToUnprefixedHex(address.bytes))?.get(bytesToUnprefixedHex(key)) ?? NOTHING
  }

  async putStorage(address: Address, key: Uint8Array, value: Uint8Array): Promise<void> {
    const name = bytesToUnprefixedHex(address.bytes)
    let slots = this.#slots.get(name)
    if (slots === undefined) {
      slots = new Map()
      this.#slots.set(name, slots)
    }
    this.#set(slots, bytesToUnprefixedHex(key), unpadBytes(value))
  }

  async clearStorage(address: Address): Promise<void> {
    this.#set(this.#slots, bytesToUnprefixedHex(address.bytes), undefined)
  }

  async checkpoint(): Promise<void> {
    this.#checkpoints.push(this.#undo.length)
  }

  async commit(): Promise<void> {
    this.#checkpoints.pop()
    if (this.#checkpoints.length === 0) this.#undo = []
  }

  async revert(): Promise<void> {
    const to = this.#checkpoints.pop() ?? 0
    for (let k = this.#undo.length - 1; k >= to; k--) this.#undo[k]?.()
    this.#undo.length = to
  }

  clearCaches(): void {}

  async getStateRoot(): Promise<Uint8Array> {
    return new Uint8Array(32)
  }

  async setStateRoot(): Promise<void> {
    throw new Error('a flat state has no root')
  }

  async hasStateRoot(): Promise<boolean> {
    return false
  }

  shallowCopy(): StateManagerInterface {
    throw new Error('a flat state is not copied')
  }
}
