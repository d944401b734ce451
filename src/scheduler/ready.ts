/**
 * Claims by rank: the first place of a schedule whose declared predecessors are through and whose resources are free.
 *
 * Execution may leave the preset order, since only commit keeps it: a place that ran too early has read what is not
 * true, and is executed again when it is due. So a wrong hint costs time. A capacity is no hint: whoever executes a
 * place, also the committer that executes it again, takes its units first and gives them back after.
 *
 * Shares: `Schedule.*` (core/schedule.ts). Concurrency: any worker at any time. A worker that holds units waits only in
 * reads, for a bounded time (D5); the committer, who holds the lock, may wait for units. So no circle can close.
 * Cost: a look at each unclaimed place before the one taken.
 */
import * as atomics from '../core/atomics.ts'
import { Control, Halt, Place } from '../core/layout.ts'
import { Schedule, ScheduleRow } from '../core/schedule.ts'
import { Executed, stateOf } from '../core/status.ts'

type Words = Int32Array

/** Unclaimed places that one claim looks at. */
const MOST_LOOKS = 8192

export class ReadyList {
  readonly #engine: Words
  readonly #base: number
  readonly #places: number
  readonly #ranks: number
  readonly #rows: number
  readonly #placeTable: number

  constructor(engine: Words, base: number) {
    this.#engine = engine
    this.#base = base
    this.#places = engine[base + Schedule.Places]
    this.#ranks = base + engine[base + Schedule.Ranks]
    this.#rows = base + engine[base + Schedule.Rows]
    this.#placeTable = engine[Control.PlaceTable]
  }

  /** Claims a place and the units that it needs; -1 where none is ready. */
  claim(): number {
    const engine = this.#engine
    let low = atomics.load(engine, this.#base + Schedule.Low)
    const end = Math.min(this.#places, low + MOST_LOOKS)
    for (let rank = low; rank < end; rank++) {
      const place = engine[this.#ranks + rank]
      if (atomics.load(engine, this.#rows + place * ScheduleRow.Size + ScheduleRow.Claimed) !== 0) {
        if (rank === low && atomics.compareExchange(engine, this.#base + Schedule.Low, low, low + 1) === low) low++
      } else if (this.#tryClaim(place)) return place
    }
    if (end === this.#places) return -1
    // All that was looked at may wait for one of lower rank. What the commit cursor stands at waits for nothing.
    const due = atomics.load(engine, Control.CommitIndex)
    return due <= this.#places && this.#tryClaim(due) ? due : -1
  }

  #tryClaim(place: number): boolean {
    const engine = this.#engine
    const row = this.#rows + place * ScheduleRow.Size
    if (atomics.load(engine, row + ScheduleRow.Claimed) !== 0) return false
    if (!this.#isReady(row) || !this.#tryAcquire(row)) return false
    if (atomics.compareExchange(engine, row + ScheduleRow.Claimed, 0, 1) === 0) return true
    this.#giveBack(row, engine[row + ScheduleRow.NeedsEnd])
    return false
  }

  /**
   * Takes the units of a place, waiting for them; false when the run halts meanwhile. Holder of the commit lock, or a
   * worker that holds no units and whose place waited for base values.
   */
  acquire(place: number): boolean {
    const engine = this.#engine
    const row = this.#rows + place * ScheduleRow.Size
    while (!this.#tryAcquire(row)) {
      if (atomics.load(engine, Control.Halt) !== Halt.None) return false
      atomics.wait(engine, Control.CommitIndex, atomics.load(engine, Control.CommitIndex), 0.2)
    }
    return true
  }

  /** Gives back the units of a place, and wakes who waits for work. */
  release(place: number): void {
    const row = this.#rows + place * ScheduleRow.Size
    this.#giveBack(row, this.#engine[row + ScheduleRow.NeedsEnd])
    if (atomics.load(this.#engine, Control.Waiting) !== 0) atomics.notify(this.#engine, Control.CommitIndex)
  }

  /** Whether all declared predecessors are executed, or final. */
  #isReady(row: number): boolean {
    const engine = this.#engine
    const end = engine[row + ScheduleRow.PredecessorsEnd]
    let next = engine[row + ScheduleRow.Next]
    if (next === end) return true
    const committed = atomics.load(engine, Control.CommitIndex)
    for (; next < end; next++) {
      const place = engine[this.#base + next]
      if (
        place >= committed &&
        stateOf(atomics.load(engine, this.#placeTable + place * Place.Size + Place.Status)) !== Executed
      ) {
        break
      }
    }
    // Two workers may write here at once; either value is true, and the lower one only looks twice.
    engine[row + ScheduleRow.Next] = next
    return next === end
  }

  #tryAcquire(row: number): boolean {
    const engine = this.#engine
    const end = engine[row + ScheduleRow.NeedsEnd]
    for (let need = engine[row + ScheduleRow.Needs]; need < end; need += 2) {
      if (this.#take(engine[this.#base + need], engine[this.#base + need + 1])) continue
      this.#giveBack(row, need)
      return false
    }
    return true
  }

  #take(resource: number, units: number): boolean {
    const engine = this.#engine
    const word = this.#base + Schedule.Free + resource
    for (;;) {
      const free = atomics.load(engine, word)
      if (free < units) return false
      if (atomics.compareExchange(engine, word, free, free - units) === free) return true
    }
  }

  /** Gives back the needs of a row that lie before `end`. */
  #giveBack(row: number, end: number): void {
    const engine = this.#engine
    for (let need = engine[row + ScheduleRow.Needs]; need < end; need += 2) {
      atomics.add(engine, this.#base + Schedule.Free + engine[this.#base + need], engine[this.#base + need + 1])
    }
  }
}
