/** Accounts as they are put into a state, read from it, and written in block files: the shapes alone. */
import type { Hex } from '../core/diff.ts'
import { badOption } from '../core/options.ts'

/** An address or a hash: raw bytes, or hex with a 0x prefix. */
export type BytesLike = Uint8Array | string
/** A quantity: a number, a bigint, or a hex string as JSON-RPC spells it. */
export type Quantity = bigint | number | string

/** An account as it is put into a state. */
export interface AccountInput {
  readonly balance?: Quantity
  readonly nonce?: Quantity
  /** The code itself, or its hash where the code is given apart (`putCode`). */
  readonly code?: BytesLike
  readonly codeHash?: BytesLike | null
  /** Keys and values as 32-byte words; shorter hex is padded on the left. */
  readonly storage?: Readonly<Record<string, Quantity>>
}

/** An account as it is read from a state. */
export interface AccountInfo {
  readonly balance: bigint
  readonly nonce: bigint
  /** Keccak-256 of the code, or undefined for an account without code. */
  readonly codeHash: Hex | undefined
}

/** An account as `accounts` walks over it. */
export interface AccountEntry extends AccountInfo {
  /** 20 bytes, lower case. */
  readonly address: Hex
  /** Slots that are not zero, 32-byte key and value; read from the state as it is walked, as often as wanted. */
  readonly storage: Iterable<readonly [key: Hex, value: Hex]>
}

/** The shape of the pre-state in a block file: snake case, codes by hash, block hashes by number. */
export interface StateFile {
  readonly pre: Readonly<
    Record<
      string,
      {
        readonly balance: string
        readonly nonce: string | number
        readonly code_hash?: string | null
        readonly storage?: Readonly<Record<string, string>>
      }
    >
  >
  readonly codes?: Readonly<Record<string, string>>
  readonly blockHashes?: Readonly<Record<string, string>>
}

/**
 * A quantity as a bigint; 0 where it is absent.
 *
 * @throws {InvalidInputError} INVALID_OPTION for what is no number of so many bits
 */
export const quantity = (value: Quantity | undefined, name: string, bits = 256n): bigint => {
  try {
    const number = BigInt(value ?? 0)
    if (number >= 0n && number < 1n << bits) return number
  } catch {
    // Falls through to the error, which names the field.
  }
  throw badOption(name, `${name} is not a number from 0 to 2^${bits} - 1: ${String(value)}`)
}
