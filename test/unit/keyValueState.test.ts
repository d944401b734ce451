/** The state of tasks: bytes and numbers by key. */
import { describe, expect, test } from 'vitest'
import { createKeyValueState } from '../../src/tasks.ts'

const MIB = 2 ** 20
const create = () => createKeyValueState({ maxBytes: 16 * MIB })
const text = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : new TextDecoder().decode(bytes))

describe('keyValueState', () => {
  test('bytes, text and numbers to begin with', () => {
    const state = createKeyValueState({ maxBytes: MIB, entries: { a: 'hello', b: Uint8Array.of(1, 2, 3), c: 9n } })
    expect(text(state.get('a'))).toBe('hello')
    expect(state.get('b')).toEqual(Uint8Array.of(1, 2, 3))
    expect(state.number('c')).toBe(9n)
    expect(state.get('c')).toBeUndefined()
    expect(state.number('a')).toBe(0n)
  })

  test('values of any length are kept, replaced and deleted; nothing is not the empty string', () => {
    const state = create()
    for (const length of [0, 1, 3, 4, 5, 31, 32, 33, 1000, 2]) {
      const value = Uint8Array.from({ length }, (_, k) => k & 255)
      state.set('k', value)
      expect(state.get('k')).toEqual(value)
    }
    state.delete('k')
    expect(state.get('k')).toBeUndefined()
    state.set('k', '')
    expect(state.get('k')).toEqual(new Uint8Array(0))
    // A value that grows again after a delete must not lie on the words of another.
    state.set('other', 'o'.repeat(40))
    state.delete('k')
    state.set('k', 'x'.repeat(40))
    expect([text(state.get('k')), text(state.get('other'))]).toEqual(['x'.repeat(40), 'o'.repeat(40)])
  })

  test('what is returned and what was given are copies', () => {
    const state = create()
    const value = Uint8Array.of(1, 2, 3)
    state.set('k', value)
    value[0] = 9
    const got = state.get('k') as Uint8Array
    got[1] = 9
    expect(state.get('k')).toEqual(Uint8Array.of(1, 2, 3))
  })

  test('keys are bytes: text and its UTF-8 are one key, a longer one is another', () => {
    const state = create()
    state.set('é', 'text')
    expect(text(state.get(new TextEncoder().encode('é')))).toBe('text')
    state.set(Uint8Array.of(0), 'zero')
    state.set(Uint8Array.of(0, 0), 'zeros')
    state.set(new Uint8Array(0), 'nothing')
    expect([[], [0], [0, 0]].map((key) => text(state.get(Uint8Array.from(key))))).toEqual(['nothing', 'zero', 'zeros'])
  })

  test('numbers are from 0 to 2^256 - 1', () => {
    const state = create()
    state.setNumber('n', 2n ** 256n - 1n)
    expect(state.number('n')).toBe(2n ** 256n - 1n)
    for (const bad of [-1n, 2n ** 256n]) {
      expect(() => state.setNumber('n', bad)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
    }
    expect(state.number('n')).toBe(2n ** 256n - 1n)
  })

  test('apply sets, deletes and counts', async () => {
    const state = create()
    state.set('a', 'old')
    state.set('b', 'old')
    const key = (name: string) => new TextEncoder().encode(name)
    await state.apply({
      entries: [
        { key: key('a'), value: Uint8Array.of(7) },
        { key: key('b'), value: null },
        { key: key('c'), number: 5n },
      ],
    })
    expect([state.get('a'), state.get('b'), state.number('c')]).toEqual([Uint8Array.of(7), undefined, 5n])
  })

  test('nothing is changed while a run uses the state', async () => {
    const state = create()
    state.open(10)
    const busy = expect.objectContaining({ code: 'STATE_BUSY' })
    expect(() => state.set('a', 'x')).toThrow(busy)
    expect(() => state.delete('a')).toThrow(busy)
    expect(() => state.setNumber('a', 1n)).toThrow(busy)
    await expect(state.apply({ entries: [] })).rejects.toEqual(busy)
    state.close([])
    state.set('a', 'x')
  })

  test('thousands of keys, past the first index', () => {
    const state = create()
    for (let n = 0; n < 10_000; n++) state.set(`key ${n}`, `value ${n}`)
    for (let n = 0; n < 10_000; n++) expect(text(state.get(`key ${n}`))).toBe(`value ${n}`)
  })
})
