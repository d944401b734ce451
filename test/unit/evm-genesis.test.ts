/** Genesis files. Truth: the parent hash of the first block of a chain; @ethereumjs/mpt gives the state root. */

import { createMPT } from '@ethereumjs/mpt'
import { RLP } from '@ethereumjs/rlp'
import { bytesToHex, hexToBytes, type PrefixedHexString, unpadBytes } from '@ethereumjs/util'
import { keccak_256 } from '@noble/hashes/sha3.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeBlock } from '../../src/adapters/evm/block.ts'
import { resolveChain, resolveRules } from '../../src/adapters/evm/chain.ts'
import { type Genesis, type GenesisAccount, parseGenesis } from '../../src/adapters/evm/genesis.ts'
import { EMPTY_TRIE_ROOT, hashHeader } from '../../src/adapters/evm/header.ts'
import { checkBlock } from '../../src/adapters/evm/headerRules.ts'
import { splitChain } from '../../src/adapters/evm/rlp.ts'
import { InvalidInputError } from '../../src/core/errors.ts'
import { createMemoryState } from '../../src/index.ts'
import { gethChain, gethGenesis } from './evm-data.ts'
import { orderedRoot } from './evm-roots.ts'

const chainFile = gethChain()

async function storageRoot(storage: GenesisAccount['storage'] = {}): Promise<Uint8Array> {
  const trie = await createMPT({ useKeyHashing: true })
  for (const [slot, value] of Object.entries(storage)) {
    const word = unpadBytes(hexToBytes(value as PrefixedHexString))
    if (word.length > 0) await trie.put(hexToBytes(slot as PrefixedHexString), RLP.encode(word))
  }
  return trie.root()
}

async function stateRootOf(accounts: Genesis['accounts']): Promise<Uint8Array> {
  const trie = await createMPT({ useKeyHashing: true })
  for (const [address, { nonce, balance, storage, code = new Uint8Array(0) }] of Object.entries(accounts)) {
    const account = [nonce, balance, await storageRoot(storage), keccak_256(code)]
    await trie.put(hexToBytes(address as PrefixedHexString), RLP.encode(account))
  }
  return trie.root()
}

/** The least that is a genesis. */
const SMALL = { config: { chainId: 7 }, gasLimit: '0x1000', difficulty: '0x20000', alloc: {} }

const FORKS = {
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
}

const withConfig = (config: object): object => ({ ...SMALL, config: { chainId: 7, ...config } })

function errorOf(input: unknown): InvalidInputError {
  try {
    parseGenesis(input)
  } catch (error) {
    if (error instanceof InvalidInputError) return error
    throw error
  }
  throw new Error('it parsed')
}

describe.skipIf(chainFile === undefined)('parseGenesis: the chain of 600 blocks', () => {
  const bytes = chainFile ?? new Uint8Array(0)

  test('the hash of its genesis is the parent hash of block 1, which follows from it', async () => {
    const { chain, accounts, header } = parseGenesis(gethGenesis())
    const genesis = { ...header, stateRoot: await stateRootOf(accounts) }
    const first = decodeBlock([...splitChain(bytes)][0]?.bytes)
    expect(bytesToHex(hashHeader(genesis))).toBe(bytesToHex(first.header.parentHash ?? bytes))
    expect(checkBlock(first, genesis, chain, { orderedRoot })).toEqual([])
  })

  test('the accounts fill a state', () => {
    const { accounts } = parseGenesis(JSON.parse(gethGenesis()))
    const state = createMemoryState({ accounts })
    expect(Object.keys(accounts)).toHaveLength(27)
    for (const [address, { balance, nonce }] of Object.entries(accounts)) {
      expect(state.getAccount(address)).toMatchObject({ balance, nonce })
    }
    const stored = '0x8bebc8ba651aee624937e7d897853ac30c95a067'
    expect(accounts[stored]?.storage?.[`0x${'2'.padStart(64, '0')}`]).toBe(`0x${'2'.padStart(64, '0')}`)
  })

  test('its forks: London and the merge after block 0, then by time, each with its blobs', () => {
    const { chain } = parseGenesis(gethGenesis())
    const at = (number: bigint, timestamp: bigint) =>
      resolveChain(chain, { number, timestamp, difficulty: number === 0n ? 131_072n : 0n })
    expect(at(0n, 0n).fork).toBe('grayGlacier')
    expect(at(1n, 10n).fork).toBe('shanghai')
    expect(at(5n, 59n).fork).toBe('shanghai')
    expect(at(6n, 60n)).toMatchObject({ fork: 'cancun', blob: { target: 3, max: 6 }, chainId: 3_503_995_874_084_926n })
    expect(at(12n, 120n)).toMatchObject({ fork: 'prague', blob: { max: 9 }, depositContract: new Uint8Array(20) })
  })
})

