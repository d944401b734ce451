/**
 * RLP of untrusted length and shape: decoding that cannot exhaust memory, and files of blocks one after another.
 *
 * Owns what @ethereumjs/rlp does not bound: it copies the rest of its input once for each level of nesting and makes
 * an object of each item, so that a few megabytes of list heads would take all memory before its stack overflows.
 * Everything else about RLP (canonical lengths, ends that fit) is that library's.
 *
 * Source: yellow paper, appendix B.
 */

import { RLP } from '@ethereumjs/rlp'
import { InvalidInputError } from '../../core/errors.ts'
import type { RlpItem } from './input.ts'

/** Deepest nesting: a block's is 6 (block, transactions, transaction, access list, entry, keys). */
const MOST_LEVELS = 16

/** Most items in one decoding; a full block of the smallest transactions has two million in 8 MiB. */
const MOST_ITEMS = 1 << 22

/** Longest block of a chain file by default, in bytes: four times what EIP-7934 allows. */
const MOST_BLOCK_BYTES = 1 << 25

/**
 * Decodes one RLP item that is all of `bytes`.
 *
 * Cost: a pass over the heads of all items before the library's own.
 *
 * @param bytes - owned by the caller; the items are copies but for single bytes at the top
 * @throws {Error} where it is not RLP, or nests deeper or has more items than any block
 */
export function decodeRlp(bytes: Uint8Array): RlpItem {
  checkShape(bytes)
  return RLP.decode(bytes)
}

/** Walks the heads as the decoder will, so that whatever precedes its first error is within bounds. */
function checkShape(bytes: Uint8Array): void {
  const ends: number[] = []
  let items = 0
  for (let at = 0; at < bytes.length; ) {
    while (ends.length > 0 && at >= ends[ends.length - 1]) ends.pop()
    if (++items > MOST_ITEMS) throw new RangeError(`more than ${MOST_ITEMS} RLP items`)
    const start = at + headLength(bytes[at])
    const end = start + payloadLength(bytes, at)
    if (!isListHead(bytes[at])) {
      at = end
      continue
    }
    ends.push(end)
    if (ends.length > MOST_LEVELS) throw new RangeError(`RLP lists nested deeper than ${MOST_LEVELS} at byte ${at}`)
    at = start
  }
}

/** True where the first byte of an item says that it is a list. */
export function isListHead(first: number | undefined): boolean {
  return first !== undefined && first >= 0xc0
}

/**
 * Bytes before the payload of an item: none for a byte that stands for itself, else 1, or 1 and those of its length.
 */
function headLength(first: number): number {
  if (first < 0x80) return 0
  if (first < 0xc0) return first < 0xb8 ? 1 : first - 0xb6
  return first < 0xf8 ? 1 : first - 0xf6
}

/** Bytes of the payload of the item at `at`; exact up to 2^53, whatever lies beyond is too long for anybody. */
function payloadLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]
  if (first < 0x80) return 1
  const short = first < 0xc0 ? first - 0x80 : first - 0xc0
  if (short < 56) return short
  let length = 0
  for (let k = 0; k < short - 55; k++) length = length * 256 + (bytes[at + 1 + k] ?? 0)
  return length
}

/** One block of a chain file. */
export interface ChainEntry {
  /** Where its first byte stands in the file. */
  readonly offset: number
  /** RLP of the block. */
  readonly bytes: Uint8Array
}

/** Limits for a chain file. */
export interface ChainFileOptions {
  /** Longest block, in bytes; 32 MiB by default. */
  readonly maxBlockBytes?: number
}

/**
 * The blocks of a chain file that is in memory, one by one. Nothing after the block last asked for is looked at.
 *
 * @param bytes - blocks in RLP, nothing between them
 * @returns entries whose bytes are views of `bytes`
 * @throws {Blockloom.InvalidInputError} `UNDECODABLE_BLOCK`, with `fields.offset`, where a block is cut off, is not a
 *   list, has a length with zeros before it, or is longer than the limit
 */
export function* splitChain(bytes: Uint8Array, options: ChainFileOptions = {}): Generator<ChainEntry, void, undefined> {
  const limit = limitOf(options)
  for (let offset = 0; offset < bytes.length; ) {
    const length = entryLength(bytes, offset, bytes.length, offset, limit)
    if (length === undefined || length > bytes.length - offset) throw cutOff(offset, bytes.length - offset, length)
    yield { offset, bytes: bytes.subarray(offset, offset + length) }
    offset += length
  }
}

/**
 * The blocks of a chain file that arrives in pieces, one by one. Holds one block and one piece at a time.
 *
 * @param chunks - the file's bytes in order, in pieces of any length, such as a stream of node:fs or `Blob.stream()`
 * @returns entries whose bytes are copies
 * @throws {Blockloom.InvalidInputError} as `splitChain`
 */
export async function* readChain(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: ChainFileOptions = {},
): AsyncGenerator<ChainEntry, void, undefined> {
  const limit = limitOf(options)
  let buffer = new Uint8Array(0)
  /** What of the buffer is not yet given out: from `start` to `end`. */
  let start = 0
  let end = 0
  let offset = 0
  let wanted: number | undefined
  for await (const chunk of chunks) {
    if (end + chunk.length > buffer.length) {
      const rest = buffer.subarray(start, end)
      // Twice what is needed, so that a block in many pieces is copied twice at most, not once a piece.
      if (2 * (rest.length + chunk.length) > buffer.length) {
        buffer = new Uint8Array(2 * (rest.length + chunk.length))
        buffer.set(rest)
      } else buffer.copyWithin(0, start, end)
      start = 0
      end = rest.length
    }
    buffer.set(chunk, end)
    end += chunk.length
    while (start < end) {
      wanted = entryLength(buffer, start, end, offset, limit)
      if (wanted === undefined || wanted > end - start) break
      yield { offset, bytes: buffer.slice(start, start + wanted) }
      start += wanted
      offset += wanted
    }
  }
  if (start < end) throw cutOff(offset, end - start, wanted)
}

function limitOf({ maxBlockBytes = MOST_BLOCK_BYTES }: ChainFileOptions): number {
  if (Number.isSafeInteger(maxBlockBytes) && maxBlockBytes > 0) return maxBlockBytes
  throw new InvalidInputError('INVALID_OPTION', 'maxBlockBytes is not an integer from 1 on', {
    option: 'maxBlockBytes',
  })
}

/** Bytes of the list at `at`, its head included; undefined where too little of it is there to tell. */
function entryLength(bytes: Uint8Array, at: number, end: number, offset: number, limit: number): number | undefined {
  const first = bytes[at]
  if (!isListHead(first)) {
    throw entryError(offset, `is no block: its first byte is 0x${first.toString(16).padStart(2, '0')}, not a list's`)
  }
  const head = headLength(first)
  if (end - at < head) return undefined
  const payload = payloadLength(bytes, at)
  if (head > 1 && (bytes[at + 1] === 0 || payload < 56)) throw entryError(offset, 'has a length that is not canonical')
  if (head + payload <= limit) return head + payload
  throw entryError(offset, `says it has ${head + payload} bytes, more than the limit of ${limit}`)
}

function cutOff(offset: number, actual: number, wanted: number | undefined): InvalidInputError {
  return entryError(offset, `is cut off: ${actual} bytes are left of ${wanted ?? 'a length that is itself cut off'}`)
}

function entryError(offset: number, reason: string): InvalidInputError {
  const where = `byte ${offset}`
  return new InvalidInputError('UNDECODABLE_BLOCK', `the block at ${where} ${reason}`, {
    where,
    field: '',
    offset,
    reason,
  })
}
