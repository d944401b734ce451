/**
 * Bytecode that tries the limits, in blocks on the real pool: parallel equals sequential, nothing crashes or hangs, and
 * the work is counted: an incarnation more a transaction at most.
 *
 * What the gas of each of these must be is for the consensus tests to say (docs/conformance.md).
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createExecutor, type Executor, type Hex } from '../../src/index.ts'
import {
  address,
  asm,
  ETHER,
  endingOf,
  expectSame,
  fileOf,
  initOf,
  run,
  stateOf,
  type TestBlock,
  type TestFork,
  word,
} from '../support/evm.ts'
import { randomFrom } from '../support/random.ts'

let executor: Executor
beforeAll(async () => {
  executor = await createExecutor({ workers: 4, memoryLimit: 256 * 2 ** 20 })
})
afterAll(() => executor.close())

const people = Array.from({ length: 6 }, (_, k) => address(k + 1))
const target = address(0x500)

/** Calls the code often from different senders, so that workers are in it at the same time. */
const blockOf = (
  code: Hex,
  gas: number,
  data: readonly string[],
  fork: TestFork = 'cancun',
  times = 12,
): TestBlock => ({
  fork,
  coinbase: address(0xc0),
  gasLimit: 10n ** 15n,
  accounts: {
    ...Object.fromEntries(people.map((who) => [who, { balance: 10n ** 6n * ETHER }])),
    [target]: { nonce: 1, code, balance: 10n ** 6n },
  },
  transactions: Array.from({ length: times }, (_, k) => ({
    from: people[k % people.length] as Hex,
    to: target,
    gas,
    data: data[k % data.length] ?? '0x',
  })),
})

/** Both ways give the same; no transaction is executed more than twice. Returns the sequential result. */
async function expectBounded(block: TestBlock, repeat = 3) {
  const file = fileOf(block)
  const state = stateOf(file)
  const sequential = await run(executor, file, { state, sequential: true })
  for (let k = 0; k < repeat; k++) {
    const parallel = await run(executor, file, { state, speculation: 'always' })
    expectSame(parallel, sequential, `run ${k}`)
    expect(parallel.run.executions).toBeLessThanOrEqual(2 * block.transactions.length)
  }
  return sequential
}

const statuses = (result: Awaited<ReturnType<typeof expectBounded>>) =>
  new Set(result.receipts.map(({ status }) => status))

