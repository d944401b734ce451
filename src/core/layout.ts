/**
 * Every shared word, described once. Offsets count 32-bit words.
 *
 * Two memories, by lifetime: the engine memory belongs to an executor, the state memory to a state
 * object. Both are buffers of a shared `WebAssembly.Memory` whose pages the operating system commits when
 * they are first touched, so a memory has its full length from the start and never grows under a reader
 * (docs/decisions/0002-reserved-memory.md).
 *
 * ```text
 * engine memory:  control words | worker blocks | places | input | arena chunks, one worker's each | signatures
 * state memory:   header | account index | slot index | records, codes, indexes after growth
 * ```
 */

/** Distance between control words that different threads write: two cache lines, for the prefetcher pairs them. */
const PAD = 32

/** Control words of the engine memory. */
export const Control = {
  /** Workers that are back from the run. Writers: workers, +1. Main waits on it until it equals the closed `Join`. */
  Finished: 1 * PAD,
  /** Next place to claim for execution. Writers: workers, +chunk; a fallback sets it. */
  ExecutionIndex: 2 * PAD,
  /** Lowest place not committed. Writer: holder of the commit lock. */
  CommitIndex: 3 * PAD,
  /** 0 free, 1 held. Changed by compare-exchange. */
  CommitLock: 4 * PAD,
  /** 0, or why the run stops: a `Halt` value. Writers: anybody, once. */
  Halt: 5 * PAD,
  /** `Mode`. Writer: holder of the commit lock; workers look before each claim. */
  Mode: 6 * PAD,
  /** Next free word of the arenas. Writers: workers, +chunk. */
  ArenaNext: 7 * PAD,
  /** Workers parked for want of work; the committer notifies `CommitIndex` only if there are any. */
  Waiting: 8 * PAD,
  /** Workers that have seen `Mode.Draining` and execute nothing. Writers: workers, +1 and -1. */
  Drained: 9 * PAD,
  /** Next item that nobody has looked at of a batch that is no block (sender recovery). Writers: workers, +1. */
  BatchIndex: 10 * PAD,
  /** Next of the places that may be begun before their turn. Writers: workers, +1; while others drain, who drained them. */
  EarlyNext: 11 * PAD,

  /** Words below are written by main before the epoch changes and are constant in a run. */
  Kind: 12 * PAD,
  /** Transactions or tasks: places 1 to this. */
  Places: 12 * PAD + 1,
  PlaceTable: 12 * PAD + 2,
  /** First and last place with work: 0 where there is a prologue, `Places` + 1 where there is an epilogue. */
  FirstPlace: 12 * PAD + 3,
  LastPlace: 12 * PAD + 13,
  InputOffsets: 12 * PAD + 4,
  Environment: 12 * PAD + 5,
  Window: 12 * PAD + 6,
  Speculation: 12 * PAD + 7,
  /** 1 where claims leave places for the holder of the commit lock (docs/algorithm.md D7). */
  Reserve: 12 * PAD + 25,
  ArenaEnd: 12 * PAD + 8,
  /** Workers that may serve this run. */
  Workers: 12 * PAD + 9,
  /** Cores that this process may use. */
  Cores: 12 * PAD + 12,
  /** Items of a batch. */
  BatchItems: 12 * PAD + 11,
  /** Location whose dense deltas (`Place.Dense`) are folded by the commit stage, or 0. */
  DenseLocation: 12 * PAD + 10,
  /** 1 where every place's writes are kept, in sequential stretches too: differences are asked for place by place. */
  KeepVersions: 12 * PAD + 15,
  /** Where the run's schedule lies (`Schedule`), or 0: places are claimed in order. */
  Schedule: 12 * PAD + 24,
  /** Pre-EIP-161 rules and other adapter bits. */
  AdapterFlags: 12 * PAD + 14,
  /** Places of a worker's first claim, where earlier runs say what one costs; 0 and 1 are one. */
  FirstClaim: 12 * PAD + 27,
  /** `Alone`: where the first worker begins alone and wakes the others when that pays (docs/algorithm.md D10). */
  Alone: 12 * PAD + 26,
  /** Places that may be begun before their turn, the longest first (docs/algorithm.md D12), and how many there are. */
  EarlyPlaces: 12 * PAD + 16,
  EarlyCount: 12 * PAD + 31,
  /** Words by place, or 0 where there are no rows: of a place in a row the first place after it, 0 of others (D13). */
  Rows: 14 * PAD + 1,
  /** What is recorded: bits of `Recording`, 0 for nothing. */
  Recording: 12 * PAD + 28,
  /** Begin of the run on the clock of all threads, milliseconds: a 64-bit float in two words. */
  RecordingClock: 12 * PAD + 29,

  /** Words below are written by the holder of the commit lock. Dense deltas committed and not yet folded, 8 words. */
  DenseSum: 13 * PAD,
  /** Place, code and arena offset of the message of what halted the run. */
  FaultPlace: 13 * PAD + 10,
  FaultCode: 13 * PAD + 11,
  FaultMessage: 13 * PAD + 12,
  /** Length of the next sequential stretch of a fallback, in places. */
  Stretch: 13 * PAD + 13,
  /**
   * Where the present stretch of speculation began, plus one, in a run that may fall back; 0 where none will. Writers: main
   * before the run, then the holder of the commit lock in a fallback. Readers: claims.
   */
  Wary: 13 * PAD + 16,
  /** Commits and aborts since the committer last judged the speculation. */
  JudgedCommits: 13 * PAD + 14,
  JudgedAborts: 13 * PAD + 15,

  /**
   * Workers that are called to the run, from the first one on: `Workers`, or as many as there are cores until main calls
   * the rest (docs/algorithm.md D11). Writer: main, before the run and once in it.
   */
  Called: 14 * PAD,

  /**
   * Workers that have joined the run, and JOIN_CLOSED once nobody may any more. Main opens it last; a worker that
   * wakes up late finds it closed and parks again, so that a run is over when its work is, not when everybody woke.
   */
  Join: 15 * PAD,

  /** First word of the worker blocks. */
  WorkerBlocks: 16 * PAD,
} as const

