/** Runs of one executor wait for each other: this is the line in which they stand. */
export class Line {
  #last: Promise<unknown> = Promise.resolve()

  /** Does `work` when all that came before it is done, well or badly. */
  async next<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work, work)
    this.#last = mine.catch(() => undefined)
    return mine
  }
}
