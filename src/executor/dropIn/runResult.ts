/**
 * A block's result in the shape of @ethereumjs/vm's `RunBlockResult`.
 *
 * What belongs to the inside of an EVM and has no place in a result of ours is left out: `execResult.gas`, `runState`,
 * `selfdestruct`, `createdAddresses` (docs/ethereumjs.md).
 */
import type { Block } from '@ethereumjs/block'
import { EVMError } from '@ethereumjs/evm'
import { isBlob4844Tx, type TypedTransaction } from '@ethereumjs/tx'
import {
  Address,
  bigIntToBytes,
  CLRequest,
  type CLRequestType,
  createCLRequest,
  generateAddress,
} from '@ethereumjs/util'
import { Bloom, type RunBlockResult, type RunTxResult, type TxReceipt } from '@ethereumjs/vm'
import type { TransactionReceipt } from '../../adapters/evm/receipt.ts'
import { RequestType } from '../../adapters/evm/requests.ts'
import type { HaltReason, TransactionResult } from '../../adapters/revm/result.ts'
import type { BlockResult } from '../blockTypes.ts'

const { errorMessages } = EVMError

/** A kind of halt as @ethereumjs/evm calls it. Where it tells kinds apart that are one here, the commonest. */
const HALTS: Readonly<Record<HaltReason, EVMError['error']>> = {
  none: errorMessages.INTERNAL_ERROR,
  outOfGas: errorMessages.OUT_OF_GAS,
  opcodeNotFound: errorMessages.INVALID_OPCODE,
  invalidJump: errorMessages.INVALID_JUMP,
  stackUnderflow: errorMessages.STACK_UNDERFLOW,
  stackOverflow: errorMessages.STACK_OVERFLOW,
  createCollision: errorMessages.CREATE_COLLISION,
  codeSizeLimit: errorMessages.CODESIZE_EXCEEDS_MAXIMUM,
  codeStartsWithEF: errorMessages.INVALID_BYTECODE_RESULT,
  outOfFunds: errorMessages.INSUFFICIENT_BALANCE,
  callTooDeep: errorMessages.STACK_OVERFLOW,
  precompileError: errorMessages.OUT_OF_GAS,
  nonceOverflow: errorMessages.VALUE_OVERFLOW,
  staticCallViolation: errorMessages.STATIC_STATE_CHANGE,
  outOfOffset: errorMessages.OUT_OF_RANGE,
  // An opcode that the fork does not have yet.
  other: errorMessages.INVALID_OPCODE,
}

/** What goes into the result besides what was executed: roots, and receipts that hold some. */
export interface RootsOfResult {
  readonly stateRoot: Uint8Array
  readonly receiptsRoot: Uint8Array
  readonly receipts: readonly TransactionReceipt[]
}

export const runBlockResultOf = (block: Block, result: BlockResult, roots: RootsOfResult): RunBlockResult => {
  const results = result.results.map((one, k) =>
    runTxResultOf(block, block.transactions[k] as TypedTransaction, one, roots.receipts[k] as TransactionReceipt),
  )
  return {
    receipts: results.map(({ receipt }) => receipt),
    logsBloom: result.logsBloom,
    results,
    stateRoot: roots.stateRoot,
    gasUsed: result.gasUsed,
    receiptsRoot: roots.receiptsRoot,
    preimages: new Map(),
    ...(result.requests === undefined || result.requestsHash === undefined
      ? {}
      : { requestsHash: result.requestsHash, requests: requestsOf(result.requests) }),
  }
}

/** One of each type: @ethereumjs/vm lists those without data too, which count for nothing in the hash. */
const requestsOf = (requests: readonly Uint8Array[]): CLRequest<CLRequestType>[] =>
  Object.values(RequestType).map((type) => {
    const found = requests.find(([first]) => first === type)
    return found === undefined ? new CLRequest(type, new Uint8Array(0)) : createCLRequest(found)
  })

const runTxResultOf = (
  block: Block,
  tx: TypedTransaction,
  result: TransactionResult,
  receipt: TransactionReceipt,
): RunTxResult => {
  const { totalGasSpent, gasRefund, minerValue, amountSpent, returnValue, status, haltReason } = result
  const error =
    status === 'success' ? undefined : status === 'revert' ? errorMessages.REVERT : HALTS[haltReason ?? 'other']
  const blobs = isBlob4844Tx(tx)
    ? { blobGasUsed: block.common.param('blobGasPerBlob') * BigInt(tx.numBlobs()) }
    : undefined
  const bloom = new Bloom(receipt.bitvector, block.common)
  const logs = receipt.logs.map(
    ([address, topics, data]) => [address, [...topics], data] as [Uint8Array, Uint8Array[], Uint8Array],
  )
  return {
    execResult: {
      executionGasUsed: totalGasSpent + gasRefund - tx.getIntrinsicGas(),
      returnValue,
      gasRefund,
      logs,
      ...(error === undefined ? {} : { exceptionError: new EVMError(error) }),
    },
    ...(tx.to === undefined ? { createdAddress: createdBy(tx) } : {}),
    bloom,
    amountSpent,
    totalGasSpent,
    blockGasSpent: totalGasSpent,
    gasRefund,
    minerValue,
    receipt: receiptOf(block, receipt, bloom, logs, blobs),
    ...blobs,
  }
}

/** Where a transaction creates a contract, whether or not it comes to be. */
const createdBy = (tx: TypedTransaction): Address =>
  new Address(generateAddress(tx.getSenderAddress().bytes, bigIntToBytes(tx.nonce)))

const receiptOf = (
  block: Block,
  { status, stateRoot, cumulativeBlockGasUsed }: TransactionReceipt,
  { bitvector }: Bloom,
  logs: [Uint8Array, Uint8Array[], Uint8Array][],
  blobs: { readonly blobGasUsed: bigint } | undefined,
): TxReceipt => {
  const base = { cumulativeBlockGasUsed, bitvector, logs }
  if (stateRoot !== undefined) return { ...base, stateRoot }
  return {
    ...base,
    status: status ?? 1,
    ...(blobs === undefined ? {} : { ...blobs, blobGasPrice: block.header.getBlobGasPrice() }),
  }
}
