/**
 * Real mainnet blocks on the ethereumjs adapter: the header is the truth, the other adapter the second opinion.
 *
 * A sample runs with `npm test`, since this EVM is slow; all of them with BLOCKLOOM_SLOW=1 , in blocks.slow.ts.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createExecutor, type Executor } from '../../src/index.ts'
import { hasBlocks } from '../support/blockFiles.ts'
import { expectBlock } from '../support/ethereumjs.ts'

/** One of each time: before and after EIP-150, 155, 158, 658, 1559, 4399, 4844, 7702; short ones. */
const SAMPLE = [46147, 1150001, 2675000, 2688148, 4370000, 7280000, 12244000, 15537393, 17666333, 19426587, 24476005]

describe.skipIf(!hasBlocks)('real blocks, a sample (skipped without ../shared/data/blocks)', () => {
  let executor: Executor
  let other: Executor
  beforeAll(async () => {
    executor = await createExecutor({ adapter: 'ethereumjs', workers: 2, memoryLimit: 256 * 2 ** 20 })
    other = await createExecutor({ workers: 1, memoryLimit: 256 * 2 ** 20 })
  })
  afterAll(async () => {
    await executor.close()
    await other.close()
  })

  test.each(SAMPLE)('block %i equals its header, and what the other adapter says', async (number) => {
    expect(await expectBlock(executor, other, number)).toBeGreaterThan(-1)
  })
})
