/**
 * What `runBlock` of blockloom/ethereumjs does with bad input: typed errors with their cause, a pool that goes on, and a
 * state manager that is as it was.
 */
import { Common, Mainnet } from '@ethereumjs/common'
import { EVM, NobleBLS, NobleBN254, paramsEVM } from '@ethereumjs/evm'
import { MerkleStateManager } from '@ethereumjs/statemanager'
import { Account, createAddressFromString } from '@ethereumjs/util'
import { paramsVM, runBlock as plainRunBlock, type VM, type VMOpts } from '@ethereumjs/vm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createExecutor, runBlock, type SequentialReason } from '../../src/ethereumjs.ts'
import type { Executor } from '../../src/index.ts'
import { address, ETHER, toHex } from '../support/evm.ts'
import { comparable } from '../support/runBlockResult.ts'
import { COUNTING, MIXED, smallBlock, smallVm } from '../support/smallVm.ts'

let executor: Executor
beforeAll(async () => {
  executor = await createExecutor({ workers: 2, memoryLimit: 64 * 2 ** 20 })
})
afterAll(() => executor.close())

const GENERATE = { generate: true, skipBlockValidation: true } as const
const rootOf = async (vm: VM): Promise<string> => toHex(await vm.stateManager.getStateRoot())

/** Expects an error, the manager's root as it was, and the next block to run. */
async function expectRefused(vm: VM, run: () => Promise<unknown>, error: Record<string, unknown>, repair?: () => void) {
  const before = await rootOf(vm)
  await expect(run()).rejects.toMatchObject(error)
  repair?.()
  expect(await rootOf(vm)).toBe(before)
  const { vm: other, block } = await fresh()
  expect((await runBlock(other, { ...GENERATE, block, executor })).run.path).toBe('parallel')
}

async function fresh() {
  const vm = await smallVm()
  return { vm, block: smallBlock(vm, MIXED) }
}

const boom = new Error('the disk is gone')

