/** For tests of what is built on blockloom: run a recorded run again, incarnation by incarnation. */
export { type ReplayDifference, type ReplayOptions, type ReplayResult, replay } from './executor/replay.ts'