describe('parseGenesis: forks', () => {
  test('without any, the chain stays at Frontier, and no later field is in the header', () => {
    const { chain, header } = parseGenesis(SMALL)
    expect(resolveRules(chain, { number: 10n ** 9n, timestamp: 0n })).toMatchObject({
      fork: 'chainstart',
      bombDelay: 0n,
    })
    expect(Object.keys(header)).toHaveLength(14)
    expect(header).toMatchObject({ number: 0n, gasLimit: 4096n, difficulty: 131_072n, nonce: new Uint8Array(8) })
  })

  test('the header has the fields of the forks that have begun, by time alone where the merge comes later', () => {
    const times = { shanghaiTime: 5, cancunTime: 6, pragueTime: 7, osakaTime: 7, amsterdamTime: 9 }
    const later = (timestamp: string, nonce = '0x0'): string[] => {
      const config = { chainId: 7, ...FORKS, terminalTotalDifficulty: 1_000_000, ...times }
      return Object.keys(parseGenesis({ ...SMALL, timestamp, nonce, config }).header).slice(14)
    }
    const cancun = ['baseFeePerGas', 'withdrawalsRoot', 'blobGasUsed', 'excessBlobGas', 'parentBeaconBlockRoot']
    expect(later('0x4')).toEqual(['baseFeePerGas'])
    expect(later('0x5')).toEqual(['baseFeePerGas', 'withdrawalsRoot'])
    expect(later('0x6')).toEqual(cancun)
    expect(later('7')).toEqual([...cancun, 'requestsHash'])
    expect(later('9')).toEqual([...cancun, 'requestsHash', 'blockAccessListHash', 'slotNumber'])
  })

  test('values of the header are taken over', () => {
    const { header } = parseGenesis({
      ...SMALL,
      config: { chainId: 1, ...FORKS, shanghaiTime: 0, cancunTime: 0, terminalTotalDifficulty: 0 },
      ...{ nonce: '0x42', timestamp: 5, extraData: '0xabcd', mixHash: `0x${'11'.repeat(32)}`, gasLimit: 0 },
      ...{ coinbase: `0x${'22'.repeat(20)}`, baseFeePerGas: '7', blobGasUsed: '0x20000', excessBlobGas: 3n },
    })
    expect(header).toMatchObject({
      nonce: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0x42),
      timestamp: 5n,
      extraData: Uint8Array.of(0xab, 0xcd),
      prevRandao: new Uint8Array(32).fill(0x11),
      coinbase: new Uint8Array(20).fill(0x22),
      // What go-ethereum takes for 0.
      gasLimit: 4_712_388n,
      baseFeePerGas: 7n,
      blobGasUsed: 131_072n,
      excessBlobGas: 3n,
      withdrawalsRoot: EMPTY_TRIE_ROOT,
    })
  })

  test('a glacier that is left out never comes, also where a later fork has begun', () => {
    const rulesOf = (config: object) =>
      resolveRules(parseGenesis(withConfig(config)).chain, { number: 1n, timestamp: 0n })
    const { londonBlock: _, ...berlin } = FORKS
    expect(rulesOf(berlin)).toMatchObject({ fork: 'berlin', bombDelay: 5_000_000n })
    expect(rulesOf({ ...berlin, muirGlacierBlock: 0 }).bombDelay).toBe(9_000_000n)
    expect(rulesOf({ ...berlin, muirGlacierBlock: 2, berlinBlock: 2 }).fork).toBe('istanbul')
    expect(rulesOf(FORKS).bombDelay).toBe(9_700_000n)
    expect(rulesOf({ ...FORKS, grayGlacierBlock: 1 })).toMatchObject({ fork: 'grayGlacier', bombDelay: 11_400_000n })
  })

  test('Petersburg comes with Constantinople, unless it says otherwise', () => {
    const { petersburgBlock: _, istanbulBlock: __, berlinBlock: ___, londonBlock: ____, ...rest } = FORKS
    const forkOf = (config: object) =>
      resolveRules(parseGenesis(withConfig(config)).chain, { number: 1n, timestamp: 0n }).fork
    expect(forkOf(rest)).toBe('petersburg')
    expect(forkOf({ ...rest, petersburgBlock: 2 })).toBe('constantinople')
  })

  test('the DAO fork is refused unless supported, as go-ethereum reads it', () => {
    const daoOf = (config: object) =>
      resolveRules(parseGenesis(withConfig(config)).chain, { number: 5n, timestamp: 0n }).dao
    expect(daoOf({ homesteadBlock: 0, daoForkBlock: 5, daoForkSupport: true })).toEqual({ block: 5n, support: true })
    expect(daoOf({ homesteadBlock: 0, daoForkBlock: 5 })).toEqual({ block: 5n, support: false })
    expect(daoOf({ homesteadBlock: 0 })).toBeUndefined()
  })

  test('a total difficulty of 23 digits is exact where the text is given, or digits in a string', () => {
    const text = JSON.stringify(withConfig(FORKS)).replace(
      '"chainId":7',
      '"chainId":7,"terminalTotalDifficulty":58750000000000000000001',
    )
    expect(parseGenesis(text).chain.terminalTotalDifficulty).toBe(58_750_000_000_000_000_000_001n)
    const digits = withConfig({ ...FORKS, terminalTotalDifficulty: '58750000000000000000001' })
    expect(parseGenesis(digits).chain.terminalTotalDifficulty).toBe(58_750_000_000_000_000_000_001n)
    expect(errorOf(JSON.parse(text)).message).toMatch(/terminalTotalDifficulty is a number that JavaScript has rounded/)
  })

  test('a merge that has passed, and says no difficulty, was at genesis', () => {
    const { chain } = parseGenesis(withConfig({ ...FORKS, shanghaiTime: 0, terminalTotalDifficultyPassed: true }))
    expect(resolveRules(chain, { number: 0n, timestamp: 0n }).fork).toBe('shanghai')
  })

  test('blob forks bring their parameters at their times', () => {
    const blob = (max: number) => ({ target: 1, max, baseFeeUpdateFraction: 5 })
    const config = {
      ...{ ...FORKS, terminalTotalDifficulty: 0, shanghaiTime: 0, cancunTime: 0, pragueTime: 0, osakaTime: 0 },
      ...{ bpo1Time: 10, bpo2Time: 20, bpo4Time: 30 },
      blobSchedule: { cancun: blob(2), prague: blob(3), osaka: blob(4), bpo1: blob(5), bpo2: blob(6), bpo4: blob(8) },
    }
    const { chain } = parseGenesis(withConfig(config))
    const at = (timestamp: bigint) => resolveRules(chain, { number: 1n, timestamp })
    expect([0n, 9n, 10n, 20n, 29n, 30n].map((time) => at(time).blob?.max)).toEqual([4, 4, 5, 6, 6, 8])
    expect(at(30n).fork).toBe('bpo4')
  })
})

