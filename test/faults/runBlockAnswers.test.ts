/**
 * `runBlock` of blockloom/ethereumjs where what it tells the caller's objects is not heard, or answered with garbage:
 * typed errors in bounded time, and no half of a block.
 */
import { createTx } from '@ethereumjs/tx'
import { Account, createAddressFromString } from '@ethereumjs/util'
import type { VM } from '@ethereumjs/vm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createExecutor, runBlock } from '../../src/ethereumjs.ts'
import type { Executor } from '../../src/index.ts'
import { address, asm, toHex } from '../support/evm.ts'
import { COUNTING, MIXED, smallBlock, smallVm } from '../support/smallVm.ts'

let executor: Executor
beforeAll(async () => {
  executor = await createExecutor({ workers: 2, memoryLimit: 64 * 2 ** 20 })
})
afterAll(() => executor.close())

const GENERATE = { generate: true, skipBlockValidation: true } as const
const boom = new Error('the chain is gone')
const rootOf = async ({ stateManager }: VM): Promise<string> => toHex(await stateManager.getStateRoot())

async function fresh() {
  const vm = await smallVm()
  return { vm, block: smallBlock(vm, MIXED), manager: vm.stateManager as unknown as Record<string, Told> }
}
type Told = (...given: unknown[]) => Promise<unknown>

describe.each(['checkpoint', 'putAccount', 'putStorage', 'getStateRoot', 'commit'])(
  'a state manager that hangs when it is told %s',
  (method) => {
    test('ends the call in time, and is taken back once it answers', async () => {
      const { vm, block, manager } = await fresh()
      const before = await rootOf(vm)
      const original = (manager[method] as Told).bind(manager)
      let answer: () => void = () => undefined
      const answered = new Promise<void>((resolve) => {
        answer = resolve
      })
      const later: string[] = []
      let isLate = false
      manager[method] = async (...given) => {
        await answered
        // It may tell itself of an account, as the storage of one does.
        return original(...given).finally(() => {
          isLate = true
        })
      }
      for (const other of ['putAccount', 'putStorage', 'putCode'].filter((name) => name !== method)) {
        const put = (manager[other] as Told).bind(manager)
        manager[other] = async (...given) => {
          if (isLate) later.push(other)
          return put(...given)
        }
      }
      const reverted = new Promise<void>((resolve) => {
        const revert = (manager['revert'] as Told).bind(manager)
        manager['revert'] = async () => revert().then(() => resolve())
      })
      const run = runBlock(vm, { ...GENERATE, block, executor, stateTimeout: 40 })
      await expect(run).rejects.toMatchObject({ code: 'STATE_SOURCE_FAILED', fields: { limit: 40 } })
      answer()
      manager[method] = original
      // One whose commit went through after all is not reverted.
      if (method === 'commit') return
      await reverted
      expect(later).toEqual([])
      expect(await rootOf(vm)).toBe(before)
    })
  },
)

test('a state manager that is slow, but within its time for each thing, is waited for', async () => {
  const { vm, block, manager } = await fresh()
  const put = (manager['putAccount'] as Told).bind(manager)
  manager['putAccount'] = async (...given) => {
    await new Promise((resolve) => setTimeout(resolve, 30))
    return put(...given)
  }
  // Seven accounts change: all writes together take longer than one may.
  const { run } = await runBlock(vm, { ...GENERATE, block, executor, stateTimeout: 150 })
  expect(run.path).toBe('parallel')
})

test.each([
  ['nothing', async () => undefined],
  ['31 bytes', async () => new Uint8Array(31)],
])('a state root that is %s: STATE_SOURCE_FAILED', async (_, answer) => {
  const { vm, block, manager } = await fresh()
  const before = await rootOf(vm)
  const original = manager['getStateRoot'] as Told
  manager['getStateRoot'] = answer
  await expect(runBlock(vm, { ...GENERATE, block, executor })).rejects.toMatchObject({ code: 'STATE_SOURCE_FAILED' })
  manager['getStateRoot'] = original
  expect(await rootOf(vm)).toBe(before)
})

test('a state root to begin from that the manager does not know: STATE_SOURCE_FAILED', async () => {
  const { vm, block } = await fresh()
  const before = await rootOf(vm)
  const run = runBlock(vm, { ...GENERATE, block, executor, root: new Uint8Array(32).fill(7) })
  await expect(run).rejects.toMatchObject({ code: 'STATE_SOURCE_FAILED' })
  expect(await rootOf(vm)).toBe(before)
})

describe('BLOCKHASH', () => {
  test.each<[string, () => Promise<unknown>, object]>([
    ['rejects', () => Promise.reject(boom), { cause: boom }],
    ['has no such block', async () => undefined, {}],
    ['answers with a short hash', async () => ({ hash: () => new Uint8Array(31) }), {}],
  ])('of a blockchain that %s: MISSING_BLOCK_HASH', async (_, getBlock, error) => {
    const { vm, manager } = await fresh()
    const asking = createAddressFromString(address(0x201))
    await vm.stateManager.putAccount(asking, new Account(1n, 0n))
    await (manager['putCode'] as Told)(asking, Buffer.from(asm('4 BLOCKHASH 0 SSTORE STOP').slice(2), 'hex'))
    const before = await rootOf(vm)
    Object.assign((vm as unknown as { blockchain: object }).blockchain, { getBlock })
    const block = smallBlock(vm, [{ to: address(0x201) }])
    await expect(runBlock(vm, { ...GENERATE, block, executor })).rejects.toMatchObject({
      code: 'MISSING_BLOCK_HASH',
      fields: { blockNumber: '4' },
      ...error,
    })
    expect(await rootOf(vm)).toBe(before)
  })
})

test('a transaction without a signature: MISSING_SENDER with its index', async () => {
  const { vm, block } = await fresh()
  const [signed] = block.transactions
  const unsigned = createTx({ type: 2, chainId: 7, to: COUNTING, gasLimit: 50_000n }, { common: vm.common })
  const mixed: typeof block = Object.create(block, { transactions: { value: [signed, unsigned] } })
  await expect(runBlock(vm, { ...GENERATE, block: mixed, executor })).rejects.toMatchObject({
    code: 'MISSING_SENDER',
    fields: { txIndex: 1 },
  })
})

test.each([
  ['executor', {}],
  ['signal', { aborted: true }],
])('%s that is none: INVALID_OPTION', async (option, given) => {
  const { vm, block } = await fresh()
  const run = runBlock(vm, { ...GENERATE, block, executor, [option]: given } as never)
  await expect(run).rejects.toMatchObject({ code: 'INVALID_OPTION', fields: { option } })
})

test('a data fee whose function throws: INVALID_OPTION with the cause', async () => {
  const { vm, block } = await fresh()
  const of = (): bigint => {
    throw boom
  }
  const run = runBlock(vm, { ...GENERATE, block, executor, fees: { dataFee: { recipient: address(0xf3), of } } })
  await expect(run).rejects.toMatchObject({ code: 'INVALID_OPTION', cause: boom, fields: { txIndex: 0 } })
})
