/**
 * Rewards, requests, the DAO fork, prices and difficulty. Truth: what mainnet paid and what archive nodes say of the
 * state after a block; figures of the EIPs, worked out by hand; @ethereumjs/vm's table of the DAO's accounts.
 */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { bytesToHex } from '@ethereumjs/util'
import { keccak_256 } from '@noble/hashes/sha3.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeBlock } from '../../src/adapters/evm/block.ts'
import { resolveRules } from '../../src/adapters/evm/chain.ts'
import { DAO_REFUND_CONTRACT, daoTransfers } from '../../src/adapters/evm/dao.ts'
import { nextDifficulty } from '../../src/adapters/evm/difficulty.ts'
import { blobBaseFee, nextBaseFee, nextExcessBlobGas } from '../../src/adapters/evm/fees.ts'
import { FORK_ORDER, isSince } from '../../src/adapters/evm/forks.ts'
import { EMPTY_OMMERS_HASH } from '../../src/adapters/evm/header.ts'
import type { Log } from '../../src/adapters/evm/receipt.ts'
import { DEPOSIT_BYTES, depositRequests, requestsHash, requestsOf } from '../../src/adapters/evm/requests.ts'
import { blockReward, blockRewards } from '../../src/adapters/evm/rewards.ts'
import type { BlockTransaction } from '../../src/adapters/evm/transaction.ts'
import { checkGasLeft, checkTransactions } from '../../src/adapters/evm/transactionRules.ts'
import { BlockMismatchError } from '../../src/core/errors.ts'
import { realBlocks } from './evm-data.ts'

const files = realBlocks()
const ETHER = 10n ** 18n

/** A balance before or after a real block; 0 where the account is not there. */
function balanceOf(number: string, when: 'pre' | 'post', address: Uint8Array): bigint {
  const state = files.find(({ name }) => name.startsWith(`${number}.`))?.[when] ?? {}
  return BigInt(state[bytesToHex(address)]?.balance ?? 0)
}
const miner = new Uint8Array(20).fill(1)
const other = new Uint8Array(20).fill(2)

function mismatchOf(run: () => unknown): BlockMismatchError {
  try {
    run()
  } catch (error) {
    if (error instanceof BlockMismatchError) return error
    throw error
  }
  throw new Error('it did not throw')
}

describe('blockRewards', () => {
  test('five, three and two ether by fork, nothing from the merge on', () => {
    const byFork = Object.fromEntries(FORK_ORDER.map((fork) => [fork, Number(blockReward(fork) / ETHER)]))
    expect(byFork).toMatchObject({ chainstart: 5, dao: 5, spuriousDragon: 5, byzantium: 3, constantinople: 2 })
    expect(byFork).toMatchObject({ petersburg: 2, london: 2, grayGlacier: 2, paris: 0, shanghai: 0, amsterdam: 0 })
    expect(blockRewards({ number: 5n, coinbase: miner }, [], 'paris')).toEqual([])
  })

  test('an uncle gets eighths by its age, the block a thirty-second for each', () => {
    const uncle = (number: bigint) => ({ number, coinbase: other })
    expect(blockRewards({ number: 100n, coinbase: miner }, [uncle(99n), uncle(94n)], 'homestead')).toEqual([
      { address: other, amount: (5n * ETHER * 7n) / 8n },
      { address: other, amount: (5n * ETHER * 2n) / 8n },
      { address: miner, amount: 5n * ETHER + (5n * ETHER) / 16n },
    ])
    expect(blockRewards({ number: 100n, coinbase: miner }, [], 'byzantium')).toEqual([
      { address: miner, amount: 3n * ETHER },
    ])
  })

  test.skipIf(files.length === 0).each(['1920000', '2675001'])(
    'the miner of block %s got this and the fees, says an archive node',
    (number) => {
      const { block } = files.find(({ name }) => name.startsWith(`${number}.`)) ?? { block: undefined }
      const { header, transactions } = decodeBlock(block)
      // All transactions of these blocks pay the same price, so no receipt is needed.
      const prices = new Set(transactions.map(({ maxFeePerGas }) => maxFeePerGas))
      expect(prices.size).toBe(1)
      const fees = (header.gasUsed ?? 0n) * ([...prices][0] ?? 0n)
      const got = balanceOf(number, 'post', header.coinbase) - balanceOf(number, 'pre', header.coinbase)
      const { fork } = resolveRules('mainnet', header)
      expect(blockRewards(header, [], fork)).toEqual([{ address: header.coinbase, amount: got - fees }])
    },
  )

  test.each([93n, 100n, 101n])('uncle %s of block 100 is no uncle', (number) => {
    const error = mismatchOf(() =>
      blockRewards({ number: 100n, coinbase: miner }, [{ number, coinbase: other }], 'london'),
    )
    expect(error.mismatches).toMatchObject([{ field: 'uncles[0].number', expected: '94 to 99', actual: number }])
  })
})

