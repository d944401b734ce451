/** The networks of the consensus tests as chains. */

import {
  type BlobParams,
  type ChainConfig,
  FORK_ORDER,
  type ForkActivation,
  type ForkName,
  forkNamed,
} from '../../src/adapters/evm/forks.ts'
import type { ConsensusTest } from './evm-data.ts'

/** Names of the suites that are not this library's in lower case. */
const NAMES: Readonly<Record<string, ForkName>> = {
  Frontier: 'chainstart',
  EIP150: 'tangerineWhistle',
  EIP158: 'spuriousDragon',
  ConstantinopleFix: 'petersburg',
}

function forkOf(network: string): ForkName {
  const known = NAMES[network] ?? FORK_ORDER.find((fork) => fork.toLowerCase() === network.toLowerCase())
  if (known === undefined) throw new Error(`no fork ${network}`)
  return known
}

/** The chain of a test: one fork, or two with a transition, as its network's name says. */
export function chainOfTest({ network, config }: ConsensusTest['test']): ChainConfig {
  const [, from = network, to, kind, value = '', thousand] =
    /^(\w+?)To(\w+?)At(Diff|Time)?([0-9A-F]+)(k)?$/.exec(network) ?? []
  const forks: { [Name in ForkName]?: ForkActivation } = { [forkOf(from)]: { block: 0 } }
  const blobSchedule: { [Name in ForkName]?: BlobParams } = {}
  for (const [name, params] of Object.entries(config?.blobSchedule ?? {})) {
    const { target, max, baseFeeUpdateFraction } = params
    blobSchedule[forkNamed(name.toLowerCase()) ?? forkOf(name)] = {
      target: Number(target),
      max: Number(max),
      baseFeeUpdateFraction: Number(baseFeeUpdateFraction),
    }
  }
  if (to === undefined) return { chainId: 1, forks, blobSchedule }
  if (kind === 'Diff') return { chainId: 1, forks, blobSchedule, terminalTotalDifficulty: BigInt(`0x${value}`) }
  const begin = Number(value) * (thousand === undefined ? 1 : 1000)
  forks[forkOf(to)] = kind === 'Time' ? { timestamp: begin } : { block: begin }
  return { chainId: 1, forks, blobSchedule }
}
