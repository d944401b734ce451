/**
 * Decodes BlockchainTest fixtures: JSON in, checked values out, nothing else.
 *
 * Owns the shapes of a test: accounts before and after, genesis, blocks, what a block is expected to break, the chain's
 * name and blob parameters. Does not own the meaning of a chain's name (networks.ts), of an expected exception
 * (exceptions.ts), or of a block's bytes, which are wrong on purpose in many tests.
 *
 * Source: the formats of ethereum/tests and of execution-spec-tests, which differ in what they leave out.
 */
import type { Hex } from '../../index.ts'
import { FixtureError, shown } from './json.ts'

/** An account, before or after. */
export interface FixtureAccount {
  /** In wei. */
  readonly balance: bigint
  readonly nonce: bigint
  readonly code: Uint8Array
  /** Slots that are not zero, by key. */
  readonly storage: ReadonlyMap<bigint, bigint>
}

/** Accounts by address, 20 bytes in lower case. */
export type Alloc = ReadonlyMap<Hex, FixtureAccount>

/** A block of a test. */
export interface FixtureBlock {
  readonly rlp: Uint8Array
  /** What the block breaks, as the fixture spells it; undefined for a block that is valid. */
  readonly expectException: string | undefined
  /** 32 bytes: its hash; undefined for most blocks that are not valid. */
  readonly hash: Hex | undefined
  /** Senders by transaction as the fixture tells them; undefined where it does not. */
  readonly senders: readonly (Hex | undefined)[]
  /**
   * Transactions that the header commits to, where the fixture lists them apart: the RLP may lack one that is not
   * valid.
   */
  readonly committed: number | undefined
}

/** Blob parameters of a fork, by the fixture's name of it. */
export interface FixtureBlobParams {
  readonly target: number
  readonly max: number
  readonly baseFeeUpdateFraction: number
}

/** A test, decoded. */
export interface Fixture {
  /** The chain's name, such as `Cancun` or `PragueToOsakaAtTime15k`. */
  readonly network: string
  readonly chainId: bigint
  readonly blobSchedule: ReadonlyMap<string, FixtureBlobParams>
  readonly sealEngine: 'NoProof' | 'Ethash'
  readonly pre: Alloc
  /** The genesis block's RLP. */
  readonly genesisRlp: Uint8Array
  /** 32 bytes. */
  readonly genesisHash: Hex
  /** 32 bytes. */
  readonly genesisStateRoot: Hex
  readonly blocks: readonly FixtureBlock[]
  /** 32 bytes: the head when all blocks have been offered. */
  readonly lastBlockHash: Hex
  /** Accounts after the head; undefined where only their root is told. */
  readonly postState: Alloc | undefined
  /** 32 bytes: the root of the state after the head, where accounts are not told. */
  readonly postStateHash: Hex | undefined
}

type Record_ = Readonly<Record<string, unknown>>

const LIMITS = { 64: 1n << 64n, 256: 1n << 256n } as const

/**
 * Decodes a test.
 *
 * @param test - what stands behind the test's name
 * @param place - file, line and name, for errors
 * @throws {FixtureError} with the JSON path, where it is no blockchain test, or a value is missing, malformed or out of
 *   range
 */
export function decodeFixture(test: unknown, place: readonly string[]): Fixture {
  const top = new Reader(test, place, '')
  if (top.has('transaction') && top.has('env')) top.fail('', 'is a state test; blockchain tests are run here')
  if (top.has('engineNewPayloads')) top.fail('', 'is an engine test; blockchain tests are run here')
  const genesis = top.object('genesisBlockHeader')
  const config = top.has('config') ? top.object('config') : undefined
  const postState = top.has('postState') ? top.alloc('postState') : undefined
  const postStateHash = top.has('postStateHash') ? top.hash('postStateHash') : undefined
  if (postState === undefined && postStateHash === undefined) top.fail('postState', 'is missing')
  return {
    network: top.string('network'),
    chainId: config?.has('chainid') ? config.integer('chainid', 64) : 1n,
    blobSchedule: config?.has('blobSchedule') ? readSchedule(config.object('blobSchedule')) : new Map(),
    sealEngine: readSealEngine(top),
    pre: top.alloc('pre'),
    genesisRlp: top.bytes('genesisRLP'),
    genesisHash: genesis.hash('hash'),
    genesisStateRoot: genesis.hash('stateRoot'),
    blocks: top.list('blocks').map(readBlock),
    lastBlockHash: top.hash('lastblockhash'),
    postState,
    postStateHash,
  }
}

function readSealEngine(top: Reader): Fixture['sealEngine'] {
  if (!top.has('sealEngine')) return 'NoProof'
  const name = top.string('sealEngine')
  return name === 'NoProof' || name === 'Ethash' ? name : top.fail('sealEngine', 'is neither NoProof nor Ethash')
}

function readSchedule(schedule: Reader): Map<string, FixtureBlobParams> {
  return new Map(
    schedule.names().map((fork) => {
      const params = schedule.object(fork)
      const small = (name: string): number => {
        const value = params.integer(name, 64)
        return value <= Number.MAX_SAFE_INTEGER ? Number(value) : params.fail(name, 'is more than 2^53 - 1')
      }
      return [
        fork,
        { target: small('target'), max: small('max'), baseFeeUpdateFraction: small('baseFeeUpdateFraction') },
      ]
    }),
  )
}

