/** Light blocks, which the first worker begins alone (docs/algorithm.md D10): on the real pool, with the real clock. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createExecutor, type Executor } from '../../src/index.ts'
import { address, asm, COUNTER, ETHER, expectPlaceDiffs, expectSame, fileOf, run, stateOf } from '../support/evm.ts'

const executors: Executor[] = []
beforeAll(async () => {
  for (const workers of [2, 4]) executors.push(await createExecutor({ workers, memoryLimit: 128 * 2 ** 20 }))
})
afterAll(async () => {
  for (const executor of executors) await executor.close()
})

const COUNTING = address(0x101)
const LOOPING = address(0x102)
const SENDERS = Array.from({ length: 40 }, (_, k) => address(k + 1))
const accounts = {
  ...Object.fromEntries(SENDERS.map((name) => [name, { balance: ETHER }])),
  [COUNTING]: { nonce: 1, code: COUNTER },
  // Turns until little of its gas is left: some hundred microseconds.
  [LOOPING]: { nonce: 1, code: asm('turn: 30000 GAS GT @turn JUMPI 0 SLOAD 1 ADD 0 SSTORE') },
}
const blockOf = (to: `0x${string}`, count: number, gas: number) =>
  fileOf({
    fork: 'shanghai',
    coinbase: address(0xc0),
    accounts,
    transactions: Array.from({ length: count }, (_, k) => ({ from: SENDERS[k] as `0x${string}`, to, gas })),
  })

describe('a light block', () => {
  test.each([4, 20])('of %i transactions is run by the first worker, each one once', async (count) => {
    const file = blockOf(COUNTING, count, 60_000)
    for (const executor of executors) {
      const result = await run(executor, file)
      expectSame(result, await run(executor, file, { sequential: true }))
      const { direct, executions, speculative, fallback } = result.run
      // A machine that is very busy may make it look long.
      expect(direct).toBeGreaterThan(0)
      expect(executions).toBeGreaterThanOrEqual(count)
      expect(direct + speculative + fallback).toBeLessThanOrEqual(count)
    }
  })

  test('that turns out to be long is shared with the others, and its conflicts are found', async () => {
    const file = blockOf(LOOPING, 16, 600_000)
    for (const executor of executors) {
      const oracle = await run(executor, file, { sequential: true })
      let isShared = false
      // Where the machine is busy, those who are called may come too late.
      for (let k = 0; k < 50 && !isShared; k++) {
        const result = await run(executor, file)
        expectSame(result, oracle)
        isShared = result.run.direct < 16
      }
      expect(isShared).toBe(true)
    }
  })

  test('says what each place changed', async () => {
    const file = blockOf(COUNTING, 12, 60_000)
    for (const executor of executors) {
      const result = await run(executor, file, { placeDiffs: true })
      await expectPlaceDiffs(() => stateOf(file), result)
    }
  })

  test('is speculated on from its first transaction where that is asked for', async () => {
    const [executor] = executors as [Executor]
    const result = await run(executor, blockOf(COUNTING, 12, 60_000), { speculation: 'always' })
    expect(result.run.direct).toBe(0)
  })
})

describe('a block of queues of payments', () => {
  const file = fileOf({
    fork: 'shanghai',
    coinbase: address(0xc0),
    accounts,
    transactions: Array.from({ length: 600 }, (_, k) => ({
      from: SENDERS[k % 3] as `0x${string}`,
      to: address(0x500 + (k % 50)),
      value: 5n,
      gas: 21_000,
    })),
  })

  test('is begun by the first worker, and is what it is in order', async () => {
    for (const executor of executors) {
      const result = await run(executor, file)
      expectSame(result, await run(executor, file, { sequential: true }))
      expect(result.run.direct).toBeGreaterThan(0)
    }
  })
})
