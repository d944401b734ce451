/**
 * Values of tasks as words: a tag, then what the tag says. Equal words are equal values, so a value that is written again
 * as it was conflicts with nobody.
 *
 * Numbers, booleans, short texts, plain objects of those, bytes and lists that grow are laid out here, since a codec's general way would cost
 * several times what they are worth (docs/tasks.md, "What it costs"); all else is the codec's. The length of a value is
 * in bytes and counts the tag's word.
 *
 * ```text
 * number   tag | 2 words, IEEE 754            text   tag | ASCII, up to 64
 * bytes    tag | as they are                  coded  tag | what the codec made
 * list     tag | items: length, words         true, false, null   tag
 * fields   tag | of each: bytes of its name, name, length, words
 * ```
 */
import { packBytes, unpackBytes, unpackText, wordsOf } from './bytes.ts'
import { copy } from './words.ts'

type Words = Int32Array

/** Turns what has no tag of its own into bytes and back. Deterministic: equal values in, equal bytes out. */
export interface ValueCodec {
  /** @throws TypeError for functions, symbols and whatever else cannot leave its thread */
  encode(value: unknown): Uint8Array
  decode(bytes: Uint8Array): unknown
}

export const ValueTag = {
  Bytes: 1,
  Number: 2,
  Text: 3,
  Coded: 4,
  List: 5,
  True: 6,
  False: 7,
  Null: 8,
  Fields: 9,
} as const

/** Words before a list in the engine memory (adapters/taskGraph/lists.ts); zeros where it has no room to grow. */
export const LIST_HEAD = 2

const SHORT_TEXT = 64
/** Fields of an object that is laid out here, and characters of their names. */
const MOST_FIELDS = 8
/** Names of fields that are remembered, as a power of two. */
const NAME_BITS = 7
const LONGEST_NAME = 16
const NAN_HIGH = 0x7ff80000

const double = new Float64Array(1)
const doubleWords = new Int32Array(double.buffer)

export const readNumber = (words: Words, at: number): number => {
  doubleWords[0] = words[at]
  doubleWords[1] = words[at + 1]
  return double[0]
}

/** Writes a number; every NaN is the same one. */
export const writeNumber = (value: number, words: Words, at: number): void => {
  double[0] = value
  words[at] = Number.isNaN(value) ? 0 : doubleWords[0]
  words[at + 1] = Number.isNaN(value) ? NAN_HIGH : doubleWords[1]
}

/** Packs a text of ASCII alone, four characters to a word; false where it has others. */
const packAscii = (text: string, words: Words, at: number): boolean => {
  const { length } = text
  let word = 0
  for (let k = 0; k < length; k++) {
    const unit = text.charCodeAt(k)
    if (unit > 127) return false
    word |= unit << ((k & 3) * 8)
    if ((k & 3) === 3) {
      words[at + (k >> 2)] = word
      word = 0
    }
  }
  if ((length & 3) !== 0) words[at + (length >> 2)] = word
  return true
}

/** Encodes into a scratch that the next call overwrites; decodes from anywhere. One for each owner, not re-entrant. */
export class Values {
  readonly #codec: ValueCodec
  readonly #names: ({ readonly length: number; readonly words: Words; readonly text: string } | undefined)[] = []
  /** The last object's field names as they are written, by position. */
  readonly #packed: ({ readonly name: string; readonly words: Words } | undefined)[] = []
  /** True while an object is encoded, whose getters may run anybody's code. */
  #busy = false
  /** The last value encoded, and its length in bytes. */
  words = new Int32Array(256)
  length = 0

  constructor(codec: ValueCodec) {
    this.#codec = codec
  }

  /**
   * Encodes a value to `words` and `length`.
   *
   * @throws TypeError for what cannot be encoded, and for a getter of the value that leads back here
   */
  encode(value: unknown): void {
    if (this.#busy) throw new TypeError('a getter of a value cannot store another value')
    if (typeof value === 'number') {
      writeNumber(value, this.words, 1)
      this.#tag(ValueTag.Number, 12)
    } else if (typeof value === 'boolean') this.#tag(value ? ValueTag.True : ValueTag.False, 4)
    else if (value === null) this.#tag(ValueTag.Null, 4)
    else if (typeof value === 'string') {
      const length = this.#shortText(value, 0)
      if (length > 0) this.length = length
      else this.#bytes(this.#codec.encode(value), ValueTag.Coded)
    } else if (typeof value !== 'object') this.#bytes(this.#codec.encode(value), ValueTag.Coded)
    else this.#objectOf(value)
  }

  #objectOf(value: object): void {
    this.#busy = true
    try {
      this.#layOut(value)
    } finally {
      this.#busy = false
    }
  }

  #layOut(value: object): void {
    const prototype = Object.getPrototypeOf(value)
    if (prototype === Object.prototype && this.#fields(value as Readonly<Record<string, unknown>>)) return
    if (prototype === Uint8Array.prototype) this.#bytes(value as Uint8Array, ValueTag.Bytes)
    else this.#bytes(this.#codec.encode(value), ValueTag.Coded)
  }

