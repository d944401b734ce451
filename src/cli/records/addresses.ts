/** Addresses that a block names: senders, recipients, and words of call data that look like an address. */

/** A word that is an address: twelve bytes of zeros, then one that does not begin with many. */
const ADDRESS_WORD = /^0{24}(?!0{8})[0-9a-f]{40}$/

/**
 * Lists addresses of a block as JSON-RPC gives it; what has another shape is passed over, for it is a help to find
 * names and nothing depends on it.
 */
export function addressesOf(block: unknown): string[] {
  const { transactions } = block as { readonly transactions?: unknown }
  const found = new Set<string>()
  for (const transaction of Array.isArray(transactions) ? transactions : []) {
    const { from, to, input, data } = transaction as Readonly<Record<string, unknown>>
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
