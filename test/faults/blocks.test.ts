/**
 * Bad blocks, bad states, bad options: a typed error with a stable code that says what and where, the same from the
 * parallel and the sequential path, and an executor that goes on.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nextBaseFee, nextExcessBlobGas } from '../../src/evm.ts'
import {
  chainAtFork,
  createExecutor,
  createMemoryState,
  type Executor,
  executeBlockParallel,
  type Hex,
  type ParallelExecutionError,
} from '../../src/index.ts'
import { blockNumbers, hasBlocks, loadBlock } from '../support/blockFiles.ts'
import {
  address,
  asm,
  COUNTER,
  ETHER,
  endingOf,
  fileOf,
  GWEI,
  NUMBER,
  run,
  stateOf,
  type TestBlock,
  type TestTransaction,
  word,
} from '../support/evm.ts'

const MIB = 2 ** 20
let executor: Executor
beforeAll(async () => {
  executor = await createExecutor({ workers: 2, memoryLimit: 64 * MIB })
})
afterAll(() => executor.close())

const [ALICE, BOB, CAROL] = [address(1), address(2), address(3)]
const COUNTER_AT = address(0x50)
const good: TestBlock = {
  fork: 'london',
  coinbase: address(0xc0),
  accounts: {
    [ALICE]: { balance: ETHER },
    [BOB]: { balance: ETHER },
    [COUNTER_AT]: { nonce: 1, code: COUNTER },
  },
  transactions: Array.from(
    { length: 20 },
    (_, k): TestTransaction => ({ from: k % 2 === 0 ? ALICE : BOB, to: COUNTER_AT }),
  ),
}
const withTransactions = (...transactions: TestTransaction[]): TestBlock => ({ ...good, transactions })

const expectGoesOn = async (): Promise<void> => {
  const { receipts } = await run(executor, good, { speculation: 'always' })
  expect(receipts.every(({ status, logs }) => status === 1 && logs.length === 1)).toBe(true)
}

/** Both paths end so; the executor goes on. */
async function expectEnding(block: TestBlock, ending: object): Promise<void> {
  for (const options of [{ sequential: true }, { speculation: 'always' }, { speculation: 'auto' }] as const) {
    expect(await endingOf(executor, block, options)).toMatchObject(ending)
  }
  await expectGoesOn()
}

const errorOf = async (promise: Promise<unknown>): Promise<ParallelExecutionError> =>
  promise.then(
    () => {
      throw new Error('it succeeded')
    },
    (error) => error as ParallelExecutionError,
  )

