/**
 * One worker's part of a run with an adapter that answers at once: claim and execute places, serve the commit stage,
 * fall back and resume. Nothing in here awaits; asyncRun.ts is the same loop for adapters that answer with a promise.
 */
import * as atomics from '../core/atomics.ts'
import { awaitAnswer, isKnown } from '../core/cold.ts'
import { Outcome, type SyncAdapter } from '../core/contracts.ts'
import { Alone, Control } from '../core/layout.ts'
import type { LocationTable } from '../core/table.ts'
import type { ReadyList } from '../scheduler/ready.ts'
import { paysToCall, UNCOUNTED, untilNextLook } from './pace.ts'
import { ADVANCE_EVERY, OWN_COMMITS, RunParts } from './runParts.ts'
import type { RunRecording } from './runRecording.ts'

type Words = Int32Array

export class BlockRun extends RunParts {
  readonly #adapter: SyncAdapter

  constructor(
    engine: Words,
    workerIndex: number,
    table: LocationTable,
    adapter: SyncAdapter,
    recording?: RunRecording,
  ) {
    super(engine, workerIndex, table, adapter, recording)
    this.#adapter = adapter
  }

  /** The whole block on this worker alone, by the oracle. */
  sequential(): void {
    this.begin()
    this.beginBlock()
    this.#runSequential(this.scheduler.first, this.scheduler.last + 1)
    this.endSequential()
  }

  /** This worker's share of a speculative run; returns when the block is committed or halted. */
  speculative(): void {
    this.begin()
    if (this.beginsAlone) this.#alone()
    if (this.ready === undefined) this.#inOrder()
    else this.#byRank(this.ready)
    this.end()
  }

  /** Claims single places by a schedule, with the units that they need. */
  #byRank(ready: ReadyList): void {
    const scheduler = this.scheduler
    let turn = 0
    while (!scheduler.done() && !scheduler.halted()) {
      for (let place = this.thawed(); place >= 0; place = this.thawed()) {
        if (!ready.acquire(place)) return
        this.#execute(place)
        ready.release(place)
      }
      const seen = atomics.load(this.engine, Control.CommitIndex)
      const place = ready.claim()
      if (place >= 0) {
        this.recording?.start()
        this.#execute(place)
        ready.release(place)
        this.recording?.publish()
        turn = 0
      }
      if (this.#commitStage(true)) turn = 0
      else if (place < 0) scheduler.idle(seen, turn++)
    }
  }

  /** Runs the first places by the oracle, until waking the others pays or the block is done. */
  #alone(): void {
    const scheduler = this.scheduler
    if (!scheduler.tryLock()) return
    // A worker called to an earlier run may have come to this one, and have left it: it would not drain.
    if (scheduler.done()) {
      scheduler.unlock()
      return
    }
    const from = scheduler.commitIndex
    if (!this.#drain()) return
    this.beginAlone(from)
    const isQueues = this.engine[Control.Alone] === Alone.Queues
    let next = from
    let places = 1
    // What counts: from which place on, and when that was.
    let counted = from
    let began = performance.now()
    while (next <= scheduler.last) {
      const to = Math.min(next + places, scheduler.last + 1)
      next = this.#runSequential(next, to)
      const now = performance.now()
      places = untilNextLook(next - from, now - began)
      if (next < to) break
      if (isQueues && next - from <= UNCOUNTED) {
        counted = next
        began = now
      } else if (paysToCall(next - counted, now - began, scheduler.last + 1 - next, isQueues)) break
    }
    this.endAlone(from, next)
    this.settle(from, next)
    scheduler.unlock()
    if (next > scheduler.last) this.announceEnd()
  }

  #inOrder(): void {
    const scheduler = this.scheduler
    let chunk = Math.max(1, this.engine[Control.FirstClaim])
    let turn = 0
    while (!scheduler.done() && !scheduler.halted()) {
      if (scheduler.draining) {
        scheduler.awaitSpeculation()
        this.forget()
        continue
      }
      for (let place = this.thawed(); place >= 0; place = this.thawed()) {
        // What came before was no work on this place.
        this.recording?.start()
        this.#execute(place)
      }
      const early = this.claimEarly()
      if (early >= 0) {
        this.#executeEarly(early)
        this.#commitStage(true)
        turn = 0
        continue
      }
      if (scheduler.reserves && scheduler.caughtUp) {
        chunk = this.#lead(chunk)
        continue
      }
      const size = scheduler.taper(chunk)
      const first = this.claim(size, scheduler.share(size))
      if (first >= 0) {
        chunk = this.#executeClaim(first, this.claimEnd)
        turn = 0
      }
      const seen = atomics.load(this.engine, Control.CommitIndex)
      // Short tasks are committed by the worker that executed them, whose cache holds what they read and wrote:
      // another one would fetch ten cache lines a place. Long tasks, and the last ones, by whoever is there.
      if (this.#commitStage(first < 0 || chunk < OWN_COMMITS)) turn = 0
      else if (first < 0) scheduler.idle(seen, turn++)
    }
  }

