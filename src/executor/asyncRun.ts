/**
 * One worker's part of a run with an adapter that answers with a promise: the loop of blockRun.ts, awaiting.
 *
 * A worker executes one place at a time here too: it awaits each answer before it does anything else, so that two
 * incarnations never meet in one adapter. What it waits for itself it waits for with its event loop free, since the
 * module behind the adapter may need it; the adapter may wait for a base value itself (docs/decisions/0015). A promise
 * that never settles is a stall: the watchdog halts the run, and the pool ends the thread, for nothing else would stop
 * what the adapter still might do.
 */
import * as atomics from '../core/atomics.ts'
import { awaitAnswerAsync, isKnown } from '../core/cold.ts'
import { type AsyncAdapter, Outcome } from '../core/contracts.ts'
import { Control, Mode } from '../core/layout.ts'
import type { LocationTable } from '../core/table.ts'
import type { ReadyList } from '../scheduler/ready.ts'
import { OWN_COMMITS, RunParts } from './runParts.ts'
import type { RunRecording } from './runRecording.ts'

type Words = Int32Array

/** Turns of an idle worker before it waits: a wake-up of an event loop takes longer than many short tasks. */
const TURNS = 100
/** Milliseconds of a wait that nobody need end. */
const PARK = 1

export class AsyncBlockRun extends RunParts {
  readonly #adapter: AsyncAdapter

  constructor(
    engine: Words,
    workerIndex: number,
    table: LocationTable,
    adapter: AsyncAdapter,
    recording?: RunRecording,
  ) {
    super(engine, workerIndex, table, adapter, recording)
    this.#adapter = adapter
  }

  /** The whole block on this worker alone, by the oracle. */
  async sequential(): Promise<void> {
    this.begin()
    this.beginBlock()
    await this.#runSequential(this.scheduler.first, this.scheduler.last + 1)
    this.endSequential()
  }

  /** This worker's share of a speculative run; resolves when the block is committed or halted. */
  async speculative(): Promise<void> {
    this.begin()
    if (this.ready === undefined) await this.#inOrder()
    else await this.#byRank(this.ready)
    this.end()
  }

  /** Claims single places by a schedule, with the units that they need. */
  async #byRank(ready: ReadyList): Promise<void> {
    const scheduler = this.scheduler
    let turn = 0
    while (!scheduler.done() && !scheduler.halted()) {
      for (let place = this.thawed(); place >= 0; place = this.thawed()) {
        if (!ready.acquire(place)) return
        await this.#execute(place)
        ready.release(place)
      }
      const seen = atomics.load(this.engine, Control.CommitIndex)
      const place = ready.claim()
      if (place >= 0) {
        this.recording?.start()
        await this.#execute(place)
        ready.release(place)
        this.recording?.publish()
        turn = 0
      }
      if (await this.#commitStage(true)) turn = 0
      else if (place < 0 && turn++ >= Math.min(TURNS, scheduler.spins)) await this.#idle(seen)
    }
  }

  async #inOrder(): Promise<void> {
    const scheduler = this.scheduler
    let chunk = 1
    let turn = 0
    while (!scheduler.done() && !scheduler.halted()) {
      if (scheduler.draining) {
        await this.#awaitSpeculation()
        this.forget()
        continue
      }
      for (let place = this.thawed(); place >= 0; place = this.thawed()) {
        // What came before was no work on this place.
        this.recording?.start()
        await this.#execute(place)
      }
      const early = this.claimEarly()
      if (early >= 0) {
        await this.#executeEarly(early)
        await this.#commitStage(true)
        turn = 0
        continue
      }
      const first = this.claim(chunk, 0)
      if (first >= 0) {
        chunk = await this.#executeClaim(first, this.claimEnd)
        turn = 0
      }
      const seen = atomics.load(this.engine, Control.CommitIndex)
      if (await this.#commitStage(first < 0 || chunk < OWN_COMMITS)) turn = 0
      else if (first < 0 && seen <= scheduler.last && turn++ >= Math.min(TURNS, scheduler.spins)) {
        if (!scheduler.looksAhead(seen)) await this.#idle(seen)
      }
    }
  }

