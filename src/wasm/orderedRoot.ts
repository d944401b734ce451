/**
 * Root of a list: the Merkle Patricia trie of rlp(index) to each item, for receipts, transactions and withdrawals.
 *
 * In TypeScript because it has to work with every kind of Keccak-256. The executor's own roots come from the EVM
 * kernel. Source: Ethereum yellow paper, appendix D.
 */
import { RLP } from '@ethereumjs/rlp'

/** A node before it is encoded, which is also how a short one lies in its parent. */
type Node = (Uint8Array | Node)[]

interface Entry {
  /** Nibbles of rlp(index); no key is the beginning of another. */
  readonly key: Uint8Array
  readonly item: Uint8Array
}

const EMPTY = new Uint8Array()

/**
 * @param items - the encoded items, in the list's order
 * @returns 32 bytes
 */
export const orderedRoot = (items: readonly Uint8Array[], keccak256: (bytes: Uint8Array) => Uint8Array): Uint8Array => {
  if (items.length === 0) return keccak256(RLP.encode(EMPTY))
  const entries = items.map((item, index): Entry => ({ key: nibblesOf(RLP.encode(index)), item }))
  // Not the order of numbers: rlp(0) is 0x80 and comes after rlp(127).
  entries.sort((a, b) => compare(a.key, b.key))

  /** A node as its parent holds it: itself where it is shorter than a hash. */
  const reference = (node: Node): Uint8Array | Node => {
    const encoded = RLP.encode(node)
    return encoded.length < 32 ? node : keccak256(encoded)
  }

  /** The node over entries `from` to `to`, whose keys agree up to nibble `depth`. */
  const build = (from: number, to: number, depth: number): Node => {
    const { key, item } = entries[from]
    if (to - from === 1) return [compact(key.subarray(depth), true), item]
    // Keys are in order: what the first and the last share, all share.
    const last = entries[to - 1].key
    let fork = depth
    while (key[fork] === last[fork]) fork++
    if (fork > depth) return [compact(key.subarray(depth, fork), false), reference(build(from, to, fork))]
    const branch: Node = new Array<Uint8Array>(17).fill(EMPTY)
    for (let begin = from; begin < to; ) {
      const nibble = entries[begin].key[depth]
      let end = begin + 1
      while (end < to && entries[end].key[depth] === nibble) end++
      branch[nibble] = reference(build(begin, end, depth + 1))
      begin = end
    }
    return branch
  }
  return keccak256(RLP.encode(build(0, entries.length, 0)))
}

const nibblesOf = (bytes: Uint8Array): Uint8Array =>
  Uint8Array.from({ length: 2 * bytes.length }, (_, k) => (k % 2 === 0 ? bytes[k >> 1] >> 4 : bytes[k >> 1] & 15))

const compare = (a: Uint8Array, b: Uint8Array): number => {
  let k = 0
  while (a[k] === b[k]) k++
  return a[k] - b[k]
}

/** Nibbles as bytes, with a first nibble that says leaf or not (2) and odd or not (1). */
const compact = (nibbles: Uint8Array, leaf: boolean): Uint8Array => {
  const odd = nibbles.length & 1
  const out = new Uint8Array((nibbles.length >> 1) + 1)
  out[0] = ((leaf ? 2 : 0) + odd) << 4
  if (odd === 1) out[0] |= nibbles[0]
  for (let k = 1; k < out.length; k++) out[k] = (nibbles[2 * k - 2 + odd] << 4) | nibbles[2 * k - 1 + odd]
  return out
}
