/**
 * Rules of headers and bodies. Truth: chains of the consensus tests with every fork and transition, a chain of 600
 * blocks that crosses the merge and two forks, neighbours among the real blocks. Mutations: the field that was changed
 * is the field that is named, and no other.
 */

import { bytesToHex, hexToBytes, type PrefixedHexString } from '@ethereumjs/util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BlockHeader, type DecodedBlock, decodeBlock } from '../../src/adapters/evm/block.ts'
import { type ChainInput, chainAtFork } from '../../src/adapters/evm/chain.ts'
import { parseGenesis } from '../../src/adapters/evm/genesis.ts'
import { hashHeader } from '../../src/adapters/evm/header.ts'
import { checkBlock, checkBody, checkHeader, MOST_OSAKA_BLOCK_BYTES } from '../../src/adapters/evm/headerRules.ts'
import { splitChain } from '../../src/adapters/evm/rlp.ts'
import type { BlockMismatch } from '../../src/core/errors.ts'
import { consensusTests, gethChain, gethGenesis, hasConsensusTests, realBlocks } from './evm-data.ts'
import { chainOfTest } from './evm-networks.ts'
import { keccak256, orderedRoot } from './evm-roots.ts'

const files = realBlocks()
const chainFile = gethChain()

const fieldsOf = (mismatches: readonly BlockMismatch[]): string[] => mismatches.map(({ field }) => field)

/** What is wrong with the blocks that the consensus tests call invalid, by the suite's reason, where this is all. */
const REASONS: Readonly<Record<string, string>> = {
  'BlockException.INCORRECT_EXCESS_BLOB_GAS': 'excessBlobGas',
  'BlockException.INVALID_GASLIMIT': 'gasLimit',
  'BlockException.INVALID_BASEFEE_PER_GAS': 'baseFeePerGas',
  'BlockException.INVALID_BLOCK_TIMESTAMP_OLDER_THAN_PARENT': 'timestamp',
  'BlockException.EXTRA_DATA_TOO_BIG': 'extraData',
  'BlockException.EXTRA_DATA_INVALID_DAO': 'extraData',
  'BlockException.INVALID_BLOCK_NUMBER': 'number',
  'BlockException.INVALID_DIFFICULTY': 'difficulty',
  'BlockException.IMPORT_IMPOSSIBLE_PARIS_WRONG_POS': 'difficulty',
  'BlockException.IMPORT_IMPOSSIBLE_PARIS_WRONG_POW': 'difficulty',
  'BlockException.IMPORT_IMPOSSIBLE_UNCLES_OVER_PARIS': 'ommersHash',
  'BlockException.INVALID_TRANSACTIONS_ROOT': 'transactionsRoot',
  'BlockException.INVALID_WITHDRAWALS_ROOT|BlockException.INVALID_BLOCK_HASH': 'withdrawalsRoot',
  'BlockException.RLP_STRUCTURES_ENCODING|BlockException.RLP_WITHDRAWALS_NOT_READ': 'withdrawals',
  'TransactionException.TYPE_3_TX_MAX_BLOB_GAS_ALLOWANCE_EXCEEDED': 'blobGasUsed',
  RLP_ExpectedAsList: 'withdrawals',
  PostParisUncleHashIsNotEmpty: 'ommersHash',
  '3675PreParis1559BlockRejected': 'ommersHash',
  '3675PoSBlockRejected': 'difficulty',
  ExtraDataTooBig: 'extraData',
  InvalidUnclesHash: 'ommersHash',
  InvalidTransactionsRoot: 'transactionsRoot',
  // Below here some cases are about an uncle's header, which is not looked at.
  InvalidTimestampOlderParent: 'timestamp',
  InvalidNumber: 'number',
  InvalidDifficulty: 'difficulty',
  InvalidGasLimit2: 'gasLimit',
  TooMuchGasUsed: 'gasUsed',
  '1559BlockImportImpossible_BaseFeeWrong': 'baseFeePerGas',
}

