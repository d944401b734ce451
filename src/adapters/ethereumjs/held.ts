/**
 * One account as a transaction holds it: what it found at the start, what it asserts of that, and what it made of it.
 *
 * A balance is a guess until something observes it; credits and covered debits need no more than the guess and a lower
 * bound. @ethereumjs/evm reads balances through `Account`, so what is handed out is an `Account` whose getters tell.
 */
import type { Account, Address } from '@ethereumjs/util'
import type { Packages } from './packages.ts'

/** A slot: what was found, what SSTORE's gas counts from, and what stands there now. As numbers below 2^256. */
export interface HeldSlot {
  /**
   * Location, and the value found below this place; a slot of an account that was cleared in this place begins at 0.
   */
  readonly record: number
  readonly start: bigint
  original: bigint
  current: bigint
}

export interface Held {
  readonly address: Uint8Array
  /** Offset of the account's record; its id is part of the keys of its slots. */
  readonly record: number
  /** What `TaskMemory.read` said of the account's life. */
  readonly life: number
  readonly existed: boolean
  /** Storage generation found (core/location.ts). */
  readonly generation: number
  /** The base state has storage of an account that has no code (EIP-7610). */
  readonly stored: boolean
  readonly startCodeHash: Uint8Array
  /** Bytes of the code found among this block's writes, where it is one of them: offset and length; else 0. */
  readonly blockCode: readonly [offset: number, bytes: number]
  /** A nonce or balance found: a guess until observed, or exact by nature. */
  readonly startNonce: bigint
  readonly startBalance: bigint
  readonly balanceIsExact: boolean
  nonceObserved: boolean
  /** The nonce need only not be zero. */
  nonceNotZero: boolean
  balanceObserved: boolean
  /** Least balance at the start with which everything here would have gone the same way. */
  bound: bigint

  nonce: bigint
  balance: bigint
  /** The balance no longer depends on what it was at the start: the account was deleted. */
  balanceIsSet: boolean
  codeHash: Uint8Array
  /** Code written here. */
  code: Uint8Array | undefined
  exists: boolean
  /** Storage was emptied here: at a creation or a destruction. */
  cleared: boolean
  destroyed: boolean
  slots: Map<string, HeldSlot>
}

/** What an account's view asks of its owner. */
export interface HeldOwner {
  /** The value of the balance matters from now on. Throws where it is not known exactly. */
  observeBalance(held: Held): void
}

/** An account handed to @ethereumjs/evm. */
export interface AccountView extends Account {
  readonly held: Held
  /** The balance is read by code that asserts what it needs in another way. */
  peeking: boolean
  /** Whether the balance covers `value`, by the guess and a bound, or exactly where it does not. */
  covers(value: bigint): boolean
  /** The balance without a note. */
  readonly plainBalance: bigint
  readonly plainNonce: bigint
  readonly plainCodeHash: Uint8Array
}

export type CreateView = (held: Held, peeking: boolean) => AccountView

/** Storage root of an account that has storage, as far as anybody asks. */
const SOME_ROOT = new Uint8Array(32).fill(1)

export const viewsOf = (
  { util }: Packages,
  owner: HeldOwner,
): { create: CreateView; isView: (a: unknown) => boolean } => {
  const { KECCAK256_NULL, KECCAK256_RLP, equalsBytes } = util

  class View extends util.Account {
    readonly held: Held
    peeking: boolean

    constructor(held: Held, peeking: boolean) {
      super(held.nonce, held.balance, held.stored ? SOME_ROOT : KECCAK256_RLP, held.codeHash)
      this.held = held
      this.peeking = peeking
    }

    get plainBalance(): bigint {
      return this._balance as bigint
    }

    get plainNonce(): bigint {
      return this._nonce as bigint
    }

    get plainCodeHash(): Uint8Array {
      return this._codeHash as Uint8Array
    }

    override get balance(): bigint {
      if (!this.peeking) owner.observeBalance(this.held)
      return this._balance as bigint
    }

    override set balance(value: bigint) {
      this._balance = value
    }

    override get nonce(): bigint {
      this.held.nonceObserved = true
      return this._nonce as bigint
    }

    override set nonce(value: bigint) {
      this._nonce = value
    }

    covers(value: bigint): boolean {
      const { held } = this
      const balance = this._balance as bigint
      if (balance < value) {
        owner.observeBalance(held)
        return false
      }
      if (!held.balanceIsSet) {
        const bound = value - (balance - held.startBalance)
        if (bound > held.bound) held.bound = bound
      }
      return true
    }

    /** EIP-161's emptiness, asserting no more than the answer needs. */
    override isEmpty(): boolean {
      const { held } = this
      if (!equalsBytes(this.plainCodeHash, KECCAK256_NULL)) return false
      if (this.plainNonce !== 0n) {
        if (held.startNonce !== 0n) held.nonceNotZero = true
        else held.nonceObserved = true
        return false
      }
      if (this.plainBalance > 0n) return !this.covers(1n)
      held.nonceObserved = true
      owner.observeBalance(held)
      return true
    }
  }

  return {
    create: (held, peeking) => new View(held, peeking),
    isView: (account) => account instanceof View,
  }
}

/** A key for maps; addresses are asked for at every turn. */
export const keyOf = (address: Address): string => address.toString()
