/**
 * What a block from Amsterdam on says besides: its access list, and its gas by the new count.
 *
 * Reads what the kernel left behind the result of each place. Main thread, after the run, while its words are there.
 */
import {
  accessListItems,
  type BlockAccessList,
  encodeAccessList,
  type LoadedAccount,
  makeAccessList,
  mostAccessListItems,
} from '../adapters/evm/accessList.ts'
import type { TransactionGas } from '../adapters/evm/blockGas.ts'
import type { EndOperation } from '../adapters/evm/ends.ts'
import { accessesAfterEnd, accessesAfterResult, decodeBlockGas, decodeLoaded } from '../adapters/revm/accesses.ts'
import type { PlaceDiff } from '../adapters/revm/placeDiffs.ts'
import type { Hex } from '../core/diff.ts'
import type { BlockMismatch } from '../core/errors.ts'
import { hexOf } from '../core/hex.ts'
import { Place } from '../core/layout.ts'
import type { Engine } from './engine.ts'
import type { PreparedBlock } from './prepare.ts'

/** Who calls the contracts of the protocol; the list names it only where it is an account like any other. */
const SYSTEM_ADDRESS: Hex = '0xfffffffffffffffffffffffffffffffffffffffe'

/** What a transaction of a finished run adds to its block's gas. */
export const blockGasOf = ({ words, placeTable }: Engine, txIndex: number): TransactionGas => {
  const at = words[placeTable + (txIndex + 1) * Place.Size + Place.Result]
  return decodeBlockGas(words, accessesAfterResult(words, at))
}

/**
 * The access list of a whole block that has run.
 *
 * @param placeDiffs - of all places that had work
 */
export const collectAccessList = (
  { words, placeTable }: Engine,
  { ends, plan, feeRecipient }: PreparedBlock,
  placeDiffs: readonly PlaceDiff[],
): BlockAccessList => {
  const payee = hexOf(feeRecipient)
  const loadedBy = (place: number): LoadedAccount[] => {
    const at = words[placeTable + place * Place.Size + Place.Result]
    if (place > 0 && place <= plan.places) {
      // Whoever earns a fee is looked at, though the fee be nothing.
      return [...decodeLoaded(words, accessesAfterResult(words, at)), { address: payee, slots: [] }]
    }
    const operations = place === 0 ? ends.prologue : ends.epilogue
    const loaded = decodeLoaded(words, accessesAfterEnd(words, at))
    return loaded.filter(({ address }) => address !== SYSTEM_ADDRESS || operations.some(paysSystem))
  }
  return makeAccessList(placeDiffs.map(({ place, stateDiff }) => ({ place, stateDiff, loaded: loadedBy(place) })))
}

const paysSystem = (operation: EndOperation): boolean =>
  operation.kind === 'credit' && hexOf(operation.address) === SYSTEM_ADDRESS

/** The hash that a header holds of a list, 32 bytes. */
export const accessListHash = (list: BlockAccessList, keccak256: (bytes: Uint8Array) => Uint8Array): Uint8Array =>
  keccak256(encodeAccessList(list))

/** A list longer than the block's gas limit allows (EIP-7928). */
export const checkAccessListSize = (list: BlockAccessList | undefined, gasLimit: bigint): BlockMismatch[] => {
  if (list === undefined) return []
  const [items, most] = [BigInt(accessListItems(list)), mostAccessListItems(gasLimit)]
  const reason = 'more accounts and slots than the gas limit allows'
  return items > most ? [{ field: 'blockAccessList', expected: `at most ${most}`, actual: items, reason }] : []
}