describe('transactions that are not valid at their place', () => {
  const payment = { from: ALICE, to: BOB, value: 1n, gas: 21_000 }
  const before = Array.from({ length: 10 }, () => payment)

  test.each<[string, TestTransaction, RegExp]>([
    ['a nonce that is too high', { ...payment, nonce: 11 }, /nonce/i],
    ['a nonce that is too low', { ...payment, nonce: 3 }, /nonce/i],
    ['a sender without ether', { ...payment, from: CAROL }, /fund/i],
    ['a value beyond the balance', { ...payment, value: ETHER }, /fund/i],
    ['gas that cannot be paid', { ...payment, gasPrice: ETHER }, /fund/i],
    ['less gas than a transaction costs', { ...payment, gas: 20_999 }, /gas/i],
    ['a price below the base fee', { ...payment, gasPrice: 1n }, /fee/i],
    ['a sender with code', { ...payment, from: COUNTER_AT, nonce: 1 }, /sender|code|EIP-3607/i],
    ['another chain', { ...payment, extra: { type: '0x1', chainId: '0x5', accessList: [] } }, /chain/i],
  ])('%s: INVALID_TRANSACTION with index and reason', async (_, bad, reason) => {
    for (const at of [0, 7, 10]) {
      const nonce = bad.nonce ?? (bad.from === ALICE ? at : (good.accounts[bad.from]?.nonce ?? 0))
      const shifted =
        bad.nonce === undefined || at === 10 ? { ...bad, nonce } : { ...bad, nonce: bad.nonce === 3 && at > 3 ? 3 : 30 }
      const block = withTransactions(...before.slice(0, at), shifted, ...before)
      await expectEnding(block, { code: 'INVALID_TRANSACTION', txIndex: at, reason: expect.stringMatching(reason) })
    }
  })

  test('what was final before it is counted the same on both paths', async () => {
    const file = fileOf(withTransactions(...before, { ...payment, from: CAROL }, ...before))
    const prefixes: unknown[] = []
    for (const options of [{ sequential: true }, { speculation: 'always' }] as const) {
      const state = stateOf(file)
      const settings = { state, chain: chainAtFork('london'), senders: 'trust' as const, ...options }
      prefixes.push((await errorOf(executor.executeBlock(file.block, settings))).committedPrefix)
    }
    expect(prefixes).toEqual([10, 10])
  })

  test('a sender that an earlier transaction of the block funds can pay', async () => {
    const block = withTransactions(
      ...before,
      { from: BOB, to: CAROL, value: GWEI },
      { ...payment, from: CAROL },
      ...before,
    )
    for (let repeat = 0; repeat < 20; repeat++) {
      expect((await run(executor, block, { speculation: 'always' })).receipts).toHaveLength(22)
    }
    await run(executor, block, { sequential: true })
  })

  test('a sender that is funded only later cannot', async () => {
    await expectEnding(
      withTransactions(...before, { ...payment, from: CAROL }, { from: BOB, to: CAROL, value: GWEI }),
      {
        code: 'INVALID_TRANSACTION',
        txIndex: 10,
      },
    )
  })

  test('more gas than the block has left, counted with what was really used (hazard 11)', async () => {
    // 20 limits of 200,000 are far above the block's; what they use is not, but for the last one's limit.
    const gasLimit = 700_000n
    const first = await run(executor, good, { sequential: true })
    expect(first.gasUsed).toBeGreaterThan(500_000n)
    const fits = { ...good, gasLimit: first.gasUsed + 200_000n }
    for (const options of [{ sequential: true }, { speculation: 'always' }] as const) {
      expect((await run(executor, fits, options)).gasUsed).toBe(first.gasUsed)
      const ending = await endingOf(executor, { ...good, gasLimit }, options)
      let spent = 0n
      const at = first.receipts.findIndex(({ gasUsed }) => {
        if (gasLimit - spent < 200_000n) return true
        spent += gasUsed
        return false
      })
      expect(ending).toMatchObject({ code: 'INVALID_TRANSACTION', txIndex: at })
    }
  })
})

describe('states that lack something', () => {
  test('code: MISSING_CODE with its hash and the transaction that needs it', async () => {
    for (const [k, options] of ([{ sequential: true }, { speculation: 'always' }] as const).entries()) {
      // A code of its own each time: what a worker has analysed once it knows by its hash, whatever the state lacks.
      const code = `${COUNTER}00${k.toString(16).padStart(2, '0')}` as Hex
      const file = fileOf({ ...good, accounts: { ...good.accounts, [COUNTER_AT]: { nonce: 1, code } } })
      const hash = file.pre[COUNTER_AT]?.code_hash
      const state = createMemoryState({ maxBytes: 4 * MIB }).load({ ...file, codes: {} })
      const settings = { state, chain: chainAtFork('london'), senders: 'trust' as const, ...options }
      const error = await errorOf(executor.executeBlock(file.block, settings))
      expect(error).toMatchObject({ code: 'MISSING_CODE', fields: { txIndex: 0, codeHash: hash } })
      // Given the code, the same state runs.
      state.putCode(code, hash as Hex)
      expect((await executor.executeBlock(file.block, settings)).receipts).toHaveLength(20)
    }
  })

  test('a block hash: MISSING_BLOCK_HASH with its number', async () => {
    const asks = asm(`1 NUMBER SUB BLOCKHASH 0 SSTORE`)
    const block: TestBlock = {
      ...good,
      accounts: { ...good.accounts, [CAROL]: { nonce: 1, code: asks } },
      transactions: [...good.transactions, { from: ALICE, to: CAROL }],
    }
    await expectEnding(block, { code: 'MISSING_BLOCK_HASH', txIndex: 20 })
    const file = fileOf(block)
    const state = stateOf(file)
    state.putBlockHash(NUMBER - 1, word(77))
    const result = await run(executor, file, { state, speculation: 'always' })
    expect(result.stateDiff.accounts.find(({ address: name }) => name === CAROL)?.storage.get(word(0))).toBe(word(77))
  })
})

