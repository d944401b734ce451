/** libsecp256k1 as machine code, where the optional peer `secp256k1` is installed. Node alone. */

/**
 * Writes the public key that signed a hash, 65 bytes, or answers false where it finds none.
 *
 * @param signature - r and s, 64 bytes big-endian
 * @param parity - 0 or 1
 */
type NativeRecover = (signature: Uint8Array, parity: number, hash: Uint8Array, key: Uint8Array) => boolean

interface Bindings {
  readonly ecdsaRecover: (
    signature: Uint8Array,
    parity: number,
    hash: Uint8Array,
    isCompressed: boolean,
    key: Uint8Array,
  ) => unknown
}

interface NodeProcess {
  getBuiltinModule?(name: string): { createRequire(from: string): (name: string) => unknown } | undefined
}

/** Undefined where it is not installed, or does not run here. Cost: some 20 ms, for tables of its own. */
export const loadNativeRecover = (): NativeRecover | undefined => {
  const { process } = globalThis as { process?: NodeProcess }
  try {
    const require = process?.getBuiltinModule?.('node:module')?.createRequire(import.meta.url)
    // Not the package itself, which takes elliptic, plain JavaScript, where there is no machine code.
    const bindings = require?.('secp256k1/bindings') as Bindings | undefined
    const ecdsaRecover = bindings?.ecdsaRecover
    if (typeof ecdsaRecover !== 'function') return undefined
    return (signature, parity, hash, key) => {
      try {
        ecdsaRecover(signature, parity, hash, false, key)
        return true
      } catch {
        return false
      }
    }
  } catch {
    return undefined
  }
}