describe('daoTransfers', () => {
  const mainnet = resolveRules('mainnet', { number: 1_920_000n, timestamp: 0n })

  test('116 accounts give all they have to the refund contract, in the block of the fork alone', () => {
    const transfers = daoTransfers(1_920_000n, mainnet)
    expect(new Set(transfers.map(({ from }) => bytesToHex(from))).size).toBe(116)
    expect(new Set(transfers.map(({ to }) => to))).toEqual(new Set([DAO_REFUND_CONTRACT]))
    expect(daoTransfers(1_919_999n, mainnet)).toEqual([])
    expect(daoTransfers(1_920_001n, mainnet)).toEqual([])
    expect(daoTransfers(5n, { dao: { block: 5n, support: false } })).toEqual([])
    expect(daoTransfers(5n, {})).toEqual([])
  })

  test.skipIf(files.length === 0)('what they had is what the contract got, says an archive node', () => {
    const at = '1920000'
    const transfers = daoTransfers(1_920_000n, mainnet)
    const moved = transfers.reduce((sum, { from }) => sum + balanceOf(at, 'pre', from), 0n)
    expect(moved / ETHER).toBe(12_001_961n)
    const got = balanceOf(at, 'post', DAO_REFUND_CONTRACT) - balanceOf(at, 'pre', DAO_REFUND_CONTRACT)
    expect(got).toBe(moved)
    for (const { from } of transfers) expect(balanceOf(at, 'post', from)).toBe(0n)
  })

  test('they are the accounts that @ethereumjs/vm has', () => {
    // It exports none of it, so its text is asked.
    const entry = createRequire(import.meta.url).resolve('@ethereumjs/vm')
    const text = readFileSync(new URL('runBlock.js', `file://${entry}`), 'utf8')
    const list = /DAOAccounts: \[([^\]]*)\]/.exec(text)?.[1] ?? ''
    const theirs = [...list.matchAll(/[0-9a-f]{40}/g)].map(([digits]) => `0x${digits}`)
    const ours = daoTransfers(1_920_000n, mainnet).map(({ from }) => bytesToHex(from))
    expect(ours.toSorted()).toEqual(theirs.toSorted())
    expect(text).toContain(`DAORefundContract: '${bytesToHex(DAO_REFUND_CONTRACT).slice(2)}'`)
  })
})

