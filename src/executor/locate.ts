/** Finds the location that a trace names, in any state. */
import { type Kind, Kind as Kinds, locationOf, RECORD_SHIFT } from '../core/location.ts'
import { FULL, type LocationTable } from '../core/table.ts'
import { StateFull } from './faults.ts'

/** A location by name: a kind, and an address, an address and a slot, or a length and a key, in words. */
export interface LocationName {
  /** A `Kind`. */
  readonly kind: number
  readonly words: Int32Array
}

/**
 * The balance that fees go to, in an open state.
 *
 * @throws StateFull where there is no room for the account: the state grows, and the run begins again
 */
export const feeLocation = (table: LocationTable, recipient: Int32Array): number => {
  const account = table.account(recipient, 0)
  if (account === FULL) throw new StateFull('the state has no room for the fee recipient')
  return locationOf(account, Kinds.Balance)
}

/** The location in an open state, interned if need be; 0 where there is no room for it. */
export const locate = (table: LocationTable, { kind, words }: LocationName): number => {
  if (kind === Kinds.Bytes) {
    const record = table.bytes(words, 1, words[0])
    return record === FULL ? 0 : locationOf(record, Kinds.Bytes)
  }
  const account = table.account(words, 0)
  if (account === FULL || kind !== Kinds.Slot) return account === FULL ? 0 : locationOf(account, kind as Kind)
  const slot = table.slot(account >> RECORD_SHIFT, words, 5)
  return slot === FULL ? 0 : locationOf(slot, Kinds.Slot)
}
