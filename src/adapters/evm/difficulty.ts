/**
 * The difficulty of a block of proof of work.
 *
 * Source: yellow paper of Frontier; EIP-2 (Homestead); EIP-100 (Byzantium, uncles count). The bomb: EIP-649 and those
 * that put it off again, whose delays are in chain.ts.
 */

import type { BlockHeader } from './block.ts'
import type { BlockRules } from './chain.ts'
import { isSince } from './forks.ts'
import { EMPTY_OMMERS_HASH } from './header.ts'
import { equalBytes } from './input.ts'

/** No block is easier than this. */
const MIN_DIFFICULTY = 131_072n

/** The share of the parent's difficulty that is a step. */
const STEP_DIVISOR = 2048n

/** A Frontier block is harder than its parent where it came within so many seconds. */
const FRONTIER_SECONDS = 13n

/** Seconds that count as one step down (EIP-2, EIP-100). */
const HOMESTEAD_SECONDS = 10n
const BYZANTIUM_SECONDS = 9n

/** Most steps down. */
const MOST_STEPS = 99n

/** Blocks in which the bomb doubles once. */
const BOMB_PERIOD = 100_000n

/** The header's fields that its difficulty depends on. */
type Timed = Pick<BlockHeader, 'number' | 'timestamp'>

/**
 * The difficulty that a block must have.
 *
 * @param header - its number and time
 * @param parent - the parent's time, difficulty and ommers hash; without the hash it counts as one without uncles
 * @param rules - of the block
 * @returns 0 from the merge on
 */
export function nextDifficulty(
  header: Timed,
  parent: Pick<BlockHeader, 'timestamp' | 'difficulty' | 'ommersHash'>,
  { fork, bombDelay }: Pick<BlockRules, 'fork' | 'bombDelay'>,
): bigint {
  if (isSince(fork, 'paris')) return 0n
  const step = parent.difficulty / STEP_DIVISOR
  const difficulty = atLeast(parent.difficulty + step * stepsOf(header.timestamp - parent.timestamp, parent, fork))
  const number = header.number > bombDelay ? header.number - bombDelay : 0n
  const period = number / BOMB_PERIOD
  return period > 1n ? atLeast(difficulty + (1n << (period - 2n))) : difficulty
}

function stepsOf(seconds: bigint, { ommersHash }: Pick<BlockHeader, 'ommersHash'>, fork: BlockRules['fork']): bigint {
  if (!isSince(fork, 'homestead')) return seconds < FRONTIER_SECONDS ? 1n : -1n
  const byzantium = isSince(fork, 'byzantium')
  const hasUncles = byzantium && ommersHash !== undefined && !equalBytes(ommersHash, EMPTY_OMMERS_HASH)
  const steps = (hasUncles ? 2n : 1n) - seconds / (byzantium ? BYZANTIUM_SECONDS : HOMESTEAD_SECONDS)
  return steps > -MOST_STEPS ? steps : -MOST_STEPS
}

function atLeast(difficulty: bigint): bigint {
  return difficulty > MIN_DIFFICULTY ? difficulty : MIN_DIFFICULTY
}
