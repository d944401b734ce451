/**
 * For teams that run @ethereumjs/vm: their own `runBlock`, opcodes, precompiles, hooks and state managers on every
 * core.
 */

export {
  defineEvmModule,
  type EvmHooks,
  type EvmModule,
  type EvmModuleFactory,
} from './adapters/ethereumjs/module.ts'
export type { EthereumjsOptions } from './adapters/ethereumjs/moduleSpec.ts'
export type { Kzg } from './adapters/ethereumjs/packages.ts'
export { stateManagerSource } from './adapters/ethereumjs/source.ts'
export type { DataFee, FeeOptions } from './adapters/evm/feeOptions.ts'
export type { ParallelRunBlockOptions } from './executor/dropIn/options.ts'
export { type ParallelRunBlockResult, runBlock } from './executor/dropIn/runBlock.ts'
export type { SequentialReason } from './executor/dropIn/sequential.ts'
export { createExecutor } from './executor/executeBlock.ts'
export type { AdapterName } from './executor/prepare.ts'
