/**
 * EIP-1283's own table of test cases: gas and refund of SSTORE as only Constantinople had it, through transactions.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createExecutor, type Executor, type Hex } from '../../src/index.ts'
import { address, ETHER, fileOf, run } from '../support/evm.ts'

let executor: Executor
beforeAll(async () => {
  executor = await createExecutor({ workers: 2, memoryLimit: 64 * 2 ** 20 })
})
afterAll(() => executor.close())

/** Code, gas used by it, refund, original value of the slot. */
const CASES: readonly (readonly [code: Hex, used: number, refund: number, original: number])[] = [
  ['0x60006000556000600055', 412, 0, 0],
  ['0x60006000556001600055', 20212, 0, 0],
  ['0x60016000556000600055', 20212, 19800, 0],
  ['0x60016000556002600055', 20212, 0, 0],
  ['0x60016000556001600055', 20212, 0, 0],
  ['0x60006000556000600055', 5212, 15000, 1],
  ['0x60006000556001600055', 5212, 4800, 1],
  ['0x60006000556002600055', 5212, 0, 1],
  ['0x60026000556000600055', 5212, 15000, 1],
  ['0x60026000556003600055', 5212, 0, 1],
  ['0x60026000556001600055', 5212, 4800, 1],
  ['0x60026000556002600055', 5212, 0, 1],
  ['0x60016000556000600055', 5212, 15000, 1],
  ['0x60016000556002600055', 5212, 0, 1],
  ['0x60016000556001600055', 412, 0, 1],
  ['0x600160005560006000556001600055', 40218, 19800, 0],
  ['0x600060005560016000556000600055', 10218, 19800, 1],
]

const INTRINSIC = 21_000

const gasOf = async (fork: 'constantinople' | 'petersburg', code: Hex, original: number) => {
  const [sender, target] = [address(1), address(2)]
  const accounts = { [sender]: { balance: ETHER }, [target]: { code, storage: { '0x0': `0x${original}` } } }
  const transactions = [{ from: sender, to: target, gas: 100_000 }]
  const { results } = await run(executor, fileOf({ fork, coinbase: address(3), accounts, transactions }))
  return Number(results[0]?.totalGasSpent)
}

describe('EIP-1283', () => {
  test.each(CASES)('%s uses %i gas and refunds %i where the slot had %i', async (code, used, refund, original) => {
    const spent = INTRINSIC + used
    expect(await gasOf('constantinople', code, original)).toBe(spent - Math.min(refund, Math.floor(spent / 2)))
  })

  test('Petersburg took it back: writing a slot twice costs twice', async () => {
    expect(await gasOf('petersburg', '0x60016000556002600055', 0)).toBe(INTRINSIC + 20_000 + 5_000 + 12)
  })
})
