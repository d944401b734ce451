/**
 * Readable names of locations: balances and allowances of ERC-20 tokens, reserves of Uniswap V2 pairs, plain variables.
 *
 * Solidity keeps the entry of address `a` in the mapping at slot `p` at keccak256(a . p). So the addresses that a run
 * has seen are hashed with the first few slots, and what comes out is compared. What a contract is, its accesses tell:
 * a transaction that writes two entries of one mapping moves a balance; who reads the slots of token0, token1, reserves
 * and the lock is a pair. A name is a guess in this sense; contract and slot are always told with it.
 */
import { hexOf, readHex } from '../core/hex.ts'
import type { LocationRecord, RunRecord } from './runRecord.ts'

/** Keccak-256 of any bytes, as `createHasher` of `blockloom/wasm` and others have it. */
export type Keccak256 = (bytes: Uint8Array) => Uint8Array

/** What a location is to those who use it. */
export type LocationRole =
  | 'balance'
  | 'nonce'
  | 'life'
  | 'tokenBalance'
  | 'allowance'
  | 'totalSupply'
  | 'reserves'
  | 'variable'
  | 'entry'
  | 'value'

/** What a location is called, and what it probably is. */
export interface LocationName {
  /** Index into `RunRecord.locations`. */
  readonly location: number
  readonly kind: LocationRecord['kind']
  readonly address: string | undefined
  readonly slot: string | undefined
  readonly key: string | undefined
  readonly role: LocationRole
  /** What it is in words, as far as it can be told. */
  readonly name: string
}

/** Slots of mappings that are tried: 0 to this one. */
const LAST_SLOT = 10
/** Nested mappings are a square of addresses; beyond this many hashes the rest keeps its number. */
const MOST_HASHES = 100_000

/** Of ERC-20: transfer, transferFrom, approve. */
const TOKEN_SELECTORS = new Set(['0xa9059cbb', '0x23b872dd', '0x095ea7b3'])
/** Variables of UniswapV2Pair by slot. */
const PAIR_VARIABLES: Readonly<Record<number, string>> = {
  0: 'totalSupply',
  5: 'factory',
  6: 'token0',
  7: 'token1',
  8: 'reserves',
  9: 'price0CumulativeLast',
  10: 'price1CumulativeLast',
  11: 'kLast',
  12: 'unlocked',
}
/** What a swap reads, and no token has at these slots: token0, token1, reserves, the lock. */
const PAIR_SIGNS = [6, 7, 8, 12]
const PAIR_LAST = 12

interface Entry {
  /** Slot of the mapping. */
  readonly slot: number
  /** Keys, the outer one first. */
  readonly keys: readonly string[]
}

/**
 * Names every location of a run.
 *
 * @param hash - Keccak-256; without it mappings stay hashed slots
 * @param more - addresses besides those that the run shows, 0x hex: of call data, for example
 */
export function nameLocations(record: RunRecord, hash?: Keccak256, more: readonly string[] = []): LocationName[] {
  const entries = hash === undefined ? new Map<string, Entry>() : mappingEntries(record, hash, more)
  const contracts = knowContracts(record, entries)
  return record.locations.map((location, index) => {
    const { kind, address, slot, key } = location
    return { location: index, kind, address, slot, key, ...nameOf(location, entries, contracts) }
  })
}

type Named = Pick<LocationName, 'role' | 'name'>

function nameOf(location: LocationRecord, entries: ReadonlyMap<string, Entry>, contracts: Contracts): Named {
  const { kind, address = '?', slot, key } = location
  if (kind === 'bytes') return { role: 'value', name: `key ${keyText(key)}` }
  if (kind !== 'slot' || slot === undefined) {
    const role = kind === 'slot' ? 'variable' : kind
    return { role, name: `${kind === 'life' ? 'code and existence' : kind} of ${short(address)}` }
  }
  const what = contracts.pairs.has(address) ? 'pair' : contracts.balances.has(address) ? 'token' : 'contract'
  const where = `${what} ${short(address)}`
  const number = smallSlot(slot)
  if (number !== undefined) return variable(number, address, where, contracts)
  const entry = entries.get(slot)
  if (entry === undefined) {
    // Tokens keep little else than balances and allowances under hashed slots.
    return what === 'contract'
      ? { role: 'entry', name: `hashed slot ${short(slot)} of ${where}` }
      : { role: 'tokenBalance', name: `balance or allowance ${short(slot)} of ${where}` }
  }
  const [owner, spender] = entry.keys.map(short)
  if (spender !== undefined) return { role: 'allowance', name: `allowance of ${spender} by ${owner} of ${where}` }
  if (contracts.balances.get(address) === entry.slot) {
    return { role: 'tokenBalance', name: `balance of ${owner} of ${where}` }
  }
  return { role: 'entry', name: `entry of ${owner} in the mapping at slot ${entry.slot} of ${where}` }
}

function variable(number: number, address: string, where: string, { pairs, balances }: Contracts): Named {
  const name = pairs.has(address) ? PAIR_VARIABLES[number] : undefined
  // OpenZeppelin's ERC20: balances, allowances, totalSupply.
  if (name === 'totalSupply' || balances.get(address) === number - 2) {
    return { role: 'totalSupply', name: `totalSupply of ${where}` }
  }
  if (name !== undefined) return { role: 'reserves', name: `${name} of ${where}` }
  return { role: 'variable', name: `variable at slot ${number} of ${where}` }
}

