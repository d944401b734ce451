/**
 * A recorded run as data: what `explain`, `report`, `simulate`, `blockloom trace` and `replay` read.
 *
 * The recorder (executor) fills event words while a run goes on; the reader of this layer turns them into these
 * shapes. Nothing here is on the hot path. Times are microseconds since the run began, as floating point numbers.
 * Places are numbered as in core/layout.ts: 0 the prologue, 1 to `run.places` transactions, tasks or inputs, then the epilogue.
 */

/** A version: who wrote what a read saw. Place -1 is the base state. */
export interface VersionSeen {
  readonly place: number
  readonly incarnation: number
}

/** A read, or an assertion, of an incarnation. */
export interface ReadRecord {
  /** Index into `RunRecord.locations`. */
  readonly location: number
  /** `exists`: whether a task's key has a value, whatever it is; a range read asks it of every key that it meets. */
  readonly predicate: 'sameRecord' | 'valueEquals' | 'atLeast' | 'exists'
  readonly seen: VersionSeen
}

/** A write of an incarnation. */
export interface WriteRecord {
  readonly location: number
  /** `delta`: a number added, or operations on a task's value; the value before was not read. */
  readonly kind: 'value' | 'delta'
}

/** A reader waited for a lower place. */
export interface WaitRecord {
  readonly location: number
  readonly on: number
  readonly start: number
  readonly end: number
}

/** One incarnation of one place. */
export interface ExecutionRecord {
  readonly place: number
  readonly incarnation: number
  readonly worker: number
  readonly start: number
  readonly end: number
  /**
   * True where the clock was looked at once for this execution and its short neighbours on the worker: the time between
   * two looks is right, and what each took of it a guess by what it read and wrote.
   */
  readonly isShared: boolean
  /**
   * `committing`: run, or run again, by the commit stage, everything below being final; `sequential`: by the oracle.
   */
  readonly mode: 'speculative' | 'committing' | 'sequential'
  /**
   * `waited`: it met a value that the state's source had still to answer, and the same incarnation was executed again.
   */
  readonly outcome: 'done' | 'invalid' | 'blocked' | 'waited' | 'fault'
  readonly reads: readonly ReadRecord[]
  readonly writes: readonly WriteRecord[]
  readonly waits: readonly WaitRecord[]
  /** Why it was thrown away, where it was: the first location whose predicate failed, and who had written it. */
  readonly aborted: { readonly at: number; readonly location: number; readonly by: number } | undefined
}

/** One place: a transaction, a task, an input, or an end of the block. */
export interface PlaceRecord {
  readonly place: number
  /** A task's name; for a transaction `transfer`, `create` or `call`; an adapter's input has none, ''. */
  readonly name: string
  /** Contract called, 20 bytes as 0x hex, and the first four bytes of its input, where there are any. */
  readonly to: string | undefined
  readonly selector: string | undefined
  readonly gasUsed: number | undefined
  /** Named resources that a task used. */
  readonly resources: readonly string[]
  /** Places declared to come before it (task graphs). */
  readonly after: readonly number[]
  readonly committedAt: number | undefined
  readonly committed: 'speculative' | 'direct' | 'reexecuted' | 'fallback' | 'sequential' | undefined
}

/** What can be read or written. */
export interface LocationRecord {
  readonly kind: 'balance' | 'nonce' | 'life' | 'slot' | 'bytes'
  /** Account, 20 bytes as 0x hex; of tasks undefined. */
  readonly address: string | undefined
  /** Slot of the account, 32 bytes as 0x hex. */
  readonly slot: string | undefined
  /** Key of a task's value, its bytes as 0x hex. */
  readonly key: string | undefined
}

/** What is run: a block's transactions, calls of tasks, or inputs of an adapter from outside the package. */
export type RunKind = 'block' | 'tasks' | 'adapter'

/** What one place of a run is called. */
export const THINGS = { block: 'transaction', tasks: 'task', adapter: 'input' } as const satisfies Record<
  RunKind,
  string
>

/** What is known of a run as a whole. */
export interface RunInfo {
  readonly kind: RunKind
  readonly label: string
  /** Of a block: number and fork. */
  readonly number: number | undefined
  readonly fork: string | undefined
  readonly places: number
  readonly workers: number
  readonly speculation: 'auto' | 'always'
  /** What the engine may do with such a run where speculation is 'auto': leave places for the committer (D7), */
  readonly reserves: boolean
  /** and begin on one worker, which wakes the others where that pays (D10; both docs/algorithm.md). */
  readonly light: boolean
  /** As `light`, and goes on so where places are too short for speculation. */
  readonly queues: boolean
  /** Milliseconds since 1970 when the run began. */
  readonly startedAt: number
  /** Microseconds from its begin to its end; undefined where the trace breaks off. */
  readonly duration: number | undefined
}

/** A recorded run. */
export interface RunRecord {
  readonly run: RunInfo
  /** By place number; holes where a trace breaks off are undefined. */
  readonly places: readonly (PlaceRecord | undefined)[]
  /** In the order in which they began. */
  readonly executions: readonly ExecutionRecord[]
  readonly locations: readonly LocationRecord[]
}
