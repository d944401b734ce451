/**
 * Transactions of a block: one shape for all types, decoded from JSON-RPC, raw bytes or @ethereumjs/tx objects.
 *
 * Owns which fields a type has, in which order RLP holds them, and what exactly a sender signs. Does not own whether a
 * transaction may run: fees, nonces and balances are judged by the EVM at the transaction's place.
 *
 * Source: EIP-155, EIP-2718, EIP-2930, EIP-1559, EIP-4844, EIP-7702.
 *
 * Always true of a decoded transaction, so that encode.ts and the kernel need not ask again: nonce, gas limit and chain
 * id fit in 64 bits, fees in 128, other integers in 256; addresses have 20 bytes, keys and hashes 32.
 */

import { RLP } from '@ethereumjs/rlp'
import { InvalidInputError } from '../../core/errors.ts'
import { type FieldReader, fail, isRecord, jsonReader, type Place, type RlpItem, rlpReader } from './input.ts'
import { decodeRlp, isListHead } from './rlp.ts'

/** 0 legacy, 1 access list, 2 fee market, 3 blob, 4 set code. */
export type TransactionType = 0 | 1 | 2 | 3 | 4

/** One entry of an access list (EIP-2930). */
export interface AccessListEntry {
  /** 20 bytes. */
  readonly address: Uint8Array
  /** 32 bytes each. */
  readonly storageKeys: readonly Uint8Array[]
}

/** One signed authorisation to run foreign code (EIP-7702). An invalid one is skipped by the EVM, not an error. */
export interface Authorization {
  /** 0 means any chain. */
  readonly chainId: bigint
  /** 20 bytes: the account whose code is to be run. */
  readonly address: Uint8Array
  readonly nonce: bigint
  /** 0 to 255; only 0 and 1 can recover. */
  readonly yParity: number
  readonly r: bigint
  readonly s: bigint
}

/** The sender's signature over `signingPayload`. */
export interface TransactionSignature {
  readonly yParity: 0 | 1
  readonly r: bigint
  readonly s: bigint
}

/** One transaction of a block, of any type. */
export interface BlockTransaction {
  readonly type: TransactionType
  /** Absent for legacy transactions that are valid on every chain. */
  readonly chainId?: bigint
  readonly nonce: bigint
  readonly gasLimit: bigint
  /** Most that the sender pays for a unit of gas; the gas price for types 0 and 1. */
  readonly maxFeePerGas: bigint
  /** Most that goes to the fee recipient for a unit of gas; absent for types 0 and 1. */
  readonly maxPriorityFeePerGas?: bigint
  /** 20 bytes; absent where the transaction creates a contract. */
  readonly to?: Uint8Array
  /** In wei. */
  readonly value: bigint
  readonly data: Uint8Array
  /** Empty for types without one. */
  readonly accessList: readonly AccessListEntry[]
  /** Only for type 3. */
  readonly maxFeePerBlobGas?: bigint
  /** 32 bytes each; empty but for type 3. */
  readonly blobVersionedHashes: readonly Uint8Array[]
  /** Empty but for type 4. */
  readonly authorizationList: readonly Authorization[]
  /** Absent where the input carries none (all of v, r and s absent or zero). */
  readonly signature?: TransactionSignature
  /** 20 bytes: the sender as the input claims it, not verified. */
  readonly from?: Uint8Array
  /** 32 bytes: the hash as the input claims it, not verified. */
  readonly hash?: Uint8Array
}

const FEE_MARKET_FIELDS = [
  'chainId',
  'nonce',
  'maxPriorityFeePerGas',
  'maxFeePerGas',
  'gasLimit',
  'to',
  'value',
  'data',
  'accessList',
]

/** What is signed, in the order of RLP. Types 1 to 4 sign exactly this; type 0 may add the chain id (EIP-155). */
const SIGNED_FIELDS: Readonly<Record<TransactionType, readonly string[]>> = {
  0: ['nonce', 'gasPrice', 'gasLimit', 'to', 'value', 'data'],
  1: ['chainId', 'nonce', 'gasPrice', 'gasLimit', 'to', 'value', 'data', 'accessList'],
  2: FEE_MARKET_FIELDS,
  3: [...FEE_MARKET_FIELDS, 'maxFeePerBlobGas', 'blobVersionedHashes'],
  4: [...FEE_MARKET_FIELDS, 'authorizationList'],
}

