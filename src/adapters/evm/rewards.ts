/**
 * What proof of work pays for a block and its uncles.
 *
 * Source: yellow paper, 11.3; EIP-649 (3 ether), EIP-1234 (2 ether), EIP-3675 (nothing).
 */

import { blockMismatch } from '../../core/errors.ts'
import type { BlockHeader } from './block.ts'
import { type ForkName, isSince } from './forks.ts'

const ETHER = 10n ** 18n

/** Generations in which an uncle can be included, and the eighths that it loses with each. */
const UNCLE_GENERATIONS = 6n
const UNCLE_DIVISOR = 8n

/** The share of the block's reward that including an uncle adds to it. */
const NEPHEW_DIVISOR = 32n

/** Ether that comes into being. */
export interface Reward {
  /** 20 bytes. An address may occur more than once. */
  readonly address: Uint8Array
  /** In wei, more than 0. */
  readonly amount: bigint
}

/** What the miner of a block without uncles gets, in wei; 0 from the merge on. */
export function blockReward(fork: ForkName): bigint {
  if (isSince(fork, 'paris')) return 0n
  if (isSince(fork, 'constantinople')) return 2n * ETHER
  return isSince(fork, 'byzantium') ? 3n * ETHER : 5n * ETHER
}

/**
 * The rewards of a block, to be credited after its last transaction.
 *
 * @param header - of the block
 * @param uncles - headers of its uncles
 * @param fork - the block's
 * @returns the uncles' rewards in their order, then the block's own; empty from the merge on
 * @throws {Blockloom.BlockMismatchError} where an uncle is not 1 to 6 generations older than the block
 */
export function blockRewards(
  header: Pick<BlockHeader, 'number' | 'coinbase'>,
  uncles: readonly Pick<BlockHeader, 'number' | 'coinbase'>[],
  fork: ForkName,
): Reward[] {
  const full = blockReward(fork)
  if (full === 0n) return []
  const rewards = uncles.map(({ number, coinbase }, index) => {
    const distance = header.number - number
    if (distance < 1n || distance > UNCLE_GENERATIONS) {
      const field = `uncles[${index}].number`
      const expected = `${header.number - UNCLE_GENERATIONS} to ${header.number - 1n}`
      throw blockMismatch(header.number, [{ field, expected, actual: number, reason: 'of the last six generations' }])
    }
    return { address: coinbase, amount: (full * (UNCLE_DIVISOR - distance)) / UNCLE_DIVISOR }
  })
  const amount = full + (full / NEPHEW_DIVISOR) * BigInt(uncles.length)
  return [...rewards, { address: header.coinbase, amount }]
}
