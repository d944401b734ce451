/**
 * Prices that one block's header sets for the next: the base fee and the blob gas.
 *
 * Source: EIP-1559 (base fee), EIP-4844, EIP-7691 and EIP-7840 (excess blob gas by schedule), EIP-7918 (reserve price).
 */

import { InvalidInputError } from '../../core/errors.ts'
import type { BlockHeader } from './block.ts'
import type { BlobParams } from './forks.ts'

/** Gas that one blob counts for (EIP-4844). */
export const GAS_PER_BLOB: bigint = 1n << 17n

/** Base fee of the first London block, in wei. */
export const INITIAL_BASE_FEE: bigint = 1_000_000_000n

/** How many times its target the gas limit of a London block is. */
export const ELASTICITY: bigint = 2n

/** Most that the base fee changes in a block: an eighth. */
const BASE_FEE_CHANGE_DENOMINATOR = 8n

/** Least price of blob gas, in wei. */
const MIN_BLOB_BASE_FEE = 1n

/** Execution gas that a blob is worth at least (EIP-7918). */
const BLOB_BASE_COST = 1n << 13n

/**
 * The base fee of the block after `parent`, from London on.
 *
 * @param parent - without base fee where it is the last block before London
 * @returns wei a unit of gas
 */
export function nextBaseFee(parent: Pick<BlockHeader, 'gasLimit' | 'gasUsed' | 'baseFeePerGas'>): bigint {
  const { gasLimit, gasUsed = 0n, baseFeePerGas } = parent
  if (baseFeePerGas === undefined) return INITIAL_BASE_FEE
  const target = gasLimit / ELASTICITY
  const distance = gasUsed > target ? gasUsed - target : target - gasUsed
  if (distance === 0n) return baseFeePerGas
  // No block has so low a limit; one that says so has no target to be measured by.
  if (target === 0n) return baseFeePerGas
  const change = (baseFeePerGas * distance) / target / BASE_FEE_CHANGE_DENOMINATOR
  return gasUsed > target ? baseFeePerGas + (change > 0n ? change : 1n) : baseFeePerGas - change
}

/**
 * The excess blob gas of the block after `parent`, from Cancun on.
 *
 * @param parent - without blob fields where it is the last block before Cancun
 * @param blob - the parameters of the new block, not of the parent
 * @param reserve - true from Osaka on: below the reserve price the excess does not fall (EIP-7918)
 */
export function nextExcessBlobGas(
  parent: Pick<BlockHeader, 'excessBlobGas' | 'blobGasUsed' | 'baseFeePerGas'>,
  blob: BlobParams,
  reserve: boolean,
): bigint {
  const { excessBlobGas = 0n, blobGasUsed = 0n, baseFeePerGas = 0n } = parent
  const target = BigInt(blob.target) * GAS_PER_BLOB
  const excess = excessBlobGas + blobGasUsed
  if (excess < target) return 0n
  if (reserve && BLOB_BASE_COST * baseFeePerGas > GAS_PER_BLOB * blobBaseFee(excessBlobGas, blob)) {
    return blob.max === 0
      ? excessBlobGas
      : excessBlobGas + (blobGasUsed * BigInt(blob.max - blob.target)) / BigInt(blob.max)
  }
  return excess - target
}

/** Bits of a number, 0 for 0. */
const bitsOf = (value: bigint): bigint => BigInt(value === 0n ? 0 : value.toString(2).length)

/**
 * Whether the price of blob gas can be computed, here and in the kernel, whose numbers have 128 bits: the largest term
 * of the series, `fraction * e^(excess / fraction)`, is multiplied by the excess. With the fractions of mainnet that
 * is true up to e^48 wei a unit of blob gas, more ether a blob than there is.
 */
export function isPriceable(excessBlobGas: bigint, { baseFeeUpdateFraction }: BlobParams): boolean {
  const fraction = BigInt(baseFeeUpdateFraction)
  // 3 / 2 is more than the binary logarithm of e.
  return bitsOf(excessBlobGas) + bitsOf(fraction) + (3n * excessBlobGas) / (2n * fraction) < 127n
}

/**
 * The price of a unit of blob gas.
 *
 * @param excessBlobGas - of the block's own header
 * @returns wei a unit of blob gas
 * @throws {Blockloom.InvalidInputError} INVALID_OPTION for an excess that no block can have reached: the price would be
 *   more ether than there is, and the time to compute it without bounds
 */
export function blobBaseFee(excessBlobGas: bigint, blob: BlobParams): bigint {
  const fraction = BigInt(blob.baseFeeUpdateFraction)
  if (!isPriceable(excessBlobGas, blob)) {
    throw new InvalidInputError(
      'INVALID_OPTION',
      `an excess of ${excessBlobGas} blob gas has no price with an update fraction of ${fraction}`,
      { option: 'excessBlobGas', actual: excessBlobGas },
    )
  }
  // e^(excess / fraction) by its Taylor series, in integers (EIP-4844, fake_exponential).
  let sum = 0n
  let term = MIN_BLOB_BASE_FEE * fraction
  for (let k = 1n; term > 0n; k++) {
    sum += term
    term = (term * excessBlobGas) / (fraction * k)
  }
  return sum / fraction
}
