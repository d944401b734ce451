/** Multi-version memory in one thread: every interleaving that matters is written down step by step. */
import { describe, expect, test } from 'vitest'
import { Predicate } from '../../src/core/contracts.ts'
import { Control } from '../../src/core/layout.ts'
import { toBigInt } from '../../src/core/words.ts'
import { Bench } from '../support/engineMemory.ts'

const LIMIT = 1n << 256n

describe('mvmemory: reads', () => {
  test('a reader sees the newest write below its place, and the base below all', () => {
    const bench = new Bench(9)
    bench.state.setNumber('x', 7n)
    const [a, b] = [bench.view(), bench.view()]
    // Not in order: entries are sorted when they are linked.
    for (const place of [5, 2, 8]) bench.execute(a, place, () => bench.write(a, 'x', BigInt(place)))
    const seenAt = (place: number) => {
      b.begin(place, false, false)
      return bench.read(b, 'x')
    }
    expect([1, 2, 3, 5, 6, 8, 9].map(seenAt)).toEqual([7n, 7n, 2n, 2n, 5n, 5n, 8n])
  })

  test('a place does not read its own earlier incarnation', () => {
    const bench = new Bench(3)
    const a = bench.view()
    bench.execute(a, 2, () => bench.write(a, 'x', 2n))
    a.begin(2, true, true)
    expect(bench.read(a, 'x')).toBe(0n)
  })

  test('floor: what was written before a storage generation is invisible, what its own place wrote is not', () => {
    const bench = new Bench(9)
    bench.state.setNumber('x', 7n)
    const a = bench.view()
    bench.execute(a, 2, () => bench.write(a, 'x', 2n))
    a.begin(6, false, false)
    expect(bench.read(a, 'x', 3)).toBe(2n)
    expect(bench.read(a, 'x', 4)).toBe('cleared')
    expect(bench.read(a, 'y', 4)).toBe('cleared')
    // The prologue's generation: the base alone is hidden.
    expect(bench.read(a, 'y', 1)).toBe('cleared')
    bench.execute(a, 3, () => bench.write(a, 'x', 3n))
    a.begin(6, false, false)
    expect(bench.read(a, 'x', 4)).toBe(3n)
  })

  test('an estimate blocks a reader once nobody resolves it', () => {
    const bench = new Bench(3)
    const [a, b] = [bench.view(), bench.view()]
    bench.execute(a, 1, () => bench.write(a, 'x', 1n))
    a.markEstimates(1)
    b.begin(2, false, false)
    expect(bench.read(b, 'x')).toBe('blocked')
    expect(bench.fold(b, 'x')).toBeUndefined()
    // The next incarnation does not write it: the mark is gone with the write.
    bench.execute(a, 1, () => undefined, true)
    b.begin(2, false, false)
    expect(bench.read(b, 'x')).toBe(0n)
  })
})

describe('mvmemory: validation', () => {
  /** Place 2 reads x; place 1 then ends with `before`, is validated and committed; does the read stand? */
  const readThen = (first: bigint | undefined, second: bigint | undefined, floor = 0) => {
    const bench = new Bench(3)
    bench.state.setNumber('x', 7n)
    const [a, b] = [bench.view(), bench.view()]
    if (first !== undefined) bench.execute(a, 1, () => bench.write(a, 'x', first))
    bench.execute(b, 2, () => void bench.read(b, 'x', floor))
    a.markEstimates(1)
    bench.execute(a, 1, () => {
      if (second !== undefined) bench.write(a, 'x', second)
    })
    expect(bench.commit(a, 1)).toBe(true)
    return b.validate(2)
  }

  test('passes where nothing changed', () => expect(readThen(undefined, undefined)).toBe(true))
  test('fails where a write appeared', () => expect(readThen(undefined, 8n)).toBe(false))
  test('fails where the write went away', () => expect(readThen(8n, undefined)).toBe(false))
  test('fails where another value was written', () => expect(readThen(8n, 9n)).toBe(false))
  test('passes for a different record with equal words', () => expect(readThen(8n, 8n)).toBe(true))
  test('passes where the base value was written again', () => expect(readThen(undefined, 7n)).toBe(true))
  test('passes where a write of the base value went away', () => expect(readThen(7n, undefined)).toBe(true))
  test('passes for zero written over a cleared slot', () => expect(readThen(undefined, 0n, 1)).toBe(true))
  test('fails for a value written over a cleared slot', () => expect(readThen(undefined, 4n, 1)).toBe(false))

  test('ValueEquals and AtLeast look at the folded value below the place, not at its own write', () => {
    const bench = new Bench(4)
    bench.state.setNumber('x', 10n)
    const a = bench.view()
    bench.execute(a, 1, () => bench.add(a, 'x', 5n))
    const passes = (predicate: 1 | 2, value: bigint): boolean => {
      const b = bench.view()
      bench.execute(b, 2, () => {
        bench.expect(b, 'x', predicate, value)
        bench.write(b, 'x', 1000n)
      })
      return b.validate(2)
    }
    bench.commit(a, 1)
    expect(passes(Predicate.ValueEquals, 15n)).toBe(true)
    expect(passes(Predicate.ValueEquals, 10n)).toBe(false)
    expect(passes(Predicate.ValueEquals, 1000n)).toBe(false)
    expect(passes(Predicate.AtLeast, 15n)).toBe(true)
    expect(passes(Predicate.AtLeast, 16n)).toBe(false)
  })

  test('a failed validation changes nothing and marks its location as watched', () => {
    const bench = new Bench(3)
    const [a, b] = [bench.view(), bench.view()]
    bench.execute(b, 2, () => bench.write(b, 'y', bench.read(b, 'x') === 0n ? 1n : 2n))
    bench.execute(a, 1, () => bench.write(a, 'x', 5n))
    bench.commit(a, 1)
    expect(b.validate(2)).toBe(false)
    a.begin(3, true, true)
    expect(bench.read(a, 'y')).toBe(1n)
    // Executed again, strictly, it sees the truth.
    expect(bench.commit(b, 2, () => bench.write(b, 'y', bench.read(b, 'x') === 0n ? 1n : 2n))).toBe(false)
    a.begin(3, true, true)
    expect(bench.read(a, 'y')).toBe(2n)
  })
})

