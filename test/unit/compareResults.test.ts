/** The comparison of two results of one block names the first transaction and field that differ, and nothing else. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type BlockResult,
  compareBlockResults,
  createExecutor,
  differenceText,
  type Executor,
  type StateDiff,
} from '../../src/index.ts'
import { address, COUNTER, ETHER, run, type TestBlock } from '../support/evm.ts'

const counter = address(0x101)
const block: TestBlock = {
  fork: 'cancun',
  coinbase: address(0xc0),
  accounts: { [address(1)]: { balance: ETHER }, [counter]: { nonce: 1, code: COUNTER } },
  transactions: Array.from({ length: 3 }, () => ({ from: address(1), to: counter })),
}

let executor: Executor
let result: BlockResult
beforeAll(async () => {
  executor = await createExecutor({ workers: 1, memoryLimit: 64 * 2 ** 20 })
  result = await run(executor, block, { sequential: true })
})
afterAll(() => executor.close())

const receiptWith = (k: number, change: object): BlockResult => ({
  ...result,
  receipts: result.receipts.map((receipt, at) => (at === k ? { ...receipt, ...change } : receipt)),
})
const stateWith = (k: number, change: object): BlockResult => {
  const accounts = result.stateDiff.accounts.map((account, at) => (at === k ? { ...account, ...change } : account))
  return { ...result, stateDiff: { ...result.stateDiff, accounts } satisfies StateDiff }
}

describe('compareBlockResults', () => {
  test('a result is the same as itself, whatever its run was, and as another run of the block', async () => {
    expect(compareBlockResults(result, { ...result, run: { ...result.run, ms: 1e9, workers: 64 } })).toBeUndefined()
    expect(compareBlockResults(result, await run(executor, block, { speculation: 'always' }))).toBeUndefined()
  })

  test('the first transaction counts, and in it the first field', () => {
    const other = receiptWith(1, { gasUsed: 7n, bitvector: new Uint8Array(256) })
    const found = compareBlockResults(result, { ...other, gasUsed: 0n })
    expect(found).toEqual({ txIndex: 1, field: 'gasUsed', values: [String(result.receipts[1]?.gasUsed), '7'] })
    expect(differenceText(found as NonNullable<typeof found>)).toMatch(/^transaction 1, gasUsed: \d+ and 7$/)
  })

  test.each<[string, () => BlockResult, object]>([
    ['a status', () => receiptWith(2, { status: 0 }), { txIndex: 2, field: 'status', values: ['1', '0'] }],
    ['a log that is not there', () => receiptWith(0, { logs: [] }), { txIndex: 0, field: 'logs', values: ['1', '0'] }],
    [
      'data of a log',
      () => receiptWith(0, { logs: [[new Uint8Array(20), [], Uint8Array.of(1)]] }),
      { txIndex: 0, field: 'logs[0].address' },
    ],
    ['a missing receipt', () => ({ ...result, receipts: result.receipts.slice(1) }), { txIndex: 0, field: 'gasUsed' }],
    ['the root of receipts', () => ({ ...result, receiptsRoot: undefined }), { field: 'receiptsRoot' }],
    [
      'requests',
      () => ({ ...result, requests: [Uint8Array.of(1)] }),
      { field: 'requests', values: ['nothing', '0x01'] },
    ],
    ['a balance', () => stateWith(0, { balance: 3n }), { address: address(1), field: 'balance' }],
    ['an account that is gone', () => stateWith(1, { deleted: true }), { field: 'deleted', values: ['false', 'true'] }],
    [
      'a slot',
      () => stateWith(2, { storage: new Map() }),
      { field: expect.stringMatching(/^storage\.0x0+$/), values: [expect.any(String), 'nothing'] },
    ],
    [
      'a root, where nothing else differs',
      () => ({ ...result, stateRoot: new Uint8Array(32) }),
      { field: 'stateRoot' },
    ],
  ])('%s', (_, other, expected) => {
    expect(compareBlockResults(result, other())).toMatchObject(expected)
  })

  test('what a halt is called is no difference', () => {
    const renamed = result.results.map((one) => ({ ...one, haltReason: 'other' as const }))
    expect(compareBlockResults(result, { ...result, results: renamed })).toBeUndefined()
  })
})
