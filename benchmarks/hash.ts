/**
 * Keccak-256: both builds of the hash core, @noble/hashes and hash-wasm, side by side.
 *
 * Every run times each of them once, the order reversed from run to run, so that what drifts meets all. The calls into
 * WebAssembly and the copies in and out are in the times.
 */
import { createHasher, type Hasher } from 'blockloom/wasm'
import { createKeccak } from 'hash-wasm'
import { type HashRow, round, spreadOf } from './report.ts'

/** What one of them does for one row: hashes all inputs, leaves the digests where it likes, returns the first. */
type Contender = readonly [name: string, hashAll: () => Uint8Array]

const COUNT = 4096
/** Slow ones hash a part of the inputs, so that a run takes milliseconds. */
const FEW = 256
/** A key, an account's leaf, and a branch of sixteen hashes. */
const LENGTHS = [32, 104, 532] as const

/** hash-wasm's hasher is reset and used again, which is its fast way. */
async function hashWasm(): Promise<(bytes: Uint8Array) => Uint8Array> {
  const hasher = await createKeccak(256)
  return (bytes) => hasher.init().update(bytes).digest('binary')
}

const bytesOf = (length: number): Uint8Array => Uint8Array.from({ length }, (_, k) => k * 167 + Math.floor(k / 251))

/** Nanoseconds a digest of each, run by run. */
function measure(contenders: readonly Contender[], counts: readonly number[], runs: number) {
  const times: number[][] = contenders.map(() => [])
  const time = (c: number): number => {
    const start = performance.now()
    contenders[c][1]()
    return ((performance.now() - start) * 1e6) / counts[c]
  }
  const order = contenders.map((_, c) => c)
  // V8 compiles a kernel a second time, better, once it has been used a while.
  for (const started = performance.now(); performance.now() - started < 500; ) for (const c of order) time(c)
  for (let run = 0; run < runs; run++) {
    for (const c of order) times[c].push(time(c))
    order.reverse()
  }
  return times.map((ns) => spreadOf(ns))
}

export async function measureHashes(runs: number): Promise<HashRow[]> {
  const simd = await createHasher({ kind: 'simd' })
  const scalar = await createHasher({ kind: 'scalar' })
  const noble = await createHasher({ kind: 'javascript' })
  const outsider = await hashWasm()
  const rows: HashRow[] = []
  for (const length of LENGTHS) {
    const bytes = bytesOf(length * COUNT)
    const ends = Uint32Array.from({ length: COUNT }, (_, k) => (k + 1) * length)
    const inputs = Array.from(ends, (end) => bytes.slice(end - length, end))
    const digests = new Uint8Array(32 * COUNT)
    const each = (hash: (bytes: Uint8Array) => Uint8Array, count: number) => (): Uint8Array => {
      const first = hash(inputs[0])
      for (let k = 1; k < count; k++) hash(inputs[k])
      return first
    }
    const flat = (hasher: Hasher) => (): Uint8Array => hasher.keccak256Flat(bytes, ends, digests).slice(0, 32)
    const many = (hasher: Hasher) => (): Uint8Array => hasher.keccak256Many(inputs)[0]
    const contenders: Contender[] = [
      ['SIMD, flat batch', flat(simd)],
      ['SIMD, batch of arrays', many(simd)],
      ['SIMD build, one by one', each(simd.keccak256, COUNT)],
      ['scalar, flat batch', flat(scalar)],
      ['scalar, one by one', each(scalar.keccak256, COUNT)],
      ['@noble/hashes, one by one', each(noble.keccak256, FEW)],
    ]
    contenders.push(['hash-wasm, one by one', each(outsider, COUNT)])
    const expected = Buffer.from(noble.keccak256(inputs[0]))
    for (const [name, hashAll] of contenders) {
      if (!expected.equals(hashAll())) throw new Error(`${name}: a wrong digest of ${length} bytes`)
    }
    const counts = contenders.map(([name]) => (name.startsWith('@noble') ? FEW : COUNT))
    const spreads = measure(contenders, counts, runs)
    const [, , , , , of] = spreads
    contenders.forEach(([name], c) => {
      rows.push({ bytes: length, name, runs, ns: spreads[c], timesFaster: round(of.median / spreads[c].median) })
    })
  }
  return rows
}
