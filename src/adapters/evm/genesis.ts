/**
 * A genesis as go-ethereum writes it: the chain's configuration, the accounts that it begins with, and its first
 * header.
 *
 * Owns the format and its habits: forks that are left out never happen, Petersburg comes with Constantinople unless it
 * says otherwise, and the merge comes by total difficulty. Does not own the state root: whoever puts the accounts into
 * a state knows it, and adds it to the header.
 *
 * Source: go-ethereum, core/genesis.go and params/config.go; EIP-7840 (blobSchedule), EIP-7892 (BPO forks).
 */

import { InvalidInputError } from '../../core/errors.ts'
import type { BlockHeader } from './block.ts'
import { INITIAL_BASE_FEE } from './fees.ts'
import { type BlobParams, type ChainConfig, type ForkActivation, type ForkName, forkNamed, isSince } from './forks.ts'
import { EMPTY_OMMERS_HASH, EMPTY_TRIE_ROOT } from './header.ts'
import { hexToBytes, isRecord } from './input.ts'
import { JsonError, parseJson } from './json.ts'
import { requestsHash } from './requests.ts'

/** An account that a chain begins with; what `createMemoryState` takes. */
export interface GenesisAccount {
  /** In wei. */
  readonly balance: bigint
  readonly nonce: bigint
  readonly code?: Uint8Array
  /** Values by slot, both 32 bytes in hex. */
  readonly storage?: Readonly<Record<string, string>>
}

/** All that a genesis says. */
export interface Genesis {
  readonly chain: ChainConfig
  /** By address, 20 bytes in lower-case hex. */
  readonly accounts: Readonly<Record<string, GenesisAccount>>
  /** Complete but for `stateRoot`. */
  readonly header: BlockHeader
}

/** The configuration's names of forks, oldest first, and whether others may be scheduled without it. */
const FORK_KEYS: readonly { readonly key: string; readonly fork: ForkName; readonly optional?: true }[] = [
  { key: 'homesteadBlock', fork: 'homestead' },
  { key: 'daoForkBlock', fork: 'dao', optional: true },
  { key: 'eip150Block', fork: 'tangerineWhistle' },
  { key: 'eip158Block', fork: 'spuriousDragon' },
  { key: 'byzantiumBlock', fork: 'byzantium' },
  { key: 'constantinopleBlock', fork: 'constantinople' },
  { key: 'petersburgBlock', fork: 'petersburg' },
  { key: 'istanbulBlock', fork: 'istanbul' },
  { key: 'muirGlacierBlock', fork: 'muirGlacier', optional: true },
  { key: 'berlinBlock', fork: 'berlin' },
  { key: 'londonBlock', fork: 'london' },
  { key: 'arrowGlacierBlock', fork: 'arrowGlacier', optional: true },
  { key: 'grayGlacierBlock', fork: 'grayGlacier', optional: true },
  { key: 'mergeNetsplitBlock', fork: 'mergeNetsplitBlock', optional: true },
  { key: 'shanghaiTime', fork: 'shanghai' },
  { key: 'cancunTime', fork: 'cancun' },
  { key: 'pragueTime', fork: 'prague' },
  { key: 'osakaTime', fork: 'osaka' },
  { key: 'bpo1Time', fork: 'bpo1', optional: true },
  { key: 'bpo2Time', fork: 'bpo2', optional: true },
  { key: 'bpo3Time', fork: 'bpo3', optional: true },
  { key: 'bpo4Time', fork: 'bpo4', optional: true },
  { key: 'bpo5Time', fork: 'bpo5', optional: true },
  { key: 'amsterdamTime', fork: 'amsterdam' },
]

/** Keys that look like forks and are none of their own. */
const OTHER_KEYS: ReadonlySet<string> = new Set(['eip155Block'])

/** What go-ethereum takes for a gas limit of 0. */
const DEFAULT_GAS_LIMIT = 4_712_388n

type Json = Readonly<Record<string, unknown>>

/**
 * Reads a genesis.
 *
 * @param input - the text of the file, or the value that parsing it gave. Only of the text can a key that occurs twice
 *   be told, and a number above 2^53 be read
 * @throws {Blockloom.InvalidInputError} `INVALID_GENESIS`, with `fields.where` the JSON path, where a value is missing,
 *   malformed or out of range, forks are out of order, or a fork is not known
 * @example
 * const { chain, accounts, header } = parseGenesis(await readFile('genesis.json', 'utf8'))
 */
