/** Whether a worker that began alone calls the others, and when it looks again. */
import { describe, expect, test } from 'vitest'
import { paysToCall, untilNextLook } from '../../src/executor/pace.ts'

describe('paysToCall', () => {
  test.each([
    ['not before a tenth of a millisecond', 1, 0.09, 1000, false, false],
    ['where half a millisecond is left', 10, 0.1, 50, false, true],
    ['not where less is left', 10, 0.1, 49, false, false],
    ['not for payments of queues below ten microseconds each', 100, 0.99, 10_000, true, false],
    ['for payments of queues that take longer', 100, 1, 10_000, true, true],
  ])('%s', (_, done, elapsed, left, isQueues, expected) => {
    expect(paysToCall(done, elapsed, left, isQueues)).toBe(expected)
  })
})

test('looks come after 1, 2, 4 and 8 places, and then every 20 us or four places', () => {
  const looks: number[] = []
  for (let done = 1; looks.length < 8; done += looks.at(-1) ?? 0) looks.push(untilNextLook(done, done * 0.00199))
  expect(looks).toEqual([1, 2, 4, 8, 10, 10, 10, 10])
  expect(untilNextLook(100, 100 * 0.05)).toBe(4)
  expect(untilNextLook(100, 0)).toBe(4)
})
