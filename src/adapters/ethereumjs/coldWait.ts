/**
 * Waits in place for a base value that is not here yet (core/cold.ts), where that is cheaper than to begin anew.
 *
 * An incarnation that misses a value goes on with zeros and is thrown away, which costs a kernel microseconds and this
 * EVM milliseconds: a Uniswap swap was executed ten times over a state manager's tries, each time to learn a little more.
 * Here it may stand still instead, since its loop awaits anyhow. It waits as long as it has run, and once in vain: what
 * follows is thrown away, so that it only collects what else is needed. A source that is slower than that is found out
 * after a few waits, and for the rest of the run places wait as ever, many at a time while their worker does other work
 * (docs/decisions/0015-waiting-in-place.md).
 *
 * Concurrency: one worker's. Nothing is locked meanwhile but, in a place that is executed again, the commit stage, which
 * could not go on without it; main answers whoever waits for what.
 */
import { ask, awaitAnswerAsync, isKnown } from '../../core/cold.ts'
import { StateHeader } from '../../core/table.ts'

type Words = Int32Array

/** Milliseconds that an incarnation waits which has only begun: what it costs to give it up and to come back. */
const LEAST = 2
/** Waits in vain, less those that were not, after which a run does without. */
const CREDIT = 32

export class ColdWait {
  #credit = 0
  #began = 0
  /** The incarnation has waited in vain: it runs on zeros, and is thrown away whatever else it waits for. */
  #isLost = false

  beginRun(): void {
    this.#credit = CREDIT
  }

  /** An incarnation begins. */
  begin(): void {
    this.#began = performance.now()
    this.#isLost = false
  }

  /** Whether a missing value may be waited for. A state that has everything says nothing of records. */
  mayWait(state: Words): boolean {
    return state[StateHeader.Known] !== 0 && this.#credit > 0 && !this.#isLost
  }

  /** Resolves when the value is here, or was waited for long enough. */
  async for(state: Words, record: number): Promise<void> {
    if (isKnown(state, record)) return
    ask(state, record)
    const now = performance.now()
    const end = now + Math.max(LEAST, now - this.#began)
    while (!isKnown(state, record)) {
      const left = end - performance.now()
      if (left <= 0) {
        this.#credit--
        this.#isLost = true
        return
      }
      await awaitAnswerAsync(state, record, left)
    }
    if (this.#credit < CREDIT) this.#credit++
  }
}
