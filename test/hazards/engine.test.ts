/**
 * Hazards of DESIGN.md section 7 that belong to the scheduler and the multi-version memory, stepped in one thread,
 * so that the interleaving that once broke an engine is written down, and on the pool where threads make it.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Arena, ArenaFull } from '../../src/core/arena.ts'
import { Predicate } from '../../src/core/contracts.ts'
import { Control, Halt, Place } from '../../src/core/layout.ts'
import { Aborting, Executed, incarnationOf, MAX_INCARNATION, pack, Ready, stateOf } from '../../src/core/status.ts'
import { hashBytes } from '../../src/core/table.ts'
import { createKeyValueState, createTaskExecutor, type TaskCall, type TaskExecutor } from '../../src/tasks.ts'
import { Bench, layOut, schedulerOn } from '../support/engineMemory.ts'

const module = new URL('../support/taskModule.mjs', import.meta.url)
const MIB = 2 ** 20
const always = { speculation: 'always' as const }
const call = (task: string, input?: unknown): TaskCall => ({ task, input })

describe.each([
  ['a loop that never awaits', false],
  ['a loop that awaits', true],
] as const)('hazards of the engine, %s', (_loop, asynchronous) => {
  let executor: TaskExecutor
  beforeAll(async () => {
    executor = await createTaskExecutor(module, { asynchronous, workers: 4, memoryLimit: 64 * MIB })
  })
  afterAll(() => executor.close())

  test('hazard 1: a block is not done while a validation or a re-execution is owed', () => {
    const bench = new Bench(3)
    const [a, b] = [bench.view(), bench.view()]
    const { scheduler } = bench
    expect(scheduler.claim(3, 0)).toBe(1)
    // All executed, the last one on a stale value; nobody has validated anything.
    bench.execute(b, 3, () => bench.write(b, 'y', (bench.read(b, 'x') as bigint) + 1n))
    bench.execute(a, 1, () => bench.write(a, 'x', 5n))
    bench.execute(a, 2, () => undefined)
    expect([scheduler.claim(1, 0), scheduler.done()]).toEqual([-1, false])
    bench.commit(a, 1)
    bench.commit(a, 2)
    expect(scheduler.done()).toBe(false)
    // The validation has failed: the work is owed until the second execution is committed.
    expect(b.validate(3)).toBe(false)
    b.markEstimates(3)
    scheduler.abort(3)
    expect(scheduler.done()).toBe(false)
    bench.execute(b, 3, () => bench.write(b, 'y', (bench.read(b, 'x') as bigint) + 1n), true)
    expect(scheduler.done()).toBe(false)
    b.commit(3)
    scheduler.advance(4)
    expect(scheduler.done()).toBe(true)
    a.begin(4, true, true)
    expect(bench.read(a, 'y')).toBe(6n)
  })

  test('hazard 2: status and incarnation change in one word, so that no reader sees one without the other', () => {
    const engine = layOut(1)
    const scheduler = schedulerOn(engine)
    const word = engine[Control.PlaceTable] + Place.Size + Place.Status
    const seen: string[] = []
    const watch = (act: () => void) => {
      const before = engine.slice()
      act()
      const changed = [...before.keys()].filter((k) => before[k] !== engine[k])
      expect(changed).toEqual([word])
      seen.push(`${stateOf(engine[word])}.${incarnationOf(engine[word])}`)
    }
    watch(() => scheduler.executed(1))
    watch(() => scheduler.abort(1))
    watch(() => scheduler.executed(1))
    watch(() => scheduler.reset(1, 2))
    watch(() => scheduler.defer(1))
    watch(() => scheduler.abort(1))
    expect(seen).toEqual(['1.0', '3.1', '1.1', '0.2', '2.2', '3.3'])
  })

  test('hazard 3: a write of an old incarnation that the new one does not repeat is removed', async () => {
    const bench = new Bench(3)
    const [a, b] = [bench.view(), bench.view()]
    bench.state.setNumber('old', 1n)
    bench.execute(b, 2, () => {
      if (bench.read(b, 'x') === 0n) bench.write(b, 'old', 99n)
    })
    bench.execute(a, 1, () => bench.write(a, 'x', 1n))
    bench.commit(a, 1)
    bench.commit(b, 2, () => {
      if (bench.read(b, 'x') === 0n) bench.write(b, 'old', 99n)
    })
    a.begin(3, true, true)
    expect(bench.read(a, 'old')).toBe(1n)

    // On the pool: each link writes the traces only where it read a stale value, and the result has none.
    const links = Array.from({ length: 200 }, (_, index) => call('link', { index, ms: 0.01, own: 8 }))
    for (let repeat = 0; repeat < 20; repeat++) {
      const { stateDiff, results } = await executor.run(links, always)
      expect(results.map((result) => (result as { value: { seen: number } }).value.seen)).toEqual([...links.keys()])
      const state = createKeyValueState({ maxBytes: 2 * MIB })
      await state.apply(stateDiff)
      for (let k = 0; k < 8; k++) expect(state.get(`own${k}`)).toBe(k + 1)
    }
  })

  test('hazard 3: nor does it survive a stretch of the sequential path', async () => {
    // Slow at first, so that the other worker is far ahead when speculation gives way; what it wrote there on stale
    // values is withdrawn, and its entries are no longer its own when it runs there again.
    for (let repeat = 0; repeat < 10; repeat++) {
      const links = Array.from({ length: 700 }, (_, index) =>
        call('link', { index, ms: index < 40 ? 0.5 : 0, own: 100 }),
      )
      const { stateDiff, results, run } = await executor.run(links, { speculation: 'auto' })
      const wrong = results.findIndex((r, index) => (r as { value: { seen: number } }).value.seen !== index)
      expect({ wrong, fallbacks: run.fallbacks }).toEqual({ wrong: -1, fallbacks: run.fallbacks })
      const state = createKeyValueState({ maxBytes: 2 * MIB })
      await state.apply(stateDiff)
      for (let k = 0; k < 100; k++) expect(state.get(`own${k}`)).toBe(k + 1)
    }
  })

  test('hazard 4: a write to a new location is seen by the validation of places executed before it', () => {
    const bench = new Bench(4)
    const [a, b] = [bench.view(), bench.view()]
    bench.execute(b, 3, () => bench.write(b, 'z', bench.read(b, 'fresh') as bigint))
    bench.execute(b, 2, () => void bench.read(b, 'x'))
    bench.execute(a, 1, () => bench.write(a, 'x', 1n))
    bench.commit(a, 1)
    // The second execution of 2 writes where the first did not, below a place that has read there.
    expect(bench.commit(b, 2, () => bench.write(b, 'fresh', 7n))).toBe(false)
    expect(bench.commit(b, 3, () => bench.write(b, 'z', bench.read(b, 'fresh') as bigint))).toBe(false)
    a.begin(4, true, true)
    expect(bench.read(a, 'z')).toBe(7n)
  })

  test('hazard 12: a read of what is absent is a read: whoever creates it later conflicts', async () => {
    const bench = new Bench(2)
    const [a, b] = [bench.view(), bench.view()]
    bench.execute(b, 2, () => expect(bench.read(b, 'absent')).toBe(0n))
    bench.execute(a, 1, () => bench.write(a, 'absent', 1n))
    bench.commit(a, 1)
    expect(b.validate(2)).toBe(false)

    for (let repeat = 0; repeat < 30; repeat++) {
      const tasks = Array.from({ length: 40 }, (_, k) =>
        k % 2 === 0 ? call('put', [`new${k}`, 'here']) : call('readAll', [`new${k - 1}`, `new${k + 1}`]),
      )
      const { results } = await executor.run(tasks, always)
      for (let k = 1; k < 40; k += 2) expect(results[k]).toMatchObject({ value: ['here', null] })
    }
  })

  test('hazard 12: a range that is read conflicts with every key that comes or goes in it', async () => {
    for (let repeat = 0; repeat < 20; repeat++) {
      const entries = { 'r:b': 1, 'r:d': 1, 's:a': 1 }
      const state = createKeyValueState({ maxBytes: 2 * MIB, entries })
      const present = new Set(['r:b', 'r:d'])
      const expected: unknown[] = []
      const tasks = Array.from({ length: 80 }, (_, k) => {
        const key = `r:${String.fromCharCode(97 + ((k * 7) % 12))}`
        if (k % 4 === 1) {
          expected.push(undefined)
          present.add(key)
          return call('put', [key, 'here'])
        }
        if (k % 4 === 3) {
          expected.push(present.delete(key))
          return call('remove', key)
        }
        const limit = k % 3
        const keys = [...present].sort()
        expected.push(limit === 0 ? keys : keys.slice(0, limit))
        return call('keysOf', { prefix: 'r:', options: limit === 0 ? {} : { limit } })
      })
      const { results } = await executor.run(tasks, { ...always, state })
      expect(results.map((result) => (result as { value: unknown }).value)).toEqual(expected)
    }
    // Each counts the keys that all before it have made.
    const calls = Array.from({ length: 60 }, (_, k) => call('countAndAdd', { prefix: 'p:', name: String(k) }))
    const { results } = await executor.run(calls, always)
    expect(results.map((result) => (result as { value: unknown }).value)).toEqual([...calls.keys()])
  })

  test('hazard 13: between the check that a place may be committed and its commit nothing below can change', () => {
    const bench = new Bench(4)
    const { scheduler } = bench
    const [a, b] = [bench.view(), bench.view()]
    const other = schedulerOn(bench.engine)
    bench.execute(a, 1, () => bench.write(a, 'x', 1n))
    bench.execute(a, 2, () => bench.write(a, 'y', bench.read(a, 'x') as bigint))
    expect(scheduler.tryLock()).toBe(true)
    bench.commit(a, 1)
    expect(a.validate(2)).toBe(true)
    // Here another worker comes: it cannot commit, and what it may still execute lies above.
    expect(other.tryLock()).toBe(false)
    bench.execute(b, 3, () => bench.write(b, 'x', 100n))
    bench.execute(b, 4, () => bench.write(b, 'y', 100n))
    a.commit(2)
    scheduler.advance(3)
    scheduler.unlock()
    a.begin(3, true, true)
    expect([bench.read(a, 'x'), bench.read(a, 'y')]).toEqual([1n, 1n])
  })

  test('hazard 16: an estimate left by a place that then writes nothing does not stay', () => {
    const bench = new Bench(3)
    const [a, b] = [bench.view(), bench.view()]
    bench.execute(a, 2, () => {
      bench.read(a, 'x')
      bench.write(a, 'y', 2n)
    })
    bench.execute(b, 1, () => bench.write(b, 'x', 1n))
    bench.commit(b, 1)
    // The second execution fails, as a transaction does that cannot pay any more: it writes nothing.
    bench.commit(a, 2, () => undefined)
    b.begin(3, false, false)
    expect(bench.read(b, 'y')).toBe(0n)
    expect(bench.fold(b, 'y')).toBe(0n)
  })

  test('hazard 17: byte keys whose hashes are equal are different locations', async () => {
    const text = new TextEncoder()
    const byHash = new Map<number, string>()
    const pairs: (readonly [string, string])[] = []
    for (let k = 0; pairs.length < 2; k++) {
      // 16 bytes: with fewer the hash may be one-to-one.
      const key = `collision ${String(k).padStart(6, '0')}`
      const words = new Int32Array(text.encode(key).buffer.slice(0))
      const hash = hashBytes(words, 0, 16)
      const other = byHash.get(hash)
      if (other !== undefined) pairs.push([other, key])
      byHash.set(hash, key)
      if (k > 400_000) break
    }
    expect(pairs.length).toBeGreaterThan(0)
    const keys = pairs.flat()
    for (let repeat = 0; repeat < 20; repeat++) {
      const tasks = Array.from({ length: 100 }, (_, k) => call('increment', keys[k % keys.length]))
      const { stateDiff } = await executor.run(tasks, always)
      const state = createKeyValueState({ maxBytes: 2 * MIB })
      await state.apply(stateDiff)
      for (const key of keys) expect(state.get(key)).toBe(100 / keys.length)
    }
  })

  test('hazard 19: a task that throws in one incarnation only has not failed', async () => {
    for (let repeat = 0; repeat < 30; repeat++) {
      const tasks = Array.from({ length: 60 }, (_, k) =>
        k % 3 === 0 ? call('spin', 0.02) : k % 3 === 1 ? call('put', [`key${k}`, 'x']) : call('demand', `key${k - 1}`),
      )
      const { results } = await executor.run(tasks, always)
      for (let k = 2; k < 60; k += 3) expect(results[k]).toMatchObject({ status: 'done', value: 'found' })
    }
  })

  test('hazard 19: a task that always throws fails, with the error of its last incarnation', async () => {
    const { results } = await executor.run([call('put', ['other', 'x']), call('demand', 'never')], always)
    expect(results[1]).toMatchObject({ status: 'failed', error: { name: 'RangeError', message: 'never is missing' } })
  })

  test('hazard 20: a number that is read folds every addition below it', async () => {
    const bench = new Bench(6)
    const [a, b] = [bench.view(), bench.view()]
    bench.execute(b, 5, () => bench.expect(b, 'x', Predicate.ValueEquals, bench.fold(b, 'x') as bigint))
    for (const place of [1, 2, 3, 4]) bench.execute(a, place, () => bench.add(a, 'x', 10n))
    for (const place of [1, 2, 3, 4]) bench.commit(a, place)
    expect(b.validate(5)).toBe(false)

    for (let repeat = 0; repeat < 20; repeat++) {
      const tasks = Array.from({ length: 90 }, (_, k) =>
        k % 9 === 8 ? call('read', 'sum') : call('addTo', { key: 'sum', amount: 1 }),
      )
      const { results } = await executor.run(tasks, always)
      for (let k = 8; k < 90; k += 9) expect(results[k]).toMatchObject({ value: ((k + 1) / 9) * 8 })
    }
  })

  test('hazard 21: the last incarnation can be counted, the one after it is refused', () => {
    const engine = layOut(1)
    const scheduler = schedulerOn(engine)
    const word = engine[Control.PlaceTable] + Place.Size + Place.Status
    engine[word] = pack(MAX_INCARNATION - 1, Executed)
    expect(scheduler.abort(1)).toBe(true)
    expect([stateOf(engine[word]), incarnationOf(engine[word])]).toEqual([Aborting, MAX_INCARNATION])
    scheduler.executed(1)
    expect([stateOf(engine[word]), incarnationOf(engine[word])]).toEqual([Executed, MAX_INCARNATION])
    expect(scheduler.abort(1)).toBe(false)
    expect(engine[word]).toBe(pack(MAX_INCARNATION, Executed))
    expect(stateOf(pack(0, Ready))).toBe(Ready)
  })

  test('hazard 21: an arena ends in an error before an offset wraps, however often it is asked', () => {
    const engine = layOut(1, { words: 1 << 18 })
    const arena = new Arena(engine)
    arena.begin()
    let last = 0
    expect(() => {
      for (;;) {
        const at = arena.take(1000)
        expect(at).toBeGreaterThan(last)
        expect(at + 1000).toBeLessThanOrEqual(engine.length)
        last = at
      }
    }).toThrow(ArenaFull)
    for (let k = 0; k < 100; k++) expect(() => arena.take(100_000)).toThrow(ArenaFull)
    // The bump pointer at its largest: the next chunk would wrap.
    engine[Control.ArenaNext] = 0x7fffffff
    expect(() => arena.take(1 << 20)).toThrow(ArenaFull)
    expect(() => arena.take(1 << 20)).toThrow(ArenaFull)
  })

  test('hazard 21: a run that fills its memory ends in CAPACITY, and never in a wrong result', async () => {
    const small = await createTaskExecutor(module, { workers: 2, memoryLimit: 16 * MIB })
    try {
      const keys = Array.from({ length: 50 }, (_, k) => `k${k}`)
      for (let tasks = 4; tasks <= 24; tasks += 4) {
        const state = createKeyValueState({
          maxBytes: 2 * MIB,
          entries: Object.fromEntries(keys.map((k) => [k, 'base'])),
        })
        const calls = Array.from({ length: tasks }, () => call('writeAndFill', { keys, bytes: MIB }))
        let full = false
        try {
          const { results } = await small.run(calls, { ...always, state })
          expect(results.every(({ status }) => status === 'done')).toBe(true)
        } catch (error) {
          expect(error).toMatchObject({ code: 'CAPACITY', fields: { limit: 16 * MIB } })
          full = true
        }
        expect(full).toBe(tasks > 15)
        // The same state, as it was before.
        const { results } = await small.run([call('put', ['k0', 'new']), call('readAll', keys)], { ...always, state })
        expect(results[1]).toMatchObject({ value: ['new', ...keys.slice(1).map(() => 'base')] })
      }
    } finally {
      await small.close()
    }
  })

  test('a halted run says why once', () => {
    const { scheduler, engine } = new Bench(1)
    scheduler.halt(Halt.Capacity)
    scheduler.halt(Halt.Fault)
    expect(engine[Control.Halt]).toBe(Halt.Capacity)
  })
})
