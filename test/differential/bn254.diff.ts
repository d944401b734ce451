/**
 * The precompiles on bn254 (EIP-196, EIP-197) as the committed kernel answers them, called by transactions, beside
 * @noble/curves, which shares no code with them: answer, status and gas.
 *
 * A sum of @noble/curves takes any two points and a multiple of it any number, without cases of their own. Whether a
 * point of the twist is in the subgroup is asked there by multiplying it by the order.
 */
import { bn254 } from '@noble/curves/bn254.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createExecutor, type Executor, type Hex } from '../../src/index.ts'
import { address, ETHER, expectParallelSame, fileOf, toHex } from '../support/evm.ts'
import { randomFrom } from '../support/random.ts'

const { Fp, Fp2, Fp12, Fr } = bn254.fields
const G1 = bn254.G1.Point
const G2 = bn254.G2.Point
type G1Point = typeof G1.BASE
type G2Point = typeof G2.BASE
type Precompile = 6 | 7 | 8

const P = Fp.ORDER
const R = Fr.ORDER
/** A cube root of one modulo R: what multiples are cut by. */
const LAMBDA = 0xb3c4d79d41a917585bfc41088d8daaa78b17ea66b99c90ddn
/** A cube root of one modulo P. */
const BETA = 0x59e26bcea0d48bacd4f263f1acdb5c4f5763473177fffffen
/** Primes whose product is the cofactor of the twist. */
const COFACTORS = [10069n, 5864401n, 1875725156269n, 197620364512881247228717050342013327560683201906968909n]
const EDGES = [0n, 1n, 2n, P - 1n, P, P + 1n, 2n * P, R, 2n ** 255n, 2n ** 256n - 1n]

let executor: Executor
beforeAll(async () => {
  executor = await createExecutor({ workers: 2, memoryLimit: 128 * 2 ** 20 })
})
afterAll(() => executor.close())

// ---- bytes, in hexadecimal digits ----

const digits = (value: bigint): string => value.toString(16).padStart(64, '0')
const INFINITY = digits(0n).repeat(2)
const TWIST_INFINITY = digits(0n).repeat(4)

function write(point: G1Point): string {
  if (point.is0()) return INFINITY
  const { x, y } = point.toAffine()
  return digits(x) + digits(y)
}

function writeTwist(point: G2Point): string {
  if (point.is0()) return TWIST_INFINITY
  const { x, y } = point.toAffine()
  return [x.c1, x.c0, y.c1, y.c0].map(digits).join('')
}

// ---- what @noble/curves says; nothing where the input is wrong ----

const wordOf = (input: string, k: number): bigint => BigInt(`0x${input.slice(64 * k, 64 * k + 64)}`)

function read(input: string): G1Point {
  if (input.slice(0, 128) === INFINITY) return G1.ZERO
  const point = G1.fromAffine({ x: wordOf(input, 0), y: wordOf(input, 1) })
  point.assertValidity()
  return point
}

/** A point times any number: G2's own `multiply` takes those below R. */
function times(point: G2Point, factor: bigint): G2Point {
  let product = G2.ZERO
  for (const bit of factor.toString(2)) {
    product = product.double()
    if (bit === '1') product = product.add(point)
  }
  return product
}

function readTwist(input: string): G2Point {
  if (input.slice(0, 256) === TWIST_INFINITY) return G2.ZERO
  const [x1, x0, y1, y0] = [0, 1, 2, 3].map((k) => wordOf(input, k)) as [bigint, bigint, bigint, bigint]
  if ([x1, x0, y1, y0].some((part) => part >= P)) throw new RangeError('not in the field')
  const [x, y] = [Fp2.create({ c0: x0, c1: x1 }), Fp2.create({ c0: y0, c1: y1 })]
  if (!Fp2.eql(Fp2.sqr(y), Fp2.add(Fp2.mul(Fp2.sqr(x), x), TWIST))) throw new RangeError('not on the twist')
  const point = G2.fromAffine({ x, y })
  if (!times(point, R).is0()) throw new RangeError('not in the subgroup')
  return point
}

const ANSWERS: Readonly<Record<Precompile, (input: string) => string>> = {
  6: (input) => {
    const whole = input.padEnd(256, '0')
    return write(read(whole).add(read(whole.slice(128))))
  },
  7: (input) => {
    const whole = input.padEnd(192, '0')
    return write(read(whole).multiplyUnsafe(wordOf(whole, 2) % R))
  },
  8: (input) => {
    if (input.length % 384 !== 0) throw new RangeError('not whole pairs')
    const pairs = (input.match(/.{384}/g) ?? []).map((pair) => ({ g1: read(pair), g2: readTwist(pair.slice(128)) }))
    const finite = pairs.filter(({ g1, g2 }) => !g1.is0() && !g2.is0())
    const isOne = finite.length === 0 || Fp12.eql(bn254.pairingBatch(finite), Fp12.ONE)
    return digits(isOne ? 1n : 0n)
  },
}

