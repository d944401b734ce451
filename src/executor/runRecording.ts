/**
 * One worker's recording of a run: its memories, and the log that its events go to.
 *
 * What a worker's loop (blockRun.ts) calls where a run is recorded. Where it is not, none of this exists.
 */
import type { Adapter, Outcome } from '../core/contracts.ts'
import { Control, Recording } from '../core/layout.ts'
import type { LocationTable } from '../core/table.ts'
import { MVMemory } from '../mvmemory/mvmemory.ts'
import { AnswerLog } from '../records/answers.ts'
import { Mode } from '../records/events.ts'
import { Recorder } from '../records/recorder.ts'
import { AnsweringMemory, NotingMemory } from './recordedMemory.ts'
import { SequentialMemory } from './sequential.ts'

type Words = Int32Array

export class RunRecording {
  readonly memory: MVMemory
  readonly sequential: SequentialMemory
  readonly #engine: Words
  readonly #recorder: Recorder
  /** Undefined where aborts alone are recorded. */
  readonly #noting: NotingMemory | undefined

  /**
   * @param what - bits of `Recording`
   * @param clock - milliseconds from this thread's `performance.now()` to the clock of all threads
   */
  constructor(engine: Words, worker: number, table: LocationTable, adapter: Adapter, what: number, clock: number) {
    this.#engine = engine
    const answers = (what & Recording.Answers) === 0 ? undefined : new AnswerLog()
    this.memory = answers === undefined ? new MVMemory(engine, table) : new AnsweringMemory(engine, table, answers)
    this.#noting =
      (what & Recording.Events) === 0 ? undefined : new NotingMemory(engine, table, this.memory.arena, answers)
    this.sequential = this.#noting ?? new SequentialMemory(engine, table, this.memory.arena)
    const digest = adapter.resultDigest?.bind(adapter)
    this.#recorder = new Recorder(engine, table.words, worker, this.memory, clock, answers, digest)
  }

  begin(): void {
    this.#recorder.begin(this.#noting !== undefined)
  }

  /** What happens next begins at `now`, of `performance.now()`; now, where that is not known. */
  start(now?: number): void {
    if (this.#noting !== undefined) this.#recorder.start(now)
  }

  /** An incarnation ended in `memory`. */
  executed(mode: number, outcome: Outcome): void {
    if (this.#noting !== undefined) this.#recorder.executed(mode, outcome)
    // A later abort is not to be told by what this one was blocked on.
    else this.memory.conflict = 0
  }

  /** An execution in `memory` missed base values: it is made again. */
  waited(mode: number): void {
    if (this.#noting !== undefined) this.#recorder.waited(this.memory, mode)
    else this.memory.conflict = 0
  }

  /** As `waited`, in `sequential`. */
  waitedAlone(): void {
    if (this.#noting !== undefined) this.#recorder.waited(this.#noting, Mode.Sequential)
  }

  /** An incarnation ended in `sequential`. */
  executedAlone(outcome: Outcome): void {
    if (this.#noting === undefined) return
    this.#recorder.executedAlone(this.#noting, outcome)
    // The oracle runs a block without a pause: what it has done so far would be lost with the process.
    if ((this.#noting.place & 63) === 0) this.#recorder.publish()
  }

  /** The worker holds the lock, and everything below `place` is final. */
  commitFrom(place: number): void {
    this.#recorder.commitFrom(place)
  }

  /** Everything below `next` is final, and the turn goes on. */
  passed(next: number): void {
    if (this.#noting !== undefined) this.#recorder.passed(next)
  }

  /** The same, where the turn ends, or a place is executed again or for the first time. */
  committed(next: number): void {
    if (this.#noting !== undefined) this.#recorder.committed(next)
  }

  aborted(place: number, incarnation: number): void {
    // What an end of the block meets is no transaction's conflict, but it is part of what happened.
    if (this.#noting !== undefined || this.#isTransaction(place)) this.#recorder.aborted(place, incarnation)
  }

  /** What `place` executed, as its first incarnation, is taken back. */
  withdrawn(place: number): void {
    this.#recorder.withdrawn(place)
  }

  /** `now` is the time, where the caller has looked at the clock. */
  publish(now?: number): void {
    this.#recorder.publish(now)
  }

  end(): void {
    this.#recorder.end()
  }

  #isTransaction(place: number): boolean {
    return place > 0 && place <= this.#engine[Control.Places]
  }
}
