/**
 * One run on a state: opened before it, put back after it, and run again with larger tables where they were too small, or
 * in order where speculation has stalled.
 */
import { CapacityError } from '../core/errors.ts'
import type { SharedState } from '../core/stateMemory.ts'
import type { Engine } from './engine.ts'
import { StalledAhead, StateFull } from './faults.ts'
import type { RunSettings } from './plan.ts'
import { putBack } from './putBack.ts'

/** How often a run may find the state's tables too small. Each time they grow fourfold. */
const MOST_GROWTHS = 12

/** Records that a place may bring into being before the tables grow, and those that every run may. */
const RECORDS_A_PLACE = 4
const RECORDS = 4096

/**
 * @param work - the run, and all that is copied out of it: results are gone afterwards. May be called more than once, with
 *   settings that then count besides.
 * @throws {InvalidInputError} STATE_BUSY while another run reads the state
 * @throws {CapacityError} CAPACITY where the state has no room for what the run meets
 */
export const runOnState = async <T>(
  engine: Engine,
  state: SharedState,
  places: number,
  work: (besides: Pick<RunSettings, 'afterStall'>) => Promise<T>,
): Promise<T> => {
  let afterStall = false
  let growths = 0
  for (;;) {
    state.open(RECORDS_A_PLACE * places + RECORDS)
    let succeeded = false
    try {
      const result = await work({ afterStall })
      succeeded = true
      return result
    } catch (error) {
      if (error instanceof StalledAhead) {
        afterStall = true
        continue
      }
      if (!(error instanceof StateFull)) throw error
      if (growths++ === MOST_GROWTHS)
        throw new CapacityError('CAPACITY', 'the state has no room for what the run meets')
    } finally {
      putBack(engine.words, state, succeeded)
    }
    state.grow()
  }
}