export const JOIN_CLOSED = 1 << 30

/** Places of a run that may be begun before their turn, at most. */
export const MOST_EARLY = 8

/** `Messages` sends a worker back to its event loop, where the control plane reaches it. */
export const RunKind = { Speculative: 1, Sequential: 2, Batch: 3, Messages: 4 } as const

/**
 * Why a run stops early. Word `Control.Halt`. `StalledAhead`: a stall where nobody executes with everything below final, so
 * it may come of values that no run in order would see.
 */
export const Halt = {
  None: 0,
  Fault: 1,
  Signal: 2,
  Stalled: 3,
  Capacity: 4,
  WorkerLost: 5,
  StateFull: 6,
  StalledAhead: 7,
} as const

/**
 * What a run records. Word `Control.Recording`. `Events`: all that happens to places. `Answers`: besides, what each read
 * was answered, so that incarnations can be run again. `Conflicts`: aborts alone, for the hints of later runs.
 */
export const Recording = { Events: 1, Answers: 2, Conflicts: 4 } as const

/** Whether workers may execute ahead of the commit cursor. Word `Control.Mode`. */
export const Mode = { Speculative: 0, Draining: 1 } as const

/**
 * Whether the first worker begins alone, and why: what is little may be over before others come, and payments of queues
 * may be too short for speculation. Word `Control.Alone`.
 */
export const Alone = { No: 0, Light: 1, Queues: 2 } as const

/** What a fault was. Word `Control.FaultCode`; `core/errors.ts` names the errors. */
export const Fault = {
  None: 0,
  InvalidTransaction: 1,
  MissingCode: 2,
  MissingBlockHash: 3,
  TaskFailed: 4,
  Invariant: 5,
  /** A function of the user's module threw, or the EVM behind the adapter did. */
  ModuleFailed: 6,
  /** A package that the adapter needs is not installed. */
  ModuleNotLoaded: 7,
} as const

/** A worker's block: written by that worker alone, read by main after the run. */
export const WorkerBlock = {
  Size: 2 * PAD,
  /** Number of the run this worker should serve. Writer: main. The worker parks on it; a change starts a run. */
  Epoch: PAD,
  /** 1 while the worker takes part in a run (scheduler/joining.ts). Writer: the worker; main clears a dead one's. */
  Inside: PAD + 1,
  /** 1 while the worker may be at an item of signatures, in a run or between two. Writers as of `Inside`. */
  Recovering: PAD + 2,
  Executions: 0,
  Aborts: 1,
  Validations: 2,
  /** Places committed from a speculative execution. */
  Speculative: 3,
  /** Places committed by the sequential path after a fallback. */
  Fallback: 4,
  /** Head of the chain of entries that were the first on their location (`Entry.Chain`). */
  Written: 5,
  /** Head of the chain of state records this worker inserted (`Record.Chain`). */
  Inserted: 6,
  /** Executions deferred to the commit stage. */
  Deferrals: 7,
  Waits: 8,
  Fallbacks: 9,
  /** Executions of the block's ends, which the counts above leave out. */
  EndExecutions: 10,
  /** Places executed once, at the commit cursor, because everything below them was final. */
  Direct: 11,
  /** First chunk of the worker's log, and where what it has published ends; both 0 while it has logged nothing. */
  Log: 12,
  /** Atomic: publishes the words of the log before it. Main reads them while the run goes on. */
  Logged: 13,
  /** The claims that took longest, `LongClaim` each. */
  LongClaims: 14,
} as const

/** A claim that took long: its first place, how many they were (0: there is none), and microseconds. */
export const LongClaim = { Size: 3, Count: 6, First: 0, Places: 1, Microseconds: 2 } as const

export const MAX_WORKERS = 64

/** Where the control part of the engine memory ends. */
export const CONTROL_END = Control.WorkerBlocks + MAX_WORKERS * WorkerBlock.Size

