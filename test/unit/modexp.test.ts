/**
 * The precompile MODEXP in the kernel as it is built, SIMD and all, against JavaScript's BigInt. `cargo test` in
 * rust/modexp has many more numbers, but runs without WebAssembly.
 */

import { keccak_256 } from '@noble/hashes/sha3.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createExecutor, type Executor } from '../../src/index.ts'
import { address, asm, expectParallelSame, fileOf, slotOf, toHex } from '../support/evm.ts'
import { randomFrom } from '../support/random.ts'

interface Power {
  readonly base: Uint8Array
  readonly exponent: Uint8Array
  readonly modulus: Uint8Array
  /** Bytes of the input that are left out at its end. */
  readonly cut?: number
}

const random = randomFrom(198)
const below = (bound: number): number => Math.floor(random() * bound)
/** One in three is all ones, or has a stretch of zeros. */
function number(length: number): Uint8Array {
  const bytes = Uint8Array.from({ length }, () => below(256))
  const kind = below(6)
  if (kind === 0) bytes.fill(0xff)
  if (kind === 1) bytes.fill(0, below(length), length)
  return bytes
}
function odd(length: number): Uint8Array {
  const bytes = number(length)
  bytes[length - 1] = (bytes[length - 1] as number) | 1
  return bytes
}

const bigintOf = (bytes: Uint8Array): bigint => BigInt(bytes.length === 0 ? 0 : toHex(bytes))
const to32 = (value: number): Uint8Array => Buffer.from(value.toString(16).padStart(64, '0'), 'hex')

function inputOf({ base, exponent, modulus, cut = 0 }: Power): Uint8Array {
  const lengths = [base, exponent, modulus].map((bytes) => to32(bytes.length))
  const input = Buffer.concat([...lengths, base, exponent, modulus])
  return input.subarray(0, input.length - cut)
}

function answerTo({ base, exponent, modulus, cut = 0 }: Power): Uint8Array {
  const whole = modulus.slice()
  whole.fill(0, modulus.length - cut)
  const m = bigintOf(whole)
  if (m === 0n) return whole.fill(0)
  let power = 1n % m
  const b = bigintOf(base)
  for (const bit of bigintOf(exponent).toString(2)) {
    power = (power * power) % m
    if (bit === '1') power = (power * b) % m
  }
  return Buffer.from(power.toString(16).padStart(2 * modulus.length, '0'), 'hex')
}

/** Keeps the hash of the answer under the hash of the input. */
const CALLER = asm(`
  CALLDATASIZE 0 0 CALLDATACOPY 0 0 CALLDATASIZE 0 5 GAS STATICCALL POP
  RETURNDATASIZE 0 8192 RETURNDATACOPY
  RETURNDATASIZE 8192 SHA3 CALLDATASIZE 0 SHA3 SSTORE
`)

describe('the precompile MODEXP', () => {
  let executor: Executor
  beforeAll(async () => {
    executor = await createExecutor({ workers: 2 })
  })
  afterAll(() => executor.close())

  async function expectAnswers(fork: 'byzantium' | 'cancun' | 'osaka', powers: readonly Power[]): Promise<void> {
    const contract = address(1)
    const file = fileOf({
      fork,
      coinbase: address(99),
      accounts: { [contract]: { code: CALLER }, [address(2)]: { balance: 10n ** 20n } },
      transactions: powers.map((power) => ({
        from: address(2),
        to: contract,
        gas: 4_000_000,
        data: toHex(inputOf(power)),
      })),
    })
    const result = await expectParallelSame(executor, file)
    for (const power of powers) {
      const key = bigintOf(keccak_256(inputOf(power)))
      expect(slotOf(result, contract, key), toHex(inputOf(power))).toBe(bigintOf(keccak_256(answerTo(power))))
    }
  }

  test.each(['byzantium', 'cancun', 'osaka'] as const)('odd moduli of 1 to 300 bytes in %s', async (fork) => {
    const lengths = [
      1, 2, 8, 10, 11, 12, 16, 17, 18, 19, 24, 31, 32, 33, 34, 48, 64, 65, 96, 128, 129, 192, 256, 257, 300,
    ]
    await expectAnswers(
      fork,
      lengths.flatMap((length) =>
        [length, below(length + 1), length + below(length + 9)].map((bytes, k) => ({
          base: number(bytes),
          exponent: number(k === 0 && length <= 40 ? 1 + below(40) : 1 + below(3)),
          modulus: odd(length),
        })),
      ),
    )
  })

  test('columns that are as full as they get, beyond what they hold without a carry between', async () => {
    await expectAnswers(
      'cancun',
      [10, 17, 32, 200, 412, 420, 440, 520, 840, 1024].map((length) => ({
        base: new Uint8Array(length).fill(0xff, 1),
        exponent: Uint8Array.of(7),
        modulus: new Uint8Array(length).fill(0xff),
      })),
    )
  })

  test('moduli that are even, one or none, exponents and bases of zero, and inputs that end too early', async () => {
    const moduli = [
      Uint8Array.of(1),
      to32(1),
      to32(0),
      to32(4096),
      to32(3),
      Buffer.concat([to32(0), odd(64)]),
      number(40),
    ]
    const numbers = [new Uint8Array(), to32(0), to32(1), Uint8Array.of(0, 0, 2), number(45)]
    const powers = moduli.flatMap((modulus) =>
      numbers.flatMap((base) => numbers.map((exponent) => ({ base, exponent, modulus }))),
    )
    const early = [1, 2, 20, 32].map((cut) => ({ base: number(32), exponent: number(4), modulus: odd(32), cut }))
    await expectAnswers('osaka', [...powers, ...early])
  })
})
