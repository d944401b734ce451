/** What halted a run, from the words that it left, as the error that the caller is given. */
import * as atomics from '../core/atomics.ts'
import { CapacityError, InvalidInputError, InvariantError, ParallelExecutionError } from '../core/errors.ts'
import { Control, Fault, Halt, Place } from '../core/layout.ts'

type Words = Int32Array

/** What every error of a run says: how many transactions or tasks were final. */
export interface Committed {
  readonly committedPrefix: number
}

/** The state's tables were too small for what the run met; they grow and it runs again. Never leaves the library. */
export class StateFull extends Error {
  override readonly name = 'Blockloom.StateFull'
}

/** Speculation has stalled, which says nothing of the input: all is run again in order. Never leaves the library. */
export class StalledAhead extends Error {
  override readonly name = 'Blockloom.StalledAhead'
}

export const committedOf = (words: Words): Committed => ({
  committedPrefix: Math.min(Math.max(0, atomics.load(words, Control.CommitIndex) - 1), words[Control.Places]),
})

/**
 * The error of a run that was not told to stop.
 *
 * @param halt - a value of `Halt`, not `Signal`
 * @param stallTimeout - milliseconds, for the message
 */
export const haltError = (words: Words, halt: number, stallTimeout: number): Error => {
  const committed = committedOf(words)
  switch (halt) {
    case Halt.StateFull:
      return new StateFull()
    case Halt.StalledAhead:
      return new StalledAhead()
    case Halt.Capacity: {
      const limit = words.length * 4
      const message = `the block needs more than memoryLimit, ${limit} bytes`
      return new CapacityError('CAPACITY', message, { limit, actual: limit }, committed)
    }
    case Halt.Stalled:
      return stallError(words, stallTimeout, committed)
    case Halt.Fault:
      return faultError(words, committed)
    default:
      return new InvariantError('INVARIANT', `the run halted for an unknown reason: ${halt}`, { halt }, committed)
  }
}

const stallError = (words: Words, stallTimeout: number, committed: Committed): ParallelExecutionError => {
  const fields = {
    commitIndex: words[Control.CommitIndex],
    executionIndex: words[Control.ExecutionIndex],
    places: words[Control.Places],
    mode: words[Control.Mode],
    lock: words[Control.CommitLock],
    status: words[words[Control.PlaceTable] + words[Control.CommitIndex] * Place.Size + Place.Status],
  }
  const message = `no place was committed for ${stallTimeout} ms at place ${fields.commitIndex} of ${fields.places}`
  return new ParallelExecutionError('STALLED', message, fields, committed)
}

const faultError = (words: Words, committed: Committed): ParallelExecutionError => {
  const place = words[Control.FaultPlace]
  const txIndex = place - 1
  const end = place === 0 ? 'prologue' : place > words[Control.Places] ? 'epilogue' : undefined
  const who = end === undefined ? `transaction ${txIndex}` : `the ${end}`
  const where = end === undefined ? { txIndex } : { end }
  const reason = faultMessage(words)
  switch (words[Control.FaultCode]) {
    case Fault.InvalidTransaction:
      return new InvalidInputError(
        'INVALID_TRANSACTION',
        `${who} is not valid in this block: ${reason}`,
        { ...where, reason },
        committed,
      )
    case Fault.MissingCode:
      return new InvalidInputError(
        'MISSING_CODE',
        `the state has no code with hash ${reason}, which ${who} needs`,
        { ...where, codeHash: reason },
        committed,
      )
    case Fault.MissingBlockHash:
      return new InvalidInputError(
        'MISSING_BLOCK_HASH',
        `the state has no hash of block ${reason}, which ${who} asks for`,
        { ...where, blockNumber: reason },
        committed,
      )
    case Fault.ModuleFailed:
      return new ParallelExecutionError(
        'MODULE_FAILED',
        `the EVM failed at ${who}: ${reason}`,
        { ...where, reason },
        { ...committed, cause: new Error(reason) },
      )
    case Fault.ModuleNotLoaded:
      return new InvalidInputError('MODULE_NOT_LOADED', `${who} cannot run: ${reason}`, { ...where, reason }, committed)
    case Fault.TaskFailed:
      return new ParallelExecutionError(
        'TASK_FAILED',
        `task ${txIndex} failed: ${reason}`,
        { taskIndex: txIndex, reason },
        committed,
      )
    default:
      return new InvariantError('INVARIANT', `broken at place ${place}: ${reason}`, { ...where, reason }, committed)
  }
}

/** Text that a worker left in the arena: its length in bytes, then the bytes. */
const faultMessage = (words: Words): string => {
  const at = words[Control.FaultMessage]
  const bytes = words[at]
  return new TextDecoder().decode(new Uint8Array(words.slice(at + 1, at + 1 + ((bytes + 3) >> 2)).buffer, 0, bytes))
}
