/**
 * From the name of a fixture's chain to the forks of a chain.
 *
 * A name is a fork, or one fork and the next with the point where it begins: `BerlinToLondonAt5` (block 5),
 * `ShanghaiToCancunAtTime15k` (time 15,000), `ArrowGlacierToParisAtDiffC0000` (total difficulty 0xc0000). A chain of a
 * single fork has it and all before it from its first block on, but for the DAO fork, which changed balances of one
 * chain.
 */
import type { AmsterdamDialect, BlobParams, ChainConfig, ForkActivation, ForkName } from '../../evm.ts'
import type { Fixture, FixtureBlobParams } from './fixture.ts'

/** The rules of a fixture's chain. */
export interface NetworkRules {
  /** Paris is not among the forks of a chain that reaches it by difficulty alone. */
  readonly chain: ChainConfig
  /** Total difficulty from which on blocks have no work: 0 for chains that begin after the merge. */
  readonly terminalTotalDifficulty: bigint | undefined
  /** The last fork of the chain. */
  readonly fork: ForkName
}

/** Forks by the name that fixtures use, in the order in which they happened. */
const FORKS: readonly (readonly [name: string, fork: ForkName])[] = [
  ['Frontier', 'chainstart'],
  ['Homestead', 'homestead'],
  ['Dao', 'dao'],
  ['EIP150', 'tangerineWhistle'],
  ['EIP158', 'spuriousDragon'],
  ['Byzantium', 'byzantium'],
  ['Constantinople', 'constantinople'],
  ['ConstantinopleFix', 'petersburg'],
  ['Istanbul', 'istanbul'],
  ['MuirGlacier', 'muirGlacier'],
  ['Berlin', 'berlin'],
  ['London', 'london'],
  ['ArrowGlacier', 'arrowGlacier'],
  ['GrayGlacier', 'grayGlacier'],
  ['Paris', 'paris'],
  ['Shanghai', 'shanghai'],
  ['Cancun', 'cancun'],
  ['Prague', 'prague'],
  ['Osaka', 'osaka'],
  ['BPO1', 'bpo1'],
  ['BPO2', 'bpo2'],
  ['BPO3', 'bpo3'],
  ['BPO4', 'bpo4'],
  ['BPO5', 'bpo5'],
  ['Amsterdam', 'amsterdam'],
]

/** Names that some fixtures use for the same fork. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  Merge: 'Paris',
  TangerineWhistle: 'EIP150',
  Petersburg: 'ConstantinopleFix',
}

/** Where every fixture has its deposit contract: mainnet's address (EIP-6110). */
const DEPOSIT_CONTRACT = '0x00000000219ab540356cbb839cbe05303d7705fa'

const TRANSITION = /^(\w+?)To(\w+?)At(?:(Time)(\d+)(k?)|(Diff)([0-9a-fA-F]+)|(\d+))$/

const DAO = FORKS.findIndex(([name]) => name === 'Dao')
/** The last of these forks whose parameters are known without a fixture. */
const BPO2 = FORKS.findIndex(([name]) => name === 'BPO2')
const PARIS = FORKS.findIndex(([name]) => name === 'Paris')

/** Where a transition happens. */
type Point = { readonly activation: ForkActivation } | { readonly totalDifficulty: bigint }

/**
 * Finds the rules of a fixture's chain.
 *
 * @param amsterdam - whose Amsterdam it is; the library's default where left out
 * @returns undefined where the name is not known
 */
export function rulesOf(
  fixture: Pick<Fixture, 'network' | 'chainId' | 'blobSchedule'>,
  amsterdam?: AmsterdamDialect,
): NetworkRules | undefined {
  const found = rulesByName(fixture)
  return found === undefined || amsterdam === undefined ? found : { ...found, chain: { ...found.chain, amsterdam } }
}

function rulesByName(fixture: Pick<Fixture, 'network' | 'chainId' | 'blobSchedule'>): NetworkRules | undefined {
  const single = indexOf(fixture.network)
  if (single >= 0) return rules(fixture, single, undefined)
  const parts = TRANSITION.exec(fixture.network)
  if (parts === null) return undefined
  const [, from = '', to = '', , time, thousand, , difficulty, block] = parts
  const before = indexOf(from)
  const after = indexOf(to)
  if (before < 0 || after <= before) return undefined
  if (difficulty !== undefined)
    return rules(fixture, after, { before, at: { totalDifficulty: BigInt(`0x${difficulty}`) } })
  const activation: ForkActivation =
    time === undefined ? { block: Number(block) } : { timestamp: Number(time) * (thousand === 'k' ? 1000 : 1) }
  return rules(fixture, after, { before, at: { activation } })
}

/** The chain's name for reports: what stands before the first `To` of a transition is not dropped. */
function indexOf(name: string): number {
  const known = Object.hasOwn(OTHER_NAMES, name) ? OTHER_NAMES[name] : name
  return FORKS.findIndex(([fork]) => fork === known)
}

function rules(
  fixture: Pick<Fixture, 'chainId' | 'blobSchedule'>,
  last: number,
  transition: { readonly before: number; readonly at: Point } | undefined,
): NetworkRules {
  const forks: (ForkActivation & { readonly name: ForkName })[] = []
  const given = new Set([...fixture.blobSchedule.keys()].map((name) => FORKS[indexOf(name)]?.[1]))
  let terminalTotalDifficulty: bigint | undefined = last >= PARIS ? 0n : undefined
  FORKS.slice(0, last + 1).forEach(([, name], index) => {
    if (index === DAO && last !== DAO) return
    // Such a fork is nothing but its parameters: where the fixture has none, its chain has not had it.
    const isChosen = index === last || index === transition?.before
    if (index > BPO2 && name.startsWith('bpo') && !isChosen && !given.has(name)) return
    const isLater = transition !== undefined && index > transition.before
    if (!isLater) forks.push({ name, block: 0 })
    else if ('totalDifficulty' in transition.at) terminalTotalDifficulty = transition.at.totalDifficulty
    else forks.push({ name, ...transition.at.activation })
  })
  const blobSchedule = Object.fromEntries(
    [...fixture.blobSchedule].flatMap(([name, params]): [ForkName, BlobParams][] => {
      const index = indexOf(name)
      return index < 0 ? [] : [[FORKS[index]?.[1] as ForkName, params satisfies FixtureBlobParams]]
    }),
  )
  const merge = terminalTotalDifficulty === undefined ? {} : { terminalTotalDifficulty }
  return {
    chain: { chainId: fixture.chainId, forks, blobSchedule, depositContract: DEPOSIT_CONTRACT, ...merge },
    terminalTotalDifficulty,
    fork: FORKS[last]?.[1] as ForkName,
  }
}
