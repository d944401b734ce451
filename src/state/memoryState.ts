/**
 * State in memory: accounts, storage, codes and block hashes in one shared table that workers read without messages.
 *
 * A run leaves it as it was: what a block writes lies in the engine memory, what it interned is removed
 * afterwards. `apply` advances it by a block's difference.
 * Cost: 128 bytes an account or slot and four to sixteen in an index, reserved address space up to `maxBytes`.
 *
 * Concurrency: main thread only; workers see the memory through `LocationTable` while a run is open, and every
 * method that writes throws STATE_BUSY then.
 */

import { keccak_256 } from '@noble/hashes/sha3.js'
import { findCode } from '../core/codes.ts'
import type { Hex, StateDiff } from '../core/diff.ts'
import { hexOf, readHex, wordHex } from '../core/hex.ts'
import { AccountRecord, Life, RECORD_SHIFT, RECORD_WORDS, SlotRecord } from '../core/location.ts'
import { badOption } from '../core/options.ts'
import { ChangeCursor, EMPTY_CODE_HASH } from '../core/packedDiff.ts'
import { Change, SLOT_WORDS, type StateTrie } from '../core/stateRoot.ts'
import type { LocationTable } from '../core/table.ts'
import { copy2, copy8, fromBigInt, isZero8, toBigInt, zero8 } from '../core/words.ts'
import {
  type AccountEntry,
  type AccountInfo,
  type AccountInput,
  type BytesLike,
  type Quantity,
  quantity,
  type StateFile,
} from './accounts.ts'
import { checkedChanges } from './checkDiff.ts'
import { findAccount } from './find.ts'
import { RootKeeper } from './rootKeeper.ts'
import { TableMemory } from './tableMemory.ts'

/** Options of a state in memory. */
export interface MemoryStateOptions {
  /** Accounts to begin with, by address. */
  readonly accounts?: Readonly<Record<string, AccountInput>>
  /** Address space to reserve, in bytes; 1 GiB by default. Pages are committed as they are used. */
  readonly maxBytes?: number
  /** Keccak-256, for codes given without their hash; @noble/hashes' by default. */
  readonly keccak256?: (bytes: Uint8Array) => Uint8Array
  /** What keeps the state's root, for this state alone; see `attachTrie`. */
  readonly trie?: StateTrie
}

/** Accounts, storage, codes and block hashes in memory. Make one with `createMemoryState`. */
export class MemoryState extends TableMemory {
  readonly #keccak256: (bytes: Uint8Array) => Uint8Array
  /** True where the state has what was asked for alone: no root, no walk over its accounts. */
  readonly isPartial: boolean = false
  readonly #key = new Int32Array(8)
  #keeper: RootKeeper | undefined

  constructor(options: MemoryStateOptions = {}) {
    super(options.maxBytes)
    this.#keccak256 = options.keccak256 ?? keccak_256
    if (options.trie !== undefined) this.attachTrie(options.trie)
    for (const [address, account] of Object.entries(options.accounts ?? {})) this.putAccount(address, account)
  }

  /**
   * Puts an account: balance, nonce and code replace what was there, storage is added to.
   *
   * @throws {InvalidInputError} INVALID_OPTION for what is no address or number, STATE_BUSY while a run reads the state
   * @throws {CapacityError} CAPACITY when `maxBytes` is full
   */
  putAccount(address: BytesLike, account: AccountInput): void {
    // All of it is read before the first word changes: half an account would be seen by the next run.
    const balance = quantity(account.balance, 'balance')
    const nonce = quantity(account.nonce, 'nonce', 64n)
    for (const [key, value] of Object.entries(account.storage ?? {})) {
      quantity(key, 'storage key')
      quantity(value, 'storage value')
    }
    const { code, codeHash } = account
    const given = codeHash ? hexOf(readHex(codeHash, 32, 'codeHash')) : EMPTY_CODE_HASH
    const r = this.#accountRecord(address)
    const hash = code === undefined ? given : this.putCode(code)
    const w = this.words
    this.#keeper?.touch(r)
    fromBigInt(balance, w, r + AccountRecord.Balance)
    fromBigInt(nonce, w, r + AccountRecord.Nonce, 2)
    w[r + AccountRecord.Life + Life.Exists] = 1
    this.#putHash(r, hash)
    for (const [key, value] of Object.entries(account.storage ?? {})) this.putStorage(address, key, value)
  }

