/**
 * Fees as rollups have them: who gets the base fee and the priority fee, and what a transaction pays for its data.
 *
 * Owns the option, its checks and its resolved form, which every EVM adapter takes. Does not own how fees are paid:
 * the revm adapter takes words (encode.ts), the ethereumjs adapter the resolved form.
 *
 * Source: OP stack specification, "L1-Cost fees" and fee vaults (base fee vault, sequencer fee vault, L1 fee vault);
 * Arbitrum's network and infrastructure fee accounts.
 */
import { InvalidInputError } from '../../core/errors.ts'
import { readHex } from '../../core/hex.ts'
import { messageOf } from '../../core/thrown.ts'
import type { DecodedBlock } from './block.ts'
import { encodeRawTransaction } from './transaction.ts'

/** A fee for publishing a transaction's data, such as the L1 data fee of a rollup. */
export interface DataFee {
  /** Who gets it: 20 bytes, or `0x` and 40 digits. */
  readonly recipient: Uint8Array | string
  /**
   * Wei by transaction: a list, or a function of the raw signed transaction (a type byte and payload, or an RLP list)
   * that is called for each on the calling thread before the run.
   */
  readonly of: readonly bigint[] | ((transaction: Uint8Array, txIndex: number) => bigint)
}

/**
 * Where the fees of a block go. Without it as on mainnet: the priority fee to the coinbase, the base fee to nobody.
 *
 * Recipients are paid after everything else that a transaction does; payments add up without a conflict. A fee of zero
 * leaves the account alone, but for the priority fee. The fee for blobs is burnt in any case.
 */
export interface FeeOptions {
  /** Gets the base fee, which is burnt otherwise. */
  readonly baseFeeRecipient?: Uint8Array | string
  /** Gets the priority fee in place of the coinbase (before London: the whole fee). COINBASE stays the header's. */
  readonly priorityFeeRecipient?: Uint8Array | string
  /**
   * What the sender pays besides, before its transaction runs, whatever becomes of it. It must have the fee beyond
   * the value and the most that gas can cost, else the transaction is not valid.
   */
  readonly dataFee?: DataFee
}

/** Fee options with their addresses as 20 bytes, and an amount for each transaction. */
export interface ResolvedFees {
  readonly priorityFeeRecipient: Uint8Array
  readonly baseFeeRecipient?: Uint8Array
  readonly dataFee?: { readonly recipient: Uint8Array; readonly amounts: readonly bigint[] }
}

/** More wei than there is; below it sums of fees stay in 256 bits. */
const FEE_LIMIT = 1n << 128n

const refuse = (problem: string): never => {
  throw new InvalidInputError('INVALID_OPTION', problem, { option: 'fees' })
}

/**
 * Resolves the option for a block.
 *
 * @throws {InvalidInputError} INVALID_OPTION for another shape, a list of another length, an amount that is no number
 *   of wei, a function of `dataFee` that throws (its cause)
 */
export function resolveFees(fees: FeeOptions | undefined, { header, transactions }: DecodedBlock): ResolvedFees {
  if (fees === undefined) return { priorityFeeRecipient: header.coinbase }
  if (typeof fees !== 'object' || fees === null) refuse('fees is not an object')
  refuseOthers(fees, ['baseFeeRecipient', 'priorityFeeRecipient', 'dataFee'], 'fees')
  const { baseFeeRecipient, priorityFeeRecipient, dataFee } = fees
  refuseOthers(dataFee ?? {}, ['recipient', 'of'], 'fees.dataFee')
  const address = (value: Uint8Array | string, name: string): Uint8Array => readHex(value, 20, `fees.${name}`)
  return {
    priorityFeeRecipient:
      priorityFeeRecipient === undefined ? header.coinbase : address(priorityFeeRecipient, 'priorityFeeRecipient'),
    ...(baseFeeRecipient === undefined ? {} : { baseFeeRecipient: address(baseFeeRecipient, 'baseFeeRecipient') }),
    ...(dataFee === undefined
      ? {}
      : {
          dataFee: {
            recipient: address(dataFee?.recipient, 'dataFee.recipient'),
            amounts: amountsOf(dataFee.of, transactions),
          },
        }),
  }
}

/** A name that is misspelt would burn a fee without a word. */
function refuseOthers(given: object, known: readonly string[], where: string): void {
  for (const name of Object.keys(given))
    if (!known.includes(name)) refuse(`${where}.${name} is not one of ${known.join(', ')}`)
}

function callOf(of: (raw: Uint8Array, txIndex: number) => unknown, raw: Uint8Array, txIndex: number): unknown {
  try {
    return of(raw, txIndex)
  } catch (cause) {
    const message = `fees.dataFee.of threw at transaction ${txIndex}: ${messageOf(cause)}`
    throw new InvalidInputError('INVALID_OPTION', message, { option: 'fees', txIndex }, { cause })
  }
}

function amountsOf(of: DataFee['of'], transactions: DecodedBlock['transactions']): bigint[] {
  if (typeof of !== 'function' && !Array.isArray(of)) refuse('fees.dataFee.of is neither a list nor a function')
  if (typeof of !== 'function' && of.length !== transactions.length) {
    refuse(`fees.dataFee.of has ${of.length} amounts for ${transactions.length} transactions`)
  }
  return transactions.map((tx, txIndex) => {
    const amount: unknown = typeof of === 'function' ? callOf(of, encodeRawTransaction(tx), txIndex) : of[txIndex]
    if (typeof amount !== 'bigint' || amount < 0n || amount >= FEE_LIMIT) {
      return refuse(`the data fee of transaction ${txIndex} is not a number of wei below 2^128 as a bigint`)
    }
    return amount
  })
}
