/**
 * Fees of rollups (adapters/evm/feeOptions.ts), which @ethereumjs/vm does not know: paid around its `runTx`.
 *
 * The fee for data is taken before, so that its checks see what is left; vaults are paid when everything else is done.
 * A payment observes nothing, so that payments of one block to one vault commute.
 */
import type { RunTxResult } from '@ethereumjs/vm'
import type { ResolvedFees } from '../evm/feeOptions.ts'
import type { Held } from './held.ts'
import type { Packages } from './packages.ts'
import type { LocationStateManager } from './stateManager.ts'

const equal = (a: Uint8Array, b: Uint8Array): boolean => a.every((byte, k) => byte === b[k])

/** What the transaction at a place, from 1 on, pays for its data. */
export const dataFeeAt = ({ dataFee }: ResolvedFees, place: number): bigint => dataFee?.amounts[place - 1] ?? 0n

/**
 * Takes a fee from the sender.
 *
 * @param most - the most that the transaction may cost besides, value included
 * @throws {Error} where the sender cannot pay both
 */
export const takeDataFee = (state: LocationStateManager, sender: Held, fee: bigint, most: bigint): void => {
  const wanted = most + fee
  if (sender.balance >= wanted) sender.bound = wanted
  else {
    state.observeBalance(sender)
    if (fee > 0n) {
      throw new Error(`lack of funds (${sender.balance}) for max fee and a data fee of ${fee} (${wanted})`)
    }
  }
  sender.balance -= fee
}

/**
 * Pays the vaults for a transaction that ran, and adds the base fee to what the fee recipient earns where it gets that.
 *
 * @param baseFee - wei a unit of gas; 0 before London
 * @param dataFee - what the sender was charged
 */
export const payVaults = async (
  { util }: Packages,
  state: LocationStateManager,
  fees: ResolvedFees,
  result: RunTxResult,
  baseFee: bigint,
  dataFee: bigint,
): Promise<void> => {
  const pay = async (vault: Uint8Array, amount: bigint): Promise<void> => {
    if (amount === 0n) return
    const held = await state.holdWarm(new util.Address(vault))
    // One that destroys itself is deleted after it was paid.
    if (!held.destroyed) state.credit(held, amount)
  }
  const { baseFeeRecipient } = fees
  if (baseFeeRecipient !== undefined) {
    const amount = baseFee * result.totalGasSpent
    if (equal(baseFeeRecipient, fees.priorityFeeRecipient)) result.minerValue += amount
    else await pay(baseFeeRecipient, amount)
  }
  if (fees.dataFee !== undefined) await pay(fees.dataFee.recipient, dataFee)
}
