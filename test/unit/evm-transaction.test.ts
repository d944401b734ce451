/**
 * What senders sign and how transactions are read. The oracles: the example of EIP-155, the senders that mainnet nodes
 * report, and @ethereumjs/tx for the test chain that has all types.
 */

import { Common, Mainnet } from '@ethereumjs/common'
import { RLP } from '@ethereumjs/rlp'
import { createTxFromRLP } from '@ethereumjs/tx'
import { bytesToHex, ecrecover, hexToBytes, publicToAddress } from '@ethereumjs/util'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { describe, expect, test } from 'vitest'
import { decodeBlock } from '../../src/adapters/evm/block.ts'
import { type BlockTransaction, decodeTransaction, signingPayload } from '../../src/adapters/evm/transaction.ts'
import { type ErrorCode, InvalidInputError } from '../../src/core/errors.ts'
import { gethChain, realBlocks } from './evm-data.ts'

const to32 = (value: bigint): Uint8Array => hexToBytes(`0x${value.toString(16).padStart(64, '0')}`)

function senderOf(tx: BlockTransaction): string {
  const { signature } = tx
  if (signature === undefined) throw new Error('no signature')
  const key = ecrecover(keccak_256(signingPayload(tx)), BigInt(signature.yParity), to32(signature.r), to32(signature.s))
  return bytesToHex(publicToAddress(key))
}

