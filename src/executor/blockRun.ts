/**
 * One worker's part of a run: claim and execute places, serve the commit stage, fall back and resume.
 *
 * This is where scheduler, multi-version memory and adapter meet. The holder of the commit lock validates
 * in order; a place that fails is executed again on the spot, strictly, and is then final.
 */
import * as atomics from '../core/atomics.ts'
import { Outcome, type SyncAdapter } from '../core/contracts.ts'
import { Control, Fault, Halt, Place, WorkerBlock } from '../core/layout.ts'
import type { LocationTable } from '../core/table.ts'
import { MVMemory } from '../mvmemory/mvmemory.ts'
import { nextStretch, SAMPLE, speculationLoses } from '../scheduler/judge.ts'
import { ReadyList } from '../scheduler/ready.ts'
import { LARGEST_CHUNK, Scheduler } from '../scheduler/scheduler.ts'
import { SequentialMemory } from './sequential.ts'

type Words = Int32Array

/** Aim of a claim, in milliseconds: long tasks are claimed singly, so that neighbours that conflict do not run apart. */
const CLAIM_MILLISECONDS = 0.06
/** Commits between two moves of the cursor: an atomic store each would be a tenth of a transfer. */
const ADVANCE_EVERY = 16

/** Claims of this size or more are of short tasks. */
const OWN_COMMITS = 4

/** Claims without a wait after which a worker claims several places at once again. */
const CALM_CLAIMS = 32

export class BlockRun {
  readonly #engine: Words
  readonly #index: number
  readonly #block: number
  readonly #adapter: SyncAdapter
  readonly #scheduler: Scheduler
  readonly #memory: MVMemory
  readonly #sequential: SequentialMemory
  readonly #table: LocationTable
  #executions = 0
  #aborts = 0
  #validations = 0
  #deferrals = 0
  #speculative = 0
  #fallback = 0
  #fallbacks = 0
  #endExecutions = 0
  #calmClaims = CALM_CLAIMS
  #begun = false
  /** Claims by rank, in runs with a schedule. */
  #ready: ReadyList | undefined

  constructor(engine: Words, workerIndex: number, table: LocationTable, adapter: SyncAdapter) {
    this.#engine = engine
    this.#index = workerIndex
    this.#block = Control.WorkerBlocks + workerIndex * WorkerBlock.Size
    this.#adapter = adapter
    this.#table = table
    this.#scheduler = new Scheduler(engine)
    this.#memory = new MVMemory(engine, table)
    this.#memory.folder = adapter
    this.#sequential = new SequentialMemory(engine, table, this.#memory.arena)
  }

