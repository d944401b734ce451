/** The EVM kernel by itself: hashing and roots without a pool. */
import { createHashKernel } from './adapters/revm/kernel.ts'
import { readBytes } from './platform/threads.ts'
import { loadKernel, type WasmSource } from './wasm/load.ts'

/** Keccak-256 and the roots that a header commits to, computed in WebAssembly. */
export interface Hasher {
  /** Keccak-256 of any bytes; 32 bytes. */
  keccak256(bytes: Uint8Array): Uint8Array
  /** Root of the trie of rlp(index) to each item: receipts, transactions, withdrawals; 32 bytes. */
  orderedRoot(items: readonly Uint8Array[]): Uint8Array
}

/**
 * Loads the kernel for hashing.
 *
 * @param source - where the kernel is; found beside the library by default
 * @throws {InvalidInputError} MODULE_NOT_LOADED where it cannot be read
 */
export const createHasher = async (source?: WasmSource): Promise<Hasher> => {
  const kernel = createHashKernel(await loadKernel(source, readBytes))
  return { keccak256: (bytes) => kernel.keccak256(bytes), orderedRoot: (items) => kernel.orderedRoot(items) }
}

export type { WasmSource }
