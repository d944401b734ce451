/**
 * Results as digests, so that two runs can be compared part by part and the comparison can be shown.
 *
 * A result is written as parts that each belong to one transaction, account or code, in an order that does not depend
 * on how it came about. RLP delimits itself, so hashing the parts one after another is unambiguous. SHA-256 because
 * Node has it natively; nothing outside this command reads these digests.
 */
import { createHash } from 'node:crypto'
import { type Input, RLP } from '@ethereumjs/rlp'
import type { BlockResult, Hex, StateDiff, TransactionReceipt, TransactionResult } from '../index.ts'

/** What is compared, in the order in which it is shown. */
export const DIGEST_NAMES = ['gasUsed', 'receipts', 'receiptsRoot', 'logsBloom', 'results', 'stateDiff'] as const
export type DigestName = (typeof DIGEST_NAMES)[number]

/** Hex by name; the root is itself, all others are SHA-256. Null where a fork has no receipts root. */
export type Digests = Readonly<Record<DigestName, Hex | null>>

/** Two digests that should be one, and where their parts part. */
export interface Difference {
  readonly name: DigestName
  /** The first part that differs, such as `transaction 7`; empty for digests of one part. */
  readonly where: string
}

/** A piece of a result: what it belongs to, and its bytes. */
type Part = readonly [label: string, bytes: Uint8Array]

const PARTS: Readonly<Record<DigestName, (result: BlockResult) => readonly Part[]>> = {
  gasUsed: ({ receipts }) => byTransaction(receipts, (receipt) => receipt.gasUsed),
  receipts: ({ receipts }) => byTransaction(receipts, receiptItems),
  receiptsRoot: ({ receiptsRoot }) => (receiptsRoot === undefined ? [] : [['', receiptsRoot]]),
  logsBloom: ({ logsBloom }) => [['', logsBloom]],
  results: ({ results }) => byTransaction(results, resultItems),
  stateDiff: ({ stateDiff }) => diffParts(stateDiff),
}

/** The digests of a result. Cost: about 10 us a transaction. */
export function digestsOf(result: BlockResult): Digests {
  const digest = (name: DigestName): Hex | null => {
    if (name === 'receiptsRoot') return result.receiptsRoot === undefined ? null : toHex(result.receiptsRoot)
    const hash = createHash('sha256')
    for (const [, bytes] of PARTS[name](result)) hash.update(bytes)
    return `0x${hash.digest('hex')}`
  }
  return Object.fromEntries(DIGEST_NAMES.map((name) => [name, digest(name)])) as Record<DigestName, Hex | null>
}

/** Everything in which two results differ; empty when they are the same. */
export function differencesOf(a: BlockResult, b: BlockResult): readonly Difference[] {
  return DIGEST_NAMES.flatMap((name) => {
    const [left, right] = [PARTS[name](a), PARTS[name](b)]
    const same = (k: number): boolean => left[k]?.[0] === right[k]?.[0] && bytesEqual(left[k]?.[1], right[k]?.[1])
    for (let k = 0; k < Math.max(left.length, right.length); k++) {
      if (!same(k)) return [{ name, where: left[k]?.[0] ?? right[k]?.[0] ?? '' }]
    }
    return []
  })
}

export const toHex = (bytes: Uint8Array): Hex => `0x${Buffer.from(bytes).toString('hex')}`

export const bytesEqual = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a !== undefined && b !== undefined && Buffer.compare(a, b) === 0

const byTransaction = <T>(list: readonly T[], items: (item: T) => Input): Part[] =>
  list.map((item, txIndex) => [`transaction ${txIndex}`, RLP.encode(items(item))])

/** An empty list for what is absent, so that absent and zero differ. */
const optional = (value: Input): Input => (value === undefined ? [] : [value])

const receiptItems = (receipt: TransactionReceipt): Input => [
  optional(receipt.status),
  receipt.cumulativeBlockGasUsed,
  receipt.bitvector,
  receipt.logs.map(([address, topics, data]) => [address, [...topics], data]),
  receipt.txType,
  receipt.effectiveGasPrice,
  optional(receipt.contractAddress),
]

const resultItems = (result: TransactionResult): Input => [
  result.status,
  optional(result.haltReason),
  result.totalGasSpent,
  result.gasRefund,
  result.minerValue,
  result.amountSpent,
  result.returnValue,
  optional(result.createdAddress),
]

function diffParts(diff: StateDiff): Part[] {
  const accounts = [...diff.accounts].sort((a, b) => byText(a.address, b.address))
  const codes = [...diff.codes].sort(([a], [b]) => byText(a, b))
  return [
    ...accounts.map((account): Part => {
      const slots = [...account.storage].sort(([a], [b]) => byText(a, b))
      const items: Input = [
        account.address,
        optional(account.balance),
        optional(account.nonce),
        optional(account.codeHash),
        slots,
        account.storageCleared ? 1 : 0,
        account.deleted ? 1 : 0,
      ]
      return [`account ${account.address}`, RLP.encode(items)]
    }),
    ...codes.map(([hash, code]): Part => [`code ${hash}`, RLP.encode([hash, code])]),
  ]
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
