/** The words that the kernel reads: each field by its number in the layout, checked by hand. */

import { describe, expect, test } from 'vitest'
import type { BlockHeader } from '../../src/adapters/evm/block.ts'
import { chainAtFork, resolveChain } from '../../src/adapters/evm/chain.ts'
import { BLOCK_ENV_WORDS, encodeBlockEnv, encodeTransaction, transactionWords } from '../../src/adapters/evm/encode.ts'
import type { ResolvedFees } from '../../src/adapters/evm/feeOptions.ts'
import type { BlockTransaction } from '../../src/adapters/evm/transaction.ts'

/** `length` bytes that count up from `first`. */
const counting = (length: number, first: number): Uint8Array => Uint8Array.from({ length }, (_, index) => first + index)

/** Words written into a field of rubbish, read as unsigned. */
function written(count: number, write: (words: Int32Array, at: number) => number): Uint32Array {
  const words = new Int32Array(count + 6).fill(-1)
  expect(write(words, 3)).toBe(3 + count)
  expect([...words.subarray(0, 3), ...words.subarray(3 + count)]).toEqual([-1, -1, -1, -1, -1, -1])
  return new Uint32Array(words.slice(3, 3 + count).buffer)
}

const FROM = counting(20, 1)

const PLAIN: BlockTransaction = {
  type: 0,
  nonce: 0x1_0000_0002n,
  gasLimit: 0xffff_ffff_0000_5208n,
  maxFeePerGas: 0x0fff_0000_0004_0000_0003_0000_0002_0000n,
  value: 0x8000_0000n << 224n,
  data: new Uint8Array(0),
  accessList: [],
  blobVersionedHashes: [],
  authorizationList: [],
}

describe('encodeTransaction', () => {
  const encode = (tx: BlockTransaction): Uint32Array =>
    written(transactionWords(tx), (words, at) => encodeTransaction(tx, FROM, words, at))

  test('a contract creation without chain id is 44 words, all of them set', () => {
    expect([...encode(PLAIN)]).toEqual([
      ...[0, 0],
      ...[0x04030201, 0x08070605, 0x0c0b0a09, 0x100f0e0d, 0x14131211],
      ...[0, 0, 0, 0, 0],
      ...[0x5208, 0xffffffff],
      ...[2, 1],
      ...[0x20000, 0x30000, 0x40000, 0x0fff0000],
      ...[0, 0, 0, 0],
      ...[0, 0, 0, 0, 0, 0, 0, 0x80000000],
      ...[0, 0],
      ...[0, 0, 0, 0],
      ...[0, 0, 0, 0],
      ...[44, 0],
    ])
  })

  test('flags say that there is an address and a chain id, also where it is 0', () => {
    const to = counting(20, 0x40)
    expect([...encode({ ...PLAIN, to, chainId: 0n }).subarray(0, 2)]).toEqual([0, 3])
    const words = encode({ ...PLAIN, type: 1, to, chainId: 0xd_0000_000en })
    expect([...words.subarray(0, 2), ...words.subarray(7, 12), ...words.subarray(32, 34)]).toEqual([
      ...[1, 3],
      ...[0x43424140, 0x47464544, 0x4b4a4948, 0x4f4e4d4c, 0x53525150],
      ...[14, 13],
    ])
  })

  test.each([
    [0, 0],
    [1, 1],
    [3, 1],
    [4, 1],
    [5, 2],
    [8, 2],
  ])('%s bytes of data take %s words, the last one padded with zeros', (length, count) => {
    const words = encode({ ...PLAIN, data: counting(length, 0xf0) })
    expect(words[38]).toBe(length)
    expect(words[42]).toBe(44 + count)
    const bytes = new Uint8Array(words.buffer, 4 * 44)
    expect([...bytes]).toEqual([...counting(length, 0xf0), ...new Uint8Array(4 * count - length)])
  })

  test('access list, blob hashes and authorisations follow the data in this order', () => {
    const tx: BlockTransaction = {
      ...PLAIN,
      type: 4,
      data: counting(2, 1),
      maxPriorityFeePerGas: 7n,
      maxFeePerBlobGas: 9n << 96n,
      accessList: [
        { address: counting(20, 0x10), storageKeys: [] },
        { address: counting(20, 0x30), storageKeys: [counting(32, 0x50), counting(32, 0x70)] },
      ],
      blobVersionedHashes: [counting(32, 0x90)],
      authorizationList: [
        { chainId: 1n, address: counting(20, 0xb0), nonce: 1n << 32n, yParity: 255, r: 2n, s: 3n << 32n },
      ],
    }
    const words = encode(tx)
    const total = 44 + 1 + 6 + 6 + 16 + 8 + 32
    expect(words).toHaveLength(total)
    expect([...words.subarray(20, 24), ...words.subarray(34, 43)]).toEqual([7, 0, 0, 0, 0, 0, 0, 9, 2, 2, 1, 1, total])
    const bytes = new Uint8Array(words.buffer)
    expect(words[44]).toBe(0x0201)
    expect(bytes.subarray(4 * 45, 4 * 50)).toEqual(counting(20, 0x10))
    expect(words[50]).toBe(0)
    expect(bytes.subarray(4 * 51, 4 * 56)).toEqual(counting(20, 0x30))
    expect(words[56]).toBe(2)
    expect(bytes.subarray(4 * 57, 4 * 65)).toEqual(counting(32, 0x50))
    expect(bytes.subarray(4 * 65, 4 * 73)).toEqual(counting(32, 0x70))
    expect(bytes.subarray(4 * 73, 4 * 81)).toEqual(counting(32, 0x90))
    expect([...words.subarray(81, 89)]).toEqual([1, 0, 0, 0, 0, 0, 0, 0])
    expect(bytes.subarray(4 * 89, 4 * 94)).toEqual(counting(20, 0xb0))
    expect([...words.subarray(94, 97)]).toEqual([0, 1, 255])
    expect([...words.subarray(97, 105)]).toEqual([2, 0, 0, 0, 0, 0, 0, 0])
    expect([...words.subarray(105, 113)]).toEqual([0, 3, 0, 0, 0, 0, 0, 0])
  })

  test('words may be shared memory, and begin anywhere in it', () => {
    const words = new Int32Array(new SharedArrayBuffer(1024), 512)
    expect(encodeTransaction(PLAIN, FROM, words, 5)).toBe(49)
    expect(words[7]).toBe(0x04030201)
  })
})