/** Text of a key where it is text, else its bytes. */
function keyText(key: string | undefined): string {
  if (key === undefined) return '?'
  const text = new TextDecoder().decode(readHex(key, undefined, 'key'))
  return /^[\p{L}\p{N}\p{P}\p{S} ]+$/u.test(text) && !text.includes('\ufffd') ? `'${text}'` : key
}

/** Hex with its middle left out. */
const short = (hex: string): string => (hex.length > 14 ? `${hex.slice(0, 8)}..${hex.slice(-4)}` : hex)

/** The number of a slot that no hash is likely to give; undefined of others. */
function smallSlot(slot: string): number | undefined {
  return /^0x0{56}/.test(slot) ? Number.parseInt(slot.slice(58), 16) : undefined
}

// ---- what contracts are ----

interface Contracts {
  readonly pairs: ReadonlySet<string>
  /** Slot of the mapping of balances, by contract. */
  readonly balances: ReadonlyMap<string, number>
}

function knowContracts(record: RunRecord, entries: ReadonlyMap<string, Entry>): Contracts {
  const variables = new Map<string, Set<number>>()
  for (const { kind, address, slot } of record.locations) {
    const number = kind === 'slot' && slot !== undefined ? smallSlot(slot) : undefined
    if (address === undefined || number === undefined) continue
    const known = variables.get(address)
    if (known === undefined) variables.set(address, new Set([number]))
    else known.add(number)
  }
  const isPair = (own: ReadonlySet<number>) =>
    PAIR_SIGNS.every((slot) => own.has(slot)) && Math.max(...own) <= PAIR_LAST
  const pairs = new Set([...variables].filter(([, own]) => isPair(own)).map(([address]) => address))
  return { pairs, balances: balanceMappings(record, entries) }
}

/** The mapping whose entries a transaction writes two at a time, or of a contract that is called as a token. */
function balanceMappings(record: RunRecord, entries: ReadonlyMap<string, Entry>): Map<string, number> {
  const balances = new Map<string, number>()
  for (const { writes, place } of record.executions) {
    const { to, selector } = record.places[place] ?? {}
    const seen = new Set<string>()
    for (const { location } of writes) {
      const { kind, address, slot } = record.locations[location] ?? {}
      const entry = kind === 'slot' && slot !== undefined ? entries.get(slot) : undefined
      if (address === undefined || entry === undefined || entry.keys.length !== 1 || balances.has(address)) continue
      const mapping = `${address}:${entry.slot}`
      const called = address === to && selector !== undefined && TOKEN_SELECTORS.has(selector)
      if (called || seen.has(mapping)) balances.set(address, entry.slot)
      seen.add(mapping)
    }
  }
  return balances
}

// ---- mappings ----

/** Entries of mappings among the run's slots, by slot. */
function mappingEntries(record: RunRecord, hash: Keccak256, more: readonly string[]): Map<string, Entry> {
  const wanted = new Set<string>()
  const addresses = new Set<string>()
  for (const { kind, address, slot } of record.locations) {
    if (address !== undefined) addresses.add(address)
    if (kind === 'slot' && slot !== undefined && smallSlot(slot) === undefined) wanted.add(slot)
  }
  for (const place of record.places) if (place?.to !== undefined) addresses.add(place.to)
  for (const address of more) addresses.add(address.toLowerCase())
  const found = new Map<string, Entry>()
  const keys = [...addresses].filter((address) => /^0x[0-9a-f]{40}$/.test(address))
  const bytes = keys.map((key) => readHex(key, 20, 'address'))
  const outer: { readonly digest: Uint8Array; readonly key: string; readonly slot: number }[] = []
  let hashes = 0
  const take = (digest: Uint8Array, entry: Entry): void => {
    const slot = hexOf(digest)
    if (wanted.delete(slot)) found.set(slot, entry)
  }
  for (let slot = 0; slot <= LAST_SLOT && wanted.size > 0; slot++) {
    const at = new Uint8Array(32)
    at[31] = slot
    for (const [k, key] of keys.entries()) {
      if (hashes++ > MOST_HASHES) return found
      const digest = hash(word(bytes[k], at))
      take(digest, { slot, keys: [key] })
      outer.push({ digest, key, slot })
    }
  }
  // allowance[owner][spender]: keccak256(spender . keccak256(owner . slot)); spenders are contracts more often than
  // not.
  const spenders = new Set(record.places.flatMap((place) => place?.to ?? []))
  for (const [k, spender] of keys.entries()) {
    if (!spenders.has(spender)) continue
    for (const { digest, key, slot } of outer) {
      if (wanted.size === 0 || hashes++ > MOST_HASHES) return found
      take(hash(word(bytes[k], digest)), { slot, keys: [key, spender] })
    }
  }
  return found
}

/** An address as a word, then another word. */
function word(address: Uint8Array, last: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(64)
  bytes.set(address, 12)
  bytes.set(last, 32)
  return bytes
}