// ---- the kernel ----

interface Call {
  readonly precompile: Precompile
  readonly input: string
}

const LIMIT = 1_000_000

function costOf({ precompile, input }: Call): bigint {
  const bytes = Buffer.from(input, 'hex')
  const zeros = bytes.filter((byte) => byte === 0).length
  const own = { 6: 150, 7: 6_000, 8: 45_000 + 34_000 * Math.floor(bytes.length / 192) }[precompile]
  return BigInt(21_000 + 4 * zeros + 16 * (bytes.length - zeros) + own)
}

/** Calls each by a transaction and compares; returns the answers, nothing where there is none. */
async function compare(calls: readonly Call[]): Promise<(string | undefined)[]> {
  const sender = (k: number): Hex => address(k + 1)
  const file = fileOf({
    fork: 'shanghai',
    coinbase: address(0xffff),
    accounts: Object.fromEntries(calls.map((_, k) => [sender(k), { balance: ETHER }])),
    transactions: calls.map(({ precompile, input }, k) => ({
      from: sender(k),
      to: `0x${precompile.toString(16).padStart(40, '0')}` as const,
      data: `0x${input}`,
      gas: LIMIT,
    })),
  })
  const { results } = await expectParallelSame(executor, file, 1)
  return calls.map((call, k) => {
    let answer: string | undefined
    try {
      answer = ANSWERS[call.precompile](call.input)
    } catch {}
    const { status, returnValue, totalGasSpent } = results[k] as (typeof results)[number]
    expect({ status, answer: toHex(returnValue), gas: totalGasSpent }, `${call.precompile}: ${call.input}`).toEqual(
      answer === undefined
        ? { status: 'halt', answer: '0x', gas: BigInt(LIMIT) }
        : { status: 'success', answer: `0x${answer}`, gas: costOf(call) },
    )
    return answer
  })
}

// ---- inputs ----

const TWIST = Fp2.div({ c0: 3n, c1: 0n }, { c0: 9n, c1: 1n })
const random = randomFrom(0xb254)
const below = (count: number): number => Math.floor(random() * count)
const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T
const any = (): bigint =>
  Array.from({ length: 8 }, () => below(2 ** 32)).reduce((sum, x) => (sum << 32n) | BigInt(x), 0n)
const small = (): bigint => BigInt(below(81) - 40)
const POINTS = Array.from({ length: 24 }, () => G1.BASE.multiply(Fr.create(any())))
const TWIST_POINTS = Array.from({ length: 6 }, () => Fr.create(any())).map((b) => ({ b, point: G2.BASE.multiply(b) }))
const g1 = (): G1Point => pick(POINTS)
const g2 = (): G2Point => pick(TWIST_POINTS).point

/** On the twist; in the subgroup by chance only. */
function twistPoint(): G2Point {
  for (;;) {
    const x = { c0: Fp.create(any()), c1: Fp.create(any()) }
    try {
      return G2.fromAffine({ x, y: Fp2.sqrt(Fp2.add(Fp2.mul(Fp2.sqr(x), x), TWIST)) })
    } catch {
      // No square root: the next one.
    }
  }
}

/** A point, or what is none: edges for coordinates, P added to one, one replaced, both the wrong way round. */
function pointOrNone(): string {
  const { x, y } = g1().toAffine()
  switch (below(8)) {
    case 0:
      return INFINITY
    case 1:
      return digits(pick(EDGES)) + digits(pick(EDGES))
    case 2:
      return pick([digits(x + P) + digits(y), digits(x) + digits(y + P), digits(P) + digits(P)])
    case 3:
      return pick([digits(y) + digits(x), digits(x) + digits(0n), digits(x) + digits(pick(EDGES))])
    default:
      return digits(x) + digits(y)
  }
}

function sum(k: number): string {
  const point = g1()
  const { x, y } = point.toAffine()
  switch (k % 8) {
    case 0:
      return write(point).repeat(2)
    case 1:
      return write(point) + write(point.negate())
    case 2:
      return write(point) + digits(Fp.mul(x, BETA)) + digits(y)
    case 3:
      return pick([write(point) + INFINITY, INFINITY + write(point), INFINITY + INFINITY])
    case 4:
      return (write(point) + write(g1()) + write(g1())).slice(0, 2 * below(193))
    default:
      return pointOrNone() + pointOrNone()
  }
}

