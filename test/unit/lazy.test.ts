/** Fields made on demand: made once at most, and plain data to whoever reads, copies, compares or shows the object. */
import { deepStrictEqual } from 'node:assert/strict'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { lazily } from '../../src/core/lazy.ts'

interface Fields {
  list: number[]
  map: Map<string, number>
}
const create = () => {
  const made: string[] = []
  const object = lazily<Fields, { plain: number }>(
    { plain: 1 },
    {
      list: () => {
        made.push('list')
        return [1, 2]
      },
      map: () => {
        made.push('map')
        return new Map([['a', 1]])
      },
    },
  )
  return { made, object }
}
const PLAIN = { plain: 1, list: [1, 2], map: new Map([['a', 1]]) }

describe('lazily', () => {
  test('nothing is made before it is asked for, and nothing twice', () => {
    const { made, object } = create()
    expect(Object.keys(object)).toEqual(['plain', 'list', 'map'])
    expect(made).toEqual([])
    expect(object.list).toBe(object.list)
    expect(made).toEqual(['list'])
    expect(object.map.get('a')).toBe(1)
    expect(made).toEqual(['list', 'map'])
    expect(Object.getOwnPropertyDescriptor(object, 'list')).toMatchObject({ writable: true, enumerable: true })
  })

  test('copies, JSON, structured clones and comparisons have the values', () => {
    expect({ ...create().object }).toStrictEqual(PLAIN)
    expect(Object.assign({}, create().object)).toStrictEqual(PLAIN)
    expect(structuredClone(create().object)).toStrictEqual(PLAIN)
    expect(JSON.stringify(create().object)).toBe(JSON.stringify(PLAIN))
    expect(create().object).toStrictEqual(PLAIN)
    deepStrictEqual(create().object, PLAIN)
    deepStrictEqual(PLAIN, create().object)
  })

  test('what is shown are values', () => {
    expect(inspect(create().object)).toBe(inspect(PLAIN))
    expect(inspect([create().object])).toBe(inspect([PLAIN]))
  })

  test('a field that is written is what was written', () => {
    const { made, object } = create()
    object.list = [3]
    expect(object.list).toEqual([3])
    expect(made).toEqual([])
  })

  test('a frozen object makes its fields all the same, once', () => {
    const { made, object } = create()
    Object.freeze(object)
    expect(object.list).toBe(object.list)
    expect(object).toStrictEqual(PLAIN)
    expect(made).toEqual(['list', 'map'])
  })
})

test('a frozen object is not written to, and lets go of what its fields were made of', () => {
  const { object } = create()
  Object.freeze(object)
  expect(() => {
    object.list = []
  }).toThrow(TypeError)
  expect(object).toStrictEqual(PLAIN)
})
