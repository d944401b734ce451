/**
 * The dialects of Amsterdam: the fork is a draft, and its test networks did not agree on its rules.
 *
 * Every dialect has the EIPs 7708, 7778, 7843, 7928 and 8024. A chain names its dialect; where it names none, the one
 * holds that the pinned revm has. Which prices each has is the kernel's (rust/evm-core/src/amsterdam.rs).
 */

/**
 * The rules of Amsterdam as one of its test networks had them:
 * - `glamsterdam-devnet-8`: what revm 43.0.3 has, EIP-2780, 7954, 7976, 7981, 8037, 8038 and 8246 besides;
 * - `bal-devnet-4`: EIP-7954, 7976, 7981 and an early EIP-8037 besides (fixtures: execution-spec-tests v5.7.0-alpha);
 * - `bal-devnet-2`: Osaka's prices and sizes (fixtures: execution-spec-tests `bal@v5.1.0`).
 */
export type AmsterdamDialect = 'glamsterdam-devnet-8' | 'bal-devnet-4' | 'bal-devnet-2'

/** By dialect the number by which the kernel knows it. */
const CODES: Readonly<Record<AmsterdamDialect, number>> = {
  'glamsterdam-devnet-8': 0,
  'bal-devnet-4': 2,
  'bal-devnet-2': 1,
}

/** The dialect of a chain that names none. */
export const DEFAULT_DIALECT: AmsterdamDialect = 'glamsterdam-devnet-8'

/** All dialects, the default first. */
export const AMSTERDAM_DIALECTS = Object.keys(CODES) as readonly AmsterdamDialect[]

/** The number by which the kernel knows a dialect. */
export const dialectCode = (dialect: AmsterdamDialect): number => CODES[dialect]
