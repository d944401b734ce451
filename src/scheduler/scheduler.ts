/**
 * Collaborative scheduler: gives each worker its next places and knows which prefix is final.
 *
 * Workers pull. One cursor sweeps the block for executions, at most a window ahead of the commit cursor,
 * which whoever holds the commit lock moves in order: there a place is validated once, and executed again
 * if that fails, when everything below it is final. So between two fallbacks a place executes at most twice, but
 * for restarts and cold reads (docs/algorithm.md D1); nothing respins, and a conflict costs its own re-execution only.
 *
 * Source: Gelashvili et al., Block-STM, arXiv:2203.06871, Algorithms 4 and 5, of which the execution cursor
 * is left; validation moved to commit as in Bor v2 and Grevm (docs/algorithm.md D1 says what it gives up).
 * Shares: `Control.*` and `Place.Status`, reached only through core/atomics.ts.
 * Concurrency: every method may run on any worker at any time, unless its comment says otherwise.
 *
 * Always true (test/unit/scheduler.test.ts, test/property)
 *   S1  A place is claimed by one worker a stretch: the cursor is only added to, exchanged for a higher place, or set while
 *       others drain.
 *   S2  An incarnation grows by one when an execution is thrown away, and never shrinks.
 *   S3  The commit cursor passes a place only under the lock, after its writes were folded; below it all is
 *       final, and nobody reads it to learn of work owed (hazards 1 and 13).
 *   S4  Nobody waits for a higher place, so a chain of waits ends at the commit cursor.
 * Cost: one addition a chunk, one store a place, one exchange a turn of the commit stage.
 * Not here: values and read sets (mvmemory), what a place does (adapters), threads (executor).
 */
import * as atomics from '../core/atomics.ts'
import { Control, Halt, Mode, Place } from '../core/layout.ts'
import {
  Aborting,
  Begun,
  Cold,
  Deferred,
  Early,
  Executed,
  incarnationOf,
  isBeingBegun,
  MAX_INCARNATION,
  pack,
  Ready,
  Reserved,
  stateOf,
} from '../core/status.ts'

import { joined } from './joining.ts'

type Words = Int32Array

/** Claims of short tasks alone are shared: a long one that is reserved would wait for all those before it. */
const LEAST_SHARED = 4

/**
 * Places ahead of the commit cursor where speculation begins and may have to give way: a fallback throws them away, and
 * all that a block executes must stay below twice its places (test/hostile/work.test.ts). By counts: the first sample of
 * 32 places aborts whole, 64 + 32 ahead of it are thrown away, and its stretch has 128; with 192 a list of 400 took 2.1.
 */
const WARY_WINDOW = 64
/**
 * Places of a run that are not reached for even where the first execution of one holds all others up: what the windows and
 * samples of its stretches can throw away (388 of 400 were, in chains), so that the sum stays below the run's places.
 */
const THROWN_AWAY = 400
/** Commits that speculation must have stood before it runs so far ahead: two samples without a fallback. */
const PROVEN = 64

/** Turns of an idle worker before it parks: what it waits for is on another core. */
const SPINS = 400
/** The same where there are more workers than cores: what it waits for may need the core that it turns on. */
const CROWDED_SPINS = 4

export class Scheduler {
  readonly engine: Words
  #last = 0
  #placeTable = 0
  #window = 0
  /** Workers called to the run when this one came, of which sizes of claims follow: of those called later it learns nothing. */
  #called = 0
  #spins = SPINS
  /** Where this worker, idle, saw the commit cursor stand at a place that is executed for the first time; -1 nowhere. */
  #heldUpAt = -1

  constructor(engine: Words) {
    this.engine = engine
  }

  /** Takes the run's constants. */
  beginRun(): void {
    this.#last = this.engine[Control.LastPlace]
    this.#placeTable = this.engine[Control.PlaceTable]
    this.#window = this.engine[Control.Window]
    this.#called = atomics.load(this.engine, Control.Called)
    this.#spins = this.#called > this.engine[Control.Cores] ? CROWDED_SPINS : SPINS
    this.#heldUpAt = -1
  }

  /** First place with work: 0 the prologue, 1 the first transaction. */
  get first(): number {
    return this.engine[Control.FirstPlace]
  }

  /** Last place with work: the last transaction, or the epilogue after it. */
  get last(): number {
    return this.#last
  }

