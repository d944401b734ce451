/** Transactions to one account in a row, which one worker claims together (docs/algorithm.md D13): on the real pool. */
import { afterAll, describe, expect, test } from 'vitest'
import { createExecutor, type Executor } from '../../src/index.ts'
import { address, asm, ETHER, expectSame, fileOf, run, stateOf } from '../support/evm.ts'

const executors: Executor[] = []
afterAll(async () => {
  for (const executor of executors) await executor.close()
})

/** Reads its counter, turns for a tenth of a millisecond and more, then counts: two side by side always conflict. */
const SLOW_COUNTER = asm('0 SLOAD turn: 900000 GAS GT @turn JUMPI 1 ADD 0 SSTORE')
const PAIRS = 40
const contract = (k: number) => address(0x100 + k)
const senders = Array.from({ length: 2 * PAIRS }, (_, k) => address(k + 1))
const accounts = {
  ...Object.fromEntries(senders.map((name) => [name, { balance: ETHER }])),
  ...Object.fromEntries(Array.from({ length: PAIRS }, (_, k) => [contract(k), { nonce: 1, code: SLOW_COUNTER }])),
}
const fileWith = (contractOf: (k: number) => number, gasOf: (k: number) => number = () => 1_800_000) =>
  fileOf({
    fork: 'shanghai',
    coinbase: address(0xc0),
    accounts,
    transactions: senders.map((from, k) => ({ from, to: contract(contractOf(k)), gas: gasOf(k), data: '0x01' })),
  })

describe.each([2, 3])('rows, %i workers', (workers) => {
  test('pairs that conflict are seldom executed again', async () => {
    const executor = await createExecutor({ workers, memoryLimit: 64 * 2 ** 20 })
    executors.push(executor)
    const file = fileWith((k) => k >> 1)
    const state = stateOf(file)
    const oracle = await run(executor, file, { state, sequential: true })
    const result = await run(executor, file, { state, speculation: 'always' })
    expectSame(result, oracle)
    // Apart from each other, the second of every second or third pair is.
    expect(result.run.aborts).toBeLessThan(PAIRS / 4)
  })

  test.each<[string, (k: number) => number]>([
    ['all are one, which is too long', () => 0],
    ['no neighbours', (k) => k % 3],
    ['rows that get longer', (k) => Math.floor(Math.sqrt(k))],
    ['rows of eight', (k) => k >> 3],
    ['a long one, and single ones behind it', (k) => (k < 50 ? 0 : k % PAIRS)],
    ['a long one at the end', (k) => (k < 30 ? k : 0)],
  ])('%s: as in order', async (_, contractOf) => {
    const executor = await createExecutor({ workers, memoryLimit: 64 * 2 ** 20 })
    executors.push(executor)
    // Those with much gas are begun before their turn (D12), out of the midst of their rows: others claim around them.
    for (const gasOf of [() => 1_800_000, (k: number) => (k % 23 === 22 ? 9_000_000 : 950_000)]) {
      const file = fileWith(contractOf, gasOf)
      const state = stateOf(file)
      const oracle = await run(executor, file, { state, sequential: true })
      for (const speculation of ['auto', 'always', 'auto', 'always'] as const) {
        expectSame(await run(executor, file, { state, speculation }), oracle)
      }
    }
  })
})
