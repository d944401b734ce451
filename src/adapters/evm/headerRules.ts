/**
 * What a block must say of itself, given its parent and its body; everything that needs no execution.
 *
 * Both functions return every field that differs, so that a caller sees all of a bad block at once; an empty list means
 * that nothing is wrong. What execution gives (stateRoot, receiptsRoot, logsBloom, gasUsed, requestsHash,
 * blockAccessListHash) is compared by whoever executed; here only its presence and bounds count.
 *
 * Not here: seals of proof of work, and whether an uncle is a valid header and a recent relative. `coinbase`,
 * `prevRandao`, `parentBeaconBlockRoot` and `slotNumber` come from outside: any value goes.
 *
 * Source: yellow paper, 4.4.4; EIP-1559, EIP-3675 (the merge), EIP-4895, EIP-4844, EIP-4788, EIP-7685, EIP-7918,
 * EIP-7928, EIP-7934; EIP-779 (DAO fork).
 */

import type { BlockMismatch, MismatchValue } from '../../core/errors.ts'
import type { BlockHeader, DecodedBlock } from './block.ts'
import { FRONTIER_HEADER_FIELDS, HEADER_FIELDS } from './block.ts'
import { type BlockRules, type ChainInput, resolveRules } from './chain.ts'
import { nextDifficulty } from './difficulty.ts'
import { ELASTICITY, GAS_PER_BLOB, nextBaseFee, nextExcessBlobGas } from './fees.ts'
import { type ForkName, isSince } from './forks.ts'
import {
  EMPTY_OMMERS_HASH,
  encodeBlock,
  type HashFunction,
  hashHeader,
  type OrderedRoot,
  ommersHash,
  transactionsRoot,
  withdrawalsRoot,
} from './header.ts'
import { equalBytes } from './input.ts'

const MIN_GAS_LIMIT = 5000n
const MAX_GAS_LIMIT = (1n << 63n) - 1n

/** A gas limit differs from its parent's by less than this share of it. */
const GAS_LIMIT_DIVISOR = 1024n

const MOST_EXTRA_DATA = 32

/** What the headers of the DAO fork say, in ASCII, and for how many blocks (EIP-779). */
const DAO_EXTRA_DATA: Uint8Array = Uint8Array.from('dao-hard-fork', (letter) => letter.charCodeAt(0))
const DAO_BLOCKS = 10n

const MOST_UNCLES = 2

/** Bytes of a whole block, from Osaka on (EIP-7934): 10 MiB, less 2 MiB for the beacon block around it. */
export const MOST_OSAKA_BLOCK_BYTES: number = 8_388_608

/** The fields that came with a fork. */
const FIELD_FORKS: readonly (readonly [fork: ForkName, fields: readonly (keyof BlockHeader)[]])[] = [
  ['london', ['baseFeePerGas']],
  ['shanghai', ['withdrawalsRoot']],
  ['cancun', ['blobGasUsed', 'excessBlobGas', 'parentBeaconBlockRoot']],
  ['prague', ['requestsHash']],
  ['amsterdam', ['blockAccessListHash', 'slotNumber']],
]

/** What a header is checked with besides its parent. */
export interface HeaderCheckOptions {
  /** Sum of the difficulties of all blocks up to the parent: decides on a merge by total difficulty. */
  readonly parentTotalDifficulty?: bigint
  /** Hashes the parent's header; @noble/hashes' by default. */
  readonly keccak256?: HashFunction
}

/**
 * Checks a header against its parent's and against its fork's rules.
 *
 * @param header - the header; fields that are missing are mismatches
 * @param parent - the parent's header, complete and known to be valid
 * @param chain - as for `resolveRules`
 * @returns every field that differs, each at most once, in the order of RLP
 * @throws {Blockloom.InvalidInputError} where the chain is not one, no fork has begun, or the parent is not complete
 */
