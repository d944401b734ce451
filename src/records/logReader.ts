/**
 * Main's side of recording: reads a worker's log, makes events of what it points to, and tells when executions were.
 *
 * Of a plain execution the log has the place alone; what it read and wrote is in the place's words. These are its own
 * as long as the incarnation counts, and for good once the place is final; whoever throws the incarnation away has
 * logged before what they were (`Row`). So a log is read up to the first place of which neither is known yet, and on
 * from there the next time.
 *
 * Concurrency: main thread, while workers write on: what is before the word `WorkerBlock.Logged` does not change, nor do
 * read sets, write sets and answers that published events and final places point to.
 * Cost: a copy of words an event, one look at a byte a location.
 */
import * as atomics from '../core/atomics.ts'
import { Outcome, Predicate } from '../core/contracts.ts'
import { Control, Entry, Place, READ_PREDICATE_SHIFT, Read, Record, WorkerBlock } from '../core/layout.ts'
import { RECORD_SHIFT } from '../core/location.ts'
import { incarnationOf } from '../core/status.ts'
import type { LocationNames, WordBuffer } from './drain.ts'
import {
  Abort,
  Answer,
  answerSize,
  Event,
  EXACT,
  Execution,
  isRange,
  Mode,
  Row,
  readSize,
  SHARED,
  Span,
  TICKS,
  Wait,
} from './events.ts'

type Words = Int32Array

/** What is known of places besides their words. */
export class Rows {
  /** Every place below is final; all that a worker has left behind is, once the run is over. */
  committed = 0
  isOver = false
  /** Main leaves a log there, of `performance.now()`, until the next time. */
  until = Number.POSITIVE_INFINITY
  /** Where the words of a place's first incarnation were kept, by place. */
  readonly kept = new Map<number, number>()
}

/** Events that were published between two looks at the log. */
interface Stretch {
  readonly end: number
  /** When main looked; none of the events is later. */
  readonly at: Words
}

/** Ticks from which a place that took longer than those before it is told from the others that shared its time. */
const LONG = 2 * (TICKS / 1000)
/** What every place takes, as much as reading so many words. */
const LEAST_WEIGHT = 16

export class LogReader {
  readonly #engine: Words
  readonly #worker: number
  readonly #block: number
  /** Where the next event lies that is not told yet, and that no look has met. */
  #at = 0
  #scanned = 0
  readonly #stretches: Stretch[] = []
  /** Where the worker's arena ended after the last execution. */
  #arenaEnd = 0
  /** Ticks that a place took when the last few were as usual. */
  #each = 0
  /** Events without times yet, in the buffer. */
  readonly #open: number[] = []

  constructor(engine: Words, worker: number) {
    this.#engine = engine
    this.#worker = worker
    this.#block = Control.WorkerBlocks + worker * WorkerBlock.Size
  }

