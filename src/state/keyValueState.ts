/**
 * State of tasks: values by key, in one shared table that workers read without messages.
 *
 * A run leaves it as it was; `apply` advances it. Concurrency: main thread only, as `MemoryState`.
 */
import { compareText, KeyBuffer, unpackText, wordsOf } from '../core/bytes.ts'
import { hasPrefix, nextKey, seekKey } from '../core/keyOrder.ts'
import { BytesRecord, RECORD_WORDS } from '../core/location.ts'
import type { LocationTable } from '../core/table.ts'
import { type ValueCodec, Values } from '../core/values.ts'
import { copy } from '../core/words.ts'
import { findBytes } from './find.ts'
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
    return r === 0 ? undefined : (this.#valueOf(r) as T | undefined)
  }

  /** Whether there is a value under a key. */
  has(key: string): boolean {
    const r = this.#find(key)
    return r !== 0 && this.words[r + BytesRecord.Value] >= 0
  }

  /**
   * Puts a value: anything that structured cloning copies.
   *
   * @throws TypeError for functions, symbols and undefined
   */
  set(key: string, value: unknown): void {
    if (value === undefined) throw new TypeError('undefined is no value; delete the key')
    this.#values.encode(value)
    this.#put(this.#record(key), this.#values.words, 0, this.#values.length)
  }

  delete(key: string): void {
    this.#put(this.#record(key), this.words, 0, -1)
  }

  /** Keys with a value that begin with `prefix`, in the order of their UTF-8 bytes. */
  *keys(prefix = ''): Generator<string> {
    for (const r of this.#under(prefix)) yield this.#textOf(r)
  }

  /** As `keys`, with the values. */
  *entries<T = unknown>(prefix = ''): Generator<[key: string, value: T]> {
    for (const r of this.#under(prefix)) yield [this.#textOf(r), this.#valueOf(r) as T]
  }

  /**
   * Advances the state by what a run changed.
   *
   * @throws {InvalidInputError} STATE_BUSY while a run reads the state
   */
  async apply(diff: KeyValueDiff): Promise<void> {
    this.assertIdle('apply')
    if (diff instanceof EncodedDiff) {
      const { words } = diff
      diff.each((key, keyBytes, value, bytes) => {
        this.#put(
          this.insert((table) => table.bytes(words, key, keyBytes)),
          words,
          value,
          bytes,
        )
      })
      return
    }
    for (const { key, value } of diff.entries) {
      if (value === undefined) this.delete(key)
      else this.set(key, value)
    }
  }

  /** A run's difference, given its words. */
  difference(words: Words): KeyValueDiff {
    return new EncodedDiff(words, this.#values)
  }

  *#under(prefix: string): Generator<number> {
    const w = this.words
    const buffer = new KeyBuffer().set(prefix)
    let r = seekKey(w, buffer.words, 0, buffer.bytes, false)
    for (; r !== 0 && hasPrefix(w, r, buffer.words, 0, buffer.bytes); r = nextKey(w, r)) {
      if (w[r + BytesRecord.Value] >= 0) yield r
    }
  }

  #textOf(r: number): string {
    return unpackText(this.words, this.words[r + BytesRecord.KeyOffset], this.words[r + BytesRecord.KeyLength])
  }

  #valueOf(r: number): unknown {
    const at = r + BytesRecord.Value
    return this.words[at] < 0 ? undefined : this.#values.decode(this.words, this.words[at + 1], this.words[at])
  }

  #put(r: number, from: Words, at: number, bytes: number): void {
    const value = r + BytesRecord.Value
    const w = this.words
    if (bytes < 0) {
      this.assertIdle('change')
      w[value] = -1
      return
    }
    const count = wordsOf(bytes)
    const before = wordsOf(Math.max(0, w[value]))
    const inline = this.#roomIn(r)
    const room = r + RECORD_WORDS - inline
    if (count <= inline) w[value + 1] = room
    // What lies elsewhere is written over where the new value fits into the old one's words.
    else if (count > before || w[value + 1] === room) w[value + 1] = this.reserve(count)
    w[value] = bytes
    copy(w, w[value + 1], from, at, count)
  }

  /** Words at the end of a record that its key leaves free. */
  #roomIn(r: number): number {
    const { words } = this
    const key =
      words[r + BytesRecord.KeyOffset] === r + BytesRecord.Room ? wordsOf(words[r + BytesRecord.KeyLength]) : 0
    return RECORD_WORDS - BytesRecord.Room - key
  }

  #find(key: string): number {
    const { words, bytes } = this.#key.set(key)
    return findBytes(this.words, words, bytes)
  }

  #record(key: string): number {
    const { words, bytes } = this.#key.set(key)
    return this.insert((table: LocationTable) => table.bytes(words, 0, bytes))
  }
}
