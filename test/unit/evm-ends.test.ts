/** The ends of a block as operations and as words, without an EVM. */
import { describe, expect, test } from 'vitest'
import type { DecodedBlock } from '../../src/adapters/evm/block.ts'
import { chainAtFork, resolveChain } from '../../src/adapters/evm/chain.ts'
import { CHAINS } from '../../src/adapters/evm/chains.ts'
import { type EndOperation, encodeEnd, endsOf, requestDataOf, SYSTEM_CONTRACTS } from '../../src/adapters/evm/ends.ts'
import type { ForkAlias } from '../../src/adapters/evm/forks.ts'
import { requestsOf } from '../../src/adapters/evm/requests.ts'

const bytes = (length: number, value: number) => new Uint8Array(length).fill(value)

const blockAt = (number: bigint, fields: Partial<DecodedBlock> = {}): DecodedBlock => ({
  header: {
    number,
    timestamp: 1n,
    gasLimit: 1n,
    coinbase: bytes(20, 1),
    difficulty: 0n,
    prevRandao: bytes(32, 0),
    parentHash: bytes(32, 2),
    parentBeaconBlockRoot: bytes(32, 3),
  },
  transactions: [],
  withdrawals: [{ index: 0n, validatorIndex: 0n, address: bytes(20, 4), amount: 5n }],
  ...fields,
})

const reward = { address: bytes(20, 6), amount: 7n }
const named = (operations: readonly EndOperation[]) =>
  operations.map((operation) => (operation.kind === 'call' ? operation.system.eip : operation.kind))

describe('endsOf', () => {
  test.each<[ForkAlias, unknown[], unknown[]]>([
    ['frontier', [], ['credit']],
    ['london', [], ['credit']],
    ['paris', [], []],
    ['shanghai', [], ['credit']],
    ['cancun', [4788], ['credit']],
    ['prague', [4788, 2935], ['credit', 7002, 7251]],
    ['osaka', [4788, 2935], ['credit', 7002, 7251]],
  ])('%s: prologue %j, epilogue %j', (fork, prologue, epilogue) => {
    const block = blockAt(1n)
    const ends = endsOf(block, resolveChain(chainAtFork(fork), block.header), [reward])
    expect([named(ends.prologue), named(ends.epilogue)]).toEqual([prologue, epilogue])
  })

  test('amounts are in wei, data is the root and the parent hash', () => {
    const block = blockAt(1n)
    const { prologue, epilogue } = endsOf(block, resolveChain(chainAtFork('prague'), block.header))
    expect(prologue.map((operation) => operation.kind === 'call' && operation.data[0])).toEqual([3, 2])
    expect(epilogue[0]).toEqual({ kind: 'credit', address: bytes(20, 4), amount: 5n * 10n ** 9n })
  })

  test('the DAO fork drains 116 accounts at its block alone', () => {
    const at = (number: bigint) => endsOf(blockAt(number), resolveChain(CHAINS.mainnet, { number, timestamp: 1n }))
    expect([at(1_919_999n), at(1_920_001n)].map(({ prologue }) => prologue.length)).toEqual([0, 0])
    expect(at(1_920_000n).prologue).toHaveLength(116)
    expect(new Set(named(at(1_920_000n).prologue))).toEqual(new Set(['drain']))
  })

  test('a chain that has the DAO fork from its first block on has nothing to move', () => {
    const chain = resolveChain(chainAtFork('dao'), { number: 0n, timestamp: 0n })
    expect(endsOf(blockAt(0n), chain)).toEqual({ prologue: [], epilogue: [] })
  })
})

describe('words of an end', () => {
  test('none for no work', () => expect(encodeEnd([])).toHaveLength(0))

  test('calls, credits and drains, one after another', () => {
    const words = encodeEnd([
      { kind: 'call', system: SYSTEM_CONTRACTS.beaconRoots, data: Uint8Array.of(1, 2, 3, 4, 5) },
      { kind: 'credit', address: bytes(20, 1), amount: (9n << 224n) + 8n },
      { kind: 'drain', from: bytes(20, 2), to: bytes(20, 3) },
    ])
    expect([...words.slice(0, 2), words[7], words[8], words[9]]).toEqual([3, 0, 5, 0x04030201, 5])
    expect([...words.slice(10, 24)]).toEqual([1, ...Array(5).fill(0x01010101), 8, 0, 0, 0, 0, 0, 0, 9])
    expect([...words.slice(24)]).toEqual([2, ...Array(5).fill(0x02020202), ...Array(5).fill(0x03030303)])
  })

  const { withdrawalRequests, consolidationRequests, beaconRoots } = SYSTEM_CONTRACTS
  const calls = [beaconRoots, withdrawalRequests, consolidationRequests].map(
    (system): EndOperation => ({ kind: 'call', system, data: bytes(0, 0) }),
  )

  test('data of requests stand at their type; empty ones and calls without requests are left out', () => {
    const data = requestDataOf(calls, Int32Array.of(9, 9, 1, 4, 7, 1, 5, 0x04030201, 5, 1, 0), 2)
    expect([data[1], data[2]]).toEqual([Uint8Array.of(1, 2, 3, 4, 5), new Uint8Array(0)])
    expect(requestsOf(data)).toEqual([Uint8Array.of(1, 1, 2, 3, 4, 5)])
  })

  test('a contract without code may have no requests where that is asked for; a call that fails may not', () => {
    const data = requestDataOf(calls, Int32Array.of(3, 0, 3, 0, 1, 4, 7), 0, true)
    expect(requestsOf(data)).toEqual([Uint8Array.of(2, 7, 0, 0, 0)])
    expect(() => requestDataOf(calls, Int32Array.of(3, 0, 1, 0, 0, 0), 0, true)).toThrow(/reverted/)
  })

  test.each([0, 2, 3])('status %i of a call that must succeed refuses the block', (status) => {
    const answer = Int32Array.of(3, 0, 1, 0, status, 0)
    expect(() => requestDataOf(calls, answer, 0)).toThrow(
      expect.objectContaining({ code: 'SYSTEM_CALL_FAILED', fields: expect.objectContaining({ eip: 7251 }) }),
    )
  })
})
