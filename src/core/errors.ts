/**
 * Errors that leave the library: one base class, six families, one list of stable codes.
 *
 * Owns the classes, the codes and the form in which an error crosses a thread. Does not own the normal traffic of
 * speculation: a blocked read, a failed validation or a reverted transaction is a value and is never thrown.
 *
 * A class does not survive `postMessage`, so a worker sends `toWire(error)` and the main thread rebuilds the error with
 * `fromWire`; `instanceof`, `code`, `fields` and the worker's stack are the same on both sides.
 */

/** What went wrong, in a word that programs may compare; a code keeps its meaning for ever. */
export type ErrorCode =
  /**
   * The block is not a JSON-RPC block with full transactions, RLP, or a Block object; `fields.where` says the place.
   */
  | 'UNDECODABLE_BLOCK'
  /** No fork of the chain is active at the block, or a fork has a name that is not known. */
  | 'UNKNOWN_FORK'
  /** The fork is known, but no rule set for it exists here. */
  | 'UNSUPPORTED_FORK'
  /** A transaction has no type, or one that is not 0 to 4. */
  | 'UNKNOWN_TRANSACTION_TYPE'
  /** A signature is malformed or does not recover to a sender. */
  | 'INVALID_SIGNATURE'
  /** A transaction may not stand in this block at its place; `fields.txIndex` and `fields.reason` say why. */
  | 'INVALID_TRANSACTION'
  /** A contract of the protocol without which the block is not valid (EIP-7002, EIP-7251) has no code or failed. */
  | 'SYSTEM_CALL_FAILED'
  /** A block says something else than the rules or its execution give; `fields.mismatches` lists every field. */
  | 'BLOCK_MISMATCH'
  /** A genesis file is not one; `fields.where` is the place in it. */
  | 'INVALID_GENESIS'
  /** An account names a code hash that the state source does not have. */
  | 'MISSING_CODE'
  /** BLOCKHASH asked for a hash that the state source does not have. */
  | 'MISSING_BLOCK_HASH'
  /** A sender is neither given nor recoverable: the transaction carries no signature. */
  | 'MISSING_SENDER'
  /** An option has a value outside its range or shape; `fields.option` names it. */
  | 'INVALID_OPTION'
  /** A module of tasks, the worker file or a WebAssembly module could not be loaded. */
  | 'MODULE_NOT_LOADED'
  /** A function of a module given by the user threw while a transaction ran; `fields.reason` is what it threw. */
  | 'MODULE_FAILED'
  /**
   * An asynchronous state source rejected, was too slow, or answered with what is no value; `fields.reason` says which.
   */
  | 'STATE_SOURCE_FAILED'
  /** The state object is in use by a run, so it can neither be changed nor used by a second one. */
  | 'STATE_BUSY'
  /** A declared limit was reached; `fields.limit` and `fields.actual` give both numbers. */
  | 'CAPACITY'
  /** Threads cannot share memory: a browser page that is not cross-origin isolated. */
  | 'NO_SHARED_MEMORY'
  /** A worker ended or stopped answering while it held a part of the block. */
  | 'WORKER_LOST'
  /** No progress for longer than the watchdog allows; `fields` hold a dump of the scheduler. */
  | 'STALLED'
  /** The caller's signal was aborted. */
  | 'ABORTED'
  /** A rule of the engine was broken: a bug of this library; `fields` hold the invariant's number. */
  | 'INVARIANT'
  /** The executor was closed before or during the call. */
  | 'CLOSED'
  /** A task threw, in a run that failures stop; `fields.taskIndex`, `fields.task`, and what it threw as the cause. */
  | 'TASK_FAILED'
  /** The module exports no task of that name. */
  | 'UNKNOWN_TASK'
  /** Tasks wait for each other; `fields.cycle` holds the indices of their calls. */
  | 'TASK_CYCLE'
  /** An input or a result is nothing that can leave its thread: a function, a symbol, a promise inside a value. */
  | 'NOT_ENCODABLE'
  /** A task returned a promise. */
  | 'ASYNCHRONOUS_TASK'
  /** Run twice on the same state, a task answered or wrote differently. */
  | 'NOT_DETERMINISTIC'
  /** Bytes are no trace of this library, or of a version of the format that is not known. */
  | 'RECORDS_FORMAT'
  /** Records could not be written: the file, or the callback, failed. The run itself is unharmed. */
  | 'RECORDS_WRITE'

/** What an error may carry besides its message. */
export interface ErrorDetails {
  /** What led to this error. */
  readonly cause?: unknown
  /** How many transactions, from the first on, were final when the run stopped. */
  readonly committedPrefix?: number
}

/** Values by name that go with a code: indices, limits, places. */
export type ErrorFields = Readonly<Record<string, unknown>>

/** Codes for which the same call may succeed if it is simply made again. */
const RETRYABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['STATE_BUSY', 'WORKER_LOST', 'ABORTED'])