export function checkHeader(
  header: BlockHeader,
  parent: BlockHeader,
  chain: ChainInput,
  options: HeaderCheckOptions = {},
): BlockMismatch[] {
  const rules = resolveRules(chain, pointOf(header, options))
  const found = new Findings()
  found.compare('parentHash', hashHeader(parent, options.keccak256), header.parentHash)
  found.compare('number', parent.number + 1n, header.number)
  if (header.timestamp <= parent.timestamp) {
    found.add('timestamp', `more than ${parent.timestamp}`, header.timestamp, "not after the parent's")
  }
  checkGas(header, parent, rules.fork, found)
  checkExtraData(header, rules, found)
  checkSeal(header, parent, rules, found)
  if (isSince(rules.fork, 'london')) found.compare('baseFeePerGas', nextBaseFee(parent), header.baseFeePerGas)
  if (rules.blob !== undefined) {
    const reserve = isSince(rules.fork, 'osaka')
    found.compare('excessBlobGas', nextExcessBlobGas(parent, rules.blob, reserve), header.excessBlobGas)
    const most = BigInt(rules.blob.max) * GAS_PER_BLOB
    const { blobGasUsed = 0n } = header
    if (blobGasUsed > most) found.add('blobGasUsed', `at most ${most}`, blobGasUsed, `${rules.blob.max} blobs`)
    if (blobGasUsed % GAS_PER_BLOB !== 0n) found.add('blobGasUsed', `a multiple of ${GAS_PER_BLOB}`, blobGasUsed)
  }
  // Last, so that a field that is missing is named with the value it should have, where one is known.
  checkPresence(header, rules.fork, found)
  return found.inOrder()
}

/** What a body is checked with. */
export interface BodyCheckOptions extends HeaderCheckOptions {
  /** Root of the trie of transactions or withdrawals: `orderedRoot` of blockloom/wasm. */
  readonly orderedRoot: OrderedRoot
  /**
   * Bytes of the block's RLP, where they are known; a complete block is encoded to count them otherwise, from Osaka on.
   */
  readonly size?: number
}

/**
 * Checks that a block's header says what its body holds, and that the body is one for its fork.
 *
 * @param block - the block; where its uncles are not there, their hash cannot be checked and is not
 * @param chain - as for `resolveRules`
 * @returns every field that differs: of the header, or `uncles`, `withdrawals`, `size` of the body
 * @throws {Blockloom.InvalidInputError} where the chain is not one, no fork has begun, or an uncle is not complete
 */
export function checkBody(block: DecodedBlock, chain: ChainInput, options: BodyCheckOptions): BlockMismatch[] {
  const { header, transactions, uncles, withdrawals } = block
  const { fork, blob } = resolveRules(chain, pointOf(header, options))
  const { orderedRoot, keccak256 } = options
  const found = new Findings()
  found.compare('transactionsRoot', transactionsRoot(transactions, orderedRoot), header.transactionsRoot)
  if (uncles !== undefined) {
    found.compare('ommersHash', ommersHash(uncles, keccak256), header.ommersHash)
    const most = isSince(fork, 'paris') ? 0 : MOST_UNCLES
    if (uncles.length > most) found.add('uncles', most === 0 ? 'none' : `at most ${most}`, BigInt(uncles.length))
  }
  const wanted = isSince(fork, 'shanghai')
  if (wanted !== (withdrawals !== undefined)) {
    found.add('withdrawals', wanted ? 'a list' : undefined, wanted ? undefined : 'a list', `in a block of ${fork}`)
  } else if (withdrawals !== undefined) {
    found.compare('withdrawalsRoot', withdrawalsRoot(withdrawals, orderedRoot), header.withdrawalsRoot)
  }
  if (blob !== undefined) {
    const blobs = transactions.reduce((sum, tx) => sum + tx.blobVersionedHashes.length, 0)
    found.compare('blobGasUsed', BigInt(blobs) * GAS_PER_BLOB, header.blobGasUsed)
  }
  if (isSince(fork, 'osaka')) checkSize(block, fork, options.size, found)
  return found.inOrder()
}

/**
 * `checkHeader` and `checkBody` together: everything about a block that can be known before it is executed.
 *
 * @returns every field that differs, each once
 */
export function checkBlock(
  block: DecodedBlock,
  parent: BlockHeader,
  chain: ChainInput,
  options: BodyCheckOptions,
): BlockMismatch[] {
  const found = checkHeader(block.header, parent, chain, options)
  const names = new Set(found.map(({ field }) => field))
  return [...found, ...checkBody(block, chain, options).filter(({ field }) => !names.has(field))]
}

function pointOf(header: BlockHeader, { parentTotalDifficulty }: HeaderCheckOptions) {
  const { number, timestamp, difficulty } = header
  return { number, timestamp, difficulty, ...(parentTotalDifficulty === undefined ? {} : { parentTotalDifficulty }) }
}

/** Collects what differs; what is found first of a field stays. */
class Findings {
  readonly #byField = new Map<string, BlockMismatch>()

