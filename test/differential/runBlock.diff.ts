/**
 * `runBlock` of blockloom/ethereumjs beside @ethereumjs/vm's own, each on a VM of its own: every field of the result,
 * every event, and the state root of the VM's state manager after each block.
 */
import { Caches } from '@ethereumjs/statemanager'
import { runBlock as plainRunBlock, type RunBlockResult, type VM } from '@ethereumjs/vm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createExecutor, type ParallelRunBlockResult, runBlock } from '../../src/ethereumjs.ts'
import type { Executor } from '../../src/index.ts'
import { toHex } from '../support/evm.ts'
import { type ForkChain, forkBlock, makeForkChain, openForkVm } from '../support/forkChain.ts'
import { comparable } from '../support/runBlockResult.ts'

let executor: Executor
let chain: ForkChain
beforeAll(async () => {
  executor = await createExecutor({ workers: 2, memoryLimit: 128 * 2 ** 20 })
  chain = await makeForkChain()
})
afterAll(() => executor.close())

/** Notes the order and the subject of a VM's events. */
const listen = (vm: VM): string[] => {
  const heard: string[] = []
  vm.events.on('beforeBlock', (block) => heard.push(`beforeBlock ${toHex(block.hash())}`))
  vm.events.on('beforeTx', (tx) => heard.push(`beforeTx ${toHex(tx.hash())}`))
  vm.events.on('afterTx', ({ transaction, totalGasSpent }) =>
    heard.push(`afterTx ${toHex(transaction.hash())} ${totalGasSpent}`),
  )
  vm.events.on('afterBlock', ({ block, gasUsed }, done) => {
    heard.push(`afterBlock ${toHex(block.hash())} ${gasUsed}`)
    done?.()
  })
  return heard
}

describe('a chain across every fork: every field and every event is the same', () => {
  test.each<[string, boolean, () => Caches | undefined]>([
    ['a manager with caches', false, () => new Caches()],
    ['a manager without, fields generated', true, () => undefined],
  ])('%s', async (_, generate, caches) => {
    // Without caches: with them @ethereumjs/vm 10.1.3 rejects a block that it made itself (docs/ethereumjs.md).
    const [ours, theirs] = [await openForkVm(caches()), await openForkVm()]
    const [heard, wanted] = [listen(ours.vm), listen(theirs.vm)]
    for (const { number, fork, bytes, hash } of chain.blocks) {
      const [mine, other] = [forkBlock(bytes), forkBlock(bytes)]
      const options = { generate, skipBlockValidation: true }
      const result: ParallelRunBlockResult = await runBlock(ours.vm, {
        ...options,
        block: mine,
        executor,
        onlyParallel: true,
        speculation: 'always',
      })
      const expected: RunBlockResult = await plainRunBlock(theirs.vm, { ...options, block: other })
      expect(comparable(result), `${fork}, block ${number}`).toEqual(comparable(expected))
      expect(toHex(await ours.vm.stateManager.getStateRoot()), `${fork}, block ${number}`).toBe(
        toHex(expected.stateRoot),
      )
      for (const { hashes } of [ours, theirs]) hashes.set(BigInt(number), Buffer.from(hash.slice(2), 'hex'))
    }
    expect(heard).toEqual(wanted)
  })
})