/**
 * Signatures whose signers are asked for, at the end of the engine memory of an executor that runs blocks: head, then
 * items, one after another. They outlive runs. Main alone writes items, and publishes them by `End`; how it comes to use
 * words a second time: executor/signatures.ts.
 */
export const Signatures = {
  /** Where the items end. Writer: main. */
  End: 0,
  /** Next item that no worker without a run has looked at. Writers: workers, by compare-exchange; main starts it anew. */
  Next: PAD,
  /** Items done. Writers: workers, +1. */
  Done: 2 * PAD,
  /** Items that were done by workers while they had no run. Writers: workers, +1. */
  Ahead: 3 * PAD,
  Items: 4 * PAD,
} as const

/** Signatures in an item: as many as the kernel recovers side by side (rust/secp256k1/src/lanes.rs). */
export const MESSAGES_PER_ITEM = 4

/** Words of an answer: the signer, 20 bytes, and whether there is none. */
export const ANSWER_WORDS = 6

/** A few signatures: the words of all this, how many, and the words of the messages, which follow the answers. */
export const SignatureItem = {
  /** `ItemState`. Atomic: publishes the answers. */
  State: 0,
  Size: 1,
  Count: 2,
  MessageWords: 3,
  Answers: 4,
  Messages: 4 + MESSAGES_PER_ITEM * ANSWER_WORDS,
} as const

/** Open becomes Taken by whoever exchanges it, then Done; main makes Withdrawn of Open. */
export const ItemState = { Open: 0, Taken: 1, Done: 2, Withdrawn: 3 } as const

/** Words of the largest room for signatures: 64 MiB. */
const MOST_SIGNATURE_WORDS = 1 << 24

/** Where the signatures begin in an engine memory: an eighth of it is theirs. */
export const signaturesAt = (engine: { readonly length: number }): number =>
  engine.length - Math.min(engine.length >> 3, MOST_SIGNATURE_WORDS)

/** A place: one transaction or task, or an end of the block. 16 words, one cache line, written by one worker at a time (core/status.ts). */
export const Place = {
  Size: 16,
  /** Status word. Atomic: publishes everything below and all entries of the incarnation. */
  Status: 0,
  ReadSet: 1,
  /** Of the first of places reserved together, until it is executed: the first place after them. */
  ReservedEnd: 1,
  ReadCount: 2,
  WriteSet: 3,
  WriteCount: 4,
  /** Offset and length of the adapter's result words. */
  Result: 5,
  ResultWords: 6,
  /** Index of the worker that executed it last. */
  Worker: 7,
  /** Delta to the dense location, 8 words. */
  Dense: 8,
} as const

/**
 * An entry: the writes of one place to one location, linked in descending place order. While others execute it is not
 * unlinked, and `Record` is its only mutable payload word: 0 no write, otherwise a record's offset shifted left once,
 * with the ESTIMATE bit. A fallback unlinks, and the sequential path moves entries up, with everybody else drained.
 */
export const Entry = {
  Size: 5,
  Place: 0,
  Record: 1,
  Next: 2,
  Location: 3,
  /** Next entry that was first on its location, same worker. */
  Chain: 4,
} as const

export const ESTIMATE = 1

/**
 * A record: immutable once an entry points to it. Word 0 is the kind; then the words of a value, or
 * of a delta (`DeltaRecord`).
 */
export const Record = { Value: 1, Delta: 2, Merge: 3 } as const

/**
 * A delta's record: what is added (8 words, two's complement), and the lower bound of the value before (8 words,
 * 0 none). Readers look at the former alone. The bound is the committer's, who, having checked it, puts a value's
 * record into its place: head and sum.
 */
export const DeltaRecord = { Delta: 1, Folded: 9, Bound: 10, Size: 18 } as const

/**
 * A merge's record: operations on a byte string, applied in order to the value before. Readers look at the operations
 * alone; the committer puts the value's record that they lead to into `Folded`. An operation has three words, which
 * are the adapter's business: code, length and offset of its operand.
 */
export const MergeRecord = { Folded: 1, Value: 2, Count: 4, Operations: 5 } as const
export const OPERATION_WORDS = 3

/**
 * What a range read saw, in the arena: bytes of the prefix and of the key after which it began (-1: none), the last record
 * looked at (0: to the end of the prefix), how many records had a value; then prefix, key and those records.
 */
export const RangeRead = { Prefix: 0, After: 1, Stop: 2, Count: 3, Words: 4 } as const

/**
 * An item of a read set. `Kind` holds the predicate shifted left by READ_PREDICATE_SHIFT. For SameRecord,
 * `Seen` is the record (or a `Seen` value) and `Floor` the generation; for the others `Seen` is the place's
 * own entry on the location or 0, and the words compared follow. For Exists `Seen` is 0 or 1; for Range `Location` is
 * the offset of a `RangeRead`; nothing follows either.
 */
export const Read = { Size: 4, Location: 0, Kind: 1, Seen: 2, Floor: 3 } as const
export const READ_PREDICATE_SHIFT = 4

/** Words of a chunk that a worker takes for its arena; larger requests get a chunk of their own. */
export const ARENA_CHUNK = 1 << 15
