/**
 * A committed block's words as the objects that users know: receipts, results, blooms, the state's difference.
 *
 * Copies everything, so that the next run may reuse the memory. Main thread, outside every measured time.
 */
import type { AccountDiff, Hex, StateDiff } from '../../core/diff.ts'
import { hexOf, wordHex } from '../../core/hex.ts'
import { Control, Entry, Place } from '../../core/layout.ts'
import { AccountRecord, Kind, Life, locationOf, RECORD_SHIFT, recordOf, SlotRecord, Tag } from '../../core/location.ts'
import { equal, isZero8, toBigInt } from '../../core/words.ts'
import { bloomOf, type Log, type TransactionReceipt } from '../evm/receipt.ts'
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
  readonly keccak256: (bytes: Uint8Array) => Uint8Array
}

export interface DecodedResult {
  readonly result: TransactionResult
  readonly receipt: TransactionReceipt
}

/** Decodes the result of the transaction at `index`, given the gas of those before. */
export const decodeResult = (
  engine: Words,
  placeTable: number,
  index: number,
  gasBefore: bigint,
  context: ReceiptContext,
): DecodedResult => {
  const at = engine[placeTable + (index + 1) * Place.Size + Place.Result]
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
      bitvector: bloomOf(logs, context.keccak256),
      logs,
      txType: tx.type,
      gasUsed,
      effectiveGasPrice,
      ...(created === undefined ? {} : { contractAddress: created }),
    },
  }
}

interface Draft {
  balance?: bigint
  nonce?: bigint
  codeHash?: Hex
  storage: Map<Hex, Hex>
  storageCleared: boolean
  deleted: boolean
}

/** The newest value of a location that was written, and its place; or its base value and -1. */
const finalValue = (engine: Words, state: Words, location: number, base: number): [Words, number, place: number] => {
  let entry = state[location]
  while (entry !== 0 && engine[entry + Entry.Record] === 0) entry = engine[entry + Entry.Next]
  return entry === 0
    ? [state, base, -1]
    : [engine, (engine[entry + Entry.Record] >> 1) + 1, engine[entry + Entry.Place]]
}

export const EMPTY_HASH: Hex = '0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470'

/**
 * What the block changed, from the chains of locations written. `spuriousDragon` decides whether an empty
 * account exists (EIP-161); `feeRecipient` is its record.
 */
export const collectDiff = (
  engine: Words,
  state: Words,
  chains: readonly number[],
  spuriousDragon: boolean,
  feeRecipient: number,
): StateDiff => {
  const drafts = new Map<number, Draft>()
  const codes = new Map<Hex, Uint8Array>()
  const draftOf = (account: number): Draft => {
    let draft = drafts.get(account)
    if (draft === undefined) {
      draft = { storage: new Map(), storageCleared: false, deleted: false }
      drafts.set(account, draft)
    }
    return draft
  }
  const slots: number[] = []
  for (const head of chains) {
    for (let entry = head; entry !== 0; entry = engine[entry + Entry.Chain]) {
      const record = recordOf(engine[entry + Entry.Location])
      if (state[record] === Tag.Slot) slots.push(record)
      else draftOf(record)
    }
  }
  // A fee touches its recipient even where it is zero (0: the block had no transaction).
  if (feeRecipient !== 0) draftOf(feeRecipient)
  for (const [record, draft] of drafts) {
    describeAccount(engine, state, record, draft, codes, spuriousDragon, record === feeRecipient)
  }
  for (const record of slots) {
    const account = state[record + SlotRecord.Account] << RECORD_SHIFT
    const [lifeWords, life, lifePlace] = finalValue(
      engine,
      state,
      locationOf(account, Kind.Life),
      account + AccountRecord.Life,
    )
    const generation = lifePlace < 0 ? 0 : lifeWords[life + Life.Generation]
    const [words, at, place] = finalValue(engine, state, locationOf(record, Kind.Slot), record + SlotRecord.Value)
    if (place < 0 || place + 1 < generation) continue
    // After a clearing every value counts from zero, before it from the base.
    const unchanged = generation > 0 ? isZero8(words, at) : equal(words, at, state, record + SlotRecord.Value, 8)
    if (!unchanged) draftOf(account).storage.set(wordHex(state, record + SlotRecord.Key), wordHex(words, at))
  }
  const accounts: AccountDiff[] = []
  for (const [record, draft] of drafts) {
    const changed = draft.balance !== undefined || draft.nonce !== undefined || draft.codeHash !== undefined
    draft.storage = new Map([...draft.storage].sort(([a], [b]) => (a < b ? -1 : 1)))
    if (changed || draft.deleted || draft.storageCleared || draft.storage.size > 0) {
      accounts.push({ address: hexOf(bytesAt(state, record + AccountRecord.Address, 20)), ...draft })
    }
  }
  accounts.sort((a, b) => (a.address < b.address ? -1 : 1))
  return { accounts, codes }
}

const describeAccount = (
  engine: Words,
  state: Words,
  record: number,
  draft: Draft,
  codes: Map<Hex, Uint8Array>,
  spuriousDragon: boolean,
  paid: boolean,
): void => {
  const base = record + AccountRecord.Life
  const [balanceWords, balance] = finalValue(
    engine,
    state,
    locationOf(record, Kind.Balance),
    record + AccountRecord.Balance,
  )
  const [nonceWords, nonce] = finalValue(engine, state, locationOf(record, Kind.Nonce), record + AccountRecord.Nonce)
  const [lifeWords, life, lifePlace] = finalValue(engine, state, locationOf(record, Kind.Life), base)
  const existed = state[base + Life.Exists] !== 0
  const empty =
    isZero8(balanceWords, balance) && (nonceWords[nonce] | nonceWords[nonce + 1]) === 0 && isZero8(lifeWords, life)
  // A fee recipient that the last transaction destroyed took its fee along (adapter.ts).
  const last = engine[Control.Places]
  const burnt = lifePlace === last && lifeWords[life + Life.Generation] === last + 1
  const alive = lifeWords[life + Life.Exists] !== 0 || (paid && !burnt)
  const exists = !empty || (spuriousDragon ? lifePlace < 0 && existed && !paid : alive)
  if (!exists) {
    draft.deleted = existed
    return
  }
  draft.storageCleared = existed && lifePlace >= 0 && lifeWords[life + Life.Generation] > 0
  if (!equal(balanceWords, balance, state, record + AccountRecord.Balance, 8))
    draft.balance = toBigInt(balanceWords, balance)
  if (!equal(nonceWords, nonce, state, record + AccountRecord.Nonce, 2)) draft.nonce = toBigInt(nonceWords, nonce, 2)
  if (!equal(lifeWords, life, state, base, 8)) {
    draft.codeHash = isZero8(lifeWords, life) ? EMPTY_HASH : hexOf(bytesAt(lifeWords, life, 32))
    if (lifePlace >= 0 && lifeWords[life + Life.CodeBytes] > 0) {
      codes.set(draft.codeHash, bytesAt(engine, lifeWords[life + Life.CodeOffset], lifeWords[life + Life.CodeBytes]))
    }
  }
  // Before EIP-161 a touched account exists though it is empty; say so even where no field changed.
  if (!spuriousDragon && !existed && draft.balance === undefined && draft.nonce === undefined) draft.balance = 0n
}
