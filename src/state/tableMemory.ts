/**
 * The shared memory of a state: header, indexes, records, codes (codeStore.ts); and what main does to it between runs.
 *
 * Indexes grow by being written anew at the end of the memory; records never move, so ids stay good.
 */

import { CapacityError, InvalidInputError } from '../core/errors.ts'
import { removeKey, removeKeysFrom } from '../core/keyOrder.ts'
import {
  AccountRecord,
  BytesRecord,
  Kind,
  locationOf,
  RECORD_SHIFT,
  RECORD_WORDS,
  SlotRecord,
  Tag,
  WATCHED,
} from '../core/location.ts'
import { badOption } from '../core/options.ts'
import { reserve } from '../core/reserve.ts'
import type { SharedState } from '../core/stateMemory.ts'
import { chainOf, FULL, hashAddress, hashSlot, LocationTable, StateHeader } from '../core/table.ts'
import { CodeStore } from './codeStore.ts'

type Words = Int32Array

const DEFAULT_BYTES = 2 ** 30
/** Entries of an index when a state is made; a power of two. */
const FIRST_INDEX = 1 << 12
/** Records that main takes room for at a time. */
const SPARE_RECORDS = 32

let states = 0

/** Forgets what was written to a record's locations, and that they were watched. */
const clearHeads = (w: Words, r: number): void => {
  for (const kind of w[r] === Tag.Slot ? [Kind.Slot] : [Kind.Balance, Kind.Nonce, Kind.Life]) {
    w[locationOf(r, kind)] = 0
    w[r + WATCHED[kind]] = 0
  }
}

export class TableMemory implements SharedState {
  readonly id = ++states
  /** @internal */
  readonly memory: WebAssembly.Memory
  /** @internal */
  readonly words: Words
  /** @internal */
  readonly table: LocationTable
  /** @internal */
  protected readonly codes: CodeStore
  /** What keeps everybody else away, and what to wait for; undefined where nothing does. */
  #busy: string | undefined
  #counts: readonly [accounts: number, slots: number] = [0, 0]
  /** Records for main to insert between runs: all zeros, counted in both indexes. */
  #spare: number[] = []

  constructor(maxBytes = DEFAULT_BYTES) {
    if (!Number.isInteger(maxBytes) || maxBytes < 1 << 20 || maxBytes > 2 ** 32) {
      throw badOption('maxBytes', `maxBytes is not from 1 MiB to 4 GiB: ${maxBytes}`)
    }
    this.memory = reserve(maxBytes, typeof SharedArrayBuffer !== 'undefined')
    this.words = new Int32Array(this.memory.buffer)
    this.codes = new CodeStore(this.words, {
      take: (count) => this.#take(count),
      takeInRun: (count) => this.table.reserve(count),
      full: (wanted) => this.full(wanted),
    })
    this.#layOut()
    this.table = new LocationTable(this.words)
  }

