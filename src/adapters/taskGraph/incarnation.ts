/**
 * What a task sees: values by key, as one incarnation of it may know them.
 *
 * Reads go to the multi-version memory, writes stay here until the task returns, so a task reads what it
 * wrote. A read that meets a value not yet there throws a private signal; the store is poisoned from then on,
 * so a task that catches the signal cannot carry on with what it does not know.
 */
import { compareText, KeyBuffer, unpackText, wordsOf } from '../../core/bytes.ts'
import { Seen, type TaskMemory } from '../../core/contracts.ts'
import { MergeRecord, OPERATION_WORDS, Record } from '../../core/layout.ts'
import { BytesRecord, Kind, locationOf } from '../../core/location.ts'
import type { Values } from '../../core/values.ts'
import { Operation, type Operations } from './operations.ts'
import { type Slot, Slots, UNREAD } from './slots.ts'
import type { RangeOptions, TaskStore } from './store.ts'

type Words = Int32Array

/** Thrown to unwind a task; never leaves the library. */
class Unwind extends Error {
  override readonly name = 'Blockloom.Unwind'
}

const noWords = new Int32Array(0)
/** Of this thread: what is in them is used before another task runs. */
const prefixBytes = new KeyBuffer()
const afterBytes = new KeyBuffer()
const pair = new Int32Array(2)

export class IncarnationStore implements TaskStore {
  #memory: TaskMemory
  #poisoned = false
  #ended = false
  #encoding = false
  readonly #values: Values
  readonly #operations: Operations
  readonly #merges: readonly string[]
  readonly #slots = new Slots()

  /** @param merges - names of the declared merges, in the order of their codes */
  constructor(memory: TaskMemory, values: Values, operations: Operations, merges: readonly string[]) {
    this.#memory = memory
    this.#values = values
    this.#operations = operations
    this.#merges = merges
  }

  /** Begins an incarnation. */
  begin(memory: TaskMemory): void {
    this.#memory = memory
    this.#poisoned = false
    this.#encoding = false
    this.#slots.begin()
  }

  /** Refuses everything from now on: the task has settled. */
  end(): void {
    this.#ended = true
  }

  /** A value was not there: whatever the task made of it does not count. */
  get poisoned(): boolean {
    return this.#poisoned
  }

  get<T = unknown>(key: string): T | undefined {
    const slot = this.#slot(key)
    if (slot.operations.length > 0) this.#settle(slot, true)
    if (slot.written) return this.#decode(this.#memory.engine, slot.at, slot.length) as T | undefined
    this.#look(slot)
    return this.#decode(slot.seenIn, slot.seenAt, slot.seenLength) as T | undefined
  }

  has(key: string): boolean {
    const slot = this.#slot(key)
    if (slot.operations.length > 0) this.#settle(slot, true)
    if (slot.written) return slot.length >= 0
    if (slot.seenLength !== UNREAD) return slot.seenLength >= 0
    const there = this.#memory.exists(locationOf(slot.record, Kind.Bytes))
    if (there === Seen.Blocked) this.#unwind()
    return there === 1
  }

  set(key: string, value: unknown): void {
    if (value === undefined) throw new TypeError('undefined is no value; delete the key')
    const slot = this.#slot(key)
    // What is overwritten might have failed, and the task with it.
    if (slot.operations.length > 0) this.#settle(slot, true)
    this.#put(slot, value)
  }

  delete(key: string): void {
    const slot = this.#slot(key)
    if (slot.operations.length > 0) this.#settle(slot, true)
    slot.written = true
    slot.length = -1
  }

