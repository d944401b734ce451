/** The scheduler stepped by hand: claims, the window, the commit lock, fallback and the end, each by its rule. */
import { describe, expect, test } from 'vitest'
import { Control, Halt, Mode } from '../../src/core/layout.ts'
import { Aborting, Executed, incarnationOf, MAX_INCARNATION, pack, Ready, stateOf } from '../../src/core/status.ts'
import { layOutEarly, layOutRows } from '../../src/executor/layOut.ts'
import { join } from '../../src/scheduler/joining.ts'
import { nextStretch, SAMPLE, speculationLoses } from '../../src/scheduler/judge.ts'
import { layOut, schedulerOn } from '../support/engineMemory.ts'

/** Two workers of one run. */
const two = (places: number, window?: number) => {
  const engine = layOut(places, window === undefined ? {} : { window })
  return { engine, a: schedulerOn(engine), b: schedulerOn(engine) }
}

/** The same in a run that no more than the two are called to. */
const twoCalled = (places: number, window?: number) => {
  const engine = layOut(places, window === undefined ? {} : { window })
  engine[Control.Called] = 2
  return { engine, a: schedulerOn(engine), b: schedulerOn(engine) }
}

describe('scheduler: claims', () => {
  test('places are handed out once, in order, whoever asks (S1)', () => {
    const { a, b } = two(10)
    expect([a.claim(3, 0), b.claim(3, 0), a.claim(1, 0), b.claim(3, 0)]).toEqual([1, 4, 7, 8])
    expect([a.claim(1, 0), b.claim(16, 0)]).toEqual([-1, -1])
    expect(a.executionIndex).toBe(11)
  })

  test('a claim that reaches beyond the block is cut by its end, and none is made after it', () => {
    const { a, b } = two(5)
    expect(a.claim(16, 0)).toBe(1)
    expect(b.claim(16, 0)).toBe(-1)
    expect(b.executionIndex).toBe(6)
  })

  test('a block without places has nothing to claim and is done', () => {
    const { a } = two(0)
    expect(a.claim(16, 0)).toBe(-1)
    expect(a.done()).toBe(true)
  })

  test('nobody runs further ahead of the commit cursor than the window', () => {
    const { a, b } = two(100, 8)
    expect([a.claim(4, 0), b.claim(4, 0)]).toEqual([1, 5])
    expect([a.claim(4, 0), b.claim(1, 0)]).toEqual([-1, -1])
    a.advance(2)
    expect(b.claim(4, 0)).toBe(9)
    expect(a.claim(4, 0)).toBe(-1)
  })

  test("what is reserved before a claim is nobody's but the committer's", () => {
    const { engine, a, b } = two(10)
    expect(a.claim(2, 3)).toBe(4)
    expect([1, 2, 3, 4, 5].map((place) => a.isReserved(place))).toEqual([true, false, false, false, false])
    expect(a.reservedEnd(1)).toBe(4)
    expect(b.isCommittable()).toBe(true)
    // Cut by the end of the block, and nothing is left to claim after it.
    expect(b.claim(4, 8)).toBe(-1)
    expect([b.isReserved(6), b.reservedEnd(6)]).toEqual([true, 11])
    expect([a.claim(1, 1), b.executionIndex]).toEqual([-1, 11])
    expect(engine[Control.ExecutionIndex]).toBeGreaterThan(10)
  })

  test('who cannot go on within reserved places leaves the rest of them', () => {
    const { a, b } = two(10)
    expect(a.claim(0, 8)).toBe(-1)
    b.reserve(4, b.reservedEnd(1))
    expect([b.isReserved(4), a.reservedEnd(4)]).toEqual([true, 9])
  })

  test('a claim is extended over the rest of the row that its last place is in, if that is free', () => {
    const { engine, a, b } = twoCalled(40)
    layOutRows(engine, engine.length - 64, [
      { first: 2, end: 5 },
      { first: 8, end: 12 },
    ])
    expect([a.claim(1, 0), a.extend(2)]).toEqual([1, 2])
    expect([a.claim(1, 0), a.extend(3)]).toEqual([2, 5])
    // From the midst of them on, and where they end.
    expect([b.claim(5, 0), b.extend(10)]).toEqual([5, 12])
    expect([b.extend(12), a.claim(1, 0)]).toEqual([12, 12])
  })

  test('a claim is not extended over what another worker has claimed', () => {
    const { engine, a, b } = twoCalled(40)
    layOutRows(engine, engine.length - 64, [{ first: 1, end: 5 }])
    expect([a.claim(1, 0), b.claim(1, 0)]).toEqual([1, 2])
    expect([a.extend(2), b.extend(3), a.claim(1, 0)]).toEqual([2, 5, 5])
  })

  test("a claim is extended by the worker's share of what is left at most, and within the window", () => {
    const { engine, a, b } = twoCalled(20)
    layOutRows(engine, engine.length - 64, [{ first: 1, end: 21 }])
    expect([a.claim(1, 0), a.extend(2)]).toEqual([1, 11])
    expect([b.claim(1, 0), b.extend(12)]).toEqual([11, 16])
    const narrow = twoCalled(40, 4)
    layOutRows(narrow.engine, narrow.engine.length - 64, [{ first: 1, end: 31 }])
    expect([narrow.a.claim(1, 0), narrow.a.extend(2), narrow.b.claim(1, 0)]).toEqual([1, 5, -1])
  })

  test('a claim of the last places is not extended', () => {
    const { engine, a } = twoCalled(4)
    layOutRows(engine, engine.length - 64, [{ first: 1, end: 5 }])
    expect([a.claim(8, 0), a.extend(5)]).toEqual([1, 5])
  })

  test('a place is begun before its turn by one worker, and whoever claims it in order leaves it out', () => {
    const { engine, a, b } = two(10)
    layOutEarly(engine, [7, 3])
    expect([b.claimEarly(), b.claimEarly(), a.claimEarly()]).toEqual([7, 3, -1])
    expect(a.claim(4, 0)).toBe(1)
    expect([1, 2, 3, 4].map((place) => a.take(place))).toEqual([true, true, false, true])
    b.executed(3)
    expect([a.take(3), a.isExecuted(3), a.isCommittable()]).toEqual([false, true, false])
  })

  test('what was claimed in order first is not begun again', () => {
    const { engine, a, b } = two(10)
    layOutEarly(engine, [2, 9])
    expect(a.claim(4, 0)).toBe(1)
    expect(a.take(2)).toBe(true)
    expect([b.claimEarly(), b.claimEarly()]).toEqual([9, -1])
  })

  test('a fallback takes back what was begun above all that was claimed, and offers nothing again', () => {
    const { engine, a, b } = two(10)
    layOutEarly(engine, [9, 8, 7])
    expect([b.claimEarly(), b.claimEarly()]).toEqual([9, 8])
    b.executed(9)
    b.defer(8)
    const withdrawn: number[] = []
    a.recallEarly(5, (place) => withdrawn.push(place))
    expect(withdrawn).toEqual([9])
    const states = () => [7, 8, 9].map((place) => [stateOf(a.status(place)), incarnationOf(a.status(place))])
    expect(states()).toEqual([
      [Ready, 0],
      [Ready, 1],
      [Ready, 1],
    ])
    expect(b.claimEarly()).toBe(-1)
    a.offerEarly(8)
    expect([b.claimEarly(), b.claimEarly(), b.claimEarly()]).toEqual([9, 8, -1])
    expect(a.take(7)).toBe(true)
  })

  test('nobody begins a place before its turn while speculation gives way', () => {
    const { engine, a, b } = two(10)
    layOutEarly(engine, [7])
    a.drain()
    expect(b.claimEarly()).toBe(-1)
    a.resume(1)
    expect(b.claimEarly()).toBe(7)
  })

  test('who has nothing to do runs further ahead of a place that is executed for the first time, until a fallback', () => {
    const { engine, a, b } = two(1000)
    engine[Control.Wary] = 2
    for (let claimed = 0; claimed < 64; claimed += 16) expect(a.claim(16, 0)).toBe(claimed + 1)
    // Nothing is known of the block yet.
    expect([b.looksAhead(1), b.claim(16, 0)]).toEqual([false, -1])
    for (let place = 1; place <= 64; place++) a.executed(place)
    a.advance(65)
    for (let claimed = 64; claimed < 192; claimed += 16) expect(a.claim(16, 0)).toBe(claimed + 1)
    expect(b.claim(16, 0)).toBe(-1)
    expect([b.looksAhead(65), b.looksAhead(65)]).toEqual([true, false])
    expect([b.claim(16, 0), a.claim(16, 0)]).toEqual([193, -1])
    // It is executed again: that tells of conflicts.
    a.executed(65)
    a.abort(65)
    a.advance(66)
    a.executed(66)
    expect(b.looksAhead(66)).toBe(false)
    expect(b.claim(16, 0)).toBe(-1)
    engine[Control.Stretch] = 128
    a.advance(67)
    expect(b.looksAhead(67)).toBe(false)
  })

  test('claims grow smaller towards the end, by the number of workers', () => {
    const { engine, a } = two(100)
    const taper = (workers: number, next: number) => {
      engine[Control.Called] = workers
      a.beginRun()
      engine[Control.ExecutionIndex] = next
      return a.taper(24)
    }
    expect([1, 5, 61, 97, 101].map((next) => taper(2, next))).toEqual([24, 24, 10, 1, 1])
    expect([1, 61].map((next) => taper(5, next))).toEqual([6, 2])
  })

  test("places are reserved for short tasks alone, one committer's share, and only where the run has some", () => {
    const { engine, a } = two(10)
    engine[Control.Reserve] = 1
    const shares = (workers: number) => {
      engine[Control.Called] = workers
      a.beginRun()
      return [1, 3, 4, 24].map((chunk) => a.share(chunk))
    }
    expect(shares(2)).toEqual([0, 0, 4, 24])
    expect(shares(5)).toEqual([0, 0, 1, 6])
    engine[Control.Reserve] = 0
    expect(shares(2)).toEqual([0, 0, 0, 0])
  })

  test('the further claims have run ahead of the commits, the less is reserved', () => {
    const { engine, a } = two(1000)
    engine[Control.Reserve] = 1
    engine[Control.Called] = 2
    a.beginRun()
    const window = engine[Control.Window]
    const shares = [0, 0.25, 0.5, 0.75, 1, 1.25].map((part) => {
      engine[Control.ExecutionIndex] = engine[Control.CommitIndex] + window * part
      return a.share(24)
    })
    expect(shares).toEqual([24, 18, 12, 6, 0, 0])
  })

  test('all is caught up when what was claimed is committed', () => {
    const { a } = two(10)
    expect(a.caughtUp).toBe(true)
    a.claim(2, 0)
    expect(a.caughtUp).toBe(false)
    a.advance(3)
    expect(a.caughtUp).toBe(true)
  })

  test('a run that may fall back runs ahead by what was committed since speculation began', () => {
    const { engine, a } = two(1000, 512)
    engine[Control.Wary] = 1 + 1
    const ahead = () => {
      while (a.claim(1, 0) >= 0);
      return a.executionIndex - a.commitIndex
    }
    expect(ahead()).toBe(64)
    a.advance(101)
    expect(ahead()).toBe(164)
    a.advance(700)
    expect(ahead()).toBe(301)
    // After a fallback it begins anew.
    a.advance(750)
    a.resume(750)
    expect(ahead()).toBe(64)
  })

  test('no claim while the run drains', () => {
    const { a, b } = two(10)
    a.drain()
    expect(b.claim(1, 0)).toBe(-1)
    expect(b.draining).toBe(true)
    a.resume(4)
    expect(b.draining).toBe(false)
    expect(b.claim(2, 0)).toBe(4)
  })
})

