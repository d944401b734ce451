/**
 * What a worker's part of a run is made of, but for executing: counters, commits that need no execution, the
 * bookkeeping of re-executions and fallbacks, faults.
 *
 * Two loops stand on it, one for adapters that answer at once (blockRun.ts), which never awaits, and one for adapters
 * that answer with a promise (asyncRun.ts). The holder of the commit lock validates in order; a place that fails is
 * executed again on the spot, strictly, and is then final.
 */
import * as atomics from '../core/atomics.ts'
import { isKnown } from '../core/cold.ts'
import { type Adapter, Outcome } from '../core/contracts.ts'
import { Control, Fault, Halt, LongClaim, Place, WorkerBlock } from '../core/layout.ts'
import { EXTENDED_BELOW } from '../core/rows.ts'
import { incarnationOf } from '../core/status.ts'
import type { LocationTable } from '../core/table.ts'
import { MVMemory } from '../mvmemory/mvmemory.ts'
import { Mode as RecordedMode } from '../records/events.ts'
import { CLAIM_MILLISECONDS, LARGEST_CHUNK } from '../scheduler/claims.ts'
import { beginsAlone, callNext } from '../scheduler/joining.ts'
import { nextStretch, SAMPLE, speculationLoses } from '../scheduler/judge.ts'
import { ReadyList } from '../scheduler/ready.ts'
import { Scheduler } from '../scheduler/scheduler.ts'
import type { RunRecording } from './runRecording.ts'
import { SequentialMemory } from './sequential.ts'

type Words = Int32Array

/** Commits between two moves of the cursor: an atomic store each would be a tenth of a transfer. */
export const ADVANCE_EVERY = 16

/** Claims of this size or more are of short tasks. */
export const OWN_COMMITS = 4

/** Claims that took as long as this are long: some hundred short tasks. */
const LONG_CLAIM_MICROSECONDS = 250

/** Claims without a wait after which a worker claims several places at once again. */
const CALM_CLAIMS = 32

export abstract class RunParts {
  protected readonly engine: Words
  protected readonly scheduler: Scheduler
  protected readonly memory: MVMemory
  protected readonly oracle: SequentialMemory
  /** The commit stage stopped at a place that is to be executed again. Holder of the commit lock. */
  protected again = false
  protected fallbacks = 0
  /** Undefined where nothing is recorded: then a place costs a look at it, and no more. */
  protected readonly recording: RunRecording | undefined
  /** Claims by rank, in runs with a schedule. */
  protected ready: ReadyList | undefined
  readonly #index: number
  readonly #block: number
  readonly #base: Adapter
  readonly #table: LocationTable
  #executions = 0
  #aborts = 0
  #validations = 0
  #deferrals = 0
  #speculative = 0
  #fallback = 0
  #direct = 0
  #endExecutions = 0
  #calmClaims = CALM_CLAIMS
  /** Where the last claim ends. */
  protected claimEnd = 0
  /** Places that this worker has claimed and not come to: the rest of a row. */
  #rowNext = 0
  #rowEnd = 0
  #begun = false
  /** Places of this worker that wait for base values; `again` for one that the committer left. */
  readonly #held: { readonly place: number; readonly records: readonly number[]; readonly again: boolean }[] = []

  constructor(engine: Words, workerIndex: number, table: LocationTable, adapter: Adapter, recording?: RunRecording) {
    this.recording = recording
    this.engine = engine
    this.#index = workerIndex
    this.#block = Control.WorkerBlocks + workerIndex * WorkerBlock.Size
    this.#base = adapter
    this.#table = table
    this.scheduler = new Scheduler(engine)
    this.memory = recording?.memory ?? new MVMemory(engine, table)
    this.memory.folder = adapter
    this.oracle = recording?.sequential ?? new SequentialMemory(engine, table, this.memory.arena)
  }

