/** For teams that run @ethereumjs/vm: their own opcodes, precompiles, hooks and state managers on every core. */
export {
  defineEvmModule,
  type EthereumjsOptions,
  type EvmHooks,
  type EvmModule,
  type EvmModuleFactory,
} from './adapters/ethereumjs/module.ts'
export { stateManagerSource } from './adapters/ethereumjs/source.ts'