function errorOf(run: () => unknown): InvalidInputError {
  try {
    run()
  } catch (error) {
    if (error instanceof InvalidInputError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

/** The example of EIP-155. */
const EIP_155_SIGNED =
  '0xf86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83'
const EIP_155_PAYLOAD = '0xec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080'

/** A valid transaction of type 2 in JSON-RPC, to be spoilt. */
const FEE_MARKET = {
  type: '0x2',
  chainId: '0x1',
  nonce: '0x5',
  gas: '0x5208',
  maxFeePerGas: '0x10',
  maxPriorityFeePerGas: '0x1',
  gasPrice: '0x8',
  to: `0x${'35'.repeat(20)}`,
  value: '0xde0b6b3a7640000',
  input: '0x',
  accessList: [],
  yParity: '0x1',
  v: '0x1',
  r: '0x3',
  s: '0x4',
}
const LEGACY = { type: '0x0', nonce: '0x0', gas: '0x5208', gasPrice: '0x1', value: '0x0', input: '0x' }
const AUTHORIZATION = {
  chainId: '0x0',
  address: `0x${'aa'.repeat(20)}`,
  nonce: '0x1',
  yParity: '0x0',
  r: '0x1',
  s: '0x2',
}

describe('decodeTransaction: raw bytes', () => {
  test('the example of EIP-155 gives its fields, chain id and signing data', () => {
    const tx = decodeTransaction(hexToBytes(EIP_155_SIGNED), 0)
    expect(tx).toEqual({
      type: 0,
      chainId: 1n,
      nonce: 9n,
      gasLimit: 21000n,
      maxFeePerGas: 20_000_000_000n,
      to: new Uint8Array(20).fill(0x35),
      value: 10n ** 18n,
      data: new Uint8Array(0),
      accessList: [],
      blobVersionedHashes: [],
      authorizationList: [],
      signature: {
        yParity: 0,
        r: 0x28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276n,
        s: 0x67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83n,
      },
    })
    expect(bytesToHex(signingPayload(tx))).toBe(EIP_155_PAYLOAD)
    expect(senderOf(tx)).toBe('0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f')
  })

  test('bytes of the result do not change when the caller reuses the buffer', () => {
    const raw = Buffer.from(hexToBytes(EIP_155_SIGNED))
    const tx = decodeTransaction(raw, 0)
    raw.fill(0)
    expect(tx.to).toEqual(new Uint8Array(20).fill(0x35))
  })

  const typed = (type: number, items: Parameters<typeof RLP.encode>[0]): Uint8Array =>
    Uint8Array.from([type, ...RLP.encode(items)])
  const address = new Uint8Array(20).fill(1)
  const feeMarket = [1n, 0n, 1n, 2n, 21000n, address, 0n, new Uint8Array(0), []]

  test('a type 2 transaction puts the priority fee before the fee cap', () => {
    const tx = decodeTransaction(typed(2, [...feeMarket, 1n, 5n, 6n]), 0)
    expect(tx.maxPriorityFeePerGas).toBe(1n)
    expect(tx.maxFeePerGas).toBe(2n)
    expect(tx.signature).toEqual({ yParity: 1, r: 5n, s: 6n })
  })

  test.each<[string, Uint8Array, ErrorCode, RegExp]>([
    ['no bytes', new Uint8Array(0), 'UNDECODABLE_BLOCK', /transactions\[7\] is empty/],
    ['type 0 in an envelope', Uint8Array.from([0, 0xc0]), 'UNKNOWN_TRANSACTION_TYPE', /transactions\[7\]/],
    ['type 5', Uint8Array.from([5, 0xc0]), 'UNKNOWN_TRANSACTION_TYPE', /has type 5/],
    ['type 127', Uint8Array.from([127, 0xc0]), 'UNKNOWN_TRANSACTION_TYPE', /has type 127/],
    ['a type byte alone', Uint8Array.from([2]), 'UNDECODABLE_BLOCK', /is not an RLP list/],
    ['RLP that ends early', hexToBytes(EIP_155_SIGNED).subarray(0, 60), 'UNDECODABLE_BLOCK', /is not RLP/],
    ['bytes after the list', Uint8Array.from([...hexToBytes(EIP_155_SIGNED), 0]), 'UNDECODABLE_BLOCK', /is not RLP/],
    ['too few items', typed(2, feeMarket), 'UNDECODABLE_BLOCK', /has 9 RLP items, not 12/],
    [
      'an integer with a leading zero',
      typed(2, [1n, Uint8Array.from([0, 5]), ...feeMarket.slice(2), 1n, 5n, 6n]),
      'UNDECODABLE_BLOCK',
      /nonce is an RLP integer with a leading zero/,
    ],
    [
      'an address of 19 bytes',
      typed(2, [...feeMarket.slice(0, 5), address.subarray(1), ...feeMarket.slice(6), 1n, 5n, 6n]),
      'UNDECODABLE_BLOCK',
      /to has 19 bytes, not 20/,
    ],
    [
      'a list for an integer',
      typed(2, [1n, [], ...feeMarket.slice(2), 1n, 5n, 6n]),
      'UNDECODABLE_BLOCK',
      /nonce is missing or not a byte string/,
    ],
    [
      'an integer of 33 bytes',
      typed(2, [...feeMarket.slice(0, 6), 1n << 256n, ...feeMarket.slice(7), 1n, 5n, 6n]),
      'UNDECODABLE_BLOCK',
      /value does not fit in 256 bits/,
    ],
    [
      'a blob transaction with its blobs',
      typed(3, [[...feeMarket, 1n, [], 1n, 5n, 6n], [], [], []]),
      'UNDECODABLE_BLOCK',
      /network form/,
    ],
    [
      'a blob transaction that creates a contract',
      typed(3, [...feeMarket.slice(0, 5), new Uint8Array(0), ...feeMarket.slice(6), ...[1n, [to32(1n)], 1n, 5n, 6n]]),
      'UNDECODABLE_BLOCK',
      /to is missing: type 3/,
    ],
  ])('%s is an error that says where', (_, raw, code, message) => {
    const error = errorOf(() => decodeTransaction(raw, 7))
    expect(error.code).toBe(code)
    expect(error.message).toMatch(message)
    expect(error.fields['txIndex']).toBe(7)
  })
})

describe('decodeTransaction: JSON-RPC', () => {
  test('a fee-market transaction takes maxFeePerGas, not the price it was mined at', () => {
    const tx = decodeTransaction(FEE_MARKET, 0)
    expect(tx.maxFeePerGas).toBe(16n)
    expect(tx.maxPriorityFeePerGas).toBe(1n)
    expect(tx.signature).toEqual({ yParity: 1, r: 3n, s: 4n })
  })

  test('gasLimit and data are other names for gas and input', () => {
    const { gas, input: _, ...rest } = FEE_MARKET
    const tx = decodeTransaction({ ...rest, gasLimit: gas, data: '0xc0ffee' }, 0)
    expect(tx.gasLimit).toBe(21000n)
    expect(tx.data).toEqual(Uint8Array.from([0xc0, 0xff, 0xee]))
  })

  test('numbers and bigints stand for quantities', () => {
    const tx = decodeTransaction({ ...FEE_MARKET, type: 2, nonce: 5, value: 7n }, 0)
    expect([tx.type, tx.nonce, tx.value]).toEqual([2, 5n, 7n])
  })

  test.each([
    ['0x1b', undefined, 0],
    ['0x1c', undefined, 1],
    ['0x25', 1n, 0],
    ['0x26', 1n, 1],
    ['0x135', 137n, 0],
  ])('v of %s means chain %s and parity %s', (v, chainId, yParity) => {
    const tx = decodeTransaction({ ...LEGACY, v, r: '0x1', s: '0x2' }, 0)
    expect(tx.chainId).toBe(chainId)
    expect(tx.signature?.yParity).toBe(yParity)
  })

  test('a transaction without a signature, or with zeros for one, has none', () => {
    expect(decodeTransaction(LEGACY, 0).signature).toBeUndefined()
    expect(decodeTransaction({ ...LEGACY, v: '0x0', r: '0x0', s: '0x0' }, 0).signature).toBeUndefined()
    const { yParity: _p, v: _v, r: _r, s: _s, ...unsigned } = FEE_MARKET
    expect(decodeTransaction(unsigned, 0).signature).toBeUndefined()
  })

  test('an authorisation list keeps tuples that cannot recover, since the EVM skips them', () => {
    const tx = decodeTransaction(
      { ...FEE_MARKET, type: '0x4', authorizationList: [{ ...AUTHORIZATION, yParity: '0xff' }] },
      0,
    )
    expect(tx.authorizationList).toEqual([
      { chainId: 0n, address: new Uint8Array(20).fill(0xaa), nonce: 1n, yParity: 255, r: 1n, s: 2n },
    ])
  })

  const spoilt = (change: Record<string, unknown>): unknown => ({ ...FEE_MARKET, ...change })
  test.each<[string, unknown, ErrorCode, string]>([
    ['no type', spoilt({ type: undefined }), 'UNKNOWN_TRANSACTION_TYPE', 'type'],
    ['an unknown type', spoilt({ type: '0x7e' }), 'UNKNOWN_TRANSACTION_TYPE', 'type'],
    ['no nonce', spoilt({ nonce: null }), 'UNDECODABLE_BLOCK', 'nonce'],
    ['a nonce of 2^64', spoilt({ nonce: '0x10000000000000000' }), 'UNDECODABLE_BLOCK', 'nonce'],
    ['a negative number', spoilt({ nonce: -1 }), 'UNDECODABLE_BLOCK', 'nonce'],
    ['a fraction', spoilt({ nonce: 1.5 }), 'UNDECODABLE_BLOCK', 'nonce'],
    ['decimal digits', spoilt({ nonce: '12' }), 'UNDECODABLE_BLOCK', 'nonce'],
    ['an empty quantity', spoilt({ nonce: '0x' }), 'UNDECODABLE_BLOCK', 'nonce'],
    ['no gas', spoilt({ gas: undefined }), 'UNDECODABLE_BLOCK', 'gasLimit'],
    ['gas of 2^64', spoilt({ gas: '0x10000000000000000' }), 'UNDECODABLE_BLOCK', 'gas'],
    ['a fee of 2^128', spoilt({ maxFeePerGas: `0x1${'0'.repeat(32)}` }), 'INVALID_TRANSACTION', 'maxFeePerGas'],
    ['a value of 2^256', spoilt({ value: `0x1${'0'.repeat(64)}` }), 'UNDECODABLE_BLOCK', 'value'],
    ['a chain id of 2^64', spoilt({ chainId: '0x10000000000000000' }), 'UNDECODABLE_BLOCK', 'chainId'],
    ['an address of 19 bytes', spoilt({ to: `0x${'00'.repeat(19)}` }), 'UNDECODABLE_BLOCK', 'to'],
    ['half a byte of data', spoilt({ input: '0x0' }), 'UNDECODABLE_BLOCK', 'input'],
    ['data that is not hex', spoilt({ input: '0xzz' }), 'UNDECODABLE_BLOCK', 'input'],
    ['a parity of 2', spoilt({ yParity: '0x2' }), 'INVALID_SIGNATURE', 'yParity'],
    ['half a signature', spoilt({ s: undefined }), 'UNDECODABLE_BLOCK', 's'],
    ['v of 29', { ...LEGACY, v: '0x1d', r: '0x1', s: '0x1' }, 'INVALID_SIGNATURE', 'v'],
    ['v for another chain', { ...LEGACY, chainId: '0x5', v: '0x25', r: '0x1', s: '0x1' }, 'INVALID_SIGNATURE', 'v'],
    ['a sender of 21 bytes', spoilt({ from: `0x${'00'.repeat(21)}` }), 'UNDECODABLE_BLOCK', 'from'],
    ['no address for blobs', spoilt({ type: '0x3', to: null }), 'UNDECODABLE_BLOCK', 'to'],
    [
      'a key of 31 bytes',
      spoilt({ accessList: [{ address: AUTHORIZATION.address, storageKeys: [`0x${'00'.repeat(31)}`] }] }),
      'UNDECODABLE_BLOCK',
      'storageKeys[0]',
    ],
    [
      'an authorisation without address',
      spoilt({ type: '0x4', authorizationList: [{ ...AUTHORIZATION, address: undefined }] }),
      'UNDECODABLE_BLOCK',
      'address',
    ],
  ])('%s is an error that names index and field', (_, input, code, field) => {
    const error = errorOf(() => decodeTransaction(input, 3))
    expect(error.code).toBe(code)
    expect(error.fields).toMatchObject({ txIndex: 3, field })
    expect(error.message).toContain('transactions[3]')
  })

  test('an error inside a list names the entry', () => {
    const accessList = [
      { address: AUTHORIZATION.address, storageKeys: [] },
      { address: '0x', storageKeys: [] },
    ]
    const error = errorOf(() => decodeTransaction({ ...FEE_MARKET, accessList }, 3))
    expect(error.fields['where']).toBe('transactions[3].accessList[1].address')
  })
})

describe('signingPayload', () => {
  const files = realBlocks()
  // Recovery costs 1.5 ms in the oracle, so of many alike transactions every 20th must do; rare types are all taken.
  const sample = files.flatMap(({ name, block }) =>
    block.transactions.flatMap((tx, index) =>
      index % 20 === 0 || tx['type'] === '0x1' || tx['type'] === '0x3' ? [{ name, tx, index }] : [],
    ),
  )

  test.skipIf(files.length === 0)('recovers the senders that mainnet nodes report, in all 45 blocks', () => {
    expect(files).toHaveLength(45)
    for (const { name, tx, index } of sample) {
      expect(senderOf(decodeTransaction(tx, index)), `${name} transaction ${index}`).toBe(tx['from'])
    }
    expect(new Set(sample.map(({ tx }) => tx['type']))).toEqual(new Set(['0x0', '0x1', '0x2', '0x3']))
  })

  const chain = gethChain()
  test.skipIf(chain === undefined)('equals what @ethereumjs/tx signs, types 0 to 4, on a chain of 600 blocks', () => {
    const common = new Common({
      chain: { ...Mainnet, chainId: '3503995874084926' },
      hardfork: 'prague',
      customCrypto: { kzg: {} as never },
    })
    const types = new Set<number>()
    let rest: Uint8Array = chain ?? new Uint8Array(0)
    while (rest.length > 0) {
      const { data, remainder } = RLP.decode(rest, true)
      const block = decodeBlock(rest.subarray(0, rest.length - remainder.length))
      rest = remainder
      const items = data[1] as unknown as (Uint8Array | Uint8Array[])[]
      for (const [index, item] of items.entries()) {
        const raw = item instanceof Uint8Array ? item : RLP.encode(item)
        const theirs = createTxFromRLP(raw, { common })
        const message = theirs.getMessageToSign()
        const ours = block.transactions[index]
        expect(signingPayload(ours)).toEqual(message instanceof Uint8Array ? message : RLP.encode(message))
        expect(decodeTransaction(theirs, index)).toEqual(ours)
        types.add(ours.type)
      }
    }
    expect(types).toEqual(new Set([0, 1, 2, 3, 4]))
  })
})
