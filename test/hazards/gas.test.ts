/** Hazard 11 of DESIGN.md section 7: the block's gas limit counts what transactions used, not what speculation did. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Executor, Hex } from '../../src/index.ts'
import { executorUnderTest, repeats } from '../support/adapter.ts'
import { address, asm, ETHER, endingOf, expectParallelSame, type TestBlock, word } from '../support/evm.ts'

let executor: Executor
beforeAll(async () => {
  executor = await executorUnderTest({ workers: 4, memoryLimit: 64 * 2 ** 20 })
})
afterAll(() => executor.close())

/**
 * With an odd second word it reads the slot named by the first, and burns all its gas where that is 0; else writes it.
 */
const GATE = asm(`
  32 CALLDATALOAD @read JUMPI
  300 turn: 1 SWAP1 SUB DUP1 @turn JUMPI POP
  1 0 CALLDATALOAD SSTORE STOP
  read: 0 CALLDATALOAD SLOAD @open JUMPI
  burn: @burn JUMP
  open: STOP`)
const gate = address(0x500)
/** Pairs of a block. */
const PAIRS = 8 + repeats(32)
const people = Array.from({ length: 80 }, (_, k) => address(k + 1))

/** Pairs: one opens a gate, the next one passes it, or burns 400,000 where it is too early. */
const gates = (pairs: number, first: number, gasLimit: bigint): TestBlock => ({
  fork: 'london',
  coinbase: address(0xc0),
  gasLimit,
  accounts: {
    ...Object.fromEntries(people.map((who) => [who, { balance: ETHER }])),
    [gate]: { nonce: 1, code: GATE },
  },
  transactions: Array.from({ length: 2 * pairs }, (_, k) => ({
    from: people[k] as Hex,
    to: gate,
    gas: 400_000,
    data: `${word(1 + Math.floor(k / 2))}${word((k + first) % 2).slice(2)}`,
  })),
})

test('hazard 11: a block whose transactions burn more only when they read too early is valid', async () => {
  const { gasUsed, receipts } = await expectParallelSame(executor, gates(PAIRS, 0, 10n ** 9n), 1)
  // What the others use, and the last one's limit: not one unit more.
  const enough = gasUsed - (receipts.at(-1)?.gasUsed ?? 0n) + 400_000n
  const result = await expectParallelSame(executor, gates(PAIRS, 0, enough), 20)
  expect(result.receipts.every(({ status }) => status === 1)).toBe(true)
  const ending = await endingOf(executor, gates(PAIRS, 0, enough - 1n), { speculation: 'always' })
  expect(ending).toMatchObject({ code: 'INVALID_TRANSACTION', txIndex: 2 * PAIRS - 1 })
})

test('hazard 11: one whose transactions do burn it is invalid at the same transaction, however it is run', async () => {
  // The first of each pair passes a gate that is shut, so every one of them burns 400,000.
  const block = gates(PAIRS, 1, BigInt(PAIRS) * 150_000n)
  const sequential = await endingOf(executor, block, { sequential: true })
  expect(sequential).toMatchObject({ code: 'INVALID_TRANSACTION', reason: expect.stringContaining('gas limit') })
  for (let k = 0; k < repeats(10); k++)
    expect(await endingOf(executor, block, { speculation: 'always' })).toEqual(sequential)
})
