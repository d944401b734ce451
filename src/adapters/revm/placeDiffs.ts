/**
 * The difference that each place made, in the order of the block: what a root after each transaction is computed from.
 *
 * Needs a run that kept every place's writes (`Control.KeepVersions`). Walks the places once, with the value of each
 * location before the place at hand. Main thread, after the run, outside every measured time.
 */
import type { AccountDiff, Hex, StateDiff } from '../../core/diff.ts'
import { hexOf, wordHex } from '../../core/hex.ts'
import { Control, Entry, Place } from '../../core/layout.ts'
import { AccountRecord, Kind, Life, locationOf, RECORD_SHIFT, recordOf, SlotRecord, Tag } from '../../core/location.ts'
import { EMPTY_CODE_HASH } from '../../core/packedDiff.ts'
import { add256, equal, isZero8, toBigInt } from '../../core/words.ts'
import { bytesAt } from './result.ts'

type Words = Int32Array

/** What one place changed. */
export interface PlaceDiff {
  /** 0 the prologue, 1 to n the transactions, n + 1 the epilogue. */
  readonly place: number
  /** Applied to the state after the place before. */
  readonly stateDiff: StateDiff
}

/** Where a value stands. */
interface Value {
  readonly words: Words
  readonly at: number
}

/** A slot's value, and the place that wrote it (-1: the base). */
interface SlotValue extends Value {
  readonly place: number
}

/** An account between two places. */
interface Account {
  balance: Value
  nonce: Value
  life: Value
  exists: boolean
}

/** Location and value of each write, by place. */
type Writes = ReadonlyMap<number, readonly (readonly [location: number, at: number])[]>

/**
 * The differences of all places that had work, in order.
 *
 * @param chains - heads of the chains of first entries
 * @param feeRecipient - record of the account that is paid by every transaction
 */
export const collectPlaceDiffs = (
  engine: Words,
  state: Words,
  chains: readonly number[],
  spuriousDragon: boolean,
  feeRecipient: number,
): PlaceDiff[] => {
  const walk = new Walk(engine, state, spuriousDragon, feeRecipient)
  const writes = writesByPlace(engine, state, chains)
  const diffs: PlaceDiff[] = []
  for (let place = engine[Control.FirstPlace]; place <= engine[Control.LastPlace]; place++) {
    diffs.push({ place, stateDiff: walk.step(place, writes.get(place) ?? []) })
  }
  return diffs
}

const writesByPlace = (engine: Words, state: Words, chains: readonly number[]): Writes => {
  const locations = new Set<number>()
  for (const head of chains) {
    for (let entry = head; entry !== 0; entry = engine[entry + Entry.Chain])
      locations.add(engine[entry + Entry.Location])
  }
  const writes = new Map<number, [number, number][]>()
  for (const location of locations) {
    for (let entry = state[location]; entry !== 0; entry = engine[entry + Entry.Next]) {
      if (engine[entry + Entry.Record] === 0) continue
      const place = engine[entry + Entry.Place]
      const list = writes.get(place) ?? []
      if (list.length === 0) writes.set(place, list)
      list.push([location, (engine[entry + Entry.Record] >> 1) + 1])
    }
  }
  return writes
}

class Walk {
  readonly #engine: Words
  readonly #state: Words
  readonly #spuriousDragon: boolean
  readonly #feeRecipient: number
  readonly #accounts = new Map<number, Account>()
  readonly #slots = new Map<number, SlotValue>()

  constructor(engine: Words, state: Words, spuriousDragon: boolean, feeRecipient: number) {
    this.#engine = engine
    this.#state = state
    this.#spuriousDragon = spuriousDragon
    this.#feeRecipient = feeRecipient
  }

  /** The difference that `place` made by its writes and its fee. */
  step(place: number, writes: readonly (readonly [number, number])[]): StateDiff {
    const { before, slots } = this.#takeWrites(writes)
    const isTransaction = place > 0 && place <= this.#engine[Control.Places]
    if (isTransaction) this.#pay(place, before)
    const codes = new Map<Hex, Uint8Array>()
    const accounts: AccountDiff[] = []
    for (const [record, old] of before) {
      const paid = isTransaction && record === this.#feeRecipient
      const diff = this.#describe(place, record, old, slots.get(record) ?? [], codes, paid)
      if (diff !== undefined) accounts.push(diff)
    }
    accounts.sort((a, b) => (a.address < b.address ? -1 : 1))
    return { accounts, codes }
  }

  /** Takes a place's writes over; returns the accounts as they were before, and what became of slots. */
  #takeWrites(writes: readonly (readonly [number, number])[]) {
    const before = new Map<number, Account>()
    const slots = new Map<number, [slot: number, at: number][]>()
    const remember = (record: number): Account => {
      const account = this.#account(record)
      if (!before.has(record)) before.set(record, { ...account })
      return account
    }
    for (const [location, at] of writes) {
      const record = recordOf(location)
      const value = { words: this.#engine, at }
      if (this.#state[record] === Tag.Slot) {
        const owner = this.#state[record + SlotRecord.Account] << RECORD_SHIFT
        remember(owner)
        const list = slots.get(owner) ?? []
        if (list.length === 0) slots.set(owner, list)
        list.push([record, at])
        continue
      }
      const account = remember(record)
      if (location === locationOf(record, Kind.Balance)) account.balance = value
      else if (location === locationOf(record, Kind.Nonce)) account.nonce = value
      else account.life = value
    }
    return { before, slots }
  }