describe('encodeBlockEnv', () => {
  const HEADER: BlockHeader = {
    number: 0x1_0000_0002n,
    timestamp: 0x3_0000_0004n,
    gasLimit: 0x5_0000_0006n,
    coinbase: counting(20, 1),
    difficulty: 0n,
    prevRandao: counting(32, 0x20),
  }
  const encode = (header: BlockHeader, chain: Parameters<typeof resolveChain>[0]): number[] => [
    ...written(BLOCK_ENV_WORDS, (words, at) => encodeBlockEnv(header, resolveChain(chain, header), words, at)),
  ]
  const RANDAO = [0x23222120, 0x27262524, 0x2b2a2928, 0x2f2e2d2c, 0x33323130, 0x37363534, 0x3b3a3938, 0x3f3e3d3c]
  const COINBASE = [0x04030201, 0x08070605, 0x0c0b0a09, 0x100f0e0d, 0x14131211]

  const NO_VAULTS = Array.from({ length: 10 }, () => 0)

  test('vaults of fees are marked in word 3 and follow the rest', () => {
    const header = { ...HEADER, baseFeePerGas: 7n }
    const words = new Int32Array(BLOCK_ENV_WORDS)
    const vault = counting(20, 0x41)
    const chain = resolveChain(chainAtFork('london'), header)
    const encodeFees = (fees: ResolvedFees): number[] => {
      encodeBlockEnv(header, chain, words, 0, fees)
      return [words[3] as number, ...words.subarray(44)]
    }
    const address = [0x44434241, 0x48474645, 0x4c4b4a49, 0x504f4e4d, 0x54535251]
    const dataFee = { recipient: vault, amounts: [] }
    expect(encodeFees({ priorityFeeRecipient: vault })).toEqual([0, ...NO_VAULTS])
    expect(encodeFees({ priorityFeeRecipient: vault, baseFeeRecipient: vault })).toEqual([2, ...NO_VAULTS])
    expect(encodeFees({ priorityFeeRecipient: header.coinbase, baseFeeRecipient: vault, dataFee })).toEqual([
      ...[4 + 8, ...address, ...address],
    ])
  })

  test('a fee for data is marked in word 1 and stands last', () => {
    const tx: BlockTransaction = { ...PLAIN, data: counting(3, 1) }
    const plain = [...written(transactionWords(tx), (words, at) => encodeTransaction(tx, FROM, words, at))]
    const paying = written(transactionWords(tx, 5n), (words, at) => encodeTransaction(tx, FROM, words, at, 5n))
    expect([...paying]).toEqual([...plain.with(1, 4).with(42, 45 + 8), 5, 0, 0, 0, 0, 0, 0, 0])
  })

  test('a block of Osaka has base fee, randomness and blobs', () => {
    const header = { ...HEADER, baseFeePerGas: 0x7_0000_0008n, excessBlobGas: 0x9_0000_000an }
    expect(encode(header, chainAtFork('osaka', 0xb_0000_000cn))).toEqual([
      ...[12, 11],
      ...[13, 0],
      ...[2, 1, 4, 3, 6, 5, 8, 7],
      ...[0, 0, 0, 0, 0, 0, 0, 0],
      ...RANDAO,
      1,
      ...COINBASE,
      ...[1, 0, 10, 9],
      ...[5007716, 0],
      ...[9, 0, 0, 0],
      ...NO_VAULTS,
    ])
  })

  test('a block of Frontier has a difficulty and none of these', () => {
    const header = { ...HEADER, difficulty: (2n << 224n) + 1n }
    expect(encode(header, chainAtFork('frontier'))).toEqual([
      ...[1, 0],
      ...[0, 0],
      ...[2, 1, 4, 3, 6, 5, 0, 0],
      ...[1, 0, 0, 0, 0, 0, 0, 2],
      ...RANDAO,
      0,
      ...COINBASE,
      ...[0, 0, 0, 0],
      ...[0, 0],
      ...[0, 0, 0, 0],
      ...NO_VAULTS,
    ])
  })

  test('randomness counts from the merge on, excess blob gas of 0 is given', () => {
    expect(encode(HEADER, chainAtFork('grayGlacier'))[28]).toBe(0)
    expect(encode(HEADER, chainAtFork('paris'))[28]).toBe(1)
    expect(encode({ ...HEADER, excessBlobGas: 0n }, chainAtFork('cancun'))[34]).toBe(1)
  })
})
