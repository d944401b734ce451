/**
 * A block's claims: compared with the rules before it runs, and with what it did afterwards.
 *
 * Owns which field is compared when. Does not own the rules (adapters/evm/headerRules.ts) or the values
 * (executeBlock.ts). Both functions throw all fields that differ at once; what the header does not say is not compared,
 * but where its parent is given: then it must be complete.
 */
import type { BlockHeader, DecodedBlock } from '../adapters/evm/block.ts'
import type { ChainInput, ResolvedChain } from '../adapters/evm/chain.ts'
import type { HashFunction, OrderedRoot } from '../adapters/evm/header.ts'
import { checkBlock, checkBody } from '../adapters/evm/headerRules.ts'
import { checkTransactions } from '../adapters/evm/transactionRules.ts'
import { type BlockMismatch, blockMismatch, InvalidInputError, type MismatchValue } from '../core/errors.ts'

/** What came before a block. */
export interface Ancestry {
  /**
   * Header of the parent, complete, its block known to be valid (`decodeBlock(...).header` of blockloom/evm). With it,
   * all rules between a block and its parent are checked, and the block's header must have every field of its fork.
   */
  readonly parent?: BlockHeader
  /** Sum of the difficulties of all blocks up to the parent, for a chain that merges by total difficulty. */
  readonly parentTotalDifficulty?: bigint
}

/** How to hash, and how long the block's RLP is where that is known. */
export interface ClaimOptions extends Ancestry {
  readonly keccak256: HashFunction
  readonly orderedRoot: OrderedRoot
  readonly size?: number
}

/** What a header says of the block's lists. */
const LISTS: ReadonlySet<string> = new Set(['transactionsRoot', 'withdrawalsRoot', 'ommersHash', 'blobGasUsed'])

/**
 * True where nothing but a sum over a list is wrong (a range is told in words): such a block runs all the same, so that
 * what else is wrong is told too, an invalid transaction before all.
 */
const isOfLists = ({ field, expected }: BlockMismatch): boolean => LISTS.has(field) && typeof expected !== 'string'

/**
 * Checks everything about a block that can be known before it runs.
 *
 * @returns what is wrong with the roots of its lists, for `verifyOutcome` to tell with the rest
 * @throws {BlockMismatchError} BLOCK_MISMATCH with every field that differs, where one is against a rule
 * @throws {InvalidInputError} INVALID_TRANSACTION for the first transaction that this block may not hold
 */
export const verifyClaims = (
  block: DecodedBlock,
  chain: ChainInput,
  rules: ResolvedChain,
  options: ClaimOptions,
): readonly BlockMismatch[] => {
  const { parent } = options
  const found =
    parent === undefined
      ? checkBody(block, chain, options).filter(({ actual }) => actual !== undefined)
      : checkBlock(block, parent, chain, options)
  if (!found.every(isOfLists)) throw blockMismatch(block.header.number, found)
  const [problem] = checkTransactions(block.transactions, rules)
  if (problem !== undefined) {
    const { txIndex, field, reason } = problem
    throw new InvalidInputError(
      'INVALID_TRANSACTION',
      `transaction ${txIndex} is not valid in this block: ${reason}`,
      { txIndex, field, reason },
      { committedPrefix: 0 },
    )
  }
  return found
}

/** What only executing a block tells, and its header claims. */
const OUTCOME_FIELDS = [
  'gasUsed',
  'logsBloom',
  'receiptsRoot',
  'stateRoot',
  'requestsHash',
  'blockAccessListHash',
] as const

/** Values by field; those that are not known are not compared. */
export type Outcome = Readonly<Record<(typeof OUTCOME_FIELDS)[number], bigint | Uint8Array | undefined>>

/**
 * Compares what a block did with what its header says of it.
 *
 * @param before - what was wrong before it ran
 * @throws {BlockMismatchError} BLOCK_MISMATCH with every field that differs
 */
export const verifyOutcome = (
  header: BlockHeader,
  outcome: Outcome,
  before: readonly BlockMismatch[],
  committedPrefix: number,
): void => {
  const found = [...before]
  for (const field of OUTCOME_FIELDS) {
    const expected = outcome[field]
    const actual = header[field]
    if (expected !== undefined && actual !== undefined && !equalValues(expected, actual)) {
      found.push({ field, expected, actual })
    }
  }
  if (found.length > 0) throw blockMismatch(header.number, found, { committedPrefix })
}

const equalValues = (a: MismatchValue, b: MismatchValue): boolean =>
  a instanceof Uint8Array && b instanceof Uint8Array
    ? a.length === b.length && a.every((byte, k) => byte === b[k])
    : a === b
