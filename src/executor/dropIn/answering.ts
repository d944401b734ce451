/**
 * What the caller's objects are told and asked by `runBlock`: each may reject, hang, or answer with garbage, and each
 * failure leaves with a code.
 *
 * Not here: reading the state, whose questions have a limit of their own (sourceState.ts).
 */
import { ParallelExecutionError } from '../../core/errors.ts'
import { messageOf } from '../../core/thrown.ts'

/** A state manager that did not answer in time; what it was told may still happen. */
export class ManagerHangs extends ParallelExecutionError {
  #answered: Promise<unknown>

  constructor(what: string, limit: number, pending: Promise<unknown>) {
    const reason = `no answer within ${limit} ms`
    super('STATE_SOURCE_FAILED', `the state manager gave ${reason} when it was told ${what}`, { reason, limit })
    this.#answered = pending.catch(() => undefined)
  }

  /** Does so when it has answered after all, and all that was to be done before is done; nobody waits for that. */
  afterwards(undo: () => Promise<void>): void {
    this.#answered = this.#answered.then(undo).catch(() => undefined)
  }
}

/**
 * Gives `work` up where `limit` milliseconds pass without a `step` of it; then the next step throws, so that nothing
 * follows what hangs. A limit of 0 waits for ever.
 *
 * @param work - calls `step` before each thing that it tells the manager
 * @throws {ParallelExecutionError} STATE_SOURCE_FAILED with what was thrown as its cause, or as `ManagerHangs`
 */
export const ofManager = async <T>(what: string, limit: number, work: (step: () => void) => Promise<T>): Promise<T> => {
  let halvesWithoutStep = 0
  let isGivenUp = false
  const step = (): void => {
    if (isGivenUp) throw new Error('given up')
    halvesWithoutStep = 0
  }
  const pending = failing(what, () => work(step))
  if (limit === 0) return pending
  let timer: ReturnType<typeof setInterval> | undefined
  const late = new Promise<never>((_, reject) => {
    // Twice, since after a long time of main's own work the first comes before any answer could have been heard.
    const look = (): void => {
      if (++halvesWithoutStep < 2) return
      isGivenUp = true
      reject(new ManagerHangs(what, limit, pending))
    }
    timer = setInterval(look, limit / 2)
  })
  try {
    return await Promise.race([pending, late])
  } finally {
    clearInterval(timer)
  }
}

const failing = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof ParallelExecutionError) throw cause
    const reason = messageOf(cause)
    const message = `the state manager failed when it was told ${what}: ${reason}`
    throw new ParallelExecutionError('STATE_SOURCE_FAILED', message, { reason }, { cause })
  }
}

/** Takes back what was begun, after `error`: of a manager that hangs, when it has answered. */
export const takeBack = async (error: unknown, limit: number, undo: () => Promise<void>): Promise<void> => {
  if (error instanceof ManagerHangs) {
    error.afterwards(undo)
    return
  }
  await ofManager('to take the block back', limit, undo)
}

/** @throws {ParallelExecutionError} STATE_SOURCE_FAILED where it is none */
export const rootOf = (root: unknown): Uint8Array => {
  if (root instanceof Uint8Array && root.length === 32) return root
  const reason = 'a state root that is not 32 bytes'
  throw new ParallelExecutionError('STATE_SOURCE_FAILED', `the state manager answered with ${reason}`, { reason })
}
