/**
 * From a chain and a header to the rules a block runs by.
 *
 * A chain is a name, a description (forks by number or time), or an @ethereumjs/common object, which is asked and never
 * changed. Forks are walked in the order in which they happened, up to the first that has not begun; so a time counts
 * only for a chain whose earlier forks, the merge among them, have begun.
 */

import { InvalidInputError } from '../../core/errors.ts'
import { AMSTERDAM_DIALECTS, type AmsterdamDialect, DEFAULT_DIALECT } from './amsterdam.ts'
import type { BlockHeader } from './block.ts'
import { BLOB_SCHEDULE, CHAINS, type ChainName } from './chains.ts'
import {
  type BlobParams,
  type ChainConfig,
  type CommonLike,
  FORK_ORDER,
  type ForkActivation,
  type ForkAlias,
  type ForkName,
  forkNamed,
  isSince,
  specOf,
} from './forks.ts'
import { hexToBytes, isRecord } from './input.ts'

/** All that a caller may give as a chain. */
export type ChainInput = ChainName | ChainConfig | CommonLike

/** What holds for a block besides its EVM rules. */
export interface BlockRules {
  readonly chainId: bigint
  /** The latest fork that has begun. */
  readonly fork: ForkName
  /** From Amsterdam on. */
  readonly amsterdam?: AmsterdamDialect
  /** From Cancun on. */
  readonly blob?: BlobParams
  /** 20 bytes; absent where the chain does not say. */
  readonly depositContract?: Uint8Array
  /** By how many blocks the difficulty bomb is late (EIP-649, 1234, 2384, 3554, 4345, 5133). */
  readonly bombDelay: bigint
  /** The DAO fork's block, and whether this chain took part in it; absent where it is not scheduled. */
  readonly dao?: { readonly block: bigint; readonly support: boolean }
}

/** The rules of one block. */
export interface ResolvedChain extends BlockRules {
  /** Number of the fork's rule set: revm's SpecId. */
  readonly spec: number
}

/** The part of a header that decides on the fork; a header is one. */
export interface ForkPoint extends Pick<BlockHeader, 'number' | 'timestamp'> {
  /** Where the merge comes by total difficulty and the parent's is not known, 0 says that the block is after it. */
  readonly difficulty?: bigint
  /** Sum of the difficulties of all blocks before this one; decides on a merge by total difficulty. */
  readonly parentTotalDifficulty?: bigint
}

/** Gas that one blob counts for (EIP-4844), by which @ethereumjs/common multiplies its limits. */
const GAS_PER_BLOB = 1 << 17

/**
 * A chain that is at one fork from its first block on, for tests and for blocks whose fork is known.
 *
 * @param fork - the fork
 * @param chainId - mainnet's where left out
 */
export function chainAtFork(fork: ForkAlias, chainId: number | bigint = 1): ChainConfig {
  return { chainId, forks: [{ name: fork, block: 0 }] }
}

/**
 * Finds the rules for a block.
 *
 * @param chain - a name, a description, or an @ethereumjs/common object. Of the latter the fork is found by number and
 *   time; the hardfork it is set to does not count (use `chainAtFork` for that)
 * @param header - number and time of the block
 * @throws {Blockloom.InvalidInputError} `INVALID_OPTION` where the chain is not one; `UNKNOWN_FORK` where it names an
 *   unknown fork or none has begun; `UNSUPPORTED_FORK` where a Common object switches single EIPs on
 */
export function resolveChain(chain: ChainInput, header: ForkPoint): ResolvedChain {
  const rules = resolveRules(chain, header)
  return { ...rules, spec: specOf(rules.fork) }
}

/**
 * Finds what holds for a block apart from the EVM's rules: all that a header is checked by.
 *
 * @param chain - as for `resolveChain`
 * @param header - number and time of the block; difficulty or the parent's total difficulty, on a chain that merges by
 *   total difficulty
 * @throws {Blockloom.InvalidInputError} as `resolveChain`
 */
export function resolveRules(chain: ChainInput, header: ForkPoint): BlockRules {
  if (typeof chain === 'string') {
    if (!Object.hasOwn(CHAINS, chain)) {
      const known = Object.keys(CHAINS).join(', ')
      return invalid('chain', `is '${chain}', not one of ${known}; describe other chains as an object`)
    }
    return resolveConfig(CHAINS[chain], header)
  }
  if (!isRecord(chain)) return invalid('chain', 'is not the name, description or Common object of a chain')
  return isCommonLike(chain) ? resolveCommon(chain, header) : resolveConfig(chain as ChainConfig, header)
}