describe('runBlock', () => {
  test('is what @ethereumjs/vm does, in both modes, and validates by default', async () => {
    const [ours, theirs] = [await fresh(), await fresh()]
    const events: unknown[] = []
    theirs.vm.events.on('afterBlock', ({ block }) => events.push(block))
    const expected = await plainRunBlock(theirs.vm, { ...GENERATE, block: theirs.block })
    ours.vm.events.on('afterBlock', ({ block }) => events.push(block))
    const result = await runBlock(ours.vm, { ...GENERATE, block: ours.block, executor })
    expect(comparable(result)).toEqual(comparable(expected))
    const [wanted, made] = events as [typeof ours.block, typeof ours.block]
    expect(toHex(made.hash())).toBe(toHex(wanted.hash()))
    // The generated block is valid on the state before it.
    const again = await smallVm()
    const checked = await runBlock(again, { block: made, executor })
    expect(toHex(checked.stateRoot)).toBe(toHex(expected.stateRoot))
    expect(await rootOf(again)).toBe(toHex(expected.stateRoot))
  })

  test('a pool of its own is ended with the block', async () => {
    const { vm, block } = await fresh()
    const { run } = await runBlock(vm, { ...GENERATE, block, workers: 1 })
    expect(run).toMatchObject({ path: 'parallel', report: { workers: 1 } })
  })

  test('transactions run on @ethereumjs/evm where the pool does', async () => {
    const [ours, theirs] = [await fresh(), await fresh()]
    const pool = await createExecutor({ adapter: 'ethereumjs', workers: 2, memoryLimit: 64 * 2 ** 20 })
    try {
      const result = await runBlock(ours.vm, { ...GENERATE, block: ours.block, executor: pool, onlyParallel: true })
      expect(comparable(result)).toEqual(
        comparable(await plainRunBlock(theirs.vm, { ...GENERATE, block: theirs.block })),
      )
    } finally {
      await pool.close()
    }
  })

  test('fees go to vaults', async () => {
    const { vm, block } = await fresh()
    const vault = address(0xf1)
    const { gasUsed } = await runBlock(vm, { ...GENERATE, block, executor, fees: { baseFeeRecipient: vault } })
    expect((await vm.stateManager.getAccount(createAddressFromString(vault)))?.balance).toBe(gasUsed * 7n)
  })

  test.each([
    ['SKIPPED_CHECKS', { skipNonce: true }],
    ['PREIMAGES', { reportPreimages: true }],
  ])('what no parallel run can give is run by @ethereumjs/vm: %s', async (reason, options) => {
    const [ours, theirs] = [await fresh(), await fresh()]
    const expected = await plainRunBlock(theirs.vm, { ...GENERATE, ...options, block: theirs.block })
    const result = await runBlock(ours.vm, { ...GENERATE, ...options, block: ours.block, executor })
    expect(result.run).toEqual({ path: 'sequential', reason })
    expect(comparable(result)).toEqual(comparable(expected))
    await expectRefused(
      ours.vm,
      () => runBlock(ours.vm, { ...GENERATE, ...options, block: ours.block, executor, onlyParallel: true }),
      { code: 'INVALID_OPTION', fields: { reason } },
    )
  })

  const dearSlots = { 2929: { ...paramsEVM[2929], coldsloadGas: 9999 } }
  test.each<[string, SequentialReason, VMOpts]>([
    ['parameters of the VM', 'CUSTOM_RULES', { params: { ...paramsVM, ...dearSlots } }],
    ['parameters of the EVM', 'CUSTOM_RULES', { evmOpts: { params: { ...paramsEVM, ...dearSlots } } }],
    ['contracts of any size', 'CUSTOM_EVM', { evmOpts: { allowUnlimitedContractSize: true } }],
    ['init code of any size', 'CUSTOM_EVM', { evmOpts: { allowUnlimitedInitCodeSize: true } }],
    ['its own BLS12-381', 'CUSTOM_EVM', { evmOpts: { bls: new NobleBLS() } }],
  ])('a VM with %s is not taken for a standard one: %s', async (_, reason, options) => {
    const [ours, theirs] = [await smallVm('shanghai', options), await smallVm('shanghai', options)]
    const expected = await plainRunBlock(theirs, { ...GENERATE, block: smallBlock(theirs, MIXED) })
    const result = await runBlock(ours, { ...GENERATE, block: smallBlock(ours, MIXED), executor })
    expect(result.run).toEqual({ path: 'sequential', reason })
    expect(comparable(result)).toEqual(comparable(expected))
  })

  test('a VM with an EVM that extends the standard one is not taken for a standard one', async () => {
    class OwnEvm extends EVM {}
    const { common, stateManager } = await smallVm()
    const evm = new OwnEvm({ common, stateManager, bn254: new NobleBN254() })
    const vm = await smallVm('shanghai', { evm })
    const { run } = await runBlock(vm, { ...GENERATE, block: smallBlock(vm, []), executor })
    expect(run).toEqual({ path: 'sequential', reason: 'CUSTOM_EVM' })
  })

  test('parameters of the VM count where the pool runs @ethereumjs/evm', async () => {
    const params = { ...paramsVM, ...dearSlots }
    const [ours, theirs] = [await smallVm('shanghai', { params }), await smallVm('shanghai', { params })]
    const expected = await plainRunBlock(theirs, { ...GENERATE, block: smallBlock(theirs, MIXED) })
    const pool = await createExecutor({ adapter: 'ethereumjs', workers: 1, memoryLimit: 64 * 2 ** 20 })
    try {
      const block = smallBlock(ours, MIXED)
      const result = await runBlock(ours, { ...GENERATE, block, executor: pool, onlyParallel: true })
      expect(comparable(result)).toEqual(comparable(expected))
    } finally {
      await pool.close()
    }
  })

  test('a listener of the EVM has every step, by the sequential path', async () => {
    const { vm, block } = await fresh()
    let steps = 0
    const events = vm.evm.events as unknown as { on(name: string, listener: (data: unknown) => void): void }
    events.on('step', () => {
      steps++
    })
    const { run } = await runBlock(vm, { ...GENERATE, block, executor })
    expect(run).toEqual({ path: 'sequential', reason: 'EVM_LISTENERS' })
    expect(steps).toBeGreaterThan(0)
  })

  test('a listener that throws takes nothing back, also where a state root to begin from was given', async () => {
    const { vm, block } = await fresh()
    const root = await vm.stateManager.getStateRoot()
    await vm.stateManager.putAccount(createAddressFromString(address(0x77)), new Account(0n, 1n))
    const theirs = await fresh()
    const { stateRoot } = await plainRunBlock(theirs.vm, { ...GENERATE, block: theirs.block })
    vm.events.on('afterBlock', () => {
      throw boom
    })
    await expect(runBlock(vm, { ...GENERATE, root, block, executor })).rejects.toBe(boom)
    expect(await rootOf(vm)).toBe(toHex(stateRoot))
  })

  test.each(['prague', 'osaka'] as const)(
    '%s without the contracts of its requests: none, as in @ethereumjs/vm',
    async (fork) => {
      const [ours, theirs] = [await smallVm(fork), await smallVm(fork)]
      const expected = await plainRunBlock(theirs, { ...GENERATE, block: smallBlock(theirs, MIXED) })
      const block = smallBlock(ours, MIXED)
      const result = await runBlock(ours, { ...GENERATE, block, executor, onlyParallel: true })
      expect(comparable(result)).toEqual(comparable(expected))
    },
  )

  test('setHardfork into a fork without rules here leaves the block to @ethereumjs/vm', async () => {
    const moving = async () => {
      const hardforks = Mainnet.hardforks
        .filter(({ name }) => name !== 'amsterdam')
        .map((fork) => (fork.timestamp === undefined ? { ...fork, block: fork.block && 0 } : { ...fork, timestamp: 0 }))
      const chain = {
        ...Mainnet,
        chainId: 7,
        hardforks: [...hardforks, { name: 'amsterdam', block: null, timestamp: 50 }],
      }
      const common = new Common({ chain: chain as never, hardfork: 'osaka' })
      const stateManager = new MerkleStateManager({ common })
      const vm = await smallVm('osaka', { common, stateManager, setHardfork: true })
      const later = common.copy()
      later.setHardfork('amsterdam')
      return { vm, block: smallBlock({ common: later } as VM, []) }
    }
    const [ours, theirs] = [await moving(), await moving()]
    const expected = await plainRunBlock(theirs.vm, { ...GENERATE, block: theirs.block })
    const result = await runBlock(ours.vm, { ...GENERATE, block: ours.block, executor })
    expect(result.run).toEqual({ path: 'sequential', reason: 'CUSTOM_RULES' })
    expect(comparable(result)).toEqual(comparable(expected))
  })

  test('a state root to begin from is left again where the block is refused', async () => {
    const { vm, block } = await fresh()
    const before = await vm.stateManager.getStateRoot()
    await vm.stateManager.putAccount(createAddressFromString(address(0x77)), new Account(0n, 1n))
    await expectRefused(vm, () => runBlock(vm, { skipBlockValidation: true, root: before, block, executor }), {
      code: 'BLOCK_MISMATCH',
    })
  })
})

