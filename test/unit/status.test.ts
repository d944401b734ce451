/** The status word: what is packed comes out, and every step the scheduler takes is in the table of legal ones. */
import { describe, expect, test } from 'vitest'
import { Control, Place } from '../../src/core/layout.ts'
import {
  Aborting,
  Begun,
  Cold,
  Deferred,
  Early,
  Executed,
  incarnationOf,
  MAX_INCARNATION,
  pack,
  Ready,
  Reserved,
  stateOf,
  transitions,
} from '../../src/core/status.ts'
import { layOut, schedulerOn } from '../support/engineMemory.ts'

const STATES = [Ready, Executed, Deferred, Aborting, Reserved, Cold, Early, Begun]
const NAMES = ['Ready', 'Executed', 'Deferred', 'Aborting', 'Reserved', 'Cold', 'Early', 'Begun']

/** Puts place 1 into a state, runs one method of the scheduler and says what became of the word. */
function step(from: number, incarnation: number, act: (scheduler: ReturnType<typeof schedulerOn>) => void) {
  const engine = layOut(1)
  const scheduler = schedulerOn(engine)
  engine[Control.EarlyPlaces] = 1
  engine[Control.EarlyCount] = 1
  engine[engine[Control.PlaceTable] + Place.Size + Place.Status] = pack(incarnation, from)
  act(scheduler)
  const status = scheduler.status(1)
  return { to: stateOf(status), grown: incarnationOf(status) - incarnation }
}

const EVENTS = {
  executed: (s: ReturnType<typeof schedulerOn>) => s.executed(1),
  defer: (s: ReturnType<typeof schedulerOn>) => s.defer(1),
  chill: (s: ReturnType<typeof schedulerOn>) => s.chill(1),
  abort: (s: ReturnType<typeof schedulerOn>) => void s.abort(1),
  reset: (s: ReturnType<typeof schedulerOn>) => s.reset(1, 2),
  reserve: (s: ReturnType<typeof schedulerOn>) => void s.claim(0, 1),
  beginEarly: (s: ReturnType<typeof schedulerOn>) => void s.claimEarly(),
  take: (s: ReturnType<typeof schedulerOn>) => void s.take(1),
  recallEarly: (s: ReturnType<typeof schedulerOn>) => s.recallEarly(1, () => undefined),
  offerEarly: (s: ReturnType<typeof schedulerOn>) => s.offerEarly(1),
}

/** Which event may meet a place in which state; the callers keep to it (S1: one writer at a time). */
const LEGAL: Readonly<Record<keyof typeof EVENTS, readonly number[]>> = {
  executed: [Ready, Aborting, Begun],
  defer: [Ready, Cold, Begun],
  chill: [Aborting, Reserved, Ready],
  abort: [Executed, Deferred],
  reset: [Executed, Deferred, Reserved, Cold, Early, Begun],
  reserve: [Ready],
  beginEarly: [Early],
  take: [Early],
  recallEarly: [Executed, Deferred, Cold, Early, Begun],
  offerEarly: [Ready],
}

describe('status words', () => {
  test('incarnation and state are packed without loss, up to the largest of both', () => {
    for (const state of STATES) {
      for (const incarnation of [0, 1, 2, 1000, MAX_INCARNATION - 1, MAX_INCARNATION]) {
        const status = pack(incarnation, state)
        expect([stateOf(status), incarnationOf(status)]).toEqual([state, incarnation])
        // As a shared word stores it.
        expect(Int32Array.of(status)[0]).toBe(status)
      }
    }
  })

  test('different pairs are different words', () => {
    const words = STATES.flatMap((state) => [0, 1, 2, MAX_INCARNATION].map((incarnation) => pack(incarnation, state)))
    expect(new Set(words).size).toBe(words.length)
  })

  describe.each(STATES)('from state %i', (from) => {
    test.each(Object.keys(EVENTS) as (keyof typeof EVENTS)[])('%s', (event) => {
      const { to, grown } = step(from, 5, EVENTS[event])
      const row = transitions.find(([a, b]) => a === from && b === to)
      if (LEGAL[event].includes(from)) {
        expect(row, `${NAMES[from]} -> ${NAMES[to]}`).toBeDefined()
        expect(grown).toBe(row?.[2] === true ? 1 : 0)
      } else if (event === 'reset' && from === Ready) {
        // Nothing was thrown away, so nothing is counted.
        expect([to, grown]).toEqual([Ready, 0])
      }
    })
  })

  test('every row of the table is taken by some event', () => {
    const taken = STATES.flatMap((from) =>
      (Object.keys(EVENTS) as (keyof typeof EVENTS)[])
        .filter((event) => LEGAL[event].includes(from))
        .map((event) => `${from}>${step(from, 0, EVENTS[event]).to}`),
    )
    for (const [from, to] of transitions) expect(taken).toContain(`${from}>${to}`)
  })

  test('no row shrinks an incarnation, and only what throws work away grows it', () => {
    for (const [from, to, grows] of transitions) {
      expect(grows).toBe((from === Executed || from === Deferred) && (to === Aborting || to === Ready))
    }
  })
})
