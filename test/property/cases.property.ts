/**
 * Random EVM blocks and random tasks on pools of 1, 2, 3 and 8 workers: every way of running them gives, bit for bit,
 * what the sequential run gives. A short part of `npm run soak`, with fresh seeds.
 *
 * A failure prints its seed (`npm run soak -- --seed S --cases 1`) and the case made smaller, as data.
 */
import { afterAll, describe, expect, test } from 'vitest'
import { type Case, caseOf, check, differenceOf, Pools, type TaskCase } from '../support/cases.ts'
import { addIngredients, INGREDIENTS, noIngredients } from '../support/ingredients.ts'
import { shrink } from '../support/shrink.ts'

const pools = new Pools([1, 2, 3, 8])
afterAll(() => pools.close())

async function expectSame(seed: number): Promise<{ kind: Case['kind']; aborts: number; invalid: boolean }> {
  const one = caseOf(seed)
  const verdict = await check(one, pools)
  if (verdict.failure !== undefined) {
    const fails = async (candidate: Case) => (await check(candidate, pools)).failure !== undefined
    const smallest = await shrink(one, { fails, tries: 5, budget: 20_000 })
    throw new Error(`seed ${seed}: ${verdict.failure}\n${JSON.stringify(smallest)}`)
  }
  return { kind: one.kind, aborts: verdict.aborts, invalid: verdict.invalid }
}

describe('random cases', () => {
  test('every way of running them gives the same', async () => {
    const first = Math.floor(Math.random() * 2 ** 30)
    const seen = []
    for (let k = 0; k < 40; k++) seen.push(await expectSame(first + k))
    // A generator whose cases are all invalid, or never conflict, would prove nothing.
    expect(seen.filter(({ invalid }) => !invalid).length).toBeGreaterThan(10)
    expect(seen.reduce((sum, { aborts }) => sum + aborts, 0)).toBeGreaterThan(0)
    expect(new Set(seen.map(({ kind }) => kind)).size).toBe(2)
  })
})

describe('what the cases are made with', () => {
  test('two hundred of them hold every ingredient', async () => {
    const counts = noIngredients()
    const missing = () => INGREDIENTS.filter((name) => counts[name] === 0)
    const alone = new Pools([1])
    for (let seed = 1; seed <= 200 && missing().length > 0; seed++) {
      addIngredients(counts, (await check(caseOf(seed), alone)).ingredients)
    }
    await alone.close()
    expect(missing()).toEqual([])
  })

  test('a seed always makes the same case, as data that can be printed and read', () => {
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      expect(caseOf(seed)).toEqual(caseOf(seed))
      expect(JSON.parse(JSON.stringify(caseOf(seed)))).toEqual(caseOf(seed))
    }
  })

  test('a case that fails is made smaller until nothing more can go', async () => {
    const spin = { op: 'spin', ms: 1 } as const
    const needle = { op: 'delete', key: 'k3' } as const
    const nested = { op: 'catch', body: [spin, { op: 'catch', body: [needle, spin] }, spin] } as const
    const one: TaskCase = {
      kind: 'tasks',
      programs: [...Array.from({ length: 30 }, () => [spin, spin]), [spin, nested], [spin]],
      start: [[1, 2]],
      again: false,
    }
    const fails = async (candidate: Case) => JSON.stringify(candidate).includes('"k3"')
    const smallest = await shrink(one, { fails, tries: 1, budget: 60_000 })
    const body = [{ op: 'catch', body: [needle] }]
    expect(smallest).toEqual({ ...one, programs: [[{ op: 'catch', body }]], start: [] })
  })

  test('a difference is told by its path', () => {
    expect(differenceOf({ a: [1, { b: 2n }] }, { a: [1, { b: 2n }] })).toBeUndefined()
    expect(differenceOf({ a: [1, { b: 2n }] }, { a: [1, { b: 3n }] })).toBe('result.a.1.b is "2n", not "3n"')
    expect(differenceOf(new Map([[1, 2]]), new Map([[1, 3]]))).toBe('result is [[1,2]], not [[1,3]]')
  })
})
