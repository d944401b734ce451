/**
 * What one incarnation knows of the keys that it met, and what it did to them: a slot each.
 *
 * Slots are used again by the next incarnation. A key that is used twice in a row is found by its text; any other is
 * looked up in the table of records, as bytes: an index word and the record, which a read needs anyway, where a Map of
 * texts would touch more memory than that.
 *
 * Cost: a new key is its characters, a hash and a look into the table; no allocation once there are slots enough.
 */
import { KeyBuffer } from '../../core/bytes.ts'
import { FULL, type LocationTable, TableFull } from '../../core/table.ts'

type Words = Int32Array

/** What an incarnation knows of a key and did to it. */
export interface Slot {
  record: number
  /** The text by which it was met first. */
  key: string
  /** Where the value below was found: its length is `Unread`, -1 for none, or bytes. */
  seenIn: Words
  seenLength: number
  seenAt: number
  /** The value after, if `Written`; length -1 for deleted. */
  written: boolean
  length: number
  at: number
  /** Operations not yet applied: code, length, offset each. */
  readonly operations: number[]
}

export const UNREAD = -2
/** Slots up to which a scan beats a map. */
const FEW = 12
/** Slots that are looked through by text. */
const NEAR = 4

const noWords = new Int32Array(0)
/** Of this thread: a key is packed and looked up at once. */
const packed = new KeyBuffer()

export class Slots {
  readonly #slots: Slot[] = []
  readonly #byRecord = new Map<number, Slot>()
  #count = 0

  /** Begins an incarnation, which has met no key. */
  begin(): void {
    if (this.#count > FEW) this.#byRecord.clear()
    this.#count = 0
  }

  get count(): number {
    return this.#count
  }

  at(k: number): Slot {
    return this.#slots[k] as Slot
  }

  /** The slot of a key, made where the key is new. */
  of(key: string, table: LocationTable): Slot {
    const near = Math.min(this.#count, NEAR)
    for (let k = 0; k < near; k++) {
      const slot = this.#slots[k] as Slot
      if (slot.key === key) return slot
    }
    const { words, bytes } = packed.set(key)
    const record = table.bytes(words, 0, bytes)
    if (record === FULL) throw new TableFull('the state has no room for another key')
    return this.find(record) ?? this.#make(record, key)
  }

  /** The slot of a record, if its key was met. */
  find(record: number): Slot | undefined {
    if (this.#count > FEW) return this.#byRecord.get(record)
    for (let k = 0; k < this.#count; k++) {
      const slot = this.#slots[k] as Slot
      if (slot.record === record) return slot
    }
    return undefined
  }

  #make(record: number, key: string): Slot {
    let slot = this.#slots[this.#count]
    if (slot === undefined) {
      slot = {
        record,
        key,
        seenIn: noWords,
        seenLength: UNREAD,
        seenAt: 0,
        written: false,
        length: 0,
        at: 0,
        operations: [],
      }
      this.#slots.push(slot)
    }
    slot.record = record
    slot.key = key
    slot.seenLength = UNREAD
    slot.written = false
    // The setter of a length is a call into the runtime, also where nothing changes.
    if (slot.operations.length > 0) slot.operations.length = 0
    this.#count++
    if (this.#count === FEW + 1) for (let k = 0; k <= FEW; k++) this.#byRecord.set(this.at(k).record, this.at(k))
    else if (this.#count > FEW) this.#byRecord.set(record, slot)
    return slot
  }
}
