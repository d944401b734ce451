/** Which rules a block runs by. Oracles: the fork names of the data set, and @ethereumjs/common. */

import { createBlock } from '@ethereumjs/block'
import {
  Common,
  createCommonFromGethGenesis,
  Holesky,
  Hoodi,
  Mainnet,
  Sepolia,
  type ChainConfig as TheirChain,
} from '@ethereumjs/common'
import { describe, expect, test } from 'vitest'
import {
  type ChainInput,
  chainAtFork,
  type ForkPoint,
  resolveChain,
  resolveRules,
} from '../../src/adapters/evm/chain.ts'
import { CHAINS, type ChainName } from '../../src/adapters/evm/chains.ts'
import { FORK_ORDER, type ForkName, specOf } from '../../src/adapters/evm/forks.ts'
import { InvalidInputError } from '../../src/core/errors.ts'
import { realBlocks } from './evm-data.ts'

const THEIRS: Record<ChainName, TheirChain> = { mainnet: Mainnet, sepolia: Sepolia, holesky: Holesky, hoodi: Hoodi }
const NAMES = Object.keys(THEIRS) as ChainName[]

const at = (number: number | bigint, timestamp: number | bigint = 0): ForkPoint => ({
  number: BigInt(number),
  timestamp: BigInt(timestamp),
})

function errorOf(chain: unknown, point: ForkPoint): InvalidInputError {
  try {
    resolveChain(chain as ChainInput, point)
  } catch (error) {
    if (error instanceof InvalidInputError) return error
    throw error
  }
  throw new Error('it resolved')
}

/** Points around every change of rules of a chain, at times and numbers that go together. */
function boundaries(name: ChainName): ForkPoint[] {
  const points: ForkPoint[] = []
  let number = 0
  let time = 0
  for (const { block, timestamp } of THEIRS[name].hardforks) {
    if (timestamp !== undefined) {
      number += 1000
      time = Number(timestamp)
      if (time > 0) points.push(at(number, time - 1))
      points.push(at(number, time))
    } else if (block !== null) {
      number = block
      if (number > 0) points.push(at(number - 1, time))
      points.push(at(number, time))
    }
  }
  return points
}

describe('resolveChain: names', () => {
  const files = realBlocks()
  test.skipIf(files.length === 0)('mainnet has the rule set that the data set names, for all 45 blocks', () => {
    for (const { name, fork, block } of files) {
      const resolved = resolveChain('mainnet', at(BigInt(block.number), BigInt(block.timestamp)))
      expect(resolved.spec, name).toBe(specOf(fork))
      expect(resolved.chainId).toBe(1n)
    }
  })

  test('the 45 blocks apart, these mainnet blocks are known', () => {
    const facts: [number, number, ForkName, number][] = [
      [0, 0, 'chainstart', 0],
      [1_149_999, 1_457_981_000, 'chainstart', 0],
      [1_150_000, 1_457_981_393, 'homestead', 1],
      [7_279_999, 1_551_383_501, 'byzantium', 4],
      [7_280_000, 1_551_383_524, 'petersburg', 5],
      [12_965_000, 1_628_166_822, 'london', 8],
      [15_537_393, 1_663_224_162, 'grayGlacier', 8],
      [15_537_394, 1_663_224_179, 'paris', 9],
      [17_034_869, 1_681_338_443, 'paris', 9],
      [17_034_870, 1_681_338_455, 'shanghai', 10],
      [19_426_587, 1_710_338_135, 'cancun', 11],
      [22_431_084, 1_746_612_311, 'prague', 12],
      [23_935_694, 1_764_798_551, 'osaka', 13],
      [24_476_005, 1_771_324_715, 'bpo2', 13],
    ]
    for (const [number, time, fork, spec] of facts) {
      expect(resolveChain('mainnet', at(number, time))).toMatchObject({ fork, spec })
    }
  })

  test.each(NAMES)('%s has the forks, times and deposit contract of @ethereumjs/common', (name) => {
    const scheduled = THEIRS[name].hardforks.filter(({ block, timestamp }) => block !== null || timestamp !== undefined)
    const theirs = Object.fromEntries(
      scheduled.map(({ name: fork, block, timestamp }) => [
        fork,
        timestamp === undefined ? { block } : { timestamp: Number(timestamp) },
      ]),
    )
    expect(CHAINS[name].forks).toEqual(theirs)
    expect(CHAINS[name].chainId).toBe(THEIRS[name].chainId)
    expect(CHAINS[name].depositContract).toBe(THEIRS[name].depositContractAddress?.toLowerCase())
  })

  test('blob parameters are those of EIP-4844, EIP-7691 and the two forks that only changed them', () => {
    const blobAt = (time: number) => resolveChain('mainnet', at(20_000_000, time)).blob
    expect(blobAt(1_710_338_134)).toBeUndefined()
    expect(blobAt(1_710_338_135)).toEqual({ target: 3, max: 6, baseFeeUpdateFraction: 3338477 })
    expect(blobAt(1_746_612_311)).toEqual({ target: 6, max: 9, baseFeeUpdateFraction: 5007716 })
    expect(blobAt(1_764_798_551)).toEqual({ target: 6, max: 9, baseFeeUpdateFraction: 5007716 })
    expect(blobAt(1_765_290_071)).toEqual({ target: 10, max: 15, baseFeeUpdateFraction: 8346193 })
    expect(blobAt(1_767_747_671)).toEqual({ target: 14, max: 21, baseFeeUpdateFraction: 11684671 })
  })

  test('time alone does not reach a fork whose predecessors have not begun', () => {
    expect(resolveChain('mainnet', at(1, 1_800_000_000)).fork).toBe('chainstart')
  })

  test('a name that is not a chain is an invalid option', () => {
    expect(errorOf('ropsten', at(1)).code).toBe('INVALID_OPTION')
    expect(errorOf('toString', at(1)).code).toBe('INVALID_OPTION')
  })
})

