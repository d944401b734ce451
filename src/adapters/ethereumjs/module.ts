/**
 * What a user adds to the EVM: opcodes, precompiles, parameters, hooks. Functions cannot cross a thread, so they come
 * from a module that every worker imports, built from options that can be cloned.
 */
import type { ParamsDict } from '@ethereumjs/common'
import type {
  CustomPrecompile,
  EVMBLSInterface,
  EVMBN254Interface,
  EVMOpts,
  EVMResult,
  InterpreterStep,
  Message,
} from '@ethereumjs/evm'
import type { TypedTransaction } from '@ethereumjs/tx'
import type { Address } from '@ethereumjs/util'
import type { AfterTxEvent } from '@ethereumjs/vm'
import { InvalidInputError } from '../../core/errors.ts'
import { moduleProblem } from './moduleShape.ts'
import type { ModuleSpec } from './moduleSpec.ts'
import type { Kzg } from './packages.ts'

/**
 * Called while transactions run, in a worker. Speculation calls them for executions that are thrown away, too, and in
 * no particular order: they may observe, and must not change what a transaction does. One that throws fails the run.
 */
export interface EvmHooks {
  readonly beforeTx?: (tx: TypedTransaction) => void
  readonly afterTx?: (event: AfterTxEvent) => void
  readonly step?: (event: InterpreterStep) => void
  readonly beforeMessage?: (message: Message) => void
  readonly afterMessage?: (result: EVMResult) => void
  readonly newContract?: (event: { readonly address: Address; readonly code: Uint8Array }) => void
}

/** What a module adds; names and shapes are those of @ethereumjs/evm's options. */
export interface EvmModule {
  readonly customOpcodes?: NonNullable<EVMOpts['customOpcodes']>
  readonly customPrecompiles?: readonly CustomPrecompile[]
  /** By EIP, as `Common.updateParams` takes them; what is left out keeps its value. */
  readonly params?: ParamsDict
  /** EIPs that are active besides the fork's. */
  readonly eips?: readonly number[]
  readonly hooks?: EvmHooks
  /** In place of micro-eth-signer's, for the precompile of EIP-4844. */
  readonly kzg?: Kzg
  readonly bls?: EVMBLSInterface
  readonly bn254?: EVMBN254Interface
  readonly allowUnlimitedContractSize?: boolean
  readonly allowUnlimitedInitCodeSize?: boolean
}

/** The default export of a module: called once a worker. */
export type EvmModuleFactory<Options> = (options: Options) => EvmModule | Promise<EvmModule>

/**
 * Types the default export of a module that extends the EVM.
 *
 * @example
 * export default defineEvmModule((options: { readonly gas: string }) => ({
 *   customPrecompiles: [{ address: '0x00000000000000000000000000000000000000ff', function: ({ data }) => ({
 *     executionGasUsed: BigInt(options.gas), returnValue: data }) }],
 * }))
 */
export const defineEvmModule = <Options = undefined>(factory: EvmModuleFactory<Options>): EvmModuleFactory<Options> =>
  factory

const notLoaded = (module: string, reason: string, cause?: unknown): InvalidInputError =>
  new InvalidInputError(
    'MODULE_NOT_LOADED',
    `the EVM module ${module} cannot be used: ${reason}`,
    { module },
    cause === undefined ? {} : { cause },
  )

/**
 * Imports a module and calls its factory, in a worker.
 *
 * @throws {InvalidInputError} MODULE_NOT_LOADED
 */
export const loadEvmModule = async ({ module, options }: ModuleSpec): Promise<EvmModule> => {
  if (module === undefined) return {}
  let factory: unknown
  try {
    factory = ((await import(/* @vite-ignore */ module)) as { readonly default?: unknown }).default
  } catch (cause) {
    throw notLoaded(module, cause instanceof Error ? cause.message : String(cause), cause)
  }
  if (typeof factory !== 'function') throw notLoaded(module, 'its default export is not a function')
  let made: unknown
  try {
    made = await (factory as EvmModuleFactory<unknown>)(options)
  } catch (cause) {
    throw notLoaded(module, `its factory threw ${cause instanceof Error ? cause.message : String(cause)}`, cause)
  }
  const problem = moduleProblem(made)
  if (problem !== undefined) throw notLoaded(module, problem)
  return made as EvmModule
}
