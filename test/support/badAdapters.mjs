/** Adapters that each break one rule of `checkAdapter`, by `options.breaks`; without it one that breaks none. */
import { threadId } from 'node:worker_threads'

let isOver = false
let instances = 0

/**
 * Adds its input to a number under a key, and answers with the sum.
 *
 * @param {{ breaks?: string, thread?: number }} options
 * @param {import('blockloom/tasks').AdapterHost} host
 * @returns {import('blockloom/tasks').CustomAdapter}
 */
export function createAdapter({ breaks, thread }, host) {
  const instance = instances++
  let executed = 0
  let wasBlocked = false
  return {
    kind: 'sync',
    execute({ input, incarnation }, memory) {
      executed++
      const before = memory.get('sum')
      if (before === host.BLOCKED) {
        wasBlocked = true
        return host.blocked()
      }
      const sum = (before?.[0] ?? 0) + (input[0] ?? 0)
      memory.set('sum', Uint8Array.of(sum))
      if (breaks === 'determinism') return host.done(Uint8Array.of(instance))
      if (breaks === 'purity') return host.done(Uint8Array.of(executed))
      if (breaks === 'incarnation') return host.done(Uint8Array.of(incarnation))
      if (breaks === 'poisoning' && wasBlocked) return host.done(Uint8Array.of(0))
      if (breaks === 'dispose of others' && isOver) return host.done(Uint8Array.of(0))
      if (breaks === 'parallel' && threadId !== thread) return host.done(Uint8Array.of(0))
      if (breaks === 'input') input[0] = 0
      return host.done(Uint8Array.of(sum))
    },
    dispose() {
      if (breaks === 'dispose') throw new Error('there is nothing left')
      isOver = breaks === 'dispose of others'
    },
  }
}
