/**
 * Looks at a block before it runs: which transactions in a row go to one account?
 *
 * The second of two such calls often reads what the first writes: they swap on one pair, or belong to one bot. Given to two
 * workers they run side by side, and the second one again (docs/algorithm.md D13).
 */
import { equalBytes } from '../adapters/evm/input.ts'
import type { BlockTransaction } from '../adapters/evm/transaction.ts'
import { type PlaceRange, rowsOf } from '../core/rows.ts'

/** Rows of two to 64 transactions to one account, as places. Payments count, since a contract may be paid. */
export const rowsToOne = (transactions: readonly Pick<BlockTransaction, 'to'>[]): PlaceRange[] =>
  rowsOf(transactions.length, 1, (place) => {
    const [before, to] = [transactions[place - 2]?.to, transactions[place - 1]?.to]
    return before !== undefined && to !== undefined && equalBytes(before, to)
  })