/** Any error of this library. Compare `code`, not the message: messages may change. */
export class ParallelExecutionError extends Error {
  static {
    // On the prototype, so that V8 prints it in the stack's first line and minified class names do not matter.
    ParallelExecutionError.prototype.name = 'Blockloom.ParallelExecutionError'
  }

  /** What went wrong, stable between versions. */
  readonly code: ErrorCode
  /** True where the same call may succeed when made again with the same input. */
  readonly retryable: boolean
  /** Values that go with the code, by name. */
  readonly fields: ErrorFields
  /** How many transactions, from the first on, were final when the run stopped; absent where no run had begun. */
  readonly committedPrefix?: number

  /**
   * @param code - what went wrong
   * @param message - what happened, the two numbers, what to do
   * @param fields - values that go with the code; structured-clonable, or they cross threads as text
   * @param details - cause and committed prefix, where there are any
   */
  constructor(code: ErrorCode, message: string, fields: ErrorFields = {}, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined)
    this.code = code
    this.retryable = RETRYABLE.has(code)
    this.fields = fields
    if (details.committedPrefix !== undefined) this.committedPrefix = details.committedPrefix
  }
}

/** The caller's input cannot be used; thrown before any worker starts wherever it can be known by then. */
export class InvalidInputError extends ParallelExecutionError {
  static {
    InvalidInputError.prototype.name = 'Blockloom.InvalidInputError'
  }
}

/** A declared limit of memory or size was reached; the block was halted and nothing of it was applied. */
export class CapacityError extends ParallelExecutionError {
  static {
    CapacityError.prototype.name = 'Blockloom.CapacityError'
  }
}

/** A worker went away while a block ran; the block was halted, the pool has replaced the worker. */
export class WorkerLostError extends ParallelExecutionError {
  static {
    WorkerLostError.prototype.name = 'Blockloom.WorkerLostError'
  }
}

/** A bug of this library, never caught inside it: report it with the fields. */
export class InvariantError extends ParallelExecutionError {
  static {
    InvariantError.prototype.name = 'Blockloom.InvariantError'
  }
}

/** The caller's `AbortSignal` stopped the run; `cause` is the signal's reason. */
export class AbortedError extends ParallelExecutionError {
  static {
    AbortedError.prototype.name = 'Blockloom.AbortedError'
  }
}

/** A value of a field that differs: a number, bytes, or words for a range or for a field that must not be there. */
export type MismatchValue = bigint | Uint8Array | string | undefined

/** One field of a block that is not what it should be. */
export interface BlockMismatch {
  /** Its name, as `BlockHeader` and `DecodedBlock` spell it. */
  readonly field: string
  /** What the rules or the execution give; undefined where the field must be absent. */
  readonly expected: MismatchValue
  /** What the block says; undefined where the field is absent. */
  readonly actual: MismatchValue
  /** The rule that was broken, where the two values do not say it. */
  readonly reason?: string
}

/**
 * A block is not valid: it says something else than the rules, or its execution, give. Make it with `blockMismatch`.
 */
export class BlockMismatchError extends ParallelExecutionError {
  static {
    BlockMismatchError.prototype.name = 'Blockloom.BlockMismatchError'
  }

  /** Every field that differs, not the first only. */
  get mismatches(): readonly BlockMismatch[] {
    return (this.fields['mismatches'] ?? []) as readonly BlockMismatch[]
  }
}

/** Bytes of a value that a message shows; a bloom filter has 256. */
const SHOWN_BYTES = 32

/**
 * The error for a block whose fields differ from what they should be.
 *
 * @param number - the block's number, where it is known
 * @param mismatches - the fields, at least one
 * @returns an error with `fields.number` and `fields.mismatches`, and a message that names them all
 */
export function blockMismatch(
  number: bigint | undefined,
  mismatches: readonly BlockMismatch[],
  details: ErrorDetails = {},
): BlockMismatchError {
  const list = mismatches.map(({ field, expected, actual, reason }) => {
    const because = reason === undefined ? '' : ` (${reason})`
    const from = firstShown(expected, actual)
    return `${field} is ${shown(actual, from)}, should be ${shown(expected, from)}${because}`
  })
  const name = number === undefined ? 'block' : `block ${number}`
  return new BlockMismatchError(
    'BLOCK_MISMATCH',
    `${name} is not valid: ${list.join('; ')}`,
    { ...(number === undefined ? {} : { number }), mismatches: [...mismatches] },
    details,
  )
}

/** Where to begin with values of which a part is shown, so that what differs is in it. */
function firstShown(a: MismatchValue, b: MismatchValue): number {
  if (!(a instanceof Uint8Array && b instanceof Uint8Array) || a.length !== b.length) return 0
  const differing = a.findIndex((byte, k) => byte !== b[k])
  return Math.max(0, differing - (differing % SHOWN_BYTES))
}

