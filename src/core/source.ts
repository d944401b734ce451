/** Where base values come from when they come later: the shapes alone (state/sourceState.ts asks). */
import type { StateDiff } from './diff.ts'

/** An account as a source answers with it. */
export interface SourceAccount {
  /** In wei. */
  readonly balance: bigint
  /** Below 2^64. */
  readonly nonce: bigint
  /** Keccak-256 of the code, 32 bytes; absent, or that of nothing, for an account without code. */
  readonly codeHash?: Uint8Array
  /** Whether an account without code has storage all the same: no contract is created over it (EIP-7610). */
  readonly hasStorage?: boolean
}

/** Where values come from. Each function is called once for a key until the state is forgotten. */
export interface AsyncStateSource {
  /** @param address - 20 bytes. @returns undefined where there is no such account */
  getAccount(address: Uint8Array): Promise<SourceAccount | undefined>
  /** @param key - 32 bytes, big-endian. @returns big-endian bytes, up to 32; none for zero */
  getStorage(address: Uint8Array, key: Uint8Array): Promise<Uint8Array>
  /** The code of an account whose `codeHash` says that it has one. */
  getCode(address: Uint8Array): Promise<Uint8Array>
  /** Advances the source by a block's difference, all of it or nothing. */
  apply?(diff: StateDiff): Promise<void>
}
