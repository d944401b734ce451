/**
 * Writes transactions and the block environment into words for the WebAssembly kernel (rust/evm-core).
 *
 * Words are u32. An integer takes its low word first (little-endian limbs); an address or hash is its bytes in order.
 * The layouts below are shared with the kernel's decoder: change both or neither.
 *
 * Transaction, `transactionWords(tx)` words:
 *    0      type                       24-31  value, u256
 *    1      flags: 1 to, 2 chainId,    32-33  chainId, u64
 *           4 data fee                 34-37  blob fee, u128
 *    2-6    from                       38     data, bytes
 *    7-11   to                         39     access list entries
 *   12-13   gas limit, u64             40     blob hashes
 *   14-15   nonce, u64                 41     authorisations
 *   16-19   max fee, u128              42     words of all this
 *   20-23   priority fee, u128         43     0
 *                                      44     data, padded to a word; then lists
 *   access list entry: address 5, count of keys 1, keys 8 each; blob hash: 8;
 *   authorisation: chainId 8, address 5, nonce 2, yParity 1, r 8, s 8.
 *   With a data fee (feeOptions.ts) the last 8 words are that fee.
 *
 * Block environment, `BLOCK_ENV_WORDS` words:
 *    0-1    chainId, u64               29-33  coinbase
 *    2      spec                       34     1 where excess blob gas is given
 *    3      flags: 1 EIP-1283,         35     dialect of Amsterdam
 *           2 fees keep base fee,      36-37  excess blob gas, u64
 *           4 vault of the base fee,   38-39  blob base fee update fraction, u64
 *           8 vault of the data fee    40     most blobs, 0 where there are none
 *    4-5    number, u64                41-42  slot number, u64 (EIP-7843)
 *    6-7    timestamp, u64             43     0
 *    8-9    gas limit, u64             44-48  vault of the base fee
 *   10-11   base fee, u64              49-53  vault of the data fee
 *   12-19   difficulty, u256
 *   20-27   prevRandao
 *   28      1 from the merge on
 *
 * Concurrency: main thread, once a block, before any worker reads the words.
 */

import { dialectCode } from './amsterdam.ts'
import type { BlockHeader } from './block.ts'
import type { ResolvedChain } from './chain.ts'
import type { ResolvedFees } from './feeOptions.ts'
import { SPEC_PARIS } from './forks.ts'
import { equalBytes } from './input.ts'
import type { AccessListEntry, BlockTransaction } from './transaction.ts'

/** Words before the data of a transaction. */
const TRANSACTION_HEAD_WORDS = 44

const ADDRESS_WORDS = 5
const HASH_WORDS = 8
const AUTHORIZATION_WORDS = HASH_WORDS + ADDRESS_WORDS + 2 + 1 + 2 * HASH_WORDS

/** Words of a block environment. */
export const BLOCK_ENV_WORDS = 54

/** SSTORE as only Constantinople had it (EIP-1283). */
const NET_METERING = 1

/** Where fees go: to the recipient of the priority fee, the base fee too; to a vault. */
const KEEPS_BASE_FEE = 2
const HAS_BASE_FEE_VAULT = 4
const HAS_DATA_FEE_VAULT = 8

const HAS_TO = 1
const HAS_CHAIN_ID = 2
const HAS_DATA_FEE = 4
const FEE_WORDS = 8

/** How many words a transaction takes, `dataFee` being what it pays for its data, if the block has such a fee. */
export function transactionWords(tx: BlockTransaction, dataFee?: bigint): number {
  return (
    TRANSACTION_HEAD_WORDS +
    wordsOf(tx.data) +
    tx.accessList.reduce((words, entry) => words + accessWords(entry), 0) +
    tx.blobVersionedHashes.length * HASH_WORDS +
    tx.authorizationList.length * AUTHORIZATION_WORDS +
    (dataFee === undefined ? 0 : FEE_WORDS)
  )
}

/**
 * Writes one transaction; every one of its words is set, so the words need not be clear before.
 *
 * @param from - the sender, 20 bytes; undefined where `encodeSender` will put it
 * @param words - room for `transactionWords(tx, dataFee)` words from `at` on
 * @returns the word after the last one written
 */