  /** Looks at what was published since the last time, and takes the rows of places from it. */
  scan(rows: Rows, now: () => Words): void {
    const engine = this.#engine
    const end = atomics.load(engine, this.#block + WorkerBlock.Logged)
    if (end === 0 || end === this.#scanned) return
    if (this.#scanned === 0) {
      this.#scanned = engine[this.#block + WorkerBlock.Log]
      this.#at = this.#scanned
    }
    let at = this.#scanned
    while (at !== end) {
      const tag = engine[at] & 255
      if (tag === Event.Row) rows.kept.set(engine[at + Row.Place], at)
      at = tag === Event.Next ? engine[at + 1] : at + engine[at + 1]
    }
    this.#scanned = end
    // Main may have been held up before it read where the log ends.
    this.#stretches.push({ end, at: now() })
  }

  /**
   * Tells what is known of the events that were looked at and not told yet: for each look the worker, its time, and the
   * events, in words of `buffer` that count until the next ones.
   */
  drain(buffer: WordBuffer, names: LocationNames, rows: Rows, tell: (words: Words) => void): void {
    for (let stretch = this.#stretches[0]; stretch !== undefined; stretch = this.#stretches[0]) {
      buffer.length = 0
      buffer.push(this.#worker)
      buffer.copy(stretch.at, 0, 2)
      const head = buffer.length
      const isWhole = this.#tellUpTo(stretch.end, buffer, names, rows)
      if (buffer.length > head) tell(buffer.words.subarray(0, buffer.length))
      if (!isWhole) return
      this.#stretches.shift()
    }
  }

  /** False where the log goes on: with a place of which not enough is known, or for want of time. */
  #tellUpTo(end: number, to: WordBuffer, names: LocationNames, rows: Rows): boolean {
    const engine = this.#engine
    while (this.#at !== end) {
      const at = this.#at
      const tag = engine[at] & 255
      if (tag === Event.Next) {
        this.#at = engine[at + 1]
        continue
      }
      // Executions that wait for their times stay together.
      if (this.#open.length === 0 && performance.now() > rows.until) return false
      if (tag === Event.Span) {
        if (!this.#span(at, to, names, rows)) return false
      } else if (tag === Event.Execution) this.#execution(at, to, names)
      else if (tag !== Event.Row) {
        if (tag === Event.Wait) names.meet(engine[at + Wait.Location])
        if (tag === Event.Abort && engine[at + Abort.Location] !== 0) names.meet(engine[at + Abort.Location])
        to.copy(engine, at, engine[at + 1])
      }
      this.#at = at + engine[at + 1]
    }
    return true
  }

  /** Tells executions that share a stretch of time. False where it is not known yet what they did. */
  #span(at: number, to: WordBuffer, names: LocationNames, rows: Rows): boolean {
    const engine = this.#engine
    const from = engine[at + Span.From]
    if (from >= 0) {
      const end = from + engine[at + Span.Count]
      const mode = (engine[at] >> 8) & 15
      if (!rows.isOver) {
        for (let place = from; place < end; place++) if (this.#rowOf(place, rows) === undefined) return false
      }
      for (let place = from; place < end; place++) this.#plain(place, mode, to, names, rows)
    }
    this.#share(to.words, engine[at + Span.Start], engine[at + Span.End])
    return true
  }

  /** Where the words of a place's first incarnation are, as of a `Row`; undefined where that is not known. */
  #rowOf(place: number, rows: Rows): number | undefined {
    const kept = rows.kept.get(place)
    if (kept !== undefined) return kept + Row.ReadSet
    const t = this.#engine[Control.PlaceTable] + place * Place.Size
    const isFirst = incarnationOf(atomics.load(this.#engine, t + Place.Status)) === 0
    return isFirst && (rows.isOver || place < rows.committed) ? t + Place.ReadSet : undefined
  }

  /** The event of an execution that was not logged; none where a worker died before it had kept the row. */
  #plain(place: number, mode: number, to: WordBuffer, names: LocationNames, rows: Rows): void {
    const row = this.#rowOf(place, rows)
    if (row === undefined) return
    const engine = this.#engine
    const reads = engine[row]
    const readWords = engine[row + Row.ReadCount - Row.ReadSet]
    const writes = engine[row + Row.WriteSet - Row.ReadSet]
    const writeCount = engine[row + Row.WriteCount - Row.ReadSet]
    // The read set is the last that an incarnation takes of the arena, and the write set comes before it.
    if (readWords > 0) this.#arenaEnd = reads + readWords
    else if (writeCount > 0) this.#arenaEnd = writes + writeCount
    const start = to.room(Execution.Writes + writeCount)
    const { words } = to
    this.#open.push(start)
    words.fill(0, start, start + Execution.Writes)
    words[start] = Event.Execution | (mode << 8) | (Outcome.Done << 12) | (mode === Mode.Direct ? EXACT : 0)
    words[start + Execution.Length] = Execution.Writes + writeCount + readWords
    words[start + Execution.Place] = place
    words[start + Execution.ArenaEnd] = this.#arenaEnd
    words[start + Execution.ReadWords] = readWords
    words[start + Execution.WriteCount] = writeCount
    for (let k = 0; k < writeCount; k++) {
      const entry = engine[writes + k]
      const location = engine[entry + Entry.Location]
      // The record of a first incarnation lies behind its entry, whatever the entry says by now.
      words[start + Execution.Writes + k] = engine[entry + Entry.Size] === Record.Value ? location : ~location
      names.meet(location)
    }
    this.#reads(reads, readWords, to, names)
  }

  #execution(at: number, to: WordBuffer, names: LocationNames): void {
    const engine = this.#engine
    const size = engine[at + Execution.Length]
    const start = to.length
    this.#open.push(start)
    this.#arenaEnd = engine[at + Execution.ArenaEnd]
    to.copy(engine, at, size)
    for (let k = Execution.Writes; k < size; k++) {
      const location = engine[at + k]
      names.meet(location < 0 ? ~location : location)
    }
    if (engine[at + Execution.Conflict] !== 0) names.meet(engine[at + Execution.Conflict])
    const readWords = engine[at + Execution.ReadWords]
    this.#reads(engine[at + Execution.Reads], readWords, to, names)
    const answers = engine[at + Execution.Answers]
    const answerWords = engine[at + Execution.AnswerWords]
    to.copy(engine, answers, answerWords)
    for (let a = answers; a < answers + answerWords; a += answerSize(engine, a)) {
      if (engine[a] >> Answer.KindBits !== Answer.Range) names.meet(engine[a + 1])
    }
    to.words[start + Execution.Length] = size + readWords + answerWords
    to.words[start + Execution.Reads] = 0
    to.words[start + Execution.Answers] = 0
  }

  #reads(reads: number, readWords: number, to: WordBuffer, names: LocationNames): void {
    const engine = this.#engine
    const { known } = names
    to.copy(engine, reads, readWords)
    for (let r = reads; r < reads + readWords; ) {
      const kind = engine[r + Read.Kind]
      const location = engine[r + Read.Location]
      const isPlain = kind >> READ_PREDICATE_SHIFT === Predicate.SameRecord
      // A range is no location; the keys that it met are noted beside it. Most others are known already.
      if (isPlain || !isRange(kind)) {
        if ((known[location >>> RECORD_SHIFT] & (1 << (location & 3))) === 0) names.meet(location)
      }
      r += isPlain ? Read.Size : (readSize(kind) ?? 0)
    }
  }

  /**
   * Shares the time between two looks at the clock among the executions that it was for: by what they read and wrote,
   * or, where it is much longer than it was for those before, all that is more to the one that did most.
   */
  #share(words: Words, start: number, end: number): void {
    const open = this.#open
    const ticks = (end - start) | 0
    const count = open.length
    if (count === 0) return
    const weightOf = (at: number): number =>
      LEAST_WEIGHT + words[at + Execution.ReadWords] + words[at + Execution.WriteCount]
    const weights = open.map(weightOf)
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    const isLong = count > 1 && this.#each > 0 && ticks > Math.max(LONG * count, 2 * this.#each * count)
    const longest = isLong ? weights.indexOf(Math.max(...weights)) : -1
    let at = start
    for (const [k, event] of open.entries()) {
      words[event + Execution.Start] = at
      if (!isLong) at += (ticks * weights[k]) / total
      else at += k === longest ? ticks - this.#each * (count - 1) : this.#each
      words[event + Execution.End] = k === count - 1 ? end : at
      if (count > 1) words[event] |= SHARED
    }
    if (!isLong) this.#each = ticks / count
    open.length = 0
  }
}
