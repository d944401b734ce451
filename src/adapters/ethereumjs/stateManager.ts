/**
 * The state as one incarnation sees it, in the shape @ethereumjs/vm asks for.
 *
 * Reads go to `TaskMemory` field by field; writes stay here, under checkpoints, until the incarnation ends (publish.ts).
 * A read that meets what a lower place is about to write throws, and everything after it does so too: @ethereumjs/evm
 * swallows what is thrown inside a transfer of value, so that the end of an incarnation asks `aborted` and not the
 * exception. A base value that is not here yet is waited for a little (coldWait.ts), at the first touch of an account or
 * slot.
 *
 * Concurrency: one worker's; one incarnation at a time.
 * Not here: what is asserted and written at the end (publish.ts), phases of a transaction (machine.ts).
 */
import type { AccountFields, StateManagerInterface } from '@ethereumjs/common'
import type { Account, Address } from '@ethereumjs/util'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { findCode } from '../../core/codes.ts'
import { Outcome, Seen, type TaskMemory } from '../../core/contracts.ts'
import { Fault } from '../../core/layout.ts'
import { AccountRecord, Kind, Life, locationOf, RECORD_SHIFT, SlotRecord } from '../../core/location.ts'
import { FULL, TableFull } from '../../core/table.ts'
import { isZero8, toBigInt } from '../../core/words.ts'
import { hasStorage } from '../evm/stored.ts'
import { ColdWait } from './coldWait.ts'
import { type AccountView, type CreateView, type Held, type HeldSlot, keyOf, viewsOf } from './held.ts'
import type { Packages } from './packages.ts'

type Words = Int32Array

/** Deltas that a guess of a balance is worth folding; beyond, the base value will do. */
const FOLD_FOR_A_GUESS = 4
/** Codes of the base state that a worker keeps at hand: they are found by content, so none is ever stale (hazard 18). */
const MOST_CODES = 4096
const NOTHING = new Uint8Array(0)

/** Unwinds @ethereumjs/evm; never leaves the adapter. */
class Abort extends Error {
  override readonly name = 'Blockloom.Abort'
}

/** Where a transaction stands: `call` from the first message to its end. */
export type Phase = 'before' | 'call' | 'after' | 'end'

/** What a run of transactions says to the state about the one that begins. */
export interface Beginning {
  readonly memory: TaskMemory
  /** 20 bytes and the nonce it claims, for a transaction; an end of the block has none. */
  readonly sender?: Uint8Array
  readonly nonce?: bigint
}

/** What holds for a block. */
export interface BlockView {
  readonly spuriousDragon: boolean
  /** Record of the fee recipient. */
  readonly feeRecipient: number
}

export class LocationStateManager implements StateManagerInterface {
  memory!: TaskMemory
  phase: Phase = 'end'
  /** Why the incarnation cannot be finished; undefined while it can. */
  aborted: Outcome | undefined
  /** What a `Fault` was about. */
  fault: { readonly fault: number; readonly message: string } = { fault: Fault.None, message: '' }
  readonly accounts = new Map<string, Held>()
  readonly isView: (account: unknown) => boolean
  /** Whether an account that is put after the call is so for the fee, which is no write (machine.ts). */
  takesFee: ((held: Held) => boolean) | undefined
  /** Who was paid the fee, once it was. */
  #paid: Held | undefined

  readonly #packages: Packages
  readonly #createView: CreateView
  readonly #emptyHash: Uint8Array
  readonly #codes = new Map<string, Uint8Array>()
  readonly #coldWait = new ColdWait()
  /** What undoes a change, oldest first; and how many there were at each open checkpoint. */
  #undo: (() => void)[] = []
  #checkpoints: number[] = []
  #block: BlockView = { spuriousDragon: true, feeRecipient: 0 }
  #sender = ''
  #nonce = 0n
  readonly #words = new Int32Array(8)
  readonly #key = new Int32Array(8)
  readonly #address = new Int32Array(5)

