/** The tasks that benchmarks run: some microseconds of computing, two keys read, two written. */
import { defineTasks } from 'blockloom/tasks'

/**
 * Computes for so many turns.
 *
 * @param {number} turns
 */
export const burn = (turns) => {
  let x = 1
  for (let k = 0; k < turns; k++) x = (Math.imul(x, 1664525) + 1013904223) | 0
  return x
}

/**
 * The same for every kind of store: what a task does with its two keys.
 *
 * @param {{ get(key: string): unknown, set(key: string, value: number): unknown }} store
 * @param {{ from: string, to: string, turns: number }} input
 */
export const transfer = (store, { from, to, turns }) => {
  const a = Number(store.get(from) ?? 0)
  const b = Number(store.get(to) ?? 0)
  const amount = (burn(turns) & 1) + 1
  store.set(from, a - amount)
  store.set(to, b + amount)
  return a
}

export default defineTasks({
  transfer,
  /**
   * @param {import('blockloom/tasks').TaskStore} memory
   * @param {{ reads: readonly number[], writes: readonly number[], ms: number }} input
   */
  hold(memory, { reads, writes, ms }) {
    for (const key of reads) memory.get(`l${key}`)
    // biome-ignore lint/plugin: nobody notifies this word; there is no other way to wait without computing
    if (ms > 0) globalThis['Atomics'].wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
    for (const key of writes) memory.set(`l${key}`, 1)
  },
})