describe('scheduler: the commit stage', () => {
  test('the lock has one holder', () => {
    const { a, b } = two(3)
    expect(a.tryLock()).toBe(true)
    expect([a.tryLock(), b.tryLock()]).toEqual([false, false])
    a.unlock()
    expect(b.tryLock()).toBe(true)
  })

  test('an execution is seen by the other worker with its incarnation', () => {
    const { a, b } = two(3)
    expect([b.isExecuted(1), b.isDeferred(1)]).toEqual([false, false])
    a.executed(1)
    a.defer(2)
    expect([b.isExecuted(1), b.isDeferred(1), b.isExecuted(2), b.isDeferred(2)]).toEqual([true, false, false, true])
  })

  test('an abort counts one incarnation more, and the execution after it keeps the count (S2)', () => {
    const { a, b } = two(3)
    a.executed(1)
    expect(b.abort(1)).toBe(true)
    expect([stateOf(a.status(1)), incarnationOf(a.status(1))]).toEqual([Aborting, 1])
    expect(a.isExecuted(1)).toBe(false)
    b.executed(1)
    expect([stateOf(a.status(1)), incarnationOf(a.status(1))]).toEqual([Executed, 1])
  })

  test('the block is done when the commit cursor has left its last place, not before', () => {
    const { a, b } = two(2)
    a.claim(2, 0)
    a.executed(1)
    a.executed(2)
    expect(b.done()).toBe(false)
    b.advance(2)
    expect(a.done()).toBe(false)
    b.advance(3)
    expect(a.done()).toBe(true)
  })

  test('no incarnation beyond the largest (hazard 21)', () => {
    const { a, engine } = two(1)
    engine[engine[Control.PlaceTable] + 16] = pack(MAX_INCARNATION, Executed)
    expect(a.abort(1)).toBe(false)
    expect(incarnationOf(a.status(1))).toBe(MAX_INCARNATION)
  })
})

