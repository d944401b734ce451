/** Runs of one executor wait for each other: this is the line in which they stand. */
import { abortedBy } from './stopping.ts'

export class Line {
  #last: Promise<unknown> = Promise.resolve()

  /**
   * Does `work` when all that came before it is done, well or badly.
   *
   * @param signal - heard while the work waits: it then leaves the line at once, and is never begun
   * @throws {AbortedError} ABORTED
   */
  async next<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    let leave: (() => void) | undefined
    const left = new Promise<never>((_, reject) => {
      leave = () => reject(abortedBy(signal, { committedPrefix: 0 }))
    })
    const begin = async (): Promise<T> => {
      signal?.removeEventListener('abort', leave as () => void)
      return signal?.aborted === true ? left : work()
    }
    signal?.addEventListener('abort', leave as () => void)
    if (signal?.aborted === true) leave?.()
    const mine = this.#last.then(begin, begin)
    this.#last = mine.catch(() => undefined)
    return Promise.race([mine, left])
  }
}
