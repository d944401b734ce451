/** Recorded runs as data: why a run took as long as it did, and what it would take on other workers. */
export { type DecodedTrace, decodeRecords, decodeTrace, streamRecords } from './records/decode.ts'
export { type ExplainOptions, explain } from './records/explain.ts'
export type { Affected, Conflict, Explanation, Relief, Step } from './records/explanation.ts'
export type { TraceBreak } from './records/format.ts'
export type { Edge, RunGraph } from './records/graph.ts'
export { type Keccak256, type LocationName, type LocationRole, nameLocations } from './records/names.ts'
export type { Overheads } from './records/overheads.ts'
export type {
  ExecutionRecord,
  LocationRecord,
  PlaceRecord,
  ReadRecord,
  RunInfo,
  RunKind,
  RunRecord,
  VersionSeen,
  WaitRecord,
  WriteRecord,
} from './records/runRecord.ts'
export {
  createSimulator,
  POLICIES,
  type Policy,
  type SimulateOptions,
  type Simulation,
  type Simulator,
  simulate,
} from './records/simulate.ts'
export { type TraceEvent, type TraceEventCommon, type TraceFile, traceEvents } from './records/traceEvents.ts'