describe('scheduler: fallback', () => {
  test('the committer is alone once everybody else who joined has drained', () => {
    const { a, engine } = two(10)
    join(engine, 0)
    expect(a.alone).toBe(true)
    join(engine, 1)
    a.drain()
    expect(a.alone).toBe(false)
    // What awaitSpeculation does before it parks.
    engine[Control.Drained]++
    expect(a.alone).toBe(true)
    // A worker that comes late is counted before it can see the request.
    join(engine, 2)
    expect(a.alone).toBe(false)
  })

  test('waiting for speculation ends at once when the run is over, halted or speculative', () => {
    for (const end of ['done', 'halt', 'resume'] as const) {
      const { a, b, engine } = two(3)
      a.drain()
      if (end === 'done') a.advance(4)
      if (end === 'halt') a.halt(Halt.Signal)
      if (end === 'resume') a.resume(2)
      b.awaitSpeculation()
      expect(engine[Control.Drained]).toBe(0)
    }
  })

  test('reset returns what was executed to Ready with one incarnation more, and leaves what was not', () => {
    const { a } = two(6)
    a.claim(6, 0)
    a.executed(2)
    a.defer(3)
    a.executed(5)
    a.reset(2, 5)
    const words = [1, 2, 3, 4, 5].map((place) => [stateOf(a.status(place)), incarnationOf(a.status(place))])
    expect(words).toEqual([
      [Ready, 0],
      [Ready, 1],
      [Ready, 1],
      [Ready, 0],
      [Executed, 0],
    ])
  })

  test('speculation begins again where the sequential stretch ended', () => {
    const { a, b, engine } = two(20)
    a.claim(16, 0)
    a.drain()
    a.advance(9)
    a.resume(9)
    expect(engine[Control.Mode]).toBe(Mode.Speculative)
    expect(b.claim(4, 0)).toBe(9)
  })
})

