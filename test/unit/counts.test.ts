/**
 * What a run does, counted: executions, aborts, validations, and operations on shared words a place. Times differ from
 * machine to machine and are not compared; these are the same everywhere, and a change that costs shows in them.
 *
 * One worker that speculates, on this thread: so nothing depends on how threads meet.
 */
import { readFileSync } from 'node:fs'
import { afterEach, expect, test, vi } from 'vitest'
import { createRevmAdapter } from '../../src/adapters/revm/adapter.ts'
import { makeWorkload, type WorkloadName } from '../../src/cli/workloads.ts'
import { Control, WorkerBlock } from '../../src/core/layout.ts'
import { BlockRun } from '../../src/executor/blockRun.ts'
import { layOut } from '../../src/executor/layOut.ts'
import { createExecutor, MemoryState } from '../../src/index.ts'

const PLACES = 1000
const OPERATIONS = ['load', 'store', 'add', 'compareExchange', 'wait', 'notify'] as const

afterEach(() => {
  vi.restoreAllMocks()
})

/** Counts of one run. */
async function countsOf(name: WorkloadName) {
  const executor = await createExecutor({ workers: 1 })
  try {
    const file = makeWorkload(name, PLACES)
    const state = new MemoryState({ keccak256: (bytes) => executor.keccak256(bytes) }).load(file)
    const { plan } = await executor.prepareBlock(file.block, { state, senders: 'trust', only: 'transactions' })
    state.open(16 * PLACES)
    const words = new Int32Array(new SharedArrayBuffer(64 * 2 ** 20))
    layOut(words, plan, { speculation: 'always' })
    for (const word of [Control.Workers, Control.Called, Control.Cores]) words[word] = 1
    const kernel = await WebAssembly.compile(readFileSync(new URL('../../src/wasm/evm-core.wasm', import.meta.url)))
    const run = new BlockRun(words, 0, state.table, createRevmAdapter(kernel))
    // Claims are sized by the clock: standing still, it lets them grow to their largest.
    vi.spyOn(performance, 'now').mockReturnValue(0)
    // biome-ignore lint/style/noRestrictedGlobals: counted where the door to shared words leads
    const spies = OPERATIONS.map((operation) => vi.spyOn(Atomics, operation))
    run.speculative()
    const operations = spies.reduce((sum, { mock }) => sum + mock.calls.length, 0)
    const count = (field: number): number => words[Control.WorkerBlocks + field] as number
    return {
      executions: count(WorkerBlock.Executions),
      aborts: count(WorkerBlock.Aborts),
      validations: count(WorkerBlock.Validations),
      operations: operations / PLACES,
    }
  } finally {
    await executor.close()
  }
}

test.each([
  ['transfers', 13.5],
  ['erc20', 17.5],
  ['erc20-hot', 32],
  ['chain', 16.5],
] as const)('%s: each place once, and at most %f operations on shared words a place', async (name, most) => {
  const { operations, ...counts } = await countsOf(name)
  expect(counts).toEqual({ executions: PLACES, aborts: 0, validations: PLACES })
  expect(operations).toBeLessThanOrEqual(most)
})