function invalid(option: string, problem: string): never {
  throw new InvalidInputError('INVALID_OPTION', `${option} ${problem}`, { option, reason: problem })
}

function isCommonLike(chain: object): chain is CommonLike {
  return 'getHardforkBy' in chain && typeof chain.getHardforkBy === 'function'
}

function resolveConfig(config: ChainConfig, header: ForkPoint): BlockRules {
  const chainId = chainIdOf(config.chainId)
  const schedule = scheduleOf(config)
  const fork = forkAt(schedule, header)
  const { depositContract, daoForkSupport = true, amsterdam = DEFAULT_DIALECT } = config
  const dialect = dialectOf(amsterdam)
  const dao = schedule.begins.get('dao')
  return {
    chainId,
    fork,
    ...(isSince(fork, 'amsterdam') ? { amsterdam: dialect } : {}),
    ...(isSince(fork, 'cancun') ? { blob: blobParamsOf(fork, config.blobSchedule ?? {}, schedule.begins) } : {}),
    ...(depositContract === undefined ? {} : { depositContract: addressOf(depositContract) }),
    bombDelay: bombDelayAt(fork, schedule.never),
    ...(dao !== undefined && 'block' in dao ? { dao: { block: dao.block, support: daoForkSupport } } : {}),
  }
}

/** The forks that put the difficulty bomb off, and by how many blocks from the bomb's own beginning. */
const BOMB_DELAYS: readonly (readonly [fork: ForkName, blocks: bigint])[] = [
  ['grayGlacier', 11_400_000n], // EIP-5133
  ['arrowGlacier', 10_700_000n], // EIP-4345
  ['london', 9_700_000n], // EIP-3554
  ['muirGlacier', 9_000_000n], // EIP-2384
  ['constantinople', 5_000_000n], // EIP-1234
  ['byzantium', 3_000_000n], // EIP-649
]

function bombDelayAt(fork: ForkName, never: ReadonlySet<ForkName>): bigint {
  return BOMB_DELAYS.find(([name]) => isSince(fork, name) && !never.has(name))?.[1] ?? 0n
}

function chainIdOf(value: unknown): bigint {
  return integerOf(value, 'chain.chainId')
}

/** An unsigned integer given as a number or bigint. */
function integerOf(value: unknown, option: string, bits: 64 | 256 = 64): bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return BigInt(value)
  if (typeof value === 'bigint' && value >= 0n && value < 1n << BigInt(bits)) return value
  return invalid(option, `is not an integer from 0 to 2^${bits} - 1`)
}

function addressOf(value: string | Uint8Array): Uint8Array {
  const bytes = value instanceof Uint8Array ? new Uint8Array(value) : hexToBytes(value)
  return bytes?.length === 20 ? bytes : invalid('chain.depositContract', 'is not an address of 20 bytes')
}

function forkOf(name: unknown): ForkName {
  const fork = forkNamed(name)
  if (fork !== undefined) return fork
  throw new InvalidInputError('UNKNOWN_FORK', `fork ${String(name)} is not known; known are ${FORK_ORDER.join(', ')}`, {
    fork: String(name),
  })
}

/** When a scheduled fork begins. */
type Activation = { readonly block: bigint } | { readonly timestamp: bigint }

/** The forks of a chain. */
interface Schedule {
  /** When the forks begin that are given with a beginning. */
  readonly begins: ReadonlyMap<ForkName, Activation>
  /** Those that are given as never beginning. */
  readonly never: ReadonlySet<ForkName>
  /** Where the merge comes by total difficulty. */
  readonly terminalTotalDifficulty?: bigint
}

