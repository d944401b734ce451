/** What users add to @ethereumjs/evm by a module, and what goes wrong with modules: typed errors, the pool usable. */
import { afterEach, describe, expect, test } from 'vitest'
import { chainAtFork, createExecutor, type Executor, type ExecutorOptions } from '../../src/index.ts'
import { address, asm, ETHER, endingOf, fileOf, run, slotOf, stateOf, type TestBlock } from '../support/evm.ts'

const module = new URL('../support/evmModule.mjs', import.meta.url)
/** Makes what its options say. */
const given = new URL('../support/givenEvmModule.mjs', import.meta.url)
const ALICE = address(1)
const CALLER = address(0x50)

const open: Executor[] = []
afterEach(async () => {
  for (const executor of open.splice(0)) await executor.close()
})
const create = async (ethereumjs?: ExecutorOptions['ethereumjs']): Promise<Executor> => {
  const options = ethereumjs === undefined ? {} : { ethereumjs }
  const executor = await createExecutor({ adapter: 'ethereumjs', workers: 2, memoryLimit: 64 * 2 ** 20, ...options })
  open.push(executor)
  return executor
}

/** Slot 0 becomes what the precompile at 0xaaa makes of a word; slot 1 twice 21, by opcode 0x21. */
const code = `${asm('0x0102 0 MSTORE 32 0 32 0 0 0x0aaa GAS CALL POP 0 MLOAD 0 SSTORE 21')}21600155` as const
const blockOf = (count = 4): TestBlock => ({
  fork: 'shanghai',
  coinbase: address(0xc0),
  accounts: { [ALICE]: { balance: ETHER }, [CALLER]: { nonce: 1, code } },
  transactions: Array.from({ length: count }, () => ({ from: ALICE, to: CALLER, gas: 200_000 })),
})

describe('what a module adds', () => {
  test('custom precompiles and opcodes run in every worker', async () => {
    const executor = await create({ module, options: {} })
    const result = await run(executor, blockOf(), { speculation: 'always' })
    expect(result.results.map(({ status }) => status)).toEqual(['success', 'success', 'success', 'success'])
    expect(slotOf(result, CALLER, 0)).toBe(BigInt(`0x0201${'00'.repeat(30)}`))
    expect(slotOf(result, CALLER, 1)).toBe(42n)
  })

  test('its factory gets the options, and its gas is charged', async () => {
    const [cheap, dear] = [
      await create({ module, options: { gas: '7' } }),
      await create({ module, options: { gas: '1007' } }),
    ]
    const gas = async (executor: Executor) => (await run(executor, blockOf(1))).gasUsed
    expect((await gas(dear)) - (await gas(cheap))).toBe(1000n)
  })

  test('code and init code may be of any size', async () => {
    // 28,672 bytes of zeros as code, by init code of 50,000 bytes.
    const data = `0x6170006000f3${'00'.repeat(50_000)}` as const
    const creation = { ...blockOf(0), transactions: [{ from: ALICE, data, gas: 9_000_000 }] }
    const sizes = { allowUnlimitedContractSize: true, allowUnlimitedInitCodeSize: true }
    const executor = await create({ module, options: { sizes } })
    expect((await run(executor, creation)).results[0]).toMatchObject({ status: 'success' })
  })

  test('without it the opcode halts and the address is an account', async () => {
    const result = await run(await create(), blockOf(1))
    expect(result.results[0]).toMatchObject({ status: 'halt', haltReason: 'opcodeNotFound' })
  })
})