export function encodeTransaction(
  tx: BlockTransaction,
  from: Uint8Array | undefined,
  words: Int32Array,
  at: number,
  dataFee?: bigint,
): number {
  const { to, chainId } = tx
  words.fill(0, at, at + TRANSACTION_HEAD_WORDS)
  words[at] = tx.type
  words[at + 1] = (to === undefined ? 0 : HAS_TO) | (chainId === undefined ? 0 : HAS_CHAIN_ID)
  if (from !== undefined) encodeSender(from, words, at)
  if (to !== undefined) putBytes(words, at + 7, to)
  putInteger(words, at + 12, 2, tx.gasLimit)
  putInteger(words, at + 14, 2, tx.nonce)
  putInteger(words, at + 16, 4, tx.maxFeePerGas)
  putInteger(words, at + 20, 4, tx.maxPriorityFeePerGas ?? 0n)
  putInteger(words, at + 24, 8, tx.value)
  putInteger(words, at + 32, 2, chainId ?? 0n)
  putInteger(words, at + 34, 4, tx.maxFeePerBlobGas ?? 0n)
  words[at + 38] = tx.data.length
  words[at + 39] = tx.accessList.length
  words[at + 40] = tx.blobVersionedHashes.length
  words[at + 41] = tx.authorizationList.length
  let next = putBytes(words, at + TRANSACTION_HEAD_WORDS, tx.data)
  for (const entry of tx.accessList) {
    next = putBytes(words, next, entry.address)
    words[next++] = entry.storageKeys.length
    for (const key of entry.storageKeys) next = putBytes(words, next, key)
  }
  for (const hash of tx.blobVersionedHashes) next = putBytes(words, next, hash)
  for (const authorization of tx.authorizationList) {
    next = putInteger(words, next, HASH_WORDS, authorization.chainId)
    next = putBytes(words, next, authorization.address)
    next = putInteger(words, next, 2, authorization.nonce)
    words[next++] = authorization.yParity
    next = putInteger(words, next, HASH_WORDS, authorization.r)
    next = putInteger(words, next, HASH_WORDS, authorization.s)
  }
  if (dataFee !== undefined) {
    words[at + 1] |= HAS_DATA_FEE
    next = putInteger(words, next, FEE_WORDS, dataFee)
  }
  words[at + 42] = next - at
  return next
}

/** Writes the sender of the transaction at `at`. */
export function encodeSender(from: Uint8Array, words: Int32Array, at: number): void {
  putBytes(words, at + 2, from)
}

/**
 * Writes what the opcodes about the block see.
 *
 * @param words - room for `BLOCK_ENV_WORDS` words from `at` on
 * @returns the word after the last one written
 */
export function encodeBlockEnv(
  header: BlockHeader,
  chain: ResolvedChain,
  words: Int32Array,
  at: number,
  fees?: ResolvedFees,
): number {
  const { excessBlobGas } = header
  words.fill(0, at, at + BLOCK_ENV_WORDS)
  putInteger(words, at, 2, chain.chainId)
  words[at + 2] = chain.spec
  words[at + 3] = chain.fork === 'constantinople' ? NET_METERING : 0
  putInteger(words, at + 4, 2, header.number)
  putInteger(words, at + 6, 2, header.timestamp)
  putInteger(words, at + 8, 2, header.gasLimit)
  putInteger(words, at + 10, 2, header.baseFeePerGas ?? 0n)
  putInteger(words, at + 12, 8, header.difficulty)
  putBytes(words, at + 20, header.prevRandao)
  words[at + 28] = chain.spec >= SPEC_PARIS ? 1 : 0
  putBytes(words, at + 29, header.coinbase)
  words[at + 34] = excessBlobGas === undefined ? 0 : 1
  words[at + 35] = chain.amsterdam === undefined ? 0 : dialectCode(chain.amsterdam)
  putInteger(words, at + 36, 2, excessBlobGas ?? 0n)
  putInteger(words, at + 38, 2, BigInt(chain.blob?.baseFeeUpdateFraction ?? 0))
  words[at + 40] = chain.blob?.max ?? 0
  putInteger(words, at + 41, 2, header.slotNumber ?? 0n)
  if (fees !== undefined) encodeFees(fees, words, at)
  return at + BLOCK_ENV_WORDS
}

function encodeFees({ priorityFeeRecipient, baseFeeRecipient, dataFee }: ResolvedFees, words: Int32Array, at: number) {
  let flags = 0
  if (baseFeeRecipient !== undefined) {
    // One credit does for both fees, and that of the priority fee costs the least.
    if (equalBytes(baseFeeRecipient, priorityFeeRecipient)) flags |= KEEPS_BASE_FEE
    else {
      flags |= HAS_BASE_FEE_VAULT
      putBytes(words, at + 44, baseFeeRecipient)
    }
  }
  if (dataFee !== undefined) {
    flags |= HAS_DATA_FEE_VAULT
    putBytes(words, at + 49, dataFee.recipient)
  }
  words[at + 3] |= flags
}

function wordsOf(bytes: Uint8Array): number {
  return (bytes.length + 3) >> 2
}

function accessWords(entry: AccessListEntry): number {
  return ADDRESS_WORDS + 1 + entry.storageKeys.length * HASH_WORDS
}

/** Low word first. */
function putInteger(words: Int32Array, at: number, count: number, value: bigint): number {
  let rest = value
  for (let index = at; index < at + count; index++) {
    words[index] = Number(rest & 0xffffffffn)
    rest >>= 32n
  }
  return at + count
}

/** In order, the last word padded with zeros. */
function putBytes(words: Int32Array, at: number, bytes: Uint8Array): number {
  const next = at + wordsOf(bytes)
  if (next > at) words[next - 1] = 0
  new Uint8Array(words.buffer, words.byteOffset + 4 * at, bytes.length).set(bytes)
  return next
}