describe('checkBlock: consensus tests', () => {
  test.skipIf(!hasConsensusTests).each([
    ['ethereum-tests', 4397, 137],
    ['ethereum-legacytests', 5165, 243],
    ['eest', 6154, 117],
    ['eest-bal-v5.1.0', 307, 0],
  ])(
    '%s: nothing is wrong with %i valid blocks, and %i others have the field that their reason says',
    async (file, valid, wrong) => {
      const found = { valid: 0, wrong: 0 }
      for await (const { name, test: testCase } of consensusTests(file)) {
        const chain = chainOfTest(testCase)
        const genesis = decodeBlock(hexToBytes(testCase.genesisRLP as PrefixedHexString)).header
        const known = new Map([
          [bytesToHex(hashHeader(genesis, keccak256)), { header: genesis, total: genesis.difficulty }],
        ])
        for (const { rlp, expectException } of testCase.blocks) {
          const bytes = hexToBytes(rlp as PrefixedHexString)
          let block: DecodedBlock
          try {
            block = decodeBlock(bytes)
          } catch {
            expect(expectException, name).toBeDefined()
            continue
          }
          const { header } = block
          const parent = known.get(bytesToHex(header.parentHash ?? new Uint8Array(0)))
          if (parent === undefined) continue
          const options = { orderedRoot, keccak256, parentTotalDifficulty: parent.total, size: bytes.length }
          const mismatches = checkBlock(block, parent.header, chain, options)
          if (expectException === undefined) {
            expect(mismatches, name).toEqual([])
            known.set(bytesToHex(hashHeader(header, keccak256)), { header, total: parent.total + header.difficulty })
            found.valid++
            continue
          }
          const field = REASONS[expectException]
          if (field === undefined) continue
          const aboutUncle = mismatches.length === 0 && (block.uncles ?? []).length > 0
          if (aboutUncle) continue
          expect(fieldsOf(mismatches), `${name}: ${expectException}`).toContain(field)
          found.wrong++
        }
      }
      expect(found).toEqual({ valid, wrong })
    },
    180_000,
  )
})

/** The chain of 600 blocks, its genesis first. */
function gethBlocks(): { chain: ChainInput; blocks: DecodedBlock[] } {
  const { chain, header } = parseGenesis(gethGenesis())
  const blocks = [...splitChain(chainFile ?? new Uint8Array(0))].map(({ bytes }) => decodeBlock(bytes))
  const genesis = { ...header, stateRoot: new Uint8Array(32) }
  return { chain, blocks: [{ header: genesis, transactions: [], uncles: [] }, ...blocks] }
}

