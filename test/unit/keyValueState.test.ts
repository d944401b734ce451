/** The state of tasks: values by key, in the order of the keys. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { KeyBuffer } from '../../src/core/bytes.ts'
import { BytesRecord, RECORD_WORDS } from '../../src/core/location.ts'
import { LocationTable, StateHeader } from '../../src/core/table.ts'
import { createKeyValueState, type KeyValueChange, type KeyValueState } from '../../src/tasks.ts'

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

  test('what is no text is no key', async () => {
    const state = create()
    const notText = [5, null, undefined, true, ['a'], new String('a'), Symbol('s')] as unknown as string[]
    for (const key of notText) {
      for (const use of [
        () => state.set(key, 1),
        () => state.get(key),
        () => state.has(key),
        () => state.delete(key),
        () => createKeyValueState({ maxBytes: MIB, entries: new Map([[key, 1]]) }),
        () => (key === undefined ? state.set(key, 1) : [...state.keys(key)]),
      ]) {
        expect(use).toThrow(TypeError)
      }
      await expect(state.apply({ entries: [{ key, value: 1 }] })).rejects.toThrow(TypeError)
    }
    expect([...state.keys()]).toEqual([])
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

  test('apply changes all or nothing', async () => {
    const state = createKeyValueState({ maxBytes: MIB, entries: { a: 1, b: 'old', c: 3 } })
    const before = [...state.entries()]
    const huge = new Uint8Array(2 * MIB)
    const long = 'k'.repeat(400_000)
    for (const last of [
      { key: 'b', value: () => 1 },
      { key: '\ud800', value: 1 },
      { key: 'b', value: huge },
      { key: 'new', value: huge },
      { key: long.repeat(3), value: 1 },
    ]) {
      const entries = [
        { key: 'a', value: 2 },
        { key: 'd', value: 'x'.repeat(500) },
        { key: long, value: 4 },
        { key: 'c', value: undefined },
        last,
      ]
      for (let time = 0; time < 4; time++) await expect(state.apply({ entries })).rejects.toThrow()
      expect([...state.entries()]).toEqual(before)
    }
    await state.apply({ entries: [{ key: long, value: 4 }] })
    expect([...state.keys()]).toEqual(['a', 'b', 'c', long])
  })

  test('of changes of one key the last one counts', async () => {
    const state = createKeyValueState({ maxBytes: MIB, entries: { b: 1 } })
    await state.apply({
      entries: [
        { key: 'a', value: 1 },
        { key: 'b', value: undefined },
        { key: 'a', value: undefined },
        { key: 'b', value: 'x'.repeat(300) },
      ],
    })
    expect([...state.entries()]).toEqual([['b', 'x'.repeat(300)]])
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

describe('keyValueState: a state that is kept', () => {
  const used = (state: KeyValueState) => state.words[StateHeader.Next] as number
  const bytes = (length: number, seed = length) => Uint8Array.from({ length }, (_, k) => (k * 7 + seed) & 255)
  const expectBytes = (got: Uint8Array | undefined, expected: Uint8Array) =>
    expect(got !== undefined && Buffer.compare(got, expected) === 0).toBe(true)
  const small = () => createKeyValueState({ maxBytes: MIB })
  const queue = (n: number) => `job:${String(n).padStart(40, '0')}`

  test.each<[string, (state: KeyValueState, round: number) => void]>([
    ['a value that is longer and shorter by turns', (state, n) => state.set('a', bytes(n % 2 === 0 ? 400 : 200))],
    ['a value that does not fit into its record by turns', (state, n) => state.set('a', n % 2 === 0 ? bytes(90) : n)],
    ['a key that comes and goes', (state, n) => (n % 2 === 0 ? state.set('a', bytes(300)) : state.delete('a'))],
    ['keys that never were', (state, n) => state.delete(queue(n))],
    [
      'a queue of new keys, long and short',
      (state, n) => {
        state.set(queue(n), bytes(n % 300))
        state.set(`job ${n}`, n)
        state.delete(queue(n - 10))
        state.delete(`job ${n - 10}`)
      },
    ],
  ])('%s: no more memory is used', (_, change) => {
    const state = small()
    let n = 0
    for (; n < 3000; n++) change(state, n)
    const before = used(state)
    for (; n < 20_000; n++) change(state, n)
    expect(used(state)).toBe(before)
  })

  test('a list that grows takes some times its length', async () => {
    const state = small()
    const items: string[] = []
    for (let n = 0; n < 2000; n++) {
      items.push('i'.repeat(60))
      if (n % 10 === 0) await state.apply({ entries: [{ key: 'list', value: items }] })
    }
    expect(state.get('list')).toHaveLength(1991)
  })

  test('runs that add a key each take a record each, no more', async () => {
    const state = small()
    state.set('first', 1)
    const before = used(state)
    for (let n = 0; n < 320; n++) {
      state.open(10)
      state.close([])
      await state.apply({ entries: [{ key: `k${n}`, value: n }] })
    }
    expect(used(state) - before).toBeLessThanOrEqual(352 * RECORD_WORDS)
  })

  test('room of every size is used again, and a full state takes what fits into it', () => {
    const state = small()
    const sizes = Array.from({ length: 40 }, (_, k) => Math.round(40 * 1.15 ** k))
    for (let round = 0; round < 30; round++) {
      for (const size of sizes) state.set(`k${size}`, bytes(size, round))
      for (const size of sizes) expectBytes(state.get(`k${size}`), bytes(size, round))
      for (const size of sizes) state.delete(`k${size}`)
    }
    const full = expect.objectContaining({ code: 'CAPACITY' })
    const fill = () => {
      let n = 0
      try {
        for (; ; n++) state.set(`fill ${n}`, bytes(900, n))
      } catch (error) {
        expect(error).toEqual(full)
      }
      return n
    }
    const count = fill()
    expect(() => state.set('fill 0', bytes(MIB))).toThrow(full)
    for (let n = 0; n < count; n++) expectBytes(state.get(`fill ${n}`), bytes(900, n))
    for (let n = 0; n < count; n++) state.delete(`fill ${n}`)
    expect([...state.keys()]).toEqual([])
    expect(fill()).toBe(count)
    state.clear()
    expect(fill()).toBeGreaterThanOrEqual(count)
  })

  test('whoever walks along the keys may delete and put them', () => {
    const state = small()
    const names = Array.from({ length: 300 }, (_, k) => `k${String(k).padStart(3, '0')}`)
    for (const name of names) state.set(name, 1)
    const seen: string[] = []
    for (const name of state.keys()) {
      seen.push(name)
      state.delete(name)
      state.set(`a${name}`, 2)
    }
    expect(seen).toEqual(names)
    for (const [name] of state.entries('a')) {
      state.clear()
      state.set('z', name)
    }
    expect([...state.entries()]).toEqual([['z', 'ak000']])
  })

  test('any changes between runs: what threads find is what is there (T1, T4)', async () => {
    const key = fc.nat(30).map((n) => (n % 3 === 0 ? `${n}`.padStart(30, 'long ') : `k${n}`))
    const change = fc.record({
      key,
      value: fc.option(
        fc.oneof(
          fc.nat(),
          fc.nat(700).map((n) => bytes(n)),
        ),
        { nil: undefined },
      ),
    })
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ apply: fc.array(change, { maxLength: 12 }) }) },
      { weight: 6, arbitrary: fc.record({ apply: fc.array(change, { maxLength: 1 }) }) },
      { weight: 4, arbitrary: fc.record({ run: fc.array(key), fails: fc.boolean() }) },
      { weight: 1, arbitrary: fc.constant({ grow: true }) },
      { weight: 1, arbitrary: fc.constant({ clear: true }) },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const state = small()
        const model = new Map<string, unknown>()
        const threads = [new LocationTable(state.words), new LocationTable(state.words)]
        for (const step of steps) {
          if ('clear' in step) {
            state.clear()
            model.clear()
          } else if ('grow' in step) {
            if (used(state) < 100_000) state.grow()
          } else if ('apply' in step) {
            const [first] = step.apply
            if (step.apply.length > 1) await state.apply({ entries: step.apply as KeyValueChange[] })
            else if (first?.value !== undefined) state.set(first.key, first.value)
            else if (first !== undefined) state.delete(first.key)
            for (const { key, value } of step.apply) {
              if (value === undefined) model.delete(key)
              else model.set(key, value)
            }
          } else {
            state.open(10)
            for (const thread of threads) thread.begin()
            for (const name of step.run) {
              const { words, bytes } = new KeyBuffer().set(name)
              const [r, same] = threads.map((thread) => thread.bytes(words, 0, bytes)) as [number, number]
              expect(same).toBe(r)
              expect((state.words[r + BytesRecord.Value] as number) >= 0).toBe(model.has(name))
              expect(r < (state.words[StateHeader.RunStart] as number)).toBe(model.has(name))
            }
            if (step.fails) state.scrub()
            else state.close(threads.map((thread) => thread.inserted))
          }
          expect([...state.entries()]).toEqual([...model].sort(([a], [b]) => (a < b ? -1 : 1)))
          for (let n = 0; n <= 30; n++) expect(state.has(`k${n}`)).toBe(model.has(`k${n}`))
        }
      }),
      { numRuns: 60 },
    )
  })
})
