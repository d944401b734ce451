/**
 * Blocks in a row on one executor: memory, handles and threads do not grow; and little memory is no fault.
 *
 * 1,000 blocks here, 10,000 with BLOCKLOOM_SLOW=1. The bounds are on what grows from the first tenth on, by ten times
 * as many blocks: what leaked a hundred bytes a block would be seen among 9,000.
 */
import { expect, test } from 'vitest'
import { runBlocks, runUnderPressure } from './endurance.ts'

const BLOCKS = process.env['BLOCKLOOM_SLOW'] === '1' ? 10_000 : 1_000

test(`${BLOCKS} blocks: memory, handles and threads stay as they are`, async () => {
  expect(await runBlocks(BLOCKS, '--expose-gc')).toEqual([])
}, 300_000)

test('a heap of 24 MiB is enough for block after block', async () => {
  expect(await runBlocks(300, '--max-old-space-size=24')).toEqual([])
}, 300_000)

test('tasks and blocks are right where a quarter of a heap is left', async () => {
  expect(await runUnderPressure(48, 12, 5)).toEqual([])
}, 300_000)