describe('mvmemory: writes', () => {
  test('a write that the next incarnation does not repeat is gone (M3)', () => {
    const bench = new Bench(3)
    bench.state.setNumber('x', 7n)
    const a = bench.view()
    bench.execute(a, 1, () => {
      bench.write(a, 'x', 1n)
      bench.write(a, 'y', 1n)
    })
    a.markEstimates(1)
    bench.execute(a, 1, () => bench.write(a, 'y', 2n), true)
    a.begin(2, true, true)
    expect([bench.read(a, 'x'), bench.read(a, 'y')]).toEqual([7n, 2n])
  })

  test('withdrawn writes are invisible, and may be written again', () => {
    const bench = new Bench(4)
    const a = bench.view()
    for (const place of [1, 2, 3]) bench.execute(a, place, () => bench.write(a, 'x', BigInt(place)))
    for (const place of [2, 3]) a.withdraw(place, 2)
    a.forgetWalks()
    a.begin(4, true, true)
    expect(bench.read(a, 'x')).toBe(1n)
    bench.execute(a, 3, () => bench.write(a, 'x', 33n))
    a.begin(4, true, true)
    expect(bench.read(a, 'x')).toBe(33n)
  })

  test('more reads and writes than the first buffers hold', () => {
    const bench = new Bench(3)
    const a = bench.view()
    bench.execute(a, 1, () => {
      for (let k = 0; k < 2000; k++) bench.write(a, `k${k}`, BigInt(k))
    })
    bench.execute(a, 2, () => {
      for (let k = 0; k < 2000; k++) expect(bench.read(a, `k${k}`)).toBe(BigInt(k))
    })
    expect(bench.commit(a, 1)).toBe(true)
    expect(bench.commit(a, 2)).toBe(true)
  })

  test('each location is in exactly one chain of first entries', () => {
    const bench = new Bench(4)
    const [a, b] = [bench.view(), bench.view()]
    bench.execute(a, 1, () => bench.write(a, 'x', 1n))
    bench.execute(b, 2, () => {
      bench.write(b, 'x', 2n)
      bench.write(b, 'y', 2n)
    })
    const locations = [a, b].flatMap((view) => {
      const found: number[] = []
      for (let entry = view.written; entry !== 0; entry = bench.engine[entry + 4]) found.push(bench.engine[entry + 3])
      return found
    })
    expect(locations.sort()).toEqual([bench.location('x'), bench.location('y')].sort())
  })
})

