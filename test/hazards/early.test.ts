/**
 * Transactions that are begun before their turn, for their gas limits or by what was learned (docs/algorithm.md D12): on the
 * real pool. They read what is not true yet, and pay from what is not there yet.
 */
import { afterAll, describe, expect, test } from 'vitest'
import { createExecutor, type Executor, type Hex } from '../../src/index.ts'
import { address, asm, COUNTER, ETHER, expectSame, fileOf, run, stateOf } from '../support/evm.ts'

const executors: Executor[] = []
afterAll(async () => {
  for (const executor of executors) await executor.close()
})

const COUNTING = address(0x101)
const LOOPING = address(0x102)
const POOR = address(0x200)
const SENDERS = Array.from({ length: 60 }, (_, k) => address(k + 1))
const accounts = {
  ...Object.fromEntries(SENDERS.map((name) => [name, { balance: ETHER }])),
  [COUNTING]: { nonce: 1, code: COUNTER },
  // Turns until two thirds of its gas are gone, then counts.
  [LOOPING]: { nonce: 1, code: asm('turn: 900000 GAS GT @turn JUMPI 0 SLOAD 1 ADD 0 SSTORE') },
}
const LONG = 3_000_000

/** Short ones, and among them some with a large limit. */
const fileWith = (
  long: Readonly<Record<number, { from?: Hex; to?: Hex }>>,
  besides: Readonly<Record<number, object>> = {},
) =>
  fileOf({
    fork: 'shanghai',
    coinbase: address(0xc0),
    accounts,
    transactions: SENDERS.map((from, k) => ({
      from,
      to: COUNTING,
      gas: long[k] === undefined ? 60_000 : LONG,
      ...long[k],
      ...besides[k],
    })),
  })

const cases: Readonly<Record<string, ReturnType<typeof fileWith>>> = {
  'on its own': fileWith({ 50: { to: LOOPING } }),
  'reads what all others write': fileWith({ 50: { to: COUNTING }, 20: { to: COUNTING } }),
  'three that read what each other writes': fileWith({ 55: { to: LOOPING }, 30: { to: LOOPING }, 5: { to: LOOPING } }),
  'pays from what it is sent before': fileWith(
    { 50: { from: POOR, to: LOOPING } },
    { 10: { to: POOR, value: ETHER / 2n } },
  ),
  'the first and the last': fileWith({ 0: { to: LOOPING }, 59: { to: LOOPING } }),
}

describe.each([2, 3])('begun before its turn, %i workers', (workers) => {
  test.each(['auto', 'always'] as const)('as in order (%s)', async (speculation) => {
    const executor = await createExecutor({ workers, memoryLimit: 64 * 2 ** 20, learn: speculation === 'auto' })
    executors.push(executor)
    for (const [name, file] of Object.entries(cases)) {
      const state = stateOf(file)
      const oracle = await run(executor, file, { state, sequential: true })
      for (let k = 0; k < 6; k++) {
        const result = await run(executor, file, { state, speculation })
        expectSame(result, oracle)
        expect(result.run.executions, name).toBeGreaterThanOrEqual(SENDERS.length)
      }
    }
  })
})
