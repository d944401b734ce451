/**
 * What is known of @ethereumjs/vm 10.1.3 and would break a parallel run: a test by name for each (DESIGN.md section 5).
 */
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { blockOf, Machines, reset } from '../../src/adapters/ethereumjs/machine.ts'
import { importPackages, type Packages } from '../../src/adapters/ethereumjs/packages.ts'
import { LocationStateManager } from '../../src/adapters/ethereumjs/stateManager.ts'
import { decodeBlock } from '../../src/evm.ts'
import { createExecutor, type Executor } from '../../src/index.ts'
import { address, asm, ETHER, fileOf, run, slotOf, type TestBlock, toHex, word } from '../support/evm.ts'

const COINBASE = address(0xc0)
const ALICE = address(1)
let executor: Executor
let packages: Packages
beforeAll(async () => {
  executor = await createExecutor({ adapter: 'ethereumjs', workers: 2, memoryLimit: 64 * 2 ** 20 })
  packages = await importPackages()
})
afterAll(() => executor.close())

const rich = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, k) => [address(k + 1), { balance: ETHER }]))

describe('the machine of a worker', () => {
  const contextOf = () => {
    const { header } = decodeBlock(fileOf({ fork: 'cancun', coinbase: COINBASE, accounts: {}, transactions: [] }).block)
    return {
      chainId: 1n,
      fork: 'cancun',
      header,
      blobGasPrice: 1n,
      common: undefined,
      fees: { priorityFeeRecipient: header.coinbase },
    }
  }
  const fresh = async () => new Machines(packages, {}, new LocationStateManager(packages)).machineFor(contextOf())

  test('after an incarnation that was given up nothing is left: no checkpoint, transient storage or warm set', async () => {
    const [clean, dirty] = [await fresh(), await fresh()]
    const { evm } = dirty
    const who = packages.util.createAddressFromString(ALICE)
    await evm.journal.checkpoint()
    evm.journal.addWarmedAddress(who.bytes)
    evm.journal.addWarmedStorage(who.bytes, new Uint8Array(32))
    evm.journal.addAlwaysWarmAddress(address(7))
    evm.journal.startReportingAccessList()
    await evm.journal.checkpoint()
    evm.transientStorage.put(who, new Uint8Array(32), Uint8Array.of(1))
    evm.transientStorage.checkpoint()
    const parts = (machine: typeof clean) => {
      const { stateManager: _, common: __, ...journal } = machine.evm.journal as unknown as Record<string, unknown>
      return { journal: { ...journal, _debug: 0 }, transient: { ...machine.evm.transientStorage } }
    }
    expect(isDeepStrictEqual(parts(dirty), parts(clean))).toBe(false)
    reset(dirty)
    expect(parts(dirty)).toEqual(parts(clean))
    const state = evm.stateManager as LocationStateManager
    expect(state.depth).toBeGreaterThan(0)
    state.forget()
    expect(state.depth).toBe(0)
  })

  test('each has a Common of its own, so that a fork set in one does not change another', async () => {
    const [a, b] = [await fresh(), await fresh()]
    a.common.setHardfork('berlin')
    expect([a.common.hardfork(), b.common.hardfork()]).toEqual(['berlin', 'cancun'])
  })

  test('a bn254 that is given is used, though createEVM would overwrite it', async () => {
    const bn254 = new packages.evm.NobleBN254()
    const machines = new Machines(packages, { bn254 }, new LocationStateManager(packages))
    const { evm } = await machines.machineFor(contextOf())
    expect((evm as unknown as { _bn254: unknown })._bn254).toBe(bn254)
  })

  test('a block is built without what its fork does not have', () => {
    const common = new packages.common.Common({ chain: packages.common.Mainnet, hardfork: 'cancun' })
    expect(blockOf(packages, common, contextOf()).header.getBlobGasPrice()).toBe(1n)
  })
})