  /** Adds a transaction's fee to its recipient, which it touches even where it is zero. */
  #pay(place: number, before: Map<number, Account>): void {
    const account = this.#account(this.#feeRecipient)
    if (!before.has(this.#feeRecipient)) before.set(this.#feeRecipient, { ...account })
    const fee = this.#engine[Control.PlaceTable] + place * Place.Size + Place.Dense
    if (isZero8(this.#engine, fee)) return
    const sum = new Int32Array(8)
    add256(sum, 0, account.balance.words, account.balance.at, this.#engine, fee)
    account.balance = { words: sum, at: 0 }
  }

  #account(record: number): Account {
    let account = this.#accounts.get(record)
    if (account === undefined) {
      const words = this.#state
      account = {
        balance: { words, at: record + AccountRecord.Balance },
        nonce: { words, at: record + AccountRecord.Nonce },
        life: { words, at: record + AccountRecord.Life },
        exists: words[record + AccountRecord.Life + Life.Exists] !== 0,
      }
      this.#accounts.set(record, account)
    }
    return account
  }

  #describe(
    place: number,
    record: number,
    old: Account,
    slots: readonly (readonly [number, number])[],
    codes: Map<Hex, Uint8Array>,
    paid: boolean,
  ): AccountDiff | undefined {
    const account = this.#account(record)
    const { balance, nonce, life } = account
    const wroteLife = life !== old.life
    const generation = life.words === this.#engine ? life.words[life.at + Life.Generation] : 0
    const cleared = generation === place + 1
    account.exists = this.#existsAfter(account, old, wroteLife, paid, cleared)
    const address = hexOf(bytesAt(this.#state, record + AccountRecord.Address, 20))
    const storage = this.#takeSlots(place, slots, cleared, old)
    if (!account.exists) {
      // What it had is said, for an access list lists it; who applies the difference needs no more than `deleted`.
      const lost = isZero8(old.balance.words, old.balance.at) ? {} : { balance: 0n }
      return old.exists ? { address, ...lost, storage: new Map(), storageCleared: false, deleted: true } : undefined
    }
    const diff: { -readonly [Name in keyof AccountDiff]: AccountDiff[Name] } = {
      address,
      storage,
      storageCleared: old.exists && cleared,
      deleted: false,
    }
    if (!same(balance, old.balance, 8)) diff.balance = toBigInt(balance.words, balance.at)
    if (!same(nonce, old.nonce, 2)) diff.nonce = toBigInt(nonce.words, nonce.at, 2)
    if (!same(life, old.life, 8)) {
      diff.codeHash = isZero8(life.words, life.at) ? EMPTY_CODE_HASH : hexOf(bytesAt(life.words, life.at, 32))
      const bytes = life.words === this.#engine ? life.words[life.at + Life.CodeBytes] : 0
      if (bytes > 0) codes.set(diff.codeHash, bytesAt(this.#engine, life.words[life.at + Life.CodeOffset], bytes))
    }
    // As in the block's difference: an empty account that came to exist is said so.
    const silent = diff.balance === undefined && diff.nonce === undefined
    if (!this.#spuriousDragon && !old.exists && silent) diff.balance = 0n
    const changed = diff.balance !== undefined || diff.nonce !== undefined || diff.codeHash !== undefined
    return changed || diff.storageCleared || storage.size > 0 ? diff : undefined
  }

  /** Whether the account exists after the place, by the rules before or after EIP-161. */
  #existsAfter(account: Account, old: Account, wroteLife: boolean, paid: boolean, cleared: boolean): boolean {
    const { balance, nonce, life } = account
    const empty =
      isZero8(balance.words, balance.at) &&
      (nonce.words[nonce.at] | nonce.words[nonce.at + 1]) === 0 &&
      isZero8(life.words, life.at)
    if (!empty) return true
    if (this.#spuriousDragon) return old.exists && !wroteLife && !paid
    const alive = life.words[life.at + Life.Exists] !== 0
    if (wroteLife) return alive || (paid && !cleared)
    return old.exists || alive || paid
  }

  /** Takes a place's slots over and tells which changed. */
  #takeSlots(
    place: number,
    slots: readonly (readonly [number, number])[],
    cleared: boolean,
    old: Account,
  ): Map<Hex, Hex> {
    const changed: [Hex, Hex][] = []
    const floor = old.life.words === this.#engine ? old.life.words[old.life.at + Life.Generation] : 0
    for (const [slot, at] of slots) {
      const was = this.#slots.get(slot) ?? { words: this.#state, at: slot + SlotRecord.Value, place: -1 }
      const visible = !cleared && was.place + 1 >= floor
      const unchanged = visible ? equal(was.words, was.at, this.#engine, at, 8) : isZero8(this.#engine, at)
      if (!unchanged) changed.push([wordHex(this.#state, slot + SlotRecord.Key), wordHex(this.#engine, at)])
      this.#slots.set(slot, { words: this.#engine, at, place })
    }
    return new Map(changed.sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}

const same = (a: Value, b: Value, count: number): boolean => a === b || equal(a.words, a.at, b.words, b.at, count)
