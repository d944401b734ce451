/**
 * What @ethereumjs/vm itself gets wrong, found by running both adapters on the same blocks: told apart from differences
 * that nobody knows, and written into docs/crosscheck.md.
 *
 * A fault belongs here only where a third party says who is right: the header of a real block, or a consensus test.
 */

import type { Reason } from '../conformance/reasons.ts'

/** One fault, and the cases in which it shows. */
export interface KnownFault {
  /** Matches the case's name, as its file names it. */
  readonly cases: RegExp
  /** The first field in which the two adapters differ, or how the case ends. */
  readonly field: string
  /** What is wrong, and how that is known. */
  readonly why: string
}

/** Faults of version 10.1.3. */
export const KNOWN_FAULTS: readonly KnownFault[] = [
  {
    cases: /fork_BPO(?:2ToBPO3|3ToBPO4)AtTime15k/,
    field: 'fork',
    why: '@ethereumjs/common 10.1.3 has no hardfork bpo3 or bpo4 on mainnet; revm ends as the fixtures say',
  },
]

/** Two rules that a block breaks at once, of which each EVM tells the one that it checks first. */
export interface CheckOrder {
  readonly revm: Reason
  readonly ethereumjs: Reason
  /** Which comes first where, and the cases that break both. */
  readonly why: string
}

/** Neither is wrong: the consensus tests take either reason. Found by `npm run crosscheck`. */
export const CHECK_ORDERS: readonly CheckOrder[] = [
  {
    revm: 'tx.baseFee',
    ethereumjs: 'tx.gasAllowance',
    why: '@ethereumjs/vm looks at the gas limit of the block before the price; cases that expect TR_FeeCapLessThanBlocksORGasLimitReached',
  },
]

/** The fault that a case shows, if one is known. */
export const knownFault = (name: string): KnownFault | undefined => KNOWN_FAULTS.find(({ cases }) => cases.test(name))
