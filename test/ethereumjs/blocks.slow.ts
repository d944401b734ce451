/** All real blocks of the data set on the ethereumjs adapter, against their headers and the other adapter. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createExecutor, type Executor } from '../../src/index.ts'
import { blockNumbers, hasBlocks } from '../support/blockFiles.ts'
import { expectBlock } from '../support/ethereumjs.ts'

describe.skipIf(!hasBlocks)('all real blocks (skipped without ../shared/data/blocks)', () => {
  let executor: Executor
  let other: Executor
  beforeAll(async () => {
    executor = await createExecutor({ adapter: 'ethereumjs', workers: 2, memoryLimit: 512 * 2 ** 20 })
    other = await createExecutor({ workers: 1, memoryLimit: 256 * 2 ** 20 })
  })
  afterAll(async () => {
    await executor.close()
    await other.close()
  })

  test('all 45 are there', () => expect(blockNumbers).toHaveLength(45))

  test.each(blockNumbers)('block %i equals its header, and what the other adapter says', async (number) => {
    expect(await expectBlock(executor, other, number)).toBeGreaterThan(-1)
  })
})