const ACCESS_LIST_FIELDS = ['address', 'storageKeys']
const AUTHORIZATION_FIELDS = ['chainId', 'address', 'nonce', 'yParity', 'r', 's']

/** Fees are u128 in the kernel: 2^128 wei a unit of gas is more than all ether there is. */
const FEE_LIMIT = 1n << 128n

/**
 * Decodes one transaction.
 *
 * @param input - a JSON-RPC transaction object, raw bytes (RLP list, or type byte and payload), or an @ethereumjs/tx
 *   object, which is known by its `serialize()`
 * @param txIndex - its place in the block, for errors
 * @throws {Blockloom.InvalidInputError} with `fields.txIndex` and `fields.field`, where a field is missing, malformed
 *   or out of range, or the type is unknown
 */
export function decodeTransaction(input: unknown, txIndex: number): BlockTransaction {
  const place = placeOf(txIndex)
  if (input instanceof Uint8Array) return decodeRaw(new Uint8Array(input), place)
  if (typeof input === 'string') {
    return fail(place, '', 'is a hash: ask the node for full transactions, eth_getBlockByNumber(number, true)')
  }
  if (!isRecord(input)) return fail(place, '', 'is not an object')
  if (isSerializable(input)) {
    const raw = input.serialize()
    return raw instanceof Uint8Array ? decodeRaw(new Uint8Array(raw), place) : fail(place, '', 'does not serialize')
  }
  const reader = jsonReader(input, place)
  if (!reader.has('type')) return reader.fail('type', 'is missing', 'UNKNOWN_TRANSACTION_TYPE')
  return assemble(typeOf(Number(reader.integer('type', 64)), place), reader)
}

/**
 * Decodes a transaction as it stands in the RLP of a block: a list for type 0, else a string of type and payload.
 *
 * @param item - the decoded RLP item
 * @param txIndex - its place in the block, for errors
 */
export function decodeTransactionItem(item: RlpItem, txIndex: number): BlockTransaction {
  const place = placeOf(txIndex)
  if (Array.isArray(item)) return decodeList(0, item, place)
  return isListHead(item[0]) ? fail(place, '', 'is a legacy transaction wrapped in a string') : decodeRaw(item, place)
}

/**
 * The bytes whose Keccak-256 the sender signed.
 *
 * @param tx - a decoded transaction
 * @returns a legacy list with or without chain id (EIP-155), or type byte and list
 */
export function signingPayload(tx: BlockTransaction): Uint8Array {
  const items: RlpInput[] = SIGNED_FIELDS[tx.type].map((name) => rlpFieldOf(tx, name))
  if (tx.type === 0) return RLP.encode(tx.chainId === undefined ? items : [...items, tx.chainId, 0n, 0n])
  return enveloped(tx.type, RLP.encode(items))
}

/**
 * The bytes that the transactions root commits to: what a node sends, blobs apart. Without a signature, zeros stand for
 * it, which is how RLP says that there is none.
 *
 * @param tx - a decoded transaction
 * @returns a legacy list, or type byte and list; exactly the bytes that were decoded, where bytes were
 */
export function encodeRawTransaction(tx: BlockTransaction): Uint8Array {
  const { type, signature } = tx
  const items: RlpInput[] = SIGNED_FIELDS[type].map((name) => rlpFieldOf(tx, name))
  items.push(signature === undefined ? 0n : parityItem(tx, signature.yParity), signature?.r ?? 0n, signature?.s ?? 0n)
  const list = RLP.encode(items)
  return type === 0 ? list : enveloped(type, list)
}

/** Parity as the transaction's type writes it (EIP-155 for legacy transactions). */
function parityItem({ type, chainId }: BlockTransaction, yParity: 0 | 1): bigint {
  if (type !== 0) return BigInt(yParity)
  return BigInt(yParity) + (chainId === undefined ? 27n : 35n + 2n * chainId)
}

function enveloped(type: TransactionType, list: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + list.length)
  bytes[0] = type
  bytes.set(list, 1)
  return bytes
}