  constructor(packages: Packages) {
    this.#packages = packages
    this.#emptyHash = packages.util.KECCAK256_NULL
    const { create, isView } = viewsOf(packages, this)
    this.#createView = create
    this.isView = isView
  }

  beginBlock(block: BlockView): void {
    this.#block = block
    this.#coldWait.beginRun()
    this.forget()
  }

  /** Takes the next incarnation; nothing of the one before is left. */
  begin({ memory, sender, nonce }: Beginning): void {
    this.forget()
    this.memory = memory
    this.phase = sender === undefined ? 'end' : 'before'
    this.#sender = sender === undefined ? '' : this.#packages.util.bytesToHex(sender)
    this.#nonce = nonce ?? 0n
    this.#coldWait.begin()
  }

  /** Drops everything of an incarnation. */
  forget(): void {
    this.accounts.clear()
    this.#undo = []
    this.#checkpoints = []
    this.aborted = undefined
    this.takesFee = undefined
    this.#paid = undefined
  }

  /** Open checkpoints: none between transactions. */
  get depth(): number {
    return this.#checkpoints.length
  }

  /** Begins another transaction of the same place (an end of the block has several): original values are today's. */
  nextTransaction(): void {
    for (const held of this.accounts.values()) for (const slot of held.slots.values()) slot.original = slot.current
    this.#undo = []
    this.#checkpoints = []
  }

  abort(outcome: Outcome): never {
    this.aborted ??= outcome
    throw new Abort('a value is not there yet; do not catch this')
  }

  failWith(fault: number, message: string): never {
    if (this.aborted === undefined) this.fault = { fault, message }
    return this.abort(Outcome.Fault)
  }

  // ---- accounts ----

  observeBalance(held: Held): void {
    if (held.balanceObserved || held.balanceIsSet) return
    if (!held.balanceIsExact) {
      // With `exact` the fold has failed for good: a lower place is about to write here.
      this.abort(this.memory.exact ? Outcome.Blocked : Outcome.Restart)
    }
    held.balanceObserved = true
  }

  async getAccount(address: Address): Promise<Account | undefined> {
    const held = await this.holdWarm(address)
    // The clearing of touched accounts asks whether the fee recipient is empty, which its fee alone decides.
    if (held === this.#paid && this.phase === 'after') return new this.#packages.util.Account(1n)
    if (!this.#block.spuriousDragon) return held.exists ? this.#view(held) : undefined
    // Authorities of EIP-7702 are looked up before the call, and their existence counts.
    if (this.phase === 'before' && keyOf(address) !== this.#sender) {
      const view = this.#createView(held, false)
      return view.isEmpty() ? undefined : view
    }
    // A destroyed account is gone for good; an empty one is as good as absent to whoever asks `isEmpty`.
    return held.destroyed && held.balance === 0n ? undefined : this.#view(held)
  }

  #view(held: Held): AccountView {
    return this.#createView(held, this.phase === 'before' || this.phase === 'after')
  }

  async putAccount(address: Address, account?: Account): Promise<void> {
    if (account === undefined) return this.deleteAccount(address)
    const held = this.hold(address)
    if (this.phase === 'after' && this.#paid === undefined && this.takesFee?.(held) === true) {
      this.#paid = held
      return
    }
    const isView = this.isView(account)
    const view = account as AccountView
    const balance = isView ? view.plainBalance : account.balance
    const nonce = isView ? view.plainNonce : account.nonce
    const codeHash = isView ? view.plainCodeHash : account.codeHash
    if (!isView) {
      // Whoever puts an account of its own making replaces what is there.
      held.nonceObserved = true
      this.observeBalance(held)
    }
    const before = { balance: held.balance, nonce: held.nonce, codeHash: held.codeHash, exists: held.exists }
    if (balance === before.balance && nonce === before.nonce && codeHash === before.codeHash && before.exists) return
    this.#undo.push(() => Object.assign(held, before))
    held.balance = balance
    held.nonce = nonce
    held.codeHash = codeHash
    if (!this.#block.spuriousDragon || balance > 0n || nonce > 0n) held.exists = true
  }

  /** Adds to a balance without observing it, and touches the account. */
  credit(held: Held, amount: bigint): void {
    held.balance += amount
    held.exists ||= !this.#block.spuriousDragon || amount > 0n
  }

  async deleteAccount(address: Address): Promise<void> {
    const held = this.hold(address)
    // The clearing of touched accounts asks for what is empty already.
    if (this.#block.spuriousDragon && this.#isEmpty(held)) {
      if (held.exists) this.#change(held, { exists: false })
      return
    }
    this.#change(held, {
      balance: 0n,
      balanceIsSet: true,
      nonce: 0n,
      nonceObserved: held.nonceObserved,
      codeHash: this.#emptyHash,
      code: undefined,
      exists: false,
      cleared: true,
      destroyed: true,
      slots: new Map(),
    })
  }

