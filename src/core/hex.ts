/** Bytes as text and back. Not for the hot path. */
import type { Hex } from './diff.ts'
import { InvalidInputError } from './errors.ts'

const DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Lower-case hex with a 0x prefix. */
export const hexOf = (bytes: Uint8Array): Hex => {
  let text = '0x'
  for (const byte of bytes) text += DIGITS[byte]
  return text as Hex
}

/** Eight digits of a word, highest byte first. */
const hexOfWord = (word: number): string =>
  word === 0
    ? '00000000'
    : DIGITS[word >>> 24] + DIGITS[(word >>> 16) & 255] + DIGITS[(word >>> 8) & 255] + DIGITS[word & 255]

/** 32 bytes of hex from eight words: limbs are little-endian, text is big-endian. */
export const wordHex = (words: Int32Array, at: number): Hex => {
  let text = '0x'
  for (let k = 7; k >= 0; k--) text += hexOfWord(words[at + k])
  return text as Hex
}

/** Hex of bytes that lie four a word, lowest byte first. */
export const hexOfWords = (words: Int32Array, at: number, count: number): Hex => {
  let text = '0x'
  for (let k = at; k < at + count; k++) {
    const word = words[k]
    text += DIGITS[word & 255] + DIGITS[(word >>> 8) & 255] + DIGITS[(word >>> 16) & 255] + DIGITS[word >>> 24]
  }
  return text as Hex
}

/**
 * Bytes of `value`, which may be bytes already.
 *
 * @throws {InvalidInputError} INVALID_OPTION where it is no hex, or not `length` bytes long
 */
export const readHex = (value: Uint8Array | string, length: number | undefined, name: string): Uint8Array => {
  let bytes: Uint8Array | undefined
  // A Buffer's `slice` shares its memory, where everybody here takes a copy of it.
  if (value instanceof Uint8Array) bytes = value.constructor === Uint8Array ? value : Uint8Array.from(value)
  else if (typeof value === 'string' && /^0x([0-9a-fA-F]{2})*$/.test(value)) {
    bytes = new Uint8Array((value.length - 2) / 2)
    for (let k = 0; k < bytes.length; k++) bytes[k] = Number.parseInt(value.slice(2 + 2 * k, 4 + 2 * k), 16)
  }
  if (bytes === undefined || (length !== undefined && bytes.length !== length)) {
    const wanted = length === undefined ? 'hex with a 0x prefix' : `${length} bytes, raw or as hex with a 0x prefix`
    throw new InvalidInputError('INVALID_OPTION', `${name} is not ${wanted}: ${String(value).slice(0, 80)}`, {
      option: name,
    })
  }
  return bytes
}
