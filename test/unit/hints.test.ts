/** What a run leaves to the next one of its executor, from the counts in the workers' blocks. */
import { expect, test } from 'vitest'
import { Control, WorkerBlock } from '../../src/core/layout.ts'
import { Hints } from '../../src/executor/hints.ts'
import { createKeyValueState } from '../../src/executor/runTasks.ts'
import { layOut } from '../support/engineMemory.ts'

/** Size of the first claim after a run of 64 executions of 10 us each, of which so many aborted. */
function firstClaimAfter(aborts: number): number {
  const engine = layOut(64)
  const hints = new Hints()
  const run = () => hints.follow(engine, createKeyValueState({ maxBytes: 1 << 20 }), () => [])
  const first = run()
  first.begin(false, 2)
  expect(engine[Control.FirstClaim]).toBe(1)
  for (const [worker, executions] of [40, 24].entries()) {
    const block = Control.WorkerBlocks + worker * WorkerBlock.Size
    engine[block + WorkerBlock.Executions] = executions
    engine[block + WorkerBlock.Aborts] = worker === 0 ? aborts : 0
  }
  first.end(0.32)
  run().begin(false, 2)
  return engine[Control.FirstClaim] as number
}

test('the cost of a place sets the first claim of the next run, where few places aborted', () => {
  expect(firstClaimAfter(0)).toBe(6)
  expect(firstClaimAfter(4)).toBe(6)
})

test('where places aborted, the next run begins as one without hints', () => {
  expect(firstClaimAfter(5)).toBe(1)
  expect(firstClaimAfter(40)).toBe(1)
})
