/** What every run may be told, of a block, of tasks or of a foreign adapter. */
import { badOption, checkChoice, checkFlags } from '../core/options.ts'
import type { RunSettings } from './plan.ts'
import type { RecordsOption } from './recordSink.ts'

/** How far a run is. */
export interface RunProgress {
  /** Transactions or tasks that are final. */
  readonly committed: number
  /** All of them. */
  readonly places: number
}

/** Options of one run, whatever it runs. */
export interface RunOptions {
  /** 'auto' (default) gives what does not gain to the sequential path; 'always' never does (tests). */
  readonly speculation?: 'auto' | 'always'
  /** Everything on one worker, without speculation. */
  readonly sequential?: boolean
  /** Aborts the run, which then rejects with `AbortedError`; the state is as it was. */
  readonly signal?: AbortSignal
  /** Keeps what happens in the run, place by place (docs/records.md); the executor's `records` by default. */
  readonly records?: RecordsOption
  /** Keeps a trace of the run, in memory, that `replay` of `blockloom/testing` runs again, every incarnation of it. */
  readonly record?: boolean
  /**
   * Called about every millisecond while places become final, and at the end; from the beginning again where the run has to
   * begin again, with larger tables or in order. What it throws fails the run.
   */
  readonly onProgress?: (progress: RunProgress) => void
}

/** @throws {InvalidInputError} INVALID_OPTION */
export const checkRunOptions = (options: RunOptions): void => {
  const { signal, onProgress } = options
  checkChoice('speculation', options.speculation, ['auto', 'always'])
  checkFlags(options, 'sequential', 'record')
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') {
    throw badOption('signal', `signal is an AbortSignal, not ${signal === null ? 'null' : typeof signal}`)
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw badOption('onProgress', `onProgress is a function, not ${typeof onProgress}`)
  }
}

/** The same as the engine is told it, for a run of so many places. */
export const settingsOf = (options: RunOptions, places: number): RunSettings => {
  const { speculation = 'auto', sequential = false, signal, onProgress } = options
  return {
    speculation,
    sequential,
    signal,
    onProgress: onProgress && ((committed) => onProgress({ committed, places })),
  }
}
