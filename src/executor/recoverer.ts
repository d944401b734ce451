/**
 * Signers, as a worker finds them: in a batch, and for want of a run, before it parks.
 *
 * Without a run a worker takes what was posted (signatures.ts) from the cursor `Next` on, one item after another, until it is
 * called: a call waits for one item. What is left when the signers are due is made a batch, whose workers take the items
 * from a list, whoever is at others. An item is had by whoever moves its state from Open to Taken; a batch is over when
 * all of its items are done, also those that were taken before it began.
 *
 *   G1  An item that was taken and is not done, while nobody is at any item, was lost with its worker: it is done again.
 *       Two workers may then be at one item. It is only read, and both write the same answers.
 *   G2  A worker says that it is `Recovering` before it looks at `End`, and until it touches no item any more. Main closes
 *       `End` before it looks who is recovering; if nobody is, it may write other items over those there are.
 *
 * Shares: `Signatures`, `SignatureItem`, `WorkerBlock.Recovering`. Concurrency: any worker at any time.
 */
import * as atomics from '../core/atomics.ts'
import {
  Control,
  Halt,
  ItemState,
  MAX_WORKERS,
  SignatureItem,
  Signatures,
  signaturesAt,
  WorkerBlock,
} from '../core/layout.ts'

type Words = Int32Array

/** Milliseconds that a batch waits for the items of others before it looks again: one takes 0.2. */
const LOOK = 1

const blockOf = (worker: number): number => Control.WorkerBlocks + worker * WorkerBlock.Size

/** True while a worker may be at an item, but for the worker `but`. */
export const isRecovering = (engine: Words, but = -1): boolean => {
  for (let k = 0; k < MAX_WORKERS; k++) {
    if (k !== but && atomics.load(engine, blockOf(k) + WorkerBlock.Recovering) !== 0) return true
  }
  return false
}

export class Recoverer {
  readonly #engine: Words
  readonly #index: number
  readonly #recover: (engine: Words, item: number) => void
  readonly #at: number

  /** @param recover - answers the messages of an item: `batchItem` of the adapter */
  constructor(engine: Words, index: number, recover: (engine: Words, item: number) => void) {
    this.#engine = engine
    this.#index = index
    this.#recover = recover
    this.#at = signaturesAt(engine)
  }

  /**
   * Takes what is posted until there is no more, or this worker's epoch is not `epoch` any more. What throws is left to the
   * batch: who does the item again there is heard.
   */
  ahead(epoch: number): void {
    const engine = this.#engine
    const word = blockOf(this.#index) + WorkerBlock.Epoch
    let isWell = true
    while (isWell && atomics.load(engine, word) === epoch && this.#isPosted()) {
      this.#begin()
      try {
        const item = this.#next()
        if (item > 0 && this.#take(item)) atomics.add(engine, this.#at + Signatures.Ahead, 1)
      } catch {
        isWell = false
      } finally {
        this.#end()
      }
    }
  }

  /** Does an item of a batch, if nobody has it. */
  serve(item: number): void {
    this.#begin()
    try {
      this.#take(item)
    } finally {
      this.#end()
    }
  }

  /** Waits until an item of the batch is done by whoever has it; does it where nobody has. */
  settle(item: number): void {
    const engine = this.#engine
    const done = this.#at + Signatures.Done
    for (;;) {
      const seen = atomics.load(engine, done)
      if (atomics.load(engine, item + SignatureItem.State) === ItemState.Done) return
      if (atomics.load(engine, Control.Halt) !== Halt.None) return
      if (isRecovering(engine, this.#index)) atomics.wait(engine, done, seen, LOOK)
      // Looked at before who is at work: it may have been done in between, and then it is done twice (G1).
      else this.#finish(item)
    }
  }

  #begin(): void {
    atomics.store(this.#engine, blockOf(this.#index) + WorkerBlock.Recovering, 1)
  }

  #end(): void {
    atomics.store(this.#engine, blockOf(this.#index) + WorkerBlock.Recovering, 0)
  }

  #isPosted(): boolean {
    return (
      atomics.load(this.#engine, this.#at + Signatures.Next) < atomics.load(this.#engine, this.#at + Signatures.End)
    )
  }

  /** Claims the item at the cursor; 0 where there is none. */
  #next(): number {
    const engine = this.#engine
    for (;;) {
      // In this order: with an `End` of before items were written over, `Next` is of then as well (G2).
      const end = atomics.load(engine, this.#at + Signatures.End)
      const item = atomics.load(engine, this.#at + Signatures.Next)
      if (item >= end) return 0
      const after = item + engine[item + SignatureItem.Size]
      if (atomics.compareExchange(engine, this.#at + Signatures.Next, item, after) === item) return item
    }
  }

  #take(item: number): boolean {
    const state = item + SignatureItem.State
    if (atomics.compareExchange(this.#engine, state, ItemState.Open, ItemState.Taken) !== ItemState.Open) return false
    this.#finish(item)
    return true
  }

  #finish(item: number): void {
    const engine = this.#engine
    this.#recover(engine, item)
    atomics.store(engine, item + SignatureItem.State, ItemState.Done)
    atomics.add(engine, this.#at + Signatures.Done, 1)
    atomics.notify(engine, this.#at + Signatures.Done)
  }
}
