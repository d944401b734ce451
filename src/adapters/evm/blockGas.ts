/**
 * Gas as a block counts it from Amsterdam on: before refunds, and apart for what grows the state.
 *
 * What a sender pays stays as it was; a receipt's cumulative gas still sums that.
 *
 * Source: EIP-7778 (refunds), EIP-8037 (two sums, the larger one counts). Where state has no gas its sum is 0.
 */

/** What one transaction adds to its block, before refunds. */
export interface TransactionGas {
  readonly regular: bigint
  readonly state: bigint
}

/** Regular gas that one transaction can take at most (EIP-7825); what its limit has beyond is for state. */
const MOST_REGULAR_GAS = 1n << 24n

/** Sums over the transactions of a block, in order. */
export class BlockGas {
  readonly #limit: bigint
  #regular = 0n
  #state = 0n

  /** @param limit - the block's gas limit */
  constructor(limit: bigint) {
    this.#limit = limit
  }

  /** What the header says was used. */
  get used(): bigint {
    if (this.#regular < this.#state) return this.#state
    return this.#regular
  }

  /** How much the block has left for a transaction with this gas limit, where that is too little. */
  missingFor(gasLimit: bigint): bigint | undefined {
    const regular = gasLimit < MOST_REGULAR_GAS ? gasLimit : MOST_REGULAR_GAS
    if (regular > this.#limit - this.#regular) return this.#limit - this.#regular
    return gasLimit > this.#limit - this.#state ? this.#limit - this.#state : undefined
  }

  add({ regular, state }: TransactionGas): void {
    this.#regular += regular
    this.#state += state
  }
}
