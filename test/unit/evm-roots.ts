/** The kernel's `orderedRoot` and Keccak-256, compiled from the committed module, for tests of what takes it. */

import { readFileSync } from 'node:fs'
import { createHashKernel } from '../../src/adapters/revm/kernel.ts'

const module = new WebAssembly.Module(readFileSync(new URL('../../src/wasm/evm-core.wasm', import.meta.url)))
export const kernel = createHashKernel(module)

/** Root of the trie of rlp(index) to each item. */
export const orderedRoot = (items: readonly Uint8Array[]): Uint8Array => kernel.orderedRoot(items)

/** The kernel's Keccak-256. */
export const keccak256 = (bytes: Uint8Array): Uint8Array => kernel.keccak256(bytes)
