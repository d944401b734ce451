/**
 * A worker's side of recording: what happens to places, as words in its arena, while the run goes on.
 *
 * A plain execution costs a few comparisons: where it was, and what it read and wrote, main finds in the place's words
 * (drain.ts). Short ones share a look at the clock. Nothing is allocated, sent or made text. What is logged lives until
 * the run ends, as all of an arena does, so nobody waits for main to read it.
 * Concurrency: the worker that owns it writes; main reads what `publish` has published.
 * Not here: what main makes of it (drain.ts), the meaning of words (events.ts).
 */
import type { Arena } from '../core/arena.ts'
import { Outcome, type SyncAdapter } from '../core/contracts.ts'
import { Control, Entry, Place, Record, WorkerBlock } from '../core/layout.ts'
import { MIX_START, mixWords } from '../core/mix.ts'
import type { AnswerLog } from './answers.ts'
import { digestOfWrite } from './digest.ts'
import { EventLog } from './eventLog.ts'
import { Abort, Commit, Event, EXACT, Execution, Mode, Row, Span, TICKS, WAITED, Wait } from './events.ts'

type Words = Int32Array

/** What a recorder asks of the multi-version memory. */
export interface RecordedMemory {
  readonly place: number
  readonly incarnation: number
  readonly exact: boolean
  readonly arena: Arena
  conflict: number
  notesAll: boolean
  onWait: ((location: number, on: number, began: number) => void) | undefined
  keepUnpublished(): void
  newestPlace(location: number, place: number): number
}

/** What it asks of the oracle's: the locations that the last place read and wrote. */
export interface NotedMemory {
  readonly place: number
  readonly incarnation: number
  readonly exact: boolean
  readonly reads: Words
  readonly readWords: number
  readonly writes: Words
  readonly writeCount: number
}

/**
 * Ticks that two looks at the clock are apart, as far as places are short: a look takes 0.2 to 0.4 us, a quarter of
 * what a payment does (`npm run bench -- --only records`).
 */
const BETWEEN_LOOKS = 40 * (TICKS / 1000)
/** Most executions that share a look: more than a claim has, which ends with one of the engine's own. */
const MOST_SHARED = 32
/** `#from` of executions that are logged whole. */
const WHOLE = -1
/** Places that are only validated between two events that tell of it. */
const COMMITS_A_LOOK = 64

export class Recorder {
  readonly #engine: Words
  readonly #state: Words
  readonly #log: EventLog
  readonly #memory: RecordedMemory
  readonly #answers: AnswerLog | undefined
  readonly #digest: SyncAdapter['resultDigest']
  readonly #clock: number
  readonly #float = new Float64Array(1)
  #offset = 0
  /** End of the last event: the next place begins there. */
  #last = 0
  /** Executions since then: the first one's place, or WHOLE; how many; how many are to share a look at the clock. */
  #from = WHOLE
  #mode = 0
  #opened = 0
  #group = 1
  /** Commits that are not told yet begin here. */
  #committed = 0

  /**
   * @param clock - milliseconds from this thread's `performance.now()` to the clock of all threads
   * @param answers - what the memory answers, where that is recorded
   * @param digest - the adapter's, of results
   */
  constructor(
    engine: Words,
    state: Words,
    worker: number,
    memory: RecordedMemory,
    clock: number,
    answers?: AnswerLog,
    digest?: SyncAdapter['resultDigest'],
  ) {
    this.#digest = digest
    this.#engine = engine
    this.#state = state
    this.#log = new EventLog(engine, memory.arena, Control.WorkerBlocks + worker * WorkerBlock.Size)
    this.#memory = memory
    this.#clock = clock
    this.#answers = answers
  }

