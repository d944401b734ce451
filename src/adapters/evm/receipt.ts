/**
 * Receipts: their shape, their consensus encoding and the bloom filter of their logs.
 *
 * Shapes follow @ethereumjs/vm `TxReceipt` and @ethereumjs/evm `Log`, with what callers of JSON-RPC also expect.
 * Keccak is injected: whoever has a fast one passes it in.
 *
 * Source: yellow paper, 4.3.1 (bloom M3:2048); EIP-658 (status), EIP-2718 (typed receipts).
 */

import { RLP } from '@ethereumjs/rlp'
import type { TransactionType } from './transaction.ts'

/** One log: address (20 bytes), topics (32 bytes each, at most 4), data. */
export type Log = readonly [address: Uint8Array, topics: readonly Uint8Array[], data: Uint8Array]

/** What a transaction did, as the receipts root commits to it, and a little more. */
export interface TransactionReceipt {
  /** 1 success, 0 failure; absent before Byzantium. */
  readonly status?: 0 | 1
  /** 32 bytes, before Byzantium: of the state after the transaction. Absent where no state root was asked for. */
  readonly stateRoot?: Uint8Array
  /** Gas used in the block up to and with this transaction. */
  readonly cumulativeBlockGasUsed: bigint
  /** 256 bytes. */
  readonly bitvector: Uint8Array
  /** In the order in which they were written. */
  readonly logs: readonly Log[]
  /** EIP-2718; 0 for a transaction without one. */
  readonly txType: TransactionType
  /** Gas used by this transaction. */
  readonly gasUsed: bigint
  /** What the sender paid for a unit of gas, in wei. */
  readonly effectiveGasPrice: bigint
  /** 20 bytes: the contract that the transaction created. */
  readonly contractAddress?: Uint8Array
}

/** Bytes of a bloom filter. */
const BLOOM_LENGTH = 256

/**
 * Encodes a receipt as the receipts trie holds it.
 *
 * @param receipt - of which status or state root, cumulative gas, bloom and logs are used
 * @param txType - the type of its transaction
 * @returns an RLP list for type 0, type byte and list for others; undefined for a receipt with neither status nor root
 */
export function encodeReceipt(
  receipt: Pick<TransactionReceipt, 'status' | 'stateRoot' | 'cumulativeBlockGasUsed' | 'bitvector' | 'logs'>,
  txType: TransactionType,
): Uint8Array | undefined {
  const first = receipt.status ?? receipt.stateRoot
  if (first === undefined) return undefined
  const list = RLP.encode([
    first,
    receipt.cumulativeBlockGasUsed,
    receipt.bitvector,
    receipt.logs.map(([address, topics, data]) => [address, [...topics], data]),
  ])
  if (txType === 0) return list
  const encoded = new Uint8Array(1 + list.length)
  encoded[0] = txType
  encoded.set(list, 1)
  return encoded
}

/** A bloom filter in which nothing is yet. */
export function emptyBloom(): Uint8Array {
  return new Uint8Array(BLOOM_LENGTH)
}

/**
 * The bloom filter of logs: three bits for each address and each topic.
 *
 * @param keccak256 - hashes bytes to 32 bytes
 * @returns 256 bytes
 */
export function bloomOf(logs: readonly Log[], keccak256: (bytes: Uint8Array) => Uint8Array): Uint8Array {
  const bloom = emptyBloom()
  for (const [address, topics] of logs) {
    addToBloom(bloom, keccak256(address))
    for (const topic of topics) addToBloom(bloom, keccak256(topic))
  }
  return bloom
}

/** Bits are the low 11 of the first three byte pairs of the hash; bit 0 is the lowest of the last byte. */
function addToBloom(bloom: Uint8Array, hash: Uint8Array): void {
  for (let pair = 0; pair < 6; pair += 2) {
    const bit = ((hash[pair] << 8) | hash[pair + 1]) & 2047
    bloom[BLOOM_LENGTH - 1 - (bit >> 3)] |= 1 << (bit & 7)
  }
}
