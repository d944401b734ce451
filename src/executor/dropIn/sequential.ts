/**
 * What a block asks for that a parallel run cannot give: such a block is left to @ethereumjs/vm's own runBlock.
 */
import { paramsBlock } from '@ethereumjs/block'
import { type Common, ConsensusType, type ParamsDict } from '@ethereumjs/common'
import { paramsEVM } from '@ethereumjs/evm'
import { paramsTx } from '@ethereumjs/tx'
import type { RunBlockOpts, VM } from '@ethereumjs/vm'
import { paramsVM } from '@ethereumjs/vm'
import { TAKEN_OVER } from '../../adapters/evm/standardParams.ts'

/** Why a block ran sequentially, in a word that programs may compare. */
export type SequentialReason =
  /** `skipBalance` or `skipNonce`: senders that the rules would refuse. */
  | 'SKIPPED_CHECKS'
  /** `reportPreimages`: every account touched, be it without a trace. */
  | 'PREIMAGES'
  /** Somebody listens to the EVM's steps, which have no order in a parallel run. */
  | 'EVM_LISTENERS'
  /** The VM has custom opcodes, precompiles, sizes or an EVM of its own, and the adapter has not. */
  | 'CUSTOM_EVM'
  /** EIPs besides those of the fork, parameters that the adapter does not take, or a fork without a rule set. */
  | 'CUSTOM_RULES'
  /** Fees that go to who sealed the block (clique). */
  | 'PROOF_OF_AUTHORITY'
  /** A profile of opcodes or transactions was asked for. */
  | 'PROFILER'

/** Forks without a rule set of their own in the kernel, by an EIP that only they have. */
const UNKNOWN_EIPS = [7864, 7928]

const EVM_EVENTS = ['step', 'beforeMessage', 'afterMessage', 'newContract'] as const

/** What is looked at of an EVM, whatever made it. */
interface EvmLike {
  readonly events?: { listenerCount(event: string): number }
  readonly _customOpcodes?: readonly unknown[]
  readonly _customPrecompiles?: readonly unknown[]
  readonly allowUnlimitedContractSize?: boolean
  readonly allowUnlimitedInitCodeSize?: boolean
  readonly _optsCached?: { readonly bls?: unknown }
}

/** Whether the EVM is other than what @ethereumjs/evm makes by default. */
const isCustom = (evm: EvmLike): boolean =>
  (evm._customOpcodes?.length ?? 0) + (evm._customPrecompiles?.length ?? 0) > 0 ||
  evm.allowUnlimitedContractSize === true ||
  evm.allowUnlimitedInitCodeSize === true ||
  evm._optsCached === undefined ||
  evm._optsCached.bls !== undefined ||
  isExtended(evm)

/** Whether its class is made of another. By shape: there may be more than one copy of @ethereumjs/evm. */
const isExtended = (evm: EvmLike): boolean =>
  Object.getPrototypeOf(Object.getPrototypeOf(evm) ?? Object.prototype) !== Object.prototype

const STANDARD_PARAMS: readonly ParamsDict[] = [paramsBlock, paramsTx, paramsEVM, paramsVM]

/** Whether a parameter is another than the packages fill in: the kernel has theirs. */
const hasOwnParams = (common: Common): boolean =>
  Object.entries(common['_params'] as ParamsDict).some(([eip, params]) =>
    Object.entries(params).some(
      ([name, value]) =>
        !TAKEN_OVER.includes(name) &&
        !STANDARD_PARAMS.some((standard) => String(standard[eip]?.[name]) === String(value)),
    ),
  )

/**
 * The first reason why the block cannot run in parallel; undefined where it can.
 *
 * @param common - the VM's, at the block's fork
 * @param extended - the pool runs @ethereumjs/evm with a module of the caller's, which brings what the VM's EVM has
 */
export const reasonToRunSequentially = (
  vm: VM,
  common: Common,
  options: RunBlockOpts,
  extended: boolean,
): SequentialReason | undefined => {
  const evm = vm.evm as EvmLike
  if (options.skipBalance === true || options.skipNonce === true) return 'SKIPPED_CHECKS'
  if (options.reportPreimages === true) return 'PREIMAGES'
  if (EVM_EVENTS.some((event) => (evm.events?.listenerCount(event) ?? 0) > 0)) return 'EVM_LISTENERS'
  if (!extended && isCustom(evm)) return 'CUSTOM_EVM'
  if (!extended && hasOwnParams(common)) return 'CUSTOM_RULES'
  if (UNKNOWN_EIPS.some((eip) => common.isActivatedEIP(eip)) || common.eips().length > 0) return 'CUSTOM_RULES'
  if (common.consensusType() === ConsensusType.ProofOfAuthority) return 'PROOF_OF_AUTHORITY'
  const { profilerOpts } = vm['_opts']
  if (profilerOpts?.reportAfterBlock === true || profilerOpts?.reportAfterTx === true) return 'PROFILER'
  return undefined
}