  add(field: string, expected: MismatchValue, actual: MismatchValue, reason?: string): void {
    if (this.#byField.has(field)) return
    this.#byField.set(field, { field, expected, actual, ...(reason === undefined ? {} : { reason }) })
  }

  compare(field: string, expected: bigint | Uint8Array, actual: bigint | Uint8Array | undefined): void {
    const same =
      expected instanceof Uint8Array
        ? actual instanceof Uint8Array && equalBytes(expected, actual)
        : expected === actual
    if (!same) this.add(field, expected, actual)
  }

  inOrder(): BlockMismatch[] {
    const order = HEADER_FIELDS as readonly string[]
    const rank = (field: string): number => (order.includes(field) ? order.indexOf(field) : order.length)
    return [...this.#byField.values()].sort((a, b) => rank(a.field) - rank(b.field))
  }
}

function checkPresence(header: BlockHeader, fork: ForkName, found: Findings): void {
  for (const field of HEADER_FIELDS.slice(0, FRONTIER_HEADER_FIELDS)) {
    if (header[field] === undefined) found.add(field, 'present', undefined)
  }
  for (const [since, fields] of FIELD_FORKS) {
    const wanted = isSince(fork, since)
    for (const field of fields) {
      if (wanted === (header[field] !== undefined)) continue
      if (wanted) found.add(field, 'present', undefined, `every block has it from ${since} on`)
      else found.add(field, undefined, header[field], `no block has it before ${since}, this one is of ${fork}`)
    }
  }
}

function checkGas(header: BlockHeader, parent: BlockHeader, fork: ForkName, found: Findings): void {
  const { gasLimit, gasUsed = 0n } = header
  // The first London block has a limit of twice its target, which is the size that blocks had before (EIP-1559).
  const grows = isSince(fork, 'london') && parent.baseFeePerGas === undefined
  const before = grows ? parent.gasLimit * ELASTICITY : parent.gasLimit
  const bound = before / GAS_LIMIT_DIVISOR
  const low = before - bound + 1n > MIN_GAS_LIMIT ? before - bound + 1n : MIN_GAS_LIMIT
  const high = before + bound - 1n < MAX_GAS_LIMIT ? before + bound - 1n : MAX_GAS_LIMIT
  if (gasLimit < low || gasLimit > high) {
    found.add('gasLimit', `${low} to ${high}`, gasLimit, `the parent's is ${parent.gasLimit}`)
  }
  if (gasUsed > gasLimit) found.add('gasUsed', `at most ${gasLimit}`, gasUsed, 'more than the gas limit')
}

function checkExtraData({ number, extraData }: BlockHeader, { dao }: BlockRules, found: Findings): void {
  if (extraData === undefined) return
  if (extraData.length > MOST_EXTRA_DATA) {
    found.add('extraData', `at most ${MOST_EXTRA_DATA} bytes`, extraData, `it has ${extraData.length} bytes`)
  }
  if (dao === undefined || number < dao.block || number >= dao.block + DAO_BLOCKS) return
  const says = equalBytes(extraData, DAO_EXTRA_DATA)
  if (dao.support && !says) found.add('extraData', DAO_EXTRA_DATA, extraData, 'the first blocks of the DAO fork')
  if (!dao.support && says) found.add('extraData', 'anything else', extraData, 'the chain refused the DAO fork')
}

/** Difficulty, and after the merge the other fields that proof of work has left behind (EIP-3675). */
function checkSeal(header: BlockHeader, parent: BlockHeader, rules: BlockRules, found: Findings): void {
  found.compare('difficulty', nextDifficulty(header, parent, rules), header.difficulty)
  if (!isSince(rules.fork, 'paris')) return
  found.compare('nonce', new Uint8Array(8), header.nonce)
  found.compare('ommersHash', EMPTY_OMMERS_HASH, header.ommersHash)
}

/** Whether the block can be encoded: JSON may leave out what is not needed to run it. */
function isComplete({ header, uncles }: DecodedBlock, fork: ForkName): boolean {
  const absent = new Findings()
  checkPresence(header, fork, absent)
  return uncles !== undefined && absent.inOrder().length === 0
}

function checkSize(block: DecodedBlock, fork: ForkName, given: number | undefined, found: Findings): void {
  const size = given ?? (isComplete(block, fork) ? encodeBlock(block).length : undefined)
  if (size !== undefined && size > MOST_OSAKA_BLOCK_BYTES) {
    found.add('size', `at most ${MOST_OSAKA_BLOCK_BYTES}`, BigInt(size), 'bytes of the whole block (EIP-7934)')
  }
}
