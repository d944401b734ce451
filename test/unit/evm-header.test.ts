/**
 * Headers and bodies as bytes and hashes. Oracles: the hashes that mainnet gave its blocks, the links of a chain of 600
 * blocks, the hashes in the consensus tests, @ethereumjs/mpt.
 */

import { createMPT } from '@ethereumjs/mpt'
import { RLP } from '@ethereumjs/rlp'
import { bytesToHex, hexToBytes, type PrefixedHexString } from '@ethereumjs/util'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { describe, expect, test } from 'vitest'
import { type BlockHeader, type DecodedBlock, decodeBlock } from '../../src/adapters/evm/block.ts'
import {
  EMPTY_OMMERS_HASH,
  EMPTY_TRIE_ROOT,
  encodeBlock,
  encodeHeader,
  hashHeader,
  ommersHash,
  transactionsRoot,
  withdrawalsRoot,
} from '../../src/adapters/evm/header.ts'
import { splitChain } from '../../src/adapters/evm/rlp.ts'
import { encodeRawTransaction } from '../../src/adapters/evm/transaction.ts'
import { InvalidInputError } from '../../src/core/errors.ts'
import { consensusTests, gethChain, hasConsensusTests, realBlocks } from './evm-data.ts'
import { keccak256, orderedRoot } from './evm-roots.ts'

const files = realBlocks()
const chain = gethChain()

const hex = (bytes: Uint8Array | undefined): string => bytesToHex(bytes ?? new Uint8Array(0))

/** A decoded header, complete. */
function someHeader(): BlockHeader {
  const item = [
    ...[32, 32, 20, 32, 32, 32, 256].map((length, index) => new Uint8Array(length).fill(index)),
    ...[131_072n, 1n, 5000n, 0n, 1n, new Uint8Array(0), new Uint8Array(32), new Uint8Array(8).fill(9)],
  ]
  return decodeBlock(RLP.encode([item, [], []])).header
}

function errorOf(run: () => unknown): InvalidInputError {
  try {
    run()
  } catch (error) {
    if (error instanceof InvalidInputError) return error
    throw error
  }
  throw new Error('it did not throw')
}

describe('hashHeader', () => {
  test.skipIf(files.length === 0)('gives the hash that mainnet gave, for all 45 blocks', () => {
    for (const { name, block } of files) {
      const { header } = decodeBlock(block)
      expect(hex(hashHeader(header)), name).toBe(block.hash)
    }
    expect(files.length).toBe(45)
  })

  test.skipIf(chain === undefined)('links 600 blocks, each to its parent, and the bytes come back', () => {
    let count = 0
    let parent: Uint8Array | undefined
    for (const { bytes } of splitChain(chain ?? new Uint8Array(0))) {
      const block = decodeBlock(bytes)
      if (parent !== undefined) expect(hex(block.header.parentHash)).toBe(hex(parent))
      parent = hashHeader(block.header)
      expect(Buffer.compare(encodeBlock(block), bytes)).toBe(0)
      count++
    }
    expect(count).toBe(600)
  })

  test.skipIf(!hasConsensusTests).each([
    ['ethereum-tests', 4397],
    ['ethereum-legacytests', 5165],
    ['eest', 6154],
    ['eest-bal-v5.1.0', 307],
  ])(
    '%s: header hashes of all %s valid blocks, and every block that decodes comes back',
    async (file, valid) => {
      let hashed = 0
      for await (const { name, test: testCase } of consensusTests(file)) {
        for (const { rlp, expectException, blockHeader } of testCase.blocks) {
          const bytes = hexToBytes(rlp as PrefixedHexString)
          let block: DecodedBlock
          try {
            block = decodeBlock(bytes)
          } catch (error) {
            expect(expectException, `${name}: ${(error as Error).message}`).toBeDefined()
            continue
          }
          // Asked only where it fails: asserting costs more than encoding.
          if (Buffer.compare(encodeBlock(block), bytes) !== 0) expect(bytesToHex(encodeBlock(block)), name).toBe(rlp)
          if (expectException !== undefined) continue
          const hash = hex(hashHeader(block.header, keccak256))
          if (hash !== blockHeader?.hash) expect(hash, name).toBe(blockHeader?.hash)
          hashed++
        }
      }
      expect(hashed).toBe(valid)
    },
    180_000,
  )

  test('keccak can be given', () => {
    const seen: Uint8Array[] = []
    const header = someHeader()
    hashHeader(header, (bytes) => {
      seen.push(bytes)
      return keccak_256(bytes)
    })
    expect(seen).toEqual([encodeHeader(header)])
  })
})

