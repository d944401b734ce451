/**
 * The door of Keccak-256 in `rust/hash-core`, and its stand-in where there is no WebAssembly.
 *
 * The module owns a window of fixed size: inputs are copied into it, digests out of it, and what is longer goes through
 * in pieces. So hashing never grows the module's memory, whatever the input; tries in the same instance may, and then
 * the views are made anew.
 *
 * Concurrency: the thread that made it. Nothing returned points into the module.
 */
import { keccak_256 } from '@noble/hashes/sha3.js'
import { InvalidInputError } from '../core/errors.ts'

/** What computes: WebAssembly with SIMD, WebAssembly without it, or @noble/hashes. */
export type HashKind = 'simd' | 'scalar' | 'javascript'

/** Keccak-256 as Ethereum has it, singly and in batches. Its functions need no `this` and may be passed around. */
export interface Keccak {
  readonly kind: HashKind
  /**
   * Keccak-256 of any bytes. It has the shape of `customCrypto.keccak256` of @ethereumjs/common.
   *
   * @returns 32 new bytes
   * @throws {InvalidInputError} INVALID_OPTION where `bytes` is no Uint8Array
   */
  readonly keccak256: (bytes: Uint8Array) => Uint8Array
  /**
   * Keccak-256 of each input, lengths as they come. For many short inputs `keccak256Flat` spares an object for each.
   *
   * @returns one digest an input, each 32 new bytes
   * @throws {InvalidInputError} INVALID_OPTION where an input is no Uint8Array; `fields.index` says which
   */
  readonly keccak256Many: (inputs: readonly Uint8Array[]) => Uint8Array[]
  /**
   * Keccak-256 of inputs that lie one after another: input k is the bytes from `ends[k - 1]`, 0 for the first, to
   * `ends[k]`. Cost: two copies and one call for up to 1,024 inputs or 64 KiB; no allocation where `digests` is given.
   *
   * @param digests - where the digests go, 32 bytes each; not over `bytes`. Made where it is missing
   * @returns `digests`
   * @throws {InvalidInputError} INVALID_OPTION where `ends` fall or leave `bytes`, or `digests` is too short
   */
  readonly keccak256Flat: (bytes: Uint8Array, ends: Uint32Array, digests?: Uint8Array) => Uint8Array
}

/** Exports of the module, known coupling with `rust/hash-core/src/exports.rs`. */
interface HashExports {
  readonly memory: WebAssembly.Memory
  hash_window(): number
  hash_lanes(): number
  hash_single(length: number): void
  hash_batch(count: number, start: number): void
  hash_piece(length: number): void
  hash_last(length: number): void
}

const DIGEST = 32
/** Bytes of a block of the sponge; pieces of a long input are whole blocks. */
const RATE = 136

/**
 * Instantiates the hash core.
 *
 * @param module - `rust/hash-core`, compiled, of either build
 * @throws {InvalidInputError} MODULE_NOT_LOADED where the module is another one
 */
export const openHashCore = async (module: WebAssembly.Module): Promise<Keccak> => {
  if (!WebAssembly.Module.exports(module).some(({ name }) => name === 'hash_window')) {
    throw new InvalidInputError('MODULE_NOT_LOADED', 'the module exports no hashing: give it that of hash-core')
  }
  const { exports } = await WebAssembly.instantiate(module, {})
  return new Window(exports as unknown as HashExports)
}

/** @noble/hashes in the same shape. It takes fifteen to twenty-five times as long (docs/performance.md). */
export const javascriptKeccak = (): Keccak => ({
  kind: 'javascript',
  keccak256: (bytes) => keccak_256(checked(bytes)),
  keccak256Many: (inputs) => inputs.map((bytes, index) => keccak_256(checked(bytes, index))),
  keccak256Flat: (bytes, ends, digests) => {
    const out = checkedFlat(bytes, ends, digests)
    let start = 0
    ends.forEach((end, k) => {
      out.set(keccak_256(bytes.subarray(start, end)), k * DIGEST)
      start = end
    })
    return out
  },
})

class Window implements Keccak {
  readonly kind: HashKind
  readonly #exports: HashExports
  // Views into the module; of length 0 once its memory has grown.
  #bytes = new Uint8Array(0)
  #ends = new Uint32Array(0)
  #digests = new Uint8Array(0)

  constructor(exports: HashExports) {
    this.#exports = exports
    this.kind = exports.hash_lanes() === 2 ? 'simd' : 'scalar'
  }

  readonly keccak256 = (bytes: Uint8Array): Uint8Array => {
    this.#attach()
    this.#hashAlone(checked(bytes))
    return this.#digests.slice(0, DIGEST)
  }