  /** `waits` says whether waits are events, too. */
  begin(waits: boolean): void {
    const clock = new Int32Array(this.#float.buffer)
    clock[0] = this.#engine[Control.RecordingClock]
    clock[1] = this.#engine[Control.RecordingClock + 1]
    this.#offset = this.#clock - this.#float[0]
    this.#log.begin()
    this.#opened = 0
    this.#group = 1
    this.#committed = 0
    const memory = this.#memory
    memory.conflict = 0
    memory.notesAll = waits
    if (waits) memory.onWait = (location, on, began) => this.#waited(location, on, began)
    this.start()
  }

  /** What happens next begins at `now`, of this thread's `performance.now()`. */
  start(now = performance.now()): void {
    const ticks = this.#ticks(now)
    if (this.#opened > 0) this.#close(ticks, this.#opened)
    this.#last = ticks
  }

  /** Tells when the executions since the last event were: the first of `shares` equal parts of the time until `now`. */
  #close(now: number, shares: number): void {
    const count = this.#opened
    if (count === 0) return
    this.#opened = 0
    const start = this.#last
    const ticks = (now - start) | 0
    const end = shares === count ? now : (start + (ticks / shares) * count) | 0
    const at = this.#log.event(Event.Span | (this.#mode << 8), Span.Size)
    const engine = this.#engine
    engine[at + Span.From] = this.#from
    engine[at + Span.Count] = count
    engine[at + Span.Start] = start
    engine[at + Span.End] = end
    this.#last = end
    // One place says little of the next one, so a group grows step by step, and ends with the first long one.
    const group = (BETWEEN_LOOKS * shares) / Math.max(1, ticks)
    this.#group = Math.max(1, Math.min(group, 2 * this.#group, MOST_SHARED)) | 0
  }

  #ticks(now: number): number {
    return ((now + this.#offset) * TICKS) | 0
  }

  /** An incarnation ended in the multi-version memory: published, if it is done. */
  executed(mode: number, outcome: Outcome): void {
    const memory = this.#memory
    const { place } = memory
    if (!this.#isPlain(mode, outcome)) {
      this.#whole(mode, outcome)
      return
    }
    if (this.#opened === 0) {
      this.#from = place
      this.#mode = mode
    } else if (place !== this.#from + this.#opened || mode !== this.#mode) {
      // Nobody has looked at the clock in between, which is not usual.
      this.#close(this.#ticks(performance.now()), this.#opened + 1)
      this.#from = place
      this.#mode = mode
    }
    this.#opened++
    if (this.#opened >= this.#group) this.start()
  }

  /** Whether the place's words say all of an execution. They do of its first incarnation (`Row`). */
  #isPlain(mode: number, outcome: Outcome): boolean {
    const { incarnation, exact } = this.#memory
    if (outcome !== Outcome.Done || incarnation !== 0 || this.#answers !== undefined) return false
    if (mode === Mode.Direct ? !exact : exact || mode !== Mode.Speculative) return false
    // A chunk of the arena is told right before the execution that took it.
    return !this.#log.owesChunks
  }

  #whole(mode: number, outcome: Outcome): void {
    this.#endOthers()
    const engine = this.#engine
    const memory = this.#memory
    if (outcome !== Outcome.Done) memory.keepUnpublished()
    const { place } = memory
    const t = engine[Control.PlaceTable] + place * Place.Size
    const set = engine[t + Place.WriteSet]
    const count = outcome === Outcome.Done ? engine[t + Place.WriteCount] : 0
    const readWords = engine[t + Place.ReadCount]
    const answered = this.#answers === undefined ? 0 : this.#answers.keep(memory.arena)
    const at = this.#execution(place, memory.incarnation, mode, outcome, memory.exact, readWords, count, answered)
    engine[at + Execution.Reads] = engine[t + Place.ReadSet]
    engine[at + Execution.Conflict] = outcome === Outcome.Blocked ? memory.conflict : 0
    memory.conflict = 0
    for (let k = 0; k < count; k++) {
      const entry = engine[set + k]
      const location = engine[entry + Entry.Location]
      const delta = engine[engine[entry + Entry.Record] >> 1] !== Record.Value
      engine[at + Execution.Writes + k] = delta ? ~location : location
    }
    if (this.#answers !== undefined && outcome === Outcome.Done) {
      let h = this.#resultDigest(t, place)
      for (let k = 0; k < count; k++) {
        const entry = engine[set + k]
        h =
          (h + digestOfWrite(this.#state, engine[entry + Entry.Location], engine, engine[entry + Entry.Record] >> 1)) |
          0
      }
      engine[at + Execution.Digest] = h
    }
    this.start()
  }

  /** Plain executions end before one that is logged whole: the time since the last look is shared with that one. */
  #endOthers(): void {
    if (this.#opened > 0 && this.#from !== WHOLE) this.#close(this.#ticks(performance.now()), this.#opened + 1)
  }

  /** A place was run by the oracle. */
  executedAlone(memory: NotedMemory, outcome: Outcome): void {
    this.#endOthers()
    const engine = this.#engine
    const { place, readWords } = memory
    const t = engine[Control.PlaceTable] + place * Place.Size
    const count = outcome === Outcome.Done ? memory.writeCount : 0
    const answered = this.#answers === undefined ? 0 : this.#answers.keep(this.#memory.arena)
    const reads = readWords === 0 ? 0 : this.#memory.arena.take(readWords)
    for (let k = 0; k < readWords; k++) engine[reads + k] = memory.reads[k]
    const at = this.#execution(place, memory.incarnation, Mode.Sequential, outcome, true, readWords, count, answered)
    engine[at + Execution.Reads] = reads
    engine[at + Execution.Conflict] = 0
    for (let k = 0; k < count; k++) engine[at + Execution.Writes + k] = memory.writes[k]
    if (this.#answers !== undefined && outcome === Outcome.Done) {
      let h = this.#resultDigest(t, place)
      for (let k = 0; k < count; k++) {
        const location = memory.writes[k]
        h = (h + digestOfWrite(this.#state, location, engine, engine[this.#state[location] + Entry.Record] >> 1)) | 0
      }
      engine[at + Execution.Digest] = h
    }
    if (this.#opened >= this.#group) this.start()
  }

  /** An execution in either memory missed base values. */
  waited({ place, incarnation, exact }: Pick<NotedMemory, 'place' | 'incarnation' | 'exact'>, mode: number): void {
    this.#endOthers()
    const engine = this.#engine
    const at = this.#execution(place, incarnation, mode, WAITED, exact, 0, 0, 0)
    engine[at + Execution.Reads] = 0
    engine[at + Execution.Conflict] = 0
    this.#memory.conflict = 0
    this.start()
  }

  /** Writes what every event of an execution has, but its times; returns its offset. */
  #execution(
    place: number,
    incarnation: number,
    mode: number,
    outcome: number,
    exact: boolean,
    readWords: number,
    writes: number,
    answers: number,
  ): number {
    const size = Execution.Writes + writes
    const tag = Event.Execution | (mode << 8) | (outcome << 12) | (exact ? EXACT : 0)
    const at = this.#log.eventAfterChunks(tag, size)
    const engine = this.#engine
    engine[at + Execution.Place] = place
    engine[at + Execution.Incarnation] = incarnation
    engine[at + Execution.ReadWords] = readWords
    engine[at + Execution.ArenaEnd] = this.#memory.arena.next
    engine[at + Execution.Answers] = answers
    engine[at + Execution.AnswerWords] = answers === 0 || this.#answers === undefined ? 0 : this.#answers.count
    engine[at + Execution.Digest] = 0
    engine[at + Execution.WriteCount] = writes
    this.#from = WHOLE
    this.#mode = mode
    this.#opened++
    return at
  }

  #resultDigest(t: number, place: number): number {
    const engine = this.#engine
    const result = engine[t + Place.Result]
    const isEnd = place === 0 || place > engine[Control.Places]
    return this.#digest?.(engine, result, isEnd) ?? mixWords(MIX_START, engine, result, engine[t + Place.ResultWords])
  }

  #waited(location: number, on: number, began: number): void {
    // Who waits is not among those without times yet, but began before it waited.
    this.#close(this.#ticks(began), this.#opened + 1)
    this.#group = 1
    const at = this.#log.event(Event.Wait, Wait.Size)
    const engine = this.#engine
    engine[at + Wait.Location] = location
    engine[at + Wait.On] = on
    engine[at + Wait.Start] = this.#ticks(began)
    engine[at + Wait.End] = this.#ticks(performance.now())
  }

  /** The commit stage rejects what `place` executed last. `committed` was told right before. */
  aborted(place: number, incarnation: number): void {
    if (incarnation === 0) this.withdrawn(place)
    const memory = this.#memory
    const at = this.#log.event(Event.Abort, Abort.Size)
    const engine = this.#engine
    const location = memory.conflict
    memory.conflict = 0
    engine[at + Abort.Place] = place
    engine[at + Abort.Incarnation] = incarnation
    engine[at + Abort.At] = this.#last
    engine[at + Abort.Location] = location
    engine[at + Abort.By] = location === 0 ? -1 : memory.newestPlace(location, place)
  }

  /** The first incarnation of `place` counts no longer, and another one will use the place's words. */
  withdrawn(place: number): void {
    if (!this.#memory.notesAll) return
    const engine = this.#engine
    const t = engine[Control.PlaceTable] + place * Place.Size
    const at = this.#log.event(Event.Row, Row.Size)
    engine[at + Row.Place] = place
    engine[at + Row.ReadSet] = engine[t + Place.ReadSet]
    engine[at + Row.ReadCount] = engine[t + Place.ReadCount]
    engine[at + Row.WriteSet] = engine[t + Place.WriteSet]
    engine[at + Row.WriteCount] = engine[t + Place.WriteCount]
  }

  /** The worker holds the lock, and everything below `place` is final. */
  commitFrom(place: number): void {
    this.#committed = place
  }

  /**
   * Places below `to` are final, and the commit stage goes on. It is told by a look at the clock that is due anyway, for
   * places that were executed meanwhile, or now and then.
   */
  passed(to: number): void {
    if (this.#opened > 0 || to - this.#committed >= COMMITS_A_LOOK) this.committed(to)
  }

  /** Places below `to` are final, and something else follows, which begins now. */
  committed(to: number): void {
    this.start()
    const from = this.#committed
    if (from >= to) return
    this.#committed = to
    const at = this.#log.event(Event.Commit, Commit.Size)
    const engine = this.#engine
    engine[at + Commit.From] = from
    engine[at + Commit.To] = to
    engine[at + Commit.At] = this.#last
  }

  /** Lets main read what was logged. `now` is the time, where the caller knows it. */
  publish(now?: number): void {
    if (this.#opened > 0) this.start(now)
    this.#log.publish()
  }

  end(): void {
    if (this.#opened > 0) this.start()
    this.#log.end()
    this.#memory.onWait = undefined
  }
}
