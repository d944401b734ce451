/**
 * A state in memory that is filled as runs ask for it: what a run met and nobody has put is told afterwards.
 *
 * To a run what is not there is absent. So a run on a state that lacks something may be wrong; but it names what it met,
 * whoever owns the truth puts it, absent accounts and empty slots too, and the run is made again. A run that met nothing
 * new was right. Each repetition goes at least one read deeper, and all reads of one depth are asked for together.
 *
 * Not here: where values come from, and who repeats (executor).
 */
import type { Hex } from '../core/diff.ts'
import { hexOf, readHex, wordHex } from '../core/hex.ts'
import { AccountRecord, RECORD_SHIFT, RECORD_WORDS, SlotRecord, Tag } from '../core/location.ts'
import { StateHeader } from '../core/table.ts'
import { type BytesLike, MemoryState } from './memoryState.ts'

/** What runs met, without repetition. */
export interface Missed {
  readonly accounts: ReadonlySet<Hex>
  /** Keys of slots, 32 bytes each, by account. */
  readonly slots: ReadonlyMap<Hex, ReadonlySet<Hex>>
}

export class DemandState extends MemoryState {
  #accounts = new Set<Hex>()
  #slots = new Map<Hex, Set<Hex>>()

  /** What runs met since the last call and was not there. */
  takeMissed(): Missed {
    const missed = { accounts: this.#accounts, slots: this.#slots }
    this.#accounts = new Set()
    this.#slots = new Map()
    return missed
  }

  /** Notes that there is no such account, so that no run misses it. */
  putAbsent(address: BytesLike): void {
    const key = new Int32Array(readHex(address, 20, 'address').slice().buffer)
    this.insert((table) => table.account(key, 0))
  }

  override close(inserted: readonly number[]): void {
    this.#note()
    super.close(inserted)
  }

  override scrub(): void {
    this.#note()
    super.scrub()
  }

  override clear(): void {
    super.clear()
    this.takeMissed()
  }

  /** Records of the run are all that lies behind its start; room that nobody used is zero. */
  #note(): void {
    const w = this.words
    const end = Math.min(w[StateHeader.Next], w.length)
    const addressOf = (r: number): Hex =>
      hexOf(new Uint8Array(w.slice(r + AccountRecord.Address, r + AccountRecord.Address + 5).buffer))
    for (let r = w[StateHeader.RunStart]; r < end; r += RECORD_WORDS) {
      if (w[r] === Tag.Account) this.#accounts.add(addressOf(r))
      else if (w[r] === Tag.Slot) {
        const address = addressOf(w[r + SlotRecord.Account] << RECORD_SHIFT)
        const keys = this.#slots.get(address) ?? new Set()
        if (keys.size === 0) this.#slots.set(address, keys)
        keys.add(wordHex(w, r + SlotRecord.Key))
      }
    }
  }
}
