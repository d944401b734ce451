/** What the workers are told of a block: rules and header, in terms that can be cloned; transactions go by words. */
import { InvalidInputError } from '../../core/errors.ts'
import type { BlockHeader, DecodedBlock } from '../evm/block.ts'
import type { ChainInput, ResolvedChain } from '../evm/chain.ts'
import type { ResolvedFees } from '../evm/feeOptions.ts'
import { blobBaseFee } from '../evm/fees.ts'
import { SPEC_AMSTERDAM } from '../evm/forks.ts'
import type { BlockTransaction } from '../evm/transaction.ts'
import { encodeRawTransaction, signingPayload } from '../evm/transaction.ts'

/** Parts of an @ethereumjs/common object that say more than a fork and a chain id. */
interface CommonParts {
  readonly chain: object
  readonly eips: readonly number[]
  readonly params: object
}

export interface BlockContext {
  readonly chainId: bigint
  /** As @ethereumjs/common spells it. */
  readonly fork: string
  readonly header: BlockHeader
  /** Price of a unit of blob gas; absent before Cancun. */
  readonly blobGasPrice: bigint | undefined
  readonly fees: ResolvedFees
  /** Where the chain was given as a `Common`. */
  readonly common: CommonParts | undefined
}

/** The fields that @ethereumjs/common 10.1.3 keeps an instance's description in. */
const partsOf = (chain: ChainInput): CommonParts | undefined => {
  if (typeof chain !== 'object' || !('_chainParams' in chain)) return undefined
  const common = chain as unknown as {
    readonly _chainParams: object
    readonly _eips: number[]
    readonly _params: object
  }
  return structuredClone({ chain: common._chainParams, eips: common._eips, params: common._params })
}

/** @throws {InvalidInputError} UNSUPPORTED_FORK for Amsterdam, whose access lists and gas this adapter cannot tell */
export const contextOf = (
  { header }: DecodedBlock,
  rules: ResolvedChain,
  chain: ChainInput,
  fees: ResolvedFees,
): BlockContext => {
  if (rules.spec >= SPEC_AMSTERDAM) {
    const message = `the adapter 'ethereumjs' has no rules of ${rules.fork}; use 'revm'`
    throw new InvalidInputError('UNSUPPORTED_FORK', message, { fork: rules.fork })
  }
  return {
    fees,
    chainId: rules.chainId,
    fork: rules.fork,
    header,
    blobGasPrice:
      rules.blob !== undefined && header.excessBlobGas !== undefined
        ? blobBaseFee(header.excessBlobGas, rules.blob)
        : undefined,
    common: partsOf(chain),
  }
}

/** Words before a transaction's bytes: its sender 5, then how many bytes there are. */
const HEAD = 6

/**
 * A block's transactions as input words: sender and raw bytes each, without the signature where there is none.
 *
 * @returns words, and where each transaction begins: one offset more than there are transactions
 */
export const encodeInputs = (
  transactions: readonly BlockTransaction[],
  senders: readonly Uint8Array[],
): { readonly inputs: Int32Array; readonly offsets: Int32Array } => {
  const raw = transactions.map(rawOf)
  const offsets = new Int32Array(transactions.length + 1)
  raw.forEach((bytes, k) => {
    offsets[k + 1] = offsets[k] + HEAD + ((bytes.length + 3) >> 2)
  })
  const inputs = new Int32Array(offsets[transactions.length])
  const bytes = new Uint8Array(inputs.buffer)
  raw.forEach((one, k) => {
    bytes.set(senders[k] as Uint8Array, 4 * offsets[k])
    inputs[offsets[k] + HEAD - 1] = one.length
    bytes.set(one, 4 * (offsets[k] + HEAD))
  })
  return { inputs, offsets }
}

const rawOf = (tx: BlockTransaction): Uint8Array => {
  if (tx.signature !== undefined) return encodeRawTransaction(tx)
  const { chainId, ...rest } = tx
  // Six items are an unsigned legacy transaction; with a chain id it would read as a bad signature.
  return signingPayload(tx.type === 0 || chainId === undefined ? rest : tx)
}

/** Sender and bytes of the transaction whose words begin at `at`; copies. */
export const decodeInput = (
  words: Int32Array,
  at: number,
): { readonly sender: Uint8Array; readonly raw: Uint8Array } => {
  const from = words.byteOffset + 4 * at
  return {
    sender: new Uint8Array(words.buffer, from, 20).slice(),
    raw: new Uint8Array(words.buffer, from + 4 * HEAD, words[at + HEAD - 1]).slice(),
  }
}
