/**
 * Who takes part in a run: workers join while it is open and leave when its work is done.
 *
 * The first to leave closes it, so a worker that wakes up late finds nothing to do and parks again; the run is
 * over when all who joined have left.
 * Shares: `Control.Join`, `Control.Finished`. Concurrency: any worker at any time.
 */
import * as atomics from '../core/atomics.ts'
import { Control, JOIN_CLOSED } from '../core/layout.ts'

/** Workers that have joined, whether the run is closed or not. */
export const joined = (engine: Int32Array): number => atomics.load(engine, Control.Join) & (JOIN_CLOSED - 1)

/** Enters the run; false when it is over or not for this worker. */
export const join = (engine: Int32Array, worker: number): boolean => {
  for (;;) {
    const word = atomics.load(engine, Control.Join)
    if ((word & JOIN_CLOSED) !== 0 || worker >= engine[Control.Workers]) return false
    if (atomics.compareExchange(engine, Control.Join, word, word + 1) === word) return true
  }
}

/** Leaves the run and closes it; the last one to leave wakes main. */
export const leave = (engine: Int32Array): void => {
  for (;;) {
    const word = atomics.load(engine, Control.Join)
    if ((word & JOIN_CLOSED) !== 0) break
    if (atomics.compareExchange(engine, Control.Join, word, word | JOIN_CLOSED) === word) break
  }
  const finished = atomics.add(engine, Control.Finished, 1) + 1
  if (finished === joined(engine)) atomics.notify(engine, Control.Finished)
}