function factor(k: number): bigint {
  switch (k % 8) {
    case 0:
      // Near multiples of the order, and all that are below 2^256: where sums meet the point that is added.
      return BigInt(k % 5) * R + BigInt(below(70))
    case 1:
      return BigInt(1 + (k % 5)) * R - BigInt(below(70))
    case 2:
      return Fr.create(small() * LAMBDA + small())
    case 3:
      return 2n ** BigInt(below(256)) + BigInt(below(3) - 1)
    case 4:
      return 2n ** 256n - 1n - BigInt(below(40))
    case 5:
      return any() >> BigInt(below(256))
    default:
      return any()
  }
}

/** Pairs whose scalars' products sum up to `total`, with infinities among them. */
function pairsOf(count: number, total: bigint): string {
  const pairs: string[] = []
  let rest = total
  for (let k = 1; k <= count; k++) {
    const { b, point } = pick(TWIST_POINTS)
    const a = k === count ? Fr.div(rest, b) : Fr.create(any())
    rest = Fr.sub(rest, Fr.mul(a, b))
    pairs.push(write(G1.BASE.multiplyUnsafe(a)) + writeTwist(point))
    if (below(3) === 0)
      pairs.push(pick([INFINITY + writeTwist(g2()), write(g1()) + TWIST_INFINITY, INFINITY.repeat(3)]))
  }
  return pairs.join('')
}

describe('the precompiles on bn254 answer as @noble/curves does', () => {
  test('sums', async () => {
    const answers = await compare(Array.from({ length: 240 }, (_, k) => ({ precompile: 6, input: sum(k) })))
    const given = answers.filter((answer) => answer !== undefined)
    expect(given.length).toBeGreaterThan(120)
    expect(given.length).toBeLessThan(225)
    expect(given.filter((answer) => answer === INFINITY).length).toBeGreaterThan(30)
  })

  test('multiples', async () => {
    const input = (k: number): string => {
      const point = k % 10 === 9 ? pointOrNone() : write(g1())
      const whole = point + digits(factor(k)) + digits(any())
      return k % 10 === 4 ? whole.slice(0, 2 * below(129)) : whole
    }
    const answers = await compare(Array.from({ length: 240 }, (_, k) => ({ precompile: 7, input: input(k) })))
    expect(answers.filter((answer) => answer !== undefined).length).toBeGreaterThan(190)
  })

  test('pairings that cancel out, and others', async () => {
    const inputs = [1, 2, 3].flatMap((count) => [0n, 1n, R - 1n].map((total) => pairsOf(count, total)))
    const answers = await compare(['', ...inputs].map((input) => ({ precompile: 8, input })))
    expect(answers.filter((answer) => answer === digits(1n))).toHaveLength(4)
    expect(answers.filter((answer) => answer === digits(0n))).toHaveLength(6)
  })

  test('points of the twist outside the subgroup, by themselves and beside others', async () => {
    const point = twistPoint()
    const outside = times(point, R)
    const points = COFACTORS.flatMap((prime, k) => {
      // Of this order, and that with a point of the subgroup added.
      const ofOrder = times(
        outside,
        COFACTORS.filter((_, j) => j !== k).reduce((product, x) => product * x),
      )
      expect(ofOrder.is0()).toBe(false)
      expect(times(ofOrder, prime).is0()).toBe(true)
      return [ofOrder, ofOrder.add(g2())]
    })
    const inputs = [point, outside, ...points].flatMap((q, k) => [
      write(g1()) + writeTwist(q),
      k % 2 === 0 ? INFINITY + writeTwist(q) : pairsOf(1, 1n) + write(g1()) + writeTwist(q),
    ])
    const answers = await compare(inputs.map((input) => ({ precompile: 8, input })))
    expect(answers.every((answer) => answer === undefined)).toBe(true)
  })

  test('coordinates and lengths that are wrong, one at a time', async () => {
    const good = pairsOf(1, 1n).slice(0, 384)
    const inputs = Array.from({ length: 6 }, (_, k) =>
      [P, Fp.create(wordOf(good, k) + 1n), wordOf(good, k) + P].map(
        (value) => good.slice(0, 64 * k) + digits(value) + good.slice(64 * k + 64),
      ),
    ).flat()
    const lengths = [1, 64, 191, 193, 383].map((length) => good.repeat(2).slice(0, 2 * length))
    const answers = await compare([...inputs, ...lengths].map((input) => ({ precompile: 8, input })))
    expect(answers.every((answer) => answer === undefined)).toBe(true)
  })
})