describe('blocks and chains that cannot be used', () => {
  const state = createMemoryState({ maxBytes: 4 * MIB })
  const file = fileOf(good)
  const attempt = (block: unknown, options: object = {}) =>
    errorOf(executor.executeBlock(block, { state, senders: 'trust', chain: chainAtFork('london'), ...options }))

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['text', 'block'],
    ['bytes that are no RLP', Uint8Array.of(0xf9, 0xff)],
    ['an empty object', {}],
    ['hashes in place of transactions', { ...file.block, transactions: [word(1)] }],
    ['a header without a number', { ...file.block, number: undefined }],
    ['a base fee that the fork needs', { ...file.block, baseFeePerGas: undefined }],
  ])('%s: UNDECODABLE_BLOCK', async (_, block) => {
    expect(await attempt(block)).toMatchObject({ code: 'UNDECODABLE_BLOCK', name: 'Blockloom.InvalidInputError' })
  })

  test('a type of transaction that is not known', async () => {
    const transactions = file.block.transactions.map((tx, k) => (k === 3 ? { ...tx, type: '0x7e' } : tx))
    expect(await attempt({ ...file.block, transactions })).toMatchObject({
      code: 'UNKNOWN_TRANSACTION_TYPE',
      fields: { txIndex: 3 },
    })
  })

  test('a transaction of a type that the fork does not have yet', async () => {
    const extra = { type: '0x2', chainId: '0x1', maxFeePerGas: '0xa', maxPriorityFeePerGas: '0x1', accessList: [] }
    const block: TestBlock = { ...good, fork: 'istanbul', transactions: [{ from: ALICE, to: BOB, extra }] }
    await expectEnding(block, { code: 'INVALID_TRANSACTION', txIndex: 0 })
  })

  test('a fork whose fields the header lacks, and names that are none', async () => {
    expect(await attempt(file.block, { chain: chainAtFork('amsterdam') })).toMatchObject({ code: 'UNDECODABLE_BLOCK' })
    const dialect = { ...chainAtFork('amsterdam'), amsterdam: 'devnet-99' as never }
    expect(await attempt(file.block, { chain: dialect })).toMatchObject({ code: 'INVALID_OPTION' })
    expect(await attempt(file.block, { chain: chainAtFork('utopia' as never) })).toMatchObject({ code: 'UNKNOWN_FORK' })
    expect(await attempt(file.block, { chain: { chainId: 1, forks: { london: { block: 1e9 } } } })).toMatchObject({
      code: 'UNKNOWN_FORK',
    })
    expect(await attempt(file.block, { chain: 'atlantis' })).toMatchObject({ code: 'INVALID_OPTION' })
    await expectGoesOn()
  })

  test('senders: neither given nor to be recovered, too few, no addresses', async () => {
    const anonymous = file.block.transactions.map(({ from: _, ...tx }) => tx)
    expect(await attempt({ ...file.block, transactions: anonymous })).toMatchObject({
      code: 'MISSING_SENDER',
      fields: { txIndex: 0 },
    })
    expect(await attempt(file.block, { senders: 'recover' })).toMatchObject({
      code: 'MISSING_SENDER',
      fields: { txIndex: 0 },
    })
    expect(await attempt(file.block, { senders: [ALICE] })).toMatchObject({ code: 'INVALID_OPTION' })
    expect(await attempt(file.block, { senders: file.block.transactions.map(() => '0x12') })).toMatchObject({
      code: 'INVALID_OPTION',
    })
    expect(await attempt(file.block, { senders: 'guess' })).toMatchObject({ code: 'INVALID_OPTION' })
    await expectGoesOn()
  })

  test('senders given as a list are used', async () => {
    const senders = file.block.transactions.map(({ from }, k) =>
      k % 2 === 0 ? from : Uint8Array.from(Buffer.from(from.slice(2), 'hex')),
    )
    const anonymous = { ...file.block, transactions: file.block.transactions.map(({ from: _, ...tx }) => tx) }
    const result = await executor.executeBlock(anonymous, {
      state: stateOf(file),
      senders,
      chain: chainAtFork('london'),
    })
    expect(result.receipts).toHaveLength(20)
  })

  test.skipIf(!hasBlocks || !blockNumbers.includes(2675000))(
    'signatures: malformed, of somebody else, or with a large s (skipped without ../shared/data)',
    async () => {
      const real = loadBlock(2675000)
      const own = createMemoryState({ maxBytes: 16 * MIB }).load(real)
      const spoil = (change: object) => ({
        ...real.block,
        transactions: real.block.transactions.map((tx, k) => (k === 4 ? { ...tx, ...change } : tx)),
      })
      const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
      const { s } = real.block.transactions[4] as unknown as { s: string }
      for (const change of [
        { r: '0x0' },
        { s: '0x0' },
        { s: `0x${(order - BigInt(s)).toString(16)}` },
        { r: `0x${order.toString(16)}` },
        { from: ALICE },
        { value: '0x1' },
        { v: '0x1' },
      ]) {
        const error = await errorOf(executor.executeBlock(spoil(change), { state: own, only: 'transactions' }))
        expect(error).toMatchObject({ code: 'INVALID_SIGNATURE', fields: { txIndex: 4 } })
      }
      // The file has not the accounts of the block's ends.
      const result = await executor.executeBlock(real.block, { state: own, only: 'transactions' })
      expect(result.gasUsed).toBe(BigInt(real.block.gasUsed))
    },
  )

  test('options out of range', async () => {
    for (const workers of [0, -1, 1.5, 1e9, Number.NaN]) {
      const refused = { code: 'INVALID_OPTION', fields: { option: 'workers' } }
      expect(await errorOf(createExecutor({ workers }))).toMatchObject(refused)
      expect(await errorOf(executeBlockParallel(file.block, { state, workers }))).toMatchObject(refused)
    }
    expect(await errorOf(createExecutor({ adapter: 'evmone' as never }))).toMatchObject({ code: 'INVALID_OPTION' })
    expect(await errorOf(createExecutor({ wasm: new URL('./absent.wasm', import.meta.url) }))).toMatchObject({
      code: 'MODULE_NOT_LOADED',
    })
    expect(await errorOf(createExecutor({ wasm: Uint8Array.of(1, 2, 3) }))).toMatchObject({ code: 'MODULE_NOT_LOADED' })
    expect(await attempt(file.block, { speculation: 'never' })).toMatchObject({ code: 'INVALID_OPTION' })
    await expectGoesOn()
  })
})

