/** Who is called to a run of more workers than cores, by a clock that the test turns (executor/idleCores.ts). */
import { expect, test, vi } from 'vitest'
import { IdleCores } from '../../src/executor/idleCores.ts'

const CORES = 2

/** A clock, and runs that take `ms` and so much of the cores. */
const turned = () => {
  let [now, used] = [0, 0]
  const idle = new IdleCores(CORES, { now: () => now, used: () => used })
  const run = (ms: number, share: number): boolean => {
    idle.begin(() => undefined)
    now += ms
    used += ms * share * CORES
    idle.end()
    return idle.sleeping
  }
  return { run }
}

test('idle cores: a run that computes leaves it at that, one that sleeps does not', () => {
  const { run } = turned()
  expect(run(50, 0.9)).toBe(false)
  expect(run(50, 0.1)).toBe(true)
})

test('idle cores: sleeping lasts while the workers cost a part of the cores, and ends where they fill them', () => {
  const { run } = turned()
  run(50, 0.1)
  expect(run(50, 0.45)).toBe(true)
  expect(run(50, 0.9)).toBe(false)
  expect(run(50, 0.45)).toBe(false)
})

test('idle cores: short runs are judged together', () => {
  const { run } = turned()
  expect([run(4, 0), run(4, 0), run(4, 0)]).toEqual([false, false, true])
  expect([run(4, 1), run(4, 1), run(4, 1)]).toEqual([true, true, false])
})

test('idle cores: the others are called once, while the run goes on', () => {
  vi.useFakeTimers()
  try {
    const idle = new IdleCores(CORES, { now: () => Date.now(), used: () => 0 })
    const onIdle = vi.fn()
    idle.begin(onIdle)
    vi.advanceTimersByTime(100)
    expect(onIdle).toHaveBeenCalledOnce()
    idle.end()
    idle.begin(onIdle)
    vi.advanceTimersByTime(100)
    expect(onIdle).toHaveBeenCalledOnce()
    idle.end()
  } finally {
    vi.useRealTimers()
  }
})
