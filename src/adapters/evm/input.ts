/**
 * Reads untrusted values one field at a time: the same questions to a JSON-RPC object and to an RLP list.
 *
 * A block arrives in two shapes that say the same things: names with hex strings, or positions with bytes.
 * `FieldReader` hides which, so that the rules of a transaction or a header are written once (transaction.ts,
 * block.ts).
 *
 * Always true: whatever the input is, a reader returns a value inside the range asked for or throws `InvalidInputError`
 * whose `fields.where` is the path of the value and whose `fields.txIndex` is the transaction it belongs to.
 */

import type { NestedUint8Array } from '@ethereumjs/rlp'
import { type ErrorCode, InvalidInputError } from '../../core/errors.ts'

/** An item of decoded RLP: bytes or a list of items. */
export type RlpItem = Uint8Array | NestedUint8Array

/** Widths of integers that occur in blocks, with the first value that does not fit. */
const LIMITS = { 8: 1n << 8n, 64: 1n << 64n, 256: 1n << 256n } as const

/** Width of an integer in bits. */
type Bits = keyof typeof LIMITS

/** Where in the input a reader stands. */
export interface Place {
  /** The path in words a reader of JSON understands, such as `transactions[3].accessList[0]`; may be empty. */
  readonly path: string
  /** The transaction it is part of, if any. */
  readonly txIndex?: number
}

/** Answers questions about the fields of one object of the input. */
export interface FieldReader {
  /** True where the field is given; an RLP list that is long enough gives it, even if empty. */
  has(name: string): boolean
  /** True where the field is absent, or is the empty byte string of RLP, which stands for "no address". */
  isBlank(name: string): boolean
  /** An unsigned integer of at most `bits` bits. */
  integer(name: string, bits: Bits): bigint
  /** Bytes, copied; of exactly `length` bytes where that is given. */
  bytes(name: string, length?: number): Uint8Array
  /** A list of byte strings of `length` bytes each; empty where the field is absent. */
  bytesList(name: string, length: number): Uint8Array[]
  /** A list of objects, `names` being their fields in the order of RLP; empty where the field is absent. */
  entries(name: string, names: readonly string[]): FieldReader[]
  /** Throws the error for a field. */
  fail(name: string, problem: string, code?: ErrorCode): never
}

/**
 * Throws `InvalidInputError` for a value of the input.
 *
 * @param place - the object that has the field
 * @param name - the field; empty for the object itself
 * @param problem - what is wrong with it, to be read after its name
 */
export function fail(place: Place, name: string, problem: string, code: ErrorCode = 'UNDECODABLE_BLOCK'): never {
  const where = place.path === '' ? name || 'block' : name === '' ? place.path : `${place.path}.${name}`
  throw new InvalidInputError(code, `${where} ${problem}`, {
    where,
    field: name,
    reason: problem,
    ...(place.txIndex === undefined ? {} : { txIndex: place.txIndex }),
  })
}

/** True for anything with string keys that is not a list and not bytes. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)
}

/** The names by which JSON-RPC and its relatives call a field, where they differ from the name used here. */
const JSON_NAMES: ReadonlyMap<string, readonly string[]> = new Map([
  ['gasLimit', ['gas', 'gasLimit']],
  ['data', ['input', 'data']],
  ['coinbase', ['miner', 'coinbase']],
  ['ommersHash', ['sha3Uncles', 'ommersHash']],
  ['prevRandao', ['mixHash', 'prevRandao']],
  ['yParity', ['yParity', 'v']],
])

/**
 * Reader of a JSON-RPC object. A field that is null counts as absent. Quantities may have leading zeros, since nodes
 * differ in that; numbers and bigints are taken too.
 */
export function jsonReader(object: Readonly<Record<string, unknown>>, place: Place): FieldReader {
  const given = (name: string): boolean => object[name] !== undefined && object[name] !== null
  const nameIn = (name: string): string => JSON_NAMES.get(name)?.find(given) ?? name
  const find = (name: string): unknown => object[nameIn(name)] ?? undefined
  const failAt = (name: string, problem: string, code?: ErrorCode): never => fail(place, nameIn(name), problem, code)
  const list = (name: string): readonly unknown[] => {
    const value = find(name)
    if (value === undefined) return []
    return Array.isArray(value) ? value : failAt(name, 'is not a list')
  }
  return {
    has: (name) => find(name) !== undefined,
    isBlank: (name) => find(name) === undefined,
    integer: (name, bits) => inRange(quantityOf(find(name)), bits, (problem) => failAt(name, problem)),
    bytes: (name, length) => bytesOf(find(name), length, (problem) => failAt(name, problem)),
    bytesList: (name, length) =>
      list(name).map((item, index) => bytesOf(item, length, (problem) => failAt(`${name}[${index}]`, problem))),
    entries: (name) =>
      list(name).map((item, index) => {
        const at = `${name}[${index}]`
        return isRecord(item) ? jsonReader(item, below(place, at)) : failAt(at, 'is not an object')
      }),
    fail: failAt,
  }
}