  /** Writes the header and takes room for the first indexes. */
  #layOut(): void {
    const w = this.words
    w[StateHeader.Next] = (StateHeader.Start + RECORD_WORDS - 1) & ~(RECORD_WORDS - 1)
    w[StateHeader.AccountIndex] = this.#take(FIRST_INDEX)
    w[StateHeader.AccountMask] = FIRST_INDEX - 1
    w[StateHeader.SlotIndex] = this.#take(FIRST_INDEX)
    w[StateHeader.SlotMask] = FIRST_INDEX - 1
    this.codes.layOut()
  }

  /**
   * Removes everything, as if the state were new. Its memory stays, and pages that were used stay committed.
   *
   * Cost: what was used is overwritten with zeros. For many small states one after another this is the cheap way: a new
   * state commits pages anew, and nobody tells the collector how large the old one's memory is (docs/performance.md).
   *
   * @throws {InvalidInputError} STATE_BUSY while a run reads the state
   */
  clear(): void {
    this.assertIdle('clear')
    const w = this.words
    const generation = w[StateHeader.Generation] + 1
    this.erase(Math.min(w[StateHeader.Next], w.length))
    w[StateHeader.Generation] = generation
    this.#spare = []
    this.#layOut()
    this.table.begin()
  }

  /** Writes zeros to all words before `end` that may be others. */
  protected erase(end: number): void {
    this.words.fill(0, 0, end)
  }

  // ---- runs ----

  open(records: number): void {
    this.assertIdle('use')
    const w = this.words
    this.#fit(StateHeader.AccountIndex, w[StateHeader.AccountCount] + records)
    this.#fit(StateHeader.SlotIndex, w[StateHeader.SlotCount] + records)
    w[StateHeader.RunStart] = w[StateHeader.Next]
    this.table.begin()
    this.#counts = [w[StateHeader.AccountCount], w[StateHeader.SlotCount]]
    this.#busy = 'while a run uses it; await the run first'
  }

  close(inserted: readonly number[]): void {
    const w = this.words
    for (const head of inserted) {
      for (let r = head; r !== 0; ) {
        const next = w[r + chainOf(w[r])]
        this.#unlink(r)
        r = next
      }
    }
    this.#rollBack()
  }

  scrub(): void {
    const w = this.words
    for (const index of [StateHeader.AccountIndex, StateHeader.SlotIndex]) {
      for (let at = w[index]; at <= w[index] + w[index + 1]; at++) {
        const r = w[at] << RECORD_SHIFT
        // Busy words were left by a worker that died while it inserted.
        if (w[at] < 0 || r >= w[StateHeader.RunStart]) w[at] = 0
        else if (w[at] !== 0) clearHeads(w, r)
      }
    }
    removeKeysFrom(w, w[StateHeader.RunStart])
    this.#rollBack()
  }

  /** Gives back what the run took of the memory. */
  #rollBack(): void {
    const w = this.words
    w.fill(0, w[StateHeader.RunStart], Math.min(w[StateHeader.Next], w.length))
    w[StateHeader.Next] = w[StateHeader.RunStart]
    w[StateHeader.AccountCount] = this.#counts[0]
    w[StateHeader.SlotCount] = this.#counts[1]
    // The chunk of records that main's own table took in the run is given back too: records of later runs would lie in
    // it.
    this.table.begin()
    this.release()
  }

  grow(): void {
    this.assertIdle('grow')
    this.#enlarge(StateHeader.AccountIndex)
    this.#enlarge(StateHeader.SlotIndex)
    this.table.begin()
  }

  /** @throws {InvalidInputError} STATE_BUSY while a run reads the state */
  protected assertIdle(what: string): void {
    if (this.#busy !== undefined) {
      throw new InvalidInputError('STATE_BUSY', `cannot ${what} a state ${this.#busy}`, { what })
    }
  }

  /** Keeps runs and changes away until `release`, as a run does. */
  protected hold(): void {
    this.#busy = 'while it is being advanced; await `apply` first'
  }

  /** Ends `hold`, or a run. */
  protected release(): void {
    this.#busy = undefined
  }

  // ---- records ----

  /**
   * Runs an insertion of one record at most, growing the indexes as often as it finds them full.
   *
   * @param keyRoom - where the key is to lie if it does not fit into its record; 0 for fresh words
   */
  protected insert(find: (table: LocationTable) => number, keyRoom = 0): number {
    this.assertIdle('change')
    const w = this.words
    if (w[StateHeader.AccountCount] * 2 > w[StateHeader.AccountMask]) this.#enlarge(StateHeader.AccountIndex)
    if (w[StateHeader.SlotCount] * 2 > w[StateHeader.SlotMask]) this.#enlarge(StateHeader.SlotIndex)
    if (this.#spare.length === 0) this.#makeSpare()
    // Without room for one it may still be that there is nothing to insert.
    const record = this.#spare.at(-1) ?? 0
    this.table.lend(record, keyRoom)
    try {
      const r = find(this.table)
      if (r === FULL) throw this.full(RECORD_WORDS)
      if (r === record) this.#spare.pop()
      return r
    } finally {
      this.table.lend(0, 0)
    }
  }

  /**
   * Takes a byte-string record out of its index and the order of keys, and makes it one for later insertions. Its id is of
   * another key afterwards, or of none.
   */
  protected drop(r: number): void {
    this.assertIdle('change')
    removeKey(this.words, r)
    this.#close(r)
    this.words.fill(0, r, r + RECORD_WORDS)
    this.#spare.push(r)
  }

  /** Takes words that stay. */
  protected reserve(count: number): number {
    return this.#take(count)
  }

  /** As `reserve`; 0 where there is no room. */
  protected fresh(count: number): number {
    const at = this.words[StateHeader.Next]
    const aligned = (count + RECORD_WORDS - 1) & ~(RECORD_WORDS - 1)
    if (at + aligned > this.words.length) return 0
    this.words[StateHeader.Next] = at + aligned
    return at
  }

  /** What says that there is no room for so many words. */
  protected full(wanted: number): CapacityError {
    return new CapacityError(
      'CAPACITY',
      `the state is full: ${this.words.length * 4} bytes are reserved; raise maxBytes`,
      {
        limit: this.words.length * 4,
        actual: (this.words[StateHeader.Next] + wanted) * 4,
      },
    )
  }

  /**
   * Account records, in no order that means anything. The index is taken at the start: what is put later may be missed.
   */
  protected *accountRecords(): Generator<number> {
    const w = this.words
    const from = w[StateHeader.AccountIndex]
    const end = from + w[StateHeader.AccountMask] + 1
    for (let at = from; at < end; at++) if (w[at] !== 0) yield w[at] << RECORD_SHIFT
  }

  // ---- internals ----

  #take(count: number): number {
    const at = this.fresh(count)
    if (at === 0) throw this.full(count)
    return at
  }

  /** Takes room for some records, where there is any. */
  #makeSpare(): void {
    const at = this.fresh(SPARE_RECORDS * RECORD_WORDS)
    if (at === 0) return
    // Counted for both indexes, as a worker's chunk is.
    this.words[StateHeader.AccountCount] += SPARE_RECORDS
    this.words[StateHeader.SlotCount] += SPARE_RECORDS
    for (let k = SPARE_RECORDS - 1; k >= 0; k--) this.#spare.push(at + k * RECORD_WORDS)
  }

  /** Enlarges an index until `records` fill at most half of it. */
  #fit(index: number, records: number): void {
    while (records * 2 > this.words[index + 1] + 1) this.#enlarge(index)
  }

  /** Writes an index anew with four times the room. The mask follows the offset in the header. */
  #enlarge(index: number): void {
    const w = this.words
    const from = w[index]
    const size = w[index + 1] + 1
    const to = this.#take(size * 4)
    w[index] = to
    w[index + 1] = size * 4 - 1
    for (let k = 0; k < size; k++) {
      const id = w[from + k]
      if (id === 0) continue
      let probe = this.#hash(id << RECORD_SHIFT) & w[index + 1]
      while (w[to + probe] !== 0) probe = (probe + 1) & w[index + 1]
      w[to + probe] = id
    }
    this.table.begin()
  }

  #hash(r: number): number {
    const w = this.words
    if (w[r] === Tag.Account) return hashAddress(w, r + AccountRecord.Address)
    if (w[r] === Tag.Slot) return hashSlot(w[r + SlotRecord.Account], w, r + SlotRecord.Key)
    return w[r + BytesRecord.Hash]
  }

  /** Takes one record out of its index, and moves those behind it up that would not be found past a gap. */
  #close(r: number): void {
    const w = this.words
    const index = w[StateHeader.SlotIndex]
    const mask = w[StateHeader.SlotMask]
    let gap = this.#hash(r) & mask
    while (w[index + gap] !== r >> RECORD_SHIFT) gap = (gap + 1) & mask
    for (let probe = (gap + 1) & mask; w[index + probe] !== 0; probe = (probe + 1) & mask) {
      const home = this.#hash(w[index + probe] << RECORD_SHIFT) & mask
      if (((probe - home) & mask) < ((probe - gap) & mask)) continue
      w[index + gap] = w[index + probe]
      gap = probe
    }
    w[index + gap] = 0
  }

  /** Takes a record of a run out of its index. Zeros on its path may be records that went before it in the same sweep. */
  #unlink(r: number): void {
    const w = this.words
    const index = w[r] === Tag.Account ? StateHeader.AccountIndex : StateHeader.SlotIndex
    const mask = w[index + 1]
    const id = r >> RECORD_SHIFT
    let probe = this.#hash(r) & mask
    while (w[w[index] + probe] !== id) probe = (probe + 1) & mask
    w[w[index] + probe] = 0
    if (w[r] === Tag.Bytes) removeKey(w, r)
  }
}
