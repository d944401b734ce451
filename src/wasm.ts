/** Hashing by itself: Keccak-256 and the roots of lists, without a pool and without the EVM kernel. */
export { createHasher, type Hasher, type HasherOptions } from './executor/hasher.ts'
export type { HashKind, Keccak } from './wasm/hash.ts'
export type { WasmSource } from './wasm/load.ts'