/** Where @ethereumjs/vm looks for deposits on a chain that names no contract for them. */
const MAINNET_DEPOSITS = resolveChain('mainnet', at(1)).depositContract

describe('resolveChain: Common objects', () => {
  test("a Common has the deposit contract that its chain names, or mainnet's", () => {
    const contractOf = (chain: typeof Mainnet) => resolveChain(new Common({ chain }), at(1)).depositContract
    const own = `0x${'42'.repeat(20)}`
    expect(contractOf({ ...Mainnet, depositContractAddress: own as never })).toEqual(new Uint8Array(20).fill(0x42))
    const { depositContractAddress: _, ...without } = Mainnet
    expect(contractOf(without as typeof Mainnet)).toEqual(MAINNET_DEPOSITS)
    expect(MAINNET_DEPOSITS).toHaveLength(20)
  })

  test.each(NAMES)('%s gives the same answer by name and as a Common, around every fork', (name) => {
    const common = new Common({ chain: THEIRS[name] })
    // A block fills a Common with all parameters; one that has seen none must answer the same.
    const filled = new Common({ chain: THEIRS[name] })
    createBlock({}, { common: filled })
    for (const point of boundaries(name)) {
      const expected = { depositContract: MAINNET_DEPOSITS, ...resolveChain(name, point) }
      expect(resolveChain(common, point)).toEqual(expected)
      expect(resolveChain(filled, point)).toEqual(expected)
    }
  })

  test('the object keeps the hardfork it is set to, which does not count', () => {
    const common = new Common({ chain: Mainnet, hardfork: 'berlin' })
    expect(resolveChain(common, at(24_476_005, 1_771_324_715)).fork).toBe('bpo2')
    expect(common.hardfork()).toBe('berlin')
  })

  test('blob parameters of a geth genesis are taken over', () => {
    const common = createCommonFromGethGenesis(
      {
        config: {
          chainId: 7,
          homesteadBlock: 0,
          eip150Block: 0,
          eip155Block: 0,
          eip158Block: 0,
          byzantiumBlock: 0,
          constantinopleBlock: 0,
          petersburgBlock: 0,
          istanbulBlock: 0,
          berlinBlock: 0,
          londonBlock: 0,
          terminalTotalDifficulty: 0,
          terminalTotalDifficultyPassed: true,
          shanghaiTime: 0,
          cancunTime: 10,
          blobSchedule: { cancun: { target: 1, max: 2, baseFeeUpdateFraction: 999 } },
        },
        alloc: {},
        difficulty: '0x0',
        gasLimit: '0x1',
        nonce: '0x0000000000000000',
        timestamp: '0x0',
        extraData: '0x',
        coinbase: '0x0000000000000000000000000000000000000000',
        mixHash: `0x${'00'.repeat(32)}`,
      } as never,
      {},
    )
    expect(resolveChain(common, at(1, 9)).fork).toBe('shanghai')
    expect(resolveChain(common, at(1, 10))).toEqual({
      chainId: 7n,
      fork: 'cancun',
      spec: 11,
      blob: { target: 1, max: 2, baseFeeUpdateFraction: 999 },
      depositContract: MAINNET_DEPOSITS,
      bombDelay: 11_400_000n,
    })
  })

  test('EIPs switched on besides the forks are refused, since no rule set has them', () => {
    const common = new Common({ chain: Mainnet, hardfork: 'osaka', eips: [7708] })
    const error = errorOf(common, at(24_476_005, 1_771_324_715))
    expect(error.code).toBe('UNSUPPORTED_FORK')
    expect(error.fields['eips']).toEqual([7708])
  })

  test('number and time that contradict each other are an unknown fork', () => {
    expect(errorOf(new Common({ chain: Mainnet }), at(1, 1_800_000_000)).code).toBe('UNKNOWN_FORK')
  })
})