describe('depositRequests', () => {
  const contract = new Uint8Array(20).fill(9)
  const topic = keccak_256(new TextEncoder().encode('DepositEvent(bytes,bytes,bytes,bytes,bytes)'))
  const LENGTHS = [48, 32, 8, 96, 8]

  /** The ABI encoding of the five byte strings. */
  function eventOf(fields: readonly Uint8Array[]): Uint8Array {
    const word = (value: number): Uint8Array => {
      const bytes = new Uint8Array(32)
      new DataView(bytes.buffer).setUint32(28, value)
      return bytes
    }
    const tails = fields.map((field) => {
      const padded = new Uint8Array(Math.ceil(field.length / 32) * 32)
      padded.set(field)
      return Buffer.concat([word(field.length), padded])
    })
    let offset = 32 * fields.length
    const heads = tails.map((tail) => {
      offset += tail.length
      return word(offset - tail.length)
    })
    return Uint8Array.from(Buffer.concat([...heads, ...tails]))
  }

  const someFields = (seed: number): Uint8Array[] =>
    LENGTHS.map((length, index) => new Uint8Array(length).map((_, at) => (seed + 50 * index + at) & 255))
  const log = (data: Uint8Array, address = contract, topics: readonly Uint8Array[] = [topic]): Log => [
    address,
    topics,
    data,
  ]

  test('are the fields of each event one after another, in the order of the logs', () => {
    const logs = [log(eventOf(someFields(1))), log(eventOf(someFields(2)))]
    const expected = Uint8Array.from(Buffer.concat([...someFields(1), ...someFields(2)]))
    expect(depositRequests(logs, contract)).toEqual(expected)
    expect(expected.length).toBe(2 * DEPOSIT_BYTES)
  })

  test('other contracts, other events and logs without topics do not count, whatever their data', () => {
    const logs = [
      log(eventOf(someFields(1)), other),
      log(new Uint8Array(3), contract, [new Uint8Array(32)]),
      log(new Uint8Array(0), contract, []),
      log(eventOf(someFields(1)), contract, [new Uint8Array(32), topic]),
    ]
    expect(depositRequests(logs, contract)).toEqual(new Uint8Array(0))
  })

  const bytes = eventOf(someFields(1))

  test.each<[string, Uint8Array]>([
    ['a byte less', bytes.subarray(0, 575)],
    ['a byte more', Uint8Array.of(...bytes, 0)],
    ['nothing', new Uint8Array(0)],
    ...Array.from({ length: 5 }, (_, index): [string, Uint8Array] => {
      return [`offset ${index} one more`, bytes.with(32 * index + 31, (bytes[32 * index + 31] ?? 0) + 1)]
    }),
    ...[160, 256, 320, 384, 512].map((at): [string, Uint8Array] => {
      return [`length at ${at} one more`, bytes.with(at + 31, (bytes[at + 31] ?? 0) + 1)]
    }),
    ['an offset above 2^16', bytes.with(0, 1)],
    ['a length above 2^16', bytes.with(160, 1)],
  ])('an event with %s makes the block invalid', (_, data) => {
    const error = mismatchOf(() => depositRequests([log(bytes), log(data)], contract))
    expect(error.mismatches).toMatchObject([{ field: 'requests', actual: data }])
    expect(error.mismatches[0]?.reason).toMatch(/^deposit event 1 /)
  })

  test('any change of the 320 bytes that lay the event out is found, of any other byte not', () => {
    const layout = (at: number): boolean =>
      at < 160 || [160, 256, 320, 384, 512].some((from) => at >= from && at < from + 32)
    fc.assert(
      fc.property(fc.nat(575), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const data = bytes.with(at, (bytes[at] ?? 0) ^ change)
        if (layout(at)) mismatchOf(() => depositRequests([log(data)], contract))
        else expect(depositRequests([log(data)], contract).length).toBe(DEPOSIT_BYTES)
      }),
    )
  })
})

describe('requestsHash', () => {
  test('of no requests is SHA-256 of nothing, whether they are left out or empty', () => {
    const empty = '0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    expect(bytesToHex(requestsHash([]))).toBe(empty)
    expect(bytesToHex(requestsHash([Uint8Array.of(0), Uint8Array.of(1), new Uint8Array(0)]))).toBe(empty)
    expect(requestsOf([new Uint8Array(0), new Uint8Array(0), new Uint8Array(0)])).toEqual([])
  })

  test('types with data keep their order and their byte', () => {
    expect(requestsOf([new Uint8Array(0), Uint8Array.of(7, 8), Uint8Array.of(9)])).toEqual([
      Uint8Array.of(1, 7, 8),
      Uint8Array.of(2, 9),
    ])
  })

  test('is SHA-256 over the SHA-256 of each', async () => {
    const digest = async (data: Uint8Array): Promise<Uint8Array> =>
      new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(data)))
    const requests = [Uint8Array.of(0, 1, 2), Uint8Array.of(2, 3)]
    const both = Buffer.concat(await Promise.all(requests.map(digest)))
    expect(requestsHash(requests)).toEqual(await digest(both))
  })
})

