/** `runBlock` of @ethereumjs/vm, on every core. */
export type { DataFee, FeeOptions } from './adapters/evm/feeOptions.ts'
export { type ParallelRunBlockOptions, type ParallelRunBlockResult, runBlock } from './executor/dropIn/runBlock.ts'
export type { SequentialReason } from './executor/dropIn/sequential.ts'
export { createExecutor } from './executor/executeBlock.ts'