describe('limits of the EVM', () => {
  test('calls 1,024 deep, before and after EIP-150', async () => {
    // Counts its calls in a slot and calls itself with all that is left.
    const recursive = asm('0 SLOAD 1 ADD 0 SSTORE 0 0 0 0 0 ADDRESS GAS CALL POP')
    const greedy = asm('0 SLOAD 1 ADD 0 SSTORE 0 0 0 0 0 ADDRESS 30000 GAS SUB CALL POP')
    const early = await expectBounded(blockOf(greedy, 60_000_000, [], 'homestead', 4))
    expect(early.stateDiff.accounts.find((one) => one.address === target)?.storage.get(word(0))).toBe(word(4 * 1025))
    await expectBounded(blockOf(recursive, 2_000_000_000, [], 'cancun', 4))
  })

  test('memory at offsets that gas pays for, and at offsets that nothing pays for', async () => {
    const touch = asm('0 CALLDATALOAD MLOAD 0 SSTORE')
    const offsets = [2n ** 16n, 2n ** 20n, 2n ** 22n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 255n, 2n ** 256n - 1n]
    expect(statuses(await expectBounded(blockOf(touch, 40_000_000, offsets.map(word))))).toEqual(new Set([0, 1]))
    const lengths = asm('0 0 0 CALLDATALOAD 0 0 0 ADDRESS 1000 CALL POP 0 CALLDATALOAD 1 ADDRESS EXTCODECOPY')
    await expectBounded(blockOf(lengths, 10_000_000, offsets.map(word)))
    await expectBounded(blockOf(asm('0 CALLDATALOAD 0 0 RETURNDATACOPY'), 1_000_000, offsets.map(word)))
  })

  test('logs of a megabyte', async () => {
    const result = await expectBounded(
      blockOf(asm('0 CALLDATALOAD 0 LOG0'), 12_000_000, [word(2 ** 20)], 'cancun', 8),
      2,
    )
    expect(result.receipts.map(({ logs }) => logs[0]?.[2].length)).toEqual(Array(8).fill(2 ** 20))
  })

  test('code of 24,576 bytes is deployed, one byte more is not, and init code of 49,153 makes a block invalid', async () => {
    const deploy = (bytes: number): TestBlock => {
      const block = blockOf('0x00', 21_000, [], 'shanghai', 0)
      const data = initOf(`0x${'5b'.repeat(bytes)}`)
      return { ...block, transactions: people.map((from) => ({ from, data, gas: 8_000_000 })) }
    }
    expect(statuses(await expectBounded(deploy(24_576)))).toEqual(new Set([1]))
    expect(statuses(await expectBounded(deploy(24_577)))).toEqual(new Set([0]))
    const invalid = await endingOf(executor, deploy(49_153 - 13), { speculation: 'always' })
    expect(invalid).toMatchObject({ code: 'INVALID_TRANSACTION', txIndex: 0 })
  })

  test('jumps: a table of 24 kB, destinations that are data, loops that only gas ends', async () => {
    const table: Hex = `0x${'5b'.repeat(24_000)}60003556`
    await expectBounded(blockOf(table, 3_000_000, [0, 1, 12_000, 23_999, 24_001, 2 ** 40].map(word)))
    // PUSH32 over JUMPDESTs: what looks like a destination is data.
    const data: Hex = `0x600035565b${`7f${'5b'.repeat(32)}50`.repeat(700)}00`
    await expectBounded(blockOf(data, 300_000, [4, 5, 6, 40, 4000].map(word)))
    expect(statuses(await expectBounded(blockOf(asm('loop: @loop JUMP'), 20_000_000, [], 'cancun', 8)))).toEqual(
      new Set([0]),
    )
  })

  test('gas bombs: slots, copies, contracts made by contracts, self-destructs in a loop', async () => {
    const slots = asm('loop: GAS DUP1 SSTORE @loop JUMP')
    const copies = asm('loop: 1000000 0 0 CODECOPY @loop JUMP')
    // Its own code is the init code of what it creates.
    const brood = asm('loop: 40 0 0 CODECOPY 40 0 0 CREATE POP @loop JUMP')
    const destroy = asm('loop: 0 0 0 0 1 ADDRESS GAS CALL ADDRESS SELFDESTRUCT')
    for (const code of [slots, copies, brood, destroy])
      await expectBounded(blockOf(code, 10_000_000, [], 'cancun', 8), 2)
    await expectBounded(blockOf(destroy, 10_000_000, [], 'shanghai', 8), 2)
  })

  test('precompiles with lengths and words that are too much', async () => {
    const forward = asm(
      'CALLDATASIZE 0 0 CALLDATACOPY 0 0 CALLDATASIZE 0 0 DUP1 32 MLOAD POP 0 CALLDATALOAD GAS CALL 0 SSTORE RETURNDATASIZE 1 SSTORE',
    )
    const big = [0n, 1n, 2n ** 32n, 2n ** 64n - 1n, 2n ** 64n, 2n ** 255n, 2n ** 256n - 1n]
    const precompiles = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 0x100]
    const data = precompiles.flatMap((at) => big.map((value) => `${word(at)}${word(value).slice(2).repeat(6)}`))
    for (const fork of ['byzantium', 'prague', 'osaka'] as const) {
      await expectBounded(blockOf(forward, 3_000_000, data, fork, data.length), 2)
    }
  })

  test('random bytes as code', async () => {
    const random = randomFrom(7)
    const codes = Array.from({ length: 150 }, (_, k): [Hex, string] => {
      const bytes = Array.from({ length: 200 }, () => Math.floor(random() * 256))
      // Every other one begins with words on the stack, so that more than its first operation runs.
      const start = k % 2 === 0 ? '600160026003600460056006600760086009600a' : ''
      return [address(0x1000 + k), `0x${start}${Buffer.from(bytes).toString('hex')}`]
    })
    const block = blockOf('0x00', 200_000, [], 'prague', 0)
    const accounts = { ...block.accounts, ...Object.fromEntries(codes.map(([at, code]) => [at, { nonce: 1, code }])) }
    const transactions = codes.map(([to], k) => ({ from: people[k % 6] as Hex, to, gas: 200_000, data: word(k) }))
    const result = await expectBounded({ ...block, accounts, transactions })
    expect(result.receipts).toHaveLength(150)
  })
})