  readonly keccak256Many = (inputs: readonly Uint8Array[]): Uint8Array[] => {
    this.#attach()
    const digests: Uint8Array[] = []
    let filled = 0
    let waiting = 0
    const flush = (): void => {
      if (waiting > 0) this.#exports.hash_batch(waiting, 0)
      for (let k = 0; k < waiting; k++) digests.push(this.#digests.slice(k * DIGEST, (k + 1) * DIGEST))
      filled = 0
      waiting = 0
    }
    inputs.forEach((input, index) => {
      const { length } = checked(input, index)
      if (filled + length > this.#bytes.length || waiting === this.#ends.length) flush()
      if (length > this.#bytes.length) {
        this.#hashAlone(input)
        digests.push(this.#digests.slice(0, DIGEST))
        return
      }
      this.#bytes.set(input, filled)
      filled += length
      this.#ends[waiting++] = filled
    })
    flush()
    return digests
  }

  readonly keccak256Flat = (bytes: Uint8Array, ends: Uint32Array, digests?: Uint8Array): Uint8Array => {
    this.#attach()
    const out = checkedFlat(bytes, ends, digests)
    const count = ends.length
    const most = this.#ends.length
    const room = this.#bytes.length
    for (let first = 0, start = 0; first < count; ) {
      const next = firstBeyond(ends, first, Math.min(count, first + most), start + room)
      const end = ends[Math.max(first, next - 1)]
      if (next === first) {
        this.#hashAlone(bytes.subarray(start, end))
        out.set(this.#digests.subarray(0, DIGEST), first * DIGEST)
        first++
      } else {
        this.#bytes.set(bytes.subarray(start, end))
        this.#ends.set(ends.subarray(first, next))
        this.#exports.hash_batch(next - first, start)
        out.set(this.#digests.subarray(0, (next - first) * DIGEST), first * DIGEST)
        first = next
      }
      start = end
    }
    return out
  }

  #attach(): void {
    if (this.#bytes.length > 0) return
    const { buffer } = this.#exports.memory
    const [bytes, room, ends, most, digests] = new Uint32Array(buffer, this.#exports.hash_window(), 5)
    this.#bytes = new Uint8Array(buffer, bytes, room)
    this.#ends = new Uint32Array(buffer, ends, most)
    this.#digests = new Uint8Array(buffer, digests, most * DIGEST)
  }

  /** Leaves the digest of an input of any length at the front of the digests. */
  #hashAlone(input: Uint8Array): void {
    const room = this.#bytes.length
    if (input.length <= room) {
      this.#bytes.set(input)
      this.#exports.hash_single(input.length)
      return
    }
    const piece = room - (room % RATE)
    let at = 0
    for (; input.length - at > piece; at += piece) {
      this.#bytes.set(input.subarray(at, at + piece))
      this.#exports.hash_piece(piece)
    }
    this.#bytes.set(input.subarray(at))
    this.#exports.hash_last(input.length - at)
  }
}

/** The first index from `from` whose end lies beyond `limit`, or `to`. */
const firstBeyond = (ends: Uint32Array, from: number, to: number, limit: number): number => {
  let low = from
  let high = to
  if (ends[to - 1] <= limit) return to
  while (low < high) {
    const middle = (low + high) >> 1
    if (ends[middle] <= limit) low = middle + 1
    else high = middle
  }
  return low
}

const isBytes = (value: unknown): value is Uint8Array =>
  // By name as well: a Uint8Array of another realm is no instance of this one's.
  value instanceof Uint8Array || Object.prototype.toString.call(value) === '[object Uint8Array]'

const refuse = (option: string, message: string, fields: Readonly<Record<string, unknown>> = {}): never => {
  throw new InvalidInputError('INVALID_OPTION', message, { option, ...fields })
}

const checked = (bytes: Uint8Array, index?: number): Uint8Array => {
  if (isBytes(bytes)) return bytes
  if (index === undefined) return refuse('bytes', `bytes to hash are a Uint8Array, not ${typeof bytes}`)
  return refuse('inputs', `input ${index} is a ${typeof bytes}, not a Uint8Array`, { index })
}

/** Checks what `keccak256Flat` is given; where the digests go. */
const checkedFlat = (bytes: Uint8Array, ends: Uint32Array, digests: Uint8Array | undefined): Uint8Array => {
  checked(bytes)
  let before = 0
  for (let k = 0; k < ends.length; k++) {
    const end = ends[k]
    // Written so that NaN, of an array that is none of integers, is refused too.
    if (!(end >= before && end <= bytes.length)) {
      refuse('ends', `input ${k} ends at ${end}, which is not from ${before} to ${bytes.length}`, { index: k })
    }
    before = end
  }
  const wanted = ends.length * DIGEST
  if (digests === undefined) return new Uint8Array(wanted)
  if (!isBytes(digests) || digests.length < wanted) {
    refuse('digests', `${ends.length} digests need a Uint8Array of ${wanted} bytes`, { limit: wanted })
  }
  return digests
}
