/**
 * Contracts between the layers, in plain words and integers. Implementations meet in `src/executor` alone.
 */
import type { Kind } from './location.ts'
import type { LocationTable } from './table.ts'

type Words = Int32Array

/** What became of one incarnation. */
export const Outcome = {
  /** It ran to its end; its effects may be published. */
  Done: 0,
  /** It cannot be part of the block as things stand (a nonce, a balance). */
  Invalid: 1,
  /** It met a value that is not there yet. */
  Blocked: 2,
  /** A guess proved wrong: run it again with `TaskMemory.exact`. */
  Restart: 3,
  /** It failed for a reason that is no business of the state: missing code, a task that threw. */
  Fault: 4,
} as const
export type Outcome = (typeof Outcome)[keyof typeof Outcome]

/** Answers of `TaskMemory.read` that are no offset of a value in the engine memory. */
export const Seen = {
  /** The base value in the state record. */
  Base: 0,
  /** Nothing: the storage was emptied below. */
  Cleared: -1,
  /** A lower place is about to write it. The memory is poisoned until the incarnation ends. */
  Blocked: -2,
} as const

/** What a read set asserts of a location when the place is validated. */
export const Predicate = {
  /** The record seen is still the newest, or another one has equal words. */
  SameRecord: 0,
  /** The value, deltas folded, equals the words that follow. */
  ValueEquals: 1,
  /** The value, deltas folded, is at least the words that follow. */
  AtLeast: 2,
  /** Bytes are there, or are not, whatever they are. */
  Exists: 3,
  /** The same records under a prefix have bytes. */
  Range: 4,
} as const
export type Predicate = (typeof Predicate)[keyof typeof Predicate]

/**
 * One worker's window on the state, as one incarnation sees it: the newest value below its place.
 *
 * Two implementations: speculative (`mvmemory`), which notes what was read and publishes at the end, and
 * plain (`executor/sequential.ts`), the oracle. An adapter cannot tell them apart but by `strict`.
 * Words in, words out; locations are interned by `table`. Not re-entrant.
 */
export interface TaskMemory {
  readonly table: LocationTable
  /** State and engine memory: a base value lies in the first, every other value in the second. */
  readonly state: Words
  readonly engine: Words
  /** The place that runs: 0 the prologue, 1 to `Control.Places` transactions, then the epilogue. */
  readonly place: number
  /** How often this place was executed before. */
  readonly incarnation: number
  /** Everything below is final: what is read now is the truth, and an invalid outcome stands. */
  readonly strict: boolean
  /** The incarnation asked for folded values everywhere, after a guess had proved wrong. */
  exact: boolean

  /**
   * Newest value of `location`, noted as read. `floor` is a storage generation, one more than the place that emptied
   * the storage: what places before it wrote, and the base, are invisible; 0 hides nothing. Returns the value's offset
   * in the engine memory, or a `Seen` value.
   */
  read(location: number, kind: Kind, floor: number): number

  /** Newest plain value without a note, or a near one: for guesses that a predicate will check. Base or an offset. */
  glance(location: number, kind: Kind): number

  /**
   * The sum of base and deltas of a location with deltas, into `out[at..at+8]`, without a note.
   * `limit` bounds how many deltas are worth folding. Returns false when it did not fold everything.
   */
  fold(location: number, out: Words, at: number, limit: number): boolean

  /** Asserts a predicate over `words[at..]`, as many as the kind has. */
  expect(location: number, kind: Kind, predicate: Predicate, words: Words, at: number): void

  /**
   * Buffers a value, published when the incarnation ends. A value equal to the base seen may be dropped by the caller.
   */
  write(location: number, kind: Kind, words: Words, at: number): void

  /**
   * Buffers a delta (8 words, two's complement) with a lower bound that the value before it must reach
   * (8 words, zero for none).
   */
  add(location: number, delta: Words, at: number, bound: Words, boundAt: number): void

  /** Whether a byte string is there, noted as that alone: 1, 0, or `Seen.Blocked`. */
  exists(location: number): number

  /**
   * Looks at the records of byte strings whose keys begin with `prefix`, in order, after the key `after` (`afterBytes`
   * -1: from the first). `visit` is told of each whether a lower place left bytes there, and stops the walk with false.
   * What was seen is noted, absences and the end included. Returns false where a value is not there yet
   * (`Seen.Blocked`).
   */
  range(
    prefix: Words,
    bytes: number,
    after: Words,
    afterBytes: number,
    visit: (record: number, present: boolean) => boolean,
  ): boolean

  /** Buffers operations on a byte string: a copy of the `MergeRecord` at `from` of the engine memory. */
  merge(location: number, from: number): void

  /** Room for `count` words in this worker's arena, valid until the block ends. */
  allocate(count: number): number

  /** Throws where a memory was full in this run, whatever became of the error then (core/room.ts). */
  assertRoom(): void

  /** Keeps the adapter's result of this incarnation: `count` words at `offset` of the engine memory. */
  result(offset: number, count: number): void
  /** What this place adds to the dense location, 8 words, after everything else that it does. */
  dense(words: Words, at: number): void
}

/** The text of what went wrong, for `Outcome.Invalid` and `Outcome.Fault`. */
export interface Complaint {
  /** A `Fault` value of core/layout.ts. */
  readonly fault: number
  readonly message: string
}

/** What every adapter has in one worker. Built from structured-clonable options by the module's `createAdapter`. */
interface AdapterBase {
  /** Takes the environment of the block that begins, at `environment` of the engine memory. Once a run and worker. */
  beginBlock(engine: Words, environment: number, flags: number): void
  /** What the last outcome but `Done` was about. */
  complaint(): Complaint
  /** Answers an item of signatures (`SignatureItem`). A pure function of its messages. */
  batchItem?(engine: Words, item: number): void
  /**
   * Applies `count` operations at `operations` of the engine memory to the byte string of `bytes` (-1: none) at
   * `words[at]`, and puts length and offset of the result to `engine[out]`. False where they cannot be applied: the
   * place is then executed again strictly, and says why itself. A pure function.
   */
  fold?(
    memory: TaskMemory,
    words: Words,
    bytes: number,
    at: number,
    operations: number,
    count: number,
    out: number,
  ): boolean
  /** Inputs of the next run, where they are no words. */
  takeInputs?(values: readonly unknown[]): void
  /**
   * One word that stands for the result words of a place (core/mix.ts), where they are not all of it: padding that is
   * whatever it was, offsets. By default all words count.
   */
  resultDigest?(engine: Words, result: number, isEnd: boolean): number
  endBlock(): void
  dispose(): void
}

/** An adapter that answers at once: its worker loop never awaits. */
export interface SyncAdapter extends AdapterBase {
  readonly kind: 'sync'
  /**
   * A pure function of what it reads. Input words of the place lie at `input` in the engine memory. A run has ends
   * (place 0, and the one after the last transaction) only where its plan gives them words.
   */
  execute(memory: TaskMemory, input: number, words: number): Outcome
}

/**
 * An adapter whose executions await. Its worker executes one at a time all the same: `memory` is the incarnation's
 * until the promise settles and nobody's afterwards, so whatever still runs then must not touch it.
 */
export interface AsyncAdapter extends AdapterBase {
  readonly kind: 'async'
  execute(memory: TaskMemory, input: number, words: number): Promise<Outcome>
}

export type Adapter = SyncAdapter | AsyncAdapter
