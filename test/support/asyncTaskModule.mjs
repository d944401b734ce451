/**
 * Tasks of test/support/taskModule.mjs with awaits in between, and tasks that only an asynchronous executor can run.
 */
import * as tasks from './taskModule.mjs'

export {
  addTo,
  countAndAdd,
  default,
  demand,
  keysOf,
  link,
  put,
  read,
  readAll,
  remove,
  swallow,
  writeMany,
} from './taskModule.mjs'

/** @typedef {import('../../src/adapters/taskGraph/store.ts').TaskStore} TaskStore */

/** @param {number} ms */
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Incarnations of tasks of this worker that have begun and not ended. */
let inside = 0

/** @type {Promise<string> | undefined} */
let leftOver

/**
 * A program, each operation after an await: some of a microtask, some of a turn of the event loop.
 *
 * @param {TaskStore} store
 * @param {import('./program.ts').Program} ops
 * @param {{ readonly index: number, readonly incarnation: number }} context
 */
export async function program(store, ops, context) {
  if (inside !== 0) throw new Error(`${inside} other tasks are still running in this worker`)
  inside++
  try {
    const registers = [0, 0, 0]
    for (const [k, op] of ops.entries()) {
      if ((context.index + k) % 61 === 0) await new Promise((resolve) => setImmediate(resolve))
      else await undefined
      tasks.program(store, [op], context, registers)
    }
    return registers
  } finally {
    inside--
  }
}

/** @param {TaskStore} store @param {string} key */
export async function increment(store, key) {
  await undefined
  return tasks.increment(store, key)
}

/** @param {unknown} _store @param {number} ms */
export async function pause(_store, ms) {
  await sleep(ms)
  return ms
}

export function never() {
  return new Promise(() => undefined)
}

/**
 * Settles while a branch of it still runs, which then reaches for the store.
 *
 * @param {TaskStore} store
 * @param {string} key
 */
export async function leaveRunning(store, key) {
  leftOver = sleep(5).then(() => {
    try {
      store.set(key, 'too late')
      return 'written'
    } catch (error) {
      return /** @type {Error} */ (error).message
    }
  })
  return 'settled'
}

/** What the branch that `leaveRunning` left in this worker met; tasks of one worker share it. */
export async function afterwards() {
  return (await leftOver) ?? 'nothing was left here'
}

/** @param {TaskStore} store @param {string} key */
export async function rejectAfterWriting(store, key) {
  store.set(key, 'written')
  await undefined
  throw new RangeError('no')
}