function scheduleOf({ forks, terminalTotalDifficulty }: ChainConfig): Schedule {
  if (typeof forks !== 'object' || forks === null) return invalid('chain.forks', 'is neither a list nor an object')
  const entries: readonly (readonly [unknown, unknown])[] = Array.isArray(forks)
    ? forks.map((fork: unknown) => [isRecord(fork) ? fork['name'] : fork, fork])
    : Object.entries(forks)
  const begins = new Map<ForkName, Activation>()
  const never = new Set<ForkName>()
  for (const [name, given] of entries) {
    const fork = forkOf(name)
    if (begins.has(fork) || never.has(fork)) return invalid(`chain.forks.${fork}`, 'is given twice')
    const activation = activationOf(given as ForkActivation, `chain.forks.${fork}`)
    if (activation === undefined) never.add(fork)
    else begins.set(fork, activation)
  }
  checkOrder(begins)
  if (terminalTotalDifficulty === undefined || begins.has('paris')) return { begins, never }
  const total = integerOf(terminalTotalDifficulty, 'chain.terminalTotalDifficulty', 256)
  return { begins, never, terminalTotalDifficulty: total }
}

function activationOf(given: ForkActivation, option: string): Activation | undefined {
  if (!isRecord(given)) return invalid(option, 'is not an object with a block or a timestamp')
  const { block, timestamp } = given
  if (timestamp !== undefined) {
    if ((block ?? undefined) !== undefined) return invalid(option, 'has both a block and a timestamp')
    return { timestamp: integerOf(timestamp, `${option}.timestamp`) }
  }
  if (block === null) return undefined
  return block === undefined
    ? invalid(option, 'has neither a block nor a timestamp')
    : { block: integerOf(block, `${option}.block`) }
}

/** A fork may not begin before an older one, by the same measure. */
function checkOrder(activations: ReadonlyMap<ForkName, Activation>): void {
  let block = 0n
  let timestamp = 0n
  for (const fork of FORK_ORDER) {
    const activation = activations.get(fork)
    if (activation === undefined) continue
    if ('block' in activation ? activation.block < block : activation.timestamp < timestamp) {
      invalid(`chain.forks.${fork}`, 'begins before a fork that is older')
    }
    if ('block' in activation) block = activation.block
    else timestamp = activation.timestamp
  }
}

function forkAt({ begins, terminalTotalDifficulty }: Schedule, point: ForkPoint): ForkName {
  const { number, timestamp } = point
  let latest: ForkName | undefined
  for (const fork of FORK_ORDER) {
    const activation = begins.get(fork)
    if (activation === undefined) {
      if (fork !== 'paris' || terminalTotalDifficulty === undefined) continue
      if (!isMerged(point, terminalTotalDifficulty)) break
    } else if ('block' in activation ? activation.block > number : activation.timestamp > timestamp) break
    latest = fork
  }
  if (latest !== undefined) return latest
  throw new InvalidInputError('UNKNOWN_FORK', `no fork of the chain has begun at block ${number}, time ${timestamp}`, {
    number,
    timestamp,
  })
}

/**
 * EIP-3675: the first block after the merge is the one whose parent's total difficulty has reached the terminal one.
 */
function isMerged(point: ForkPoint, terminalTotalDifficulty: bigint): boolean {
  const { number, difficulty, parentTotalDifficulty } = point
  if (terminalTotalDifficulty === 0n) return true
  if (parentTotalDifficulty !== undefined) return parentTotalDifficulty >= terminalTotalDifficulty
  if (difficulty !== undefined) return difficulty === 0n
  throw new InvalidInputError(
    'UNKNOWN_FORK',
    `the chain merges at a total difficulty of ${terminalTotalDifficulty}: give the difficulty of block ${number} too, ` +
      "or its parent's total difficulty",
    { number, terminalTotalDifficulty },
  )
}

function dialectOf(value: unknown): AmsterdamDialect {
  const found = AMSTERDAM_DIALECTS.find((dialect) => dialect === value)
  return found ?? invalid('chain.amsterdam', `is ${String(value)}, not one of ${AMSTERDAM_DIALECTS.join(', ')}`)
}

/** The parameters of the latest fork, up to this one, that brought some. */
function blobParamsOf(
  fork: ForkName,
  schedule: NonNullable<ChainConfig['blobSchedule']>,
  begins: ReadonlyMap<ForkName, Activation>,
): BlobParams {
  const given = new Map(Object.entries(schedule).map(([name, params]) => [forkOf(name), params] as const))
  for (let at = FORK_ORDER.indexOf(fork); at >= 0; at--) {
    const name = FORK_ORDER[at]
    // Such a fork is nothing but its parameters: it counts only where it is scheduled, and then those of an older fork
    // would be wrong.
    const onlyBlobs = name.startsWith('bpo')
    if (onlyBlobs && name !== fork && !begins.has(name)) continue
    const params = given.get(name) ?? BLOB_SCHEDULE[name]
    if (params !== undefined) return checkedBlobParams(params, `chain.blobSchedule.${name}`)
    if (onlyBlobs) return invalid(`chain.blobSchedule.${name}`, 'is missing')
  }
  return invalid('chain.blobSchedule', `has no entry for ${fork}`)
}