function placeOf(txIndex: number): Place {
  return { path: `transactions[${txIndex}]`, txIndex }
}

function isSerializable(input: object): input is { serialize(): unknown } {
  return 'serialize' in input && typeof input.serialize === 'function'
}

function typeOf(value: number, place: Place): TransactionType {
  if (value === 0 || value === 1 || value === 2 || value === 3 || value === 4) return value
  throw new InvalidInputError('UNKNOWN_TRANSACTION_TYPE', `${place.path} has type ${value}, known are 0 to 4`, {
    where: `${place.path}.type`,
    field: 'type',
    reason: 'unknown type',
    type: value,
    txIndex: place.txIndex,
  })
}

function decodeRaw(bytes: Uint8Array, place: Place): BlockTransaction {
  if (bytes.length === 0) return fail(place, '', 'is empty')
  if (isListHead(bytes[0])) return decodeList(0, parseRlp(bytes, place), place)
  const type = bytes[0]
  // A legacy transaction has no envelope: type byte 0 stands for nothing (EIP-2718).
  return decodeList(typeOf(type === 0 ? -1 : type, place), parseRlp(bytes.subarray(1), place), place)
}

function parseRlp(bytes: Uint8Array, place: Place): RlpItem {
  try {
    return decodeRlp(bytes)
  } catch (cause) {
    throw new InvalidInputError(
      'UNDECODABLE_BLOCK',
      `${place.path} is not RLP: ${cause instanceof Error ? cause.message : String(cause)}`,
      { where: place.path, field: '', reason: 'is not RLP', txIndex: place.txIndex },
      { cause },
    )
  }
}

function decodeList(type: TransactionType, list: RlpItem, place: Place): BlockTransaction {
  if (type === 3 && Array.isArray(list) && Array.isArray(list[0])) {
    return fail(
      place,
      '',
      'is a blob transaction in network form, with blobs: give the form without them, as in blocks',
    )
  }
  return assemble(type, rlpReader(list, [...SIGNED_FIELDS[type], type === 0 ? 'v' : 'yParity', 'r', 's'], place))
}

/** Reads the fields of a type; the reader knows whether from names or from places. */
function assemble(type: TransactionType, reader: FieldReader): BlockTransaction {
  const creates = reader.isBlank('to')
  if (creates && type >= 3) return reader.fail('to', `is missing: type ${type} cannot create a contract`)
  const { chainId, signature } = type === 0 ? readLegacySignature(reader) : readSignature(reader)
  const names = SIGNED_FIELDS[type]
  return {
    type,
    ...(chainId === undefined ? {} : { chainId }),
    nonce: reader.integer('nonce', 64),
    gasLimit: reader.integer('gasLimit', 64),
    maxFeePerGas: readFee(reader, type < 2 ? 'gasPrice' : 'maxFeePerGas'),
    ...(type < 2 ? {} : { maxPriorityFeePerGas: readFee(reader, 'maxPriorityFeePerGas') }),
    ...(creates ? {} : { to: reader.bytes('to', 20) }),
    value: reader.integer('value', 256),
    data: reader.bytes('data'),
    accessList: names.includes('accessList') ? reader.entries('accessList', ACCESS_LIST_FIELDS).map(readAccess) : [],
    ...(type === 3 ? { maxFeePerBlobGas: readFee(reader, 'maxFeePerBlobGas') } : {}),
    blobVersionedHashes: type === 3 ? reader.bytesList('blobVersionedHashes', 32) : [],
    authorizationList:
      type === 4 ? reader.entries('authorizationList', AUTHORIZATION_FIELDS).map(readAuthorization) : [],
    ...(signature === undefined ? {} : { signature }),
    ...(reader.has('from') ? { from: reader.bytes('from', 20) } : {}),
    ...(reader.has('hash') ? { hash: reader.bytes('hash', 32) } : {}),
  }
}

function readFee(reader: FieldReader, name: string): bigint {
  const fee = reader.integer(name, 256)
  return fee < FEE_LIMIT
    ? fee
    : reader.fail(name, 'does not fit in 128 bits: no sender can pay it', 'INVALID_TRANSACTION')
}

