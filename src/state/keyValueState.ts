/**
 * State of tasks: values by key, in one shared table that workers read without messages.
 *
 * A run leaves it as it was; `apply` advances it. Concurrency: main thread only, as `MemoryState`.
 *
 * Between runs a key has a record exactly if it has a value. A value lies in its record or, if it does not fit, in a room
 * of its own (rooms.ts), which it keeps until it fits badly. What is deleted gives record and room back, so a state that
 * is kept needs what it held at its height, not what it was ever told.
 */
import { compareText, KeyBuffer, unpackText, wordsOf } from '../core/bytes.ts'
import { hasPrefix, nextKey, seekKey } from '../core/keyOrder.ts'
import { BytesRecord, INLINE_KEY_WORDS, RECORD_WORDS } from '../core/location.ts'
import { type ValueCodec, Values } from '../core/values.ts'
import { copy } from '../core/words.ts'
import { findBytes } from './find.ts'
import { Rooms } from './rooms.ts'
import { TableMemory } from './tableMemory.ts'

type Words = Int32Array

/** What became of one key. */
export interface KeyValueChange {
  /** The key. */
  readonly key: string
  /** The value after the run; undefined where the key was deleted. */
  readonly value: unknown
}

/** What a run of tasks changed. Plain data would do as well: `apply` takes anything of this shape. */
export interface KeyValueDiff {
  /** In the order of the keys' UTF-8 bytes. */
  readonly entries: readonly KeyValueChange[]
}

/** Options of a state of values by key. */
export interface KeyValueStateOptions {
  /** Address space that the state may take; 1 GiB by default. Pages are committed as they are used. */
  readonly maxBytes?: number
  /** What to begin with. */
  readonly entries?: Readonly<Record<string, unknown>> | Iterable<readonly [key: string, value: unknown]>
}

/** A run's changes as words: key bytes, key, value length (-1: deleted), value. Decoded when somebody looks. */
class EncodedDiff implements KeyValueDiff {
  readonly words: Words
  readonly #values: Values
  #entries: readonly KeyValueChange[] | undefined

  constructor(words: Words, values: Values) {
    this.words = words
    this.#values = values
  }

  get entries(): readonly KeyValueChange[] {
    if (this.#entries === undefined) {
      const entries: KeyValueChange[] = []
      this.each((key, keyBytes, value, bytes) => {
        entries.push({
          key: unpackText(this.words, key, keyBytes),
          value: bytes < 0 ? undefined : this.#values.decode(this.words, value, bytes),
        })
      })
      this.#entries = entries.sort((a, b) => compareText(a.key, b.key))
    }
    return this.#entries
  }

  /** Plain data for `JSON.stringify` and the like. */
  toJSON(): KeyValueDiff {
    return { entries: this.entries }
  }

  each(visit: (key: number, keyBytes: number, value: number, bytes: number) => void): void {
    const { words } = this
    for (let at = 0; at < words.length; ) {
      const keyBytes = words[at]
      const length = at + 1 + wordsOf(keyBytes)
      visit(at + 1, keyBytes, length + 1, words[length])
      at = length + 1 + wordsOf(Math.max(0, words[length]))
    }
  }
}

/** Values by key. Make one with `createKeyValueState`. */
export class KeyValueState extends TableMemory {
  readonly #values: Values
  readonly #key = new KeyBuffer()
  readonly #rooms = new Rooms(this.words, (count) => this.fresh(count))
  /** Times that records went: who walks along the keys finds its place anew. */
  #drops = 0

  /** Made by `createKeyValueState`. */
  constructor(options: KeyValueStateOptions, codec: ValueCodec) {
    super(options.maxBytes)
    this.#values = new Values(codec)
    const { entries = [] } = options
    const list = Symbol.iterator in entries ? entries : Object.entries(entries)
    for (const [key, value] of list as Iterable<readonly [string, unknown]>) this.set(key, value)
  }

