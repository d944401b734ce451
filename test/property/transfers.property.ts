/**
 * Generated small blocks: payments and hand-written contracts over few accounts, so that nearly everything conflicts.
 *
 * Parallel equals sequential, in receipts and difference, on every fork; invalid blocks end with the same error at the
 * same transaction. A second property checks the sequential side against @ethereumjs/vm, since two runs of one adapter
 * may agree and both be wrong.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runEthereumjs } from '../../benchmarks/ethereumjs.ts'
import { SYSTEM_CONTRACTS } from '../../src/adapters/evm/ends.ts'
import {
  createExecutor,
  type ExecuteBlockOptions,
  type Executor,
  type FeeOptions,
  type Hex,
  type Reward,
} from '../../src/index.ts'
import {
  address,
  asm,
  COUNTER,
  created2By,
  type Ending,
  ETHER,
  endingOf,
  expectPlaceDiffs,
  expectSame,
  FACTORY,
  FORKS,
  FORWARDER,
  fileOf,
  HALVER,
  initOf,
  MORTAL_INIT,
  NUMBER,
  observerOf,
  REVERTER,
  run,
  since,
  stateOf,
  type TestAccount,
  type TestBlock,
  type TestFork,
  type TestTransaction,
  toHex,
  word,
} from '../support/evm.ts'

const executors: Executor[] = []
beforeAll(async () => {
  for (const workers of [2, 3, 4]) executors.push(await createExecutor({ workers, memoryLimit: 128 * 2 ** 20 }))
})
afterAll(async () => {
  for (const executor of executors) await executor.close()
})

const SENDERS = [1, 2, 3, 4, 5, 6].map(address)
const COINBASE = address(0xc0)
const ABSENT = [0xe1, 0xe2, 0xe3].map(address)
const CONTRACTS = {
  counter: address(0x101),
  observer: address(0x102),
  forwarder: address(0x103),
  halver: address(0x104),
  reverter: address(0x105),
  factory: address(0x106),
}
const CHILD = created2By(CONTRACTS.factory, 0n, MORTAL_INIT)

const contractsAt = (fork: TestFork): Record<Hex, TestAccount> => ({
  [CONTRACTS.counter]: { nonce: 1, code: COUNTER },
  [CONTRACTS.observer]: { nonce: 1, code: observerOf(fork) },
  [CONTRACTS.forwarder]: { nonce: 1, code: FORWARDER },
  [CONTRACTS.halver]: { nonce: 1, code: HALVER, balance: 1000n },
  [CONTRACTS.reverter]: { nonce: 1, code: REVERTER },
  ...(since(fork, 'petersburg') ? { [CONTRACTS.factory]: { nonce: 1, code: FACTORY } } : {}),
})

const SYSTEM = Object.values(SYSTEM_CONTRACTS).map(({ address: name }) => toHex(name))
/** System contracts that transactions write too; the last two return what they count. */
const systemAt = (fork: TestFork): Record<Hex, TestAccount> => {
  const returns = asm('0 SLOAD 1 ADD DUP1 0 SSTORE 0 MSTORE 32 0 RETURN')
  const codes = [observerOf(fork), COUNTER, returns, returns]
  const count = since(fork, 'prague') ? 4 : since(fork, 'cancun') ? 1 : 0
  return Object.fromEntries(codes.slice(0, count).map((code, k) => [SYSTEM[k] as Hex, { nonce: 1, code }]))
}

/** One transaction before its sender's nonce is known. */
type Step = Omit<TestTransaction, 'nonce'>

const PRICE = 10n
const GAS = 200_000

const sender = fc.constantFrom(...SENDERS)
/** The coinbase sends too, and is sent to; so are accounts that are not there. */
const anybody = fc.constantFrom(...SENDERS, COINBASE, ...ABSENT)
const data = (value: bigint | string): Hex => word(value)

