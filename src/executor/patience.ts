/**
 * How long main waits for what it asks of threads between runs.
 *
 * A thread may have been left with an event loop that never turns again, or a module that never ends loading: it then
 * answers nothing. How long an answer takes says little where cores are few, so time counts only while nobody answers,
 * and only as long as this thread comes to look: while it does not it could not have heard an answer.
 * Concurrency: main thread.
 */

/** Milliseconds between two looks. */
const LOOK = 200

/** Nobody has answered for too long. Never leaves the executor. */
export class Late extends Error {
  override readonly name = 'Blockloom.Late'
}

export class Patience {
  readonly #stopped: Promise<never>
  #answers = 0

  /** @param stopped - rejects where nobody wants an answer any more */
  constructor(stopped: Promise<never>) {
    this.#stopped = stopped
  }

  /**
   * An answer, or what `stopped` rejects with.
   *
   * @throws {Late} where neither it nor another one has come for `limit` milliseconds
   */
  async of<T>(answer: Promise<T>, limit: number): Promise<T> {
    const look = Math.min(LOOK, limit)
    let answers = this.#answers
    let waited = 0
    let timer: ReturnType<typeof setInterval> | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setInterval(() => {
        waited = this.#answers === answers ? waited + look : 0
        answers = this.#answers
        if (waited >= limit) reject(new Late())
      }, look)
    })
    try {
      const answered = await Promise.race([answer, late, this.#stopped])
      this.#answers++
      return answered
    } finally {
      clearInterval(timer)
    }
  }
}
