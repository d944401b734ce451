/**
 * Finds and compiles the kernels: the EVM, and the hash core in the build that this engine can run.
 * Compiled once a process; workers receive the module, not the bytes.
 */
import { InvalidInputError } from '../core/errors.ts'

/** A kernel given by the caller: its address, its bytes, or compiled. */
export type WasmSource = URL | ArrayBuffer | Uint8Array | WebAssembly.Module

/** Reads a file or address (platform). */
export type ReadBytes = (url: URL) => Promise<Uint8Array>

/** The two builds of `rust/hash-core`: two states at a time in 128-bit lanes, or one in 64-bit words. */
export type HashBuild = 'simd' | 'scalar'

/** The library's own kernels, beside this module once built. Bundlers look for the literal form. */
const EVM = (): URL => new URL('./evm-core.wasm', import.meta.url)
const HASH: Readonly<Record<HashBuild, () => URL>> = {
  simd: () => new URL('./hash-core.wasm', import.meta.url),
  scalar: () => new URL('./hash-core-scalar.wasm', import.meta.url),
}

/** Compiled or being compiled, by address: what failed may be tried again. */
const own = new Map<string, Promise<WebAssembly.Module>>()

const once = (url: URL, read: ReadBytes, what: string): Promise<WebAssembly.Module> => {
  const known = own.get(url.href)
  if (known !== undefined) return known
  const compiling = compile(url, read, what).catch((error: unknown) => {
    own.delete(url.href)
    throw error
  })
  own.set(url.href, compiling)
  return compiling
}

/**
 * Compiles `source`, or the library's own EVM kernel.
 *
 * @throws {InvalidInputError} MODULE_NOT_LOADED where it cannot be read or is no WebAssembly
 */
export const loadKernel = async (source: WasmSource | undefined, read: ReadBytes): Promise<WebAssembly.Module> => {
  assertWebAssembly('the EVM kernel')
  if (source instanceof WebAssembly.Module) return source
  return source === undefined ? once(EVM(), read, 'the EVM kernel') : compile(source, read, 'the EVM kernel')
}

/**
 * Compiles `source`, or the library's own hash core, with SIMD where the engine has it.
 *
 * @param given - which of the own ones, for who wants to choose
 * @throws {InvalidInputError} MODULE_NOT_LOADED where it cannot be read, is no WebAssembly, or may not be compiled
 */
export const loadHashCore = async (
  source: WasmSource | undefined,
  read: ReadBytes,
  given?: HashBuild,
): Promise<WebAssembly.Module> => {
  assertWebAssembly('the hash core')
  const build = given ?? (hasSimd() ? 'simd' : 'scalar')
  if (source instanceof WebAssembly.Module) return source
  return source === undefined ? once(HASH[build](), read, 'the hash core') : compile(source, read, 'the hash core')
}

/** A module whose one function answers a 128-bit value: `i32.const 0, i8x16.splat`. */
const SIMD_PROBE = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...[0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b],
  ...[0x03, 0x02, 0x01, 0x00],
  ...[0x0a, 0x08, 0x01, 0x06, 0x00, 0x41, 0x00, 0xfd, 0x0f, 0x0b],
)

/** Whether WebAssembly has 128-bit SIMD here. */
const hasSimd = (): boolean => WebAssembly.validate(SIMD_PROBE)

/** Without it no kernel can run: `node --jitless`, or a page that forbids it. */
const assertWebAssembly = (what: string): void => {
  if (typeof WebAssembly === 'undefined') {
    throw new InvalidInputError('MODULE_NOT_LOADED', `there is no WebAssembly here, so ${what} cannot be loaded`)
  }
}

const compile = async (
  source: URL | ArrayBuffer | Uint8Array,
  read: ReadBytes,
  what: string,
): Promise<WebAssembly.Module> => {
  try {
    const bytes = source instanceof URL ? await read(source) : source
    return await WebAssembly.compile(bytes as BufferSource)
  } catch (cause) {
    const where = source instanceof URL ? source.href : 'the bytes given'
    throw new InvalidInputError('MODULE_NOT_LOADED', `${what} could not be loaded from ${where}`, { where }, { cause })
  }
}
