/**
 * What a fixture expects a block to break, against what the library says it broke.
 *
 * Both sides are mapped to classes of reasons: `form` for bytes that are no block, `header.<field>` for a header field,
 * `tx.<rule>` for a transaction that may not stand where it stands, and a few of the block as a whole. A rejection counts
 * when the classes of the error and the classes that the fixture allows have one in common.
 *
 * Source: names with a dot are those of execution-spec-tests (`TransactionException`, `BlockException`), which
 * ethereum/tests took over; the others are those of retesteth, which ethereum/legacytests kept. `|` and `OR` separate
 * alternatives: clients check in different orders.
 */
import { InvalidInputError, ParallelExecutionError } from '../../index.ts'
import type { Reason } from './reasons.ts'
import { transactionReasons } from './transactionTexts.ts'

/** What each expected value allows. A value that is not here is told as such, and its case fails. */
const EXPECTED: Readonly<Record<string, readonly Reason[]>> = {
  // ---- transactions, execution-spec-tests ----
  'TransactionException.INTRINSIC_GAS_TOO_LOW': ['tx.intrinsicGas', 'tx.floorGas'],
  'TransactionException.INTRINSIC_GAS_BELOW_FLOOR_GAS_COST': ['tx.floorGas'],
  'TransactionException.INSUFFICIENT_ACCOUNT_FUNDS': ['tx.funds'],
  'TransactionException.GASLIMIT_PRICE_PRODUCT_OVERFLOW': ['tx.funds'],
  'TransactionException.PRIORITY_GREATER_THAN_MAX_FEE_PER_GAS': ['tx.priorityFee'],
  'TransactionException.INSUFFICIENT_MAX_FEE_PER_GAS': ['tx.baseFee'],
  'TransactionException.GAS_ALLOWANCE_EXCEEDED': ['tx.gasAllowance'],
  'TransactionException.GAS_LIMIT_EXCEEDS_MAXIMUM': ['tx.gasCap'],
  'TransactionException.NONCE_IS_MAX': ['tx.nonceMax'],
  'TransactionException.NONCE_MISMATCH_TOO_LOW': ['tx.nonceLow'],
  'TransactionException.NONCE_MISMATCH_TOO_HIGH': ['tx.nonceHigh'],
  'TransactionException.SENDER_NOT_EOA': ['tx.senderCode'],
  'TransactionException.INITCODE_SIZE_EXCEEDED': ['tx.initcode'],
  'TransactionException.RLP_INVALID_VALUE': ['form.transaction'],
  'TransactionException.INVALID_SIGNATURE_VRS': ['tx.signature'],
  'TransactionException.INVALID_CHAINID': ['tx.chainId'],
  'TransactionException.TYPE_1_TX_PRE_FORK': ['tx.type'],
  'TransactionException.TYPE_2_TX_PRE_FORK': ['tx.type'],
  'TransactionException.TYPE_3_TX_PRE_FORK': ['tx.type'],
  'TransactionException.TYPE_3_TX_ZERO_BLOBS': ['tx.zeroBlobs'],
  'TransactionException.TYPE_3_TX_CONTRACT_CREATION': ['tx.creation'],
  'TransactionException.TYPE_3_TX_INVALID_BLOB_VERSIONED_HASH': ['tx.blobVersion'],
  // The header's sum is compared before any transaction is.
  'TransactionException.TYPE_3_TX_MAX_BLOB_GAS_ALLOWANCE_EXCEEDED': ['tx.blobCount', 'header.blobGasUsed'],
  'TransactionException.TYPE_3_TX_BLOB_COUNT_EXCEEDED': ['tx.blobCount', 'header.blobGasUsed'],
  'TransactionException.INSUFFICIENT_MAX_FEE_PER_BLOB_GAS': ['tx.blobFee'],
  // A transaction in its network form is a list in the place of its first field.
  'TransactionException.TYPE_3_TX_WITH_FULL_BLOBS': ['form.transaction'],
  'TransactionException.TYPE_4_TX_PRE_FORK': ['tx.type'],
  'TransactionException.TYPE_4_TX_CONTRACT_CREATION': ['tx.creation'],
  'TransactionException.TYPE_4_EMPTY_AUTHORIZATION_LIST': ['tx.authorizations'],
  'TransactionException.TYPE_4_INVALID_AUTHORIZATION_FORMAT': ['form.transaction'],
  'TransactionException.TYPE_4_INVALID_AUTHORITY_SIGNATURE': ['form.transaction'],

  // ---- blocks, execution-spec-tests ----
  'BlockException.RLP_STRUCTURES_ENCODING': ['form', 'form.transaction', 'form.withdrawals'],
  'BlockException.RLP_INVALID_FIELD_OVERFLOW_64': ['form', 'form.transaction', 'form.withdrawals'],
  'BlockException.RLP_WITHDRAWALS_NOT_READ': ['form', 'form.withdrawals'],
  // Fields of the header that its fork does not have, or lacks; or an access list that is none. A block names its list by
  // hash alone, and one that is none hashes to no list that a block can have.
  'BlockException.INCORRECT_BLOCK_FORMAT': [
    ...(['form', 'header.excessBlobGas', 'header.blobGasUsed'] as const),
    ...(['blockAccessList', 'header.blockAccessListHash'] as const),
  ],
  'BlockException.INVALID_GASLIMIT': ['header.gasLimit'],
  'BlockException.INVALID_BLOCK_TIMESTAMP_OLDER_THAN_PARENT': ['header.timestamp'],
  'BlockException.INVALID_BLOCK_NUMBER': ['header.number'],
  'BlockException.INVALID_BASEFEE_PER_GAS': ['header.baseFeePerGas'],
  'BlockException.INVALID_DIFFICULTY': ['header.difficulty'],
  'BlockException.INVALID_GAS_USED': ['header.gasUsed'],
  'BlockException.GAS_USED_OVERFLOW': ['header.gasUsed', 'tx.gasAllowance'],
  'BlockException.INVALID_STATE_ROOT': ['header.stateRoot'],
  'BlockException.INVALID_RECEIPTS_ROOT': ['header.receiptsRoot'],
  'BlockException.INVALID_TRANSACTIONS_ROOT': ['header.transactionsRoot'],
  'BlockException.INVALID_WITHDRAWALS_ROOT': ['header.withdrawalsRoot'],
  // A block's hash is what its header hashes to; a fixture that changed a header field names the hash as well.
  'BlockException.INVALID_BLOCK_HASH': [],
  'BlockException.INVALID_LOG_BLOOM': ['header.logsBloom'],
  'BlockException.INCORRECT_BLOB_GAS_USED': ['header.blobGasUsed'],
  'BlockException.BLOB_GAS_USED_ABOVE_LIMIT': ['header.blobGasUsed', 'tx.blobCount'],
  'BlockException.INCORRECT_EXCESS_BLOB_GAS': ['header.excessBlobGas'],
  'BlockException.INVALID_VERSIONED_HASHES': [],
  'BlockException.EXTRA_DATA_TOO_BIG': ['header.extraData'],
  'BlockException.EXTRA_DATA_INVALID_DAO': ['header.extraData'],
  'BlockException.UNKNOWN_PARENT': ['parent'],
  'BlockException.UNKNOWN_PARENT_ZERO': ['parent'],
  'BlockException.IMPORT_IMPOSSIBLE_UNCLES_OVER_PARIS': ['uncles.forbidden', 'header.ommersHash'],
  // A block without work before the merge, and one with work after it.
  'BlockException.IMPORT_IMPOSSIBLE_PARIS_WRONG_POS': ['header.difficulty'],
  'BlockException.IMPORT_IMPOSSIBLE_PARIS_WRONG_POW': ['header.difficulty'],
  // An uncle of one fork, whose parent is of another.
  'BlockException.IMPORT_IMPOSSIBLE_LONDON_WRONG_PARENT': ['uncles.validity'],
  'BlockException.IMPORT_IMPOSSIBLE_LEGACY_WRONG_PARENT': ['uncles.validity'],
  'BlockException.UNCLE_PARENT_INCORRECT': ['uncles.validity'],
  'BlockException.INVALID_REQUESTS': ['header.requestsHash'],
  'BlockException.INVALID_DEPOSIT_EVENT_LAYOUT': ['requests'],
  'BlockException.SYSTEM_CONTRACT_EMPTY': ['requests'],
  'BlockException.SYSTEM_CONTRACT_CALL_FAILED': ['requests'],
  'BlockException.RLP_BLOCK_LIMIT_EXCEEDED': ['size'],
  'BlockException.INVALID_BLOCK_ACCESS_LIST': ['blockAccessList', 'header.blockAccessListHash'],
  'BlockException.INVALID_BAL_HASH': ['header.blockAccessListHash'],
  'BlockException.INVALID_BAL_EXTRA_ACCOUNT': ['blockAccessList', 'header.blockAccessListHash'],
  'BlockException.INVALID_BAL_MISSING_ACCOUNT': ['blockAccessList', 'header.blockAccessListHash'],
  'BlockException.BLOCK_ACCESS_LIST_GAS_LIMIT_EXCEEDED': ['blockAccessList'],

  // ---- retesteth ----
  TR_IntrinsicGas: ['tx.intrinsicGas'],
  TR_NoFunds: ['tx.funds'],
  TR_TipGtFeeCap: ['tx.priorityFee'],
  TR_FeeCapLessThanBlocks: ['tx.baseFee'],
  TR_GasLimitReached: ['tx.gasAllowance'],
  TR_NonceTooLow: ['tx.nonceLow'],
  TR_NonceTooHigh: ['tx.nonceHigh'],
  TR_FeeCapLessThanBlocksORGasLimitReached: ['tx.baseFee', 'tx.gasAllowance'],
  SenderNotEOAorNoCASH: ['tx.senderCode', 'tx.funds'],
  RLP_ExpectedAsList: ['form', 'form.withdrawals'],
  INPUT_UNMARSHAL_ERROR: ['form', 'form.transaction', 'form.withdrawals'],
  InvalidGasLimit2: ['header.gasLimit'],
  InvalidTimestampOlderParent: ['header.timestamp'],
  InvalidNumber: ['header.number'],
  InvalidDifficulty: ['header.difficulty'],
  TooMuchGasUsed: ['header.gasUsed', 'tx.gasAllowance'],
  ExtraDataTooBig: ['header.extraData'],
  InvalidStateRoot: ['header.stateRoot'],
  InvalidReceiptsStateRoot: ['header.receiptsRoot'],
  InvalidTransactionsRoot: ['header.transactionsRoot'],
  InvalidUnclesHash: ['header.ommersHash'],
  UnknownParent: ['parent'],
  UnknownParent2: ['parent'],
  '1559BlockImportImpossible_BaseFeeWrong': ['header.baseFeePerGas'],
  // A block with difficulty or uncles after the merge, and one without difficulty before it.
  '3675PreParis1559BlockRejected': ['header.difficulty', 'uncles.forbidden', 'header.ommersHash'],
  '3675PoSBlockRejected': ['header.difficulty'],
  PostParisUncleHashIsNotEmpty: ['uncles.forbidden', 'header.ommersHash'],
  InvalidUncleParentHash: ['uncles.validity'],
  UncleParentIsNotAncestor: ['uncles.validity'],
  UncleInChain: ['uncles.validity'],
  UncleIsAncestor: ['uncles.validity'],
  UncleIsBrother: ['uncles.validity'],
}

