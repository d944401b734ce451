/**
 * Lists and blocks made to be executed in vain: each transaction reads what the one before it writes, and write sets
 * change with every incarnation. The work is counted, never timed: no more than two incarnations a place, and all of it
 * in a working memory of 16 MiB.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createExecutor, type Executor, type Hex } from '../../src/index.ts'
import { createKeyValueState, createTaskExecutor, type TaskExecutor } from '../../src/tasks.ts'
import { address, asm, ETHER, expectSame, fileOf, run, stateOf, type TestBlock } from '../support/evm.ts'
import { callsOf, outcomesOf, PlainStore, type Program, runInOrder } from '../support/program.ts'

const MIB = 2 ** 20
let tasks: TaskExecutor
let blocks: Executor
beforeAll(async () => {
  tasks = await createTaskExecutor(new URL('../support/taskModule.mjs', import.meta.url), {
    workers: 4,
    memoryLimit: 16 * MIB,
  })
  blocks = await createExecutor({ workers: 4, memoryLimit: 16 * MIB })
})
afterAll(async () => {
  await tasks.close()
  await blocks.close()
})

const PLACES = 1000

async function expectTasksBounded(list: readonly Program[], speculation: 'always' | 'auto'): Promise<number> {
  const state = createKeyValueState({ maxBytes: 4 * MIB })
  const { results, run: report } = await tasks.run(callsOf(list), { state, speculation })
  const incarnations = results.map(({ incarnation }) => incarnation)
  expect(outcomesOf(results)).toEqual(runInOrder(list, incarnations, new PlainStore()))
  expect(report.executions).toBeLessThanOrEqual(2 * list.length)
  if (speculation === 'always') expect(Math.max(...incarnations)).toBeLessThanOrEqual(1)
  return report.aborts
}

/** Threads decide how many aborts there are; none in ten runs would be a test of nothing. */
async function expectAborts(list: readonly Program[]): Promise<void> {
  let aborts = 0
  for (let k = 0; k < 10 && aborts === 0; k++) aborts += await expectTasksBounded(list, 'always')
  expect(aborts).toBeGreaterThan(0)
}

describe('tasks', () => {
  test.each(['always', 'auto'] as const)('a chain with work before each write (%s)', async (speculation) => {
    const link: Program = [
      { op: 'get', key: 'k0', to: 0 },
      { op: 'spin', ms: 0.01 },
      { op: 'set', key: 'k0', by: 0, plus: 1 },
    ]
    await expectTasksBounded(
      Array.from({ length: PLACES }, () => link),
      speculation,
    )
  })

  test('where each writes is what it has read: a stale read writes elsewhere', async () => {
    const wander: Program = [
      { op: 'get', key: 'k0', to: 0 },
      { op: 'getAt', by: 0, to: 1 },
      { op: 'spin', ms: 0.01 },
      { op: 'setAt', by: 1, plus: 3 },
      { op: 'set', key: 'k0', by: 0, plus: 7 },
    ]
    const aborts = await expectTasksBounded(
      Array.from({ length: PLACES }, () => wander),
      'always',
    )
    // Threads decide how many; none at all would be a test of nothing.
    expect(aborts).toBeGreaterThan(0)
  })

  test('every incarnation writes other keys', async () => {
    const list = Array.from(
      { length: PLACES },
      (_, k): Program => [
        { op: 'get', key: `k${(k + 7) % 8}`, to: 0 },
        { op: 'spin', ms: 0.01 },
        {
          op: 'ifAgain',
          // biome-ignore lint/suspicious/noThenProperty: nobody awaits an operation
          then: [{ op: 'set', key: `k${k % 8}`, by: 0, plus: 1 }],
          otherwise: [0, 1, 2, 3].map((j) => ({ op: 'set', key: `k${(k + j) % 8}`, by: 0, plus: j }) as const),
        },
      ],
    )
    await expectAborts(list)
  })

  test('bounds that are reached only in order', async () => {
    const list = Array.from(
      { length: PLACES },
      (_, k): Program => [
        { op: 'add', key: 'k0', amount: k % 2 === 0 ? 1 : -1, atLeast: k % 2 === 0 ? 0 : 1, to: 0 },
        { op: 'spin', ms: 0.005 },
        { op: 'set', key: `k${k % 8}`, by: 0, plus: 1 },
      ],
    )
    await expectTasksBounded(list, 'always')
  })
})

describe('blocks', () => {
  /** Reads a slot, turns, writes the slot after it and the one that the value names. */
  const WANDER = asm(`
    0 SLOAD DUP1 15 AND SLOAD ADD 1 ADD
    400 loop: 1 SWAP1 SUB DUP1 @loop JUMPI POP
    DUP1 DUP1 31 AND SSTORE 0 SSTORE`)

  test.each(['always', 'auto'] as const)(
    'each transaction reads what the previous one wrote (%s)',
    async (speculation) => {
      const people = Array.from({ length: 20 }, (_, k) => address(k + 1))
      const block: TestBlock = {
        fork: 'shanghai',
        coinbase: people[0] as Hex,
        accounts: {
          ...Object.fromEntries(people.map((who) => [who, { balance: ETHER }])),
          [address(0x50)]: { nonce: 1, code: WANDER },
        },
        transactions: Array.from({ length: 600 }, (_, k) => ({ from: people[k % 20] as Hex, to: address(0x50) })),
      }
      const file = fileOf(block)
      const state = stateOf(file)
      const sequential = await run(blocks, file, { state, sequential: true })
      const parallel = await run(blocks, file, { state, speculation })
      expectSame(parallel, sequential)
      expect(parallel.run.executions).toBeLessThanOrEqual(2 * 600)
      const { direct, speculative, reexecuted, fallback } = parallel.run
      expect(direct + speculative + reexecuted + fallback).toBe(600)
    },
  )
})
