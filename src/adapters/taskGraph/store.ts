/**
 * What a task sees: byte strings and numbers by key, as one incarnation of it may know them.
 *
 * Reads go to the multi-version memory, writes stay here until the task returns, so a task reads what it
 * wrote. A read that meets a value not yet there throws a private signal; the store is poisoned from then on,
 * so a task that catches the signal cannot carry on with what it does not know.
 */
import { LRUCache } from 'lru-cache'
import { Predicate, Seen, type TaskMemory } from '../../core/contracts.ts'
import { BytesRecord, Kind, locationOf } from '../../core/location.ts'
import { FULL, TableFull } from '../../core/table.ts'
import { type Key, packBytes, unpackBytes } from '../../core/taskCodec.ts'
import { fromBigInt, toBigInt } from '../../core/words.ts'

/** The window on shared state that a task is given. Synchronous; valid until the task returns. */
export interface TaskStore {
  /** The bytes under `key`, or undefined. The array is the caller's own. */
  get(key: Key): Uint8Array | undefined
  has(key: Key): boolean
  /** Puts bytes; text is stored as UTF-8. */
  set(key: Key, value: Uint8Array | string): void
  delete(key: Key): void
  /** The number under `key`, 0 where none was added. Numbers and bytes under one key are apart. */
  number(key: Key): bigint
  /**
   * Adds to the number under `key` without reading it, so that tasks which only add never conflict. With
   * `atLeast`, the number before must reach it: otherwise nothing is added and the answer is false.
   * Numbers are from 0 to 2^256 - 1; a sum beyond is an error of the task.
   */
  add(key: Key, amount: bigint | number, atLeast?: bigint | number): boolean
}

const LIMIT = 1n << 256n
const HALF = 1n << 255n

/** Thrown to unwind a task; never leaves the library. */
class Unwind extends Error {
  override readonly name = 'Blockloom.Unwind'
}

interface Slot {
  readonly record: number
  /** Bytes written, null for deleted; undefined while only read or untouched. */
  written: Uint8Array | null | undefined
  /** Number: what was added so far, and the least start with which every check passed. */
  added: bigint
  bound: bigint
  /** The number at the start, once it was observed exactly. */
  observed: bigint | undefined
}

const text = new TextEncoder()

/** Text keys as bytes: tasks name the same few keys again and again. */
const keyBytes = new LRUCache<string, Uint8Array>({ max: 1 << 14 })

const bytesOf = (key: Key): Uint8Array => {
  if (typeof key !== 'string') return key
  let bytes = keyBytes.get(key)
  if (bytes === undefined) {
    bytes = text.encode(key)
    keyBytes.set(key, bytes)
  }
  return bytes
}

export class IncarnationStore implements TaskStore {
  #memory: TaskMemory
  #poisoned = false
  #ended = false
  readonly #slots = new Map<number, Slot>()
  #key = new Int32Array(64)
  readonly #number = new Int32Array(8)
  readonly #bound = new Int32Array(8)

  constructor(memory: TaskMemory) {
    this.#memory = memory
  }

  /** Begins an incarnation. */
  begin(memory: TaskMemory): void {
    this.#memory = memory
    this.#poisoned = false
    this.#slots.clear()
  }

  /** Refuses everything from now on: the task has settled. */
  end(): void {
    this.#ended = true
  }

  /** A value was not there: whatever the task made of it does not count. */
  get poisoned(): boolean {
    return this.#poisoned
  }

  get(key: Key): Uint8Array | undefined {
    const slot = this.#slot(key)
    if (slot.written !== undefined) return slot.written?.slice()
    const memory = this.#memory
    const seen = memory.read(locationOf(slot.record, Kind.Bytes), Kind.Bytes, 0)
    if (seen === Seen.Blocked) this.#unwind()
    const words = seen === Seen.Base ? memory.state : memory.engine
    const at = seen === Seen.Base ? slot.record + BytesRecord.Value : seen
    return words[at] < 0 ? undefined : unpackBytes(words, words[at + 1], words[at])
  }

  has(key: Key): boolean {
    return this.get(key) !== undefined
  }

  set(key: Key, value: Uint8Array | string): void {
    this.#slot(key).written = typeof value === 'string' ? text.encode(value) : value.slice()
  }

  delete(key: Key): void {
    this.#slot(key).written = null
  }

  number(key: Key): bigint {
    const slot = this.#slot(key)
    return this.#exact(slot) + slot.added
  }

