/**
 * Blocks as they come: JSON-RPC with full transactions, RLP bytes, or an @ethereumjs/block `Block`; one shape out.
 *
 * Owns which fields a header has and in which order. Does not own their truth: no hash, root or
 * seal is checked here (headerRules.ts).
 *
 * Source: yellow paper, 4.3; fields added by EIP-1559, EIP-4895, EIP-4844, EIP-4788, EIP-7685, EIP-7928, EIP-7843.
 */

import { InvalidInputError } from '../../core/errors.ts'
import { type FieldReader, fail, isRecord, jsonReader, type Place, type RlpItem, rlpReader } from './input.ts'
import { decodeRlp } from './rlp.ts'
import { type BlockTransaction, decodeTransaction, decodeTransactionItem } from './transaction.ts'

/** What a header says about the block; fields that came with a fork are absent before it. */
export interface BlockHeader {
  readonly number: bigint
  /** Seconds since 1970. */
  readonly timestamp: bigint
  readonly gasLimit: bigint
  readonly gasUsed?: bigint
  /** In wei; from London on. */
  readonly baseFeePerGas?: bigint
  /** 20 bytes: who receives the fees. */
  readonly coinbase: Uint8Array
  /** 0 after the merge. */
  readonly difficulty: bigint
  /** 32 bytes: the beacon chain's random value; before the merge the mix hash of proof of work, at the same place. */
  readonly prevRandao: Uint8Array
  /** From Cancun on. */
  readonly excessBlobGas?: bigint
  /** From Cancun on. */
  readonly blobGasUsed?: bigint
  /** 32 bytes; from Cancun on. */
  readonly parentBeaconBlockRoot?: Uint8Array
  /** 32 bytes. */
  readonly parentHash?: Uint8Array
  /** 32 bytes: of the list of uncles' headers; JSON-RPC calls it `sha3Uncles`. */
  readonly ommersHash?: Uint8Array
  /** 32 bytes. */
  readonly stateRoot?: Uint8Array
  /** 32 bytes. */
  readonly transactionsRoot?: Uint8Array
  /** 32 bytes. */
  readonly receiptsRoot?: Uint8Array
  /** 256 bytes. */
  readonly logsBloom?: Uint8Array
  /** 32 bytes; from Shanghai on. */
  readonly withdrawalsRoot?: Uint8Array
  /** 32 bytes; from Prague on. */
  readonly requestsHash?: Uint8Array
  /** 32 bytes; from Amsterdam on (EIP-7928). */
  readonly blockAccessListHash?: Uint8Array
  /** From Amsterdam on (EIP-7843). */
  readonly slotNumber?: bigint
  readonly extraData?: Uint8Array
  /** 8 bytes; zeros after the merge. */
  readonly nonce?: Uint8Array
  /** 32 bytes: the block's hash as a JSON block claims it, not verified. */
  readonly hash?: Uint8Array
}

/** A payment from the beacon chain (EIP-4895). */
export interface Withdrawal {
  readonly index: bigint
  readonly validatorIndex: bigint
  /** 20 bytes. */
  readonly address: Uint8Array
  /** In gwei. */
  readonly amount: bigint
}

/** A block, decoded. */
export interface DecodedBlock {
  readonly header: BlockHeader
  readonly transactions: readonly BlockTransaction[]
  /** Absent before Shanghai. */
  readonly withdrawals?: readonly Withdrawal[]
  /** Headers of the uncles; absent where a JSON block names some, since it has only their hashes. */
  readonly uncles?: readonly BlockHeader[]
}

/** An object that decodes as a block: the part of @ethereumjs/block `Block` that is used. */
interface BlockLike {
  readonly header: object
  readonly transactions: readonly unknown[]
  /** The RLP of the whole block. */
  serialize(): Uint8Array
}

/** The items of a header in the order of RLP, as `BlockHeader` names them. */
export const HEADER_FIELDS = [
  ...['parentHash', 'ommersHash', 'coinbase', 'stateRoot', 'transactionsRoot', 'receiptsRoot', 'logsBloom'],
  ...['difficulty', 'number', 'gasLimit', 'gasUsed', 'timestamp', 'extraData', 'prevRandao', 'nonce'],
  ...['baseFeePerGas', 'withdrawalsRoot', 'blobGasUsed', 'excessBlobGas', 'parentBeaconBlockRoot', 'requestsHash'],
  ...['blockAccessListHash', 'slotNumber'],
] as readonly Exclude<keyof BlockHeader, 'hash'>[]

/** How many of them a Frontier header has; each fork may add to the end. */
export const FRONTIER_HEADER_FIELDS = 15

const WITHDRAWAL_FIELDS = ['index', 'validatorIndex', 'address', 'amount']

const TOP: Place = { path: '' }

/**
 * Decodes a block.
 *
 * @param input - a JSON-RPC block with full transactions (also with numbers and bigints in place of hex), RLP of
 *   `[header, transactions, uncles, withdrawals?]`, or an @ethereumjs/block `Block`
 * @returns the block; its bytes are copies
 * @throws {Blockloom.InvalidInputError} for everything else, with `fields.where`: `UNDECODABLE_BLOCK` where the form is
 *   wrong, or the code of the transaction that is (`UNKNOWN_TRANSACTION_TYPE`, `INVALID_SIGNATURE`,
 *   `INVALID_TRANSACTION`)
 */
