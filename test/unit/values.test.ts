/** Values of tasks as words: what goes in comes out, and equal values are equal words. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Values } from '../../src/core/values.ts'
import { createValueCodec } from '../../src/executor/valueCodec.ts'

const values = new Values(createValueCodec())
const encode = (value: unknown): Int32Array => {
  values.encode(value)
  return values.words.slice(0, (values.length + 3) >> 2)
}
const roundTrip = (value: unknown): unknown => {
  values.encode(value)
  const words = new Int32Array(new SharedArrayBuffer(4 * (8 + values.words.length)))
  values.copyTo(words, 8)
  return values.decode(words, 8, values.length)
}

describe('values', () => {
  test('anything that structured cloning copies', () => {
    const leaf = fc.oneof(
      fc.double(),
      fc.boolean(),
      fc.constant(null),
      fc.string(),
      fc.string({ unit: 'grapheme' }),
      fc.bigInt(),
      fc.date({ noInvalidDate: true }),
      fc.uint8Array(),
    )
    const name = fc.string({ maxLength: 20 }).filter((text) => text !== '__proto__')
    const anything = fc.oneof(
      leaf,
      fc.dictionary(name, leaf, { maxKeys: 10, noNullPrototype: true }),
      fc.array(fc.oneof(leaf, fc.dictionary(name, leaf, { noNullPrototype: true }))),
    )
    fc.assert(
      fc.property(anything, (value) => {
        // CBOR does not tell the sign of a zero inside a value, nor a surrogate without its other half.
        const plain = JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part))
        fc.pre(plain === undefined || !/\\ud[89a-f]/i.test(plain))
        expect(zeros(roundTrip(value))).toEqual(zeros(value))
        expect(encode(value)).toEqual(encode(structuredClone(value)))
      }),
      { numRuns: 500 },
    )
  })

  test('objects of eight fields and more, names of 16 characters and more, texts of 64 and more', () => {
    for (const count of [0, 1, 7, 8, 9]) {
      for (const length of [1, 15, 16, 17]) {
        for (const text of ['', 'x'.repeat(63), 'x'.repeat(64), 'x'.repeat(65), 'ä']) {
          const object = Object.fromEntries(Array.from({ length: count }, (_, k) => [`${k}`.padEnd(length, 'n'), text]))
          expect(roundTrip(object)).toEqual(object)
        }
      }
    }
  })

  test('a field called __proto__ is refused, wherever it stands; elsewhere that is a text like others', () => {
    const own = JSON.parse('{"a": 1, "__proto__": {"polluted": true}}') as object
    for (const bad of [own, [own], { a: own }, [new Map([['x', own]])], [new Set([own])], [1, { a: { b: [own] } }]]) {
      expect(() => encode(bad)).toThrow(TypeError)
    }
    const name = '__proto__'
    const texts = ['x'.repeat(30), 'ä'.repeat(300), 'x'.repeat(70_000)]
    for (const good of [
      name,
      [name, { a: name, b: [name] }],
      new Map<unknown, unknown>([[name, { a: new Map([[name, name]]) }]]),
      { a: new Set([name]), __proto: 1, __proto___: 2, x__proto__: 3 },
      { texts, [`${name} `]: texts.map((text) => ({ [text]: text })) },
    ]) {
      expect(roundTrip(good)).toEqual(good)
    }
  })

  test('null prototypes and classes become plain objects', () => {
    class Point {
      x = 1
    }
    expect(roundTrip(new Point())).toEqual({ x: 1 })
    expect(roundTrip(Object.assign(Object.create(null), { a: 1 }))).toEqual({ a: 1 })
  })

  test('what is nested too deep is refused at a depth that is one for all threads', () => {
    const wraps: ((value: unknown) => unknown)[] = [
      (value) => [value],
      (value) => ({ a: 1, value }),
      (value) => new Map([[1, value]]),
      (value) => new Map([[value, 1]]),
      (value) => new Set([1, value, 2]),
      (value) => ['x'.repeat(300), 2n ** 70n, new Date(0), -1.5, value],
    ]
    for (const wrap of wraps) {
      let value: unknown = 1
      for (let depth = 1; depth <= 256; depth++) value = wrap(value)
      expect(() => roundTrip(value)).not.toThrow()
      for (let deeper = 0; deeper < 3; deeper++) {
        value = wrap(value)
        expect(() => encode(value)).toThrow(TypeError)
      }
    }
    const empty = [[], {}, [{}, [[]]], new Map(), new Set(), { a: [], b: {} }, '', new Uint8Array(0)]
    expect(roundTrip([empty, empty])).toEqual([empty, empty])
    const wide = Array.from({ length: 70_000 }, (_, k) => ({ [`k${k}`]: [k] }))
    expect(roundTrip(wide)).toEqual(wide)
    const fields = Object.fromEntries(wide.map((_, k) => [`k${k}`, k]))
    expect(roundTrip(fields)).toEqual(fields)
    const ring: { self?: unknown } = {}
    ring.self = [ring]
    const back = roundTrip(ring) as { self: unknown[] }
    expect(back.self[0]).toBe(back)
  })

  test('buffers and views of any type come back as what they were', () => {
    const { buffer } = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
    const views = [new Float32Array(buffer, 4), new BigInt64Array(buffer), new Uint16Array(buffer), new Int8Array(0)]
    for (const value of [buffer, new DataView(buffer, 2, 3), new ArrayBuffer(0), ...views]) {
      const back = roundTrip([value]) as [typeof value]
      expect(back).toEqual([value])
      expect(Object.getPrototypeOf(back[0])).toBe(Object.getPrototypeOf(value))
      expect(roundTrip(value)).toEqual(value)
    }
    const view = roundTrip(new DataView(buffer, 2, 3)) as DataView
    expect([view.byteLength, view.getUint8(0)]).toEqual([3, 3])
  })

  test('what would come back as something else is refused', () => {
    const boxed = [new String('a'), new Number(1), new Boolean(false), Object(1n) as object]
    for (const bad of [...boxed, new SharedArrayBuffer(4)]) {
      expect(() => encode(bad)).toThrow(TypeError)
      expect(() => encode({ a: [bad] })).toThrow(TypeError)
    }
  })

  test('a field that cannot be copied is refused, whatever stands beside it', () => {
    for (const bad of [() => 1, Symbol('s'), Promise.resolve()]) {
      expect(() => encode({ a: 1, bad })).toThrow(TypeError)
    }
    expect(roundTrip({ a: undefined, b: 1 })).toEqual({ a: undefined, b: 1 })
  })
})

/** The value with every zero a positive one. */
function zeros(value: unknown): unknown {
  if (value === 0) return 0
  if (Array.isArray(value)) return value.map(zeros)
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, zeros(part)]))
}