describe('abort, results and state', () => {
  test('aborted before: nothing ran, and the state is free', async () => {
    const file = fileOf(good)
    const state = stateOf(file)
    const signal = AbortSignal.abort()
    expect(await endingOf(executor, file, { state, signal, speculation: 'always' })).toMatchObject({ code: 'ABORTED' })
    expect(await endingOf(executor, file, { state, signal, sequential: true })).toMatchObject({ code: 'ABORTED' })
    expect((await run(executor, file, { state })).receipts).toHaveLength(20)
  })

  test('a state in use is busy for another executor', async () => {
    const other = await createExecutor({ workers: 1, memoryLimit: 16 * MIB })
    try {
      const file = fileOf(good)
      const state = stateOf(file)
      state.open(10)
      expect(await endingOf(other, file, { state })).toMatchObject({ code: 'STATE_BUSY' })
      state.close([])
      expect((await run(other, file, { state })).receipts).toHaveLength(20)
    } finally {
      await other.close()
    }
  })

  test.each([0, 1, 2, 4, 8, 16, 32])('closed %i ms after the call: CLOSED, never silence', async (delay) => {
    for (const warm of [false, true]) {
      const other = await createExecutor({ workers: 2, memoryLimit: 16 * MIB })
      if (warm) await run(other, good)
      const block = withTransactions(
        ...Array.from({ length: 400 }, (_, k) => good.transactions[k % 20] as TestTransaction),
      )
      const file = fileOf(block)
      const ending = endingOf(other, file, { state: stateOf(file), speculation: 'always' })
      await new Promise((resolve) => setTimeout(resolve, delay))
      await other.close()
      expect([undefined, 'CLOSED']).toContain(((await ending) as { code?: string }).code)
      expect(await endingOf(other, file)).toMatchObject({ code: 'CLOSED' })
    }
  })

  test('options of another kind: INVALID_OPTION with their name', async () => {
    const file = fileOf(good)
    const options = { state: stateOf(file), chain: chainAtFork('london'), senders: 'trust' }
    for (const name of ['state', 'signal', 'onCommit', 'parent', 'parentTotalDifficulty']) {
      for (const value of [null, 5, 'x', Symbol('x')]) {
        const wrong = executor.executeBlock(file.block, { ...options, [name]: value } as never)
        const { code, fields } = await errorOf(wrong)
        expect([code, fields['option']]).toEqual(['INVALID_OPTION', name])
      }
    }
    expect((await errorOf(executor.executeBlock(file.block, undefined as never))).code).toBe('INVALID_OPTION')
    for (const wrong of [null, { worker: 5 }, { workers: '2' }, { wasm: 5 }]) {
      expect((await errorOf(createExecutor(wrong as never))).code).toMatch(/INVALID_OPTION|MODULE_NOT_LOADED/)
    }
    await expectGoesOn()
  })

  test('an excess of blob gas that no block can have reached is refused at once, in a block and in a parent', async () => {
    const file = fileOf({ ...good, fork: 'osaka', gasLimit: 60_000_000n, transactions: [] })
    const options = { state: stateOf(file), chain: chainAtFork('osaka'), senders: 'trust' } as const
    const began = performance.now()
    const excessBlobGas = '0xffffffffffffffff'
    // Every block without a parent to compare it with; one with a parent is told what it must say.
    const only = 'transactions'
    const alone = executor.executeBlock({ ...file.block, excessBlobGas }, { ...options, only })
    expect((await errorOf(alone)).fields['field']).toBe('excessBlobGas')
    expect(() =>
      nextExcessBlobGas(
        { excessBlobGas: 2n ** 64n - 1n },
        { target: 6, max: 9, baseFeeUpdateFraction: 5_007_716 },
        true,
      ),
    ).toThrow(/excess/)
    expect(performance.now() - began).toBeLessThan(5000)
    // A gas limit without a target.
    expect(nextBaseFee({ gasLimit: 1n, gasUsed: 1n, baseFeePerGas: 7n })).toBe(7n)
  })

  test('a callback that throws ends its block alone', async () => {
    const mine = new Error('mine')
    const file = fileOf(good)
    const options = { state: stateOf(file), chain: chainAtFork('london'), senders: 'trust' } as const
    for (const sequential of [true, false]) {
      const onCommit = () => {
        throw mine
      }
      expect(await errorOf(executor.executeBlock(file.block, { ...options, sequential, onCommit }))).toBe(mine)
      expect((await executor.executeBlock(file.block, options)).receipts).toHaveLength(20)
    }
  })

  test('results come in order, in batches, and are the results', async () => {
    const seen: unknown[] = []
    let next = 0
    const result = await run(executor, good, {
      speculation: 'always',
      onCommit: ({ from, results, receipts }) => {
        expect(from).toBe(next)
        expect(receipts).toHaveLength(results.length)
        next += results.length
        seen.push(...receipts)
      },
    })
    expect(seen).toEqual(result.receipts)
  })

  test('an empty block has an empty result', async () => {
    for (const options of [{ speculation: 'always' }, { sequential: true }] as const) {
      const result = await run(executor, withTransactions(), options)
      expect(result).toMatchObject({ gasUsed: 0n, receipts: [], results: [] })
      expect(result.stateDiff).toEqual({ accounts: [], codes: new Map() })
      expect(Buffer.from(result.receiptsRoot as Uint8Array).toString('hex')).toBe(
        '56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421',
      )
    }
  })
})