  add(key: string, amount: number | bigint, atLeast?: number | bigint): boolean {
    checkNumber(amount, 'add')
    if (atLeast === undefined) {
      this.#operate(key, Operation.Add, amount)
      return true
    }
    checkNumber(atLeast, 'add')
    if (typeof amount !== typeof atLeast) throw new TypeError('add cannot mix number and bigint')
    const slot = this.#slot(key)
    if (!this.#reaches(slot, atLeast)) return false
    if (!this.#known(slot)) this.#push(slot, Operation.AtLeast, atLeast)
    this.#push(slot, Operation.Add, amount)
    if (this.#known(slot)) this.#settle(slot, false)
    return true
  }

  min(key: string, value: number | bigint): void {
    checkNumber(value, 'min')
    this.#operate(key, Operation.Min, value)
  }

  max(key: string, value: number | bigint): void {
    checkNumber(value, 'max')
    this.#operate(key, Operation.Max, value)
  }

  append(key: string, ...items: unknown[]): void {
    for (const item of items) this.#operate(key, Operation.Append, item)
  }

  merge(name: string, key: string, operand: unknown): void {
    const index = this.#merges.indexOf(name)
    if (index < 0) throw new TypeError(`the module declares no merge '${name}'`)
    this.#operate(key, Operation.Declared + index, operand)
  }

  keys(prefix: string, options: RangeOptions = {}): string[] {
    this.#assertUsable()
    const limit = options.limit ?? Number.POSITIVE_INFINITY
    const found: string[] = []
    if (!(limit > 0)) return found
    const { bytes, words } = prefixBytes.set(prefix)
    const after = afterBytes.set(options.after ?? '')
    const { state } = this.#memory
    let past = -1
    if (options.after !== undefined) {
      if (options.after.startsWith(prefix)) past = after.bytes
      else if (compareText(options.after, prefix) > 0) return found
    }
    const all = this.#memory.range(words, bytes, after.words, past, (record, present) => {
      const own = this.#slots.find(record)
      const there =
        own !== undefined && (own.written || own.operations.length > 0)
          ? own.operations.length > 0 || own.length >= 0
          : present
      if (there)
        found.push(unpackText(state, state[record + BytesRecord.KeyOffset], state[record + BytesRecord.KeyLength]))
      return found.length < limit
    })
    if (!all) this.#unwind()
    return found
  }

  entries<T = unknown>(prefix: string, options: RangeOptions = {}): [key: string, value: T][] {
    return this.keys(prefix, options).map((key) => [key, this.get<T>(key) as T])
  }

  /** Hands writes to the multi-version memory. The task has returned. */
  publish(): void {
    const memory = this.#memory
    for (let k = 0; k < this.#slots.count; k++) {
      const slot = this.#slots.at(k)
      const location = locationOf(slot.record, Kind.Bytes)
      if (slot.operations.length > 0) {
        memory.merge(location, this.#layOut(slot))
        continue
      }
      if (!slot.written) continue
      pair[0] = slot.length
      pair[1] = slot.length < 0 ? 0 : slot.at
      memory.write(location, Kind.Bytes, pair, 0)
    }
  }

  /** All that the task did so far, as text: two executions are equal if these are. */
  effects(): string {
    const { engine } = this.#memory
    const parts: string[] = []
    for (let k = 0; k < this.#slots.count; k++) {
      const slot = this.#slots.at(k)
      const words = slot.written && slot.length >= 0 ? engine.slice(slot.at, slot.at + wordsOf(slot.length)) : noWords
      if (slot.written) parts.push(`${slot.record}=${slot.length}:${words.join()}`)
    }
    return parts.sort().join(';')
  }

  /**
   * Encodes a value of the task's. Its getters may run the task's code, which must leave the scratch alone; that they
   * cannot use the store is so in every incarnation, where a read would need the scratch in some alone.
   */
  encode(value: unknown): void {
    this.#encoding = true
    try {
      this.#values.encode(value)
    } finally {
      this.#encoding = false
    }
  }

  // ---- slots ----

  #assertUsable(): void {
    if (this.#ended) throw new Error('the task has ended; its store cannot be used any more')
    if (this.#poisoned) this.#unwind()
    if (this.#encoding) throw new TypeError('the store cannot be used by a getter of a value that it is given')
  }

  #slot(key: string): Slot {
    this.#assertUsable()
    return this.#slots.of(key, this.#memory.table)
  }

  /** Reads the value below, once. */
  #look(slot: Slot): void {
    if (slot.seenLength !== UNREAD) return
    const memory = this.#memory
    const seen = memory.read(locationOf(slot.record, Kind.Bytes), Kind.Bytes, 0)
    if (seen === Seen.Blocked) this.#unwind()
    const words = seen === Seen.Base ? memory.state : memory.engine
    const at = seen === Seen.Base ? slot.record + BytesRecord.Value : seen
    slot.seenIn = words
    slot.seenLength = words[at]
    slot.seenAt = words[at + 1]
  }

  #decode(words: Words, at: number, length: number): unknown {
    return length < 0 ? undefined : this.#values.decode(words, at, length)
  }

  #put(slot: Slot, value: unknown): void {
    const values = this.#values
    this.encode(value)
    const at = this.#memory.allocate(wordsOf(values.length))
    values.copyTo(this.#memory.engine, at)
    slot.written = true
    slot.length = values.length
    slot.at = at
  }

  // ---- operations ----

  #operate(key: string, code: number, operand: unknown): void {
    const slot = this.#slot(key)
    this.#push(slot, code, operand)
    if (this.#known(slot)) this.#settle(slot, false)
  }

  /** The value is at hand anyway, so operations are applied at once, and fail in the task that makes them. */
  #known(slot: Slot): boolean {
    return this.#memory.strict || slot.written || slot.seenLength !== UNREAD
  }