describe('parseGenesis: bad input', () => {
  const account = `0x${'ab'.repeat(20)}`

  test.each<[string, unknown, string]>([
    ['nothing', undefined, ''],
    ['a list', [], ''],
    ['text that is no JSON', '{"config": {"chainId": 7,}}', 'config'],
    ['a key given twice', '{"config": {"chainId": 7, "chainId": 8}}', 'config.chainId'],
    ['text after the end', `${JSON.stringify(SMALL)} {}`, ''],
    ['a string without end', '{"config', ''],
    ['a hundred thousand lists', '['.repeat(100_000), '[0]'.repeat(65)],
    ['no config', { ...SMALL, config: undefined }, 'config'],
    ['no chain id', { ...SMALL, config: {} }, 'config.chainId'],
    ['a negative chain id', withConfig({ chainId: -1 }), 'config.chainId'],
    ['a chain id of 2^64', withConfig({ chainId: 1n << 64n }), 'config.chainId'],
    ['a fork at half a block', withConfig({ homesteadBlock: 0.5 }), 'config.homesteadBlock'],
    ['a fork of true', withConfig({ homesteadBlock: true }), 'config.homesteadBlock'],
    ['a fork that nobody knows', withConfig({ verkleTime: 5 }), 'config.verkleTime'],
    ['forks out of order', withConfig({ ...FORKS, berlinBlock: 5, londonBlock: 4 }), 'config.londonBlock'],
    ['a fork without the one before', withConfig({ eip150Block: 0 }), 'config.homesteadBlock'],
    ['EIP-155 apart from EIP-158', withConfig({ ...FORKS, eip155Block: 1 }), 'config.eip155Block'],
    ['Shanghai without a merge', withConfig({ ...FORKS, shanghaiTime: 0 }), 'config.terminalTotalDifficulty'],
    [
      'a total difficulty of 2^256',
      withConfig({ terminalTotalDifficulty: 1n << 256n }),
      'config.terminalTotalDifficulty',
    ],
    ['DAO support of 1', withConfig({ daoForkSupport: 1 }), 'config.daoForkSupport'],
    [
      'a deposit contract of 3 bytes',
      withConfig({ depositContractAddress: '0xc0ffee' }),
      'config.depositContractAddress',
    ],
    ['blobs of London', withConfig({ blobSchedule: { london: {} } }), 'config.blobSchedule.london'],
    [
      'blobs of a fork called constructor',
      withConfig({ blobSchedule: { constructor: {} } }),
      'config.blobSchedule.constructor',
    ],
    [
      'blobs without a maximum',
      withConfig({ blobSchedule: { cancun: { target: 1 } } }),
      'config.blobSchedule.cancun.max',
    ],
    [
      'a target above the maximum',
      withConfig({ blobSchedule: { cancun: { target: 2, max: 1, baseFeeUpdateFraction: 1 } } }),
      'config.blobSchedule.cancun',
    ],
    [
      'a blob fork without blobs',
      withConfig({
        ...FORKS,
        ...{ terminalTotalDifficulty: 0, shanghaiTime: 0, cancunTime: 0, pragueTime: 0, osakaTime: 0, bpo1Time: 1 },
      }),
      'config.blobSchedule.bpo1',
    ],
    ['no gas limit', { ...SMALL, gasLimit: null }, 'gasLimit'],
    ['no difficulty', { ...SMALL, difficulty: undefined }, 'difficulty'],
    ['a number of 1', { ...SMALL, number: '0x1' }, 'number'],
    ['a nonce of 9 bytes', { ...SMALL, nonce: '0x10000000000000000' }, 'nonce'],
    ['a mix hash of 31 bytes', { ...SMALL, mixHash: `0x${'00'.repeat(31)}` }, 'mixHash'],
    ['extra data that is not hex', { ...SMALL, extraData: 'hello' }, 'extraData'],
    ['no accounts', { ...SMALL, alloc: undefined }, 'alloc'],
    ['an address of 19 bytes', { ...SMALL, alloc: { ['ab'.repeat(19)]: {} } }, `alloc.${'ab'.repeat(19)}`],
    ['an account that is a number', { ...SMALL, alloc: { [account]: 5 } }, `alloc.${account}`],
    ['an account without balance', { ...SMALL, alloc: { [account]: {} } }, `alloc.${account}.balance`],
    ['a balance of 2^256', { ...SMALL, alloc: { [account]: { balance: 1n << 256n } } }, `alloc.${account}.balance`],
    ['a nonce of 2^64', { ...SMALL, alloc: { [account]: { balance: 0, nonce: 1n << 64n } } }, `alloc.${account}.nonce`],
    ['code that is not hex', { ...SMALL, alloc: { [account]: { balance: 0, code: '0x1' } } }, `alloc.${account}.code`],
    [
      'a slot of 33 bytes',
      { ...SMALL, alloc: { [account]: { balance: 0, storage: { [`0x${'00'.repeat(33)}`]: '0x1' } } } },
      `alloc.${account}.storage.0x${'00'.repeat(33)}`,
    ],
    [
      'a slot given twice, with and without zeros',
      { ...SMALL, alloc: { [account]: { balance: 0, storage: { '0x1': '0x1', '0x01': '0x1' } } } },
      `alloc.${account}.storage.0x01`,
    ],
    [
      'an account given twice, in capitals',
      { ...SMALL, alloc: { [account]: { balance: 0 }, ['AB'.repeat(20)]: { balance: 1 } } },
      `alloc.${'AB'.repeat(20)}`,
    ],
  ])('%s is refused at its place', (_, input, where) => {
    const error = errorOf(input)
    expect(error.code).toBe('INVALID_GENESIS')
    expect(error.fields['where']).toBe(where)
  })

  test('any value parses or is an InvalidInputError', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withNullPrototype: true }), (input) => {
        expect(errorOf(input).code).toBe('INVALID_GENESIS')
      }),
    )
  })

  test.skipIf(chainFile === undefined)(
    'a real genesis, mangled in its text or in a value, parses or says where',
    () => {
      const text = gethGenesis()
      const attempt = (input: unknown): void => {
        try {
          parseGenesis(input)
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidInputError)
          expect((error as InvalidInputError).code).toBe('INVALID_GENESIS')
        }
      }
      fc.assert(
        fc.property(fc.nat(text.length - 1), fc.nat(text.length - 1), fc.string(), (from, length, put) => {
          attempt(text.slice(0, from) + put + text.slice(from + (length % 40)))
        }),
        { numRuns: 300 },
      )
      const keys = Object.keys(JSON.parse(text).config as object)
      fc.assert(
        fc.property(fc.constantFrom(...keys), fc.anything(), (key, value) => {
          const json = JSON.parse(text)
          json.config[key] = value
          attempt(json)
        }),
      )
    },
  )
})