  #begin(): void {
    this.#executions = 0
    this.#aborts = 0
    this.#validations = 0
    this.#deferrals = 0
    this.#speculative = 0
    this.#fallback = 0
    this.#fallbacks = 0
    this.#endExecutions = 0
    this.#calmClaims = CALM_CLAIMS
    this.#begun = false
    this.#table.begin()
    this.#memory.beginRun()
    this.#sequential.beginRun()
    this.#scheduler.beginRun()
    const schedule = this.#engine[Control.Schedule]
    this.#ready = schedule === 0 ? undefined : new ReadyList(this.#engine, schedule)
  }

  #end(): void {
    if (this.#begun) this.#adapter.endBlock()
    const engine = this.#engine
    const b = this.#block
    engine[b + WorkerBlock.Executions] = this.#executions
    engine[b + WorkerBlock.Aborts] = this.#aborts
    engine[b + WorkerBlock.Validations] = this.#validations
    engine[b + WorkerBlock.Deferrals] = this.#deferrals
    engine[b + WorkerBlock.Speculative] = this.#speculative
    engine[b + WorkerBlock.Fallback] = this.#fallback
    engine[b + WorkerBlock.Fallbacks] = this.#fallbacks
    engine[b + WorkerBlock.EndExecutions] = this.#endExecutions
    engine[b + WorkerBlock.Waits] = this.#memory.waits
    engine[b + WorkerBlock.Written] = this.#memory.written
    engine[b + WorkerBlock.Inserted] = this.#table.inserted
  }

  /** The whole block on this worker alone, by the oracle. */
  sequential(): void {
    this.#begin()
    this.#beginBlock()
    this.#runSequential(this.#scheduler.first, this.#scheduler.last + 1)
    this.#sequential.settleDense(this.#scheduler.last + 1)
    this.#memory.written = this.#sequential.written
    this.#end()
  }

  /** This worker's share of a speculative run; returns when the block is committed or halted. */
  speculative(): void {
    this.#begin()
    if (this.#ready === undefined) this.#inOrder()
    else this.#byRank(this.#ready)
    this.#end()
  }

  /** Claims single places by a schedule, with the units that they need. */
  #byRank(ready: ReadyList): void {
    const scheduler = this.#scheduler
    let turn = 0
    while (!scheduler.done() && !scheduler.halted()) {
      const seen = atomics.load(this.#engine, Control.CommitIndex)
      const place = ready.claim()
      if (place >= 0) {
        this.#execute(place)
        ready.release(place)
        turn = 0
      }
      if (this.#commitStage(true)) turn = 0
      else if (place < 0) scheduler.idle(seen, turn++)
    }
  }

  #inOrder(): void {
    const scheduler = this.#scheduler
    let chunk = 1
    let turn = 0
    while (!scheduler.done() && !scheduler.halted()) {
      if (scheduler.draining) {
        scheduler.awaitSpeculation()
        this.#memory.forgetWalks()
        continue
      }
      const first = scheduler.claim(chunk)
      if (first >= 0) {
        const end = Math.min(first + chunk, scheduler.last + 1)
        chunk = this.#executeClaim(first, end)
        turn = 0
      }
      const seen = atomics.load(this.#engine, Control.CommitIndex)
      // Short tasks are committed by the worker that executed them, whose cache holds what they read and wrote:
      // another one would fetch ten cache lines a place. Long tasks, and the last ones, by whoever is there.
      if (this.#commitStage(first < 0 || chunk < OWN_COMMITS)) turn = 0
      else if (first < 0) scheduler.idle(seen, turn++)
    }
  }

  /** Gives the adapter the block's environment before its first execution in this run. */
  #beginBlock(): void {
    if (this.#begun) return
    this.#begun = true
    const engine = this.#engine
    this.#adapter.beginBlock(engine, engine[Control.Environment], engine[Control.AdapterFlags])
  }

  /** Executes claimed places and returns the size of the next claim. */
  #executeClaim(first: number, end: number): number {
    const began = performance.now()
    const waits = this.#memory.waits
    for (let place = first; place < end; place++) {
      // Left Ready: a fallback returns the cursor below them.
      if (this.#scheduler.pausing) return 1
      this.#execute(place)
      // The next place of this claim may wait for the one just executed.
      if (this.#memory.waits !== waits) {
        const fallbacks = this.#fallbacks
        this.#commitStage(true)
        // A fallback has run past this claim, or given the rest of it out anew (S1).
        if (this.#fallbacks !== fallbacks) return 1
      }
    }
    // Where places wait for their predecessors, neighbours must run side by side: a pipeline, not blocks.
    this.#calmClaims = this.#memory.waits === waits ? this.#calmClaims + 1 : 0
    if (this.#calmClaims < CALM_CLAIMS) return 1
    const each = (performance.now() - began) / (end - first)
    return Math.max(1, Math.min(LARGEST_CHUNK, 2 * (end - first), Math.round(CLAIM_MILLISECONDS / each)))
  }

  #execute(place: number): void {
    const memory = this.#memory
    this.#beginBlock()
    this.#countExecution(place)
    memory.begin(place, false, false)
    let outcome = this.#adapter.execute(memory, this.#input(place), this.#inputWords(place))
    if (outcome === Outcome.Restart) {
      memory.begin(place, false, true)
      outcome = this.#adapter.execute(memory, this.#input(place), this.#inputWords(place))
    }
    if (outcome === Outcome.Done) {
      memory.publish()
      this.#engine[this.#engine[Control.PlaceTable] + place * Place.Size + Place.Worker] = this.#index
      this.#scheduler.executed(place)
    } else {
      if (!this.#isEnd(place)) this.#deferrals++
      this.#scheduler.defer(place)
    }
  }

  /** Ends are counted apart: the report's numbers are of transactions. */
  #isEnd(place: number): boolean {
    return place === 0 || place > this.#engine[Control.Places]
  }

  #countExecution(place: number): void {
    if (this.#isEnd(place)) this.#endExecutions++
    else this.#executions++
  }

  #input(place: number): number {
    return this.#engine[this.#engine[Control.InputOffsets] + place]
  }

  #inputWords(place: number): number {
    const offsets = this.#engine[Control.InputOffsets]
    return this.#engine[offsets + place + 1] - this.#engine[offsets + place]
  }

  /**
   * Commits what can be committed. Returns whether the cursor moved.
   *
   * A worker that finds the lock taken goes on; so whoever lets go of it looks once more at the place it stopped
   * at, which may have been executed in between. Otherwise readers could wait for a commit that nobody makes.
   */
  #commitStage(anybodys: boolean): boolean {
    let moved = false
    while (this.#scheduler.tryLock()) {
      const more = this.#commitLocked(anybodys)
      moved ||= more
      if (!this.#scheduler.isCommittable() || (!anybodys && !more)) break
    }
    return moved
  }

  #commitLocked(anybodys: boolean): boolean {
    const scheduler = this.#scheduler
    let next = scheduler.commitIndex
    const from = next
    try {
      while (next <= scheduler.last) {
        if (scheduler.isExecuted(next)) {
          if (!anybodys && this.#isForeign(next)) break
          const counted = this.#isEnd(next) ? 0 : 1
          this.#validations += counted
          if (this.#memory.validate(next)) {
            this.#finish(next)
            this.#speculative += counted
            next++
            if ((next & (ADVANCE_EVERY - 1)) === 0) scheduler.advance(next)
            continue
          }
        } else if (!scheduler.isDeferred(next)) break
        scheduler.advance(next)
        if (scheduler.halted()) break
        if (!this.#reexecute(next)) break
        next++
        next = this.#judge(next)
      }
      if (next > scheduler.last) this.#memory.settleDense(scheduler.last + 1)
      if (next !== from) scheduler.advance(next)
    } finally {
      scheduler.unlock()
    }
    if (next > scheduler.last) atomics.notify(this.#engine, Control.CommitIndex)
    return next !== from
  }

  #isForeign(place: number): boolean {
    return this.#engine[this.#engine[Control.PlaceTable] + place * Place.Size + Place.Worker] !== this.#index
  }

  #finish(place: number): void {
    this.#memory.commit(place)
    this.#engine[Control.JudgedCommits]++
  }

  /** Executes a place again with everything below final. False when it halted the run. */
  #reexecute(place: number): boolean {
    const memory = this.#memory
    this.#beginBlock()
    if (!this.#isEnd(place)) this.#aborts++
    this.#countExecution(place)
    this.#engine[Control.JudgedAborts]++
    memory.markEstimates(place)
    if (!this.#scheduler.abort(place)) return this.#fault(place, Fault.Invariant, 'S2: an incarnation would wrap')
    memory.begin(place, true, true)
    if (this.#ready?.acquire(place) === false) return false
    const outcome = this.#adapter.execute(memory, this.#input(place), this.#inputWords(place))
    this.#ready?.release(place)
    if (outcome !== Outcome.Done) return this.#complain(place, outcome)
    memory.publish()
    this.#scheduler.executed(place)
    if (!memory.foldStrict(place))
      return this.#fault(place, Fault.Invariant, 'M4: a strict execution missed its own bound')
    this.#finish(place)
    return true
  }

  // ---- fallback ----

  /** Looks at the last sample; where speculation loses, a stretch runs sequentially. Returns the next place. */
  #judge(next: number): number {
    const engine = this.#engine
    const commits = engine[Control.JudgedCommits]
    if (commits < SAMPLE) return next
    const aborts = engine[Control.JudgedAborts]
    engine[Control.JudgedCommits] = 0
    engine[Control.JudgedAborts] = 0
    if (engine[Control.Speculation] !== 0 || !speculationLoses(commits, aborts)) return next
    return next <= this.#scheduler.last ? this.#fallBack(next) : next
  }

  #fallBack(from: number): number {
    const scheduler = this.#scheduler
    const engine = this.#engine
    scheduler.advance(from)
    scheduler.drain()
    while (!scheduler.alone) {
      if (scheduler.halted()) return from
    }
    this.#fallbacks++
    const end = scheduler.executionIndex
    for (let place = from; place < end; place++) {
      if (scheduler.isExecuted(place)) this.#memory.withdraw(place, from)
    }
    this.#memory.forgetWalks()
    scheduler.reset(from, end)
    engine[Control.Stretch] = nextStretch(engine[Control.Stretch])
    const to = Math.min(from + engine[Control.Stretch], scheduler.last + 1)
    this.#sequential.written = this.#memory.written
    const next = this.#runSequential(from, to)
    this.#memory.written = this.#sequential.written
    // An epilogue at the end of the stretch is no transaction.
    this.#fallback += Math.min(next, engine[Control.Places] + 1) - from
    scheduler.resume(next)
    return next
  }

  /** Runs places `from` to `to` (exclusive) by the oracle; the first place not run. */
  #runSequential(from: number, to: number): number {
    const memory = this.#sequential
    const scheduler = this.#scheduler
    for (let place = from; place < to; place++) {
      if ((place & 63) === 0) {
        if (scheduler.halted()) return place
        scheduler.advance(place)
      }
      memory.begin(place)
      this.#countExecution(place)
      const outcome = this.#adapter.execute(memory, this.#input(place), this.#inputWords(place))
      if (outcome !== Outcome.Done) {
        scheduler.advance(place)
        this.#complain(place, outcome)
        return place
      }
    }
    // Whoever resumes after the stretch may look at the place before its own.
    scheduler.executed(to - 1)
    scheduler.advance(to)
    return to
  }

  // ---- faults ----

  #complain(place: number, outcome: Outcome): false {
    if (outcome === Outcome.Blocked) return this.#fault(place, Fault.Invariant, 'M1: a final place met an estimate')
    const complaint = this.#adapter.complaint()
    return this.#fault(place, complaint.fault, complaint.message)
  }

  /** Stops the run with what went wrong at `place`; main makes the error. */
  #fault(place: number, code: number, message: string): false {
    const engine = this.#engine
    const bytes = new TextEncoder().encode(message)
    const at = this.#memory.arena.take(1 + ((bytes.length + 3) >> 2))
    engine[at] = bytes.length
    for (let k = 0; k < bytes.length; k++) {
      const word = at + 1 + (k >> 2)
      if ((k & 3) === 0) engine[word] = 0
      engine[word] |= bytes[k] << ((k & 3) * 8)
    }
    engine[Control.FaultPlace] = place
    engine[Control.FaultCode] = code
    engine[Control.FaultMessage] = at
    this.#scheduler.halt(Halt.Fault)
    return false
  }
}
