import { threadId, workerData } from 'node:worker_threads'

/**
 * An adapter that adds to a number, and does what an adapter should not where its input says so. Synchronous, or with
 * promises (`options.kind`).
 *
 * An input is `[what, amount]`; its result is the number before. What: 0 nothing else; 1 ends the process; 2 throws in
 * the first incarnation; 3 throws where the number is odd; 4 never ends; 5 throws what is no error, where it is odd;
 * 6 answers with nothing; 7 throws in its thread, later.
 *
 * A thread that will throw later says so (`workerData.doomed`).
 *
 * @param {{ kind: 'sync' | 'async' }} options
 * @param {import('blockloom/tasks').AdapterHost} host
 * @returns {import('blockloom/tasks').CustomAdapter}
 */
export function createAdapter({ kind }, host) {
  let isDoomed = false
  /**
   * @param {import('blockloom/tasks').AdapterPlace} place
   * @param {import('blockloom/tasks').AdapterMemory} memory
   */
  const execute = ({ input: [what, amount = 0], incarnation }, memory) => {
    if (what === 2 && incarnation === 0) throw new Error('not at the first attempt')
    const before = memory.get('sum')
    if (before === host.BLOCKED) return host.blocked()
    const number = before?.[0] ?? 0
    if (what === 1) process.exit(3)
    if (what === 3 && number % 2 === 1) throw new RangeError('the number is odd')
    if (what === 4) for (;;);
    // biome-ignore lint/style/useThrowOnlyError: that is what is tried
    if (what === 5 && number % 2 === 1) throw undefined
    if (what === 6) return /** @type {any} */ (undefined)
    if (what === 7 && !isDoomed) {
      isDoomed = true
      // A word of its own for each thread.
      if (workerData?.doomed !== undefined) workerData.doomed[threadId % workerData.doomed.length] = 1
      setTimeout(() => {
        throw new Error('too late')
      }, 0)
    }
    memory.set('sum', Uint8Array.of((number + amount) % 256))
    return host.done(Uint8Array.of(number))
  }
  if (kind === 'sync') return { kind, execute }
  return {
    kind,
    async execute(place, memory) {
      // The event loop is free meanwhile.
      if ((place.input[1] ?? 0) % 2 === 1) await new Promise((resolve) => setImmediate(resolve))
      if (place.input[0] === 4) await new Promise(() => undefined)
      return execute(place, memory)
    },
  }
}
