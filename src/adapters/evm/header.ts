/**
 * Headers as bytes, and what is said of a block in hashes: the header's own, and those of the lists of its body.
 *
 * Owns encoding, the exact inverse of block.ts. Does not own rules (headerRules.ts) nor the trie: whoever has a kernel
 * passes its `orderedRoot` in. Keccak is injected too; @noble/hashes' is the default.
 *
 * Source: yellow paper, 4.3 (header, ommers hash, roots); EIP-2718 (typed transactions in the root); EIP-4895.
 */

import { RLP } from '@ethereumjs/rlp'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { type BlockHeader, type DecodedBlock, FRONTIER_HEADER_FIELDS, HEADER_FIELDS, type Withdrawal } from './block.ts'
import { fail, type Place } from './input.ts'
import { type BlockTransaction, encodeRawTransaction } from './transaction.ts'

/** Hashes bytes to 32 bytes. */
export type HashFunction = (bytes: Uint8Array) => Uint8Array

/** Root of the trie of rlp(index) to each item: `orderedRoot` of blockloom/wasm. */
export type OrderedRoot = (items: readonly Uint8Array[]) => Uint8Array

/** Keccak-256 of the empty RLP list: the ommers hash of a block without uncles. */
export const EMPTY_OMMERS_HASH: Uint8Array = keccak_256(RLP.encode([]))

/** Root of the empty trie. */
export const EMPTY_TRIE_ROOT: Uint8Array = keccak_256(RLP.encode(new Uint8Array(0)))

/**
 * Encodes a header as its hash commits to it.
 *
 * @param header - with all fields of Frontier, and of the later ones a run without a gap
 * @returns an RLP list of 15 to 23 items; the bytes that were decoded, where bytes were
 * @throws {Blockloom.InvalidInputError} `UNDECODABLE_BLOCK`, with `fields.field`, where a field is missing
 */
export function encodeHeader(header: BlockHeader): Uint8Array {
  return RLP.encode(headerItems(header, { path: 'header' }))
}

/**
 * The hash of a block: Keccak-256 of its encoded header.
 *
 * @param header - complete, as for `encodeHeader`
 * @returns 32 bytes
 */
export function hashHeader(header: BlockHeader, keccak256: HashFunction = keccak_256): Uint8Array {
  return keccak256(encodeHeader(header))
}

function headerItems(header: BlockHeader, place: Place): (Uint8Array | bigint)[] {
  const items = HEADER_FIELDS.map((name) => header[name])
  const count = items.findLastIndex((item) => item !== undefined) + 1
  return items.slice(0, Math.max(count, FRONTIER_HEADER_FIELDS)).map((item, index) => {
    return item ?? fail(place, HEADER_FIELDS[index], 'is missing: without it the header has no encoding')
  })
}

/**
 * Encodes a whole block.
 *
 * @param block - with a complete header and its uncles, not only their hashes
 * @returns RLP of `[header, transactions, uncles, withdrawals?]`; the bytes that were decoded, where bytes were
 * @throws {Blockloom.InvalidInputError} `UNDECODABLE_BLOCK` where the header is incomplete or the uncles are not there
 */
export function encodeBlock(block: DecodedBlock): Uint8Array {
  const { header, transactions, uncles, withdrawals } = block
  if (uncles === undefined) {
    return fail({ path: '' }, 'uncles', 'are not there: a JSON block has only their hashes; give the RLP of the block')
  }
  return RLP.encode([
    headerItems(header, { path: 'header' }),
    transactions.map((tx) => {
      const raw = encodeRawTransaction(tx)
      // A legacy transaction stands in the list as the list that it is, the others as strings.
      return tx.type === 0 ? RLP.decode(raw) : raw
    }),
    uncleItems(uncles),
    ...(withdrawals === undefined ? [] : [withdrawals.map(withdrawalItems)]),
  ])
}

function uncleItems(uncles: readonly BlockHeader[]): (Uint8Array | bigint)[][] {
  return uncles.map((uncle, index) => headerItems(uncle, { path: `uncles[${index}]` }))
}

function withdrawalItems({ index, validatorIndex, address, amount }: Withdrawal): (Uint8Array | bigint)[] {
  return [index, validatorIndex, address, amount]
}

/** The root that a header holds of its transactions; 32 bytes. */
export function transactionsRoot(transactions: readonly BlockTransaction[], orderedRoot: OrderedRoot): Uint8Array {
  return orderedRoot(transactions.map(encodeRawTransaction))
}

/** The root that a header holds of its withdrawals, from Shanghai on; 32 bytes. */
export function withdrawalsRoot(withdrawals: readonly Withdrawal[], orderedRoot: OrderedRoot): Uint8Array {
  return orderedRoot(withdrawals.map((withdrawal) => RLP.encode(withdrawalItems(withdrawal))))
}

/**
 * The hash that a header holds of its uncles; 32 bytes.
 *
 * @throws {Blockloom.InvalidInputError} `UNDECODABLE_BLOCK` where an uncle's header is incomplete
 */
export function ommersHash(uncles: readonly BlockHeader[], keccak256: HashFunction = keccak_256): Uint8Array {
  return keccak256(RLP.encode(uncleItems(uncles)))
}
