/** The state of tasks: values by key, in the order of the keys. */
import { describe, expect, test } from 'vitest'
import { createKeyValueState } from '../../src/tasks.ts'

const MIB = 2 ** 20
const create = () => createKeyValueState({ maxBytes: 16 * MIB })

describe('keyValueState', () => {
  test('values to begin with, by name or as pairs', () => {
    const entries = { a: 'hello', b: Uint8Array.of(1, 2, 3), c: 9n, d: { e: [1] } }
    for (const given of [entries, Object.entries(entries), new Map(Object.entries(entries))]) {
      const state = createKeyValueState({ maxBytes: MIB, entries: given })
      expect([...state.entries()]).toEqual(Object.entries(entries))
      expect([state.has('a'), state.has('z'), state.get('z')]).toEqual([true, false, undefined])
    }
  })

  test('values of any length are kept, replaced and deleted; nothing is not the empty value', () => {
    const state = create()
    for (const length of [0, 1, 3, 4, 5, 31, 32, 33, 96, 97, 1000, 2]) {
      const value = Uint8Array.from({ length }, (_, k) => k & 255)
      state.set('k', value)
      expect(state.get('k')).toEqual(value)
    }
    state.delete('k')
    expect(state.get('k')).toBeUndefined()
    state.set('k', '')
    expect(state.get('k')).toBe('')
    // A value that grows again after a delete must not lie on the words of another.
    state.set('other', 'o'.repeat(40))
    state.delete('k')
    state.set('k', 'x'.repeat(40))
    expect([state.get('k'), state.get('other')]).toEqual(['x'.repeat(40), 'o'.repeat(40)])
  })

  test('what is returned and what was given are copies', () => {
    const state = create()
    const value = { bytes: Uint8Array.of(1, 2, 3) }
    state.set('k', value)
    value.bytes[0] = 9
    const got = state.get<typeof value>('k')
    if (got !== undefined) got.bytes[1] = 9
    expect(state.get('k')).toEqual({ bytes: Uint8Array.of(1, 2, 3) })
  })

  test('what cannot be copied is refused, and the value before stays', () => {
    const state = create()
    state.set('k', 1)
    for (const bad of [undefined, () => 1, Symbol('s'), { f() {} }, Promise.resolve(), [new WeakMap()]]) {
      expect(() => state.set('k', bad)).toThrow(TypeError)
    }
    expect(state.get('k')).toBe(1)
  })

  test('keys come in the order of their UTF-8 bytes, by prefix, through deletes and clears', () => {
    const state = create()
    const keys = ['', 'a', 'a\u0000', 'a:1', 'a:10', 'a:2', 'ab', 'b', 'é', 'z', '\uffff', '\ufeffa', '\u{1f600}']
    keys.push('a'.repeat(200), '\ufeff'.repeat(40))
    const inOrder = (list: readonly string[]) =>
      [...list].sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)))
    for (const key of [...keys].reverse()) state.set(key, key.length)
    expect([...state.keys()]).toEqual(inOrder(keys))
    expect([...state.keys('a:')]).toEqual(['a:1', 'a:10', 'a:2'])
    expect([...state.entries('a:1')]).toEqual([
      ['a:1', 3],
      ['a:10', 4],
    ])
    expect([...state.keys('nothing')]).toEqual([])
    for (const half of ['a\ud800', '\udc00'.repeat(100)]) expect(() => state.set(half, 1)).toThrow(TypeError)
    expect(() =>
      state.set('a', {
        get b() {
          return state.set('b', 1)
        },
      }),
    ).toThrow(TypeError)
    expect(state.get('a')).toBe(1)
    state.delete('a:10')
    expect([...state.keys('a:')]).toEqual(['a:1', 'a:2'])
    state.clear()
    expect([...state.keys()]).toEqual([])
    state.set('b', 1)
    state.set('a', 2)
    expect([...state.keys()]).toEqual(['a', 'b'])
  })

  test('apply sets and deletes what plain data says', async () => {
    const state = createKeyValueState({ maxBytes: MIB, entries: { a: 'old', b: 'old' } })
    await state.apply({
      entries: [
        { key: 'a', value: { now: 7 } },
        { key: 'b', value: undefined },
        { key: 'c', value: 5n },
      ],
    })
    expect([...state.entries()]).toEqual([
      ['a', { now: 7 }],
      ['c', 5n],
    ])
  })

  test('nothing is changed while a run uses the state', async () => {
    const state = create()
    state.open(10)
    const busy = expect.objectContaining({ code: 'STATE_BUSY' })
    expect(() => state.set('a', 'x')).toThrow(busy)
    expect(() => state.delete('a')).toThrow(busy)
    await expect(state.apply({ entries: [] })).rejects.toEqual(busy)
    state.close([])
    state.set('a', 'x')
  })

  test('thousands of keys, past the first index, in order', () => {
    const state = create()
    const keys = Array.from({ length: 10_000 }, (_, n) => `key ${(n * 7919) % 10_000}`)
    for (const key of keys) state.set(key, `value of ${key}`)
    for (const key of keys) expect(state.get(key)).toBe(`value of ${key}`)
    expect([...state.keys('key ')]).toEqual([...keys].sort())
  })
})
