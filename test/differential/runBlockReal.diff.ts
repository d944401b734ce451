/**
 * `runBlock` of blockloom/ethereumjs beside @ethereumjs/vm's own on real blocks, in generate mode: their files have the
 * accounts of transactions alone, so that roots are not the headers', but both must come to the same.
 */
import { createBlockFromRPC, type JSONRPCBlock } from '@ethereumjs/block'
import { Common, type Hardfork, Mainnet } from '@ethereumjs/common'
import { MerkleStateManager } from '@ethereumjs/statemanager'
import { createAddressFromString, hexToBytes, type PrefixedHexString } from '@ethereumjs/util'
import { createVM, runBlock as plainRunBlock, type VM } from '@ethereumjs/vm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EthereumjsFile, load } from '../../benchmarks/ethereumjs.ts'
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

/** A VM on the state before a block, and the block, its senders as the file has them. */
async function open(file: EthereumjsFile) {
  const common = new Common({ chain: Mainnet, hardfork: file.fork as Hardfork })
  const stateManager = new MerkleStateManager({ common })
  const blockchain = {
    getBlock: async (number: number) => ({ hash: () => hexToBytes(file.blockHashes[number] as PrefixedHexString) }),
    putBlock: async () => {},
    shallowCopy: () => blockchain,
  }
  const vm: VM = await createVM({ common, stateManager, blockchain: blockchain as never })
  await load(vm, file)
  const options = { common, skipConsensusFormatValidation: true, freeze: false }
  const block = createBlockFromRPC(file.block as unknown as JSONRPCBlock, [], options)
  block.transactions.forEach((tx, k) => {
    const sender = createAddressFromString((file.block.transactions[k] as { from: string }).from)
    tx.getSenderAddress = () => sender
  })
  return { vm, block }
}

describe.skipIf(!hasBlocks)('real blocks: every field of runBlock', () => {
  // Frontier, Spurious Dragon, Byzantium, Berlin.
  test.each([46147, 2675000, 4370000, 12244000])('block %i', async (number) => {
    const file = loadBlock(number) as unknown as EthereumjsFile
    const [ours, theirs] = [await open(file), await open(file)]
    const options = { generate: true, skipBlockValidation: true } as const
    const result = await runBlock(ours.vm, { ...options, block: ours.block, executor, onlyParallel: true })
    const expected = await plainRunBlock(theirs.vm, { ...options, block: theirs.block })
    expect(comparable(result)).toEqual(comparable(expected))
    expect(toHex(await ours.vm.stateManager.getStateRoot())).toBe(toHex(expected.stateRoot))
  })
})
