/**
 * A worker's side of recording: what happens to places, as words in its arena, while the run goes on.
 *
 * An event costs some twenty stores and a look at the clock, which short executions share (`stamp`); nothing is
 * allocated, sent or made text. What is logged lives until the run ends, as all of an arena does, so nobody waits for
 * main to read it.
 * Concurrency: the worker that owns it writes; main reads what `publish` has published.
 * Not here: what main makes of it (drain.ts), the meaning of words (events.ts).
 */
import type { Arena } from '../core/arena.ts'
import * as atomics from '../core/atomics.ts'
import { Outcome, type SyncAdapter } from '../core/contracts.ts'
import { Control, Entry, Place, Record, WorkerBlock } from '../core/layout.ts'
import { MIX_START, mixWords } from '../core/mix.ts'
import type { AnswerLog } from './answers.ts'
import { digestOfWrite } from './digest.ts'
import { Abort, Chunk, Commit, Event, Execution, LOG_CHUNK, Mode, TICKS, WAITED, Wait } from './events.ts'

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
 * Executions that share a look at the clock, where so many before them were short: on payments it costs a tenth of what
 * they do, since whatever the processor has begun has to end first (`npm run bench -- --only records`).
 */
const SHARED = 4
/** Ticks of an execution that is short. */
const SHORT = 2 * (TICKS / 1000)
const MANY_SHORT = 32