describe('transactions', () => {
  test('the fee recipient is written by every transaction and conflicts with none', async () => {
    const transactions = Array.from({ length: 24 }, (_, k) => ({
      from: address(k + 1),
      to: address(0x900 + k),
      value: 1n,
    }))
    const block: TestBlock = { fork: 'shanghai', coinbase: COINBASE, accounts: rich(24), transactions }
    const { run: report } = await run(executor, block, { speculation: 'always' })
    expect(report).toMatchObject({ aborts: 0, speculative: 24 })
  })

  test('a recipient that is put though nothing changed is no write: calls to one contract do not conflict', async () => {
    const reader = asm('0 SLOAD POP')
    const accounts = {
      ...rich(24),
      [address(0x70)]: { nonce: 1, balance: 5n, code: reader, storage: { '0x0': '0x1' } },
    }
    const transactions = Array.from({ length: 24 }, (_, k) => ({
      from: address(k + 1),
      to: address(0x70),
      gas: 100_000,
    }))
    const result = await run(
      executor,
      { fork: 'shanghai', coinbase: COINBASE, accounts, transactions },
      { speculation: 'always' },
    )
    expect(result.run).toMatchObject({ aborts: 0, speculative: 24 })
    expect(result.stateDiff.accounts.some(({ address: who }) => who === address(0x70))).toBe(false)
  })

  test("one sender's transactions run side by side: the nonce is a predicate, balance and nonce are apart", async () => {
    const transactions = Array.from({ length: 24 }, (_, k) => ({ from: ALICE, to: address(0x900 + k), value: 1n }))
    const block: TestBlock = { fork: 'shanghai', coinbase: COINBASE, accounts: rich(1), transactions }
    const result = await run(executor, block, { speculation: 'always' })
    expect(result.run).toMatchObject({ aborts: 0, speculative: 24 })
  })

  test('credits to one account do not conflict; a balance that is read does, and is right', async () => {
    const observer = asm(`${address(0x90)} BALANCE 0 SSTORE`)
    const accounts = { ...rich(24), [address(0x70)]: { nonce: 1, code: observer } }
    const transactions = Array.from({ length: 24 }, (_, k) =>
      k === 20
        ? { from: address(k + 1), to: address(0x70), gas: 100_000 }
        : { from: address(k + 1), to: address(0x90), value: 3n },
    )
    const block: TestBlock = { fork: 'shanghai', coinbase: COINBASE, accounts, transactions }
    expect(slotOf(await run(executor, block, { speculation: 'always' }), address(0x70), 0)).toBe(60n)
  })

  test.each([
    ['CALL', asm('0 0 0 0 0 0x900 GAS CALL POP')],
    ['CREATE', asm('0 0 0 CREATE POP')],
  ])('%s asks whether it can be paid by a lower bound: deposits to who calls do not conflict', async (name, code) => {
    const accounts = { ...rich(24), [address(0x70)]: { nonce: 1, balance: 5n, code } }
    const transactions = Array.from({ length: 24 }, (_, k) => ({
      from: address(k + 1),
      to: address(0x70),
      value: 3n,
      gas: 200_000,
    }))
    const block: TestBlock = { fork: 'shanghai', coinbase: COINBASE, accounts, transactions }
    const result = await run(executor, block, { speculation: 'always' })
    const change = result.stateDiff.accounts.find(({ address: who }) => who === address(0x70))
    expect(change?.balance).toBe(77n)
    // A creation counts the nonce up, which is a chain.
    if (name === 'CALL') expect(result.run).toMatchObject({ aborts: 0, speculative: 24 })
  })

  test('a call that can be paid only by deposits below it fails or passes as it does one by one', async () => {
    // Sends 50 on; notes whether that went through, by the slot that it is called with.
    const code = asm('0 0 0 0 50 0x900 GAS CALL 1 ADD 0 CALLDATALOAD SSTORE')
    const accounts = { ...rich(24), [address(0x70)]: { nonce: 1, code } }
    const transactions = Array.from({ length: 24 }, (_, k) => ({
      ...{ from: address(k + 1), to: address(0x70), value: k % 3 === 0 ? 40n : 7n },
      ...{ gas: 200_000, data: word(k) },
    }))
    const block: TestBlock = { fork: 'shanghai', coinbase: COINBASE, accounts, transactions }
    const sequential = await run(executor, block, { sequential: true })
    const parallel = await run(executor, block, { speculation: 'always' })
    expect(parallel.stateDiff).toEqual(sequential.stateDiff)
    const went = Array.from({ length: 24 }, (_, k) => slotOf(sequential, address(0x70), k))
    expect([went.includes(1n), went.includes(2n)]).toEqual([true, true])
  })

  test('what is run by no adapter goes the way it went, on the interpreter that was changed', async () => {
    const { Common, Mainnet } = packages.common
    const own = new Machines(packages, {}, new LocationStateManager(packages))
    const { header } = decodeBlock(fileOf({ fork: 'cancun', coinbase: COINBASE, accounts: {}, transactions: [] }).block)
    const context = { chainId: 1n, fork: 'cancun', header, blobGasPrice: 1n, common: undefined }
    const machine = await own.machineFor({ ...context, fees: { priorityFeeRecipient: header.coinbase } })
    const plain = await packages.evm.createEVM({ common: new Common({ chain: Mainnet, hardfork: 'cancun' }) })
    const code = packages.util.hexToBytes(asm('1 @there JUMPI there: STOP'))
    const analysis = async (evm: typeof plain) => {
      const manager = evm.stateManager as unknown as { getAccount: () => Promise<undefined> }
      manager.getAccount = async () => undefined
      const { runState } = await evm.runCode({ code, gasLimit: 1000n })
      return (runState as unknown as { validJumps: Uint8Array }).validJumps
    }
    expect(await analysis(machine.evm)).toBe(await analysis(machine.evm))
    expect(await analysis(plain)).not.toBe(await analysis(plain))
    expect(await analysis(plain)).toEqual(await analysis(machine.evm))
  })

  test('what is thrown inside a transfer of value is swallowed by the EVM, and counts all the same', async () => {
    // A transfer whose sender has the money only by the transaction before it.
    const transactions = Array.from({ length: 16 }, (_, k) => ({
      from: address(k + 1),
      to: address(k + 2),
      value: ETHER / 2n + BigInt(k) * (ETHER / 4n),
    }))
    const block: TestBlock = { fork: 'shanghai', coinbase: COINBASE, accounts: rich(17), transactions }
    const sequential = await run(executor, block, { sequential: true })
    const parallel = await run(executor, block, { speculation: 'always' })
    expect(parallel.stateDiff).toEqual(sequential.stateDiff)
  })

  test('a sender that is given is not recovered: transactions without a signature run', async () => {
    const transactions = [{ from: ALICE, to: address(2), value: 1n }]
    const result = await run(executor, { fork: 'prague', coinbase: COINBASE, accounts: rich(1), transactions })
    expect(result.senders.map(toHex)).toEqual([ALICE])
  })

  test('the point evaluation of EIP-4844 runs on a real KZG', async () => {
    // The commitment to nothing is the point at infinity, and so is its proof; the value is 0 everywhere.
    const infinity = `c0${'00'.repeat(47)}`
    const hash = createHash('sha256').update(Buffer.from(infinity, 'hex')).digest('hex')
    const data = `0x01${hash.slice(2)}${word(3).slice(2)}${word(0).slice(2)}${infinity}${infinity}`
    const asker = asm('CALLDATASIZE 0 0 CALLDATACOPY 64 0 192 0 0 10 GAS CALL 1 ADD 0 SSTORE 0 MLOAD 1 SSTORE')
    const accounts = {
      ...rich(2),
      [address(0x70)]: { nonce: 1, code: asker },
      [address(0x71)]: { nonce: 1, code: asker },
    }
    const wrong = data.replace(word(0).slice(2), word(1).slice(2))
    const transactions = [
      { from: ALICE, to: address(0x70), gas: 3_000_000, data },
      { from: address(2), to: address(0x71), gas: 3_000_000, data: wrong },
    ]
    const block = { fork: 'cancun', coinbase: COINBASE, accounts, transactions } as TestBlock
    // One worker: parsing the trusted setup takes seconds.
    const result = await run(executor, block, { sequential: true })
    expect([slotOf(result, address(0x70), 0), slotOf(result, address(0x70), 1)]).toEqual([2n, 4096n])
    expect(slotOf(result, address(0x71), 0)).toBe(1n)
  }, 300_000)
})