  decode(words: Words, at: number, length: number): unknown {
    const bytes = length - 4
    switch (words[at]) {
      case ValueTag.Number:
        return readNumber(words, at + 1)
      case ValueTag.Text:
        return unpackText(words, at + 1, bytes)
      case ValueTag.Bytes:
        return unpackBytes(words, at + 1, bytes)
      case ValueTag.True:
        return true
      case ValueTag.False:
        return false
      case ValueTag.Null:
        return null
      case ValueTag.Fields:
        return this.#object(words, at + 1, at + wordsOf(length))
      case ValueTag.List:
        return this.#list(words, at + 1, wordsOf(bytes))
      default:
        return this.#codec.decode(unpackBytes(words, at + 1, bytes))
    }
  }

  /** Copies the last value encoded. */
  copyTo(words: Words, at: number): void {
    copy(words, at, this.words, 0, wordsOf(this.length))
  }

  #tag(tag: number, length: number): void {
    this.words[0] = tag
    this.length = length
  }

  /** Encodes a short ASCII text at a word of the scratch; its length in bytes, 0 where it is none. */
  #shortText(text: string, at: number): number {
    if (text.length > SHORT_TEXT || !packAscii(text, this.words, at + 1)) return 0
    this.words[at] = ValueTag.Text
    return 4 + text.length
  }

  /** Encodes a plain object of a few numbers, flags and short texts; false where the value is another. */
  #fields(value: Readonly<Record<string, unknown>>): boolean {
    const names = Object.keys(value)
    if (names.length > MOST_FIELDS) return false
    const { words } = this
    // Eight names of 16 bytes and eight texts of 64 fit into the smallest scratch.
    let at = 1
    for (let k = 0; k < names.length; k++) {
      const name = names[k] as string
      const packed = this.#packedName(name, k)
      if (packed === undefined) return false
      copy(words, at, packed, 0, packed.length)
      at += packed.length
      const length = this.#plain(value[name], at + 1)
      if (length === 0) return false
      words[at] = length
      at += 1 + wordsOf(length)
    }
    this.#tag(ValueTag.Fields, 4 * at)
    return true
  }

  /** Length and words of a field's name; undefined where it cannot be laid out. Objects of one kind follow each other. */
  #packedName(name: string, k: number): Words | undefined {
    const last = this.#packed[k]
    if (last !== undefined && last.name === name) return last.words
    const { length } = name
    if (length > LONGEST_NAME || name === '__proto__') return undefined
    const scratch = new Int32Array(1 + wordsOf(length))
    scratch[0] = length
    if (!packAscii(name, scratch, 1)) return undefined
    this.#packed[k] = { name, words: scratch }
    return scratch
  }

  /** Encodes a number, flag, null or short text at a word of the scratch; its length in bytes, 0 for what is none of them. */
  #plain(value: unknown, at: number): number {
    if (typeof value === 'number') {
      this.words[at] = ValueTag.Number
      writeNumber(value, this.words, at + 1)
      return 12
    }
    if (typeof value === 'string') return this.#shortText(value, at)
    if (value !== null && typeof value !== 'boolean') return 0
    this.words[at] = value === null ? ValueTag.Null : value ? ValueTag.True : ValueTag.False
    return 4
  }

  #object(words: Words, from: number, end: number): Record<string, unknown> {
    const object: Record<string, unknown> = {}
    let at = from
    while (at < end) {
      const nameLength = words[at]
      const name = this.#name(words, at + 1, nameLength)
      at += 1 + wordsOf(nameLength)
      object[name] = this.decode(words, at + 1, words[at])
      at += 1 + wordsOf(words[at])
    }
    return object
  }

  /** The text of a field's name. The same few come again and again, and a text made anew costs more than a comparison. */
  #name(words: Words, at: number, length: number): string {
    const count = wordsOf(length)
    let hash = length
    for (let k = 0; k < count; k++) hash = Math.imul(hash ^ words[at + k], 0x9e3779b1)
    const slot = hash >>> (32 - NAME_BITS)
    const known = this.#names[slot]
    if (known !== undefined && known.length === length) {
      let k = 0
      while (k < count && known.words[k] === words[at + k]) k++
      if (k === count) return known.text
    }
    const text = unpackText(words, at, length)
    this.#names[slot] = { length, words: words.slice(at, at + count), text }
    return text
  }

  #bytes(bytes: Uint8Array, tag: number): void {
    const count = 1 + wordsOf(bytes.length)
    if (count > this.words.length) this.words = new Int32Array(count * 2)
    packBytes(bytes, this.words, 1)
    this.#tag(tag, 4 + bytes.length)
  }

  #list(words: Words, from: number, count: number): unknown[] {
    const items: unknown[] = []
    for (let at = from; at < from + count; at += 1 + wordsOf(words[at]))
      items.push(this.decode(words, at + 1, words[at]))
    return items
  }
}
