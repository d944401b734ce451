/**
 * Blocks in three forms. The oracle for RLP is @ethereumjs/block: it rebuilds a block from JSON-RPC with the hash that
 * mainnet gave it, so its RLP is the block's.
 */

import { isDeepStrictEqual } from 'node:util'
import { createBlockFromRPC } from '@ethereumjs/block'
import { Common, Mainnet } from '@ethereumjs/common'
import { RLP } from '@ethereumjs/rlp'
import { bytesToHex } from '@ethereumjs/util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BlockHeader, type DecodedBlock, decodeBlock } from '../../src/adapters/evm/block.ts'
import { InvalidInputError } from '../../src/core/errors.ts'
import { gethChain, gethHeadBlock, realBlocks } from './evm-data.ts'

const files = realBlocks()

function errorOf(input: unknown): InvalidInputError {
  try {
    decodeBlock(input)
  } catch (error) {
    if (error instanceof InvalidInputError) return error
    throw error
  }
  throw new Error('it decoded')
}

/** What RLP can say too: not what a node claims, and no uncles, which JSON-RPC names by hash. */
function withoutClaims({ header, transactions, withdrawals }: DecodedBlock): unknown {
  const { hash: _, ...rest } = header
  return { header: rest, transactions: transactions.map(({ from: _from, hash: _hash, ...tx }) => tx), withdrawals }
}

const ZERO_HASH = `0x${'00'.repeat(32)}`

/** The least that is a block. */
const SMALL = {
  number: '0x1',
  timestamp: '0x2',
  gasLimit: '0x3',
  miner: `0x${'11'.repeat(20)}`,
  mixHash: ZERO_HASH,
  transactions: [] as unknown[],
}

describe('decodeBlock: real blocks', () => {
  test.skipIf(files.length === 0)('JSON-RPC, RLP and Block object say the same, on all 45 blocks', () => {
    const common = new Common({ chain: Mainnet, customCrypto: { kzg: {} as never } })
    for (const { name, block } of files) {
      const object = createBlockFromRPC(block as never, [], { common, setHardfork: true })
      expect(bytesToHex(object.hash()), name).toBe(block.hash)
      const fromJson = decodeBlock(block)
      const fromObject = decodeBlock(object)
      // Node's comparison: that of vitest takes 12 s for these blocks.
      expect(isDeepStrictEqual(withoutClaims(fromObject), withoutClaims(fromJson)), name).toBe(true)
      expect(isDeepStrictEqual(decodeBlock(object.serialize()), fromObject), name).toBe(true)
    }
  })

  test.skipIf(files.length === 0)('a JSON-RPC block keeps what the node claims', () => {
    const file = files.find(({ name }) => name.startsWith('24476005'))
    const { header, transactions, withdrawals, uncles } = decodeBlock(file?.block)
    expect(header.number).toBe(24476005n)
    expect(header.timestamp).toBe(1771324715n)
    expect(header.baseFeePerGas).toBe(0x268005dn)
    expect(header.excessBlobGas).toBe(0xa33a1bbn)
    expect(bytesToHex(header.coinbase)).toBe('0x4838b106fce9647bdf1e7877bf73ce8b0bad5f97')
    expect(bytesToHex(header.hash ?? new Uint8Array(0))).toBe(file?.block.hash)
    expect(transactions).toHaveLength(109)
    expect(bytesToHex(transactions[0].from ?? new Uint8Array(0))).toBe('0xae2885e0e7a6c5f99b93b4dbc43d206c7cf67c7e')
    expect(withdrawals).toHaveLength(16)
    expect(withdrawals?.[0].amount).toBe(0xff839cn)
    expect(uncles).toEqual([])
  })

  const chain = gethChain()
  test.skipIf(chain === undefined)('600 blocks of RLP number from 1 on and end in the header that geth prints', () => {
    const headers: BlockHeader[] = []
    let rest: Uint8Array = chain ?? new Uint8Array(0)
    while (rest.length > 0) {
      const { remainder } = RLP.decode(rest, true)
      headers.push(decodeBlock(rest.subarray(0, rest.length - remainder.length)).header)
      rest = remainder
    }
    expect(headers.map(({ number }) => number)).toEqual(Array.from({ length: 600 }, (_, index) => BigInt(index + 1)))
    const { hash: _, ...head } = decodeBlock({ ...gethHeadBlock(), transactions: [] }).header
    expect(headers[599]).toEqual(head)
  })
})

