/**
 * What stands for `scheduler/joining.ts` in `dist/model-worker.js`: who joins a run comes to the machine, who leaves it
 * departs.
 */
import * as real from '../../scheduler/joining.ts'
import { depart, enter, isArmed } from './door.ts'

export const { callNext } = real

/** Of a run of the machine's all workers take part from its beginning. */
export const beginsAlone = (engine: Int32Array, worker: number): boolean =>
  !isArmed(engine) && real.beginsAlone(engine, worker)

export const join = (engine: Int32Array, worker: number): boolean => {
  if (!real.join(engine, worker)) return false
  enter(engine, worker)
  return true
}

export const leave = (engine: Int32Array, worker: number): void => {
  depart()
  real.leave(engine, worker)
}