/** Values that speak of the block itself even where it has uncles; the others may speak of an uncle's header. */
const OF_THE_BLOCK: ReadonlySet<Reason> = new Set(['header.ommersHash', 'uncles.forbidden', 'form', 'parent'])

/** The classes that an expected value allows, and the parts of it that are not in the table. */
export function allowedBy(expected: string): { readonly reasons: ReadonlySet<Reason>; readonly unknown: string[] } {
  const reasons = new Set<Reason>()
  const unknown: string[] = []
  for (const part of expected.split('|')) {
    if (!Object.hasOwn(EXPECTED, part)) unknown.push(part)
    else for (const reason of EXPECTED[part] as readonly Reason[]) reasons.add(reason)
  }
  return { reasons, unknown }
}

/** True where a block that has uncles may be wrong in nothing but one of them. */
export function mayBeAnUncles(reasons: ReadonlySet<Reason>): boolean {
  const all = [...reasons]
  return all.some((reason) => !reason.startsWith('tx.')) && !all.some((reason) => OF_THE_BLOCK.has(reason))
}

/** One field of a `BlockMismatchError`. */
interface Mismatch {
  readonly field: string
}

/** Fields of a mismatch that are not the header's. */
const BODY_REASONS: Readonly<Record<string, Reason>> = {
  uncles: 'uncles.forbidden',
  withdrawals: 'form.withdrawals',
  size: 'size',
  requests: 'requests',
  blockAccessList: 'blockAccessList',
}

