/**
 * Receipts as the receipts trie holds them, from words to words: no object, no BigInt a log, nothing between.
 *
 * What `encodeReceipt` (adapters/evm/receipt.ts) does for one receipt in plain objects, which the tests compare it with.
 *
 * Source: yellow paper, 4.3.1 and appendix B; EIP-658 (status), EIP-2718 (typed receipts).
 */
import { BLOOM_BYTES } from './blooms.ts'
import { type KeptResults, LOG_HEAD, TOPIC_WORDS } from './keptResults.ts'
import { Output } from './kernel.ts'

/** Length of an item's RLP head before that many bytes. */
const headBytes = (length: number): number => (length < 56 ? 1 : 1 + lengthBytes(length))

/** Bytes of a number below 2^32; none of 0. */
const lengthBytes = (value: number): number => (32 - Math.clz32(value) + 7) >> 3

/** Bytes of a bloom and its head. */
const BLOOM_ITEM = 3 + BLOOM_BYTES
const ADDRESS_ITEM = 21
const TOPIC_ITEM = 33
const ROOT_ITEM = 33

/**
 * Lays receipts out for the kernel's `ordered_root`: a word that says how long each is, and its bytes.
 *
 * @param blooms - 256 bytes each
 * @param typeOf - EIP-2718 type of a transaction
 * @param rootOf - before Byzantium, 32 bytes: of the state after a transaction. Undefined where receipts have a status
 */
export const receiptItems = (
  kept: KeptResults,
  blooms: Uint8Array,
  typeOf: (txIndex: number) => number,
  rootOf?: (txIndex: number) => Uint8Array,
): Int32Array => {
  const { count, words, starts } = kept
  const first = rootOf === undefined ? 1 : ROOT_ITEM
  const logLists = new Int32Array(count)
  const payloads = new Int32Array(count)
  let total = 0
  let gas = 0n
  for (let k = 0; k < count; k++) {
    gas += kept.gasUsed(k)
    logLists[k] = logsLength(words, starts[k])
    payloads[k] = first + numberBytes(gas) + BLOOM_ITEM + headBytes(logLists[k]) + logLists[k]
    const length = (typeOf(k) === 0 ? 0 : 1) + headBytes(payloads[k]) + payloads[k]
    total += 1 + ((length + 3) >> 2)
  }
  const items = new Int32Array(total)
  const out = new RlpWriter(items, words)
  let item = 0
  gas = 0n
  for (let k = 0; k < count; k++) {
    const at = starts[k]
    gas += kept.gasUsed(k)
    const begin = 4 * (item + 1)
    out.at = begin
    const type = typeOf(k)
    if (type !== 0) out.byte(type)
    out.head(0xc0, payloads[k])
    if (rootOf === undefined) out.byte(words[at + Output.Status] === 1 ? 1 : 0x80)
    else {
      out.byte(0x80 + 32)
      out.bytes.set(rootOf(k), out.at)
      out.at += 32
    }
    out.number(gas)
    out.head(0x80, BLOOM_BYTES)
    // The bytes are zeros already.
    if (words[at + Output.Logs] > 0) out.bytes.set(blooms.subarray(BLOOM_BYTES * k, BLOOM_BYTES * (k + 1)), out.at)
    out.at += BLOOM_BYTES
    out.head(0xc0, logLists[k])
    writeLogs(out, words, at)
    items[item] = out.at - begin
    item += 1 + ((items[item] + 3) >> 2)
  }
  return items
}

/** Bytes of a number's item. */
const numberBytes = (value: bigint): number => {
  if (value < 128n) return 1
  const high = Number(value >> 32n)
  return 1 + (high === 0 ? lengthBytes(Number(value)) : 4 + lengthBytes(high))
}

/** Bytes of a byte string's item. */
const stringBytes = (length: number, first: number): number =>
  length === 1 && first < 0x80 ? 1 : headBytes(length) + length

const topicsLength = (topics: number): number => {
  const length = TOPIC_ITEM * topics
  return headBytes(length) + length
}

/** Bytes of a log's items; its topics and data begin where `LOG_HEAD` says. */
const logLength = (topics: number, data: number, first: number): number =>
  ADDRESS_ITEM + topicsLength(topics) + stringBytes(data, first)

/** Bytes of all logs of the result at `start`. */
const logsLength = (words: Int32Array, start: number): number => {
  let length = 0
  let at = start + Output.Body
  for (let left = words[start + Output.Logs]; left > 0; left--) {
    const topics = words[at + LOG_HEAD - 1]
    const data = at + LOG_HEAD + TOPIC_WORDS * topics
    const log = logLength(topics, words[data], words[data + 1] & 255)
    length += headBytes(log) + log
    at = data + 1 + ((words[data] + 3) >> 2)
  }
  return length
}

const writeLogs = (out: RlpWriter, words: Int32Array, start: number): void => {
  let at = start + Output.Body
  for (let left = words[start + Output.Logs]; left > 0; left--) {
    const topics = words[at + LOG_HEAD - 1]
    const data = at + LOG_HEAD + TOPIC_WORDS * topics
    const length = words[data]
    const first = words[data + 1] & 255
    out.head(0xc0, logLength(topics, length, first))
    out.byte(0x80 + 20)
    out.copy(at, 20)
    out.head(0xc0, TOPIC_ITEM * topics)
    for (let topic = at + LOG_HEAD; topic < data; topic += TOPIC_WORDS) {
      out.byte(0x80 + 32)
      out.copy(topic, 32)
    }
    if (length !== 1 || first >= 0x80) out.head(0x80, length)
    out.copy(data + 1, length)
    at = data + 1 + ((length + 3) >> 2)
  }
}

/** Longer runs of bytes are copied through a view, which costs an object. */
const SHORT = 64

const halves = new Int32Array(2)
const whole = new BigUint64Array(halves.buffer)

/** Writes RLP at a byte of its own words, from numbers and from other words. */
class RlpWriter {
  at = 0
  readonly bytes: Uint8Array
  readonly #from: Int32Array
  readonly #fromBytes: Uint8Array

  constructor(to: Int32Array, from: Int32Array) {
    this.bytes = new Uint8Array(to.buffer)
    this.#from = from
    this.#fromBytes = new Uint8Array(from.buffer)
  }

  byte(value: number): void {
    this.bytes[this.at++] = value
  }

  /** Head of a list (0xc0) or of a byte string (0x80). */
  head(kind: number, length: number): void {
    if (length < 56) {
      this.byte(kind + length)
      return
    }
    const count = lengthBytes(length)
    this.byte(kind + 55 + count)
    for (let k = count - 1; k >= 0; k--) this.byte((length >>> (8 * k)) & 255)
  }

  number(value: bigint): void {
    if (value < 128n) {
      this.byte(value === 0n ? 0x80 : Number(value))
      return
    }
    const count = numberBytes(value) - 1
    this.byte(0x80 + count)
    whole[0] = value
    for (let k = count - 1; k >= 0; k--) this.byte((halves[k >> 2] >>> (8 * (k & 3))) & 255)
  }

  /** The bytes that begin at a word of the source. */
  copy(from: number, length: number): void {
    const { bytes, at } = this
    const words = this.#from
    if (length > SHORT) bytes.set(this.#fromBytes.subarray(4 * from, 4 * from + length), at)
    else for (let k = 0; k < length; k++) bytes[at + k] = words[from + (k >> 2)] >>> (8 * (k & 3))
    this.at = at + length
  }
}