export class Recorder {
  readonly #engine: Words
  readonly #state: Words
  readonly #block: number
  readonly #memory: RecordedMemory
  readonly #answers: AnswerLog | undefined
  readonly #digest: SyncAdapter['resultDigest']
  readonly #clock: number
  readonly #float = new Float64Array(1)
  #offset = 0
  /** End of the last event: the next place begins there. */
  #last = 0
  /** Events of executions that have no times yet, and how many share the next look at the clock. */
  readonly #open = new Int32Array(SHARED)
  #opened = 0
  #group = 1
  /** Executions in a row that were short, and ticks of one of them. */
  #shorts = 0
  #each = 0
  #at = 0
  /** Where the log's chunk ends, and the same or 0 where chunks of the arena are to be told first. */
  #end = 0
  #limit = 0
  /** Chunks that the arena took since the last execution: pairs of offset and size. */
  #chunks: number[] = []

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
    this.#block = Control.WorkerBlocks + worker * WorkerBlock.Size
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
    this.#chunks = []
    this.#at = 0
    this.#end = 0
    this.#limit = 0
    this.#opened = 0
    this.#group = 1
    this.#shorts = 0
    const memory = this.#memory
    memory.conflict = 0
    memory.notesAll = waits
    memory.arena.onChunk = (at, size) => {
      this.#chunks.push(at, size)
      this.#limit = 0
    }
    if (waits) memory.onWait = (location, on, began) => this.#waited(location, on, began)
    this.start()
  }

  /** The time of what happens next. */
  start(): void {
    const now = this.#ticks(performance.now())
    this.#stamp(now, this.#opened)
    this.#last = now
  }

  /**
   * Gives the executions without times theirs: `shares` equal parts of the time until `now`, of which theirs are the
   * first. Where that is long, one of them was: the one that read and wrote most is told to be, and the others as
   * usual.
   */
  #stamp(now: number, shares: number): void {
    const count = this.#opened
    if (count === 0) return
    this.#opened = 0
    const from = this.#last
    const ticks = (now - from) | 0
    const isShort = ticks < SHORT * shares
    const each = isShort || shares === 1 ? ticks / shares : Math.min(this.#each, ticks / shares)
    const longest = each * shares < ticks ? this.#longest(count) : -1
    const engine = this.#engine
    let end = from
    for (let k = 0; k < count; k++) {
      const at = this.#open[k]
      engine[at + Execution.Start] = end
      end += k === longest ? ticks - each * (shares - 1) : each
      engine[at + Execution.End] = end
    }
    this.#last = end | 0
    this.#shorts = isShort ? this.#shorts + count : 0
    this.#each = each
    this.#group = this.#shorts < MANY_SHORT ? 1 : SHARED
  }

  /** Which of the executions without times read and wrote most. */
  #longest(count: number): number {
    const engine = this.#engine
    let longest = 0
    let most = -1
    for (let k = 0; k < count; k++) {
      const at = this.#open[k]
      const words = engine[at + Execution.ReadWords] + engine[at + Execution.WriteCount]
      if (words <= most) continue
      most = words
      longest = k
    }
    return longest
  }

  #ticks(now: number): number {
    return ((now + this.#offset) * TICKS) | 0
  }

  /** An incarnation ended in the multi-version memory: published, if it is done. */
  executed(mode: number, outcome: Outcome): void {
    const engine = this.#engine
    const memory = this.#memory
    // What is published with everything below final keeps no read set by itself.
    if (outcome !== Outcome.Done || mode === Mode.Direct) memory.keepUnpublished()
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
  }

  /** A place was run by the oracle. */
  executedAlone(memory: NotedMemory, outcome: Outcome): void {
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
    if (this.#answers === undefined || outcome !== Outcome.Done) return
    let h = this.#resultDigest(t, place)
    for (let k = 0; k < count; k++) {
      const location = memory.writes[k]
      h = (h + digestOfWrite(this.#state, location, engine, engine[this.#state[location] + Entry.Record] >> 1)) | 0
    }
    engine[at + Execution.Digest] = h
  }

  /** An execution in either memory missed base values. */
  waited({ place, incarnation, exact }: Pick<NotedMemory, 'place' | 'incarnation' | 'exact'>, mode: number): void {
    const engine = this.#engine
    const at = this.#execution(place, incarnation, mode, WAITED, exact, 0, 0, 0)
    engine[at + Execution.Reads] = 0
    engine[at + Execution.Conflict] = 0
    this.#memory.conflict = 0
  }

  /** Writes what every execution's event has; returns its offset. */
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
    const at = this.#room(size)
    const engine = this.#engine
    engine[at] = Event.Execution | (mode << 8) | (outcome << 12) | (exact ? 1 << 16 : 0)
    engine[at + Execution.Length] = size
    engine[at + Execution.Place] = place
    engine[at + Execution.Incarnation] = incarnation
    engine[at + Execution.ReadWords] = readWords
    engine[at + Execution.ArenaEnd] = this.#memory.arena.next
    engine[at + Execution.Answers] = answers
    engine[at + Execution.AnswerWords] = answers === 0 || this.#answers === undefined ? 0 : this.#answers.count
    engine[at + Execution.Digest] = 0
    engine[at + Execution.WriteCount] = writes
    this.#open[this.#opened++] = at
    if (this.#opened >= this.#group) this.#stamp(this.#ticks(performance.now()), this.#opened)
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
    this.#stamp(this.#ticks(began), this.#opened + 1)
    this.#group = 1
    this.#shorts = 0
    const at = this.#event(Event.Wait, Wait.Size)
    const engine = this.#engine
    engine[at + Wait.Location] = location
    engine[at + Wait.On] = on
    engine[at + Wait.Start] = this.#ticks(began)
    engine[at + Wait.End] = this.#ticks(performance.now())
  }

  /** The commit stage rejects what `place` executed last. */
  aborted(place: number, incarnation: number): void {
    this.start()
    const memory = this.#memory
    const at = this.#event(Event.Abort, Abort.Size)
    const engine = this.#engine
    const location = memory.conflict
    memory.conflict = 0
    engine[at + Abort.Place] = place
    engine[at + Abort.Incarnation] = incarnation
    engine[at + Abort.At] = this.#last
    engine[at + Abort.Location] = location
    engine[at + Abort.By] = location === 0 ? -1 : memory.newestPlace(location, place)
  }

  /** Places `from` to `to` (exclusive) are final. */
  committed(from: number, to: number): void {
    if (from >= to) return
    this.start()
    const at = this.#event(Event.Commit, Commit.Size)
    const engine = this.#engine
    engine[at + Commit.From] = from
    engine[at + Commit.To] = to
    engine[at + Commit.At] = this.#last
  }

  /** Lets main read what was logged. */
  publish(): void {
    if (this.#opened > 0) this.start()
    atomics.store(this.#engine, this.#block + WorkerBlock.Logged, this.#at)
  }

  end(): void {
    this.publish()
    const memory = this.#memory
    memory.arena.onChunk = undefined
    memory.onWait = undefined
  }

  #event(tag: number, size: number): number {
    const at = this.#room(size)
    this.#engine[at] = tag
    this.#engine[at + 1] = size
    return at
  }

  /** Room for an event, after those of the chunks that the arena has taken. */
  #room(size: number): number {
    const at = this.#at
    if (at + size > this.#limit) return this.#moreRoom(size)
    this.#at = at + size
    return at
  }

  #moreRoom(size: number): number {
    if (this.#at + size > this.#end) this.#grow(size)
    // The log's own chunks are the arena's, too.
    while (this.#chunks.length > 0) {
      if (this.#at + Chunk.Size + size > this.#end) this.#grow(Chunk.Size + size)
      const [chunk, words] = this.#chunks.splice(0, 2) as [number, number]
      const at = this.#at
      const engine = this.#engine
      engine[at] = Event.Chunk
      engine[at + 1] = Chunk.Size
      engine[at + Chunk.At] = chunk
      engine[at + Chunk.Words] = words
      this.#at = at + Chunk.Size
    }
    this.#limit = this.#end
    const at = this.#at
    this.#at = at + size
    return at
  }

  /** Begins the log's next chunk. */
  #grow(size: number): void {
    const engine = this.#engine
    const words = Math.max(LOG_CHUNK, size + 2)
    const chunk = this.#memory.arena.take(words)
    if (this.#at === 0) engine[this.#block + WorkerBlock.Log] = chunk
    else {
      engine[this.#at] = Event.Next
      engine[this.#at + 1] = chunk
    }
    this.#at = chunk
    // Two words are left for the way to the next chunk.
    this.#end = chunk + words - 2
  }
}
