/**
 * For tests of what is built on blockloom: adapters checked, schedules explored, and a recorded run run again,
 * incarnation by incarnation.
 */
export { type ReplayDifference, type ReplayOptions, type ReplayResult, replay } from './executor/replay.ts'
export {
  type AdapterProblem,
  type AdapterReport,
  type CheckAdapterOptions,
  checkAdapter,
} from './testing/checkAdapter.ts'
export {
  type ExploreOptions,
  exploreSchedules,
  type Schedule,
  type ScheduleDifference,
  type ScheduleReport,
} from './testing/schedules/explore.ts'
export type { Decision, Decisions } from './testing/schedules/schedule.ts'
export type {
  AdapterSubject,
  BlockSubject,
  Difference,
  Subject,
  SubjectThreads,
  TaskSubject,
} from './testing/schedules/subjects.ts'
