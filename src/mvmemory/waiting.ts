/**
 * Waiting of a reader for lower places: on a watched location, until its newest value below is final; on an estimate,
 * until it is gone (docs/algorithm.md D5).
 *
 * Waits are for lower places only, so a chain of them ends at the commit cursor (S4); and each is bounded, so that a
 * reader whose writer does not come runs on or gives up.
 */
import * as atomics from '../core/atomics.ts'
import { Control, ESTIMATE, Halt, Mode, Place } from '../core/layout.ts'
import { hasRun } from '../core/status.ts'
import { newest, newestPlace } from './walk.ts'

type Words = Int32Array

/** Turns of a waiting reader: some 40 us of atomic loads. */
const SPINS = 1000
/** Parks before a reader gives up waiting, and how long each may last if nobody notifies. */
const PARKS = 20
const PARK_MILLISECONDS = 0.5

export class Waiting {
  /** Times a reader waited for another place. */
  waits = 0
  /** Told of each wait once it is over, where a run is recorded; `began` as performance.now() gives it. */
  onWait: ((location: number, on: number, began: number) => void) | undefined = undefined
  readonly #engine: Words
  readonly #state: Words

  constructor(engine: Words, state: Words) {
    this.#engine = engine
    this.#state = state
  }

  /**
   * Waits, one short task's length at most, until the newest value of a watched location is committed and the
   * place before `place` has executed. Whoever executes that place commits after it, so a true chain becomes
   * a pipeline: what comes before the read overlaps, and the read is not aborted.
   */
  forFinal(location: number, place: number, placeTable: number): void {
    const engine = this.#engine
    if (atomics.load(engine, Control.CommitIndex) >= place) return
    this.waits++
    const before = placeTable + (place - 1) * Place.Size + Place.Status
    if (this.onWait === undefined) this.#turnUntilFinal(location, place, before)
    else {
      const began = performance.now()
      const writer = newestPlace(engine, this.#state, location, place)
      const on = writer < atomics.load(engine, Control.CommitIndex) ? place - 1 : writer
      this.#turnUntilFinal(location, place, before)
      this.onWait(location, on, began)
    }
  }

  #turnUntilFinal(location: number, place: number, before: number): void {
    const engine = this.#engine
    for (let k = 0; k < SPINS; k++) {
      const committed = atomics.load(engine, Control.CommitIndex)
      if (committed >= place) return
      const isBeforeDone = hasRun(atomics.load(engine, before))
      if (isBeforeDone && newestPlace(engine, this.#state, location, place) < committed) return
      if (this.#stopped()) return
    }
  }

  /** Waits until the estimate on `location` is gone; false when it is not for a long time. */
  forWriter(location: number, place: number, floor: number): boolean {
    this.waits++
    const { onWait } = this
    const began = onWait === undefined ? 0 : performance.now()
    const on = onWait === undefined ? 0 : newestPlace(this.#engine, this.#state, location, place)
    const gone = this.#turnUntilWritten(location, place, floor)
    onWait?.(location, on, began)
    return gone
  }

  #turnUntilWritten(location: number, place: number, floor: number): boolean {
    const engine = this.#engine
    for (let k = 0; k < SPINS + PARKS; k++) {
      const record = newest(engine, atomics.load(this.#state, location), place, floor)
      if (record <= 0 || (record & ESTIMATE) === 0) return true
      if (this.#stopped()) return false
      if (k >= SPINS) {
        atomics.wait(engine, Control.CommitIndex, atomics.load(engine, Control.CommitIndex), PARK_MILLISECONDS)
      }
    }
    return false
  }

  /** The run halts or drains: whoever is waited for may never come. */
  #stopped(): boolean {
    return (
      atomics.load(this.#engine, Control.Halt) !== Halt.None ||
      atomics.load(this.#engine, Control.Mode) !== Mode.Speculative
    )
  }
}
