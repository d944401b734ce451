/**
 * Requests of the execution layer to the beacon chain: deposits read from logs, and the hash of all requests.
 *
 * Withdrawal and consolidation requests (types 1 and 2) are what their system calls return; only deposits need reading.
 *
 * Source: EIP-6110 (deposits), EIP-7685 (requests and their hash), EIP-7002 and EIP-7251 (the other types).
 */

import { sha256 } from '@noble/hashes/sha2.js'
import { blockMismatch } from '../../core/errors.ts'
import { equalBytes, hexToBytes } from './input.ts'
import type { Log } from './receipt.ts'

/** Type bytes of requests, in the order in which a block has them. */
export const RequestType = { deposit: 0, withdrawal: 1, consolidation: 2 } as const

/** Keccak-256 of `DepositEvent(bytes,bytes,bytes,bytes,bytes)`. */
const DEPOSIT_TOPIC: Uint8Array = hexOrThrow('0x649bbc62d0e31342afea4e5cd82d4049e7e1ee912fc0889aa790803be39038c5')

/** A word of the ABI, in bytes. */
const WORD = 32

/** Bytes of an event's data: five offsets, and five byte strings with a length before each. */
const EVENT_BYTES = 576

/** The byte strings of an event: the offset at which each begins and how many bytes it has. */
const EVENT_FIELDS = [
  { name: 'pubkey', offset: 160, length: 48 },
  { name: 'withdrawalCredentials', offset: 256, length: 32 },
  { name: 'amount', offset: 320, length: 8 },
  { name: 'signature', offset: 384, length: 96 },
  { name: 'index', offset: 512, length: 8 },
] as const

/** Bytes of one deposit in the request: those of the five fields. */
export const DEPOSIT_BYTES: number = 192

/**
 * Reads the deposits out of a block's logs.
 *
 * @param logs - of all receipts, in order
 * @param depositContract - 20 bytes; events of other contracts, and other events of this one, do not count
 * @param number - of the block, for the error
 * @returns the deposits one after another, 192 bytes each, without type byte; empty where there are none
 * @throws {Blockloom.BlockMismatchError} where an event has another layout than EIP-6110 says: the block is not valid
 */
export function depositRequests(logs: Iterable<Log>, depositContract: Uint8Array, number?: bigint): Uint8Array {
  const events: Uint8Array[] = []
  for (const [address, topics, data] of logs) {
    if (topics.length === 0 || !equalBytes(topics[0], DEPOSIT_TOPIC) || !equalBytes(address, depositContract)) continue
    const problem = layoutProblem(data)
    if (problem !== undefined) {
      const reason = `deposit event ${events.length} ${problem}`
      throw blockMismatch(number, [{ field: 'requests', expected: 'the layout of EIP-6110', actual: data, reason }])
    }
    events.push(data)
  }
  const deposits = new Uint8Array(events.length * DEPOSIT_BYTES)
  let at = 0
  for (const data of events) {
    for (const { offset, length } of EVENT_FIELDS) {
      deposits.set(data.subarray(offset + WORD, offset + WORD + length), at)
      at += length
    }
  }
  return deposits
}

/** What is wrong with an event's data; undefined where nothing is. */
function layoutProblem(data: Uint8Array): string | undefined {
  if (data.length !== EVENT_BYTES) return `has ${data.length} bytes, not ${EVENT_BYTES}`
  for (const [index, { name, offset, length }] of EVENT_FIELDS.entries()) {
    if (!isWord(data, index * WORD, offset)) return `does not have its ${name} at byte ${offset}`
    if (!isWord(data, offset, length)) return `has a ${name} that is not of ${length} bytes`
  }
  return undefined
}

/** True where the word at `at` is the number `value`, which is below 2^16. */
function isWord(data: Uint8Array, at: number, value: number): boolean {
  for (let index = at; index < at + WORD - 2; index++) if (data[index] !== 0) return false
  return data[at + WORD - 2] * 256 + data[at + WORD - 1] === value
}

/**
 * The requests of a block: those of each type with their type byte before them, types without any left out.
 *
 * @param byType - data of the requests of type 0, 1, 2 ...; empty bytes where there are none
 * @returns what `requestsHash` takes, in ascending order of types
 */
export function requestsOf(byType: readonly Uint8Array[]): Uint8Array[] {
  return byType.flatMap((data, type) => {
    if (data.length === 0) return []
    const request = new Uint8Array(1 + data.length)
    request[0] = type
    request.set(data, 1)
    return [request]
  })
}

/**
 * The hash that a header holds of its requests, from Prague on: SHA-256 of the SHA-256 of each.
 *
 * @param requests - type byte and data each, in ascending order of types; those without data do not count
 * @returns 32 bytes
 */
export function requestsHash(requests: readonly Uint8Array[]): Uint8Array {
  const hash = sha256.create()
  for (const request of requests) if (request.length > 1) hash.update(sha256(request))
  return hash.digest()
}

function hexOrThrow(hex: string): Uint8Array {
  const bytes = hexToBytes(hex)
  if (bytes === undefined) throw new TypeError(`not hex: ${hex}`)
  return bytes
}