describe.skipIf(chainFile === undefined)('checkBlock: a chain of 600 blocks', () => {
  const { chain, blocks } = chainFile === undefined ? { chain: chainAtFork('london'), blocks: [] } : gethBlocks()
  const parentOf = (index: number): BlockHeader => (blocks[index - 1] as DecodedBlock).header
  const check = (index: number, change: Partial<DecodedBlock['header']> = {}): BlockMismatch[] => {
    const block = blocks[index] as DecodedBlock
    return checkBlock({ ...block, header: { ...block.header, ...change } }, parentOf(index), chain, { orderedRoot })
  }

  test('every block follows from its parent', () => {
    // The state root of genesis is another test's; without it the first block's parent has another hash.
    for (let index = 2; index < blocks.length; index++) expect(check(index), `block ${index}`).toEqual([])
    expect(fieldsOf(check(1))).toEqual(['parentHash'])
    expect(blocks.length).toBe(601)
  })

  const flipped = (bytes: Uint8Array | undefined, at: number): Uint8Array => {
    const copy = Uint8Array.from(bytes ?? [])
    copy[at % copy.length] ^= 1 << (at % 8)
    return copy
  }

  /** Changes of one field that leave the fork as it is; each gives the new value for some number. */
  const CHANGES: { readonly [field: string]: (header: BlockHeader, parent: BlockHeader, n: number) => unknown } = {
    parentHash: ({ parentHash }, _, n) => flipped(parentHash, n),
    ommersHash: (header, _, n) => flipped(header.ommersHash, n),
    transactionsRoot: (header, _, n) => flipped(header.transactionsRoot, n),
    withdrawalsRoot: (header, _, n) => flipped(header.withdrawalsRoot, n),
    number: ({ number }, _, n) => number + BigInt(n + 1),
    timestamp: ({ timestamp }, parent, n) => {
      // Not so far back that it would be before the block's fork; nothing is left where the block is the fork's first.
      const begin = [120n, 60n, 0n].find((fork) => timestamp >= fork) ?? 0n
      return parent.timestamp < begin ? undefined : parent.timestamp - (BigInt(n) % (parent.timestamp - begin + 1n))
    },
    gasLimit: (_, { gasLimit }, n) => gasLimit + gasLimit / 1024n + BigInt(n),
    gasUsed: ({ gasLimit }, _, n) => gasLimit + 1n + BigInt(n),
    extraData: (_, __, n) => new Uint8Array(33 + n),
    difficulty: ({ difficulty }, _, n) => difficulty + 1n + BigInt(n),
    nonce: (header, _, n) => flipped(header.nonce, n),
    baseFeePerGas: ({ baseFeePerGas = 0n }, _, n) => baseFeePerGas + 1n + BigInt(n),
    excessBlobGas: ({ excessBlobGas }, _, n) =>
      excessBlobGas === undefined ? undefined : excessBlobGas + 1n + BigInt(n),
    blobGasUsed: ({ blobGasUsed }, _, n) => (blobGasUsed === undefined ? undefined : blobGasUsed + 1n + BigInt(n)),
  }

  test('a change of one field is reported with that field alone', () => {
    const change = fc.tuple(fc.constantFrom(...Object.keys(CHANGES)), fc.integer({ min: 2, max: 600 }), fc.nat(1000))
    fc.assert(
      fc.property(change, ([field, index, n]) => {
        const { header } = blocks[index] as DecodedBlock
        const value = CHANGES[field]?.(header, parentOf(index), n)
        if (value === undefined) return
        // On a chain that merges by total difficulty, a difficulty says which side of it a block is on.
        const options = { orderedRoot, parentTotalDifficulty: 131_072n }
        const block = { ...(blocks[index] as DecodedBlock), header: { ...header, [field]: value } }
        const mismatches = checkBlock(block, parentOf(index), chain, options)
        expect(fieldsOf(mismatches), `block ${index}`).toEqual([field])
        expect(mismatches[0]?.actual).toEqual(value)
        if (typeof mismatches[0]?.expected !== 'string') {
          expect(mismatches[0]?.expected).toEqual(header[field as keyof BlockHeader])
        }
      }),
      { numRuns: 500 },
    )
  })

  test('a change of several fields is reported with all of them, in the order of RLP', () => {
    const change = { baseFeePerGas: 0n, number: 9n, parentHash: new Uint8Array(32), extraData: new Uint8Array(33) }
    expect(fieldsOf(check(300, change))).toEqual(['parentHash', 'number', 'extraData', 'baseFeePerGas'])
  })

  test('a field that comes from outside or from execution can be anything', () => {
    const anything = { coinbase: new Uint8Array(20), prevRandao: new Uint8Array(32), stateRoot: new Uint8Array(32) }
    const later = { receiptsRoot: new Uint8Array(32), logsBloom: new Uint8Array(256).fill(1) }
    expect(check(500, { ...anything, ...later, parentBeaconBlockRoot: new Uint8Array(32).fill(3) })).toEqual([])
  })

  const LATER = [
    'baseFeePerGas',
    'withdrawalsRoot',
    'blobGasUsed',
    'excessBlobGas',
    'parentBeaconBlockRoot',
    'requestsHash',
  ] as const

  test.each(LATER)('%s must be there from its fork on', (field) => {
    const { [field]: _, ...rest } = (blocks[500] as DecodedBlock).header
    const mismatches = checkBlock({ ...(blocks[500] as DecodedBlock), header: rest }, parentOf(500), chain, {
      orderedRoot,
    })
    expect(mismatches).toMatchObject([{ field, actual: undefined }])
  })

  test.each<[number, (typeof LATER)[number] | 'blockAccessListHash' | 'slotNumber']>([
    [3, 'blobGasUsed'],
    [3, 'excessBlobGas'],
    [3, 'parentBeaconBlockRoot'],
    [3, 'requestsHash'],
    [10, 'requestsHash'],
    [500, 'blockAccessListHash'],
    [500, 'slotNumber'],
  ])('block %i must not have %s', (index, field) => {
    const value = field.endsWith('Used') || field.endsWith('Gas') || field === 'slotNumber' ? 0n : new Uint8Array(32)
    expect(check(index, { [field]: value })).toMatchObject([{ field, expected: undefined, actual: value }])
  })

  test('an empty header is told everything that it lacks', () => {
    const { number, timestamp, gasLimit, coinbase, difficulty, prevRandao } = (blocks[500] as DecodedBlock).header
    const bare = { number, timestamp, gasLimit, coinbase, difficulty, prevRandao }
    const missing = [
      'parentHash',
      'ommersHash',
      'stateRoot',
      'transactionsRoot',
      'receiptsRoot',
      'logsBloom',
      'gasUsed',
    ]
    expect(fieldsOf(checkHeader(bare, parentOf(500), chain))).toEqual([...missing, 'extraData', 'nonce', ...LATER])
  })
})

