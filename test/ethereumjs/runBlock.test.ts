/**
 * What `runBlock` asks of a VM's state manager and blockchain: what the block truly meets, once, whatever an execution
 * that counts for nothing would have asked for.
 */
import { Account, createAddressFromString, generateAddress, hexToBytes } from '@ethereumjs/util'
import { runBlock as plainRunBlock, type VM } from '@ethereumjs/vm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createExecutor, runBlock } from '../../src/ethereumjs.ts'
import type { Executor, Hex } from '../../src/index.ts'
import { address, asm, ETHER, toHex, word } from '../support/evm.ts'
import { comparable } from '../support/runBlockResult.ts'
import { type Sent, smallBlock, smallVm } from '../support/smallVm.ts'

let executor: Executor
beforeAll(async () => {
  executor = await createExecutor({ workers: 2, memoryLimit: 64 * 2 ** 20 })
})
afterAll(() => executor.close())

const GENERATE = { generate: true, skipBlockValidation: true } as const
const CONTRACT = address(0x201)
const CALL: readonly Sent[] = [{ to: CONTRACT }]

/** A small VM with a contract besides. */
async function vmWith(code: Hex, storage: Readonly<Record<number, number>> = {}, vm?: VM): Promise<VM> {
  const made = vm ?? (await smallVm())
  const name = createAddressFromString(CONTRACT)
  await made.stateManager.putAccount(name, new Account(1n, 0n))
  await made.stateManager.putCode(name, hexToBytes(code))
  for (const [key, value] of Object.entries(storage)) {
    await made.stateManager.putStorage(name, hexToBytes(word(Number(key))), Uint8Array.of(value))
  }
  return made
}

/** Runs the calls on both, expects the same, and returns how ours ran. */
async function expectPlain(
  make: () => Promise<VM>,
  sent = CALL,
  options: Parameters<typeof runBlock>[1] | object = {},
) {
  const [ours, theirs] = [await make(), await make()]
  const expected = await plainRunBlock(theirs, { ...GENERATE, block: smallBlock(theirs, sent) })
  const block = smallBlock(ours, sent)
  const result = await runBlock(ours, { executor, ...options, ...GENERATE, block, onlyParallel: true })
  expect(comparable(result)).toEqual(comparable(expected))
  return { run: result.run, results: result.results }
}

/** As long as there is a slot with this number, goes on to the one whose number it holds. */
const FOLLOW: Hex = '0x60005b548060025700'

test('a block under a checkpoint of the caller is seen there, and goes with it', async () => {
  const vm = await vmWith(asm('0 SLOAD 1 ADD 0 SSTORE STOP'), { 0: 4, 9: 9 })
  const { stateManager } = vm
  const name = createAddressFromString(CONTRACT)
  const slot = async (key: number) => toHex(await stateManager.getStorage(name, hexToBytes(word(key))))
  await stateManager.checkpoint()
  const { run } = await runBlock(vm, { executor, ...GENERATE, block: smallBlock(vm, CALL), onlyParallel: true })
  expect(run.path).toBe('parallel')
  expect([await slot(0), await slot(9)]).toEqual(['0x05', '0x09'])
  await stateManager.revert()
  expect([await slot(0), await slot(9)]).toEqual(['0x04', '0x09'])
})

describe('what is asked', () => {
  test('reads that depend on one another make no further executions of the block', async () => {
    const list = Object.fromEntries(Array.from({ length: 30 }, (_, k) => [k, k + 1]))
    const asked: string[] = []
    const make = async () => {
      const vm = await vmWith(FOLLOW, list)
      const get = vm.stateManager.getStorage.bind(vm.stateManager)
      vm.stateManager.getStorage = (name, key) => {
        asked.push(name.toString() + toHex(key))
        return get(name, key)
      }
      return vm
    }
    const { run } = await expectPlain(make, [...CALL, { from: 1 }, { from: 2, to: address(0x900), value: 1n }])
    expect(run).toMatchObject({ path: 'parallel', passes: 1 })
    expect(asked.filter((slot) => slot === CONTRACT + word(30))).toHaveLength(2)
  })

  test('a block hash that only an execution on zeros would ask for is not asked for', async () => {
    const code = asm('0 SLOAD @known JUMPI 1 NUMBER SUB BLOCKHASH POP known: STOP')
    const blockchain = {
      getBlock: async (id: number) => Promise.reject(new Error(`no block ${id}`)),
      putBlock: async () => {},
      validateHeader: async () => {},
      shallowCopy: () => blockchain,
    }
    await expectPlain(async () =>
      vmWith(code, { 0: 1 }, await smallVm('shanghai', { blockchain: blockchain as never })),
    )
  })

  test('what a custom precompile throws of zeros that were never there fails nothing', async () => {
    const module = new URL('../support/evmModule.mjs', import.meta.url)
    const pool = await createExecutor({
      adapter: 'ethereumjs',
      workers: 1,
      ethereumjs: { module, options: { zero: 'throws' } },
    })
    try {
      const code = asm('0 SLOAD 0 MSTORE 32 0 32 0 0 0x0aaa GAS CALL POP STOP')
      const vm = await vmWith(code, { 0: 1 })
      const { results } = await runBlock(vm, { ...GENERATE, block: smallBlock(vm, CALL), executor: pool })
      expect(results[0]?.execResult.exceptionError).toBeUndefined()
    } finally {
      await pool.close()
    }
  })

  test('hashes of many blocks take few executions', async () => {
    const code = asm('1 loop: DUP1 NUMBER SUB BLOCKHASH POP 1 ADD DUP1 6 GT @loop JUMPI STOP')
    const { run } = await expectPlain(() => vmWith(code))
    expect(run).toMatchObject({ path: 'parallel', passes: 4 })
  })
})