const stepsOf = (fork: TestFork): fc.Arbitrary<Step> => {
  const from = fc.oneof({ weight: 8, arbitrary: sender }, { weight: 1, arbitrary: fc.constant(COINBASE) })
  const value = fc.constantFrom(0n, 0n, 1n, 7n, 10n ** 15n)
  const call = (to: Hex, argument: fc.Arbitrary<bigint | string>, paid = value) =>
    fc.tuple(from, argument, paid).map(([who, what, wei]): Step => ({ from: who, to, value: wei, data: data(what) }))
  const target = fc.constantFrom<string>(...SENDERS, COINBASE, ...ABSENT, ...Object.values(CONTRACTS), CHILD)
  return fc.oneof(
    { weight: 8, arbitrary: fc.record({ from, to: anybody, value, gas: fc.constant(21_000) }) },
    { weight: 1, arbitrary: from.map((who): Step => ({ from: who, to: who, value: 5n, gas: 21_000 })) },
    { weight: 3, arbitrary: call(CONTRACTS.counter, fc.constant(0n), fc.constant(0n)) },
    { weight: 3, arbitrary: call(CONTRACTS.observer, target, fc.constantFrom(0n, 3n)) },
    { weight: 2, arbitrary: call(CONTRACTS.forwarder, target) },
    { weight: 1, arbitrary: call(CONTRACTS.halver, target) },
    { weight: 2, arbitrary: call(CONTRACTS.reverter, fc.bigInt(0n, 5n)) },
    {
      weight: 1,
      arbitrary: from.map((who): Step => ({ from: who, data: initOf(COUNTER, '7 0 SSTORE'), value: 3n })),
    },
    ...(since(fork, 'petersburg')
      ? [
          { weight: 2, arbitrary: call(CONTRACTS.factory, fc.constant(0n), fc.constantFrom(0n, 9n)) },
          { weight: 3, arbitrary: call(CHILD, fc.constant(0n), fc.constantFrom(0n, 1n)) },
        ]
      : []),
    ...(since(fork, 'cancun')
      ? [{ weight: 3, arbitrary: fc.constantFrom(...SYSTEM).chain((to) => call(to, target, fc.constant(0n))) }]
      : []),
  )
}

/** All that an account can spend on a payment. */
const RICH = 10n * ETHER

interface Generated {
  readonly block: TestBlock
  /** Who is paid by the epilogue: withdrawals from Shanghai on, rewards before the merge. */
  readonly paid?: readonly (readonly [Hex, bigint])[]
  readonly workers: number
  readonly fees?: FeeOptions
}

/** Vaults among the accounts that the block is about. */
const fees: fc.Arbitrary<FeeOptions> = fc
  .record(
    {
      baseFeeRecipient: fc.constantFrom<Hex>(...SENDERS, COINBASE, ...ABSENT, CHILD, CONTRACTS.halver),
      priorityFeeRecipient: fc.constantFrom<Hex>(...SENDERS, COINBASE, ...ABSENT, CHILD),
      recipient: fc.constantFrom<Hex>(...SENDERS, COINBASE, ...ABSENT, CHILD, CONTRACTS.forwarder),
    },
    { requiredKeys: [] },
  )
  .map(({ recipient, ...rest }) =>
    recipient === undefined ? rest : { ...rest, dataFee: { recipient, of: (_, k) => BigInt(k % 5) } },
  )

const blocks: fc.Arbitrary<Generated> = fc
  .tuple(
    fc.constantFrom(...FORKS, 'shanghai' as const, 'london' as const),
    fc.integer({ min: 0, max: 2 }),
    fc.boolean(),
  )
  .chain(([fork, workers, coinbaseExists]) =>
    fc
      .record({
        steps: fc.array(stepsOf(fork), { minLength: 10, maxLength: 60, size: 'max' }),
        wholeBalances: fc.array(fc.nat(59), { maxLength: 2 }),
        accounts: fc.integer({ min: 3, max: 6 }),
        paid: fc.array(fc.tuple(fc.constantFrom<Hex>(...SENDERS, COINBASE, ...ABSENT, CHILD), fc.bigInt(0n, 3n)), {
          maxLength: 6,
        }),
      })
      .map(({ steps, wholeBalances, accounts, paid }): Generated => {
        const known = SENDERS.slice(0, accounts)
        const everyone = Object.fromEntries(known.map((who) => [who, { balance: RICH }]))
        const poor = address(0xd0)
        const transactions = steps.map(
          (step): TestTransaction => ({
            gas: GAS,
            gasPrice: PRICE,
            ...step,
            from:
              step.from === COINBASE && !coinbaseExists
                ? (SENDERS[0] as Hex)
                : (known[SENDERS.indexOf(step.from) % accounts] ?? step.from),
          }),
        )
        // An account with just enough is emptied, and what it gave may be what the next one needs.
        for (const at of wholeBalances.slice(0, 1)) {
          transactions.splice(at, 0, { from: poor, to: ABSENT[0] as Hex, value: 12_345n, gas: 21_000, gasPrice: PRICE })
        }
        return {
          workers,
          // From Osaka on a whole block has a size (EIP-7934), and these have no whole header to take it from.
          ...(fork === 'osaka' ? {} : { paid }),
          block: {
            fork,
            coinbase: COINBASE,
            accounts: {
              ...everyone,
              [poor]: { balance: 12_345n + 21_000n * PRICE },
              ...(coinbaseExists ? { [COINBASE]: { balance: RICH } } : {}),
              ...contractsAt(fork),
              ...systemAt(fork),
            },
            transactions,
          },
        }
      }),
  )