describe('bad input', () => {
  test('a header that claims something else: BLOCK_MISMATCH with every field', async () => {
    const { vm, block } = await fresh()
    await expectRefused(vm, () => runBlock(vm, { skipBlockValidation: true, block, executor }), {
      code: 'BLOCK_MISMATCH',
      fields: { mismatches: expect.arrayContaining([expect.objectContaining({ field: 'stateRoot' })]) },
    })
  })

  test('a transaction that is not valid: INVALID_TRANSACTION with its index', async () => {
    const vm = await smallVm()
    const block = smallBlock(vm, [...MIXED, { from: 2, nonce: 7 }])
    await expectRefused(vm, () => runBlock(vm, { ...GENERATE, block, executor }), {
      code: 'INVALID_TRANSACTION',
      fields: { txIndex: 6 },
    })
  })

  test('a block of another hard fork', async () => {
    const { vm } = await fresh()
    const block = smallBlock(await smallVm('london'), MIXED)
    await expectRefused(vm, () => runBlock(vm, { ...GENERATE, block, executor }), { code: 'INVALID_OPTION' })
  })

  test.each([
    ['no VM', { stateManager: {} }, undefined],
    ['no block', undefined, {}],
  ])('%s: INVALID_OPTION', async (_, badVm, badBlock) => {
    const { vm, block } = await fresh()
    const run = runBlock((badVm ?? vm) as never, { ...GENERATE, block: (badBlock ?? block) as never, executor })
    await expect(run).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })

  test.each([
    ['workers', { workers: 1 }],
    ['adapter', { adapter: 'revm' as const }],
  ])('%s beside an executor: INVALID_OPTION', async (option, given) => {
    const { vm, block } = await fresh()
    const run = runBlock(vm, { ...GENERATE, block, executor, ...given })
    await expect(run).rejects.toMatchObject({ code: 'INVALID_OPTION', fields: { option } })
  })

  test.each<[string, 'getAccount' | 'getCode' | 'getStorage', (...args: never[]) => Promise<unknown>, object]>([
    ['rejects', 'getAccount', () => Promise.reject(boom), { cause: boom }],
    ['rejects a slot', 'getStorage', () => Promise.reject(boom), { cause: boom }],
    ['hangs', 'getAccount', () => new Promise(() => undefined), { fields: { limit: 50 } }],
    ['answers with no account', 'getAccount', async () => ({ balance: 1 }), {}],
    ['has no code', 'getCode', async () => new Uint8Array(0), {}],
    ['answers with a long slot', 'getStorage', async () => new Uint8Array(33), {}],
    ['answers with text', 'getStorage', async () => 'zero', {}],
  ])('a state manager that %s: STATE_SOURCE_FAILED', async (_, method, answer, error) => {
    const { vm, block } = await fresh()
    const manager = vm.stateManager as unknown as Record<string, unknown>
    const original = manager[method]
    manager[method] = answer
    const run = () => runBlock(vm, { ...GENERATE, block, executor, stateTimeout: 50 })
    await expectRefused(vm, run, { code: 'STATE_SOURCE_FAILED', ...error }, () => {
      manager[method] = original
    })
  })

  test('an answer that comes after its block has failed is not in the state of the next one', async () => {
    const { vm, block } = await fresh()
    const [flaky, other, alone] = [vm, await smallVm(), await smallVm()]
    const payee = address(0x900)
    /** Waits before each account is told; the payee's takes longer, or fails. */
    const slow = ({ stateManager }: VM, ofPayee: () => Promise<unknown>, ms: number) => {
      const get = stateManager.getAccount.bind(stateManager)
      stateManager.getAccount = async (name) => {
        await (name.toString() === payee ? ofPayee() : new Promise((resolve) => setTimeout(resolve, ms)))
        return get(name)
      }
    }
    for (const { stateManager } of [other, alone]) {
      for (const from of block.transactions.map((tx) => tx.getSenderAddress())) {
        await stateManager.putAccount(from, new Account(0n, 5n * ETHER))
      }
    }
    const expected = await plainRunBlock(alone, { ...GENERATE, block: smallBlock(alone, MIXED) })
    slow(flaky, () => Promise.reject(boom), 60)
    slow(other, () => new Promise((resolve) => setTimeout(resolve, 120)), 0)
    const failing = runBlock(flaky, { ...GENERATE, block, executor })
    await expect(failing).rejects.toMatchObject({ code: 'STATE_SOURCE_FAILED' })
    const result = await runBlock(other, { ...GENERATE, block: smallBlock(other, MIXED), executor })
    expect(comparable(result)).toEqual(comparable(expected))
  })

  test('a state manager that fails while it is written', async () => {
    const { vm, block } = await fresh()
    const manager = vm.stateManager
    const original = manager.putStorage.bind(manager)
    manager.putStorage = async (name, key, value) => {
      if (name.toString() === COUNTING) throw boom
      return original(name, key, value)
    }
    await expectRefused(vm, () => runBlock(vm, { ...GENERATE, block, executor }), {
      ...{ code: 'STATE_SOURCE_FAILED', cause: boom },
    })
  })

  /** The store of nodes behind a manager's tries, as a database on a disk would be. */
  const storeOf = ({ stateManager }: VM): { get: (...given: unknown[]) => Promise<unknown> } =>
    (stateManager as unknown as { _trie: { database(): { db: never } } })._trie.database().db

  test.each<[string, () => Promise<unknown>, object]>([
    ['rejects', () => Promise.reject(boom), { cause: boom }],
    ['hangs', () => NEVER(), { fields: { limit: 50 } }],
    ['answers with what is no node', async () => Uint8Array.of(0xc1, 0x80), {}],
    ['answers with what is no RLP', async () => Uint8Array.of(0xf8), {}],
  ])('a store of nodes that %s: STATE_SOURCE_FAILED', async (_, answer, error) => {
    const { vm, block } = await fresh()
    const store = storeOf(vm)
    const original = store.get
    store.get = answer
    const run = () => runBlock(vm, { ...GENERATE, block, executor, stateTimeout: 50 })
    await expectRefused(vm, run, { code: 'STATE_SOURCE_FAILED', ...error }, () => {
      store.get = original
    })
  })

  test('a signal that is aborted', async () => {
    const { vm, block } = await fresh()
    const signal = AbortSignal.abort()
    await expectRefused(vm, () => runBlock(vm, { ...GENERATE, block, executor, signal }), { code: 'ABORTED' })
  })

  const NEVER = () => new Promise<never>(() => undefined)

  test.each<[string, 'getAccount' | 'getStorage' | 'getCode']>([
    ['before the run', 'getAccount'],
    ['for a code before the run', 'getCode'],
    ['in the run', 'getStorage'],
  ])('a signal is heard while the state manager is asked %s and never answers', async (_, method) => {
    const { vm, block } = await fresh()
    const manager = vm.stateManager as unknown as Record<string, unknown>
    const original = manager[method]
    const controller = new AbortController()
    manager[method] = () => {
      setTimeout(() => controller.abort(boom), 20)
      return NEVER()
    }
    const run = () => runBlock(vm, { ...GENERATE, block, executor, stateTimeout: 0, signal: controller.signal })
    await expectRefused(vm, run, { code: 'ABORTED', cause: boom }, () => {
      manager[method] = original
    })
  })

  test('a signal is heard while the blockchain is asked', async () => {
    const { vm, block } = await fresh()
    const controller = new AbortController()
    const { blockchain } = vm as unknown as { blockchain: { validateHeader: () => Promise<void> } }
    blockchain.validateHeader = () => {
      controller.abort()
      return NEVER()
    }
    await expectRefused(vm, () => runBlock(vm, { block, executor, signal: controller.signal }), { code: 'ABORTED' })
  })

  test('a signal is heard between two transactions of the sequential path, which is taken back', async () => {
    const { vm, block } = await fresh()
    const controller = new AbortController()
    let ran = 0
    vm.events.on('afterTx', () => {
      if (++ran === 2) controller.abort()
    })
    const options = { ...GENERATE, block, executor, skipNonce: true, signal: controller.signal }
    await expectRefused(vm, () => runBlock(vm, options), { code: 'ABORTED' })
    expect(ran).toBe(2)
    expect(vm.events.listenerCount('beforeTx')).toBe(0)
    const aborted = runBlock(vm, { ...options, signal: AbortSignal.abort() })
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' })
  })

  test('a signal that comes while the block is written takes it back', async () => {
    const { vm, block } = await fresh()
    const controller = new AbortController()
    const put = vm.stateManager.putStorage.bind(vm.stateManager)
    vm.stateManager.putStorage = async (...given) => {
      controller.abort()
      return put(...given)
    }
    const run = () => runBlock(vm, { ...GENERATE, block, executor, signal: controller.signal })
    await expectRefused(vm, run, { code: 'ABORTED' })
  })
})