  protected begin(): void {
    this.#executions = 0
    this.#aborts = 0
    this.#validations = 0
    this.#deferrals = 0
    this.#speculative = 0
    this.#fallback = 0
    this.#direct = 0
    this.fallbacks = 0
    this.#endExecutions = 0
    this.#calmClaims = CALM_CLAIMS
    this.#rowEnd = 0
    this.#begun = false
    this.#held.length = 0
    this.#table.begin()
    this.memory.beginRun()
    this.oracle.beginRun()
    this.scheduler.beginRun()
    this.recording?.begin()
    const schedule = this.engine[Control.Schedule]
    this.ready = schedule === 0 ? undefined : new ReadyList(this.engine, schedule)
  }

  protected end(): void {
    this.recording?.end()
    if (this.#begun) this.#base.endBlock()
    const engine = this.engine
    const b = this.#block
    engine[b + WorkerBlock.Executions] = this.#executions
    engine[b + WorkerBlock.Aborts] = this.#aborts
    engine[b + WorkerBlock.Validations] = this.#validations
    engine[b + WorkerBlock.Deferrals] = this.#deferrals
    engine[b + WorkerBlock.Speculative] = this.#speculative
    engine[b + WorkerBlock.Fallback] = this.#fallback
    engine[b + WorkerBlock.Fallbacks] = this.fallbacks
    engine[b + WorkerBlock.Direct] = this.#direct
    engine[b + WorkerBlock.EndExecutions] = this.#endExecutions
    engine[b + WorkerBlock.Waits] = this.memory.waits
    engine[b + WorkerBlock.Written] = this.memory.written
    engine[b + WorkerBlock.Inserted] = this.#table.inserted
  }

  /** Gives the adapter the block's environment before its first execution in this run. */
  protected beginBlock(): void {
    if (this.#begun) return
    this.#begun = true
    const engine = this.engine
    this.#base.beginBlock(engine, engine[Control.Environment], engine[Control.AdapterFlags])
  }

  /** Ends a run of the oracle over the whole block. */
  protected endSequential(): void {
    this.oracle.settleDense(this.scheduler.last + 1)
    this.memory.written = this.oracle.written
    this.end()
  }

  // ---- execution ----

  /** Claims a place worth beginning before its turn; -1 for none. One worker stays in order, for others wait for it. */
  protected claimEarly(): number {
    // What it has claimed in order comes first: the commit cursor may wait for that.
    if (this.#index === 0 || !this.scheduler.hasEarly || this.#rowNext < this.#rowEnd) return -1
    return this.scheduler.claimEarly()
  }

  /** Keeps a claim that took `ms` among those that took longest, where it belongs there: what later runs may learn from. */
  protected noteLong(first: number, count: number, ms: number): void {
    const microseconds = Math.min(ms * 1000, 2 ** 31 - 1) | 0
    if (microseconds < LONG_CLAIM_MICROSECONDS) return
    const { engine } = this
    const claims = this.#block + WorkerBlock.LongClaims
    let least = claims
    for (let k = 1; k < LongClaim.Count; k++) {
      const claim = claims + k * LongClaim.Size
      if (engine[claim + LongClaim.Microseconds] < engine[least + LongClaim.Microseconds]) least = claim
    }
    if (microseconds <= engine[least + LongClaim.Microseconds]) return
    engine[least + LongClaim.First] = first
    engine[least + LongClaim.Places] = count
    engine[least + LongClaim.Microseconds] = microseconds
  }

  /** Size of the next claim after one of `count` places from `first` on that began at `began`, with `waits` waits before it. */
  protected nextClaim(first: number, count: number, began: number, waits: number): number {
    const now = performance.now()
    this.recording?.publish(now)
    this.noteLong(first, count, now - began)
    // Where places wait for their predecessors, neighbours must run side by side: a pipeline, not blocks.
    this.#calmClaims = this.memory.waits === waits ? this.#calmClaims + 1 : 0
    if (this.#calmClaims < CALM_CLAIMS) return 1
    const each = (now - began) / count
    return Math.max(1, Math.min(LARGEST_CHUNK, 2 * count, Math.round(CLAIM_MILLISECONDS / each)))
  }

  /**
   * Claims up to `size` places in order, `reserve` before them being left for the committer; the first one, -1 for none, and
   * in `claimEnd` where they end. The rest of a row is claimed with them, and comes first the next time.
   */
  protected claim(size: number, reserve: number): number {
    const { scheduler } = this
    if (this.#rowNext < this.#rowEnd) {
      const first = this.#rowNext
      this.claimEnd = Math.min(first + size, this.#rowEnd)
      this.#rowNext = this.claimEnd
      return first
    }
    const first = scheduler.claim(size, reserve)
    if (first < 0) return -1
    this.claimEnd = Math.min(first + size, scheduler.last + 1)
    // Where places wait for each other, neighbours are to run side by side.
    if (size < EXTENDED_BELOW && this.#calmClaims >= CALM_CLAIMS) {
      this.#rowNext = this.claimEnd
      this.#rowEnd = scheduler.extend(this.claimEnd)
    }
    return first
  }

  /** Publishes a speculative execution, or leaves the place to the commit stage. */
  protected executed(place: number, outcome: Outcome): void {
    this.memory.assertRoom()
    if (this.memory.cold.length > 0) {
      // Left Ready: nobody else claims it, and this worker looks after it when the values are here.
      this.#held.push({ place, records: [...this.memory.cold], again: false })
      this.recording?.waited(RecordedMode.Speculative)
      return
    }
    if (outcome === Outcome.Done) this.memory.publish()
    this.recording?.executed(RecordedMode.Speculative, outcome)
    if (outcome === Outcome.Done) {
      this.engine[this.engine[Control.PlaceTable] + place * Place.Size + Place.Worker] = this.#index
      this.scheduler.executed(place)
    } else {
      if (!this.#isEnd(place)) this.#deferrals++
      this.scheduler.defer(place)
    }
  }

  /** A place of this worker whose base values have come, to be executed; -1 where there is none. */
  protected thawed(): number {
    const held = this.#held
    if (held.length === 0) return -1
    const { state } = this.oracle
    for (const [k, { place, records, again }] of held.entries()) {
      if (!records.every((record) => isKnown(state, record))) continue
      held.splice(k, 1)
      if (!again) return place
      this.scheduler.defer(place)
      return this.thawed()
    }
    return -1
  }

  /** Leaves a place that the committer executed until the base values that it missed are here. */
  #chill(place: number): false {
    this.recording?.waited(RecordedMode.Committing)
    this.#held.push({ place, records: [...this.memory.cold], again: true })
    this.scheduler.chill(place)
    return false
  }

  /** Drops what this worker looked after: a fallback gives those places out anew. */
  protected forget(): void {
    this.memory.forgetWalks()
    this.#held.length = 0
    this.#rowEnd = 0
  }

  /** Ends are counted apart: the report's numbers are of transactions. */
  #isEnd(place: number): boolean {
    return place === 0 || place > this.engine[Control.Places]
  }

  protected countExecution(place: number): void {
    if (this.#isEnd(place)) this.#endExecutions++
    else this.#executions++
  }

  protected input(place: number): number {
    return this.engine[this.engine[Control.InputOffsets] + place]
  }

  protected inputWords(place: number): number {
    const offsets = this.engine[Control.InputOffsets]
    return this.engine[offsets + place + 1] - this.engine[offsets + place]
  }

  // ---- the commit stage: holder of the commit lock ----

  /**
   * Commits places from `next` on while what they read still holds, and returns the first that is not committed.
   * Sets `again` where that one is to be executed again by the caller.
   */
  protected commitValid(from: number, anybodys: boolean): number {
    const scheduler = this.scheduler
    let next = from
    this.again = false
    while (next <= scheduler.last) {
      if (scheduler.isExecuted(next)) {
        if (!anybodys && this.#isForeign(next)) break
        const counted = this.#isEnd(next) ? 0 : 1
        this.#validations += counted
        if (this.memory.validate(next)) {
          this.#finish(next)
          this.#speculative += counted
          next++
          if ((next & (ADVANCE_EVERY - 1)) === 0) this.pass(next)
          continue
        }
      } else if (scheduler.isReserved(next)) {
        this.again = !scheduler.halted()
        break
      } else if (!scheduler.isDeferred(next)) break
      this.advance(next)
      this.again = !scheduler.halted()
      break
    }
    return next
  }

  /** Ends a turn of the commit stage that moved the cursor from `from` to `next`. */
  protected settle(from: number, next: number): void {
    if (next > this.scheduler.last) this.memory.settleDense(this.scheduler.last + 1)
    if (next !== from) this.advance(next)
  }

  /** Moves the commit cursor. */
  protected advance(next: number): void {
    this.scheduler.advance(next)
    this.recording?.committed(next)
  }

  /** The same within a turn, at whose end whoever is parked is woken: each wake takes as long as a dozen short tasks. */
  protected pass(next: number): void {
    this.scheduler.pass(next)
    this.recording?.passed(next)
  }

  #isForeign(place: number): boolean {
    return this.engine[this.engine[Control.PlaceTable] + place * Place.Size + Place.Worker] !== this.#index
  }

  #finish(place: number): void {
    this.memory.commit(place)
    this.engine[Control.JudgedCommits]++
  }

  /** Throws the place's incarnation away, so that it can be executed with everything below final. False: halted. */
  protected beginAgain(place: number): boolean {
    this.beginBlock()
    this.countExecution(place)
    if (!this.#isEnd(place)) this.#aborts++
    this.engine[Control.JudgedAborts]++
    this.recording?.aborted(place, incarnationOf(this.scheduler.status(place)))
    this.memory.markEstimates(place)
    if (!this.scheduler.abort(place)) return this.fault(place, Fault.Invariant, 'S2: an incarnation would wrap')
    this.memory.begin(place, true, true)
    return this.ready?.acquire(place) ?? true
  }

  /** Commits a strict execution. False when it halted the run. */
  protected endAgain(place: number, outcome: Outcome): boolean {
    this.memory.assertRoom()
    this.ready?.release(place)
    if (this.memory.cold.length > 0) return this.#chill(place)
    const memory = this.memory
    if (outcome === Outcome.Done) memory.publish()
    this.recording?.executed(RecordedMode.Committing, outcome)
    if (outcome !== Outcome.Done) return this.complain(place, outcome)
    this.scheduler.executed(place)
    if (!memory.foldStrict(place))
      return this.fault(place, Fault.Invariant, 'M4: a strict execution missed its own bound')
    this.#finish(place)
    return true
  }

  /** Commits the first execution of a place that was reserved. False when it halted the run. */
  protected endDirect(place: number, outcome: Outcome): boolean {
    this.memory.assertRoom()
    if (this.memory.cold.length > 0) return this.#chill(place)
    const isPublished = outcome === Outcome.Done && this.memory.publishFinal()
    this.recording?.executed(RecordedMode.Direct, outcome)
    if (outcome !== Outcome.Done) return this.complain(place, outcome)
    if (!isPublished) return this.fault(place, Fault.Invariant, 'M4: a strict execution missed its own bound')
    this.engine[Control.JudgedCommits]++
    if (!this.#isEnd(place)) this.#direct++
    return true
  }

  // ---- fallback ----

  /** Looks at the last sample: true where speculation loses and a stretch should run sequentially from `next` on. */
  protected losesAt(next: number): boolean {
    const engine = this.engine
    const commits = engine[Control.JudgedCommits]
    if (commits < SAMPLE) return false
    const aborts = engine[Control.JudgedAborts]
    engine[Control.JudgedCommits] = 0
    engine[Control.JudgedAborts] = 0
    return engine[Control.Speculation] === 0 && speculationLoses(commits, aborts) && next <= this.scheduler.last
  }

  /** Takes back all that ran ahead of `from`; nobody else executes. Returns where the sequential stretch ends. */
  protected beginStretch(from: number): number {
    const { engine, scheduler } = this
    this.fallbacks++
    this.#takeBack(from)
    this.recording?.start()
    engine[Control.Stretch] = nextStretch(engine[Control.Stretch])
    return Math.min(from + engine[Control.Stretch], scheduler.last + 1)
  }

  #takeBack(from: number): void {
    const { scheduler } = this
    const end = scheduler.executionIndex
    const withdraw = (place: number): void => {
      if (incarnationOf(scheduler.status(place)) === 0) this.recording?.withdrawn(place)
      this.memory.withdraw(place, from)
    }
    for (let place = from; place < end; place++) if (scheduler.isExecuted(place)) withdraw(place)
    // What was begun before its turn can be final before the cursor of claims has come to it.
    scheduler.recallEarly(Math.max(from, end), withdraw)
    this.forget()
    scheduler.reset(from, end)
    this.oracle.written = this.memory.written
  }

  /** Lets speculation begin again at `next`, the first place that the stretch from `from` on did not run. */
  protected endStretch(from: number, next: number): number {
    this.memory.written = this.oracle.written
    // An epilogue at the end of the stretch is no transaction.
    this.#fallback += Math.min(next, this.engine[Control.Places] + 1) - from
    this.scheduler.resume(next)
    return next
  }

  // ---- beginning alone ----

  /** True where this worker begins the run by itself, the others still being parked. */
  protected get beginsAlone(): boolean {
    return beginsAlone(this.engine, this.#index)
  }

  /** Takes the run over from `from` on, nobody else executing: a worker that the pool has called meanwhile has drained. */
  protected beginAlone(from: number): void {
    this.beginBlock()
    this.#takeBack(from)
  }

  /** Opens the rest of the run, from `next` on, to the others. */
  protected endAlone(from: number, next: number): void {
    this.memory.written = this.oracle.written
    this.#direct += Math.max(0, Math.min(next, this.engine[Control.Places] + 1) - Math.max(from, 1))
    this.scheduler.offerEarly(next)
    this.scheduler.resume(next)
    if (next <= this.scheduler.last) callNext(this.engine, this.#index)
  }

  // ---- sequential stretches ----

  /** Tells each place of a stretch, for whoever watches and aborts: places can be long. False when the run halts. */
  protected goesOn(place: number): boolean {
    if (this.scheduler.halting) return false
    this.scheduler.pass(place)
    return true
  }

  /** Ends a stretch whose last place before `to` has run. */
  protected ranTo(to: number): number {
    // Whoever resumes after the stretch may look at the place before its own.
    this.scheduler.executed(to - 1)
    this.scheduler.advance(to)
    return to
  }

  /** Ends a stretch at a place that could not be executed. */
  protected stoppedAt(place: number, outcome: Outcome): number {
    this.scheduler.advance(place)
    this.complain(place, outcome)
    return place
  }

  // ---- faults ----

  protected complain(place: number, outcome: Outcome): false {
    if (outcome === Outcome.Blocked) return this.fault(place, Fault.Invariant, 'M1: a final place met an estimate')
    const complaint = this.#base.complaint()
    return this.fault(place, complaint.fault, complaint.message)
  }

  /** Stops the run with what went wrong at `place`; main makes the error. */
  protected fault(place: number, code: number, message: string): false {
    const engine = this.engine
    const bytes = new TextEncoder().encode(message)
    const at = this.memory.arena.take(1 + ((bytes.length + 3) >> 2))
    engine[at] = bytes.length
    for (let k = 0; k < bytes.length; k++) {
      const word = at + 1 + (k >> 2)
      if ((k & 3) === 0) engine[word] = 0
      engine[word] |= bytes[k] << ((k & 3) * 8)
    }
    // Main reads it when everybody has left.
    if (this.scheduler.halt(Halt.Fault)) {
      engine[Control.FaultPlace] = place
      engine[Control.FaultCode] = code
      engine[Control.FaultMessage] = at
    }
    return false
  }

  /** Tells idle workers that the last place is committed. */
  protected announceEnd(): void {
    atomics.notify(this.engine, Control.CommitIndex)
  }
}
