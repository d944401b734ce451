/**
 * The ends of a block: what happens before its first transaction and after its last one, as operations and as words.
 *
 * Owns which operations a block has, their order, and what it means where one fails. Does not own how they run: any EVM
 * adapter takes the words as the work of places 0 and n + 1 (numbered as in EIP-7928), and answers with statuses and
 * return data.
 *
 * Source: EIP-4788, EIP-2935 (prologue); EIP-4895, EIP-7002, EIP-7251, EIP-7685, block rewards (epilogue); EIP-779.
 *
 * Words of an end: how many operations, then each, its kind first (rust/evm-core/src/ends.rs reads the same):
 *   0 call:   target 5, bytes of data, data padded to a word
 *   1 credit: address 5, amount 8
 *   2 drain:  from 5, to 5
 * Words of the answer: for each operation its status (`EndStatus`), bytes returned, and those padded to a word.
 */

import { InvalidInputError } from '../../core/errors.ts'
import { hexOf, readHex } from '../../core/hex.ts'
import { fromBigInt } from '../../core/words.ts'
import type { DecodedBlock } from './block.ts'
import type { ResolvedChain } from './chain.ts'
import { daoTransfers } from './dao.ts'
import { SPEC_CANCUN, SPEC_PARIS, SPEC_PRAGUE, SPEC_SHANGHAI } from './forks.ts'
import type { Reward } from './rewards.ts'

/** One step of an end. */
export type EndOperation =
  /** A call by the system, with 30,000,000 gas that nobody pays for; without code at the target nothing happens. */
  | { readonly kind: 'call'; readonly system: SystemContract; readonly data: Uint8Array }
  /** Adds to a balance and touches the account, be it by nothing. Amount in wei. */
  | { readonly kind: 'credit'; readonly address: Uint8Array; readonly amount: bigint }
  /** Moves all of a balance; both accounts exist afterwards. */
  | { readonly kind: 'drain'; readonly from: Uint8Array; readonly to: Uint8Array }

/** The work of both ends, in order; an end without any is empty and costs nothing. */
export interface BlockEnds {
  readonly prologue: readonly EndOperation[]
  readonly epilogue: readonly EndOperation[]
}

/** A contract that the protocol calls. */
export interface SystemContract {
  readonly name: string
  readonly eip: number
  /** 20 bytes. */
  readonly address: Uint8Array
  /** Type of the request (EIP-7685) that its return data is; a block where such a call fails is not valid. */
  readonly requestType?: number
}

const contract = (name: string, eip: number, address: string, requestType?: number): SystemContract => ({
  name,
  eip,
  address: readHex(address, 20, name),
  ...(requestType === undefined ? {} : { requestType }),
})

/** The contracts of the protocol, by what they are for. */
export const SYSTEM_CONTRACTS = {
  beaconRoots: contract('beacon roots', 4788, '0x000f3df6d732807ef1319fb7b8bb8522d0beac02'),
  blockHashes: contract('history storage', 2935, '0x0000f90827f1c53a10cb7a02335b175320002935'),
  withdrawalRequests: contract('withdrawal requests', 7002, '0x00000961ef480eb55e80d19ad83579a64c007002', 1),
  consolidationRequests: contract('consolidation requests', 7251, '0x0000bbddc7ce488642fb579f8b00f3a590007251', 2),
} as const

/** How an operation ended. */
const EndStatus = { Revert: 0, Success: 1, Halt: 2, NoCode: 3 } as const

const WEI_PER_GWEI = 10n ** 9n
const NOTHING = new Uint8Array(0)

const Code = { Call: 0, Credit: 1, Drain: 2 } as const

/**
 * The operations of a block's ends.
 *
 * @param rewards - what the block and its uncles earn; before the merge only
 * @throws {InvalidInputError} UNDECODABLE_BLOCK where a field is missing that the fork's rules need
 */