describe('resolveChain: descriptions', () => {
  test('a list and a record say the same, in any order and by either name of a fork', () => {
    const record = { chainId: 5, forks: { frontier: { block: 0 }, london: { block: 5 }, merge: { block: 9 } } } as const
    const list = {
      chainId: 5n,
      forks: [
        { name: 'paris', block: 9n },
        { name: 'chainstart', block: 0 },
        { name: 'london', block: 5 },
      ],
    } as const
    const forks: ForkName[] = ['chainstart', 'london', 'london', 'paris']
    for (const [index, number] of [4, 5, 8, 9].entries()) {
      expect(resolveChain(record, at(number))).toMatchObject({ chainId: 5n, fork: forks[index] })
      expect(resolveChain(list, at(number))).toEqual(resolveChain(record, at(number)))
    }
  })

  test('a fork with block null is not scheduled', () => {
    const chain = { chainId: 1, forks: { london: { block: 0 }, amsterdam: { block: null } } }
    expect(resolveChain(chain, at(1e9, 1e12)).fork).toBe('london')
  })

  test.each(FORK_ORDER.filter((fork) => !/bpo[345]/.test(fork)))(
    'chainAtFork: %s holds for every block, with the rule set of the fork',
    (fork) => {
      const resolved = resolveChain(chainAtFork(fork, 1337), at(0))
      expect(resolved).toMatchObject({ chainId: 1337n, fork, spec: specOf(fork) })
      expect(resolved.blob !== undefined).toBe(resolved.spec >= 11)
      expect(resolveChain(chainAtFork(fork, 1337), at(1e12, 1e12))).toEqual(resolved)
    },
  )

  test('a blob schedule of the caller goes before that of mainnet, and reaches later forks', () => {
    const blob = { target: 1, max: 2, baseFeeUpdateFraction: 3 }
    expect(resolveChain({ ...chainAtFork('prague'), blobSchedule: { prague: blob } }, at(0)).blob).toEqual(blob)
    expect(resolveChain({ ...chainAtFork('osaka'), blobSchedule: { prague: blob } }, at(0)).blob).toEqual(blob)
    expect(resolveChain({ ...chainAtFork('bpo4'), blobSchedule: { bpo4: blob } }, at(0)).blob).toEqual(blob)
  })

  test.each<[string, unknown, string]>([
    ['a dialect nobody speaks', { ...chainAtFork('amsterdam'), amsterdam: 'devnet-99' }, 'INVALID_OPTION'],
    ['a fork nobody knows', { chainId: 1, forks: { atlantis: { block: 0 } } }, 'UNKNOWN_FORK'],
    ['a fork called constructor', { chainId: 1, forks: [{ name: 'constructor', block: 0 }] }, 'UNKNOWN_FORK'],
    ['a chain that begins later', { chainId: 1, forks: { london: { block: 5 } } }, 'UNKNOWN_FORK'],
    ['no forks', { chainId: 1, forks: {} }, 'UNKNOWN_FORK'],
    ['forks that are not there', { chainId: 1 }, 'INVALID_OPTION'],
    ['a fork given twice', { chainId: 1, forks: { merge: { block: 0 }, paris: { block: 0 } } }, 'INVALID_OPTION'],
    ['a fork without a beginning', { chainId: 1, forks: { london: {} } }, 'INVALID_OPTION'],
    ['a fork with two', { chainId: 1, forks: { london: { block: 0, timestamp: 0 } } }, 'INVALID_OPTION'],
    ['a block of -1', { chainId: 1, forks: { london: { block: -1 } } }, 'INVALID_OPTION'],
    [
      'a new fork before an old one',
      { chainId: 1, forks: { berlin: { block: 1 }, london: { block: 0 } } },
      'INVALID_OPTION',
    ],
    ['a chain id of text', { ...chainAtFork('london'), chainId: 'one' }, 'INVALID_OPTION'],
    ['a chain id of 2^64', { ...chainAtFork('london'), chainId: 1n << 64n }, 'INVALID_OPTION'],
    ['blobs without a schedule', chainAtFork('bpo3'), 'INVALID_OPTION'],
    [
      'a target above the maximum',
      { ...chainAtFork('cancun'), blobSchedule: { cancun: { target: 2, max: 1, baseFeeUpdateFraction: 1 } } },
      'INVALID_OPTION',
    ],
    ['a terminal total difficulty of -1', { ...chainAtFork('london'), terminalTotalDifficulty: -1 }, 'INVALID_OPTION'],
    [
      'a merge by difficulty, at a point without',
      { ...chainAtFork('london'), terminalTotalDifficulty: 1 },
      'UNKNOWN_FORK',
    ],
    [
      'a fork given twice, once as never',
      {
        chainId: 1,
        forks: [
          { name: 'paris', block: 0 },
          { name: 'merge', block: null },
        ],
      },
      'INVALID_OPTION',
    ],
    ['a deposit contract of 3 bytes', { ...chainAtFork('prague'), depositContract: '0xc0ffee' }, 'INVALID_OPTION'],
    ['null', null, 'INVALID_OPTION'],
    ['a number', 1, 'INVALID_OPTION'],
  ])('%s is refused', (_, chain, code) => {
    expect(errorOf(chain, at(0)).code).toBe(code)
  })
})