  /** The value under a key, a copy, or undefined. */
  get<T = unknown>(key: string): T | undefined {
    const r = this.#find(key)
    return r === 0 ? undefined : (this.#valueOf(r) as T)
  }

  /** Whether there is a value under a key. */
  has(key: string): boolean {
    return this.#find(key) !== 0
  }

  /**
   * Puts a value: anything that structured cloning copies.
   *
   * @throws TypeError for functions, symbols and undefined
   */
  set(key: string, value: unknown): void {
    if (value === undefined) throw new TypeError('undefined is no value; delete the key')
    this.#values.encode(value)
    const { words, length } = this.#values
    const { words: keyWords, bytes } = this.#key.set(key)
    const r = this.#record(keyWords, 0, bytes)
    try {
      this.#write(r, this.#roomFor(r, wordsOf(length)), words, 0, length)
    } catch (error) {
      this.#dropNew(r)
      throw error
    }
  }

  delete(key: string): void {
    this.assertIdle('change')
    const r = this.#find(key)
    if (r !== 0) this.#drop(r)
  }

  override clear(): void {
    super.clear()
    this.#rooms.clear()
    this.#drops++
  }

  /** Keys with a value that begin with `prefix`, in the order of their UTF-8 bytes. */
  *keys(prefix = ''): Generator<string> {
    for (const [key] of this.#under(prefix)) yield key
  }

  /** As `keys`, with the values. */
  *entries<T = unknown>(prefix = ''): Generator<[key: string, value: T]> {
    for (const [key, r] of this.#under(prefix)) yield [key, this.#valueOf(r) as T]
  }

  /**
   * Advances the state by what a run changed: by all of it or, where this throws, by nothing.
   *
   * @throws {InvalidInputError} STATE_BUSY while a run reads the state
   * @throws {CapacityError} CAPACITY where there is no room for all of it
   * @throws TypeError for keys and values that `set` refuses
   */
  async apply(diff: KeyValueDiff): Promise<void> {
    this.assertIdle('apply')
    const changes = diff instanceof EncodedDiff ? diff : this.#encoded(diff)
    // A getter of a value may have begun a run.
    this.assertIdle('apply')
    this.#advance(changes)
  }

  /** A run's difference, given its words. */
  difference(words: Words): KeyValueDiff {
    return new EncodedDiff(words, this.#values)
  }

  /** Keys and records with a prefix. They may be changed and deleted between two steps. */
  *#under(prefix: string): Generator<[key: string, record: number]> {
    const w = this.words
    const { words, bytes } = new KeyBuffer().set(prefix)
    const last = new KeyBuffer()
    let r = seekKey(w, words, 0, bytes, false)
    while (r !== 0 && hasPrefix(w, r, words, 0, bytes)) {
      const drops = this.#drops
      const key = unpackText(w, w[r + BytesRecord.KeyOffset], w[r + BytesRecord.KeyLength])
      // A run that is open has records of its own, without a value.
      if (w[r + BytesRecord.Value] >= 0) yield [key, r]
      if (drops === this.#drops) r = nextKey(w, r)
      else {
        last.set(key)
        r = seekKey(w, last.words, 0, last.bytes, true)
      }
    }
  }

  #valueOf(r: number): unknown {
    const at = r + BytesRecord.Value
    return this.#values.decode(this.words, this.words[at + 1], this.words[at])
  }

  /** A difference as a run's is; the last change of a key counts. */
  #encoded(diff: KeyValueDiff): EncodedDiff {
    const changes = new Map<string, Words>()
    for (const { key, value } of diff.entries) {
      if (value !== undefined) this.#values.encode(value)
      const { words, bytes } = this.#key.set(key)
      const length = value === undefined ? -1 : this.#values.length
      const count = wordsOf(bytes)
      const change = new Int32Array(2 + count + wordsOf(Math.max(0, length)))
      change[0] = bytes
      copy(change, 1, words, 0, count)
      change[1 + count] = length
      if (length >= 0) this.#values.copyTo(change, 2 + count)
      changes.set(key, change)
    }
    const all = new Int32Array([...changes.values()].reduce((sum, { length }) => sum + length, 0))
    let at = 0
    for (const change of changes.values()) {
      all.set(change, at)
      at += change.length
    }
    return new EncodedDiff(all, this.#values)
  }

  /** Takes all the room that changes need, which may fail; then makes them, which cannot. */
  #advance(changes: EncodedDiff): void {
    const { words } = changes
    const records: number[] = []
    const rooms: number[] = []
    try {
      changes.each((key, keyBytes, _, bytes) => {
        const r = bytes < 0 ? findBytes(this.words, words, keyBytes, key) : this.#record(words, key, keyBytes)
        records.push(r)
        rooms.push(bytes < 0 ? 0 : this.#roomFor(r, wordsOf(bytes)))
      })
    } catch (error) {
      rooms.forEach((room, k) => {
        const r = records[k] as number
        if (room !== 0 && room !== this.#inline(r) && room !== this.#heldBy(r)) this.#rooms.give(room)
      })
      for (const r of records) this.#dropNew(r)
      throw error
    }
    let k = 0
    changes.each((_key, _keyBytes, value, bytes) => {
      const r = records[k] as number
      if (bytes >= 0) this.#write(r, rooms[k] as number, words, value, bytes)
      else if (r !== 0) this.#drop(r)
      k++
    })
  }

  /** Where a record's value of so many words is to lie: in it, where it lies, or in a room that is taken for it. */
  #roomFor(r: number, count: number): number {
    const inline = this.#inline(r)
    if (count <= r + RECORD_WORDS - inline) return inline
    const held = this.#heldBy(r)
    const capacity = held === 0 ? 0 : this.#rooms.capacity(held)
    if (count <= capacity && count * 4 + RECORD_WORDS >= capacity) return held
    // What outgrows its room is likely to grow on: twice the room each time, or n appends would take n rooms.
    const room = this.#rooms.take(count, count <= capacity ? count : Math.max(count, 2 * capacity))
    if (room === 0) throw this.full(count)
    return room
  }

  #write(r: number, room: number, from: Words, at: number, bytes: number): void {
    const w = this.words
    const held = this.#heldBy(r)
    if (held !== 0 && held !== room) this.#rooms.give(held)
    w[r + BytesRecord.Value] = bytes
    w[r + BytesRecord.Value + 1] = room
    copy(w, room, from, at, wordsOf(bytes))
  }

  /** The word of a record from which on its key leaves it free. */
  #inline(r: number): number {
    const { words } = this
    const room = r + BytesRecord.Room
    return words[r + BytesRecord.KeyOffset] === room ? room + wordsOf(words[r + BytesRecord.KeyLength]) : room
  }

  /** The room outside its record that a value has; 0 where it has none. */
  #heldBy(r: number): number {
    const value = r + BytesRecord.Value
    const at = this.words[value + 1]
    return this.words[value] < 0 || at === this.#inline(r) ? 0 : at
  }

