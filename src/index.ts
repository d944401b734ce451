/** blockloom: run an ordered list of transactions on every core, with exactly the sequential result. */

export type { AccountAccess, BlockAccessList, StorageChange } from './adapters/evm/accessList.ts'
export type { AmsterdamDialect } from './adapters/evm/amsterdam.ts'
export { type ChainInput, chainAtFork } from './adapters/evm/chain.ts'
export type { ChainName } from './adapters/evm/chains.ts'
export type { DataFee, FeeOptions } from './adapters/evm/feeOptions.ts'
export type { ChainConfig, CommonLike, ForkActivation, ForkAlias, ForkName } from './adapters/evm/forks.ts'
export type { Log, TransactionReceipt } from './adapters/evm/receipt.ts'
export type { Reward } from './adapters/evm/rewards.ts'
export type { PlaceDiff } from './adapters/revm/placeDiffs.ts'
export type { HaltReason, TransactionResult } from './adapters/revm/result.ts'
export type { AccountDiff, Hex, StateDiff } from './core/diff.ts'
export {
  AbortedError,
  type BlockMismatch,
  BlockMismatchError,
  CapacityError,
  type ErrorCode,
  type ErrorDetails,
  type ErrorFields,
  InvalidInputError,
  InvariantError,
  type MismatchValue,
  ParallelExecutionError,
  WorkerLostError,
} from './core/errors.ts'
export type { AsyncStateSource, SourceAccount } from './core/source.ts'
export type { StateTrie } from './core/stateRoot.ts'
export type { BlockResult, CommitBatch, ExecuteBlockOptions, Senders } from './executor/blockTypes.ts'
export { compareBlockResults, differenceText, type ResultDifference } from './executor/compareResults.ts'
export type { EngineOptions } from './executor/engine.ts'
export { createExecutor, type Executor, type ExecutorOptions, executeBlockParallel } from './executor/executeBlock.ts'
export { type ChainHead, ChainImporter, type ImportOptions, openChain } from './executor/importer.ts'
export type { ObserveOptions } from './executor/observe.ts'
export type { AdapterName, PreparedBlock } from './executor/prepare.ts'
export type { RecordedOutcome } from './executor/recordRun.ts'
export type { RecordsOption, RecordsTo } from './executor/recordSink.ts'
export type { RunOptions, RunProgress } from './executor/runOptions.ts'
export type { RunReport } from './executor/runReport.ts'
export { type StateRootOptions, stateRootOf } from './executor/stateRoot.ts'
export type { ExecutorStats, WorkerStats } from './executor/stats.ts'
export type { TelemetryApi } from './executor/telemetry.ts'
export type { Ancestry } from './executor/verify.ts'
export type { WorkerSource } from './platform/threads.ts'
export { type DecodedTrace, decodeRecords, decodeTrace, streamRecords } from './records/decode.ts'
export type { TraceBreak } from './records/format.ts'
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
export type { AccountEntry, AccountInfo, AccountInput, BytesLike, Quantity, StateFile } from './state/accounts.ts'
export { createMemoryState, MemoryState, type MemoryStateOptions } from './state/memoryState.ts'
export { createSourceState, type SourceState, type SourceStateOptions } from './state/sourceState.ts'