describe('resolveRules', () => {
  const byDifficulty = {
    chainId: 1,
    forks: { london: { block: 0 }, shanghai: { timestamp: 10 } },
    terminalTotalDifficulty: 100n,
  } as const

  test.each<[string, Partial<ForkPoint>, ForkName]>([
    ["the parent's total is below", { parentTotalDifficulty: 99n }, 'london'],
    ["the parent's total has reached it", { parentTotalDifficulty: 100n }, 'shanghai'],
    ["the parent's total decides before the difficulty", { parentTotalDifficulty: 99n, difficulty: 0n }, 'london'],
    ['a difficulty of 0 says merged', { difficulty: 0n }, 'shanghai'],
    ['any other says not merged', { difficulty: 131_072n }, 'london'],
  ])('merge by total difficulty: %s', (_, point, fork) => {
    expect(resolveRules(byDifficulty, { ...at(5, 10), ...point }).fork).toBe(fork)
  })

  test('a block for the merge goes before a total difficulty; one of 0 needs nothing else', () => {
    const both = { ...byDifficulty, forks: { london: { block: 0 }, paris: { block: 7 } } }
    expect(resolveRules(both, at(6, 10)).fork).toBe('london')
    expect(resolveRules(both, at(7, 10)).fork).toBe('paris')
    expect(resolveRules({ ...byDifficulty, terminalTotalDifficulty: 0 }, at(0, 9)).fork).toBe('paris')
  })

  test.each(FORK_ORDER)('%s has rules for headers, also where it has none for execution', (fork) => {
    const blob = { target: 1, max: 2, baseFeeUpdateFraction: 3 }
    const chain = { ...chainAtFork(fork), blobSchedule: fork.startsWith('bpo') ? { [fork]: blob } : {} }
    expect(resolveRules(chain, at(0))).toMatchObject({ fork, chainId: 1n })
  })

  test.each<[number, bigint]>([
    [4_369_999, 0n],
    [4_370_000, 3_000_000n],
    [7_280_000, 5_000_000n],
    [9_200_000, 9_000_000n],
    [12_965_000, 9_700_000n],
    [13_773_000, 10_700_000n],
    [15_050_000, 11_400_000n],
  ])('the bomb of mainnet at block %i is %s blocks late, by name and as a Common', (number, delay) => {
    expect(resolveRules('mainnet', at(number, 1_500_000_000)).bombDelay).toBe(delay)
    expect(resolveRules(new Common({ chain: Mainnet }), at(number)).bombDelay).toBe(delay)
  })

  test('a fork left out is in the next one that is given, a fork that is never is not', () => {
    expect(resolveRules(chainAtFork('berlin'), at(0)).bombDelay).toBe(9_000_000n)
    const never = { chainId: 1, forks: { berlin: { block: 0 }, muirGlacier: { block: null } } }
    expect(resolveRules(never, at(0)).bombDelay).toBe(5_000_000n)
  })

  test('the DAO fork: its block and whether the chain took part', () => {
    const dao = { block: 1_920_000n, support: true }
    expect(resolveRules('mainnet', at(5)).dao).toEqual(dao)
    expect(resolveRules(new Common({ chain: Mainnet }), at(5)).dao).toEqual(dao)
    expect(resolveRules('sepolia', at(5)).dao).toBeUndefined()
    const refused = { chainId: 61, forks: { homestead: { block: 0 }, dao: { block: 9 } }, daoForkSupport: false }
    expect(resolveRules(refused, at(5)).dao).toEqual({ block: 9n, support: false })
  })

  test('blob forks that are not scheduled are passed over on the way to older parameters', () => {
    const blob = { target: 1, max: 2, baseFeeUpdateFraction: 3 }
    const chain = (forks: object) => ({ chainId: 1, forks, blobSchedule: { osaka: blob } })
    const osaka = { osaka: { block: 0 } }
    expect(resolveRules(chain({ ...osaka, amsterdam: { timestamp: 5 } }), at(0, 5)).blob).toEqual(blob)
    const withBlobFork = chain({ ...osaka, bpo1: { timestamp: 3 }, amsterdam: { timestamp: 5 } })
    expect(resolveRules(withBlobFork, at(0, 5)).blob?.max).toBe(15)
  })
})