  #word(place: number): number {
    return this.#placeTable + place * Place.Size + Place.Status
  }

  status(place: number): number {
    return atomics.load(this.engine, this.#word(place))
  }

  halted(): boolean {
    return atomics.load(this.engine, Control.Halt) !== Halt.None
  }

  /** `halted` by a plain load, for who asks before each place: a stale answer executes one place more. */
  get halting(): boolean {
    return atomics.peek(this.engine, Control.Halt) !== Halt.None
  }

  /**
   * True when a worker should claim or execute nothing more: the run halts or drains. Plain loads: asked
   * before each place, and a stale answer executes one place more, which a halt or a fallback discards.
   */
  get pausing(): boolean {
    const { engine } = this
    return atomics.peek(engine, Control.Halt) !== Halt.None || atomics.peek(engine, Control.Mode) !== Mode.Speculative
  }

  /** Stops the run. The first reason stays: true where it is this one. */
  halt(reason: number): boolean {
    const isFirst = atomics.compareExchange(this.engine, Control.Halt, Halt.None, reason) === Halt.None
    atomics.notify(this.engine, Control.CommitIndex)
    return isFirst
  }

  done(): boolean {
    return atomics.load(this.engine, Control.CommitIndex) > this.#last
  }

  /**
   * Claims up to `chunk` places for execution; the first one, or -1 when there are none within the window.
   * The claim runs to the smaller of first + chunk and the end of the block. The `reserve` places before them are left
   * for the holder of the commit lock.
   */
  claim(chunk: number, reserve: number): number {
    const engine = this.engine
    const next = atomics.load(engine, Control.ExecutionIndex)
    if (next > this.#last) return -1
    const committed = atomics.load(engine, Control.CommitIndex)
    if (next - committed >= this.#windowAt(committed)) return -1
    if (atomics.load(engine, Control.Mode) !== Mode.Speculative) return -1
    const first = atomics.add(engine, Control.ExecutionIndex, reserve + chunk)
    const own = first + reserve
    if (reserve > 0 && first <= this.#last) this.reserve(first, Math.min(own, this.#last + 1))
    return chunk > 0 && own <= this.#last ? own : -1
  }

  /**
   * Extends the caller's claim, which ends before `end`, over the rest of the row that its last place is in
   * (docs/algorithm.md D13): within the window, by its share of what is left at most, and unless somebody has claimed on.
   * Returns where the claim ends now.
   */
  extend(end: number): number {
    const { engine } = this
    const table = engine[Control.Rows]
    if (table === 0 || end > this.#last) return end
    const committed = atomics.load(engine, Control.CommitIndex)
    const share = ((this.#last + 1 - end) / this.#called) | 0
    const to = Math.min(engine[table + end - 1], end + share, committed + this.#windowAt(committed))
    return to > end && atomics.compareExchange(engine, Control.ExecutionIndex, end, to) === end ? to : end
  }

  /**
   * Leaves places `from` to `to` (exclusive) for the holder of the commit lock. The first one's words say so for all:
   * a cache line each would else go to the other core and back. By their claimer, or by the holder, who leaves the rest.
   */
  reserve(from: number, to: number): void {
    const { engine } = this
    const word = this.#word(from)
    engine[word - Place.Status + Place.ReservedEnd] = to
    // The claimer is the only writer of a Ready word (S1).
    atomics.store(engine, word, pack(incarnationOf(engine[word]), Reserved))
  }

  /** First place after those that were reserved together with `place`, the first of them. */
  reservedEnd(place: number): number {
    return this.engine[this.#word(place) - Place.Status + Place.ReservedEnd]
  }

  /**
   * How far claims may run ahead of the commit cursor: what a fallback throws away must have been earned by commits, or
   * done by who had nothing else to do while one long task held the cursor.
   */
  #windowAt(committed: number): number {
    const wary = atomics.load(this.engine, Control.Wary)
    if (wary === 0) return this.#window
    const earned = WARY_WINDOW + committed - wary + 1
    if (committed !== this.#heldUpAt) return Math.min(this.#window, earned)
    return earned + Math.max(0, this.#last - THROWN_AWAY)
  }

  /**
   * Lets the caller, who has nothing to do, claim further ahead where the cursor stands at a place that somebody executes
   * for the first time, and speculation has not given way yet: true where that is new. A place that is executed again
   * tells of conflicts, and is no reason to speculate further.
   */
  looksAhead(seen: number): boolean {
    if (seen > this.#last || seen === this.#heldUpAt) return false
    const wary = atomics.load(this.engine, Control.Wary)
    if (wary === 0 || seen - wary + 1 < PROVEN || this.engine[Control.Stretch] !== 0) return false
    if (!isBeingBegun(this.status(seen))) return false
    this.#heldUpAt = seen
    return true
  }

  /** A claim of at most `chunk` places, smaller towards the end, so that the last ones are shared by all. */
  taper(chunk: number): number {
    const others = this.#called - 1
    if (others === 0) return chunk
    const left = this.#last + 1 - atomics.load(this.engine, Control.ExecutionIndex)
    return Math.max(1, Math.min(chunk, (left / (4 * others)) | 0))
  }

  /** True when all that was claimed is committed: the next place can be executed with everything below it final. */
  get caughtUp(): boolean {
    const { engine } = this
    return atomics.load(engine, Control.ExecutionIndex) === atomics.load(engine, Control.CommitIndex)
  }

  /** True where places are left for the committer. */
  get reserves(): boolean {
    return this.engine[Control.Reserve] !== 0
  }

  /**
   * Places to reserve before a claim of `chunk`: the committer's share among the workers, where tasks are short, and the
   * less of it the further claims have run ahead of the commits. Then it is the committer whom the others would wait for.
   */
  share(chunk: number): number {
    if (chunk < LEAST_SHARED || !this.reserves) return 0
    const { engine } = this
    const ahead = atomics.load(engine, Control.ExecutionIndex) - atomics.load(engine, Control.CommitIndex)
    return Math.max(0, (chunk * (1 - ahead / this.#window)) / (this.#called - 1)) | 0
  }

  /** Turns of an idle worker before it parks. */
  get spins(): number {
    return this.#spins
  }

  // ---- places begun before their turn (docs/algorithm.md D12) ----

  /** True where some places may be begun before their turn. */
  get hasEarly(): boolean {
    return this.engine[Control.EarlyCount] !== 0
  }

  /** Claims the next place that is worth beginning before its turn; -1 where there is none. */
  claimEarly(): number {
    const { engine } = this
    const count = engine[Control.EarlyCount]
    while (atomics.load(engine, Control.EarlyNext) < count) {
      if (this.pausing) return -1
      const next = atomics.add(engine, Control.EarlyNext, 1)
      if (next >= count) return -1
      const place = engine[Control.EarlyPlaces + next]
      if (this.#exchange(place, Early, Begun)) return place
    }
    return -1
  }

  /** Whether the caller, whose claim in order holds `place`, executes it: not where somebody has begun it before its turn. */
  take(place: number): boolean {
    // Early is what main wrote before the run, or the last worker before the others went on: never older than that.
    const state = stateOf(atomics.peek(this.engine, this.#word(place)))
    return state === Ready || (state === Early && this.#exchange(place, Early, Ready))
  }

  #exchange(place: number, from: number, to: number): boolean {
    const word = this.#word(place)
    const status = atomics.load(this.engine, word)
    if (stateOf(status) !== from) return false
    return atomics.compareExchange(this.engine, word, status, pack(incarnationOf(status), to)) === status
  }

  /** Ends the execution that the caller claimed. The store publishes entries, read set and result. */
  executed(place: number): void {
    const word = this.#word(place)
    // The claimer is the only writer of a Ready or Begun word (S1), so no exchange is needed.
    atomics.store(this.engine, word, pack(incarnationOf(this.engine[word]), Executed))
  }

  /** Leaves a claimed place to the commit stage: blocked, invalid or failed as far as speculation can tell. */
  defer(place: number): void {
    const word = this.#word(place)
    atomics.store(this.engine, word, pack(incarnationOf(this.engine[word]), Deferred))
  }

  /** Leaves a place whose strict execution missed a base value: nobody can commit it before that is here. */
  chill(place: number): void {
    const word = this.#word(place)
    atomics.store(this.engine, word, pack(incarnationOf(this.engine[word]), Cold))
  }

  // ---- the commit stage ----

  tryLock(): boolean {
    const engine = this.engine
    if (atomics.load(engine, Control.CommitLock) !== 0) return false
    return atomics.compareExchange(engine, Control.CommitLock, 0, 1) === 0
  }

  unlock(): void {
    atomics.store(this.engine, Control.CommitLock, 0)
  }

  /** The lowest place that is not committed. Holder of the lock. */
  get commitIndex(): number {
    return atomics.load(this.engine, Control.CommitIndex)
  }

  /** True when `place` waits for its validation or its second execution. Holder of the lock. */
  isExecuted(place: number): boolean {
    return stateOf(this.status(place)) === Executed
  }

  /** True of the first of places that are reserved together. */
  isReserved(place: number): boolean {
    return stateOf(this.status(place)) === Reserved
  }

  isDeferred(place: number): boolean {
    return stateOf(this.status(place)) === Deferred
  }

  /** True when the lowest uncommitted place was executed, given up or reserved: a turn would do something. Anybody. */
  isCommittable(): boolean {
    const next = this.commitIndex
    if (next > this.#last || this.halted()) return false
    const state = stateOf(this.status(next))
    return state === Executed || state === Deferred || state === Reserved
  }

  /** Throws an incarnation away. Returns false where no further one can be counted (hazard 21). Holder of the lock. */
  abort(place: number): boolean {
    const word = this.#word(place)
    const incarnation = incarnationOf(this.status(place)) + 1
    if (incarnation > MAX_INCARNATION) return false
    atomics.store(this.engine, word, pack(incarnation, Aborting))
    return true
  }

  /** Moves the commit cursor and wakes whoever waits for it. Holder of the lock. */
  advance(next: number): void {
    const engine = this.engine
    atomics.store(engine, Control.CommitIndex, next)
    if (atomics.load(engine, Control.Waiting) !== 0) atomics.notify(engine, Control.CommitIndex)
  }

  /** Moves the cursor without waking anybody, where each place is told and somebody is woken now and then. */
  pass(next: number): void {
    atomics.store(this.engine, Control.CommitIndex, next)
  }

  // ---- fallback ----

  /** Asks every worker to execute nothing more. Holder of the lock. */
  drain(): void {
    atomics.store(this.engine, Control.Mode, Mode.Draining)
    // Whoever is parked for want of work has to see it too, and would else not for a millisecond.
    atomics.notify(this.engine, Control.CommitIndex)
  }

  get draining(): boolean {
    return atomics.load(this.engine, Control.Mode) === Mode.Draining
  }

  /**
   * True once nobody but the caller executes. A worker that comes later adds itself to `Join` before it
   * looks at the mode, so either it sees the request or it is counted here.
   */
  get alone(): boolean {
    return atomics.load(this.engine, Control.Drained) >= joined(this.engine) - 1
  }

  /** Parks the calling worker until speculation begins again, the run ends or halts. */
  awaitSpeculation(): void {
    const engine = this.engine
    atomics.add(engine, Control.Drained, 1)
    while (this.draining && !this.done() && !this.halted()) {
      atomics.wait(engine, Control.Mode, Mode.Draining, 10)
    }
    atomics.add(engine, Control.Drained, -1)
  }

  /** Returns places `from` to `to` (exclusive) to Ready: their executions were thrown away. Everyone else drains. */
  reset(from: number, to: number): void {
    for (let place = from; place < to; place++) {
      const word = this.#word(place)
      const status = this.engine[word]
      const state = stateOf(status)
      // Of what was reserved nothing has run.
      const thrownAway = state === Executed || state === Deferred ? 1 : 0
      if (state !== Ready) atomics.store(this.engine, word, pack(incarnationOf(status) + thrownAway, Ready))
    }
  }

  /**
   * Takes back what was begun before its turn, from place `end` on, below which the caller takes back all: `withdraw` is
   * told of what was published. No place is begun so again, unless `offerEarly` follows. Everyone else drains.
   */
  recallEarly(end: number, withdraw: (place: number) => void): void {
    const { engine } = this
    const count = engine[Control.EarlyCount]
    atomics.store(engine, Control.EarlyNext, count)
    for (let k = 0; k < count; k++) {
      const place = engine[Control.EarlyPlaces + k]
      if (place < end) continue
      if (this.isExecuted(place)) withdraw(place)
      this.reset(place, place + 1)
    }
  }

  /** Lets places from `from` on be begun before their turn again: nothing has run there. Everyone else drains. */
  offerEarly(from: number): void {
    const { engine } = this
    const count = engine[Control.EarlyCount]
    for (let k = 0; k < count; k++) {
      const place = engine[Control.EarlyPlaces + k]
      if (place >= from) atomics.store(engine, this.#word(place), pack(incarnationOf(this.status(place)), Early))
    }
    atomics.store(engine, Control.EarlyNext, 0)
  }

  /** Lets speculation begin again at `place`. */
  resume(place: number): void {
    const engine = this.engine
    atomics.store(engine, Control.Wary, place + 1)
    atomics.store(engine, Control.ExecutionIndex, place)
    atomics.store(engine, Control.Mode, Mode.Speculative)
    atomics.notify(engine, Control.Mode)
  }

  /** First place that nobody has claimed. */
  get executionIndex(): number {
    return Math.min(atomics.load(this.engine, Control.ExecutionIndex), this.#last + 1)
  }

  // ---- idleness ----

  /** Waits a little for the commit cursor to leave `seen`; first by turning, then parked. Past the end it never does. */
  idle(seen: number, turn: number): void {
    const engine = this.engine
    if (turn < this.#spins || seen > this.#last) return
    if (this.looksAhead(seen)) return
    atomics.add(engine, Control.Waiting, 1)
    atomics.wait(engine, Control.CommitIndex, seen, 1)
    atomics.add(engine, Control.Waiting, -1)
  }
}