describe('checkHeader: bounds', () => {
  const parent: BlockHeader = {
    number: 9n,
    timestamp: 100n,
    gasLimit: 5_120_000n,
    gasUsed: 0n,
    coinbase: new Uint8Array(20),
    difficulty: 0n,
    prevRandao: new Uint8Array(32),
    parentHash: new Uint8Array(32),
    ommersHash: new Uint8Array(32),
    stateRoot: new Uint8Array(32),
    transactionsRoot: new Uint8Array(32),
    receiptsRoot: new Uint8Array(32),
    logsBloom: new Uint8Array(256),
    extraData: new Uint8Array(0),
    nonce: new Uint8Array(8),
  }
  const child = (change: Partial<BlockHeader>): BlockHeader => ({ ...parent, number: 10n, timestamp: 101n, ...change })
  const says = (field: string, header: BlockHeader, before: BlockHeader, chain: ChainInput): boolean =>
    fieldsOf(checkHeader(header, before, chain)).includes(field)

  test.each<[bigint, bigint, boolean]>([
    [5_120_000n, 5_124_999n, true],
    [5_120_000n, 5_125_000n, false],
    [5_120_000n, 5_115_001n, true],
    [5_120_000n, 5_115_000n, false],
    [5000n, 5000n, true],
    [5000n, 4999n, false],
    [(1n << 63n) - 1n, (1n << 63n) - 1n, true],
    [(1n << 63n) - 1n, 1n << 63n, false],
  ])('after a gas limit of %s, %s is right: %s', (before, after, right) => {
    expect(says('gasLimit', child({ gasLimit: after }), { ...parent, gasLimit: before }, chainAtFork('berlin'))).toBe(
      !right,
    )
  })

  test('the first London block has twice the gas limit, and the initial base fee', () => {
    const chain = { chainId: 1, forks: { berlin: { block: 0 }, london: { block: 10 } } }
    const right = child({ gasLimit: 10_240_000n, baseFeePerGas: 1_000_000_000n })
    expect(says('gasLimit', right, parent, chain)).toBe(false)
    expect(says('baseFeePerGas', right, parent, chain)).toBe(false)
    expect(says('gasLimit', child({}), parent, chain)).toBe(true)
  })

  test.each<[bigint, boolean, string, boolean]>([
    [10n, true, 'dao-hard-fork', true],
    [10n, true, '', false],
    [19n, true, '', false],
    [20n, true, '', true],
    [9n, true, '', true],
    [10n, false, 'dao-hard-fork', false],
    [10n, false, '', true],
    [20n, false, 'dao-hard-fork', true],
  ])('block %s of a chain with a DAO fork at 10, support %s, may say %j: %s', (number, support, text, right) => {
    const chain = { chainId: 1, forks: { homestead: { block: 0 }, dao: { block: 10 } }, daoForkSupport: support }
    const header = child({ number, extraData: new TextEncoder().encode(text) })
    expect(says('extraData', header, { ...parent, number: number - 1n }, chain)).toBe(!right)
  })

  test('blob gas is whole blobs, at most as many as the fork allows', () => {
    const checked = (blobGasUsed: bigint) =>
      checkHeader(child({ blobGasUsed, excessBlobGas: 0n }), parent, chainAtFork('prague'))
    const reasonsOf = (blobGasUsed: bigint) => checked(blobGasUsed).filter(({ field }) => field === 'blobGasUsed')
    expect(reasonsOf(9n << 17n)).toEqual([])
    expect(reasonsOf(10n << 17n)).toMatchObject([{ expected: `at most ${9 << 17}`, reason: '9 blobs' }])
    expect(reasonsOf(1n)).toMatchObject([{ expected: `a multiple of ${1 << 17}` }])
  })

  test('the merge by total difficulty: what the parent has reached decides, not what the block says', () => {
    const chain = { chainId: 1, forks: { london: { block: 0 } }, terminalTotalDifficulty: 1_000_000n }
    const before = { ...parent, difficulty: 131_072n, baseFeePerGas: 7n }
    const work = child({ difficulty: 131_072n, baseFeePerGas: 7n })
    const stake = child({ difficulty: 0n, baseFeePerGas: 7n })
    const wrong = (header: BlockHeader, parentTotalDifficulty: bigint) =>
      fieldsOf(checkHeader(header, before, chain, { parentTotalDifficulty })).includes('difficulty')
    expect(wrong(stake, 999_999n)).toBe(true)
    expect(wrong(stake, 1_000_000n)).toBe(false)
    expect(wrong(work, 1_000_000n)).toBe(true)
  })
})

