/**
 * Rules by which a transaction may stand in its block, and who checks them.
 *
 * | rule | source | checked by |
 * |---|---|---|
 * | form, width of integers, `to` of types 3 and 4 | EIP-4844, 7702 | decoding (transaction.ts) |
 * | `s` at most half the order, from Homestead on; signature recovers | EIP-2 | executor, before a worker starts |
 * | type is one of the fork's | EIP-2930, 1559, 4844, 7702 | kernel (revm `validate_tx_env`) |
 * | chain id is the chain's, where there is one | EIP-155 | kernel |
 * | chain id in a legacy signature only from Spurious Dragon on | EIP-155 | **here** |
 * | gas limit at most 2^24 from Osaka on | EIP-7825 | kernel (`tx_gas_limit_cap`) |
 * | gas limit at most the block's | yellow paper, 6.2 | kernel |
 * | gas limit at most what the block has left | yellow paper, 6.2 | **here**; executor, with final gas |
 * | gas limit covers intrinsic gas, and the floor from Prague on | EIP-2, 2028, 2930, 3860, 7623 | kernel |
 * | max fee at least the base fee, priority fee at most the max fee | EIP-1559 | kernel |
 * | init code at most 49,152 bytes, from Shanghai on | EIP-3860 | kernel |
 * | nonce below 2^64 - 1 | EIP-2681 | kernel |
 * | nonce is the sender's | yellow paper, 6.2 | kernel; a predicate where it runs in parallel |
 * | sender has no code, but for a delegation | EIP-3607, 7702 | kernel |
 * | sender can pay | EIP-1559, 4844 | kernel |
 * | 1 to 6 blobs a transaction from Osaka on, 1 to the block's most before | EIP-4844, 7594 | kernel |
 * | blob hashes have version 1; max blob fee at least the price | EIP-4844 | kernel |
 * | blobs of all transactions at most the block's | EIP-4844, 7840 | **here**; headerRules.ts, by the header's sum |
 * | authorisation list is not empty | EIP-7702 | kernel |
 *
 * The functions here look at a block before it runs, so that a bad one costs nothing.
 */

import type { BlockRules } from './chain.ts'
import { isSince } from './forks.ts'
import type { BlockTransaction } from './transaction.ts'

/** A transaction that may not stand at its place. */
export interface TransactionProblem {
  readonly txIndex: number
  /** The field of the transaction that breaks the rule. */
  readonly field: keyof BlockTransaction
  /** What is wrong, to be read after the transaction's number. */
  readonly reason: string
}

/** What the rules here look at. */
type Checked = Pick<BlockTransaction, 'type' | 'chainId' | 'signature' | 'blobVersionedHashes'>

/**
 * Checks what the kernel, which sees one transaction at a time and no signature, does not.
 *
 * @param transactions - of one block, in order
 * @param rules - of the block
 * @returns one problem for each transaction that has one, in order
 */
export function checkTransactions(
  transactions: readonly Checked[],
  { fork, blob }: Pick<BlockRules, 'fork' | 'blob'>,
): TransactionProblem[] {
  const problems: TransactionProblem[] = []
  let blobs = 0
  transactions.forEach(({ type, chainId, signature, blobVersionedHashes }, txIndex) => {
    if (type === 0 && chainId !== undefined && signature !== undefined && !isSince(fork, 'spuriousDragon')) {
      const reason = `its signature names chain ${chainId}, which EIP-155 allows from Spurious Dragon on`
      problems.push({ txIndex, field: 'chainId', reason })
    }
    const left = blob === undefined ? 0 : blob.max - blobs
    // Before Cancun the type itself is wrong, which the kernel says.
    if (blob !== undefined && blobVersionedHashes.length > left) {
      const reason = `its ${blobVersionedHashes.length} blobs exceed the ${left} that the block has left`
      problems.push({ txIndex, field: 'blobVersionedHashes', reason })
    } else blobs += blobVersionedHashes.length
  })
  return problems
}

/**
 * Checks a transaction's gas limit against what the block has left, once the gas of all before it is final.
 *
 * @param gasUsed - by the transactions before it
 * @param gasLimit - of the block
 * @returns undefined where it fits
 */
export function checkGasLeft(
  tx: Pick<BlockTransaction, 'gasLimit'>,
  txIndex: number,
  gasUsed: bigint,
  gasLimit: bigint,
): TransactionProblem | undefined {
  const left = gasLimit - gasUsed
  if (tx.gasLimit <= left) return undefined
  const reason = `its gas limit of ${tx.gasLimit} exceeds the ${left} that the block has left`
  return { txIndex, field: 'gasLimit', reason }
}
