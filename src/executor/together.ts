/**
 * Looks at a block before it runs: which transactions in a row call one contract?
 *
 * The second of two such calls often reads what the first writes: they swap on one pair, or belong to one bot. Given to two
 * workers they run side by side, and the second one again (docs/algorithm.md D13).
 */
import { equalBytes } from '../adapters/evm/input.ts'
import type { BlockTransaction } from '../adapters/evm/transaction.ts'
import { type PlaceRange, rowsOf } from '../core/together.ts'

type Call = Pick<BlockTransaction, 'to' | 'data'>

const callSame = (a: Call, b: Call): boolean =>
  a.to !== undefined && b.to !== undefined && a.data.length > 0 && b.data.length > 0 && equalBytes(a.to, b.to)

/** Rows of two to eight calls of one contract, as places. */
export const callsTogether = (transactions: readonly Call[]): PlaceRange[] =>
  rowsOf(transactions.length, 1, (place) => callSame(transactions[place - 2] as Call, transactions[place - 1] as Call))
