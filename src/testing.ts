/** For tests of what is built on blockloom: adapters checked, and a recorded run run again, incarnation by incarnation. */
export { type ReplayDifference, type ReplayOptions, type ReplayResult, replay } from './executor/replay.ts'
export {
  type AdapterProblem,
  type AdapterReport,
  type CheckAdapterOptions,
  checkAdapter,
} from './testing/checkAdapter.ts'
