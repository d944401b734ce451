/**
 * The words of a worker's log, which are those of the chunks of events in a trace.
 *
 * An event is a run of words: its tag, its length, its fields. A log is a list of chunks in the engine memory; after
 * the last event of a chunk, a tag of 0 is followed by the next one's offset. Times are ticks.
 *
 * A read set is not copied when an incarnation ends: it lies in the worker's arena until the run is over, and its event
 * says where. Main appends its words, and those of the answers, when it writes the event to a trace (drain.ts). Records
 * that were seen are named by their offset; which version that is follows from the stretch of the arena that each
 * incarnation filled (decode.ts), so no word more is written where values are.
 */

/** Tags. The execution's also holds, from bit 8 on: mode (4 bits), outcome (4 bits), whether it was exact (1 bit). */
export const Event = { Next: 0, Execution: 1, Chunk: 2, Wait: 3, Abort: 4, Commit: 5 } as const

/** `Direct`: once, at the commit cursor, without an execution that was thrown away before. */
export const Mode = { Speculative: 0, Committing: 1, Sequential: 2, Direct: 3 } as const

/**
 * Outcome, besides those of contracts.ts, of an execution that met a base value that was not here yet (core/cold.ts). It
 * counts for nothing, so nothing of it is kept but its time: the place is executed again as the same incarnation.
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

/** Words of a log's chunk. */
export const LOG_CHUNK = 1 << 12

/** Ticks of a millisecond: a word then wraps after some four minutes, and main says in time when it was. */
export const TICKS = 16_000

/** Answers: what was asked, shifted over the kind of location; then the location; then the answer. */
export const Answer = { Read: 1, Glance: 2, Fold: 3, FoldGuess: 4, KindBits: 4 } as const

/** Words of an answer: a record or a `Seen` value, or a number. */
export const answerSize = (tag: number): number => (tag >> Answer.KindBits >= Answer.Fold ? 10 : 3)