  /** Executes places at the commit cursor, since nothing below them is pending; returns the size of the next claim. */
  #lead(chunk: number): number {
    const began = performance.now()
    const waits = this.memory.waits
    const first = this.scheduler.executionIndex
    this.scheduler.claim(0, chunk)
    this.#commitStage(true)
    return this.nextClaim(first, chunk, began, waits)
  }

  /** Executes a place before its turn. What comes of it, validation says. */
  #executeEarly(place: number): void {
    const began = performance.now()
    this.recording?.start(began)
    this.#execute(place)
    const now = performance.now()
    this.recording?.publish(now)
    this.noteLong(place, 1, now - began)
  }

  /** Executes claimed places and returns the size of the next claim. */
  #executeClaim(first: number, end: number): number {
    const began = performance.now()
    const waits = this.memory.waits
    const { hasEarly } = this.scheduler
    this.recording?.start(began)
    for (let place = first; place < end; place++) {
      // Left Ready: a fallback returns the cursor below them.
      if (this.scheduler.pausing) return 1
      if (hasEarly && !this.scheduler.take(place)) continue
      this.#execute(place)
      // The next place of this claim may wait for the one just executed.
      if (this.memory.waits !== waits) {
        const fallbacks = this.fallbacks
        this.#commitStage(true)
        // A fallback has run past this claim, or given the rest of it out anew (S1).
        if (this.fallbacks !== fallbacks) return 1
      }
    }
    return this.nextClaim(first, end - first, began, waits)
  }

  #execute(place: number): void {
    const memory = this.memory
    this.beginBlock()
    this.countExecution(place)
    memory.begin(place, false, false)
    let outcome = this.#adapter.execute(memory, this.input(place), this.inputWords(place))
    if (outcome === Outcome.Restart) {
      memory.begin(place, false, true)
      outcome = this.#adapter.execute(memory, this.input(place), this.inputWords(place))
    }
    this.executed(place, outcome)
  }

  /**
   * Commits what can be committed. Returns whether the cursor moved.
   *
   * A worker that finds the lock taken goes on; so whoever lets go of it looks once more at the place it stopped
   * at, which may have been executed in between. Otherwise readers could wait for a commit that nobody makes.
   */
  #commitStage(anybodys: boolean): boolean {
    let moved = false
    while (this.scheduler.tryLock()) {
      const more = this.#commitLocked(anybodys)
      moved ||= more
      if (!this.scheduler.isCommittable() || (!anybodys && !more)) break
    }
    return moved
  }

  #commitLocked(anybodys: boolean): boolean {
    const scheduler = this.scheduler
    const from = scheduler.commitIndex
    let next = from
    this.recording?.commitFrom(from)
    // What throws in here keeps the lock: the run halts for it, and nobody may commit these places once more before.
    for (;;) {
      next = this.commitValid(next, anybodys)
      if (!this.again) break
      if (scheduler.isReserved(next)) {
        next = this.#executeReserved(next)
        if (scheduler.halted()) break
        continue
      }
      if (!this.#reexecute(next)) break
      next++
      if (this.losesAt(next)) next = this.#fallBack(next)
    }
    this.settle(from, next)
    scheduler.unlock()
    if (next > scheduler.last) this.announceEnd()
    return next !== from
  }

  /** Executes the reserved places from `from` on, each with everything below it final. Returns the first that is not. */
  #executeReserved(from: number): number {
    const { memory, scheduler } = this
    this.beginBlock()
    const end = scheduler.reservedEnd(from)
    let next = from
    while (next < end) {
      this.countExecution(next)
      memory.begin(next, true, true)
      const outcome = this.#adapter.execute(memory, this.input(next), this.inputWords(next))
      if (!this.endDirect(next, outcome)) {
        if (next + 1 < end) scheduler.reserve(next + 1, end)
        break
      }
      next++
      if (scheduler.halting) break
      if ((next & (ADVANCE_EVERY - 1)) === 0) this.pass(next)
      else scheduler.pass(next)
    }
    return next
  }

  /** Executes a place again with everything below final. False when it halted the run. */
  #reexecute(place: number): boolean {
    if (!this.beginAgain(place)) return false
    return this.endAgain(place, this.#adapter.execute(this.memory, this.input(place), this.inputWords(place)))
  }

  #fallBack(from: number): number {
    this.advance(from)
    if (!this.#drain()) return from
    return this.endStretch(from, this.#runSequential(from, this.beginStretch(from)))
  }

  /** Waits until nobody else executes; false where the run halted. Holder of the lock, in a run that is not done. */
  #drain(): boolean {
    const scheduler = this.scheduler
    scheduler.drain()
    while (!scheduler.alone) {
      if (scheduler.halted()) return false
    }
    return true
  }

  /** Runs places `from` to `to` (exclusive) by the oracle; the first place not run. */
  #runSequential(from: number, to: number): number {
    const memory = this.oracle
    const scheduler = this.scheduler
    for (let place = from; place < to; place++) {
      if (!this.goesOn(place)) return place
      memory.begin(place)
      this.countExecution(place)
      const outcome = this.#adapter.execute(memory, this.input(place), this.inputWords(place))
      memory.assertRoom()
      if (memory.cold.length > 0) {
        this.recording?.waitedAlone()
        // Nobody else works, so there is nothing else to do meanwhile.
        for (const record of memory.cold) {
          while (!isKnown(memory.state, record)) {
            if (scheduler.halted()) return place
            awaitAnswer(memory.state, record)
          }
        }
        this.recording?.start()
        place--
        continue
      }
      this.recording?.executedAlone(outcome)
      if (outcome !== Outcome.Done) return this.stoppedAt(place, outcome)
    }
    return this.ranTo(to)
  }
}
