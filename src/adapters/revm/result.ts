/**
 * A committed transaction's words as the objects that users know: its receipt, its result.
 *
 * Copies everything, so that the next run may reuse the memory. Main thread, outside every measured time.
 */
import { toBigInt } from '../../core/words.ts'
import type { Log, TransactionReceipt } from '../evm/receipt.ts'
import type { BlockTransaction } from '../evm/transaction.ts'
import { Output } from './kernel.ts'

type Words = Int32Array

/** Why an execution stopped where it should not have; the number is the kernel's (rust/evm-core/src/output.rs). */
const HALT_REASONS = [
  'none',
  'outOfGas',
  'opcodeNotFound',
  'invalidJump',
  'stackUnderflow',
  'stackOverflow',
  'createCollision',
  'codeSizeLimit',
  'codeStartsWithEF',
  'outOfFunds',
  'callTooDeep',
  'precompileError',
  'nonceOverflow',
  'staticCallViolation',
  'outOfOffset',
  'other',
] as const
/** Why the EVM stopped a transaction. */
export type HaltReason = (typeof HALT_REASONS)[number]

/** What one transaction did; names follow ethereumjs `RunTxResult`. */
export interface TransactionResult {
  /** Success, its own revert, or stopped by the EVM. */
  readonly status: 'success' | 'revert' | 'halt'
  /** Why it halted; absent otherwise. */
  readonly haltReason?: HaltReason
  /** Gas paid for, after the refund. */
  readonly totalGasSpent: bigint
  /** Gas given back; `totalGasSpent` is without it. */
  readonly gasRefund: bigint
  /** What the recipient of the priority fee earned, in wei; the base fee is part of it where it gets that too. */
  readonly minerValue: bigint
  /** What the sender paid for gas, in wei, the burnt part included. */
  readonly amountSpent: bigint
  /** What the call returned, or reverted with. */
  readonly returnValue: Uint8Array
  /** 20 bytes; absent unless the transaction created a contract. */
  readonly createdAddress?: Uint8Array
}

/** Longer runs of bytes are copied through a view, which costs an object more. */
const SHORT = 64

/** A copy of `length` bytes that begin at the word `at`. */
export const bytesAt = (words: Words, at: number, length: number): Uint8Array => {
  if (length > SHORT) return new Uint8Array(words.buffer, words.byteOffset + 4 * at, length).slice()
  const bytes = new Uint8Array(length)
  for (let k = 0; k < length; k++) bytes[k] = words[at + (k >> 2)] >>> (8 * (k & 3))
  return bytes
}

/** Words that `count` logs take from `start` on. */
export const wordsOfLogs = (words: Words, start: number, count: number): number => {
  let at = start
  for (let k = 0; k < count; k++) {
    at += 6 + 8 * words[at + 5]
    at += 1 + ((words[at] + 3) >> 2)
  }
  return at - start
}

/** Logs that begin at `at`; returns them and where they end. */
const decodeLogs = (words: Words, start: number, count: number): [Log[], number] => {
  const logs: Log[] = []
  let at = start
  for (let k = 0; k < count; k++) {
    const address = bytesAt(words, at, 20)
    const topics: Uint8Array[] = []
    const topicCount = words[at + 5]
    at += 6
    for (let t = 0; t < topicCount; t++, at += 8) topics.push(bytesAt(words, at, 32))
    const length = words[at++]
    logs.push([address, topics, bytesAt(words, at, length)])
    at += (length + 3) >> 2
  }
  return [logs, at]
}

/** What receipts depend on besides the words. */
export interface ReceiptContext {
  readonly transactions: readonly BlockTransaction[]
  readonly baseFeePerGas: bigint
  /** From Byzantium on receipts carry a status. */
  readonly byzantium: boolean
}

export interface DecodedResult {
  readonly result: TransactionResult
  readonly receipt: TransactionReceipt
}

/**
 * Decodes the result of the transaction at `index`, whose words begin at `at`.
 *
 * @param gasBefore - of the transactions before it
 * @param bloomOf - its bloom, 256 bytes that are the receipt's
 */
export const decodeResult = (
  engine: Words,
  at: number,
  index: number,
  gasBefore: bigint,
  context: ReceiptContext,
  bloomOf: (logs: readonly Log[]) => Uint8Array,
): DecodedResult => {
  const tx = context.transactions[index] as BlockTransaction
  const code = engine[at + Output.Status]
  const gasUsed = toBigInt(engine, at + Output.GasUsed, 2)
  const [logs, returned] = decodeLogs(engine, at + Output.Body, engine[at + Output.Logs])
  const returnValue = bytesAt(engine, returned, engine[at + Output.ReturnBytes])
  const created = engine[at + Output.Created] === 1 ? bytesAt(engine, at + Output.CreatedAddress, 20) : undefined
  const priority = tx.maxPriorityFeePerGas
  const effectiveGasPrice =
    priority === undefined || context.baseFeePerGas + priority > tx.maxFeePerGas
      ? tx.maxFeePerGas
      : context.baseFeePerGas + priority
  const status = code === 1 ? 'success' : code === 0 ? 'revert' : 'halt'
  return {
    result: {
      status,
      ...(status === 'halt' ? { haltReason: HALT_REASONS[engine[at + Output.HaltReason]] as HaltReason } : {}),
      totalGasSpent: gasUsed,
      gasRefund: BigInt(engine[at + Output.GasRefunded] >>> 0),
      minerValue: toBigInt(engine, at + Output.Fee),
      amountSpent: gasUsed * effectiveGasPrice,
      returnValue,
      ...(created === undefined ? {} : { createdAddress: created }),
    },
    receipt: {
      ...(context.byzantium ? { status: code === 1 ? (1 as const) : (0 as const) } : {}),
      cumulativeBlockGasUsed: gasBefore + gasUsed,
      bitvector: bloomOf(logs),
      logs,
      txType: tx.type,
      gasUsed,
      effectiveGasPrice,
      ...(created === undefined ? {} : { contractAddress: created }),
    },
  }
}
