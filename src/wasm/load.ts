/** Finds and compiles the EVM kernel. Compiled once a process; workers receive the module, not the bytes. */
import { InvalidInputError } from '../core/errors.ts'

/** A kernel given by the caller: its address, its bytes, or compiled. */
export type WasmSource = URL | ArrayBuffer | Uint8Array | WebAssembly.Module

/** The library's own kernel, beside this module once built. */
const defaultKernel = (): URL => new URL('./evm-core.wasm', import.meta.url)

let own: Promise<WebAssembly.Module> | undefined

/**
 * Compiles `source`, or the library's own kernel.
 *
 * @param read - reads a file or address (platform)
 * @throws {InvalidInputError} MODULE_NOT_LOADED where it cannot be read or is no WebAssembly
 */
export const loadKernel = async (
  source: WasmSource | undefined,
  read: (url: URL) => Promise<Uint8Array>,
): Promise<WebAssembly.Module> => {
  if (source instanceof WebAssembly.Module) return source
  if (source !== undefined) return compile(source, read)
  own ??= compile(defaultKernel(), read).catch((error: unknown) => {
    own = undefined
    throw error
  })
  return own
}

const compile = async (
  source: URL | ArrayBuffer | Uint8Array,
  read: (url: URL) => Promise<Uint8Array>,
): Promise<WebAssembly.Module> => {
  try {
    const bytes = source instanceof URL ? await read(source) : source
    return await WebAssembly.compile(bytes as BufferSource)
  } catch (cause) {
    const where = source instanceof URL ? source.href : 'the bytes given'
    throw new InvalidInputError(
      'MODULE_NOT_LOADED',
      `the EVM kernel could not be loaded from ${where}`,
      { where },
      { cause },
    )
  }
}
