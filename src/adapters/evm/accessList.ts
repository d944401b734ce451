/**
 * Block access lists (EIP-7928): every account and slot that a block reads, and what each of its places changes there.
 *
 * Owns the list's shape, its order, its encoding and its size. Does not own where reads and changes come from: the
 * executor hands over the difference of each place, and what each loaded.
 *
 * Source: EIP-7928. A place has the number that the EIP gives it: 0 before the transactions, 1 to n, n + 1 after them.
 */

import { RLP } from '@ethereumjs/rlp'
import type { Hex, StateDiff } from '../../core/diff.ts'
import { readHex } from '../../core/hex.ts'

/** A value after the place that changed it. */
export interface StorageChange {
  /** The place: 0 before the transactions, 1 to n, n + 1 after them. */
  readonly blockAccessIndex: number
  /** 32 bytes. */
  readonly postValue: Hex
}

/** What became of one account. Lists are in ascending order; names are those of the execution API. */
export interface AccountAccess {
  /** 20 bytes, lower case. */
  readonly address: Hex
  /** Slots that changed: 32-byte key, and the value after each place that changed it. */
  readonly storageChanges: readonly { readonly slot: Hex; readonly slotChanges: readonly StorageChange[] }[]
  /** Slots that were read, or written without a change, and changed nowhere in the block. */
  readonly storageReads: readonly Hex[]
  /** In wei, after the place. */
  readonly balanceChanges: readonly { readonly blockAccessIndex: number; readonly postBalance: bigint }[]
  /** After the place. */
  readonly nonceChanges: readonly { readonly blockAccessIndex: number; readonly postNonce: bigint }[]
  /** Empty where a delegation was taken back. */
  readonly codeChanges: readonly { readonly blockAccessIndex: number; readonly newCode: Uint8Array }[]
}

/** Accounts in the order of their addresses. */
export type BlockAccessList = readonly AccountAccess[]

/** An account that a place loaded, and slots of it. */
export interface LoadedAccount {
  readonly address: Hex
  readonly slots: readonly Hex[]
}

/** What one place did. */
export interface PlaceAccesses {
  readonly place: number
  /** What it changed, given what the places before it did. */
  readonly stateDiff: StateDiff
  readonly loaded: readonly LoadedAccount[]
}

/** Gas that an entry of the list stands for: so many fit into a block's gas limit. */
const GAS_PER_ITEM = 2_000n

interface Draft {
  readonly slots: Map<Hex, StorageChange[]>
  readonly balances: { blockAccessIndex: number; postBalance: bigint }[]
  readonly nonces: { blockAccessIndex: number; postNonce: bigint }[]
  readonly codes: { blockAccessIndex: number; newCode: Uint8Array }[]
}

/**
 * Makes the list of a block.
 *
 * @param places - in order; those without work may be left out
 */
export function makeAccessList(places: readonly PlaceAccesses[]): BlockAccessList {
  const drafts = new Map<Hex, Draft>()
  const draftOf = (address: Hex): Draft => {
    const draft = drafts.get(address) ?? { slots: new Map(), balances: [], nonces: [], codes: [] }
    drafts.set(address, draft)
    return draft
  }
  for (const { place, stateDiff, loaded } of places) {
    for (const { address, slots } of loaded) {
      const draft = draftOf(address)
      for (const slot of slots) if (!draft.slots.has(slot)) draft.slots.set(slot, [])
    }
    addChanges(place, stateDiff, draftOf)
  }
  return sorted(drafts).map(([address, { slots, balances, nonces, codes }]) => {
    const ordered = sorted(slots)
    return {
      address,
      storageChanges: ordered
        .filter(([, changes]) => changes.length > 0)
        .map(([slot, slotChanges]) => ({ slot, slotChanges })),
      storageReads: ordered.filter(([, changes]) => changes.length === 0).map(([slot]) => slot),
      balanceChanges: balances,
      nonceChanges: nonces,
      codeChanges: codes,
    }
  })
}

function addChanges(blockAccessIndex: number, diff: StateDiff, draftOf: (address: Hex) => Draft): void {
  for (const { address, balance, nonce, codeHash, storage } of diff.accounts) {
    const draft = draftOf(address)
    if (balance !== undefined) draft.balances.push({ blockAccessIndex, postBalance: balance })
    if (nonce !== undefined) draft.nonces.push({ blockAccessIndex, postNonce: nonce })
    if (codeHash !== undefined) {
      draft.codes.push({ blockAccessIndex, newCode: diff.codes.get(codeHash) ?? new Uint8Array(0) })
    }
    for (const [slot, postValue] of storage) {
      const changes = draft.slots.get(slot) ?? []
      changes.push({ blockAccessIndex, postValue })
      draft.slots.set(slot, changes)
    }
  }
}

function sorted<Value>(map: ReadonlyMap<Hex, Value>): [Hex, Value][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1))
}

/**
 * Encodes a list as the header's hash commits to it.
 *
 * @returns RLP of the accounts: address, storage changes, storage reads, changes of balance, nonce and code; numbers,
 *   slots and their values without leading zeros
 */
export function encodeAccessList(list: BlockAccessList): Uint8Array {
  return RLP.encode(
    list.map((account) => [
      readHex(account.address, 20, 'address'),
      account.storageChanges.map(({ slot, slotChanges }) => [
        BigInt(slot),
        slotChanges.map(({ blockAccessIndex, postValue }) => [blockAccessIndex, BigInt(postValue)]),
      ]),
      account.storageReads.map(BigInt),
      account.balanceChanges.map(({ blockAccessIndex, postBalance }) => [blockAccessIndex, postBalance]),
      account.nonceChanges.map(({ blockAccessIndex, postNonce }) => [blockAccessIndex, postNonce]),
      account.codeChanges.map(({ blockAccessIndex, newCode }) => [blockAccessIndex, newCode]),
    ]),
  )
}

/** How many accounts and slots a list names. */
export function accessListItems(list: BlockAccessList): number {
  return list.reduce(
    (sum, { storageChanges, storageReads }) => sum + 1 + storageChanges.length + storageReads.length,
    0,
  )
}

/** The most items that a block with this gas limit may have. */
export const mostAccessListItems = (gasLimit: bigint): bigint => gasLimit / GAS_PER_ITEM