/**
 * Reader of an RLP list whose items have fixed places. Integers must be canonical: no leading zero byte.
 *
 * @param items - the decoded list
 * @param names - what the items are, in order
 * @param required - how many of them must be there; the others may be missing from the end
 */
export function rlpReader(
  items: RlpItem | undefined,
  names: readonly string[],
  place: Place,
  required: number = names.length,
): FieldReader {
  if (!Array.isArray(items)) return fail(place, '', 'is not an RLP list')
  if (items.length < required || items.length > names.length) {
    const expected = required === names.length ? `${required}` : `${required} to ${names.length}`
    return fail(place, '', `has ${items.length} RLP items, not ${expected}`)
  }
  const find = (name: string): RlpItem | undefined => {
    const index = names.indexOf(name)
    return index < 0 ? undefined : items[index]
  }
  const failAt = (name: string, problem: string, code?: ErrorCode): never => fail(place, name, problem, code)
  const list = (name: string): NestedUint8Array => {
    const item = find(name)
    return Array.isArray(item) ? item : failAt(name, 'is not an RLP list')
  }
  const bytes = (name: string, item: RlpItem | undefined, length: number | undefined): Uint8Array =>
    bytesOf(item, length, (problem) => failAt(name, problem))
  return {
    has: (name) => find(name) !== undefined,
    isBlank: (name) => {
      const item = find(name)
      return item === undefined || (item instanceof Uint8Array && item.length === 0)
    },
    integer: (name, bits) => {
      const value = bytes(name, find(name), undefined)
      if (value[0] === 0) return failAt(name, 'is an RLP integer with a leading zero')
      if (value.length > 32) return failAt(name, `does not fit in ${bits} bits`)
      return inRange(bytesToBigInt(value), bits, (problem) => failAt(name, problem))
    },
    bytes: (name, length) => bytes(name, find(name), length),
    bytesList: (name, length) => list(name).map((item, index) => bytes(`${name}[${index}]`, item, length)),
    entries: (name, entryNames) =>
      list(name).map((item, index) => rlpReader(item, entryNames, below(place, `${name}[${index}]`))),
    fail: failAt,
  }
}

/** Longest run of hex digits that is turned into a number: 256 bits, with room for zeros before them. */
const MAX_DIGITS = 80

/** The integer that a JSON value stands for, or undefined. */
function quantityOf(value: unknown): bigint | undefined {
  if (typeof value === 'string') {
    return value.length <= MAX_DIGITS && /^0x[0-9a-fA-F]+$/.test(value) ? BigInt(value) : undefined
  }
  if (typeof value === 'bigint') return value >= 0n ? value : undefined
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : undefined
}

function inRange(value: bigint | undefined, bits: Bits, failWith: (problem: string) => never): bigint {
  if (value === undefined) return failWith('is missing or not a hex quantity')
  return value < LIMITS[bits] ? value : failWith(`does not fit in ${bits} bits`)
}

function bytesOf(value: unknown, length: number | undefined, failWith: (problem: string) => never): Uint8Array {
  const bytes = value instanceof Uint8Array ? new Uint8Array(value) : hexToBytes(value)
  if (bytes === undefined) return failWith('is missing or not a byte string')
  if (length !== undefined && bytes.length !== length) return failWith(`has ${bytes.length} bytes, not ${length}`)
  return bytes
}

/** Bytes of a string of `0x` and pairs of hex digits; undefined for anything else. */
export function hexToBytes(value: unknown): Uint8Array | undefined {
  if (typeof value !== 'string' || value.length % 2 !== 0 || !value.startsWith('0x')) return undefined
  const bytes = new Uint8Array(value.length / 2 - 1)
  for (let index = 0; index < bytes.length; index++) {
    const high = digitOf(value.charCodeAt(2 * index + 2))
    const low = digitOf(value.charCodeAt(2 * index + 3))
    if (high < 0 || low < 0) return undefined
    bytes[index] = (high << 4) | low
  }
  return bytes
}

/** Value of a hex digit by its character code, -1 for any other character. */
function digitOf(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  const letter = code | 32
  return letter >= 97 && letter <= 102 ? letter - 87 : -1
}

/** The integer that bytes stand for, most significant first. */
function bytesToBigInt(bytes: Uint8Array): bigint {
  if (bytes.length <= 6) {
    let value = 0
    for (const byte of bytes) value = value * 256 + byte
    return BigInt(value)
  }
  let hex = '0x'
  for (const byte of bytes) hex += byte < 16 ? `0${byte.toString(16)}` : byte.toString(16)
  return BigInt(hex)
}

function below(place: Place, name: string): Place {
  return { ...place, path: place.path === '' ? name : `${place.path}.${name}` }
}

/** True where both hold the same bytes. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}