export function decodeBlock(input: unknown): DecodedBlock {
  try {
    if (input instanceof Uint8Array) return decodeRlpBlock(input)
    if (isBlockLike(input)) return decodeRlpBlock(input.serialize())
    if (isRecord(input)) return decodeJsonBlock(input)
  } catch (cause) {
    if (cause instanceof InvalidInputError) throw cause
    // The RLP decoder's errors, an overflow of its stack, a getter that throws: all say that this is not a block.
    const reason = cause instanceof Error ? cause.message : 'reading it threw'
    throw new InvalidInputError(
      'UNDECODABLE_BLOCK',
      `block cannot be decoded: ${reason}`,
      { where: 'block', field: '', reason },
      { cause },
    )
  }
  return fail(TOP, '', 'is neither a JSON-RPC block, RLP bytes, nor a Block object')
}

function isBlockLike(input: unknown): input is BlockLike {
  if (!isRecord(input)) return false
  const { header, transactions, serialize } = input
  return isRecord(header) && Array.isArray(transactions) && typeof serialize === 'function'
}

function decodeJsonBlock(input: Readonly<Record<string, unknown>>): DecodedBlock {
  const reader = jsonReader(input, TOP)
  const { transactions, uncles } = input
  if (!Array.isArray(transactions)) return fail(TOP, 'transactions', 'is missing or not a list')
  const header = readHeader(reader)
  return {
    header,
    transactions: transactions.map((tx: unknown, txIndex) => decodeTransaction(tx, txIndex)),
    ...(reader.has('withdrawals') ? { withdrawals: readWithdrawals(reader) } : {}),
    ...(uncles === undefined || (Array.isArray(uncles) && uncles.length === 0) ? { uncles: [] } : {}),
  }
}

function decodeRlpBlock(bytes: Uint8Array): DecodedBlock {
  // A copy: the decoder slices, and the slices of a Buffer would stay views of the caller's memory.
  const item: RlpItem = decodeRlp(new Uint8Array(bytes))
  const reader = rlpReader(item, ['header', 'transactions', 'uncles', 'withdrawals'], TOP, 3)
  // The reader has seen that it is a list.
  const [header, transactions, uncles] = item as readonly RlpItem[]
  if (!Array.isArray(transactions)) return fail(TOP, 'transactions', 'is not an RLP list')
  if (!Array.isArray(uncles)) return fail(TOP, 'uncles', 'is not an RLP list')
  return {
    header: readRlpHeader(header, { path: 'header' }),
    transactions: transactions.map(decodeTransactionItem),
    ...(reader.has('withdrawals') ? { withdrawals: readWithdrawals(reader) } : {}),
    uncles: uncles.map((uncle, index) => readRlpHeader(uncle, { path: `uncles[${index}]` })),
  }
}

function readRlpHeader(item: RlpItem | undefined, place: Place): BlockHeader {
  return readHeader(rlpReader(item, HEADER_FIELDS, place, FRONTIER_HEADER_FIELDS))
}

function readHeader(reader: FieldReader): BlockHeader {
  const integer = (name: string, bits: 64 | 256 = 64): bigint | undefined =>
    reader.has(name) ? reader.integer(name, bits) : undefined
  const bytes = (name: string, length?: number): Uint8Array | undefined =>
    reader.has(name) ? reader.bytes(name, length) : undefined
  const difficulty = integer('difficulty', 256) ?? 0n
  return {
    number: reader.integer('number', 64),
    timestamp: reader.integer('timestamp', 64),
    gasLimit: reader.integer('gasLimit', 64),
    coinbase: reader.bytes('coinbase', 20),
    difficulty,
    prevRandao: readPrevRandao(reader, difficulty),
    ...given('gasUsed', integer('gasUsed')),
    ...given('baseFeePerGas', integer('baseFeePerGas')),
    ...given('excessBlobGas', integer('excessBlobGas')),
    ...given('blobGasUsed', integer('blobGasUsed')),
    ...given('parentBeaconBlockRoot', bytes('parentBeaconBlockRoot', 32)),
    ...given('parentHash', bytes('parentHash', 32)),
    ...given('ommersHash', bytes('ommersHash', 32)),
    ...given('stateRoot', bytes('stateRoot', 32)),
    ...given('transactionsRoot', bytes('transactionsRoot', 32)),
    ...given('receiptsRoot', bytes('receiptsRoot', 32)),
    ...given('logsBloom', bytes('logsBloom', 256)),
    ...given('withdrawalsRoot', bytes('withdrawalsRoot', 32)),
    ...given('requestsHash', bytes('requestsHash', 32)),
    ...given('blockAccessListHash', bytes('blockAccessListHash', 32)),
    ...given('slotNumber', integer('slotNumber')),
    ...given('nonce', bytes('nonce', 8)),
    ...given('extraData', bytes('extraData')),
    ...given('hash', bytes('hash', 32)),
  }
}

/** Some nodes leave the mix hash out before the merge, where nothing reads it; after it, no value can stand in. */
function readPrevRandao(reader: FieldReader, difficulty: bigint): Uint8Array {
  return difficulty > 0n && !reader.has('prevRandao') ? new Uint8Array(32) : reader.bytes('prevRandao', 32)
}

function readWithdrawals(reader: FieldReader): Withdrawal[] {
  return reader.entries('withdrawals', WITHDRAWAL_FIELDS).map((entry) => ({
    index: entry.integer('index', 64),
    validatorIndex: entry.integer('validatorIndex', 64),
    address: entry.bytes('address', 20),
    amount: entry.integer('amount', 64),
  }))
}

/** An object with the one property, or with none where there is no value. */
function given<Name extends string, Value>(name: Name, value: Value | undefined): { readonly [P in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { [P in Name]: Value })
}
