/** A hasher by itself: which kind of Keccak-256 runs here, and what it gives; no pool, no EVM kernel. */
import { InvalidInputError } from '../core/errors.ts'
import { badOption, checkChoice } from '../core/options.ts'
import { readBytes } from '../platform/threads.ts'
import { type HashKind, javascriptKeccak, type Keccak, openHashCore } from '../wasm/hash.ts'
import { loadHashCore, type WasmSource } from '../wasm/load.ts'
import { orderedRoot } from '../wasm/orderedRoot.ts'

/** Keccak-256 and the roots that a header commits to. Its functions need no `this` and may be passed around. */
export interface Hasher extends Keccak {
  /** Root of the trie of rlp(index) to each item: receipts, transactions, withdrawals; 32 bytes. */
  readonly orderedRoot: (items: readonly Uint8Array[]) => Uint8Array
}

export interface HasherOptions {
  /**
   * What is to compute. By default the first that works here: WebAssembly with SIMD, WebAssembly without it, and where
   * there is no WebAssembly, or a content policy forbids it, @noble/hashes.
   */
  readonly kind?: HashKind
  /** Where the hash core is: its address, its bytes, or compiled. Found beside the library by default. */
  readonly wasm?: WasmSource
}

/**
 * Makes a hasher; a few milliseconds for the first one, since the kernel of 60 kB is compiled once a process.
 *
 * @throws {InvalidInputError} MODULE_NOT_LOADED where the kernel cannot be read or is no WebAssembly, or where the
 *   `kind`
 * asked for does not run here; INVALID_OPTION where `kind` is unknown or given together with `wasm`
 * @example
 * const { keccak256 } = await createHasher()
 * const common = new Common({ chain: Mainnet, customCrypto: { keccak256 } })
 */
export const createHasher = async (options: HasherOptions = {}): Promise<Hasher> => {
  const keccak = await chooseKeccak(options)
  return {
    kind: keccak.kind,
    keccak256: keccak.keccak256,
    keccak256Many: keccak.keccak256Many,
    keccak256Flat: keccak.keccak256Flat,
    orderedRoot: (items) => orderedRoot(items, keccak.keccak256),
  }
}

const chooseKeccak = async ({ kind, wasm }: HasherOptions): Promise<Keccak> => {
  checkChoice('kind', kind, ['simd', 'scalar', 'javascript'])
  if (kind !== undefined && wasm !== undefined) {
    throw badOption('kind', 'a module given by `wasm` is of the kind that it is; leave out `kind`')
  }
  if (kind === 'javascript') return javascriptKeccak()
  const chosen = kind !== undefined || wasm !== undefined
  if (typeof WebAssembly === 'undefined') {
    if (!chosen) return javascriptKeccak()
    throw new InvalidInputError('MODULE_NOT_LOADED', 'there is no WebAssembly here: leave out `kind` and `wasm`')
  }
  try {
    return await openHashCore(await loadHashCore(wasm, readBytes, kind))
  } catch (error) {
    if (!chosen && isForbidden(error)) return javascriptKeccak()
    throw error
  }
}

/**
 * Whether WebAssembly is there and may not be used. A file that is missing or is something else stays an error: an
 * installation that hashes twenty times slower would not be noticed.
 */
const isForbidden = (error: unknown): boolean =>
  error instanceof InvalidInputError &&
  error.cause instanceof WebAssembly.CompileError &&
  /disallow|unsafe-eval|Content Security Policy/i.test(error.cause.message)