  #isEmpty(held: Held): boolean {
    return held.balance === 0n && held.nonce === 0n && held.codeHash === this.#emptyHash
  }

  async modifyAccountFields(address: Address, fields: AccountFields): Promise<void> {
    const held = this.hold(address)
    const view = this.#createView(held, true)
    if (fields.balance !== undefined) view.balance = fields.balance
    if (fields.nonce !== undefined) {
      held.nonceObserved = true
      view.nonce = fields.nonce
    }
    if (fields.codeHash !== undefined) view.codeHash = fields.codeHash
    // A balance that is set, whatever it was, hangs on what it was: the difference is what is published.
    if (fields.balance !== undefined) this.observeBalance(held)
    await this.putAccount(address, view)
  }

  // ---- code ----

  async putCode(address: Address, value: Uint8Array): Promise<void> {
    const held = this.hold(address)
    const codeHash = value.length === 0 ? this.#emptyHash : keccak_256(value)
    this.#change(held, { code: value, codeHash, exists: true })
  }

  async getCode(address: Address): Promise<Uint8Array> {
    const held = await this.holdWarm(address)
    if (held.codeHash === this.#emptyHash) return NOTHING
    if (held.code !== undefined) return held.code
    const [offset, bytes] = held.blockCode
    if (bytes > 0) return bytesOf(this.memory.engine, offset, bytes)
    const { util } = this.#packages
    const name = util.bytesToHex(held.codeHash)
    let code = this.#codes.get(name)
    if (code === undefined) {
      this.#words.set(new Int32Array(held.codeHash.slice().buffer))
      const at = findCode(this.memory.state, this.#words, 0)
      if (at === 0) this.failWith(Fault.MissingCode, name)
      code = bytesOf(this.memory.state, at + 1, this.memory.state[at])
      if (this.#codes.size >= MOST_CODES) this.#codes.clear()
      this.#codes.set(name, code)
    }
    return code
  }

  async getCodeSize(address: Address): Promise<number> {
    return (await this.getCode(address)).length
  }

  // ---- storage ----

  async getStorage(address: Address, key: Uint8Array): Promise<Uint8Array> {
    return this.#bytes((await this.#warmSlot(address, key)).current)
  }

  async putStorage(address: Address, key: Uint8Array, value: Uint8Array): Promise<void> {
    const slot = await this.#warmSlot(address, key)
    const before = slot.current
    const number = this.#packages.util.bytesToBigInt(value)
    if (number === before) return
    this.#undo.push(() => {
      slot.current = before
    })
    slot.current = number
  }

  async clearStorage(address: Address): Promise<void> {
    const held = this.hold(address)
    this.#change(held, { cleared: true, slots: new Map(), exists: true })
  }

  /** SSTORE's gas counts from what stood in a slot when the transaction began. */
  readonly originalStorageCache = {
    get: async (address: Address, key: Uint8Array): Promise<Uint8Array> =>
      this.#bytes((await this.#warmSlot(address, key)).original),
    clear: (): void => undefined,
  }

  /** As tries keep values: no leading zeros, nothing for zero. */
  #bytes(value: bigint): Uint8Array {
    return value === 0n ? NOTHING : this.#packages.util.bigIntToUnpaddedBytes(value)
  }

  /** The slot, its base value waited for a little where that is not here. */
  async #warmSlot(address: Address, key: Uint8Array): Promise<HeldSlot> {
    const held = await this.holdWarm(address)
    const name = this.#packages.util.bytesToUnprefixedHex(key)
    const known = held.slots.get(name)
    if (known !== undefined) return known
    this.#assertAlive()
    bigEndian(key, this.#key)
    const record = this.#record(this.memory.table.slot(held.record >> RECORD_SHIFT, this.#key, 0))
    if (this.#coldWait.mayWait(this.memory.state) && !held.cleared && held.generation === 0) {
      await this.#warmBase(record, Kind.Slot)
    }
    // A module may have asked for it twice at once.
    return held.slots.get(name) ?? this.#slot(held, name, record)
  }

  #slot(held: Held, name: string, record: number): HeldSlot {
    const { memory } = this
    let start = 0n
    if (!held.cleared) {
      const seen = memory.read(locationOf(record, Kind.Slot), Kind.Slot, held.generation)
      if (seen === Seen.Blocked) this.abort(Outcome.Blocked)
      if (seen === Seen.Base) start = toBigInt(memory.state, record + SlotRecord.Value)
      else if (seen > 0) start = toBigInt(memory.engine, seen)
    }
    const slot = { record, start, original: start, current: start }
    held.slots.set(name, slot)
    return slot
  }

  // ---- checkpoints ----

  async checkpoint(): Promise<void> {
    this.#checkpoints.push(this.#undo.length)
  }

  async commit(): Promise<void> {
    this.#checkpoints.pop()
  }

  async revert(): Promise<void> {
    const to = this.#checkpoints.pop() ?? 0
    for (let k = this.#undo.length - 1; k >= to; k--) this.#undo[k]?.()
    this.#undo.length = to
  }

  #change(held: Held, fields: Partial<Held>): void {
    const before: Partial<Record<keyof Held, unknown>> = {}
    for (const name of Object.keys(fields) as (keyof Held)[]) before[name] = held[name]
    this.#undo.push(() => Object.assign(held, before))
    Object.assign(held, fields)
  }

  // ---- what nobody asks of the state between two transactions of a block ----

  async getStateRoot(): Promise<Uint8Array> {
    // Receipts before Byzantium hold one; those are made elsewhere, from the differences of places.
    return new Uint8Array(32)
  }

  async setStateRoot(): Promise<void> {
    throw new Error('a state root cannot be set while a block runs')
  }

  async hasStateRoot(): Promise<boolean> {
    return false
  }

  clearCaches(): void {}

  shallowCopy(): StateManagerInterface {
    throw new Error('the state of a running transaction cannot be copied')
  }

  // ---- internals ----

  #assertAlive(): void {
    if (this.aborted !== undefined) throw new Abort('the incarnation was given up; do not catch this')
  }

  #record(found: number): number {
    if (found === FULL) throw new TableFull('the state has no room for another record')
    return found
  }

  /** As `hold`; an account whose base value is needed and not here is waited for a little. */
  async holdWarm(address: Address): Promise<Held> {
    if (this.#coldWait.mayWait(this.memory.state) && this.aborted === undefined && !this.accounts.has(keyOf(address))) {
      await this.#warmBase(this.#accountRecord(address), Kind.Life)
    }
    return this.hold(address)
  }

  /** What a lower place has written hides the base value. */
  async #warmBase(record: number, kind: Kind): Promise<void> {
    const { memory } = this
    if (memory.glance(locationOf(record, kind), kind) !== Seen.Base) return
    await this.#coldWait.for(memory.state, record)
  }

  #accountRecord(address: Address): number {
    new Uint8Array(this.#address.buffer).set(address.bytes)
    return this.#record(this.memory.table.account(this.#address, 0))
  }

  /** The account as this transaction holds it, read on first need. */
  hold(address: Address): Held {
    this.#assertAlive()
    const key = keyOf(address)
    const known = this.accounts.get(key)
    if (known !== undefined) return known
    const { memory } = this
    const { state, engine } = memory
    const record = this.#accountRecord(address)
    const seen = memory.read(locationOf(record, Kind.Life), Kind.Life, 0)
    if (seen === Seen.Blocked) this.abort(Outcome.Blocked)
    const from = seen === Seen.Base ? state : engine
    const at = seen === Seen.Base ? record + AccountRecord.Life : seen
    const generation = from[at + Life.Generation]
    const balanceIsExact = memory.fold(
      locationOf(record, Kind.Balance),
      this.#words,
      0,
      memory.exact ? Number.MAX_SAFE_INTEGER : FOLD_FOR_A_GUESS,
    )
    const isSender = key === this.#sender
    // The sender's nonce is what the transaction says: a predicate, so that one sender's transactions run side by side.
    const nonce = isSender && !memory.strict ? this.#nonce : this.#glanceNonce(record)
    const hasCode = !isZero8(from, at + Life.CodeHash)
    const codeHash = hasCode ? bytesOf(from, at + Life.CodeHash, 32) : this.#emptyHash
    // Before EIP-161 a fee, be it zero, brings its recipient into existence; but the fee of the transaction that
    // destroyed it, the one right below where its generation is this place, went with it.
    const { spuriousDragon, feeRecipient } = this.#block
    const paid = !spuriousDragon && record === feeRecipient && memory.place > 1 && generation !== memory.place
    const exists = paid || from[at + Life.Exists] !== 0
    // Who is absent has nothing, whatever the guess says: it may be older than the life that was read, and a delta
    // counts from what the EVM was told.
    const balance = spuriousDragon || exists ? toBigInt(this.#words, 0) : 0n
    const held: Held = {
      address: address.bytes,
      record,
      life: seen,
      existed: from[at + Life.Exists] !== 0,
      generation,
      stored: !hasCode && generation === 0 && hasStorage(state, record),
      startCodeHash: codeHash,
      blockCode: seen === Seen.Base ? [0, 0] : [from[at + Life.CodeOffset], from[at + Life.CodeBytes]],
      startNonce: nonce,
      startBalance: balance,
      balanceIsExact,
      nonceObserved: isSender,
      nonceNotZero: false,
      balanceObserved: false,
      bound: 0n,
      nonce,
      balance,
      balanceIsSet: false,
      codeHash,
      code: undefined,
      exists,
      cleared: false,
      destroyed: false,
      slots: new Map(),
    }
    this.accounts.set(key, held)
    return held
  }

  #glanceNonce(record: number): bigint {
    const { memory } = this
    const seen = memory.glance(locationOf(record, Kind.Nonce), Kind.Nonce)
    return seen === Seen.Base
      ? toBigInt(memory.state, record + AccountRecord.Nonce, 2)
      : toBigInt(memory.engine, seen, 2)
  }
}

/** A copy of `length` bytes that begin at the word `at`. */
const bytesOf = (words: Words, at: number, length: number): Uint8Array =>
  new Uint8Array(words.buffer, words.byteOffset + 4 * at, length).slice()

/** A big-endian number of up to 32 bytes as words, low word first. */
const bigEndian = (bytes: Uint8Array, words: Words): void => {
  words.fill(0)
  for (let k = 0; k < bytes.length; k++) {
    const place = bytes.length - 1 - k
    words[place >> 2] |= bytes[k] << ((place & 3) * 8)
  }
}
