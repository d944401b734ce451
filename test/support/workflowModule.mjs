/** Tasks that replay what other programs did: reads and writes by key, and a time that each takes. */
import { defineTasks } from 'blockloom/tasks'

/** @param {number} ms */
const pause = (ms) => {
  // biome-ignore lint/plugin: nobody notifies this word; there is no other way to wait without computing
  if (ms > 0) globalThis['Atomics'].wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

const now = () => performance.timeOrigin + performance.now()

export default defineTasks({
  /**
   * Reads, waits, writes its own id; answers with what it read and when.
   *
   * @param {import('blockloom/tasks').TaskStore} memory
   * @param {{ id: number, reads: readonly number[], writes: readonly number[], ms: number }} input
   */
  step(memory, { id, reads, writes, ms }) {
    const began = now()
    const seen = reads.map((location) => memory.get(`l${location}`) ?? -1)
    pause(ms)
    for (const location of writes) memory.set(`l${location}`, id)
    return { seen, began, ended: now() }
  },

  /**
   * A transaction as a trace tells it.
   *
   * @param {import('blockloom/tasks').TaskStore} memory
   * @param {{ reads: readonly string[], writes: readonly (readonly [key: string, value: unknown])[] }} input
   */
  replay(memory, { reads, writes }) {
    const seen = reads.map((key) => memory.get(key) ?? null)
    for (const [key, value] of writes) memory.set(key, value)
    return seen
  },

  /**
   * Holds units of something for a while.
   *
   * @param {unknown} _memory
   * @param {number} ms
   */
  hold(_memory, ms) {
    const began = now()
    pause(ms)
    return { began, ended: now() }
  },
})