describe('what cannot be used', () => {
  const execute = (executor: Executor) => {
    const file = fileOf(blockOf(1))
    const options = { state: stateOf(file), chain: chainAtFork('shanghai'), senders: 'trust' } as const
    return executor.executeBlock(file.block, { ...options, only: 'transactions' })
  }

  test.each([
    ['a function given inline', { customPrecompiles: [] }, 'ethereumjs.customPrecompiles'],
    ['options that hold a function', { module, options: { f: () => 1 } }, 'ethereumjs.options'],
    ['options without a module', { options: {} }, 'ethereumjs.options'],
    ['a module that is no address', { module: 7 }, 'ethereumjs.module'],
  ])('%s: INVALID_OPTION before a worker starts', async (_, ethereumjs, option) => {
    await expect(create(ethereumjs as never)).rejects.toMatchObject({ code: 'INVALID_OPTION', fields: { option } })
  })

  test('options for the other adapter, and an adapter that is none', async () => {
    await expect(createExecutor({ ethereumjs: { module } })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(createExecutor({ adapter: 'geth' as never })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })

  test.each([
    ['that is not there', new URL('../support/nowhere.mjs', import.meta.url), /nowhere/],
    ['whose factory throws', new URL('../support/brokenModule.mjs', import.meta.url), /no machine today/],
    ['without a default export', new URL('../support/misuse.mjs', import.meta.url), /default export|misuse/],
  ])('a module %s: MODULE_NOT_LOADED', async (_, url, message) => {
    const executor = await create({ module: url })
    await expect(execute(executor)).rejects.toMatchObject({
      code: 'MODULE_NOT_LOADED',
      message: expect.stringMatching(message),
    })
  })

  test.each([
    ['a mistyped field', { customPrecompile: [] }, /'customPrecompile' is none of customOpcodes, /],
    ['a precompile without an address', { customPrecompiles: [{}] }, /'customPrecompiles' is not a list of/],
    ['an opcode that is no byte', { customOpcodes: [{ opcode: 256 }] }, /'customOpcodes' is not a list of/],
    ['no list', { eips: '4844' }, /'eips' is not a list of numbers/],
    ['a flag that is none', { allowUnlimitedContractSize: 1 }, /is not true or false/],
    ['a hook that there is not', { hooks: { beforeAll: 1 } }, /hook 'beforeAll' is none of beforeTx, /],
    ['a hook that is no function', { hooks: { step: 1 } }, /hook 'step' is not a function/],
    ['a list', [], /returned no object/],
  ])('a module that makes %s: MODULE_NOT_LOADED', async (_, made, message) => {
    const executor = await create({ module: given, options: { made } })
    await expect(execute(executor)).rejects.toMatchObject({
      ...{ code: 'MODULE_NOT_LOADED', message: expect.stringMatching(message) },
    })
  })

  test('an EIP that @ethereumjs/common does not know: MODULE_FAILED', async () => {
    const executor = await create({ module: given, options: { made: { eips: [99_999] } } })
    for (const how of [{ speculation: 'always' }, { sequential: true }] as const) {
      const reason = expect.stringMatching(/99999 not supported/)
      expect(await endingOf(executor, blockOf(), how)).toMatchObject({ code: 'MODULE_FAILED', reason })
    }
  })

  test.each([
    ['nothing', undefined, /no object/],
    ['gas below zero', { executionGasUsed: -5n, returnValue: new Uint8Array(0) }, /no bigint from 0 on/],
    ['gas as a number', { executionGasUsed: 5, returnValue: new Uint8Array(0) }, /no bigint from 0 on/],
    ['text', { executionGasUsed: 5n, returnValue: '0x' }, /not bytes/],
  ])('a precompile that returns %s: MODULE_FAILED, and the pool goes on', async (_, answer, message) => {
    const executor = await create({ module: given, options: { answer } })
    const reason = expect.stringMatching(message)
    expect(await endingOf(executor, blockOf(1))).toMatchObject({ code: 'MODULE_FAILED', reason })
    const plain = { ...blockOf(), transactions: [{ from: ALICE, to: address(9), value: 1n }] }
    expect((await run(executor, plain)).receipts).toHaveLength(1)
  })

  test.each([
    ['precompile', { throws: true }, 'RangeError: the precompile gave up'],
    ['hook', { hook: 'throws' }, 'TypeError: the hook gave up'],
  ])('a %s that throws: MODULE_FAILED with what it threw, and the pool goes on', async (_, options, reason) => {
    const executor = await create({ module, options })
    for (const how of [{ speculation: 'always' }, { sequential: true }] as const) {
      expect(await endingOf(executor, blockOf(), how)).toMatchObject({ code: 'MODULE_FAILED', reason, txIndex: 0 })
    }
    if ('throws' in options) {
      const plain = { ...blockOf(), transactions: [{ from: ALICE, to: address(9), value: 1n }] }
      expect((await run(executor, plain, { speculation: 'always' })).receipts).toHaveLength(1)
    }
  })
})