export function endsOf(block: DecodedBlock, chain: ResolvedChain, rewards: readonly Reward[] = []): BlockEnds {
  const { header } = block
  // A genesis block has no ends: its state is given.
  if (header.number === 0n) return { prologue: [], epilogue: [] }
  const prologue: EndOperation[] = []
  const epilogue: EndOperation[] = []
  const call = (system: SystemContract, data: Uint8Array): EndOperation => ({ kind: 'call', system, data })
  for (const { from, to } of daoTransfers(header.number, chain)) prologue.push({ kind: 'drain', from, to })
  if (chain.spec >= SPEC_CANCUN) {
    const root = header.parentBeaconBlockRoot ?? missing('header', 'parentBeaconBlockRoot', chain)
    prologue.push(call(SYSTEM_CONTRACTS.beaconRoots, root))
  }
  if (chain.spec >= SPEC_PRAGUE) {
    prologue.push(call(SYSTEM_CONTRACTS.blockHashes, header.parentHash ?? missing('header', 'parentHash', chain)))
  }
  if (chain.spec < SPEC_PARIS) {
    for (const { address, amount } of rewards) epilogue.push({ kind: 'credit', address, amount })
  }
  if (chain.spec >= SPEC_SHANGHAI) {
    for (const { address, amount } of block.withdrawals ?? missing('block', 'withdrawals', chain)) {
      epilogue.push({ kind: 'credit', address, amount: amount * WEI_PER_GWEI })
    }
  }
  if (chain.spec >= SPEC_PRAGUE) {
    epilogue.push(call(SYSTEM_CONTRACTS.withdrawalRequests, NOTHING))
    epilogue.push(call(SYSTEM_CONTRACTS.consolidationRequests, NOTHING))
  }
  return { prologue, epilogue }
}

function missing(where: string, field: string, { fork }: ResolvedChain): never {
  throw new InvalidInputError('UNDECODABLE_BLOCK', `a ${fork} block needs ${field} in its ${where}`, { where, field })
}

/** An end as words; none where there is nothing to do. */
export function encodeEnd(operations: readonly EndOperation[]): Int32Array {
  if (operations.length === 0) return new Int32Array(0)
  const words = new Int32Array(operations.reduce((sum, operation) => sum + wordsOf(operation), 1))
  const bytes = new Uint8Array(words.buffer)
  let at = 0
  words[at++] = operations.length
  for (const operation of operations) {
    if (operation.kind === 'call') {
      words[at] = Code.Call
      bytes.set(operation.system.address, 4 * (at + 1))
      words[at + 6] = operation.data.length
      bytes.set(operation.data, 4 * (at + 7))
    } else if (operation.kind === 'credit') {
      words[at] = Code.Credit
      bytes.set(operation.address, 4 * (at + 1))
      fromBigInt(operation.amount, words, at + 6)
    } else {
      words[at] = Code.Drain
      bytes.set(operation.from, 4 * (at + 1))
      bytes.set(operation.to, 4 * (at + 6))
    }
    at += wordsOf(operation)
  }
  return words
}

function wordsOf(operation: EndOperation): number {
  if (operation.kind === 'call') return 7 + ((operation.data.length + 3) >> 2)
  return operation.kind === 'credit' ? 14 : 11
}

/**
 * The data of the requests (EIP-7685) that the calls of an end returned, for `requestsOf` of requests.ts.
 *
 * @param answer - words of the answer at `at`, as described above
 * @param tolerant - a contract without code has no requests, and the block may be valid: as @ethereumjs/vm has it
 * @returns by type; nothing at a type for which nothing was called
 * @throws {InvalidInputError} SYSTEM_CALL_FAILED where a call failed, or found no code, whose return data the block
 *   needs (EIP-7002, EIP-7251)
 */
export function requestDataOf(
  operations: readonly EndOperation[],
  answer: Int32Array,
  at: number,
  tolerant = false,
): Uint8Array[] {
  const data: Uint8Array[] = []
  let next = at
  for (const operation of operations) {
    const status = answer[next]
    const length = answer[next + 1]
    const words = (length + 3) >> 2
    if (operation.kind === 'call' && operation.system.requestType !== undefined) {
      const isFine = status === EndStatus.Success || (tolerant && status === EndStatus.NoCode)
      if (!isFine) refuse(operation.system, status)
      data[operation.system.requestType] = new Uint8Array(answer.slice(next + 2, next + 2 + words).buffer, 0, length)
    }
    next += 2 + words
  }
  return data
}

function refuse({ name, eip, address }: SystemContract, status: number | undefined): never {
  const reason =
    status === EndStatus.NoCode ? 'it has no code' : status === EndStatus.Revert ? 'it reverted' : 'it ran into a halt'
  throw new InvalidInputError(
    'SYSTEM_CALL_FAILED',
    `the block is not valid: the contract of ${name} (EIP-${eip}) at ${hexOf(address)} was called, and ${reason}`,
    { address: hexOf(address), eip, reason },
  )
}