  /** Returns the slot's record. */
  putStorage(address: BytesLike, key: Quantity, value: Quantity): number {
    const number = quantity(value, 'storage value')
    const r = this.#accountRecord(address)
    const s = this.#slot(r, key)
    this.#keeper?.touchSlot(r, s)
    fromBigInt(number, this.words, s + SlotRecord.Value)
    return s
  }

  /** Keeps a code and returns its hash. `hash` saves computing it and is trusted. */
  putCode(code: BytesLike, hash?: BytesLike): Hex {
    const bytes = readHex(code, undefined, 'code')
    const name = hash === undefined ? this.#keccak256(bytes) : readHex(hash, 32, 'code hash')
    this.assertIdle('change')
    this.codes.insert(name, bytes)
    return hexOf(name)
  }

  /** Makes the hash of an earlier block known to BLOCKHASH. The 256 highest numbers are kept. */
  putBlockHash(number: Quantity, hash: BytesLike): void {
    const [name, bytes] = [quantity(number, 'block number'), readHex(hash, 32, 'block hash')]
    this.assertIdle('change')
    this.codes.insertBlockHash(name, bytes)
  }

  /** Loads the `pre`, `codes` and `blockHashes` of a block file. */
  load(file: StateFile): this {
    for (const [hash, code] of Object.entries(file.codes ?? {})) this.putCode(code, hash)
    for (const [number, hash] of Object.entries(file.blockHashes ?? {})) this.putBlockHash(number, hash)
    for (const [address, account] of Object.entries(file.pre)) {
      const { balance, nonce, code_hash: codeHash, storage } = account
      this.putAccount(address, { balance, nonce, codeHash: codeHash ?? null, storage: storage ?? {} })
    }
    return this
  }

  /** The account, or undefined where there is none. */
  getAccount(address: BytesLike): AccountInfo | undefined {
    const r = this.#find(address)
    if (r === 0) return undefined
    return this.#info(r)
  }