describe.skipIf(files.length === 0)('checkHeader: real blocks', () => {
  const headerOf = (number: string): BlockHeader => {
    const file = files.find(({ name }) => name.startsWith(`${number}.`))
    return decodeBlock(file?.block).header
  }

  test('the first block after Spurious Dragon follows from its parent, at the difficulty of its time', () => {
    const [parent, header] = [headerOf('2675000'), headerOf('2675001')]
    expect(checkHeader(header, parent, 'mainnet')).toEqual([])
    expect(fieldsOf(checkHeader({ ...header, timestamp: header.timestamp + 30n }, parent, 'mainnet'))).toEqual([
      'difficulty',
    ])
  })

  test('no field is missing or too many in any of the 45, whatever their parents are', () => {
    for (const { name, block } of files) {
      const { header } = decodeBlock(block)
      // A parent as good as can be made of the block itself: then only what depends on it can differ.
      const mismatches = checkHeader(header, { ...header, number: header.number - 1n, timestamp: 0n }, 'mainnet')
      const dependent = ['parentHash', 'difficulty', 'baseFeePerGas', 'excessBlobGas']
      expect(
        fieldsOf(mismatches).filter((field) => !dependent.includes(field)),
        name,
      ).toEqual([])
    }
  })
})

describe('checkBody', () => {
  test.skipIf(files.length === 0)('finds nothing wrong with the 45 real blocks', () => {
    for (const { name, block } of files) {
      expect(checkBody(decodeBlock(block), 'mainnet', { orderedRoot }), name).toEqual([])
    }
  })

  test.skipIf(files.length === 0)('finds a transaction that was taken out, and withdrawals in another order', () => {
    const block = decodeBlock(files.at(-1)?.block)
    const withdrawals = [...(block.withdrawals ?? [])].reverse()
    const changed = { ...block, transactions: block.transactions.slice(1), withdrawals }
    expect(fieldsOf(checkBody(changed, 'mainnet', { orderedRoot }))).toEqual(['transactionsRoot', 'withdrawalsRoot'])
  })

  test.skipIf(files.length === 0)('a list of withdrawals is there from Shanghai on, and not before', () => {
    const { withdrawals: _, ...late } = decodeBlock(files.at(-1)?.block)
    expect(checkBody(late, 'mainnet', { orderedRoot })).toMatchObject([{ field: 'withdrawals', expected: 'a list' }])
    const early = { ...decodeBlock(files[0]?.block), withdrawals: [] }
    expect(checkBody(early, 'mainnet', { orderedRoot })).toMatchObject([{ field: 'withdrawals', expected: undefined }])
  })

  test.skipIf(files.length === 0)('EIP-7934: a block of more than 8 MiB is wrong from Osaka on', () => {
    const block = decodeBlock(files.at(-1)?.block)
    const sizeOf = (size: number, chain: ChainInput) =>
      fieldsOf(checkBody(block, chain, { orderedRoot, size })).includes('size')
    expect(sizeOf(MOST_OSAKA_BLOCK_BYTES, 'mainnet')).toBe(false)
    expect(sizeOf(MOST_OSAKA_BLOCK_BYTES + 1, 'mainnet')).toBe(true)
    expect(sizeOf(MOST_OSAKA_BLOCK_BYTES + 1, chainAtFork('prague'))).toBe(false)
    const data = new Uint8Array(MOST_OSAKA_BLOCK_BYTES)
    const large = { ...block, transactions: [{ ...block.transactions[0], data }] } as DecodedBlock
    expect(fieldsOf(checkBody(large, 'mainnet', { orderedRoot }))).toContain('size')
  })

  test('EIP-7934: a block whose header is not complete has no size of its own to check', () => {
    const header = { number: '0x5', timestamp: '0x3c', gasLimit: '0x1c9c380', miner: `0x${'a1'.repeat(20)}` }
    const block = decodeBlock({
      ...header,
      difficulty: '0x0',
      mixHash: `0x${'11'.repeat(32)}`,
      transactions: [],
      withdrawals: [],
    })
    expect(fieldsOf(checkBody(block, chainAtFork('osaka'), { orderedRoot }))).not.toContain('size')
    const size = MOST_OSAKA_BLOCK_BYTES + 1
    expect(fieldsOf(checkBody(block, chainAtFork('osaka'), { orderedRoot, size }))).toContain('size')
  })
})