const rewardsOf = (paid: readonly (readonly [Hex, bigint])[]): Reward[] =>
  paid.map(([to, amount]) => ({ address: Uint8Array.from(Buffer.from(to.slice(2), 'hex')), amount }))

const withdrawalsOf = (paid: readonly (readonly [Hex, bigint])[]) =>
  paid.map(([to, amount], k) => ({
    index: `0x${k.toString(16)}`,
    validatorIndex: '0x0',
    address: to,
    amount: `0x${amount.toString(16)}`,
  }))

const errorOf = (ending: Ending) => ('result' in ending ? 'none' : ending)

async function expectEqualEndings({ block, workers, paid, fees }: Generated): Promise<string> {
  const file = fileOf(block)
  const executor = executors[workers] as Executor
  const state = stateOf(file)
  const whole = paid === undefined ? {} : { only: undefined as never, rewards: rewardsOf(paid) }
  if (paid !== undefined && since(block.fork, 'shanghai'))
    Object.assign(file.block, { withdrawals: withdrawalsOf(paid) })
  const settings: Partial<ExecuteBlockOptions> = { state, ...whole, ...(fees === undefined ? {} : { fees }) }
  const sequential = await endingOf(executor, file, { ...settings, sequential: true })
  const kept = await endingOf(executor, file, { ...settings, sequential: true, placeDiffs: true })
  for (const speculation of ['always', 'always', 'auto'] as const) {
    const parallel = await endingOf(executor, file, { ...settings, speculation, placeDiffs: true })
    if ('result' in sequential && 'result' in parallel && 'result' in kept) {
      if (speculation === 'always') expect(parallel.result.run.fallback).toBe(0)
      expectSame(parallel.result, sequential.result, `${block.fork} ${speculation}`)
      expect(parallel.result.requests).toEqual(sequential.result.requests)
      expect(parallel.result.placeDiffs).toEqual(kept.result.placeDiffs)
    } else expect(errorOf(parallel)).toEqual(errorOf(sequential))
  }
  if ('result' in kept) await expectPlaceDiffs(() => stateOf(file), kept.result, block.fork)
  return 'result' in sequential ? 'done' : sequential.code
}