function reasonOfField(field: string): string {
  // A field of one uncle: uncles[0].number.
  return field.startsWith('uncles[') ? 'uncles.validity' : (BODY_REASONS[field] ?? `header.${field}`)
}

/** The block's parent is not known, or is not valid itself. */
export class UnknownParentError extends Error {
  override readonly name = 'Blockloom.UnknownParentError'
}

/**
 * The classes that an error belongs to.
 *
 * @param error - what importing a block threw
 * @returns undefined where the error is no rejection of the block: a limit, a signal, a bug
 */
export function reasonsOf(error: unknown): ReadonlySet<string> | undefined {
  if (error instanceof UnknownParentError) return new Set(['parent'])
  if (!(error instanceof ParallelExecutionError)) return undefined
  const { fields } = error
  if (Array.isArray(fields['mismatches'])) {
    return new Set((fields['mismatches'] as readonly Mismatch[]).map(({ field }) => reasonOfField(field)))
  }
  if (!(error instanceof InvalidInputError)) return undefined
  const reason = typeof fields['reason'] === 'string' ? fields['reason'] : ''
  switch (error.code) {
    case 'INVALID_SIGNATURE':
      return new Set(['tx.signature'])
    case 'UNKNOWN_TRANSACTION_TYPE':
      return new Set(['tx.type', 'form.transaction'])
    case 'INVALID_TRANSACTION':
      return transactionReasons(reason)
    case 'SYSTEM_CALL_FAILED':
      return new Set(['requests'])
    case 'UNDECODABLE_BLOCK':
      return formReasons(fields, reason)
    default:
      return undefined
  }
}

function formReasons(fields: Readonly<Record<string, unknown>>, reason: string): ReadonlySet<string> {
  const where = String(fields['where'] ?? '')
  if (typeof fields['txIndex'] === 'number') {
    const creation = fields['field'] === 'to' && /cannot create a contract/.test(reason)
    return new Set(creation ? ['form.transaction', 'tx.creation'] : ['form.transaction'])
  }
  if (where.startsWith('withdrawals')) return new Set(['form.withdrawals'])
  // A header field that its fork needs, or does not have.
  return where === 'header' ? new Set(['form', `header.${String(fields['field'])}`]) : new Set(['form'])
}