  add(key: Key, amount: bigint | number, atLeast: bigint | number = 0): boolean {
    const slot = this.#slot(key)
    const change = BigInt(amount)
    const least = BigInt(atLeast)
    // A delta has a sign, so half the range each way; and where all below is final the truth is at hand.
    if (this.#memory.strict || change >= HALF || change <= -HALF || slot.added + change >= HALF) this.#exact(slot)
    // The start must be so large that the number now reaches `least` and does not fall below zero.
    const wanted = (least > -change ? least : -change) - slot.added
    if (wanted > 0n) {
      const guess = slot.observed ?? this.#guess(slot)
      if (guess === undefined || guess < wanted) {
        if (this.#exact(slot) < wanted) {
          if (least > this.#exact(slot) + slot.added) return false
          throw new RangeError('a number would fall below zero')
        }
      }
      if (wanted > slot.bound) slot.bound = wanted
    }
    if (slot.observed !== undefined && slot.observed + slot.added + change >= LIMIT) {
      throw new RangeError('a number would pass 2^256')
    }
    slot.added += change
    return true
  }

  /** Hands predicates and writes to the multi-version memory. The task has returned. */
  publish(): void {
    const memory = this.#memory
    for (const slot of this.#slots.values()) {
      this.#publishNumber(slot)
      if (slot.written === undefined) continue
      const value = this.#number
      value[0] = slot.written === null ? -1 : slot.written.length
      value[1] = 0
      if (slot.written !== null && slot.written.length > 0) {
        value[1] = memory.allocate((slot.written.length + 3) >> 2)
        packBytes(slot.written, memory.engine, value[1])
      }
      memory.write(locationOf(slot.record, Kind.Bytes), Kind.Bytes, value, 0)
    }
  }

  #publishNumber(slot: Slot): void {
    const memory = this.#memory
    const location = locationOf(slot.record, Kind.Balance)
    if (slot.observed !== undefined) {
      fromBigInt(slot.observed, this.#number, 0)
      memory.expect(location, Kind.Balance, Predicate.ValueEquals, this.#number, 0)
      if (slot.added === 0n) return
      fromBigInt(slot.observed + slot.added, this.#number, 0)
      memory.write(location, Kind.Balance, this.#number, 0)
    } else if (slot.added !== 0n) {
      fromBigInt(BigInt.asUintN(256, slot.added), this.#number, 0)
      fromBigInt(slot.bound, this.#bound, 0)
      memory.add(location, this.#number, 0, this.#bound, 0)
    } else if (slot.bound > 0n) {
      fromBigInt(slot.bound, this.#bound, 0)
      memory.expect(location, Kind.Balance, Predicate.AtLeast, this.#bound, 0)
    }
  }

  /** A near value of the number at the start, good enough for a check that is validated later. */
  #guess(slot: Slot): bigint | undefined {
    const memory = this.#memory
    const folded = memory.fold(
      locationOf(slot.record, Kind.Balance),
      this.#number,
      0,
      memory.strict ? Number.MAX_SAFE_INTEGER : 4,
    )
    return folded ? toBigInt(this.#number, 0) : undefined
  }

  #exact(slot: Slot): bigint {
    if (slot.observed !== undefined) return slot.observed
    if (!this.#memory.fold(locationOf(slot.record, Kind.Balance), this.#number, 0, Number.MAX_SAFE_INTEGER))
      this.#unwind()
    slot.observed = toBigInt(this.#number, 0)
    // An earlier check of this task passed on a value that is gone: what it has done since is not to be kept.
    if (slot.observed < slot.bound) this.#unwind()
    return slot.observed
  }

  #slot(key: Key): Slot {
    if (this.#ended) throw new Error('the task has ended; its store cannot be used any more')
    if (this.#poisoned) this.#unwind()
    const bytes = bytesOf(key)
    if (bytes.length > this.#key.length * 4) this.#key = new Int32Array(bytes.length)
    packBytes(bytes, this.#key, 0)
    const record = this.#memory.table.bytes(this.#key, 0, bytes.length)
    if (record === FULL) throw new TableFull('the state has no room for another key')
    let slot = this.#slots.get(record)
    if (slot === undefined) {
      slot = { record, written: undefined, added: 0n, bound: 0n, observed: undefined }
      this.#slots.set(record, slot)
    }
    return slot
  }

  #unwind(): never {
    this.#poisoned = true
    throw new Unwind('a value is not there yet; do not catch this')
  }
}