  #info(r: number): AccountInfo {
    const w = this.words
    const life = r + AccountRecord.Life
    return {
      balance: toBigInt(w, r + AccountRecord.Balance),
      nonce: toBigInt(w, r + AccountRecord.Nonce, 2),
      codeHash: isZero8(w, life) ? undefined : hexOf(new Uint8Array(w.slice(life, life + 8).buffer)),
    }
  }

  /** The value of a slot; 0 where nothing was stored. */
  getStorage(address: BytesLike, key: Quantity): bigint {
    const r = this.#find(address)
    if (r === 0) return 0n
    fromBigInt(quantity(key, 'storage key'), this.#key, 0)
    for (let s = this.words[r + AccountRecord.FirstSlot]; s !== 0; s = this.words[s + SlotRecord.NextSlot]) {
      let k = 0
      while (k < 8 && this.words[s + SlotRecord.Key + k] === this.#key[k]) k++
      if (k === 8) return toBigInt(this.words, s + SlotRecord.Value)
    }
    return 0n
  }

  /** The code with a hash, a copy; undefined where the state has none. */
  getCode(hash: BytesLike): Uint8Array | undefined {
    const key = new Int32Array(readHex(hash, 32, 'code hash').slice().buffer)
    const at = findCode(this.words, key, 0)
    if (at === 0) return undefined
    const length = this.words[at]
    return new Uint8Array(this.words.slice(at + 1, at + 1 + ((length + 3) >> 2)).buffer).slice(0, length)
  }

  /**
   * Walks over the accounts that exist, in no order that means anything. Change nothing meanwhile: accounts that are
   * put during the walk may be missed.
   *
   * @throws {InvalidInputError} STATE_BUSY while a run reads the state, at the first step
   */
  *accounts(): Generator<AccountEntry> {
    this.assertIdle('walk over')
    for (const r of this.accountRecords()) {
      if (this.words[r + AccountRecord.Life + Life.Exists] === 0) continue
      const at = r + AccountRecord.Address
      const address = hexOf(new Uint8Array(this.words.slice(at, at + 5).buffer))
      yield { address, ...this.#info(r), storage: { [Symbol.iterator]: () => this.#slots(r) } }
    }
  }

  /**
   * Advances the state by a block's difference. The whole difference is checked before the first word changes.
   *
   * Where it is the difference that was staged, the same object, the trie's work is kept; everything else that was
   * staged is dropped.
   *
   * @throws {InvalidInputError} STATE_BUSY while a run reads the state; INVALID_OPTION for a malformed difference
   * @throws {CapacityError} CAPACITY when `maxBytes` is full, or the memory of the trie; the state is as it was
   */
  async apply(diff: StateDiff): Promise<void> {
    this.assertIdle('apply')
    const changes = checkedChanges(diff)
    // What can fail for want of room comes first: new records say nothing until they are written.
    for (const [hash, code] of diff.codes) this.putCode(code, hash)
    const records = this.#makeRoom(changes)
    this.#keeper?.begin(diff, changes)
    const change = new ChangeCursor(changes)
    for (let at = 0; change.next(); at += 1 + change.slotCount) this.#apply(change, changes, records, at)
    this.#keeper?.commit()
  }

  /** Where values come later: asks for accounts, and slots of accounts, before a run. */
  async prefetch(
    _addresses: Iterable<Uint8Array>,
    _slots?: Iterable<readonly [address: Uint8Array, key: Uint8Array]>,
  ): Promise<void> {}

  /** Keccak-256 as the state was given it. */
  protected hash(bytes: Uint8Array): Uint8Array {
    return this.#keccak256(bytes)
  }

  // ---- root ----

  /** True where the state has a trie to keep its root. */
  get hasTrie(): boolean {
    return this.#keeper !== undefined
  }

  /**
   * Gives the state a trie to keep its root from now on; the state disposes of one that it had. The trie is filled when
   * a root is first asked for, which takes some microseconds an account; after that a root costs what changed.
   *
   * @param trie - this state's alone
   * @throws {InvalidInputError} INVALID_OPTION for a trie that another state has
   */
  attachTrie(trie: StateTrie): void {
    const keeper = new RootKeeper(trie, this.words, () => this.accountRecords())
    this.#keeper?.dispose()
    this.#keeper = keeper
  }

  /**
   * Root of the secure Merkle Patricia trie of the state as it is; what is staged does not count.
   *
   * Source: Ethereum yellow paper, section 4.1 and appendix D.
   *
   * @returns 32 bytes that are the caller's
   * @throws {InvalidInputError} INVALID_OPTION without a trie; STATE_BUSY while a run reads the state
   * @throws {CapacityError} CAPACITY where the trie does not fit into its memory
   */
  async stateRoot(): Promise<Uint8Array> {
    this.assertIdle('walk over')
    return this.#withTrie().root()
  }

  /**
   * Root after `diff`, on top of what is staged. The state stays as it is; `apply` or `rollback` ends what is staged,
   * and whatever else changes the state drops it.
   *
   * A difference that is staged alone is committed by `apply` of the same object. Where a block is staged in parts, its
   * last part names the difference that all of them make together.
   *
   * @param whole - what all that is staged adds up to, this part included; it is not looked at before `apply(whole)`
   * @returns 32 bytes that are the caller's
   * @throws {InvalidInputError} INVALID_OPTION for a malformed difference, or without a trie; STATE_BUSY
   * @throws {CapacityError} CAPACITY where memory is full; nothing is staged then
   */
  stage(diff: StateDiff, whole?: StateDiff): Uint8Array {
    this.assertIdle('stage on')
    return this.#withTrie().stage(diff, checkedChanges(diff), whole)
  }

  /** Drops what is staged. */
  rollback(): void {
    this.#keeper?.rollback()
  }

  override clear(): void {
    super.clear()
    this.#keeper?.clear()
  }

  #withTrie(): RootKeeper {
    if (this.#keeper !== undefined) return this.#keeper
    throw badOption('trie', 'the state has no trie to keep its root; call stateRootOf(state) first, or attach one')
  }

  /** Takes records for changes: that of each account, then those of its slots. */
  #makeRoom(changes: Int32Array): Int32Array {
    let count = 0
    for (const change = new ChangeCursor(changes); change.next(); ) count += 1 + change.slotCount
    const records = new Int32Array(count)
    let at = 0
    for (const change = new ChangeCursor(changes); change.next(); ) {
      const { address } = change
      const r = this.insert((table: LocationTable) => table.account(changes, address))
      records[at++] = r
      for (let k = 0; k < change.slotCount; k++) records[at++] = this.#slotAt(r, changes, change.slots + SLOT_WORDS * k)
    }
    return records
  }

  /** Writes an account's change to its records, the first of which is at `at`. */
  #apply(change: ChangeCursor, changes: Int32Array, records: Int32Array, at: number): void {
    const r = records[at]
    const w = this.words
    const life = r + AccountRecord.Life
    const deleted = change.has(Change.Deleted)
    // What does not exist has no storage, also where slots were put for it before it came to be.
    if (deleted || change.has(Change.Cleared) || w[life + Life.Exists] === 0) {
      for (let s = w[r + AccountRecord.FirstSlot]; s !== 0; s = w[s + SlotRecord.NextSlot])
        zero8(w, s + SlotRecord.Value)
    }
    if (deleted) {
      w.fill(0, r + AccountRecord.Balance, r + RECORD_WORDS)
      return
    }
    w[life + Life.Exists] = 1
    if (change.has(Change.Balance)) copy8(w, r + AccountRecord.Balance, changes, change.balance)
    if (change.has(Change.Nonce)) copy2(w, r + AccountRecord.Nonce, changes, change.nonce)
    // Zeros where there is no code, here and there.
    if (change.has(Change.Code)) copy8(w, life + Life.CodeHash, changes, change.code)
    for (let k = 0; k < change.slotCount; k++) {
      copy8(w, records[at + 1 + k] + SlotRecord.Value, changes, change.slots + SLOT_WORDS * k + 8)
    }
  }

  #putHash(r: number, hash: Hex): void {
    // An account without code keeps zeros for the hash of nothing.
    const bytes = hash === EMPTY_CODE_HASH ? new Uint8Array(32) : readHex(hash, 32, 'codeHash')
    this.words.set(new Int32Array(bytes.slice().buffer), r + AccountRecord.Life + Life.CodeHash)
  }

  #address(address: BytesLike): Int32Array {
    return new Int32Array(readHex(address, 20, 'address').slice().buffer)
  }

  #find(address: BytesLike): number {
    const r = findAccount(this.words, this.#address(address))
    return r !== 0 && this.words[r + AccountRecord.Life + Life.Exists] !== 0 ? r : 0
  }

  #accountRecord(address: BytesLike): number {
    this.assertIdle('change')
    return this.insert((table: LocationTable) => table.account(this.#address(address), 0))
  }

  *#slots(account: number): Generator<[key: Hex, value: Hex]> {
    const w = this.words
    for (let s = w[account + AccountRecord.FirstSlot]; s !== 0; s = w[s + SlotRecord.NextSlot]) {
      if (!isZero8(w, s + SlotRecord.Value)) yield [wordHex(w, s + SlotRecord.Key), wordHex(w, s + SlotRecord.Value)]
    }
  }

  /** The record of a slot, linked to its account. */
  #slot(account: number, key: Quantity): number {
    fromBigInt(quantity(key, 'storage key'), this.#key, 0)
    return this.#slotAt(account, this.#key, 0)
  }

  #slotAt(account: number, key: Int32Array, at: number): number {
    const w = this.words
    const before = this.table.inserted
    const s = this.insert((table: LocationTable) => table.slot(account >> RECORD_SHIFT, key, at))
    // Not by another `inserted` than before: an index that grows on the way forgets it.
    if (this.table.inserted === s && before !== s) {
      w[s + SlotRecord.NextSlot] = w[account + AccountRecord.FirstSlot]
      w[account + AccountRecord.FirstSlot] = s
    }
    return s
  }
}

/** Makes an empty state in memory. */
export const createMemoryState = (options: MemoryStateOptions = {}): MemoryState => new MemoryState(options)