describe('what is answered', () => {
  test('a slow manager is no stall while it goes on answering', async () => {
    const pool = await createExecutor({ workers: 2, memoryLimit: 64 * 2 ** 20, stallTimeout: 1000 })
    try {
      const list = Object.fromEntries(Array.from({ length: 20 }, (_, k) => [k, k + 1]))
      const vm = await vmWith(FOLLOW, list)
      const get = vm.stateManager.getStorage.bind(vm.stateManager)
      vm.stateManager.getStorage = async (name, key) => {
        await new Promise((resolve) => setTimeout(resolve, 80))
        return get(name, key)
      }
      const { run } = await runBlock(vm, { ...GENERATE, block: smallBlock(vm, CALL), executor: pool })
      expect(run).toMatchObject({ path: 'parallel', passes: 1 })
    } finally {
      await pool.close()
    }
  })

  test.each([0, 5000])(
    'an answer that takes longer than a stall may is none, with a stateTimeout of %i',
    async (ms) => {
      const pool = await createExecutor({ workers: 2, memoryLimit: 64 * 2 ** 20, stallTimeout: 1000 })
      try {
        const vm = await vmWith(asm('1 SLOAD POP STOP'))
        const get = vm.stateManager.getStorage.bind(vm.stateManager)
        vm.stateManager.getStorage = async (name, key) => {
          await new Promise((resolve) => setTimeout(resolve, 2500))
          return get(name, key)
        }
        const options = { ...GENERATE, block: smallBlock(vm, CALL), executor: pool, stateTimeout: ms }
        expect((await runBlock(vm, options)).run).toMatchObject({ path: 'parallel', passes: 1 })
      } finally {
        await pool.close()
      }
    },
  )

  test('an account without code that has storage is no place for a contract (EIP-7610)', async () => {
    const make = async () => {
      const vm = await vmWith(asm('0 0 0 CREATE 0 SSTORE STOP'))
      const target = toHex(generateAddress(hexToBytes(CONTRACT), Uint8Array.of(1)))
      const name = createAddressFromString(target)
      await vm.stateManager.putAccount(name, new Account(0n, 1n))
      await vm.stateManager.putStorage(name, hexToBytes(word(7)), Uint8Array.of(1))
      return vm
    }
    const [vm, free] = [await make(), await vmWith(asm('0 0 0 CREATE 0 SSTORE STOP'))]
    const made = async (on: VM) => {
      await runBlock(on, { ...GENERATE, block: smallBlock(on, CALL), executor })
      return on.stateManager.getStorage(createAddressFromString(CONTRACT), new Uint8Array(32))
    }
    expect(await made(vm)).toHaveLength(0)
    expect(await made(free)).toHaveLength(20)
  })

  test('fees add to what their recipients had', async () => {
    const vm = await vmWith('0x00')
    const vaults = [address(0xf1), address(0xf2), address(0xf3)].map((name) => createAddressFromString(name))
    for (const vault of vaults) await vm.stateManager.putAccount(vault, new Account(0n, ETHER))
    const [baseFeeRecipient, priorityFeeRecipient, recipient] = vaults.map((vault) => vault.bytes) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ]
    const fees = { baseFeeRecipient, priorityFeeRecipient, dataFee: { recipient, of: [9n] } }
    const { gasUsed } = await runBlock(vm, { ...GENERATE, block: smallBlock(vm, CALL), executor, fees })
    const balances = await Promise.all(vaults.map(async (vault) => (await vm.stateManager.getAccount(vault))?.balance))
    expect(balances).toEqual([ETHER + 7n * gasUsed, ETHER + 3n * gasUsed, ETHER + 9n])
  })

  test('nothing is taken back while the manager still answers', async () => {
    const vm = await vmWith(asm('0 SLOAD 1 SLOAD ADD POP STOP'))
    const manager = vm.stateManager
    let open = 0
    const seen: number[] = []
    manager.getStorage = async (_, key) => {
      if (key[31] === 0) throw new Error('the disk is gone')
      open++
      await new Promise((resolve) => setTimeout(resolve, 40))
      open--
      return new Uint8Array(0)
    }
    const revert = manager.revert.bind(manager)
    manager.revert = async () => {
      seen.push(open)
      return revert()
    }
    const run = runBlock(vm, { ...GENERATE, block: smallBlock(vm, CALL), executor })
    await expect(run).rejects.toMatchObject({ code: 'STATE_SOURCE_FAILED' })
    expect(seen).toEqual([0])
  })
})