function shown(value: MismatchValue, from: number): string {
  if (value === undefined) return 'absent'
  if (!(value instanceof Uint8Array)) return String(value)
  let text = from > 0 ? '0x...' : '0x'
  for (const byte of value.subarray(from, from + SHOWN_BYTES)) text += byte.toString(16).padStart(2, '0')
  if (value.length <= SHOWN_BYTES) return text
  return `${text}... (${value.length} bytes${from > 0 ? `, these from ${from} on` : ''})`
}

const FAMILIES = {
  ParallelExecutionError,
  InvalidInputError,
  CapacityError,
  WorkerLostError,
  InvariantError,
  AbortedError,
  BlockMismatchError,
}

/** Which class an error belongs to. */
type ErrorFamily = keyof typeof FAMILIES

/** An error as plain data that structured clone accepts. */
export interface WireError {
  readonly code: ErrorCode
  readonly family: ErrorFamily
  readonly message: string
  readonly fields: ErrorFields
  readonly stack?: string
  readonly committedPrefix?: number
  readonly cause?: { readonly name: string; readonly message: string; readonly stack?: string }
}

/**
 * Turns an error into plain data for `postMessage`. The cause keeps its name, message and stack, not its class.
 *
 * @param error - what was thrown, of any kind
 * @param foreign - the code for something that is not an error of this library; it becomes the cause
 */
export function toWire(error: unknown, foreign: 'TASK_FAILED' | 'INVARIANT' = 'TASK_FAILED'): WireError {
  if (!(error instanceof ParallelExecutionError)) {
    const Family = foreign === 'INVARIANT' ? InvariantError : ParallelExecutionError
    return toWire(new Family(foreign, messageOf(error), {}, { cause: error }))
  }
  const { stack, committedPrefix } = error
  return {
    code: error.code,
    family: familyOf(error),
    message: error.message,
    fields: Object.fromEntries(Object.entries(error.fields).map(([name, value]) => [name, clonable(value, 0)])),
    ...(stack === undefined ? {} : { stack }),
    ...(committedPrefix === undefined ? {} : { committedPrefix }),
    ...('cause' in error ? { cause: causeOf(error.cause) } : {}),
  }
}

/**
 * Rebuilds the error that `toWire` took apart: same class, code, fields and stack.
 *
 * @param wire - what `toWire` returned, after any number of structured clones
 */
export function fromWire(wire: WireError): ParallelExecutionError {
  const details: { cause?: Error; committedPrefix?: number } = {}
  if (wire.cause !== undefined) {
    details.cause = Object.assign(new Error(wire.cause.message), { name: wire.cause.name })
    if (wire.cause.stack !== undefined) details.cause.stack = wire.cause.stack
  }
  if (wire.committedPrefix !== undefined) details.committedPrefix = wire.committedPrefix
  const error = new FAMILIES[wire.family](wire.code, wire.message, wire.fields, details)
  if (wire.stack !== undefined) error.stack = wire.stack
  return error
}

function familyOf(error: ParallelExecutionError): ErrorFamily {
  if (error instanceof InvalidInputError) return 'InvalidInputError'
  if (error instanceof CapacityError) return 'CapacityError'
  if (error instanceof WorkerLostError) return 'WorkerLostError'
  if (error instanceof InvariantError) return 'InvariantError'
  if (error instanceof AbortedError) return 'AbortedError'
  if (error instanceof BlockMismatchError) return 'BlockMismatchError'
  return 'ParallelExecutionError'
}

function causeOf(cause: unknown): NonNullable<WireError['cause']> {
  if (!(cause instanceof Error)) return { name: 'Error', message: messageOf(cause) }
  const { name, message, stack } = cause
  return { name: String(name), message: String(message), ...(typeof stack === 'string' ? { stack } : {}) }
}

/** Text of anything that can be thrown, also of objects whose conversion throws. */
function messageOf(value: unknown): string {
  try {
    return value instanceof Error ? String(value.message) : String(value)
  } catch {
    return 'a value that cannot be printed'
  }
}

/** Deepest nesting of a field that is kept; beyond it, and for cycles, text takes its place. */
const MAX_FIELD_DEPTH = 6

/** Keeps what structured clone copies exactly, turns the rest (functions, symbols, class instances) into text. */
function clonable(value: unknown, depth: number): unknown {
  if (value === null || typeof value === 'undefined') return value
  if (typeof value !== 'object')
    return typeof value === 'function' || typeof value === 'symbol' ? messageOf(value) : value
  if (depth >= MAX_FIELD_DEPTH) return messageOf(value)
  if (value instanceof Uint8Array || value instanceof Int32Array) return value.slice()
  if (Array.isArray(value)) return value.map((item) => clonable(item, depth + 1))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return messageOf(value)
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, clonable(item, depth + 1)]))
}
