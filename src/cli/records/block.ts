/** What the commands take from a block file: addresses, and whether it is the block of a run. */
import type { RunRecord } from '../../records.ts'

/** A word that is an address: twelve bytes of zeros, then one that does not begin with many. */
const ADDRESS_WORD = /^0{24}(?!0{8})[0-9a-f]{40}$/

/**
 * Lists the addresses that a block, as JSON-RPC gives it, names: senders, recipients, and words of call data that look
 * like one. What has another shape is passed over, for it is a help to find names and nothing depends on it.
 */
export function addressesOf(block: unknown): string[] {
  const found = new Set<string>()
  for (const { from, to, input, data } of transactionsOf(block)) {
    for (const address of [from, to]) if (typeof address === 'string') found.add(address.toLowerCase())
    const bytes = typeof input === 'string' ? input : typeof data === 'string' ? data : ''
    // After the selector, arguments are words.
    for (let at = 10; at + 64 <= bytes.length; at += 64) {
      const word = bytes.slice(at, at + 64).toLowerCase()
      if (ADDRESS_WORD.test(word)) found.add(`0x${word.slice(24)}`)
    }
  }
  return [...found]
}

/** Whether a run's transactions are a block's: as many, to the same accounts. */
export function isBlockOf({ run, places }: RunRecord, block: unknown): boolean {
  const transactions = transactionsOf(block)
  if (run.kind !== 'block' || transactions.length !== run.places) return false
  return transactions.every(({ to }, index) => {
    const place = places[index + 1]
    return place === undefined || place.to === (typeof to === 'string' ? to.toLowerCase() : undefined)
  })
}

const transactionsOf = (block: unknown): Readonly<Record<string, unknown>>[] => {
  const { transactions } = block as { readonly transactions?: unknown }
  return Array.isArray(transactions) ? transactions.map((transaction) => Object(transaction)) : []
}
