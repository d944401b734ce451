/**
 * Forks: their names and order, the rule set each one runs by, and the shapes in which a caller describes a chain.
 *
 * Names are those of @ethereumjs/common. Numbers are revm's `SpecId` (revm-primitives 43.0.0, hardfork.rs), because the
 * kernel takes them; a fork that only moved the difficulty bomb, the merge's network split or blob parameters shares
 * the number of the fork before it.
 */

import type { AmsterdamDialect } from './amsterdam.ts'

/** Rule set by fork, in the order in which forks happened. */
const RULE_SETS = {
  chainstart: 0,
  homestead: 1,
  dao: 1,
  tangerineWhistle: 2,
  spuriousDragon: 3,
  byzantium: 4,
  // Petersburg's rules and EIP-1283 besides, which was withdrawn before mainnet ran it: an instruction of the kernel.
  constantinople: 5,
  petersburg: 5,
  istanbul: 6,
  muirGlacier: 6,
  berlin: 7,
  london: 8,
  arrowGlacier: 8,
  grayGlacier: 8,
  paris: 9,
  mergeNetsplitBlock: 9,
  shanghai: 10,
  cancun: 11,
  prague: 12,
  osaka: 13,
  bpo1: 13,
  bpo2: 13,
  bpo3: 13,
  bpo4: 13,
  bpo5: 13,
  // In the dialect that the chain names (amsterdam.ts).
  amsterdam: 14,
} as const

/** A fork as @ethereumjs/common spells it. */
export type ForkName = keyof typeof RULE_SETS

/** Other names in use for forks. */
const ALIASES = { frontier: 'chainstart', merge: 'paris' } as const

/** A fork by any name that is understood. */
export type ForkAlias = ForkName | keyof typeof ALIASES

/** All forks, oldest first. */
export const FORK_ORDER = Object.keys(RULE_SETS) as readonly ForkName[]

/** First rule set with PREVRANDAO in place of DIFFICULTY. */
export const SPEC_PARIS: number = RULE_SETS.paris

/** First rule set with withdrawals. */
export const SPEC_SHANGHAI: number = RULE_SETS.shanghai

/** First rule set with blobs. */
export const SPEC_CANCUN: number = RULE_SETS.cancun

/** First rule set with requests to the beacon chain (EIP-7685). */
export const SPEC_PRAGUE: number = RULE_SETS.prague

/** First rule set with block access lists. */
export const SPEC_AMSTERDAM: number = RULE_SETS.amsterdam

/** The number of the rule set a fork runs by (revm's SpecId). */
export function specOf(fork: ForkName): number {
  return RULE_SETS[fork]
}

/** The fork that a name stands for; undefined where the name is not known. */
export function forkNamed(name: unknown): ForkName | undefined {
  if (typeof name !== 'string') return undefined
  if (Object.hasOwn(RULE_SETS, name)) return name as ForkName
  return Object.hasOwn(ALIASES, name) ? ALIASES[name as keyof typeof ALIASES] : undefined
}

/** True where `fork` is `since` or happened after it. */
export function isSince(fork: ForkName, since: ForkName): boolean {
  return FORK_ORDER.indexOf(fork) >= FORK_ORDER.indexOf(since)
}

/**
 * When a fork begins: at a block number or at a time. `block: null` alone means never, also where a later fork has
 * begun.
 */
export interface ForkActivation {
  /** First block of the fork. */
  readonly block?: number | bigint | null
  /** Seconds since 1970 from which on blocks belong to the fork. */
  readonly timestamp?: number | bigint
}

/** How many blobs a block may hold and how fast their price moves (EIP-7840). */
export interface BlobParams {
  /** Blobs a block at which the price stays. */
  readonly target: number
  /** Most blobs in a block. */
  readonly max: number
  /** Denominator in the exponent of the price. */
  readonly baseFeeUpdateFraction: number
}

/** A chain described by the caller. */
export interface ChainConfig {
  readonly chainId: number | bigint
  /**
   * When each fork begins, as a list or by name. A fork left out begins with the next one that is given, whose rules
   * include its own: a chain that has no Muir Glacier, though it has Berlin, says `muirGlacier: { block: null }`.
   */
  readonly forks:
    | readonly (ForkActivation & { readonly name: ForkAlias })[]
    | { readonly [Name in ForkAlias]?: ForkActivation }
  /** Sum of all difficulties from which on the merge has happened, where `forks` does not say the block. */
  readonly terminalTotalDifficulty?: number | bigint
  /** False on a chain that refused the DAO fork: `forks.dao` then is the block from which on headers say so. */
  readonly daoForkSupport?: boolean
  /** Blob parameters by the fork that brought them; mainnet's stand in for what is left out, up to bpo2. */
  readonly blobSchedule?: { readonly [Name in ForkAlias]?: BlobParams }
  /** Whose rules Amsterdam has here, for as long as the fork is a draft; revm's by default. */
  readonly amsterdam?: AmsterdamDialect
  /** Address of the deposit contract (EIP-6110): 20 bytes or hex. */
  readonly depositContract?: string | Uint8Array
}

/** An object that describes a chain: the part of @ethereumjs/common `Common` that is used. */
export interface CommonLike {
  chainId(): bigint
  getHardforkBy(options: { blockNumber?: bigint; timestamp?: bigint }): string
  eips(): number[]
  copy(): CommonLike
  setHardfork(name: string): void
  param(name: string): bigint
  /** Asked for the block of the DAO fork only. */
  hardforkBlock?(name: string): bigint | null
}