  #push(slot: Slot, code: number, operand: unknown): void {
    const values = this.#values
    this.encode(operand)
    const at = this.#memory.allocate(wordsOf(values.length))
    values.copyTo(this.#memory.engine, at)
    slot.operations.push(code, values.length, at)
  }

  /** Whether the number reaches a bound: by a guess that the commit stage checks, or exactly. */
  #reaches(slot: Slot, least: number | bigint): boolean {
    if (!this.#known(slot) && slot.operations.length === 0) {
      const memory = this.#memory
      const seen = memory.glance(locationOf(slot.record, Kind.Bytes), Kind.Bytes)
      const words = seen === Seen.Base ? memory.state : memory.engine
      const at = seen === Seen.Base ? slot.record + BytesRecord.Value : seen
      const guess = this.#decode(words, words[at + 1], words[at])
      if (isNumeric(guess) && typeof guess === typeof least && guess >= least) return true
      if (guess === undefined && least <= 0) return true
    }
    if (slot.operations.length > 0) this.#settle(slot, true)
    if (!slot.written) this.#look(slot)
    const value = slot.written
      ? this.#decode(this.#memory.engine, slot.at, slot.length)
      : this.#decode(slot.seenIn, slot.seenAt, slot.seenLength)
    if (value === undefined) return least <= 0
    if (!isNumeric(value)) throw new TypeError(`add needs a number or a bigint, not ${typeof value}`)
    if (typeof value !== typeof least) throw new TypeError('add cannot mix number and bigint')
    return value >= least
  }

  /**
   * Applies a slot's operations to the value that it knows, reading it if need be. What fails `late` would have failed
   * when the operation was made, so the task cannot go on from here.
   */
  #settle(slot: Slot, late: boolean): void {
    const memory = this.#memory
    if (!slot.written) this.#look(slot)
    const { engine } = memory
    const record = this.#layOut(slot)
    const done = this.#operations.fold(
      memory,
      slot.written ? engine : slot.seenIn,
      slot.written ? slot.length : slot.seenLength,
      slot.written ? slot.at : slot.seenAt,
      record + MergeRecord.Operations,
      slot.operations.length / OPERATION_WORDS,
      record + MergeRecord.Value,
    )
    slot.operations.length = 0
    if (!done) {
      if (late) this.#unwind()
      throw this.#operations.error
    }
    slot.written = true
    slot.length = engine[record + MergeRecord.Value]
    slot.at = engine[record + MergeRecord.Value + 1]
  }

  /** A merge's record of the slot's operations, in the arena. */
  #layOut(slot: Slot): number {
    const { operations } = slot
    const { engine } = this.#memory
    const record = this.#memory.allocate(MergeRecord.Operations + operations.length)
    engine[record] = Record.Merge
    engine[record + MergeRecord.Folded] = Record.Value
    engine[record + MergeRecord.Value] = 0
    engine[record + MergeRecord.Value + 1] = 0
    engine[record + MergeRecord.Count] = operations.length / OPERATION_WORDS
    for (let k = 0; k < operations.length; k++) engine[record + MergeRecord.Operations + k] = operations[k]
    return record
  }

  #unwind(): never {
    this.#poisoned = true
    throw new Unwind('a value is not there yet; do not catch this')
  }
}

const isNumeric = (value: unknown): value is number | bigint => typeof value === 'number' || typeof value === 'bigint'

function checkNumber(value: unknown, what: string): asserts value is number | bigint {
  if (!isNumeric(value)) throw new TypeError(`${what} takes a number or a bigint, not ${typeof value}`)
}
