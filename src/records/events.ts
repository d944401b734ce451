/**
 * The words of a worker's log, and of the chunks of events in a trace, which main makes of it.
 *
 * An event is a run of words: its tag, its length, its fields. A log is a list of chunks in the engine memory; after
 * the last event of a chunk, a tag of 0 is followed by the next one's offset. Times are ticks.
 *
 * A plain execution has no event of its own in a log: a `Span` says that places in a row were executed, and when, and
 * main makes each one's event from the place's words once they are final. Other executions are logged whole, and a span
 * follows that says when they were.
 *
 * A read set is not copied when an incarnation ends: it lies in the worker's arena until the run is over, and its event
 * says where. Main appends its words, and those of the answers, when it writes the event to a trace (drain.ts). Records
 * that were seen are named by their offset; which version that is follows from the stretch of the arena that each
 * incarnation filled (decode.ts), so no word more is written where values are.
 */
import { wordsOf } from '../core/bytes.ts'
import { Predicate } from '../core/contracts.ts'
import { READ_PREDICATE_SHIFT, Read } from '../core/layout.ts'
import { type Kind, LENGTH } from '../core/location.ts'

/**
 * Tags. The execution's also holds, from bit 8 on: mode (4 bits), outcome (4 bits), whether it was exact, and whether
 * its times are shares of a longer one (a bit each); a span's the mode. `Span` and `Row` are in logs alone.
 */
export const Event = { Next: 0, Execution: 1, Chunk: 2, Wait: 3, Abort: 4, Commit: 5, Span: 6, Row: 7 } as const

/** Bits of an execution's tag. */
export const EXACT = 1 << 16
export const SHARED = 1 << 17

/** `Direct`: once, at the commit cursor, without an execution that was thrown away before. */
export const Mode = { Speculative: 0, Committing: 1, Sequential: 2, Direct: 3 } as const

/**
 * Outcome, besides those of contracts.ts, of an execution that met a base value that was not here yet (core/cold.ts).
 * It counts for nothing, so nothing of it is kept but its time: the place is executed again as the same incarnation.
 */
export const WAITED = 5

/** An incarnation has ended. Locations written follow, a delta's with all bits flipped; then read set and answers. */
export const Execution = {
  Tag: 0,
  Length: 1,
  Place: 2,
  Incarnation: 3,
  Start: 4,
  End: 5,
  /** Where the worker's arena ended: what the incarnation wrote lies before. */
  ArenaEnd: 6,
  /** Offset in the engine memory; 0 in a trace, where the words follow the writes. */
  Reads: 7,
  ReadWords: 8,
  Answers: 9,
  AnswerWords: 10,
  /** Of results and of the values written, where answers are recorded. */
  Digest: 11,
  /** Location that it was blocked on, or 0. */
  Conflict: 12,
  WriteCount: 13,
  Writes: 14,
} as const

/** The worker's arena took a chunk. */
export const Chunk = { At: 2, Words: 3, Size: 4 } as const
/** A reader waited for a lower place, during the execution that ends next. */
export const Wait = { Location: 2, On: 3, Start: 4, End: 5, Size: 6 } as const
/** An incarnation was thrown away by the commit stage. `By` wrote what it had not seen, -1 where nobody had. */
export const Abort = { Place: 2, Incarnation: 3, At: 4, Location: 5, By: 6, Size: 7 } as const
/** Places `From` to `To` (exclusive) are final. */
export const Commit = { From: 2, To: 3, At: 4, Size: 5 } as const

/**
 * When `Count` executions were, one after another, between two looks at the clock: plain ones of the places from `From`
 * on, or, where that is negative, those that were logged last.
 */
export const Span = { From: 2, Count: 3, Start: 4, End: 5, Size: 6 } as const
/** What a place's words were before its first incarnation was thrown away; whoever does that writes it. */
export const Row = { Place: 2, ReadSet: 3, ReadCount: 4, WriteSet: 5, WriteCount: 6, Size: 7 } as const

/** Words of a log's chunk. */
export const LOG_CHUNK = 1 << 12

/** Ticks of a millisecond: a word then wraps after some four minutes, and main says in time when it was. */
export const TICKS = 16_000

/**
 * Answers: what was asked, shifted over the kind of location; then the location; then the answer.
 *
 * `ReadFolded` and `GlanceFolded` are of a value made of merges, which lies in no record of a place's own: it follows,
 * after its length in bytes. `Visit` is one key of a range and whether it has a value; after a range's visits comes
 * `Range`, with a digest of the question in place of a location, and 1 where nothing blocked it.
 */
export const Answer = {
  Read: 1,
  Glance: 2,
  Fold: 3,
  FoldGuess: 4,
  ReadFolded: 5,
  GlanceFolded: 6,
  Exists: 7,
  Visit: 8,
  Range: 9,
  KindBits: 4,
} as const

/** Words of an answer. */
export const answerSize = (words: Int32Array, at: number): number => {
  const tag = words[at] >> Answer.KindBits
  if (tag === Answer.Fold || tag === Answer.FoldGuess) return 10
  return tag === Answer.ReadFolded || tag === Answer.GlanceFolded ? 3 + wordsOf(Math.max(0, words[at + 2])) : 3
}

/** Words of an item of a read set, by its word `Kind`; undefined where there is no such kind. */
export const readSize = (kind: number): number | undefined => {
  const predicate = kind >> READ_PREDICATE_SHIFT
  if (predicate === Predicate.SameRecord || predicate >= Predicate.Exists) return Read.Size
  const length = LENGTH[(kind & ((1 << READ_PREDICATE_SHIFT) - 1)) as Kind] as number | undefined
  return length === undefined ? undefined : Read.Size + length
}

/** Whether an item of a read set is of a range, whose `Location` is none. */
export const isRange = (kind: number): boolean => kind >> READ_PREDICATE_SHIFT === Predicate.Range