describe('encodeHeader', () => {
  test('a field of Frontier that is missing is named', () => {
    const { stateRoot: _, ...rest } = someHeader()
    const error = errorOf(() => encodeHeader(rest))
    expect(error.code).toBe('UNDECODABLE_BLOCK')
    expect(error.fields).toMatchObject({ where: 'header.stateRoot', field: 'stateRoot' })
  })

  test('a gap in the later fields is named, since it would move those after it', () => {
    const error = errorOf(() => encodeHeader({ ...someHeader(), baseFeePerGas: 7n, blobGasUsed: 0n }))
    expect(error.fields['field']).toBe('withdrawalsRoot')
  })

  test.each(Array.from({ length: 8 }, (_, index) => 16 + index))('a header of %i fields comes back', (count) => {
    const extra = [7n, new Uint8Array(32), 1n, 2n, ...[3, 4, 5].map((byte) => new Uint8Array(32).fill(byte)), 6n]
    const items = (RLP.decode(encodeHeader(someHeader())) as Uint8Array[]).slice(0, 15)
    const bytes = RLP.encode([...items, ...extra.slice(0, count - 15)])
    const { header } = decodeBlock(RLP.encode([RLP.decode(bytes), [], []]))
    expect(hex(encodeHeader(header))).toBe(hex(bytes))
  })

  test.each<[string, number, Uint8Array, string]>([
    ['a number with a zero before it', 8, Uint8Array.of(0, 1), 'header.number is an RLP integer with a leading zero'],
    ['a gas limit of 9 bytes', 9, new Uint8Array(9).fill(1), 'header.gasLimit does not fit in 64 bits'],
    ['a difficulty of 33 bytes', 7, new Uint8Array(33).fill(1), 'header.difficulty does not fit in 256 bits'],
    ['a nonce of 7 bytes', 14, new Uint8Array(7), 'header.nonce has 7 bytes, not 8'],
    ['a bloom of 255 bytes', 6, new Uint8Array(255), 'header.logsBloom has 255 bytes, not 256'],
    ['an ommers hash of 31 bytes', 1, new Uint8Array(31), 'header.ommersHash has 31 bytes, not 32'],
  ])('%s does not decode', (_, index, value, message) => {
    const items = RLP.decode(encodeHeader(someHeader())) as Uint8Array[]
    items[index] = value
    expect(errorOf(() => decodeBlock(RLP.encode([items, [], []]))).message).toBe(message)
  })
})

describe('roots', () => {
  test.skipIf(files.length === 0)('of transactions and withdrawals are those of all 45 headers', async () => {
    for (const { name, block } of files) {
      const { header, transactions, withdrawals } = decodeBlock(block)
      expect(hex(transactionsRoot(transactions, orderedRoot)), name).toBe(hex(header.transactionsRoot))
      if (withdrawals === undefined) continue
      expect(hex(withdrawalsRoot(withdrawals, orderedRoot)), name).toBe(hex(header.withdrawalsRoot))
    }
  })

  test.skipIf(files.length === 0)('raw transactions hash to what the node says', () => {
    for (const { block } of files) {
      for (const tx of decodeBlock(block).transactions.slice(0, 20)) {
        expect(hex(keccak_256(encodeRawTransaction(tx)))).toBe(hex(tx.hash))
      }
    }
  })

  test('the oracle agrees with @ethereumjs/mpt', async () => {
    for (const count of [0, 1, 2, 127, 128, 129, 300]) {
      const items = Array.from({ length: count }, (_, index) => new Uint8Array(40).fill(index))
      const trie = await createMPT()
      for (const [index, item] of items.entries()) await trie.put(RLP.encode(index), item)
      expect(hex(orderedRoot(items))).toBe(hex(trie.root()))
    }
  })

  test('of nothing are the well-known ones', () => {
    expect(hex(EMPTY_TRIE_ROOT)).toBe('0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421')
    expect(hex(EMPTY_OMMERS_HASH)).toBe('0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347')
    expect(hex(ommersHash([]))).toBe(hex(EMPTY_OMMERS_HASH))
    expect(hex(transactionsRoot([], orderedRoot))).toBe(hex(EMPTY_TRIE_ROOT))
  })

  test('a block without its uncles cannot be encoded', () => {
    const error = errorOf(() => encodeBlock({ header: someHeader(), transactions: [] }))
    expect(error.fields['field']).toBe('uncles')
  })
})
