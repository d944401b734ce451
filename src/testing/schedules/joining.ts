/**
 * What stands for `scheduler/joining.ts` in `dist/model-worker.js`: who joins a run comes to the machine, who leaves it
 * departs.
 */
import * as atomics from '../../core/atomics.ts'
import { Control } from '../../core/layout.ts'
import * as real from '../../scheduler/joining.ts'
import { depart, enter, isArmed } from './door.ts'

/** To a run of the machine's all workers are called, however few cores there are. */
export const callNext = (engine: Int32Array, worker: number): void => {
  if (isArmed(engine)) atomics.store(engine, Control.Called, engine[Control.Workers])
  real.callNext(engine, worker)
}

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
