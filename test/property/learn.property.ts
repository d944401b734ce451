/** Hints of earlier runs decide nothing and spare aborts: with `learn` and without, the same results, run after run. */
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { makeWorkload } from '../../src/cli/workloads.ts'
import { chainAtFork, createExecutor, createMemoryState, type Executor } from '../../src/index.ts'
import { createKeyValueState, createTaskExecutor, type TaskExecutor } from '../../src/tasks.ts'
import { exploreSchedules } from '../../src/testing.ts'
import { callsOf, contentsOf, fill, outcomesOf, PlainStore, programs, runInOrder } from '../support/program.ts'

const MIB = 2 ** 20
const RUNS = 3
const module = new URL('../support/taskModule.mjs', import.meta.url)

const tasks: TaskExecutor[] = []
const blocks: Executor[] = []
afterAll(async () => {
  for (const executor of [...tasks, ...blocks]) await executor.close()
})

describe('learning', () => {
  test('of generated tasks changes no result and no state', async () => {
    // The first of them runs without hints; what the other learned of earlier lists stays with it.
    for (const learn of [false, true]) {
      tasks.push(await createTaskExecutor(module, { workers: 3, memoryLimit: 64 * MIB, learn }))
    }
    const speculation = fc.constantFrom('always' as const, 'auto' as const)
    await fc.assert(
      fc.asyncProperty(fc.array(programs, { maxLength: 60 }), speculation, async (list, mode) => {
        for (const executor of tasks) {
          for (let k = 0; k < RUNS; k++) {
            const state = fill(createKeyValueState({ maxBytes: 4 * MIB }), new PlainStore())
            const { results, stateDiff } = await executor.run(callsOf(list), { state, speculation: mode })
            const store = new PlainStore()
            const incarnations = results.map(({ incarnation }) => incarnation)
            const expected = runInOrder(list, incarnations, store)
            expect(outcomesOf(results).map(({ status }) => status)).toEqual(expected.map(({ status }) => status))
            expect(outcomesOf(results).filter(({ status }) => status === 'done')).toEqual(
              expected.filter(({ status }) => status === 'done'),
            )
            await state.apply(stateDiff)
            expect(contentsOf(state)).toEqual(contentsOf(store))
          }
        }
      }),
      { numRuns: 15 },
    )
  })

  test('of blocks changes no receipt and no state', async () => {
    for (const learn of [false, true]) {
      blocks.push(await createExecutor({ workers: 3, memoryLimit: 64 * MIB, learn }))
    }
    const names = fc.constantFrom('erc20-hot' as const, 'erc20-chain' as const, 'mixed' as const, 'chain' as const)
    await fc.assert(
      fc.asyncProperty(names, fc.integer({ min: 1, max: 150 }), async (name, transactions) => {
        const file = makeWorkload(name, transactions)
        const options = { chain: chainAtFork(file.fork), senders: 'trust', only: 'transactions' } as const
        const [plain, learning] = blocks as [Executor, Executor]
        const load = () => createMemoryState({ maxBytes: 64 * MIB }).load(file)
        const oracle = await plain.executeBlock(file.block, { ...options, state: load(), sequential: true })
        for (const executor of [plain, learning, learning]) {
          const result = await executor.executeBlock(file.block, { ...options, state: load(), speculation: 'always' })
          expect(result.receipts).toEqual(oracle.receipts)
          expect(result.stateDiff).toEqual(oracle.stateDiff)
        }
      }),
      { numRuns: 12 },
    )
  })

  // Schedules are chosen, so counts are the same each time: 478 and 27 aborts when this was written.
  test('makes a repeated block abort a tenth as often under the same schedules', async () => {
    const file = makeWorkload('erc20-hot', 24)
    const state = createMemoryState({ maxBytes: 64 * MIB }).load(file)
    const run = { state, chain: chainAtFork(file.fork), senders: 'trust', only: 'transactions' } as const
    const abortsOf = async (learn: boolean): Promise<number> => {
      const executor = (threads: object) => createExecutor({ ...threads, memoryLimit: 64 * MIB, learn })
      const options = { seed: 7, schedules: 60, preemptions: 12 }
      const report = await exploreSchedules({ executor, block: file.block, run }, options)
      expect(report).toMatchObject({ ok: true, schedules: 60, cut: 0 })
      return report.aborts
    }
    const plain = await abortsOf(false)
    expect(plain).toBeGreaterThan(100)
    // Every twentieth schedule begins on threads and an executor that have learned nothing.
    expect(await abortsOf(true)).toBeLessThan(plain / 10)
  })
})