function checkedBlobParams(params: BlobParams, option: string): BlobParams {
  if (!isRecord(params)) return invalid(option, 'is not an object')
  const { target, max, baseFeeUpdateFraction } = params
  for (const value of [target, max, baseFeeUpdateFraction]) {
    if (!Number.isSafeInteger(value) || value < 0) {
      return invalid(option, 'needs target, max and baseFeeUpdateFraction as integers from 0 on')
    }
  }
  if (target > max || max > 0x7fffffff) return invalid(option, `has a target of ${target} and a max of ${max}`)
  if (baseFeeUpdateFraction === 0) return invalid(option, 'has a baseFeeUpdateFraction of 0')
  return { target, max, baseFeeUpdateFraction }
}

/** Where @ethereumjs/vm looks for deposits on a chain that names no contract for them. */
const MAINNET_DEPOSITS = '0x00000000219ab540356cbb839cbe05303d7705fa'

/** @ethereumjs/common 10.1.3 has no method that tells it; @ethereumjs/vm reads the same field. */
function commonDeposits(common: object): string {
  const { _chainParams } = common as { readonly _chainParams?: { readonly depositContractAddress?: string } }
  return _chainParams?.depositContractAddress ?? MAINNET_DEPOSITS
}

function resolveCommon(common: CommonLike, header: ForkPoint): BlockRules {
  const fork = forkOf(commonForkAt(common, header))
  const eips = common.eips()
  if (eips.length > 0) {
    const list = eips.join(', ')
    throw new InvalidInputError(
      'UNSUPPORTED_FORK',
      `the Common object switches on EIPs ${list} besides its forks; only the rule sets of forks exist here`,
      { fork, number: header.number, eips: [...eips] },
    )
  }
  const dao = common.hardforkBlock?.('dao') ?? undefined
  return {
    chainId: chainIdOf(common.chainId()),
    fork,
    ...(isSince(fork, 'amsterdam') ? { amsterdam: DEFAULT_DIALECT } : {}),
    ...(isSince(fork, 'cancun') ? { blob: commonBlobParams(common, fork) } : {}),
    depositContract: addressOf(commonDeposits(common)),
    bombDelay: bombDelayAt(fork, new Set()),
    ...(dao === undefined ? {} : { dao: { block: dao, support: true } }),
  }
}

function commonForkAt(common: CommonLike, { number, timestamp }: ForkPoint): string {
  try {
    return common.getHardforkBy({ blockNumber: number, timestamp })
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new InvalidInputError(
      'UNKNOWN_FORK',
      `the Common object knows no fork for block ${number}, time ${timestamp}: ${reason}`,
      { number, timestamp },
      { cause },
    )
  }
}

/**
 * Reads blob parameters from a copy that is set to the fork. A Common that no block or VM has filled yet holds only
 * part of them; then the public chains' stand in, which is what ethereumjs would fill in.
 */
function commonBlobParams(common: CommonLike, fork: ForkName): BlobParams {
  const at = common.copy()
  at.setHardfork(fork)
  const param = (name: string): number | undefined => {
    try {
      return Number(at.param(name))
    } catch {
      return undefined
    }
  }
  const inBlobs = (gas: number | undefined): number | undefined =>
    gas === undefined ? undefined : Math.floor(gas / GAS_PER_BLOB)
  const target = param('target') ?? inBlobs(param('targetBlobGasPerBlock'))
  const max = param('max') ?? inBlobs(param('maxBlobGasPerBlock'))
  const baseFeeUpdateFraction = param('blobGasPriceUpdateFraction')
  if (target === undefined || max === undefined || baseFeeUpdateFraction === undefined)
    return blobParamsOf(fork, {}, scheduleOf(CHAINS.mainnet).begins)
  return checkedBlobParams({ target, max, baseFeeUpdateFraction }, `blob parameters of ${fork}`)
}