describe('scheduler: halt', () => {
  test('the first reason stays', () => {
    const { a, b, engine } = two(3)
    expect(a.halted()).toBe(false)
    a.halt(Halt.Fault)
    b.halt(Halt.Signal)
    expect(b.halted()).toBe(true)
    expect(engine[Control.Halt]).toBe(Halt.Fault)
  })

  test('idle does not wait for a cursor that has moved', () => {
    const { a, engine } = two(3)
    a.advance(2)
    const began = performance.now()
    for (let turn = 0; turn < 500; turn++) a.idle(1, turn)
    expect(engine[Control.Waiting]).toBe(0)
    // 100 parks of a millisecond each, had it waited.
    expect(performance.now() - began).toBeLessThan(90)
  })
})

describe('judge', () => {
  test('speculation loses where almost half of a whole sample aborts', () => {
    expect(speculationLoses(SAMPLE - 1, SAMPLE - 1)).toBe(false)
    expect(speculationLoses(SAMPLE, 0)).toBe(false)
    expect(speculationLoses(SAMPLE, SAMPLE / 4)).toBe(false)
    expect(speculationLoses(SAMPLE, SAMPLE / 2)).toBe(true)
    expect(speculationLoses(SAMPLE, SAMPLE)).toBe(true)
  })

  test('stretches grow, up to a limit', () => {
    let last = 0
    for (let k = 0; k < 40; k++) {
      const next = nextStretch(last)
      expect(next).toBeGreaterThanOrEqual(last)
      last = next
    }
    expect(nextStretch(last)).toBe(last)
  })
})