describe('decodeBlock: form', () => {
  test('a block before the merge needs no mix hash, one after it does', () => {
    const { mixHash: _, ...rest } = SMALL
    expect(decodeBlock({ ...rest, difficulty: '0x1' }).header.prevRandao).toEqual(new Uint8Array(32))
    expect(errorOf({ ...rest, difficulty: '0x0' }).fields['field']).toBe('prevRandao')
  })

  test('absent and null fields are absent, not undefined', () => {
    const { header } = decodeBlock({ ...SMALL, baseFeePerGas: null, hash: null })
    expect('baseFeePerGas' in header).toBe(false)
    expect('hash' in header).toBe(false)
  })

  test('hex digits may be of either case', () => {
    expect(decodeBlock({ ...SMALL, extraData: '0xC0fFee' }).header.extraData).toEqual(Uint8Array.of(0xc0, 0xff, 0xee))
  })

  test('a header of 24 fields is of a fork that is not known here', () => {
    const header = Array.from({ length: 24 }, () => new Uint8Array(0))
    expect(errorOf(RLP.encode([header, [], []])).message).toBe('header has 24 RLP items, not 15 to 23')
  })

  test('bytes of the result do not change when the caller reuses the buffer', () => {
    const hash = new Uint8Array(32).fill(1)
    const items = [hash, hash, new Uint8Array(20).fill(7), hash, hash, hash, new Uint8Array(256)]
    const header = [...items, 0n, 1n, 2n, 0n, 3n, new Uint8Array(0), hash, new Uint8Array(8)]
    const raw = Buffer.from(RLP.encode([header, [], []]))
    const block = decodeBlock(raw)
    raw.fill(0)
    expect(block.header.coinbase).toEqual(new Uint8Array(20).fill(7))
  })

  const throwing = {
    get header(): never {
      throw new Error('no header for you')
    },
  }
  test.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /neither a JSON-RPC block/],
    ['a string', '0xf90210', /neither a JSON-RPC block/],
    ['a list', [], /neither a JSON-RPC block/],
    ['an empty object', {}, /transactions is missing/],
    ['a block without a number', { ...SMALL, number: null }, /^number is missing/],
    ['a block without coinbase', { ...SMALL, miner: undefined }, /^coinbase is missing/],
    ['a bloom of 255 bytes', { ...SMALL, logsBloom: `0x${'00'.repeat(255)}` }, /^logsBloom has 255 bytes, not 256/],
    ['transactions as hashes', { ...SMALL, transactions: [ZERO_HASH] }, /transactions\[0\] is a hash: ask the node/],
    ['a transaction of null', { ...SMALL, transactions: [null] }, /transactions\[0\] is not an object/],
    ['withdrawals that are not a list', { ...SMALL, withdrawals: {} }, /^withdrawals is not a list/],
    ['a base fee above 64 bits', { ...SMALL, baseFeePerGas: 1n << 64n }, /^baseFeePerGas does not fit in 64 bits/],
    ['no bytes', new Uint8Array(0), /is not an RLP list/],
    ['RLP of a string', RLP.encode(new Uint8Array(100)), /is not an RLP list/],
    ['RLP of a header alone', RLP.encode([[]]), /has 1 RLP items, not 3 to 4/],
    ['a getter that throws', throwing, /no header for you/],
    ['lists a hundred thousand deep', new Uint8Array(100_000).fill(0xc1), /cannot be decoded/],
    ['a Block object that serializes to nothing', { header: {}, transactions: [], serialize: () => undefined }, /./],
  ])('%s is an error that says where', (_, input, message) => {
    const error = errorOf(input)
    expect(error.code).toBe('UNDECODABLE_BLOCK')
    expect(error.message).toMatch(message)
    expect(error.fields['where']).toEqual(expect.any(String))
  })
})

