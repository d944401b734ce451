/** Byte strings in 32-bit words: four to a word, little-endian, the tail zeroed. */

type Words = Int32Array

export const wordsOf = (bytes: number): number => (bytes + 3) >> 2

/** Above this length a view and a copy are faster than a loop. */
const LONG = 96

export const packBytes = (bytes: Uint8Array, words: Words, at: number): void => {
  const length = bytes.length
  if (length > LONG) {
    if ((length & 3) !== 0) words[at + (length >> 2)] = 0
    new Uint8Array(words.buffer, words.byteOffset + at * 4, length).set(bytes)
    return
  }
  const whole = length >> 2
  for (let k = 0; k < whole; k++) {
    words[at + k] = bytes[4 * k] | (bytes[4 * k + 1] << 8) | (bytes[4 * k + 2] << 16) | (bytes[4 * k + 3] << 24)
  }
  if ((length & 3) === 0) return
  let last = 0
  for (let k = whole * 4; k < length; k++) last |= bytes[k] << ((k & 3) * 8)
  words[at + whole] = last
}

/** A copy that is the caller's own. */
export const unpackBytes = (words: Words, at: number, length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  bytes.set(new Uint8Array(words.buffer, words.byteOffset + at * 4, length))
  return bytes
}

const encoder = new TextEncoder()
// A key may begin with U+FEFF, which would else be taken for a byte order mark.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** A key's bytes in words: what locations are looked up by. One scratch for each owner. */
export class KeyBuffer {
  words = new Int32Array(64)
  bytes = 0

  /**
   * Packs the UTF-8 of a key.
   *
   * @throws TypeError for what is no text, and for half a surrogate pair, which has no UTF-8: all such keys would be one
   */
  set(key: string): this {
    if (typeof key !== 'string') throw new TypeError(`a key is text, not ${typeof key}`)
    const length = key.length
    if (length * 3 > this.words.length * 4) this.words = new Int32Array(length)
    const { words } = this
    let word = 0
    for (let k = 0; k < length; k++) {
      const unit = key.charCodeAt(k)
      if (unit > 127) return this.#setWide(key)
      word |= unit << ((k & 3) * 8)
      if ((k & 3) === 3) {
        words[k >> 2] = word
        word = 0
      }
    }
    if ((length & 3) !== 0) words[length >> 2] = word
    this.bytes = length
    return this
  }

  #setWide(key: string): this {
    if (/\p{Surrogate}/u.test(key)) throw new TypeError('a key with half a surrogate pair has no UTF-8')
    const bytes = encoder.encode(key)
    packBytes(bytes, this.words, 0)
    this.bytes = bytes.length
    return this
  }
}

/** Bits that ASCII leaves clear in four bytes. */
const WIDE = 0x80808080

/** Characters that one call makes a text of: pieces glued one by one cost twice as much, and a hash has to unglue them. */
const PIECE = 16

/** Four words of ASCII as a text of `length` characters; of fewer words the others are not looked at. */
const piece = (words: Words, at: number, length: number): string => {
  const a = words[at]
  const b = length > 4 ? words[at + 1] : 0
  const c = length > 8 ? words[at + 2] : 0
  const d = length > 12 ? words[at + 3] : 0
  const text = String.fromCharCode(
    a & 255,
    (a >>> 8) & 255,
    (a >>> 16) & 255,
    a >>> 24,
    b & 255,
    (b >>> 8) & 255,
    (b >>> 16) & 255,
    b >>> 24,
    c & 255,
    (c >>> 8) & 255,
    (c >>> 16) & 255,
    c >>> 24,
    d & 255,
    (d >>> 8) & 255,
    (d >>> 16) & 255,
    d >>> 24,
  )
  return length === PIECE ? text : text.slice(0, length)
}

/** The text of UTF-8 bytes in words. */
export const unpackText = (words: Words, at: number, length: number): string => {
  if (length > LONG) return decoder.decode(unpackBytes(words, at, length))
  const count = wordsOf(length)
  let bits = 0
  for (let k = 0; k < count; k++) bits |= words[at + k]
  if ((bits & WIDE) !== 0) return decoder.decode(unpackBytes(words, at, length))
  if (length <= PIECE) return length === 0 ? '' : piece(words, at, length)
  let text = ''
  for (let k = 0; k < length; k += PIECE) text += piece(words, at + (k >> 2), Math.min(PIECE, length - k))
  return text
}

/** A code unit's rank among those of UTF-16 text in the order of code points: surrogates come last. */
const rank = (unit: number): number => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800)

/** Compares texts as their UTF-8 bytes do, which is by code points. */
export const compareText = (a: string, b: string): number => {
  const length = Math.min(a.length, b.length)
  for (let k = 0; k < length; k++) {
    const [x, y] = [a.charCodeAt(k), b.charCodeAt(k)]
    if (x !== y) return rank(x) - rank(y)
  }
  return a.length - b.length
}
