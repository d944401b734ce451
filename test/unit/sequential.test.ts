/** The oracle's memory: an overlay in which the last write counts, and whose result has the form of a speculative one. */
import { describe, expect, test } from 'vitest'
import { Control, Entry } from '../../src/core/layout.ts'
import { Kind } from '../../src/core/location.ts'
import { fromBigInt, toBigInt } from '../../src/core/words.ts'
import { SequentialMemory } from '../../src/executor/sequential.ts'
import { Bench } from '../support/engineMemory.ts'

const open = (dense?: string) => {
  const bench = new Bench(20, dense === undefined ? {} : { dense })
  const memory = new SequentialMemory(bench.engine, bench.state.table)
  memory.beginRun()
  const words = new Int32Array(16)
  const at = (key: string) => bench.location(key)
  return {
    bench,
    memory,
    at,
    write(key: string, value: bigint) {
      fromBigInt(value, words, 0)
      memory.write(at(key), Kind.Balance, words, 0)
    },
    add(key: string, delta: bigint) {
      fromBigInt(BigInt.asUintN(256, delta), words, 0)
      memory.add(at(key), words, 0)
    },
    read(key: string, floor = 0): bigint | 'cleared' {
      const seen = memory.read(at(key), Kind.Balance, floor)
      return seen === -1 ? 'cleared' : seen === 0 ? bench.state.number(key) : toBigInt(bench.engine, seen)
    },
    fold(key: string) {
      memory.fold(at(key), words, 8)
      return toBigInt(words, 8)
    },
  }
}

describe('sequential memory', () => {
  test('a place reads what the last place wrote, and the base before that', () => {
    const s = open()
    s.bench.state.setNumber('x', 7n)
    s.memory.begin(1)
    expect(s.read('x')).toBe(7n)
    s.write('x', 8n)
    s.memory.begin(2)
    expect([s.read('x'), s.fold('x')]).toEqual([8n, 8n])
    s.add('x', -3n)
    s.memory.begin(3)
    expect(s.read('x')).toBe(5n)
  })

  test('a floor hides what lies below it', () => {
    const s = open()
    s.bench.state.setNumber('x', 7n)
    s.memory.begin(3)
    expect(s.read('x', 2)).toBe('cleared')
    s.write('x', 8n)
    s.memory.begin(9)
    expect([s.read('x', 4), s.read('x', 5)]).toEqual([8n, 'cleared'])
  })

  test('each location written has one entry in one chain', () => {
    const s = open()
    for (let place = 1; place <= 10; place++) {
      s.memory.begin(place)
      s.write('x', BigInt(place))
      s.write(`y${place % 3}`, 1n)
    }
    const found: number[] = []
    for (let entry = s.memory.written; entry !== 0; entry = s.bench.engine[entry + Entry.Chain]) {
      found.push(s.bench.engine[entry + Entry.Location])
    }
    expect(found.sort()).toEqual(['x', 'y0', 'y1', 'y2'].map(s.at).sort())
  })

  test('dense deltas are part of every fold, and settled once', () => {
    const s = open('fees')
    s.bench.state.setNumber('fees', 100n)
    const fee = Int32Array.of(5, 0, 0, 0, 0, 0, 0, 0)
    s.memory.begin(1)
    s.memory.dense(fee, 0)
    s.memory.begin(2)
    expect(s.fold('fees')).toBe(105n)
    s.add('fees', -50n)
    s.memory.dense(fee, 0)
    s.memory.begin(3)
    expect(s.fold('fees')).toBe(60n)
    s.memory.settleDense(21)
    s.memory.begin(22)
    expect(s.read('fees')).toBe(60n)
    expect(s.bench.engine[Control.DenseSum] === 0 || s.fold('fees') === 60n).toBe(true)
  })

  test('a stretch after speculation goes on from what is committed, past what was withdrawn', () => {
    const s = open()
    const { bench } = s
    const view = bench.view()
    for (const place of [1, 2, 5]) bench.execute(view, place, () => bench.write(view, 'x', BigInt(place)))
    bench.commit(view, 1)
    for (const place of [2, 5]) view.withdraw(place, 2)
    view.forgetWalks()
    s.memory.begin(2)
    expect(s.read('x')).toBe(1n)
    s.write('x', 22n)
    s.memory.begin(3)
    expect(s.read('x')).toBe(22n)
  })

  test('a place that speculates again after the stretch leaves what the stretch wrote (hazard 3)', () => {
    const s = open()
    const { bench } = s
    const view = bench.view()
    bench.execute(view, 1, () => bench.write(view, 'y', 1n))
    bench.execute(view, 5, () => bench.write(view, 'x', 55n))
    bench.commit(view, 1)
    view.withdraw(5, 2)
    view.forgetWalks()
    bench.scheduler.reset(2, 6)
    s.memory.begin(3)
    s.write('x', 33n)
    // Place 5 again: this time it does not write x, and what it takes back is its own alone.
    bench.execute(view, 5, () => undefined)
    view.begin(6, true, true)
    expect(bench.read(view, 'x')).toBe(33n)
  })
})