describe('decodeBlock: garbage', () => {
  const CODES = ['UNDECODABLE_BLOCK', 'UNKNOWN_TRANSACTION_TYPE', 'INVALID_SIGNATURE', 'INVALID_TRANSACTION']
  const decodesOrSaysWhy = (input: unknown): void => {
    try {
      decodeBlock(input)
    } catch (error) {
      expect(error).toBeInstanceOf(InvalidInputError)
      expect(CODES).toContain((error as InvalidInputError).code)
      expect((error as InvalidInputError).fields['where']).toEqual(expect.any(String))
    }
  }

  test('any value decodes or is an InvalidInputError', () => {
    fc.assert(fc.property(fc.anything({ withBigInt: true, withTypedArray: true }), decodesOrSaysWhy), { numRuns: 2000 })
  })

  test('any bytes decode or are an InvalidInputError', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), decodesOrSaysWhy), { numRuns: 2000 })
  })

  test.skipIf(files.length === 0)('a real JSON-RPC block with a few values replaced decodes or says why', () => {
    // Small, and with all that a block can have: types 0, 2 and 3, an access list, withdrawals.
    const { block } = files.find(({ name }) => name.startsWith('19923400')) ?? files[0]
    const paths = [...pathsIn(block, [])]
    const change = fc.tuple(
      fc.constantFrom(...paths),
      fc.oneof(fc.jsonValue(), fc.constantFrom('0x', '0x0', `0x${'f'.repeat(65)}`)),
    )
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        const copy: unknown = structuredClone(block)
        for (const [path, value] of changes) replaceAt(copy, path, value)
        decodesOrSaysWhy(copy)
      }),
      { numRuns: 500 },
    )
  })

  test.skipIf(files.length === 0)('RLP of a real block, mangled or cut short, decodes or says why', () => {
    const { block } = files.find(({ name }) => name.startsWith('19923400')) ?? files[0]
    const common = new Common({ chain: Mainnet, customCrypto: { kzg: {} as never } })
    const raw = createBlockFromRPC(block as never, [], { common, setHardfork: true }).serialize()
    const place = fc.oneof(fc.nat(raw.length - 1), fc.nat(700))
    const changes = fc.array(fc.tuple(place, fc.nat(255)), { maxLength: 4 })
    fc.assert(
      fc.property(changes, fc.option(place), (bytes, end) => {
        const copy = raw.slice(0, end ?? raw.length)
        for (const [at, byte] of bytes) if (at < copy.length) copy[at] = byte
        decodesOrSaysWhy(copy)
      }),
      { numRuns: 1000 },
    )
    for (let end = 0; end < 1000; end++) expect(errorOf(raw.subarray(0, end)).code).toBe('UNDECODABLE_BLOCK')
  })
})

/** Where something can be replaced: every key and index, at any depth. */
function* pathsIn(value: unknown, path: readonly string[]): Generator<readonly string[]> {
  if (typeof value !== 'object' || value === null) return
  for (const [key, item] of Object.entries(value)) {
    yield [...path, key]
    yield* pathsIn(item, [...path, key])
  }
}

function replaceAt(value: unknown, path: readonly string[], replacement: unknown): void {
  if (typeof value !== 'object' || value === null) return
  const [key, ...rest] = path
  const object = value as Record<string, unknown>
  if (rest.length === 0) object[key] = replacement
  else replaceAt(object[key], rest, replacement)
}