function readBlock(block: Reader): FixtureBlock {
  const expectException = block.has('expectException') ? block.string('expectException') : undefined
  const header = block.has('blockHeader') ? block.object('blockHeader') : undefined
  if (header === undefined && expectException === undefined) block.fail('blockHeader', 'is missing')
  return {
    rlp: block.bytes('rlp'),
    expectException,
    hash: header?.hash('hash'),
    senders: block.has('transactions')
      ? block.list('transactions').map((tx) => (tx.has('sender') ? tx.address('sender') : undefined))
      : [],
    committed: block.has('transactionSequence') ? block.list('transactionSequence').length : undefined,
  }
}

/** Reads the fields of one object and knows where it stands. */
class Reader {
  readonly #object: Record_
  readonly #place: readonly string[]
  readonly #path: string

  constructor(value: unknown, place: readonly string[], path: string) {
    this.#place = place
    this.#path = path
    if (!isRecord(value)) this.fail('', `is ${told(value)}, not an object`)
    this.#object = value as Record_
  }

  /** True where the field is there; null does not count. */
  has(name: string): boolean {
    return Object.hasOwn(this.#object, name) && this.#object[name] !== null
  }

  names(): string[] {
    return Object.keys(this.#object)
  }

  fail(name: string, problem: string): never {
    const path = `${this.#path}${name === '' || this.#path === '' ? '' : '.'}${shown(name)}`
    throw new FixtureError(this.#place, path === '' ? problem : `${path} ${problem}`)
  }

  string(name: string): string {
    const value = this.#get(name)
    return typeof value === 'string' ? value : this.fail(name, `is ${told(value)}, not a string`)
  }

  object(name: string): Reader {
    return new Reader(this.#get(name), this.#place, this.#below(name))
  }

  list(name: string): Reader[] {
    const value = this.#get(name)
    if (!Array.isArray(value)) return this.fail(name, `is ${told(value)}, not a list`)
    return value.map((item, index) => new Reader(item, this.#place, `${this.#below(name)}[${index}]`))
  }

  integer(name: string, bits: keyof typeof LIMITS): bigint {
    return this.#quantity(name, this.#get(name), bits)
  }

  bytes(name: string): Uint8Array {
    const text = this.string(name)
    const bytes = bytesOf(text)
    return bytes ?? this.fail(name, `is not 0x and pairs of hex digits: ${shown(text)}`)
  }

  hash(name: string): Hex {
    return this.#fixed(name, this.string(name), 32)
  }

  address(name: string): Hex {
    return this.#fixed(name, this.string(name), 20)
  }

  alloc(name: string): Map<Hex, FixtureAccount> {
    const accounts = this.object(name)
    const alloc = new Map<Hex, FixtureAccount>()
    for (const key of accounts.names()) {
      const address = accounts.#fixed(key, key.startsWith('0x') ? key : `0x${key}`, 20)
      // Two spellings of one address are two keys of the JSON object.
      if (alloc.has(address)) accounts.fail(key, 'is given twice')
      alloc.set(address, accounts.object(key).#account())
    }
    return alloc
  }

  #account(): FixtureAccount {
    const slots = this.object('storage')
    const storage = new Map<bigint, bigint>()
    const seen = new Set<bigint>()
    for (const name of slots.names()) {
      const key = slots.#quantity(name, name, 256)
      if (seen.has(key)) slots.fail(name, 'is given twice')
      seen.add(key)
      const value = slots.integer(name, 256)
      if (value !== 0n) storage.set(key, value)
    }
    return {
      balance: this.integer('balance', 256),
      nonce: this.integer('nonce', 64),
      code: this.bytes('code'),
      storage,
    }
  }

  #get(name: string): unknown {
    return this.has(name) ? this.#object[name] : this.fail(name, 'is missing')
  }

  #below(name: string): string {
    return this.#path === '' ? shown(name) : `${this.#path}.${shown(name)}`
  }

  #quantity(name: string, value: unknown, bits: keyof typeof LIMITS): bigint {
    if (typeof value !== 'string' || !/^0x[0-9a-fA-F]+$/.test(value)) {
      return this.fail(name, `is ${told(value)}, not a hex number`)
    }
    // The length is checked before the digits are read: a number of a million digits costs nothing.
    const number = value.length <= 2 + 64 ? BigInt(value) : LIMITS[256]
    return number < LIMITS[bits] ? number : this.fail(name, `does not fit in ${bits} bits: ${shown(value)}`)
  }

  #fixed(name: string, text: string, length: number): Hex {
    if (/^0x[0-9a-fA-F]*$/.test(text) && text.length === 2 + 2 * length) return text.toLowerCase() as Hex
    return this.fail(name, `is not ${length} bytes in hex: ${shown(text)}`)
  }
}

/** A value of the input, named for a message. */
function told(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  return typeof value === 'string' ? `'${shown(value)}'` : shown(String(value))
}

function bytesOf(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !text.startsWith('0x')) return undefined
  const bytes = Buffer.from(text.slice(2), 'hex')
  // Buffer stops at the first pair that is not hex.
  return bytes.length === text.length / 2 - 1 ? new Uint8Array(bytes) : undefined
}

const isRecord = (value: unknown): value is Record_ =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
