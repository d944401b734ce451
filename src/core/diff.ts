/**
 * The difference that a block makes, in plain objects: what a state source applies and a user stores.
 */

/** Bytes as lower case hex with a 0x prefix. */
export type Hex = `0x${string}`

/** One account that changed. Fields that did not change are absent. */
export interface AccountDiff {
  /** 20 bytes, lower case. */
  readonly address: Hex
  /** In wei, after the block. */
  readonly balance?: bigint
  /** After the block. */
  readonly nonce?: bigint
  /** Keccak-256 of the code after the block; the code itself is in `StateDiff.codes` if it is new. */
  readonly codeHash?: Hex
  /** Slots that changed: 32-byte key to 32-byte value, zero for a slot that was emptied. */
  readonly storage: ReadonlyMap<Hex, Hex>
  /** True when all storage that the account had before the block is gone; `storage` lists what came after. */
  readonly storageCleared: boolean
  /** True when the account does not exist after the block. */
  readonly deleted: boolean
}

/** Everything a block changed. Applying it to the state before the block gives the state after it. */
export interface StateDiff {
  /** Accounts that changed, each once. */
  readonly accounts: readonly AccountDiff[]
  /** Codes that came to be, by hash. */
  readonly codes: ReadonlyMap<Hex, Uint8Array>
}
