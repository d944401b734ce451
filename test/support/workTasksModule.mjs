/** Tasks that count their own work, in every incarnation: what is broken off or thrown away counts as what stays. */
import { threadId, workerData } from 'node:worker_threads'

/** Units of work by thread; each thread writes its own. */
const work = new Float64Array(workerData.work)

/** @param {number} units */
const toil = (units) => {
  for (let k = 0; k < units; k++) work[threadId % work.length] += 1
}

/** @typedef {import('../../src/adapters/taskGraph/store.ts').TaskStore} TaskStore */

/**
 * A link of a chain: reads what the one before has written, works, writes.
 *
 * @param {TaskStore} store
 * @param {number} units
 */
export function link(store, units) {
  const seen = Number(store.get('hot') ?? 0)
  toil(units)
  store.set('hot', seen + 1)
}

/**
 * Writes other keys each time that it runs, and reads those that its neighbours write.
 *
 * @param {TaskStore} store
 * @param {{ index: number, units: number }} input
 * @param {{ readonly incarnation: number }} context
 */
export function wander(store, { index, units }, { incarnation }) {
  const seen = Number(store.get(`k${(index + 7) % 8}`) ?? 0)
  toil(units)
  for (let k = 0; k < 4 - 2 * Math.min(incarnation, 1); k++) store.set(`k${(index + k + incarnation) % 8}`, seen + k)
}

/**
 * Works much where it reads a value that is not the one of its turn, and little in the end.
 *
 * @param {TaskStore} store
 * @param {{ index: number, units: number, most: number }} input
 */
export function burn(store, { index, units, most }) {
  const seen = Number(store.get('hot') ?? 0)
  toil(seen === index ? units : most)
  store.set('hot', seen + 1)
}