describe('mvmemory: deltas', () => {
  test('deltas are folded over values and base, newest value wins', () => {
    const bench = new Bench(9)
    bench.state.setNumber('x', 100n)
    const a = bench.view()
    bench.execute(a, 1, () => bench.add(a, 'x', 5n))
    bench.execute(a, 2, () => bench.add(a, 'x', -30n))
    bench.execute(a, 4, () => bench.write(a, 'x', 1000n))
    bench.execute(a, 5, () => bench.add(a, 'x', 1n))
    const foldedAt = (place: number) => {
      a.begin(place, false, false)
      return bench.fold(a, 'x')
    }
    expect([1, 2, 3, 4, 5, 6].map(foldedAt)).toEqual([100n, 105n, 75n, 75n, 1000n, 1001n])
  })

  test('a guess gives up after as many deltas as it is worth', () => {
    const bench = new Bench(9)
    const a = bench.view()
    for (let place = 1; place <= 5; place++) bench.execute(a, place, () => bench.add(a, 'x', 1n))
    a.begin(6, false, false)
    expect(bench.fold(a, 'x', 4)).toBeUndefined()
    expect(bench.fold(a, 'x', 5)).toBe(5n)
  })

  test('a sum that falls below zero on the way is no guess, let alone an exact one', () => {
    // Both debits were made while a credit below them was still to come; an EVM that is given 2^256 - 3 as a balance
    // finds that the next credit overflows.
    const bench = new Bench(4)
    bench.state.setNumber('x', 10n)
    const a = bench.view()
    bench.execute(a, 2, () => bench.add(a, 'x', -6n, 6n))
    bench.execute(a, 3, () => bench.add(a, 'x', -7n, 7n))
    a.begin(4, false, false)
    for (const limit of [4, Number.MAX_SAFE_INTEGER]) expect(bench.fold(a, 'x', limit)).toBeUndefined()
  })

  test('commit turns a delta into the value, so that the next fold is one step (M1)', () => {
    const bench = new Bench(9)
    bench.state.setNumber('x', 10n)
    const a = bench.view()
    for (let place = 1; place <= 6; place++) bench.execute(a, place, () => bench.add(a, 'x', BigInt(place)))
    for (let place = 1; place <= 6; place++) expect(bench.commit(a, place)).toBe(true)
    a.begin(7, true, true)
    expect(bench.fold(a, 'x', 1)).toBe(31n)
    expect(bench.read(a, 'x')).toBe(31n)
  })

  test('a bound is checked against what is below, at commit', () => {
    const bench = new Bench(9)
    bench.state.setNumber('x', 10n)
    const a = bench.view()
    bench.execute(a, 1, () => bench.add(a, 'x', -10n, 10n))
    bench.execute(a, 2, () => bench.add(a, 'x', -1n, 1n))
    bench.execute(a, 3, () => bench.add(a, 'x', 4n))
    expect(bench.commit(a, 1)).toBe(true)
    expect(bench.commit(a, 2)).toBe(false)
    expect(bench.commit(a, 2, () => undefined)).toBe(false)
    expect(bench.commit(a, 3)).toBe(true)
    a.begin(4, true, true)
    expect(bench.read(a, 'x')).toBe(4n)
  })

  test('a sum that passes 2^256 or falls below zero does not commit', () => {
    for (const [start, delta] of [
      [LIMIT - 1n, 1n],
      [5n, -6n],
    ] as const) {
      const bench = new Bench(2)
      bench.state.setNumber('x', start)
      const a = bench.view()
      bench.execute(a, 1, () => bench.add(a, 'x', delta))
      expect(a.validate(1)).toBe(false)
    }
  })

  test('a reader of the exact value conflicts with a delta below it that came later', () => {
    const bench = new Bench(3)
    const [a, b] = [bench.view(), bench.view()]
    bench.execute(b, 2, () => bench.expect(b, 'x', Predicate.ValueEquals, bench.fold(b, 'x') ?? -1n))
    bench.execute(a, 1, () => bench.add(a, 'x', 3n))
    bench.commit(a, 1)
    expect(b.validate(2)).toBe(false)
  })
})

describe('mvmemory: the dense location', () => {
  const fee = Int32Array.of(3, 0, 0, 0, 0, 0, 0, 0)

  test('dense deltas are summed at commit and settled at the end', () => {
    const bench = new Bench(5, { dense: 'fees' })
    bench.state.setNumber('fees', 100n)
    const a = bench.view()
    for (let place = 1; place <= 5; place++) bench.execute(a, place, () => a.dense(fee, 0))
    for (let place = 1; place <= 5; place++) expect(bench.commit(a, place)).toBe(true)
    expect(toBigInt(bench.engine, Control.DenseSum)).toBe(15n)
    a.settleDense(6)
    expect(toBigInt(bench.engine, Control.DenseSum)).toBe(0n)
    a.begin(7, true, true)
    expect(bench.read(a, 'fees')).toBe(115n)
  })

  test('speculation cannot fold it; a strict execution sees every fee below', () => {
    const bench = new Bench(5, { dense: 'fees' })
    const [a, b] = [bench.view(), bench.view()]
    bench.execute(a, 1, () => a.dense(fee, 0))
    b.begin(2, false, false)
    expect(bench.fold(b, 'fees')).toBeUndefined()
    bench.commit(a, 1)
    b.begin(2, true, true)
    expect(bench.fold(b, 'fees')).toBe(3n)
  })

  test('a debit of it counts the fees below, and takes them into its entry', () => {
    const bench = new Bench(5, { dense: 'fees' })
    const a = bench.view()
    bench.execute(a, 1, () => a.dense(fee, 0))
    bench.execute(a, 2, () => {
      bench.add(a, 'fees', -2n, 2n)
      a.dense(fee, 0)
    })
    bench.execute(a, 3, () => a.dense(fee, 0))
    for (const place of [1, 2, 3]) expect(bench.commit(a, place)).toBe(true)
    a.settleDense(6)
    a.begin(7, true, true)
    expect(bench.read(a, 'fees')).toBe(3n - 2n + 3n + 3n)
  })
})
