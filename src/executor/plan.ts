/** What an engine is given: the plan of a run in words, and how it is to be run. */

import type { PlaceRange } from '../core/rows.ts'
import type { SharedState } from '../core/stateMemory.ts'

type Words = Int32Array

/** Input words of a run. */
export interface PlanInputs {
  /** Transactions or tasks. */
  readonly places: number
  /** Input words of all places, and where each begins: `places + 1` offsets. */
  readonly inputs: Words
  readonly offsets: Words
  /** Input words of places 0 and `places + 1`; absent or empty, the end has no work and costs nothing. */
  readonly prologue?: Words | undefined
  readonly epilogue?: Words | undefined
}

/** What to run. */
export interface Plan extends PlanInputs {
  readonly state: SharedState
  readonly environment: Words
  readonly adapterFlags: number
  /** Location of the state that collects dense deltas, given it is open; 0 for none. */
  readonly denseLocation: (state: SharedState) => number
  /** Where in the environment a schedule lies (core/schedule.ts); undefined claims places in order. */
  readonly schedule?: number | undefined
  /**
   * True lets places be executed at the commit cursor alone, where the run may fall back. Not for what goes on writing to
   * the same locations: such a place walks past all that speculation has put there (block 13287210: 0.33x with, 0.94x
   * without).
   */
  readonly reserves?: boolean
  /** True where the whole run may take less time than waking a second worker is worth: the first then begins alone. */
  readonly isLight?: boolean
  /** True where places may be too short for speculation: the first worker begins alone, and goes on so if they are. */
  readonly isQueues?: boolean
  /** Places that may take long, the longest first: they may be begun before their turn (docs/algorithm.md D12). */
  readonly early?: readonly number[]
  /** Rows of places of which each may read what the one before it writes: one worker claims them together (D13). */
  readonly rows?: readonly PlaceRange[]
  /** Values for adapters whose inputs are no words. */
  readonly values?: readonly unknown[]
}

/**
 * What may be done with a plan's places in their order, without speculation: not by rank, nor on a state that answers late,
 * where whoever runs in order would wait for each value alone.
 */
export const waysInOrder = ({
  state,
  schedule,
  reserves,
  isLight,
  isQueues,
  early,
  rows = [],
}: Plan): {
  readonly reserves: boolean
  readonly light: boolean
  readonly queues: boolean
  readonly rows: readonly PlaceRange[]
} => {
  const isInOrder = schedule === undefined && state.serve === undefined
  return {
    reserves: isInOrder && reserves === true,
    // One long place is reason enough for a second worker.
    light: isInOrder && isLight === true && (early ?? []).length === 0,
    queues: isInOrder && isQueues === true,
    // Where values come late, whoever executes on in a row has not seen what the place before it will write.
    rows: isInOrder ? rows : [],
  }
}

export interface RunSettings {
  readonly speculation: 'auto' | 'always'
  /** Everything on one worker by the oracle. */
  readonly sequential?: boolean
  /** The run is made a second time, by the oracle: speculation has stalled. */
  readonly afterStall?: boolean
  readonly workers?: number
  readonly signal?: AbortSignal | undefined
  /** Keeps what each place wrote, so that differences can be told place by place. */
  readonly keepVersions?: boolean
  /** Called about every millisecond with the number of places that are final. */
  readonly onProgress?: ((committed: number) => void) | undefined
  /** Told when the run begins, all being laid out, and when it ends: with its milliseconds if it ended well. */
  readonly recording?: RunObserver | undefined
}

/** Whoever records a run. */
export interface RunObserver {
  begin(isSequential: boolean, workers: number): void
  end(ms: number | undefined): void
}
