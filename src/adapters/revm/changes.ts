/**
 * What a block changed, from the chains of locations written to the words that a trie and a state take
 * (core/packedDiff.ts).
 *
 * Copies everything, so that the next run may reuse the memory. Main thread, after the run.
 */
import type { Hex, StateDiff } from '../../core/diff.ts'
import { hexOfWords } from '../../core/hex.ts'
import { Control, Entry } from '../../core/layout.ts'
import { AccountRecord, Kind, Life, locationOf, RECORD_SHIFT, recordOf, SlotRecord, Tag } from '../../core/location.ts'
import { ChangeList, diffOf } from '../../core/packedDiff.ts'
import { Change } from '../../core/stateRoot.ts'
import { equal, equal8, isZero8 } from '../../core/words.ts'
import { bytesAt } from './result.ts'

type Words = Int32Array

const ZEROS = new Int32Array(8)

/** The newest value of a location that was written, and its place; or its base value and -1. */
class Final {
  words: Words = ZEROS
  at = 0
  place = -1

  of(engine: Words, state: Words, location: number, base: number): this {
    let entry = state[location]
    while (entry !== 0 && engine[entry + Entry.Record] === 0) entry = engine[entry + Entry.Next]
    if (entry === 0) {
      this.words = state
      this.at = base
      this.place = -1
    } else {
      this.words = engine
      this.at = (engine[entry + Entry.Record] >> 1) + 1
      this.place = engine[entry + Entry.Place]
    }
    return this
  }
}

/**
 * What the block changed. `spuriousDragon` decides whether an empty account exists (EIP-161); `feeRecipient` is its record.
 *
 * @param chains - heads of the chains of first entries
 */
export const collectDiff = (
  engine: Words,
  state: Words,
  chains: readonly number[],
  spuriousDragon: boolean,
  feeRecipient: number,
): StateDiff => {
  const collector = new Collector(engine, state, spuriousDragon, feeRecipient)
  for (const head of chains) {
    for (let entry = head; entry !== 0; entry = engine[entry + Entry.Chain]) {
      const record = recordOf(engine[entry + Entry.Location])
      if (state[record] === Tag.Slot) collector.slot(record)
      else collector.account(record)
    }
  }
  // A fee touches its recipient even where it is zero (0: the block had no transaction).
  if (feeRecipient !== 0) collector.account(feeRecipient)
  return collector.diff()
}

class Collector {
  readonly #engine: Words
  readonly #state: Words
  readonly #spuriousDragon: boolean
  readonly #feeRecipient: number
  /** Accounts that were written, each with the slots that changed, or undefined where none did. */
  readonly #accounts = new Map<number, number[] | undefined>()
  readonly #touched = new Set<number>()
  readonly #codes = new Map<Hex, Uint8Array>()
  readonly #list = new ChangeList()
  readonly #balance = new Final()
  readonly #nonce = new Final()
  readonly #life = new Final()
  readonly #value = new Final()

  constructor(engine: Words, state: Words, spuriousDragon: boolean, feeRecipient: number) {
    this.#engine = engine
    this.#state = state
    this.#spuriousDragon = spuriousDragon
    this.#feeRecipient = feeRecipient
  }

  account(record: number): void {
    this.#touched.add(record)
    if (!this.#accounts.has(record)) this.#accounts.set(record, undefined)
  }

  /** Notes a slot that was written with its account, if its value changed. */
  slot(record: number): void {
    const state = this.#state
    const account = state[record + SlotRecord.Account] << RECORD_SHIFT
    const life = this.#lifeOf(account)
    const generation = life.place < 0 ? 0 : life.words[life.at + Life.Generation]
    const { words, at, place } = this.#valueOf(record)
    if (place < 0 || place + 1 < generation) return
    // After a clearing every value counts from zero, before it from the base.
    const unchanged = generation > 0 ? isZero8(words, at) : equal8(words, at, state, record + SlotRecord.Value)
    if (unchanged) return
    const slots = this.#accounts.get(account)
    if (slots === undefined) this.#accounts.set(account, [record])
    else slots.push(record)
  }

  diff(): StateDiff {
    const list = this.#list
    const state = this.#state
    for (const [record, slots] of this.#accounts) {
      list.account(state, record + AccountRecord.Address, slots === undefined ? 0 : slots.length)
      if (this.#touched.has(record)) this.#describe(record)
      if (list.isEmpty) {
        list.drop()
        continue
      }
      if (slots === undefined) continue
      for (const slot of slots) {
        const { words, at } = this.#valueOf(slot)
        list.slot(state, slot + SlotRecord.Key, words, at)
      }
    }
    return diffOf(list.end(), this.#codes)
  }

  #lifeOf(account: number): Final {
    const base = account + AccountRecord.Life
    return this.#life.of(this.#engine, this.#state, locationOf(account, Kind.Life), base)
  }

  #valueOf(slot: number): Final {
    return this.#value.of(this.#engine, this.#state, locationOf(slot, Kind.Slot), slot + SlotRecord.Value)
  }

  /** Adds what changed of an account besides its slots. */
  #describe(record: number): void {
    const engine = this.#engine
    const state = this.#state
    const list = this.#list
    const paid = record === this.#feeRecipient
    const base = record + AccountRecord.Life
    const baseBalance = record + AccountRecord.Balance
    const baseNonce = record + AccountRecord.Nonce
    const balance = this.#balance.of(engine, state, locationOf(record, Kind.Balance), baseBalance)
    const nonce = this.#nonce.of(engine, state, locationOf(record, Kind.Nonce), baseNonce)
    const life = this.#lifeOf(record)
    const existed = state[base + Life.Exists] !== 0
    const empty =
      isZero8(balance.words, balance.at) &&
      (nonce.words[nonce.at] | nonce.words[nonce.at + 1]) === 0 &&
      isZero8(life.words, life.at)
    const generation = life.words[life.at + Life.Generation]
    // A fee recipient that the last transaction destroyed took its fee along (adapter.ts).
    const last = engine[Control.Places]
    const burnt = life.place === last && generation === last + 1
    const alive = life.words[life.at + Life.Exists] !== 0 || (paid && !burnt)
    const exists = !empty || (this.#spuriousDragon ? life.place < 0 && existed && !paid : alive)
    if (!exists) {
      if (existed) list.mark(Change.Deleted)
      return
    }
    const hasNonce = !equal(nonce.words, nonce.at, state, baseNonce, 2)
    if (hasNonce) list.nonce(nonce.words, nonce.at)
    if (!equal8(balance.words, balance.at, state, baseBalance)) {
      list.field(Change.Balance, balance.words, balance.at)
    } else if (!this.#spuriousDragon && !existed && !hasNonce) {
      // Before EIP-161 a touched account exists though it is empty; say so even where no field changed.
      list.field(Change.Balance, ZEROS, 0)
    }
    if (!equal8(life.words, life.at, state, base)) {
      list.field(Change.Code, life.words, life.at)
      const bytes = life.place < 0 ? 0 : life.words[life.at + Life.CodeBytes]
      if (bytes > 0) {
        const code = bytesAt(engine, life.words[life.at + Life.CodeOffset], bytes)
        this.#codes.set(hexOfWords(life.words, life.at, 8), code)
      }
    }
    if (existed && life.place >= 0 && generation > 0) list.mark(Change.Cleared)
  }
}
