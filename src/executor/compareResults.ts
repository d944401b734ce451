/**
 * Where two results of one block part: the second EVM checks the first.
 *
 * Compares what a block means: receipts, results, roots, the difference of the state. Left out is what runs may differ
 * in by nature: the report of the run, and, between two EVMs, what each calls a halt.
 */
import type { TransactionReceipt } from '../adapters/evm/receipt.ts'
import type { TransactionResult } from '../adapters/revm/result.ts'
import type { AccountDiff, Hex } from '../core/diff.ts'
import { hexOf } from '../core/hex.ts'
import type { BlockResult } from './blockTypes.ts'

/** The first thing in which two results differ. */
export interface ResultDifference {
  /** 0-based; absent where the difference belongs to the block, or to an account after it. */
  readonly txIndex?: number
  /** The account, where the difference is one of the state. */
  readonly address?: Hex
  /** The field: `gasUsed`, `logs[2].data`, `balance`, `storage.0x…`. */
  readonly field: string
  /** Both values as text, cut where they are long; 'nothing' for what is absent. */
  readonly values: readonly [string, string]
}

type Value = bigint | number | string | boolean | Uint8Array | undefined
type Field = readonly [name: string, value: Value]

/**
 * Compares two results of one block.
 *
 * @returns the first difference, by transaction, then by the block's fields, then by account; undefined where both say
 *   the same
 */
export const compareBlockResults = (a: BlockResult, b: BlockResult): ResultDifference | undefined => {
  const count = Math.max(a.receipts.length, b.receipts.length)
  for (let txIndex = 0; txIndex < count; txIndex++) {
    const found = firstOf(transactionFields(a, txIndex), transactionFields(b, txIndex))
    if (found !== undefined) return { txIndex, ...found }
  }
  return (
    firstOf(blockFields(a), blockFields(b)) ??
    compareAccounts(a.stateDiff.accounts, b.stateDiff.accounts) ??
    // Last: a root says only that something differs.
    firstOf([['stateRoot', a.stateRoot]], [['stateRoot', b.stateRoot]])
  )
}

/** A difference in words. */
export const differenceText = ({ txIndex, address, field, values: [first, second] }: ResultDifference): string => {
  const where = txIndex !== undefined ? `transaction ${txIndex}, ` : address !== undefined ? `account ${address}, ` : ''
  return `${where}${field}: ${first} and ${second}`
}

const transactionFields = ({ receipts, results }: BlockResult, txIndex: number): Field[] => {
  const [receipt, result] = [receipts[txIndex], results[txIndex]]
  return receipt === undefined || result === undefined
    ? [['receipt', undefined]]
    : [...receiptFields(receipt), ...resultFields(result)]
}

const receiptFields = (receipt: TransactionReceipt): Field[] => [
  ['status', receipt.status],
  ['gasUsed', receipt.gasUsed],
  ['cumulativeBlockGasUsed', receipt.cumulativeBlockGasUsed],
  ['txType', receipt.txType],
  ['effectiveGasPrice', receipt.effectiveGasPrice],
  ['contractAddress', receipt.contractAddress],
  ['logs', receipt.logs.length],
  ...receipt.logs.flatMap(([address, topics, data], k): Field[] => [
    [`logs[${k}].address`, address],
    [`logs[${k}].topics`, topics.map(hexOf).join(' ')],
    [`logs[${k}].data`, data],
  ]),
  ['bitvector', receipt.bitvector],
  ['stateRoot', receipt.stateRoot],
]

const resultFields = (result: TransactionResult): Field[] => [
  ['result.status', result.status],
  ['result.totalGasSpent', result.totalGasSpent],
  ['result.gasRefund', result.gasRefund],
  ['result.minerValue', result.minerValue],
  ['result.amountSpent', result.amountSpent],
  ['result.returnValue', result.returnValue],
  ['result.createdAddress', result.createdAddress],
]

const blockFields = (result: BlockResult): Field[] => [
  ['gasUsed', result.gasUsed],
  ['logsBloom', result.logsBloom],
  ['receiptsRoot', result.receiptsRoot],
  ['requests', result.requests?.map(hexOf).join(' ')],
  ['requestsHash', result.requestsHash],
  ['blockAccessListHash', result.blockAccessListHash],
  ['fork', result.fork],
]

const compareAccounts = (a: readonly AccountDiff[], b: readonly AccountDiff[]): ResultDifference | undefined => {
  const [left, right] = [a, b].map((list) => new Map(list.map((account) => [account.address, account]))) as [
    Map<Hex, AccountDiff>,
    Map<Hex, AccountDiff>,
  ]
  for (const address of [...new Set([...left.keys(), ...right.keys()])].sort()) {
    const found = firstOf(accountFields(left.get(address)), accountFields(right.get(address)))
    if (found !== undefined) return { address, ...found }
  }
  return undefined
}

const accountFields = (account: AccountDiff | undefined): Field[] =>
  account === undefined
    ? []
    : [
        ['deleted', account.deleted],
        ['balance', account.balance],
        ['nonce', account.nonce],
        ['codeHash', account.codeHash],
        ['storageCleared', account.storageCleared],
        ...[...account.storage].map(([key, value]): Field => [`storage.${key}`, value]),
      ]

const firstOf = (a: readonly Field[], b: readonly Field[]): ResultDifference | undefined => {
  const [left, right] = [new Map(a), new Map(b)]
  for (const field of new Set([...left.keys(), ...right.keys()])) {
    const values = [textOf(left.get(field)), textOf(right.get(field))] as const
    if (values[0] !== values[1]) return { field, values: [short(values[0]), short(values[1])] }
  }
  return undefined
}

const textOf = (value: Value): string =>
  value === undefined ? 'nothing' : value instanceof Uint8Array ? hexOf(value) : String(value)

/** Two long values are told by their beginnings. */
const short = (text: string): string => (text.length > 90 ? `${text.slice(0, 90)}… (${text.length} characters)` : text)
