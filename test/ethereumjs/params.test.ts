/** Parameters of a Common: those of the protocol are what the kernel runs by; others are not left out without a word. */
import { paramsBlock } from '@ethereumjs/block'
import { Common, Mainnet } from '@ethereumjs/common'
import { paramsEVM } from '@ethereumjs/evm'
import { paramsTx } from '@ethereumjs/tx'
import { createVM, paramsVM } from '@ethereumjs/vm'
import { describe, expect, test } from 'vitest'
import { ownParamsOf, standardParams } from '../../src/adapters/evm/standardParams.ts'
import { createExecutor } from '../../src/index.ts'
import { address, asm, ETHER, fileOf, slotOf, stateOf, type TestBlock } from '../support/evm.ts'

const ALICE = address(1)
const TARGET = address(0x50)
/** Slot 0 becomes the gas that SLOAD takes, and 5 of GAS and PUSH besides. */
const given: TestBlock = {
  fork: 'shanghai',
  coinbase: address(0xc0),
  accounts: {
    [ALICE]: { balance: ETHER },
    [TARGET]: { nonce: 1, code: asm('GAS 0 0 ADD POP GAS SWAP1 SUB 0 SSTORE') },
  },
  transactions: [{ from: ALICE, to: TARGET, gas: 200_000 }],
}

const file = fileOf(given)

describe('parameters of a Common', () => {
  test('the table is what the packages fill in', () => {
    const packages: Record<string, Set<string>> = {}
    for (const params of [paramsBlock, paramsEVM, paramsTx, paramsVM]) {
      for (const [eip, values] of Object.entries(params)) {
        for (const [name, value] of Object.entries(values)) {
          const key = `${eip}.${name}`
          packages[key] = (packages[key] ?? new Set()).add(String(value))
        }
      }
    }
    const wanted = Object.entries(packages).map(([name, values]) => [name, [...values].sort()])
    const found = [...standardParams()].map(([name, values]) => [name, [...values].sort()])
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(wanted))
  })

  test('a Common that the packages have filled in has none of its own', async () => {
    const common = new Common({ chain: Mainnet, hardfork: 'osaka' })
    await createVM({ common })
    expect(Object.keys((common as unknown as { _params: object })._params).length).toBeGreaterThan(10)
    expect(ownParamsOf(common)).toEqual([])
    expect(ownParamsOf('mainnet')).toEqual([])
  })

  test('with revm they are refused, by name; with ethereumjs they count', async () => {
    const common = new Common({ chain: Mainnet, hardfork: 'shanghai', params: { 1: { addGas: 1003 } } })
    const chain = Object.assign(common, { getHardforkBy: () => 'shanghai' })
    const options = { state: stateOf(file), chain, senders: 'trust', only: 'transactions' } as const
    const gasOf = async (
      adapter: 'revm' | 'ethereumjs',
      from: typeof options | (Omit<typeof options, 'chain'> & object),
    ) => {
      const executor = await createExecutor({ adapter, workers: 1, memoryLimit: 64 * 2 ** 20 })
      try {
        return slotOf(await executor.executeBlock(file.block, from), TARGET, 0)
      } finally {
        await executor.close()
      }
    }
    await expect(gasOf('revm', options)).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      fields: { option: 'chain', parameters: ['1.addGas'] },
    })
    const plain = {
      ...options,
      chain: Object.assign(new Common({ chain: Mainnet }), { getHardforkBy: () => 'shanghai' }),
    }
    const standard = await gasOf('revm', plain)
    expect(standard).toBe(await gasOf('ethereumjs', plain))
    expect(await gasOf('ethereumjs', options)).toBe((standard as bigint) + 1000n)
  })
})
