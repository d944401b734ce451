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

  test('a field called __proto__ is no prototype, and null prototypes and classes become plain objects', () => {
    const own = JSON.parse('{"__proto__": {"polluted": true}, "a": 1}') as object
    expect((roundTrip(own) as { polluted?: unknown }).polluted).toBeUndefined()
    class Point {
      x = 1
    }
    expect(roundTrip(new Point())).toEqual({ x: 1 })
    expect(roundTrip(Object.assign(Object.create(null), { a: 1 }))).toEqual({ a: 1 })
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