export function parseGenesis(input: unknown): Genesis {
  const json = typeof input === 'string' ? jsonOf(input) : input
  if (!isRecord(json)) return fail('', 'is not a JSON object')
  const config = recordAt(json, 'config', '')
  const forks = forksOf(config)
  const header = headerOf(json, forks)
  return { chain: chainOf(config, forks), accounts: accountsOf(json), header }
}

function fail(where: string, reason: string): never {
  throw new InvalidInputError('INVALID_GENESIS', `genesis: ${where === '' ? 'the file' : where} ${reason}`, {
    where,
    reason,
  })
}

function jsonOf(text: string): unknown {
  try {
    return parseJson(text)
  } catch (error) {
    return error instanceof JsonError ? fail(error.path, error.message) : fail('', 'cannot be read')
  }
}

const pathOf = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`)

/** The value of a key; null counts as absent. */
function valueAt(json: Json, key: string): unknown {
  return Object.hasOwn(json, key) ? (json[key] ?? undefined) : undefined
}

function recordAt(json: Json, key: string, path: string): Json {
  const value = valueAt(json, key)
  return isRecord(value) ? value : fail(pathOf(path, key), 'is missing or not an object')
}

/** An integer given as a number, a bigint, decimal digits or hex; undefined where the key is absent. */
function integerAt(json: Json, key: string, path: string, bits: 64 | 256 = 64): bigint | undefined {
  const value = valueAt(json, key)
  if (value === undefined) return undefined
  const where = pathOf(path, key)
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    return fail(where, 'is a number that JavaScript has rounded: give the text of the file, or the number as a string')
  }
  const integer = integerOf(value)
  if (integer === undefined) return fail(where, 'is not an integer from 0 on')
  return integer < 1n << BigInt(bits) ? integer : fail(where, `does not fit in ${bits} bits`)
}

function integerOf(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value >= 0n ? value : undefined
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : undefined
  const wellFormed = typeof value === 'string' && /^(?:0[xX][0-9a-fA-F]{1,64}|[0-9]{1,80})$/.test(value)
  return wellFormed ? BigInt(value) : undefined
}

function booleanAt(json: Json, key: string, path: string): boolean | undefined {
  const value = valueAt(json, key)
  return value === undefined || typeof value === 'boolean' ? value : fail(pathOf(path, key), 'is not true or false')
}

function bytesAt(json: Json, key: string, path: string, length?: number): Uint8Array | undefined {
  const value = valueAt(json, key)
  if (value === undefined) return undefined
  const bytes = hexToBytes(value)
  if (bytes === undefined) return fail(pathOf(path, key), 'is not hex with a 0x prefix')
  if (length === undefined || bytes.length === length) return bytes
  return fail(pathOf(path, key), `has ${bytes.length} bytes, not ${length}`)
}

/** When the forks of the configuration begin; one that is absent never does. */
type Forks = ReadonlyMap<ForkName, bigint>

function forksOf(config: Json): Forks {
  const forks = new Map<ForkName, bigint>()
  for (const { key, fork } of FORK_KEYS) {
    const begin = integerAt(config, key, 'config')
    if (begin !== undefined) forks.set(fork, begin)
  }
  // Petersburg took out of Constantinople what was wrong with it, so go-ethereum has it unless told otherwise.
  const constantinople = forks.get('constantinople')
  if (constantinople !== undefined && !forks.has('petersburg')) forks.set('petersburg', constantinople)
  checkKnown(config)
  checkOrder(forks)
  const replayProtection = integerAt(config, 'eip155Block', 'config')
  if (replayProtection !== undefined && replayProtection !== forks.get('spuriousDragon')) {
    return fail('config.eip155Block', 'is not eip158Block: one rule set has both')
  }
  return forks
}

function checkKnown(config: Json): void {
  for (const key of Object.keys(config)) {
    if (!/(?:Block|Time)$/.test(key) || OTHER_KEYS.has(key) || FORK_KEYS.some((known) => known.key === key)) continue
    if (valueAt(config, key) !== undefined) fail(`config.${key}`, 'is a fork that is not known here')
  }
}

/** A fork does not begin before an older one, and not without it. */
function checkOrder(forks: Forks): void {
  let missing: string | undefined
  let latest: { key: string; begin: bigint; byTime: boolean } | undefined
  for (const { key, fork, optional } of FORK_KEYS) {
    const begin = forks.get(fork)
    if (begin === undefined) {
      if (!optional) missing ??= key
      continue
    }
    if (missing !== undefined) fail(`config.${missing}`, `is missing, though ${key} is there`)
    const byTime = key.endsWith('Time')
    if (latest !== undefined && latest.byTime === byTime && latest.begin > begin) {
      fail(`config.${key}`, `is ${begin}, before the ${latest.begin} of ${latest.key}, which is older`)
    }
    latest = { key, begin, byTime }
  }
}

function chainOf(config: Json, forks: Forks): ChainConfig {
  const chainId = integerAt(config, 'chainId', 'config') ?? fail('config.chainId', 'is missing')
  const total = terminalTotalDifficulty(config, forks)
  const daoForkSupport = booleanAt(config, 'daoForkSupport', 'config') ?? false
  const depositContract = bytesAt(config, 'depositContractAddress', 'config', 20)
  const activations: { [Name in ForkName]?: ForkActivation } = { chainstart: { block: 0 } }
  for (const { key, fork, optional } of FORK_KEYS) {
    const begin = forks.get(fork)
    if (begin !== undefined) activations[fork] = key.endsWith('Time') ? { timestamp: begin } : { block: begin }
    else if (optional) activations[fork] = { block: null }
  }
  return {
    chainId,
    forks: activations,
    blobSchedule: blobScheduleOf(config, forks),
    ...(total === undefined ? {} : { terminalTotalDifficulty: total }),
    ...(forks.has('dao') ? { daoForkSupport } : {}),
    ...(depositContract === undefined ? {} : { depositContract }),
  }
}

function terminalTotalDifficulty(config: Json, forks: Forks): bigint | undefined {
  const total = integerAt(config, 'terminalTotalDifficulty', 'config', 256)
  const passed = booleanAt(config, 'terminalTotalDifficultyPassed', 'config')
  if (total !== undefined) return total
  if (passed === true) return 0n
  if (!forks.has('shanghai')) return undefined
  return fail('config.terminalTotalDifficulty', 'is missing, though shanghaiTime is there')
}

function blobScheduleOf(config: Json, forks: Forks): { [Name in ForkName]?: BlobParams } {
  const schedule: { [Name in ForkName]?: BlobParams } = {}
  if (valueAt(config, 'blobSchedule') !== undefined) {
    const given = recordAt(config, 'blobSchedule', 'config')
    for (const key of Object.keys(given)) {
      const fork = forkNamed(key)
      const path = `config.blobSchedule.${key}`
      if (fork === undefined || !isSince(fork, 'cancun')) return fail(path, 'is not a fork with blobs')
      if (valueAt(given, key) !== undefined)
        schedule[fork] = blobParamsOf(recordAt(given, key, 'config.blobSchedule'), path)
    }
  }
  for (const { fork } of FORK_KEYS) {
    // Such a fork is nothing but its parameters.
    if (fork.startsWith('bpo') && forks.has(fork) && schedule[fork] === undefined) {
      return fail(`config.blobSchedule.${fork}`, `is missing, though ${fork}Time is there`)
    }
  }
  return schedule
}

function blobParamsOf(given: Json, path: string): BlobParams {
  const small = (key: string): number => {
    const value = integerAt(given, key, path) ?? fail(pathOf(path, key), 'is missing')
    return value < 1n << 53n ? Number(value) : fail(pathOf(path, key), 'does not fit in 53 bits')
  }
  const [target, max, baseFeeUpdateFraction] = [small('target'), small('max'), small('baseFeeUpdateFraction')]
  if (target > max || max > 0x7fffffff) return fail(path, `has a target of ${target} and a max of ${max}`)
  if (baseFeeUpdateFraction === 0) return fail(pathOf(path, 'baseFeeUpdateFraction'), 'is 0')
  return { target, max, baseFeeUpdateFraction }
}

function headerOf(json: Json, forks: Forks): BlockHeader {
  const timestamp = integerAt(json, 'timestamp', '') ?? 0n
  if ((integerAt(json, 'number', '') ?? 0n) !== 0n) return fail('number', 'is not 0')
  const gasLimit = integerAt(json, 'gasLimit', '') ?? fail('gasLimit', 'is missing')
  const hash = (key: string): Uint8Array => bytesAt(json, key, '', 32) ?? new Uint8Array(32)
  return {
    number: 0n,
    timestamp,
    gasLimit: gasLimit === 0n ? DEFAULT_GAS_LIMIT : gasLimit,
    gasUsed: integerAt(json, 'gasUsed', '') ?? 0n,
    coinbase: bytesAt(json, 'coinbase', '', 20) ?? new Uint8Array(20),
    difficulty: integerAt(json, 'difficulty', '', 256) ?? fail('difficulty', 'is missing'),
    prevRandao: hash('mixHash'),
    parentHash: hash('parentHash'),
    ommersHash: EMPTY_OMMERS_HASH.slice(),
    transactionsRoot: EMPTY_TRIE_ROOT.slice(),
    receiptsRoot: EMPTY_TRIE_ROOT.slice(),
    logsBloom: new Uint8Array(256),
    extraData: bytesAt(json, 'extraData', '') ?? new Uint8Array(0),
    nonce: nonceOf(integerAt(json, 'nonce', '') ?? 0n),
    ...laterFields(json, forks, timestamp),
  }
}

/**
 * The fields that came with forks. A time alone decides, not the merge: on a chain that merges later, a genesis with
 * proof of work has them too, where its time is that of the fork.
 */
function laterFields(json: Json, forks: Forks, timestamp: bigint): Partial<BlockHeader> {
  const begun = (fork: ForkName, at: bigint): boolean => (forks.get(fork) ?? at + 1n) <= at
  if (!begun('london', 0n)) return {}
  return {
    baseFeePerGas: integerAt(json, 'baseFeePerGas', '') ?? INITIAL_BASE_FEE,
    ...(begun('shanghai', timestamp) ? { withdrawalsRoot: EMPTY_TRIE_ROOT.slice() } : {}),
    ...(begun('cancun', timestamp)
      ? {
          blobGasUsed: integerAt(json, 'blobGasUsed', '') ?? 0n,
          excessBlobGas: integerAt(json, 'excessBlobGas', '') ?? 0n,
          parentBeaconBlockRoot: new Uint8Array(32),
        }
      : {}),
    ...(begun('prague', timestamp) ? { requestsHash: requestsHash([]) } : {}),
    // The empty access list is the empty RLP list, as the empty list of uncles is.
    ...(begun('amsterdam', timestamp)
      ? { blockAccessListHash: EMPTY_OMMERS_HASH.slice(), slotNumber: integerAt(json, 'slotNumber', '') ?? 0n }
      : {}),
  }
}

function nonceOf(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, value)
  return bytes
}

function accountsOf(json: Json): Record<string, GenesisAccount> {
  const alloc = recordAt(json, 'alloc', '')
  const accounts: Record<string, GenesisAccount> = {}
  for (const key of Object.keys(alloc)) {
    const path = `alloc.${key}`
    const digits = key.replace(/^0[xX]/, '').toLowerCase()
    if (!/^[0-9a-f]{40}$/.test(digits)) return fail(path, 'is not an address of 20 bytes')
    const address = `0x${digits}`
    if (Object.hasOwn(accounts, address)) return fail(path, 'is given twice')
    accounts[address] = accountOf(recordAt(alloc, key, 'alloc'), path)
  }
  return accounts
}

function accountOf(given: Json, path: string): GenesisAccount {
  const code = bytesAt(given, 'code', path)
  const storage =
    valueAt(given, 'storage') === undefined ? undefined : storageOf(recordAt(given, 'storage', path), path)
  return {
    balance: integerAt(given, 'balance', path, 256) ?? fail(`${path}.balance`, 'is missing'),
    nonce: integerAt(given, 'nonce', path) ?? 0n,
    ...(code === undefined || code.length === 0 ? {} : { code }),
    ...(storage === undefined ? {} : { storage }),
  }
}

function storageOf(given: Json, path: string): Record<string, string> {
  const storage: Record<string, string> = {}
  for (const [key, value] of Object.entries(given)) {
    const where = `${path}.storage.${key}`
    const slot = wordOf(key)
    const word = wordOf(value)
    if (slot === undefined || word === undefined) return fail(where, 'is not hex of at most 32 bytes each')
    if (Object.hasOwn(storage, slot)) return fail(where, 'is given twice')
    storage[slot] = word
  }
  return storage
}

/** A word of 32 bytes in hex, of which leading zeros and the prefix may be left out. */
function wordOf(value: unknown): string | undefined {
  const digits = typeof value === 'string' ? value.replace(/^0[xX]/, '').toLowerCase() : ''
  return /^[0-9a-f]{1,64}$/.test(digits) ? `0x${digits.padStart(64, '0')}` : undefined
}