  /** Executes a place before its turn. What comes of it, validation says. */
  async #executeEarly(place: number): Promise<void> {
    const began = performance.now()
    this.recording?.start(began)
    await this.#execute(place)
    const now = performance.now()
    this.recording?.publish(now)
    this.noteLong(place, 1, now - began)
  }

  /** Executes claimed places and returns the size of the next claim. */
  async #executeClaim(first: number, end: number): Promise<number> {
    const began = performance.now()
    const waits = this.memory.waits
    const { hasEarly } = this.scheduler
    this.recording?.start(began)
    for (let place = first; place < end; place++) {
      // Left Ready: a fallback returns the cursor below them.
      if (this.scheduler.pausing) return 1
      if (hasEarly && !this.scheduler.take(place)) continue
      await this.#execute(place)
      if (this.memory.waits !== waits) {
        const fallbacks = this.fallbacks
        await this.#commitStage(true)
        // A fallback has run past this claim, or given the rest of it out anew (S1).
        if (this.fallbacks !== fallbacks) return 1
      }
    }
    return this.nextClaim(first, end - first, began, waits)
  }

  async #execute(place: number): Promise<void> {
    const memory = this.memory
    this.beginBlock()
    this.countExecution(place)
    memory.begin(place, false, false)
    let outcome = await this.#adapter.execute(memory, this.input(place), this.inputWords(place))
    if (outcome === Outcome.Restart) {
      memory.begin(place, false, true)
      outcome = await this.#adapter.execute(memory, this.input(place), this.inputWords(place))
    }
    this.executed(place, outcome)
  }

  /** Commits what can be committed; see blockRun.ts for why whoever lets go of the lock looks once more. */
  async #commitStage(anybodys: boolean): Promise<boolean> {
    let moved = false
    while (this.scheduler.tryLock()) {
      const more = await this.#commitLocked(anybodys)
      moved ||= more
      if (!this.scheduler.isCommittable() || (!anybodys && !more)) break
    }
    return moved
  }

  async #commitLocked(anybodys: boolean): Promise<boolean> {
    const scheduler = this.scheduler
    const from = scheduler.commitIndex
    let next = from
    this.recording?.commitFrom(from)
    // As in blockRun.ts: what throws in here keeps the lock.
    for (;;) {
      next = this.commitValid(next, anybodys)
      if (!this.again || !(await this.#reexecute(next))) break
      next++
      if (this.losesAt(next)) next = await this.#fallBack(next)
    }
    this.settle(from, next)
    scheduler.unlock()
    if (next > scheduler.last) this.announceEnd()
    return next !== from
  }

  /** Executes a place again with everything below final. False when it halted the run. */
  async #reexecute(place: number): Promise<boolean> {
    if (!this.beginAgain(place)) return false
    return this.endAgain(place, await this.#adapter.execute(this.memory, this.input(place), this.inputWords(place)))
  }

  async #fallBack(from: number): Promise<number> {
    const scheduler = this.scheduler
    this.advance(from)
    scheduler.drain()
    while (!scheduler.alone) {
      if (scheduler.halted()) return from
      // Another worker may await its adapter for long; it says that it has drained by no word of its own.
      await atomics.waitAsync(this.engine, Control.Drained, atomics.load(this.engine, Control.Drained), PARK)
    }
    return this.endStretch(from, await this.#runSequential(from, this.beginStretch(from)))
  }

  /** Runs places `from` to `to` (exclusive) by the oracle; the first place not run. */
  async #runSequential(from: number, to: number): Promise<number> {
    const memory = this.oracle
    const scheduler = this.scheduler
    for (let place = from; place < to; place++) {
      if (!this.goesOn(place)) return place
      memory.begin(place)
      this.countExecution(place)
      const outcome = await this.#adapter.execute(memory, this.input(place), this.inputWords(place))
      memory.assertRoom()
      if (memory.cold.length > 0) {
        this.recording?.waitedAlone()
        // Nobody else works, so there is nothing else to do meanwhile.
        for (const record of memory.cold) {
          while (!isKnown(memory.state, record)) {
            if (scheduler.halted()) return place
            await awaitAnswerAsync(memory.state, record)
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

  // ---- waiting with the event loop free ----

  /** Waits a little for the commit cursor to leave `seen`. */
  async #idle(seen: number): Promise<void> {
    const { engine } = this
    atomics.add(engine, Control.Waiting, 1)
    await atomics.waitAsync(engine, Control.CommitIndex, seen, PARK)
    atomics.add(engine, Control.Waiting, -1)
  }

  /** As `Scheduler.awaitSpeculation`. */
  async #awaitSpeculation(): Promise<void> {
    const { engine, scheduler } = this
    atomics.add(engine, Control.Drained, 1)
    while (scheduler.draining && !scheduler.done() && !scheduler.halted()) {
      await atomics.waitAsync(engine, Control.Mode, Mode.Draining, 10)
    }
    atomics.add(engine, Control.Drained, -1)
  }
}
