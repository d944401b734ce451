/** What a block needs of its state whatever it does: asked for before the run, and all at once. */
import type { MemoryState } from '../state/memoryState.ts'
import type { PreparedBlock } from './prepare.ts'

/** Asks a state whose values come later for them. */
export const prefetchBlock = (state: MemoryState, prepared: PreparedBlock): Promise<void> =>
  state.prefetch(touchedBy(prepared), listedSlots(prepared))

/** Accounts that the block's header and transactions name. */
const touchedBy = function* ({ block, senders }: PreparedBlock): Generator<Uint8Array> {
  yield block.header.coinbase
  yield* senders
  for (const { to, accessList } of block.transactions) {
    if (to !== undefined) yield to
    for (const { address } of accessList) yield address
  }
}

/** Slots that the block's transactions have in their access lists. */
const listedSlots = function* ({ block }: PreparedBlock): Generator<readonly [Uint8Array, Uint8Array]> {
  for (const { accessList } of block.transactions) {
    for (const { address, storageKeys } of accessList) for (const key of storageKeys) yield [address, key]
  }
}