describe('prices', () => {
  test('the base fee rises and falls by an eighth at most, and by 1 wei at least when it rises', () => {
    const next = (gasUsed: bigint, baseFeePerGas: bigint) =>
      nextBaseFee({ gasLimit: 30_000_000n, gasUsed, baseFeePerGas })
    expect(next(15_000_000n, 800n)).toBe(800n)
    expect(next(30_000_000n, 800n)).toBe(900n)
    expect(next(0n, 800n)).toBe(700n)
    expect(next(15_000_001n, 7n)).toBe(8n)
    expect(next(14_999_999n, 7n)).toBe(7n)
    expect(nextBaseFee({ gasLimit: 1n, gasUsed: 1n })).toBe(1_000_000_000n)
  })

  const prague = { target: 6, max: 9, baseFeeUpdateFraction: 5_007_716 }
  const blobs = (count: number): bigint => BigInt(count) << 17n

  test('blob gas in excess is what exceeds the target', () => {
    const next = (excess: bigint, used: bigint) =>
      nextExcessBlobGas({ excessBlobGas: excess, blobGasUsed: used, baseFeePerGas: 10n ** 12n }, prague, false)
    expect(next(0n, blobs(6))).toBe(0n)
    expect(next(0n, blobs(5))).toBe(0n)
    expect(next(0n, blobs(9))).toBe(blobs(3))
    expect(next(blobs(5), blobs(0))).toBe(0n)
    expect(nextExcessBlobGas({}, prague, false)).toBe(0n)
  })

  test('EIP-7918: below the reserve price the excess grows by a third of what was used, and does not fall', () => {
    const parent = { excessBlobGas: blobs(10), blobGasUsed: blobs(9) }
    // At an excess of ten blobs the price is 1 wei: 2^17 wei a blob against 2^13 times the base fee.
    expect(blobBaseFee(blobs(10), prague)).toBe(1n)
    expect(nextExcessBlobGas({ ...parent, baseFeePerGas: 16n }, prague, true)).toBe(blobs(13))
    expect(nextExcessBlobGas({ ...parent, baseFeePerGas: 17n }, prague, true)).toBe(blobs(10) + blobs(9) / 3n)
    expect(nextExcessBlobGas({ ...parent, baseFeePerGas: 17n }, prague, false)).toBe(blobs(13))
    expect(nextExcessBlobGas({ ...parent, blobGasUsed: 0n, baseFeePerGas: 17n }, prague, true)).toBe(blobs(10))
  })

  test('the price of blob gas follows e to the power of the excess', () => {
    expect(blobBaseFee(0n, prague)).toBe(1n)
    for (const power of [1n, 2n, 5n, 10n, 20n]) {
      const price = blobBaseFee(5_007_716n * power, prague)
      expect(Math.abs(Number(price) / Math.floor(Math.exp(Number(power))) - 1)).toBeLessThan(1e-6)
    }
  })
})