describe('small blocks: parallel equals sequential', () => {
  test('payments and contracts, on all forks', async () => {
    const endings = new Set<string>()
    await fc.assert(
      fc.asyncProperty(blocks, async (generated) => {
        endings.add(await expectEqualEndings(generated))
      }),
      { numRuns: 150 },
    )
    expect(endings).toContain('done')
  })

  test('the same with vaults for fees and a fee for data', async () => {
    const endings = new Set<string>()
    await fc.assert(
      fc.asyncProperty(blocks, fees, async (generated, options) => {
        endings.add(await expectEqualEndings({ ...generated, fees: options }))
      }),
      { numRuns: 80 },
    )
    expect(endings).toContain('done')
  })

  test('payments alone between few accounts, whole balances passed on', async () => {
    const steps = fc.array(fc.record({ from: fc.nat(3), to: fc.nat(5), share: fc.constantFrom(0n, 1n, 2n, 4n) }), {
      minLength: 10,
      maxLength: 60,
      size: 'max',
    })
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 0, max: 2 }), async (list, workers) => {
        const start = 10n ** 9n
        const people = [...SENDERS.slice(0, 4), COINBASE, ABSENT[0] as Hex]
        const balances = new Map(people.map((who, k) => [who, k < 4 ? start : 0n]))
        const transactions: TestTransaction[] = []
        for (const { from, to, share } of list) {
          const [payer, payee] = [people[from] as Hex, people[to] as Hex]
          const fee = 21_000n * PRICE
          const left = (balances.get(payer) ?? 0n) - fee
          if (left < 0n) continue
          // Share 1 is everything: the next payment of this account depends on what it receives before.
          const value = share === 0n ? 0n : left / share
          balances.set(payer, left - value)
          balances.set(payee, (balances.get(payee) ?? 0n) + value)
          transactions.push({ from: payer, to: payee, value, gas: 21_000, gasPrice: PRICE })
        }
        const accounts = Object.fromEntries(people.slice(0, 4).map((who) => [who, { balance: start }]))
        const block: TestBlock = { fork: 'berlin', coinbase: COINBASE, accounts, transactions }
        expect(await expectEqualEndings({ block, workers })).toBe('done')
        const { stateDiff } = await run(executors[workers] as Executor, block, { speculation: 'always' })
        for (const who of people.slice(0, 4)) {
          const change = stateDiff.accounts.find((account) => account.address === who)
          expect(change?.balance ?? start).toBe(balances.get(who))
        }
      }),
      { numRuns: 200 },
    )
  })

  test('a gap in the nonces or a balance too small ends both with the same error at the same transaction', async () => {
    const spoilt = fc.record({
      length: fc.integer({ min: 10, max: 60 }),
      at: fc.nat(9),
      how: fc.constantFrom('gap', 'repeat', 'value', 'fee'),
      workers: fc.integer({ min: 0, max: 2 }),
    })
    await fc.assert(
      fc.asyncProperty(spoilt, async ({ length, at, how, workers }) => {
        const transactions = Array.from({ length }, (_, k): TestTransaction => {
          const from = SENDERS[k % 3] as Hex
          const nonce = Math.floor(k / 3)
          const tx = { from, to: SENDERS[(k + 1) % 6] as Hex, value: 1n, gas: 21_000, gasPrice: PRICE, nonce }
          if (k !== at) return tx
          if (how === 'gap') return { ...tx, nonce: nonce + 1 }
          if (how === 'repeat' && nonce > 0) return { ...tx, nonce: nonce - 1 }
          if (how === 'value') return { ...tx, value: RICH }
          return { ...tx, gasPrice: RICH }
        })
        const accounts = Object.fromEntries(SENDERS.map((who) => [who, { balance: RICH }]))
        const file = fileOf({ fork: 'istanbul', coinbase: COINBASE, accounts, transactions })
        const executor = executors[workers] as Executor
        const sequential = await endingOf(executor, file, { sequential: true })
        expect(sequential).toMatchObject({ code: 'INVALID_TRANSACTION', txIndex: at })
        for (let k = 0; k < 3; k++)
          expect(await endingOf(executor, file, { speculation: 'always' })).toEqual(sequential)
      }),
      { numRuns: 60 },
    )
  })
})

describe('small blocks: the sequential side against another EVM', () => {
  test('gas, status, balances, nonces and slots equal those of @ethereumjs/vm', async () => {
    await fc.assert(
      fc.asyncProperty(blocks, async ({ block }) => {
        const file = fileOf(block)
        const other = await runEthereumjs(
          { ...file, fork: block.fork === 'frontier' ? 'chainstart' : block.fork } as never,
          { caches: false },
        )
        const state = stateOf(file)
        const result = await run(executors[0] as Executor, file, { state, sequential: true })
        const gas = result.receipts.map((receipt) => receipt.gasUsed)
        expect(gas).toEqual(other.gas)
        expect(result.receipts.map((receipt) => receipt.status)).toEqual(other.statuses)
        expect(toHex(result.logsBloom)).toBe(other.logsBloom)
        await state.apply(result.stateDiff)
        const names = [...Object.keys(file.pre), ...ABSENT, CHILD, COINBASE]
        for (const name of names) {
          const [mine, theirs] = [state.getAccount(name), await other.account(name)]
          expect([name, mine?.balance ?? 0n, mine?.nonce ?? 0n]).toEqual([
            name,
            theirs?.balance ?? 0n,
            theirs?.nonce ?? 0n,
          ])
          // The other one remembers slots of an account that was destroyed and then only paid.
          if (mine?.codeHash === undefined) continue
          for (const slot of [0, 1, 2, 3, 4, 5, NUMBER]) {
            expect([name, slot, state.getStorage(name, slot)]).toEqual([
              name,
              slot,
              await other.storageAt(name, `0x${slot.toString(16)}`),
            ])
          }
        }
      }),
      { numRuns: 40, interruptAfterTimeLimit: 25_000 },
    )
  })
})
