/** Whether an account without code has storage all the same: a contract is not created over it (EIP-7610). */
import { AccountRecord, SlotRecord } from '../../core/location.ts'
import { isZero8 } from '../../core/words.ts'

/** Whether the base state has a slot of the account. Without code, no place of a block can have written one. */
export const hasStorage = (state: Int32Array, account: number): boolean => {
  for (let s = state[account + AccountRecord.FirstSlot]; s !== 0; s = state[s + SlotRecord.NextSlot]) {
    if (!isZero8(state, s + SlotRecord.Value)) return true
  }
  return false
}
