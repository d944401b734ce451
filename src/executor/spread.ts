/**
 * Looks at a block before it runs: do its transactions pay and are they paid from accounts of their own?
 *
 * Where one account takes part again and again (a nonce chain, a hot recipient), speculation puts many entries on its
 * balance, and a place at the commit cursor would walk past them all; such blocks reserve nothing (docs/algorithm.md D7).
 */
import type { BlockTransaction } from '../adapters/evm/transaction.ts'

/** One transaction in so many may meet an account that another one has paid from, or paid. */
const RARE = 16

/** A word of an address; that two addresses share one now and then does no harm. */
const wordOf = (address: Uint8Array): number =>
  (address[16] << 24) | (address[17] << 16) | (address[18] << 8) | address[19]

/** Senders of a block of queues pay so many transactions each, in mean. */
const LONG_QUEUE = 8
/** Gas that a transaction uses in mean where next to all are payments, which use 21,000. */
const PAYMENT_GAS = 25_000n

/**
 * Is a block made of payments by a few senders, each of whom has a queue of them? They do not conflict (nonces are
 * predicates, balances deltas), but what speculation adds to a payment costs as much as the payment (D10).
 *
 * @param gas - what all transactions use
 */
export const isQueues = (senders: readonly Uint8Array[], gas: bigint): boolean =>
  gas <= PAYMENT_GAS * BigInt(senders.length) && new Set(senders.map(wordOf)).size * LONG_QUEUE <= senders.length

export const isSpread = (
  transactions: readonly Pick<BlockTransaction, 'to' | 'value'>[],
  senders: readonly Uint8Array[],
): boolean => {
  const debited = new Set<number>()
  const credited = new Set<number>()
  let paid = 0
  transactions.forEach(({ to, value }, k) => {
    debited.add(wordOf(senders[k] as Uint8Array))
    if (to === undefined || value === 0n) return
    credited.add(wordOf(to))
    paid++
  })
  const repeats = transactions.length - debited.size + paid - credited.size
  return repeats * RARE <= transactions.length
}