describe('nextDifficulty', () => {
  const parent = { timestamp: 1000n, difficulty: 2_048_000n, ommersHash: EMPTY_OMMERS_HASH }
  const next = (seconds: bigint, fork: (typeof FORK_ORDER)[number], number = 100n, bombDelay = 0n, before = parent) =>
    nextDifficulty({ number, timestamp: 1000n + seconds }, before, { fork, bombDelay })

  test.each<[(typeof FORK_ORDER)[number], bigint, bigint]>([
    ['chainstart', 12n, 2_049_000n],
    ['chainstart', 13n, 2_047_000n],
    ['chainstart', 9999n, 2_047_000n],
    ['homestead', 9n, 2_049_000n],
    ['homestead', 10n, 2_048_000n],
    ['homestead', 20n, 2_047_000n],
    ['homestead', 9999n, 1_949_000n],
    ['byzantium', 8n, 2_049_000n],
    ['byzantium', 9n, 2_048_000n],
    ['byzantium', 18n, 2_047_000n],
    ['paris', 1n, 0n],
    ['osaka', 1n, 0n],
  ])('%s: %s seconds after its parent, %s', (fork, seconds, expected) => {
    expect(next(seconds, fork)).toBe(expected)
  })

  test('from Byzantium on a parent with uncles counts one step more', () => {
    const withUncles = { ...parent, ommersHash: new Uint8Array(32) }
    expect(next(8n, 'byzantium', 100n, 0n, withUncles)).toBe(2_050_000n)
    expect(next(8n, 'homestead', 100n, 0n, withUncles)).toBe(2_049_000n)
  })

  test('it does not fall below the least, and the bomb comes on top of that', () => {
    const easy = { ...parent, difficulty: 131_072n }
    expect(next(9999n, 'homestead', 100n, 0n, easy)).toBe(131_072n)
    expect(next(9999n, 'homestead', 200_000n, 0n, easy)).toBe(131_073n)
  })

  test('the bomb doubles every 100,000 blocks, from where it was put off to', () => {
    expect(next(10n, 'homestead', 199_999n)).toBe(2_048_000n)
    expect(next(10n, 'homestead', 200_000n)).toBe(2_048_001n)
    expect(next(10n, 'homestead', 1_200_000n)).toBe(2_049_024n)
    expect(next(9n, 'byzantium', 3_199_999n, 3_000_000n)).toBe(2_048_000n)
    expect(next(9n, 'byzantium', 3_200_000n, 3_000_000n)).toBe(2_048_001n)
    expect(next(9n, 'london', 9_000_000n, 9_700_000n)).toBe(2_048_000n)
  })
})

describe('checkTransactions', () => {
  const legacy = { type: 0, chainId: 1n, signature: { yParity: 0, r: 1n, s: 1n }, blobVersionedHashes: [] } as const
  const blob = (count: number): Pick<BlockTransaction, 'type' | 'blobVersionedHashes'> => ({
    type: 3,
    blobVersionedHashes: Array.from({ length: count }, () => new Uint8Array(32)),
  })

  test.each(FORK_ORDER)('EIP-155: a legacy signature may name a chain from Spurious Dragon on (%s)', (fork) => {
    const problems = checkTransactions([{ ...legacy, type: 1 }, legacy], { fork })
    expect(problems.map(({ txIndex, field }) => [txIndex, field])).toEqual(
      isSince(fork, 'spuriousDragon') ? [] : [[1, 'chainId']],
    )
    const { chainId: _, ...unprotected } = legacy
    expect(checkTransactions([unprotected], { fork })).toEqual([])
  })

  test('blobs count over the whole block; one that does not fit leaves room for a smaller one', () => {
    const rules = { fork: 'prague', blob: { target: 6, max: 9, baseFeeUpdateFraction: 1 } } as const
    expect(checkTransactions([blob(6), blob(3)], rules)).toEqual([])
    expect(checkTransactions([blob(6), blob(4), blob(3), blob(1)], rules)).toMatchObject([
      { txIndex: 1, field: 'blobVersionedHashes', reason: 'its 4 blobs exceed the 3 that the block has left' },
      { txIndex: 3, field: 'blobVersionedHashes' },
    ])
  })

  test.skipIf(files.length === 0)('no transaction of the 45 real blocks has a problem', () => {
    for (const { name, block } of files) {
      const { header, transactions } = decodeBlock(block)
      expect(checkTransactions(transactions, resolveRules('mainnet', header)), name).toEqual([])
    }
  })

  test('gas that the block has left', () => {
    expect(checkGasLeft({ gasLimit: 10n }, 3, 90n, 100n)).toBeUndefined()
    expect(checkGasLeft({ gasLimit: 11n }, 3, 90n, 100n)).toMatchObject({ txIndex: 3, field: 'gasLimit' })
  })
})

describe('isSince', () => {
  test('is the order of forks', () => {
    expect(isSince('dao', 'homestead')).toBe(true)
    expect(isSince('homestead', 'dao')).toBe(false)
    expect(isSince('bpo2', 'osaka')).toBe(true)
  })
})
