/**
 * Work that is thrown away, counted where it is done: units of a task, instructions of an EVM, in every incarnation, those
 * broken off included. Lists made to be executed in vain cost at most twice what they cost in order.
 */
import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, test } from 'vitest'
import { createExecutor, type Hex } from '../../src/index.ts'
import { createTaskExecutor, type RunTasksOptions, type TaskCall } from '../../src/tasks.ts'
import { address, asm, ETHER, expectSame, fileOf, run, stateOf, word } from '../support/evm.ts'

const MIB = 2 ** 20
const PLACES = 400
const UNITS = 2000
const TASKS = new URL('../support/workTasksModule.mjs', import.meta.url)

/** Slots of a thread's own, by its number. */
const work = new Float64Array(new SharedArrayBuffer(8 * 1024))
const worker = () =>
  new Worker(new URL('../../dist/worker.js', import.meta.url), { workerData: { work: work.buffer }, name: 'blockloom' })
const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const executor of open.splice(0)) await executor.close()
})

/** What is done in a run, in units or instructions. */
async function workOf(task: () => Promise<unknown>): Promise<number> {
  work.fill(0)
  await task()
  return work.reduce((sum, units) => sum + units, 0)
}

const tasks = async (workers: number) => {
  const executor = await createTaskExecutor(TASKS, { workers, worker, memoryLimit: 16 * MIB })
  open.push(executor)
  return (calls: readonly TaskCall[], options: RunTasksOptions) =>
    workOf(async () => expect((await executor.run(calls, options)).results).toHaveLength(calls.length))
}

describe('tasks', () => {
  const lists: Readonly<Record<string, readonly TaskCall[]>> = {
    'each reads what the one before writes': Array.from({ length: PLACES }, () => ({ task: 'link', input: UNITS })),
    'write sets change with every incarnation': Array.from({ length: PLACES }, (_, index) => ({
      task: 'wander',
      input: { index, units: UNITS },
    })),
  }
  const cases = Object.entries(lists).flatMap(([name, calls]) =>
    (['always', 'auto'] as const).flatMap((speculation) =>
      [2, 4].map((workers) => [name, speculation, workers, calls] as const),
    ),
  )

  test.each(cases)('%s (%s, %i workers): at most twice the work', async (_, speculation, workers, calls) => {
    const doing = await tasks(workers)
    const inOrder = await doing(calls, { sequential: true })
    expect(inOrder).toBe(PLACES * UNITS)
    for (let repeat = 0; repeat < 3; repeat++) {
      const done = await doing(calls, { speculation })
      expect(done).toBeGreaterThanOrEqual(inOrder)
      expect(done).toBeLessThanOrEqual(2 * inOrder)
    }
  })

  test.each(['always', 'auto'] as const)(
    'who works more where a read is stale does so once a place (%s): the work is bounded by what a place may take',
    async (speculation) => {
      const doing = await tasks(2)
      const most = 20 * UNITS
      const calls = Array.from({ length: PLACES }, (_, index) => ({
        task: 'burn',
        input: { index, units: UNITS, most },
      }))
      const inOrder = await doing(calls, { sequential: true })
      expect(inOrder).toBe(PLACES * UNITS)
      expect(await doing(calls, { speculation })).toBeLessThanOrEqual(inOrder + PLACES * most)
    },
  )
})

describe('blocks', () => {
  /** Reads a slot, turns, writes the slot after it and the one that the value names. */
  const WANDER = asm(`
    0 SLOAD DUP1 15 AND SLOAD ADD 1 ADD
    60 loop: 1 SWAP1 SUB DUP1 @loop JUMPI POP
    DUP1 DUP1 31 AND SSTORE 0 SSTORE`)

  test.each(['always', 'auto'] as const)(
    'each transaction reads what the one before wrote (%s): at most twice the instructions',
    async (speculation) => {
      const people = Array.from({ length: 20 }, (_, k) => address(k + 1))
      const file = fileOf({
        fork: 'shanghai',
        coinbase: people[0] as Hex,
        accounts: {
          ...Object.fromEntries(people.map((who) => [who, { balance: ETHER }])),
          [address(0x50)]: { nonce: 1, code: WANDER },
        },
        transactions: Array.from({ length: 120 }, (_, k) => ({ from: people[k % 20] as Hex, to: address(0x50) })),
      })
      const executor = await createExecutor({
        adapter: 'ethereumjs',
        ethereumjs: { module: new URL('../support/workEvmModule.mjs', import.meta.url) },
        workers: 2,
        memoryLimit: 16 * MIB,
        worker,
      })
      open.push(executor)
      const state = stateOf(file)
      let expected: Awaited<ReturnType<typeof run>> | undefined
      const inOrder = await workOf(async () => {
        expected = await run(executor, file, { state, sequential: true })
      })
      expect(inOrder).toBeGreaterThan(120 * 60 * 6)
      const done = await workOf(async () => {
        expectSame(await run(executor, file, { state, speculation }), expected as never)
      })
      expect(done).toBeGreaterThanOrEqual(inOrder)
      expect(done).toBeLessThanOrEqual(2 * inOrder)
    },
  )

  /** Reads a slot, turns, and writes one more: the gas is the same whatever it reads. */
  const LINK = asm(`
    0 SLOAD 1 ADD
    200 loop: 1 SWAP1 SUB DUP1 @loop JUMPI POP
    0 SSTORE`)

  test.each([
    ['always', 2],
    ['always', 4],
    ['auto', 2],
    ['auto', 4],
  ] as const)('a chain on the default EVM (%s, %i workers): at most twice the gas', async (speculation, workers) => {
    const people = Array.from({ length: 20 }, (_, k) => address(k + 1))
    const file = fileOf({
      fork: 'shanghai',
      coinbase: address(0xc0),
      accounts: {
        ...Object.fromEntries(people.map((who) => [who, { balance: ETHER }])),
        [address(0x50)]: { nonce: 1, code: LINK, storage: { [word(0)]: word(1) } },
      },
      transactions: Array.from({ length: PLACES }, (_, k) => ({ from: people[k % 20] as Hex, to: address(0x50) })),
    })
    const executor = await createExecutor({ workers, memoryLimit: 16 * MIB })
    open.push(executor)
    const state = stateOf(file)
    const inOrder = await run(executor, file, { state, sequential: true })
    const each = inOrder.receipts[0]?.gasUsed ?? 0n
    expect(inOrder.receipts.every(({ gasUsed }) => gasUsed === each)).toBe(true)
    for (let repeat = 0; repeat < 3; repeat++) {
      const done = await run(executor, file, { state, speculation })
      expectSame(done, inOrder)
      // Every incarnation takes that much, also one that is thrown away.
      expect(BigInt(done.run.executions) * each).toBeLessThanOrEqual(2n * inOrder.gasUsed)
    }
  })
})
