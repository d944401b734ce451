/**
 * Who takes part in a run: workers join while it is open and leave when its work is done.
 *
 * The first to leave closes it, so a worker that wakes up late finds nothing to do and parks again; the run is
 * over when all who joined have left. Each also says in its own block that it is inside, for the case that one
 * of them dies and the count never comes right. A worker is called by its epoch word; one that is not called, or not
 * yet, is not missed (docs/algorithm.md D11).
 * Shares: `Control.Join`, `Called`, `Finished`, `WorkerBlock.Inside`, `Epoch`. Concurrency: any thread at any time.
 */
import * as atomics from '../core/atomics.ts'
import { Alone, Control, JOIN_CLOSED, WorkerBlock } from '../core/layout.ts'

const insideWord = (worker: number): number => Control.WorkerBlocks + worker * WorkerBlock.Size + WorkerBlock.Inside

/** Workers that have joined, whether the run is closed or not. */
export const joined = (engine: Int32Array): number => atomics.load(engine, Control.Join) & (JOIN_CLOSED - 1)

/** True while a worker may touch the memories. After `closeJoin`, false is for good. */
export const isInside = (engine: Int32Array, worker: number): boolean => atomics.load(engine, insideWord(worker)) !== 0

/** Lets nobody join any more. */
export const closeJoin = (engine: Int32Array): void => {
  for (;;) {
    const word = atomics.load(engine, Control.Join)
    if ((word & JOIN_CLOSED) !== 0) return
    if (atomics.compareExchange(engine, Control.Join, word, word | JOIN_CLOSED) === word) return
  }
}

/** Enters the run; false when it is over or not for this worker. */
export const join = (engine: Int32Array, worker: number): boolean => {
  // Said before it is true: whoever closes the run and then looks sees every worker that made it in.
  atomics.store(engine, insideWord(worker), 1)
  for (;;) {
    const word = atomics.load(engine, Control.Join)
    if ((word & JOIN_CLOSED) !== 0 || worker >= engine[Control.Workers]) {
      atomics.store(engine, insideWord(worker), 0)
      return false
    }
    if (atomics.compareExchange(engine, Control.Join, word, word + 1) === word) return true
  }
}

const epochWord = (worker: number): number => Control.WorkerBlocks + worker * WorkerBlock.Size + WorkerBlock.Epoch

/**
 * True where this worker is to begin the run alone, and calls the next ones itself or never. A run is no light one where
 * some place may take long.
 */
export const beginsAlone = (engine: Int32Array, worker: number): boolean => {
  const why = engine[Control.Alone]
  return worker === 0 && (why === Alone.Queues || (why === Alone.Light && engine[Control.EarlyCount] === 0))
}

/**
 * Calls workers `from` to `to`, which there may not be, to the run `epoch`.
 *
 * A word only moves on. Main calls workers itself where one has ended, so the run may be over, and they called to the
 * next one, while this worker is still here: put back to the epoch that they have served, they would sleep for good.
 */
const call = (engine: Int32Array, epoch: number, from: number, to: number): void => {
  const called = atomics.load(engine, Control.Called)
  for (let k = from; k <= to && k < called; k++) {
    const word = epochWord(k)
    const before = atomics.load(engine, word)
    // Epochs may wrap around. An exchange that fails has met another call, which is never an older one.
    if (((epoch - before) | 0) <= 0) continue
    if (atomics.compareExchange(engine, word, before, epoch) === before) atomics.notify(engine, word)
  }
}

/** Wakes two more workers of this run, as in a heap: all who are called are awake after log2 steps. */
export const callNext = (engine: Int32Array, worker: number): void =>
  call(engine, atomics.load(engine, epochWord(worker)), 2 * worker + 1, 2 * worker + 2)

/** Calls everybody else to the run `epoch`. Main, while it is open. */
export const callRest = (engine: Int32Array, epoch: number): void => {
  const called = atomics.load(engine, Control.Called)
  atomics.store(engine, Control.Called, engine[Control.Workers])
  // Those whom the workers awake would have called. The others are called by these.
  call(engine, epoch, called, 2 * called)
}

/** Wakes one of the first `workers` workers that is parked, for what it may do without a run. Main. */
export const wakeParked = (engine: Int32Array, workers: number): void => {
  for (let k = 0; k < workers; k++) if (atomics.notify(engine, epochWord(k)) > 0) return
}

/** Leaves the run and closes it; the last one to leave wakes main. */
export const leave = (engine: Int32Array, worker: number): void => {
  closeJoin(engine)
  atomics.store(engine, insideWord(worker), 0)
  const finished = atomics.add(engine, Control.Finished, 1) + 1
  if (finished === joined(engine)) atomics.notify(engine, Control.Finished)
}
