/**
 * Schedules that once failed, as `npm run model` prints them; each is run again by `regressions.model.ts`.
 *
 * A step's number is of the code that it was found on. Where an operation came or went since, the schedule decides
 * something else, or cannot be followed; the case itself is walked as a whole all the same.
 */
import { scenarioOf } from './check.ts'
import type { Schedule } from './controller.ts'
import type { Scenario } from './subjects/subjects.ts'

export interface Regression {
  /** What went wrong, and the commit or the planted bug that it was found in. */
  readonly what: string
  readonly scenario: Scenario
  readonly schedule: Schedule
  /** The planted bug with which the schedule still fails. */
  readonly mutation?: string
}

export const regressions: readonly Regression[] = [
  {
    what: 'an idle worker that had read the cursor after the last commit parked on it until its wait timed out',
    scenario: scenarioOf('chain'),
    schedule: [[78, 0]],
    mutation: 'parks-past-the-end',
  },
  {
    what: 'a worker that began alone when another had ended the run waited for that one to drain',
    scenario: scenarioOf('begun alone'),
    schedule: [
      [0, 1],
      [35, 1],
      [71, 1],
    ],
    mutation: 'waits-for-who-left',
  },
  {
    what: 'a worker that woke the next one late put it back to a run that was over, and it slept through the next call',
    scenario: scenarioOf('parking, called again'),
    schedule: [
      [20, 2],
      [24, 1],
    ],
    mutation: 'called-back',
  },
]
