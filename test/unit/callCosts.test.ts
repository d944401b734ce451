/** What is learned of long calls: which are begun before their turn, for how long they are distrusted, what is not known. */
import { describe, expect, test } from 'vitest'
import { Control, LongClaim, Place, WorkerBlock } from '../../src/core/layout.ts'
import { Executed, pack } from '../../src/core/status.ts'
import { CallCosts } from '../../src/executor/callCosts.ts'
import { layOutEarly } from '../../src/executor/layOut.ts'
import { layOut } from '../support/engineMemory.ts'

const WORKERS = 2
type Claim = readonly [first: number, places: number, microseconds: number]

/** Words of a run that has ended: its longest claims, what was laid out as early, and what had to be executed again. */
const ended = (callers: readonly string[], claims: readonly Claim[], early: readonly number[] = [], again = -1) => {
  const words = layOut(callers.length)
  layOutEarly(words, early)
  callers.forEach((_, index) => {
    const status = words[Control.PlaceTable] + (index + 1) * Place.Size + Place.Status
    words[status] = pack(index + 1 === again ? 1 : 0, Executed)
  })
  for (const [k, [first, places, microseconds]] of claims.entries()) {
    const block = Control.WorkerBlocks + (k % WORKERS) * WorkerBlock.Size + WorkerBlock.LongClaims
    const at = block + Math.floor(k / WORKERS) * LongClaim.Size
    words[at + LongClaim.First] = first
    words[at + LongClaim.Places] = places
    words[at + LongClaim.Microseconds] = microseconds
  }
  return words
}

const CALLERS = ['swap', 'proof', 'swap', 'mint', 'proof', 'swap']
const learned = (...claims: readonly Claim[]): CallCosts => {
  const costs = new CallCosts()
  costs.learn(ended(CALLERS, claims), WORKERS, CALLERS)
  return costs
}

describe('calls known to be long', () => {
  test('are long more often than not', () => {
    expect(learned([1, 1, 9000]).choose(CALLERS, [], 0)).toEqual([])
    expect(learned([1, 1, 9000], [3, 1, 9000]).choose(CALLERS, [], 0)).toEqual([1, 3, 6])
  })

  test('come first, the longest of them first, wherever they are called', () => {
    const costs = learned([2, 1, 9000], [4, 1, 700])
    expect(costs.choose(CALLERS, [], 0)).toEqual([2, 5, 4])
    expect(costs.choose(['mint', 'swap', 'proof'], [], 0)).toEqual([3, 1])
  })

  test('are long beside the mean of a place, and in themselves', () => {
    const costs = learned([2, 1, 9000], [4, 1, 700], [1, 1, 400], [3, 1, 400])
    expect(costs.choose(CALLERS, [], 300)).toEqual([2, 5])
    expect(costs.choose(CALLERS, [], 4000)).toEqual([])
  })

  test('a gas limit counts where nothing is known', () => {
    const costs = learned([2, 1, 9000])
    expect(costs.choose(CALLERS, [5, 6], 0)).toEqual([2, 5, 6])
  })

  test('of places claimed together nobody knows which one was long', () => {
    expect(learned([1, 3, 9000]).choose(CALLERS, [], 0)).toEqual([])
  })

  test('a limit that was wrong is not followed again', () => {
    const costs = new CallCosts()
    costs.learn(ended(CALLERS, [], [4]), WORKERS, CALLERS)
    expect(costs.choose(CALLERS, [4, 6], 0)).toEqual([6])
  })

  test('one that was begun in vain keeps its order eight times', () => {
    const costs = learned([4, 1, 9000])
    costs.learn(ended(CALLERS, [[4, 1, 9000]], [4], 4), WORKERS, CALLERS)
    for (let k = 0; k < 8; k++) expect(costs.choose(CALLERS, [4], 0)).toEqual([])
    expect(costs.choose(CALLERS, [4], 0)).toEqual([4])
  })

  test('an interruption is not taken for work: what is known doubles at most', () => {
    const costs = learned([4, 1, 600])
    costs.learn(ended(CALLERS, [[4, 1, 60_000]]), WORKERS, CALLERS)
    expect(costs.choose(CALLERS, [], 399)).toEqual([4])
    expect(costs.choose(CALLERS, [], 401)).toEqual([])
  })

  test('eight at most are chosen', () => {
    const costs = learned([2, 1, 9000])
    expect(costs.choose(Array(20).fill('proof'), [], 0)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  })
})
