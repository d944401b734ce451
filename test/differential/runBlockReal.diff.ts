/**
 * `runBlock` of blockloom/ethereumjs beside @ethereumjs/vm's own on real blocks, in generate mode: their files have the
 * accounts of transactions alone, so that roots are not the headers', but both must come to the same.
 */
import { runBlock as plainRunBlock } from '@ethereumjs/vm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EthereumjsFile, openVm } from '../../benchmarks/ethereumjs.ts'
import { createExecutor, runBlock } from '../../src/ethereumjs.ts'
import type { Executor } from '../../src/index.ts'
import { hasBlocks, loadBlock } from '../support/blockFiles.ts'
import { toHex } from '../support/evm.ts'
import { comparable } from '../support/runBlockResult.ts'

let executor: Executor
beforeAll(async () => {
  executor = await createExecutor({ workers: 2, memoryLimit: 256 * 2 ** 20 })
})
afterAll(() => executor.close())

describe.skipIf(!hasBlocks)('real blocks: every field of runBlock', () => {
  // Frontier, Spurious Dragon, Byzantium, Berlin.
  test.each([46147, 2675000, 4370000, 12244000])('block %i', async (number) => {
    const file = loadBlock(number) as unknown as EthereumjsFile
    const [ours, theirs] = [await openVm(file), await openVm(file)]
    const options = { generate: true, skipBlockValidation: true } as const
    const result = await runBlock(ours.vm, { ...options, block: ours.block, executor, onlyParallel: true })
    const expected = await plainRunBlock(theirs.vm, { ...options, block: theirs.block })
    expect(comparable(result)).toEqual(comparable(expected))
    expect(toHex(await ours.vm.stateManager.getStateRoot())).toBe(toHex(expected.stateRoot))
  })
})
