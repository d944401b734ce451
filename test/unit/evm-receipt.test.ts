/** Receipts and blooms. Oracles: receipts roots of real headers, the bit rule worked out by hand, @ethereumjs/vm. */

import { createMPT } from '@ethereumjs/mpt'
import { RLP } from '@ethereumjs/rlp'
import { bytesToHex, hexToBytes } from '@ethereumjs/util'
import { Bloom, encodeReceipt as theirEncodeReceipt } from '@ethereumjs/vm'
import { keccak_256 } from '@noble/hashes/sha3.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeBlock } from '../../src/adapters/evm/block.ts'
import { bloomOf, emptyBloom, encodeReceipt, type Log } from '../../src/adapters/evm/receipt.ts'
import type { TransactionType } from '../../src/adapters/evm/transaction.ts'
import { gethChain } from './evm-data.ts'

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const log: fc.Arbitrary<Log> = fc.tuple(bytes(20), fc.array(bytes(32), { maxLength: 4 }), fc.uint8Array())

describe('encodeReceipt', () => {
  const chain = gethChain()
  test.skipIf(chain === undefined)('162 transactions without logs have the receipts root of their header', async () => {
    const outcomes = { 0: 0, 1: 0 }
    const types = new Set<number>()
    let rest: Uint8Array = chain ?? new Uint8Array(0)
    while (rest.length > 0) {
      const { remainder } = RLP.decode(rest, true)
      const { header, transactions } = decodeBlock(rest.subarray(0, rest.length - remainder.length))
      rest = remainder
      // One transaction that used 21,000 gas: a transfer, or a call that had no gas left for the code it met.
      if (transactions.length !== 1 || header.gasUsed !== 21_000n) continue
      const { type } = transactions[0]
      const rootWith = async (status: 0 | 1): Promise<string> => {
        const receipt = { status, cumulativeBlockGasUsed: 21_000n, bitvector: emptyBloom(), logs: [] }
        const trie = await createMPT()
        await trie.put(RLP.encode(0), encodeReceipt(receipt, type) ?? null)
        return bytesToHex(trie.root())
      }
      const status = [await rootWith(0), await rootWith(1)].indexOf(bytesToHex(header.receiptsRoot ?? emptyBloom()))
      expect([0, 1], `block ${header.number}`).toContain(status)
      outcomes[status === 1 ? 1 : 0]++
      types.add(type)
    }
    expect(outcomes).toEqual({ 0: 10, 1: 152 })
    expect(types).toEqual(new Set([0, 1, 2]))
  })

  test('a failed transaction has an empty status, and the type goes before the list', () => {
    const receipt = { status: 0, cumulativeBlockGasUsed: 0x5208n, bitvector: emptyBloom(), logs: [] } as const
    const encoded = encodeReceipt(receipt, 2) ?? new Uint8Array(0)
    // Type; list of 264 bytes; status 0 as the empty string; gas; bloom of 256 bytes.
    expect(bytesToHex(encoded.subarray(0, 11))).toBe('0x02f9010880825208b90100')
    expect(bytesToHex(encoded.subarray(-1))).toBe('0xc0')
  })

  test('a receipt from before Byzantium cannot be encoded without a state root', () => {
    expect(encodeReceipt({ cumulativeBlockGasUsed: 1n, bitvector: emptyBloom(), logs: [] }, 0)).toBeUndefined()
  })

  test('any receipt is encoded as @ethereumjs/vm does', () => {
    const receipt = fc.record({
      status: fc.constantFrom(0 as const, 1 as const),
      // From 1 on: @ethereumjs/vm writes 0 as a zero byte, which is not RLP; no transaction uses 0 gas.
      cumulativeBlockGasUsed: fc.bigInt(1n, (1n << 64n) - 1n),
      bitvector: bytes(256),
      logs: fc.array(log, { maxLength: 3 }),
    })
    fc.assert(
      fc.property(receipt, fc.constantFrom<TransactionType>(0, 1, 2, 3, 4), (ours, type) => {
        expect(encodeReceipt(ours, type)).toEqual(theirEncodeReceipt(ours as never, type))
      }),
    )
  })
})

describe('bloomOf', () => {
  test('sets the bits that the first three byte pairs of the hash name', () => {
    // Keccak-256 of nothing begins c5d2 4601 86f7: bits 0x5d2 = 1490, 0x601 = 1537, 0x6f7 = 1783, from the end.
    const hash = hexToBytes('0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470')
    const bloom = bloomOf([[new Uint8Array(20), [], new Uint8Array(0)]], () => hash)
    const set = [...bloom.entries()].filter(([, byte]) => byte !== 0)
    expect(set).toEqual([
      [255 - 222, 0x80],
      [255 - 192, 0x02],
      [255 - 186, 0x04],
    ])
  })

  test('any logs have the bloom of @ethereumjs/vm', () => {
    fc.assert(
      fc.property(fc.array(log, { maxLength: 8 }), (logs) => {
        const theirs = new Bloom()
        for (const [address, topics] of logs) {
          theirs.add(address)
          for (const topic of topics) theirs.add(topic)
        }
        expect(bloomOf(logs, keccak_256)).toEqual(theirs.bitvector)
      }),
    )
  })
})
