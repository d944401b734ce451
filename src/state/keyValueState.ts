/**
 * State of tasks: byte strings and numbers by key, in one shared table that workers read without messages.
 *
 * A run leaves it as it was; `apply` advances it. Concurrency: main thread only, as `MemoryState`.
 */
import { InvalidInputError } from '../core/errors.ts'
import { BytesRecord } from '../core/location.ts'
import type { LocationTable } from '../core/table.ts'
import { type Key, packBytes, unpackBytes } from '../core/taskCodec.ts'
import { fromBigInt, toBigInt } from '../core/words.ts'
import { TableMemory } from './tableMemory.ts'

/** What a run of tasks changed. */
export interface KeyValueDiff {
  readonly entries: readonly KeyValueChange[]
}

export interface KeyValueChange {
  readonly key: Uint8Array
  /** The bytes after the run, null where they were deleted; absent where they did not change. */
  readonly value?: Uint8Array | null
  /** The number after the run; absent where it did not change. */
  readonly number?: bigint
}

export interface KeyValueStateOptions {
  readonly maxBytes?: number
  /** What to begin with: text keys to bytes, text (UTF-8) or numbers. */
  readonly entries?: Readonly<Record<string, Uint8Array | string | bigint>>
}

const text = new TextEncoder()

const packKey = (key: Key): [words: Int32Array, bytes: number] => {
  const bytes = typeof key === 'string' ? text.encode(key) : key
  const words = new Int32Array((bytes.length + 3) >> 2)
  packBytes(bytes, words, 0)
  return [words, bytes.length]
}

export class KeyValueState extends TableMemory {
  constructor(options: KeyValueStateOptions = {}) {
    super(options.maxBytes)
    for (const [key, value] of Object.entries(options.entries ?? {})) {
      if (typeof value === 'bigint') this.setNumber(key, value)
      else this.set(key, value)
    }
  }

  get(key: Key): Uint8Array | undefined {
    const r = this.#find(key)
    if (r === 0) return undefined
    const at = r + BytesRecord.Value
    return this.words[at] < 0 ? undefined : unpackBytes(this.words, this.words[at + 1], this.words[at])
  }

  set(key: Key, value: Uint8Array | string): void {
    this.#put(key, typeof value === 'string' ? text.encode(value) : value)
  }

  delete(key: Key): void {
    this.#put(key, null)
  }

  /** The number under a key, 0 where there is none. */
  number(key: Key): bigint {
    const r = this.#find(key)
    return r === 0 ? 0n : toBigInt(this.words, r + BytesRecord.Number)
  }

  setNumber(key: Key, value: bigint): void {
    if (value < 0n || value >= 1n << 256n) {
      throw new InvalidInputError('INVALID_OPTION', `a number is from 0 to 2^256 - 1, not ${value}`, {
        option: 'number',
      })
    }
    this.assertIdle('change')
    fromBigInt(value, this.words, this.#record(key) + BytesRecord.Number)
  }

  /**
   * Advances the state by what a run changed.
   *
   * @throws {InvalidInputError} STATE_BUSY while a run reads the state
   */
  async apply(diff: KeyValueDiff): Promise<void> {
    this.assertIdle('apply')
    for (const { key, value, number } of diff.entries) {
      if (value !== undefined) this.#put(key, value)
      if (number !== undefined) this.setNumber(key, number)
    }
  }

  #put(key: Key, value: Uint8Array | null): void {
    const r = this.#record(key)
    const at = r + BytesRecord.Value
    const w = this.words
    if (value === null || value.length === 0) {
      w[at] = value === null ? -1 : 0
      return
    }
    // Room is reused where the new value fits into the old one's words.
    const room = w[at] > 0 ? (w[at] + 3) >> 2 : 0
    const count = (value.length + 3) >> 2
    if (count > room) w[at + 1] = this.reserve(count)
    w[at] = value.length
    packBytes(value, w, w[at + 1])
  }

  #find(key: Key): number {
    const [words, bytes] = packKey(key)
    return this.findBytes(words, bytes)
  }

  #record(key: Key): number {
    const [words, bytes] = packKey(key)
    return this.insert((table: LocationTable) => table.bytes(words, 0, bytes))
  }
}

/** Makes a state of byte strings and numbers. */
export const createKeyValueState = (options: KeyValueStateOptions = {}): KeyValueState => new KeyValueState(options)
