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