  #find(key: string): number {
    const { words, bytes } = this.#key.set(key)
    const r = findBytes(this.words, words, bytes)
    // A run that is open has records of its own, without a value.
    return r !== 0 && this.words[r + BytesRecord.Value] >= 0 ? r : 0
  }

  /** The record of a key of so many bytes at `words[at]`, without a value where it is new. */
  #record(words: Words, at: number, bytes: number): number {
    this.assertIdle('change')
    const r = findBytes(this.words, words, bytes, at)
    if (r !== 0) return r
    const count = wordsOf(bytes)
    const room = count > INLINE_KEY_WORDS ? this.#rooms.take(count) : 0
    if (count > INLINE_KEY_WORDS && room === 0) throw this.full(count)
    try {
      return this.insert((table) => table.bytes(words, at, bytes), room)
    } catch (error) {
      if (room !== 0) this.#rooms.give(room)
      throw error
    }
  }

  /** Takes a key's record away, and gives back what belongs to it. */
  #drop(r: number): void {
    const { words } = this
    const held = this.#heldBy(r)
    const key = words[r + BytesRecord.KeyOffset]
    this.drop(r)
    if (held !== 0) this.#rooms.give(held)
    if (key !== r + BytesRecord.Room) this.#rooms.give(key)
    this.#drops++
  }

  /** Takes a record away that has not been given a value. */
  #dropNew(r: number): void {
    if (r !== 0 && this.words[r + BytesRecord.Value] < 0) this.#drop(r)
  }
}
