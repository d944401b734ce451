/** What stops an executor's work from outside: its `close`, and the signal of a run. */
import { AbortedError, ParallelExecutionError } from '../core/errors.ts'
import type { Committed } from './faults.ts'

/** The error of a run whose signal was aborted. */
export const abortedBy = (signal: AbortSignal | undefined, committed: Committed): AbortedError =>
  new AbortedError('ABORTED', 'the run was aborted by its signal', {}, { ...committed, cause: signal?.reason })

export class Stopping {
  #closed = false
  /** Called when the executor is closed, where somebody waits for what no worker does. */
  readonly #onClose = new Set<() => void>()

  close(): void {
    this.#closed = true
    for (const stop of this.#onClose) stop()
  }

  /** @throws {ParallelExecutionError} CLOSED */
  assertOpen(): void {
    if (this.#closed) throw new ParallelExecutionError('CLOSED', 'the executor is closed; make a new one')
  }

  /** Why a run that was told to stop did. */
  error(signal: AbortSignal | undefined, committed: Committed): ParallelExecutionError {
    return this.#closed
      ? new ParallelExecutionError('CLOSED', 'the executor was closed during the run', {}, committed)
      : abortedBy(signal, committed)
  }

  /**
   * What main asks for before workers run, unless the signal or `close` comes first: what is asked then goes on alone.
   *
   * @throws {AbortedError} ABORTED
   * @throws {ParallelExecutionError} CLOSED
   */
  async unlessStopped<T>(ask: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return this.during((stopped) => Promise.race([ask(), stopped]), signal)
  }

  /** The same for what is to end with order: `work` is given a promise that rejects where it is to stop. */
  async during<T>(work: (stopped: Promise<never>) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    this.assertOpen()
    const committed = { committedPrefix: 0 }
    if (signal?.aborted) throw this.error(signal, committed)
    let stop: () => void = () => undefined
    const stopped = new Promise<never>((_, reject) => {
      stop = () => reject(this.error(signal, committed))
    })
    // Nobody may be listening just then.
    stopped.catch(() => undefined)
    signal?.addEventListener('abort', stop)
    this.#onClose.add(stop)
    try {
      return await work(stopped)
    } finally {
      signal?.removeEventListener('abort', stop)
      this.#onClose.delete(stop)
    }
  }
}
