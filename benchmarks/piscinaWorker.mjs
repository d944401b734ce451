/** The outsider's tasks: balances in shared memory under one lock. Computing outside it, reads and writes inside. */
import { burn } from './taskModule.mjs'

/** @param {Int32Array} words */
const lock = (words) => {
  while (Atomics.compareExchange(words, 0, 0, 1) !== 0) Atomics.wait(words, 0, 1, 1)
}
/** @param {Int32Array} words */
const unlock = (words) => {
  Atomics.store(words, 0, 0)
  Atomics.notify(words, 0, 1)
}

/**
 * A batch of transfers between numbered accounts.
 *
 * @param {{ words: SharedArrayBuffer, balances: SharedArrayBuffer, list: [number, number][], turns: number }} batch
 */
export default ({ words, balances, list, turns }) => {
  const numbers = new Float64Array(balances)
  const control = new Int32Array(words)
  for (const [from, to] of list) {
    const amount = (burn(turns) & 1) + 1
    lock(control)
    // Both are read before either is written, as the tasks do: it matters where they are one account.
    const a = Number(numbers[from])
    const b = Number(numbers[to])
    numbers[from] = a - amount
    numbers[to] = b + amount
    unlock(control)
  }
  return list.length
}
