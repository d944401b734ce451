/**
 * What a block asks for that a parallel run cannot give: such a block is left to @ethereumjs/vm's own runBlock.
 */
import { ConsensusType } from '@ethereumjs/common'
import type { RunBlockOpts, VM } from '@ethereumjs/vm'

/** Why a block ran sequentially, in a word that programs may compare. */
export type SequentialReason =
  /** `skipBalance` or `skipNonce`: senders that the rules would refuse. */
  | 'SKIPPED_CHECKS'
  /** `reportPreimages`: every account touched, be it without a trace. */
  | 'PREIMAGES'
  /** Somebody listens to the EVM's steps, which have no order in a parallel run. */
  | 'EVM_LISTENERS'
  /** The VM has custom opcodes, precompiles or an EVM of its own, and the adapter has not. */
  | 'CUSTOM_EVM'
  /** EIPs besides those of the fork, other parameters, or a fork without a rule set. */
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
  readonly _optsCached?: unknown
}

/**
 * The first reason why the block cannot run in parallel; undefined where it can.
 *
 * @param extended - the pool runs @ethereumjs/evm with a module of the caller's, which brings what the VM's EVM has
 */
export const reasonToRunSequentially = (
  vm: VM,
  options: RunBlockOpts,
  extended: boolean,
): SequentialReason | undefined => {
  const { common } = vm
  const evm = vm.evm as EvmLike
  if (options.skipBalance === true || options.skipNonce === true) return 'SKIPPED_CHECKS'
  if (options.reportPreimages === true) return 'PREIMAGES'
  if (EVM_EVENTS.some((event) => (evm.events?.listenerCount(event) ?? 0) > 0)) return 'EVM_LISTENERS'
  const custom = (evm._customOpcodes?.length ?? 0) + (evm._customPrecompiles?.length ?? 0)
  if (!extended && (custom > 0 || evm._optsCached === undefined)) return 'CUSTOM_EVM'
  if (UNKNOWN_EIPS.some((eip) => common.isActivatedEIP(eip)) || common.eips().length > 0) return 'CUSTOM_RULES'
  if (common.consensusType() === ConsensusType.ProofOfAuthority) return 'PROOF_OF_AUTHORITY'
  const { profilerOpts } = vm['_opts']
  if (profilerOpts?.reportAfterBlock === true || profilerOpts?.reportAfterTx === true) return 'PROFILER'
  return undefined
}