function readAccess(entry: FieldReader): AccessListEntry {
  return { address: entry.bytes('address', 20), storageKeys: entry.bytesList('storageKeys', 32) }
}

function readAuthorization(entry: FieldReader): Authorization {
  return {
    chainId: entry.integer('chainId', 256),
    address: entry.bytes('address', 20),
    nonce: entry.integer('nonce', 64),
    yParity: Number(entry.integer('yParity', 8)),
    r: entry.integer('r', 256),
    s: entry.integer('s', 256),
  }
}

/** What a signature says: who signed, and for legacy transactions also for which chain. */
interface SignatureFields {
  readonly chainId: bigint | undefined
  readonly signature: TransactionSignature | undefined
}

function readSignature(reader: FieldReader): SignatureFields {
  const chainId = reader.integer('chainId', 64)
  const raw = readRaw(reader, 'yParity')
  if (raw === undefined) return { chainId, signature: undefined }
  if (raw.v > 1n) return reader.fail('yParity', `is ${raw.v}, not 0 or 1`, 'INVALID_SIGNATURE')
  return { chainId, signature: { yParity: raw.v === 0n ? 0 : 1, r: raw.r, s: raw.s } }
}

/** `v` is 27 or 28, or since EIP-155 35 or 36 and twice the chain id; the low bit says the parity either way. */
function readLegacySignature(reader: FieldReader): SignatureFields {
  const raw = readRaw(reader, 'v')
  const claimed = reader.has('chainId') ? reader.integer('chainId', 64) : undefined
  if (raw === undefined) return { chainId: claimed, signature: undefined }
  const { v, r, s } = raw
  if (v === 27n || v === 28n) return { chainId: undefined, signature: { yParity: v === 27n ? 0 : 1, r, s } }
  if (v < 35n) return reader.fail('v', `is ${v}, not 27, 28 or at least 35`, 'INVALID_SIGNATURE')
  const chainId = (v - 35n) >> 1n
  if (chainId >= 1n << 64n) return reader.fail('v', 'names a chain id above 64 bits', 'INVALID_SIGNATURE')
  if (claimed !== undefined && claimed !== chainId) {
    return reader.fail('v', `is for chain ${chainId}, chainId is ${claimed}`, 'INVALID_SIGNATURE')
  }
  return { chainId, signature: { yParity: v % 2n === 1n ? 0 : 1, r, s } }
}

/** The three integers of a signature; undefined where all are absent or zero, which no signature can be. */
function readRaw(reader: FieldReader, parity: 'v' | 'yParity'): { v: bigint; r: bigint; s: bigint } | undefined {
  if (!reader.has(parity) && !reader.has('r') && !reader.has('s')) return undefined
  const v = reader.integer(parity, 256)
  const r = reader.integer('r', 256)
  const s = reader.integer('s', 256)
  return v === 0n && r === 0n && s === 0n ? undefined : { v, r, s }
}

/** What RLP.encode takes here: bytes, integers without leading zeros, lists of these. */
type RlpInput = Uint8Array | bigint | RlpInput[]

function rlpFieldOf(tx: BlockTransaction, name: string): RlpInput {
  switch (name) {
    case 'chainId':
      return tx.chainId ?? 0n
    case 'nonce':
      return tx.nonce
    case 'gasPrice':
    case 'maxFeePerGas':
      return tx.maxFeePerGas
    case 'maxPriorityFeePerGas':
      return tx.maxPriorityFeePerGas ?? 0n
    case 'gasLimit':
      return tx.gasLimit
    case 'to':
      return tx.to ?? new Uint8Array(0)
    case 'value':
      return tx.value
    case 'data':
      return tx.data
    case 'accessList':
      return tx.accessList.map(({ address, storageKeys }) => [address, [...storageKeys]])
    case 'maxFeePerBlobGas':
      return tx.maxFeePerBlobGas ?? 0n
    case 'blobVersionedHashes':
      return [...tx.blobVersionedHashes]
    case 'authorizationList':
      return tx.authorizationList.map(({ chainId, address, nonce, yParity, r, s }) => {
        return [chainId, address, nonce, BigInt(yParity), r, s]
      })
    default:
      throw new TypeError(`no field ${name}`)
  }
}
