/**
 * Real mainnet blocks against their headers: gas used, bloom and, from Byzantium on, receipts root.
 *
 * The header is the truth; on top of it parallel runs at 1, 2 and 4 workers, `always` and `auto`, give what the
 * sequential run gives, receipts and difference. Where an archive node says what stood in the state after the block,
 * the applied difference is compared account by account: what remains must be exactly what is no transaction
 * (rewards, withdrawals, the DAO transfer, system calls).
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type BlockResult, chainAtFork, createExecutor, createMemoryState, type Executor } from '../../src/index.ts'
import { blockNumbers, hasBlocks, loadBlock, type RealBlock } from '../support/blockFiles.ts'
import { expectPlaceDiffs, expectSame, toHex } from '../support/evm.ts'

const WORKERS = [1, 2, 4]
const BYZANTIUM = 4_370_000

const executors = new Map<number, Executor>()
beforeAll(async () => {
  for (const workers of WORKERS) executors.set(workers, await createExecutor({ workers, memoryLimit: 512 * 2 ** 20 }))
})
afterAll(async () => {
  for (const executor of executors.values()) await executor.close()
})
const executorOf = (workers: number): Executor => executors.get(workers) as Executor

const MIB = 2 ** 20
const stateBefore = (file: RealBlock) => createMemoryState({ maxBytes: 64 * MIB }).load(file)

function expectHeader(result: BlockResult, { block }: RealBlock, what: string): void {
  expect(result.gasUsed, what).toBe(BigInt(block.gasUsed))
  expect(toHex(result.logsBloom), what).toBe(block.logsBloom)
  if (Number(block.number) >= BYZANTIUM) expect(toHex(result.receiptsRoot as Uint8Array), what).toBe(block.receiptsRoot)
  else expect(result.receiptsRoot).toBeUndefined()
}

describe.skipIf(!hasBlocks)('real blocks (skipped without ../shared/data/blocks)', () => {
  test('all 45 are there', () => expect(blockNumbers).toHaveLength(45))

  test.each(blockNumbers)('block %i equals its header, at 1, 2 and 4 workers', async (number) => {
    const file = loadBlock(number)
    const state = stateBefore(file)
    const options = { state, chain: chainAtFork(file.fork), senders: 'trust' as const, only: 'transactions' as const }
    const sequential = await executorOf(1).executeBlock(file.block, { ...options, sequential: true })
    expectHeader(sequential, file, 'sequential')
    for (const workers of WORKERS) {
      for (const speculation of ['always', 'auto'] as const) {
        const what = `${workers} workers, ${speculation}`
        const parallel = await executorOf(workers).executeBlock(file.block, { ...options, speculation })
        expectHeader(parallel, file, what)
        expectSame(parallel, sequential, what)
        const { speculative, direct, reexecuted, fallback } = parallel.run
        expect(speculative + direct + reexecuted + fallback).toBe(file.block.transactions.length)
        if (speculation === 'always') expect(fallback, what).toBe(0)
      }
    }
  })

  test('mainnet finds the fork of every block by number and time', async () => {
    for (const number of [46147, 1150001, 1920000, 2675000, 4370000, 7280000, 15537393, 19426587, 24476005]) {
      const file = loadBlock(number)
      const state = stateBefore(file)
      const result = await executorOf(2).executeBlock(file.block, { state, senders: 'trust', only: 'transactions' })
      expectHeader(result, file, String(number))
    }
  })

  test.each([46147, 2675000, 4370000, 19917570])('block %i with senders recovered from signatures', async (number) => {
    const file = loadBlock(number)
    const options = { state: stateBefore(file), speculation: 'always', only: 'transactions' } as const
    const result = await executorOf(2).executeBlock(file.block, options)
    expect(result.senders.map(toHex)).toEqual(file.block.transactions.map((tx) => tx.from.toLowerCase()))
    expectHeader(result, file, String(number))
  })
})

// ---- post-states ----

const ETHER = 10n ** 18n
const ABSENT = `0x${'0'.repeat(64)}`
const NO_CODE = '0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470'
const BEACON_ROOTS = '0x000f3df6d732807ef1319fb7b8bb8522d0beac02'
const DAO_REFUND = '0xbf4ed7b27f1d666546e30d74d50d173d20bca754'

/** What the archive node has beyond the applied difference, by account and field; balances as a number of wei. */
type Remainder = Record<string, Record<string, bigint | string>>

async function remainderOf(number: number, state = stateBefore(loadBlock(number))): Promise<Remainder> {
  const file = loadBlock(number)
  const given = { senders: 'trust', speculation: 'always', only: 'transactions' } as const
  const options = { ...given, state, chain: chainAtFork(file.fork) }
  const { stateDiff } = await executorOf(2).executeBlock(file.block, options)
  await state.apply(stateDiff)
  const post = file.post ?? {}
  // The node lists every account that the block touched, so none of ours may be missing there.
  for (const { address } of stateDiff.accounts) expect(post).toHaveProperty([address])
  const remainder: Remainder = {}
  for (const [address, after] of Object.entries(post)) {
    const mine = state.getAccount(address)
    const rest: Record<string, bigint | string> = {}
    const balance = BigInt(after.balance) - (mine?.balance ?? 0n)
    if (balance !== 0n) rest['balance'] = balance
    if (BigInt(after.nonce) !== (mine?.nonce ?? 0n)) rest['nonce'] = BigInt(after.nonce)
    const codeHash = mine === undefined ? ABSENT : (mine.codeHash ?? NO_CODE)
    if (codeHash !== after.code_hash) rest['codeHash'] = after.code_hash
    for (const [slot, value] of Object.entries(after.storage)) {
      if (state.getStorage(address, slot) !== BigInt(value)) rest[`slot ${slot}`] = BigInt(value)
    }
    if (Object.keys(rest).length > 0) remainder[address] = rest
  }
  return remainder
}

/** The code of EIP-4788's contract, from the EIP. */
const BEACON_ROOTS_CODE =
  '0x3373fffffffffffffffffffffffffffffffffffffffe14604d57602036146024575f5ffd5b5f35801560495762001fff810690815414603c575f5ffd5b62001fff01545f5260205ff35b5f5ffd5b62001fff42064281555f359062001fff015500'

describe.skipIf(!hasBlocks)('whole real blocks (skipped without ../shared/data/blocks)', () => {
  const before = (number: number) => {
    const file = loadBlock(number)
    const state = stateBefore(file)
    if (number !== 19426587) return state
    // The file has the accounts of transactions alone: the contract, and the one account that is withdrawn to.
    state.putAccount(BEACON_ROOTS, { nonce: 1, code: BEACON_ROOTS_CODE })
    const sums = new Map<string, bigint>()
    for (const { address, amount } of file.block.withdrawals ?? []) {
      sums.set(address, (sums.get(address) ?? 0n) + BigInt(amount) * 10n ** 9n)
    }
    for (const [address, sum] of sums) {
      const after = file.post?.[address]
      if (after === undefined) throw new Error(`the file says nothing of ${address}`)
      const { balance, nonce, code_hash: codeHash } = after
      state.putAccount(address, {
        balance: BigInt(balance) - sum,
        nonce,
        codeHash,
      })
    }
    return state
  }

  // The state is what the block touches, so it has no root.
  test.each([1150001, 1920000, 2675000, 2675001, 4370000, 19426587])(
    "after block %i, run whole, the state is the archive node's",
    async (number) => {
      const { block, post = {} } = loadBlock(number)
      const options = { state: before(number), senders: 'trust', stateRoot: false, placeDiffs: true } as const
      const sequential = await executorOf(1).executeBlock(block, { ...options, sequential: true })
      const results = [sequential]
      for (const workers of WORKERS) {
        for (const speculation of ['always', 'auto'] as const) {
          const parallel = await executorOf(workers).executeBlock(block, { ...options, speculation })
          expectSame(parallel, sequential, `${workers} workers, ${speculation}`)
          expect(parallel.placeDiffs).toEqual(sequential.placeDiffs)
          results.push(parallel)
        }
      }
      await expectPlaceDiffs(() => before(number), sequential)
      const state = before(number)
      await state.apply(sequential.stateDiff)
      for (const { address } of sequential.stateDiff.accounts) expect(post).toHaveProperty([address])
      for (const [address, after] of Object.entries(post)) {
        const mine = state.getAccount(address)
        const codeHash = mine === undefined ? ABSENT : (mine.codeHash ?? NO_CODE)
        const slots = Object.keys(after.storage).map((slot) => state.getStorage(address, slot))
        expect([address, mine?.balance ?? 0n, mine?.nonce ?? 0n, codeHash, slots]).toEqual([
          address,
          BigInt(after.balance),
          BigInt(after.nonce),
          after.code_hash,
          Object.values(after.storage).map(BigInt),
        ])
      }
    },
  )
})

describe.skipIf(!hasBlocks)('state after real blocks (skipped without ../shared/data/blocks)', () => {
  test.each([
    [1150001, 5n],
    [2675000, 5n],
    [2675001, 5n],
    [4370000, 3n],
  ])('block %i lacks the reward of %i ether and nothing else', async (number, reward) => {
    const { miner, uncles } = loadBlock(number).block
    expect(uncles).toEqual([])
    expect(await remainderOf(number)).toEqual({ [miner]: { balance: reward * ETHER } })
  })

  test('block 1920000 lacks the reward and the transfer of the DAO, which creates no ether', async () => {
    const file = loadBlock(1920000)
    const remainder = await remainderOf(1920000)
    expect(remainder[file.block.miner]).toEqual({ balance: 5n * ETHER })
    delete remainder[file.block.miner]
    const moved = Object.entries(remainder)
    for (const [, rest] of moved) expect(Object.keys(rest)).toEqual(['balance'])
    expect(moved.reduce((sum, [, { balance }]) => sum + BigInt(balance as bigint), 0n)).toBe(0n)
    expect(moved.filter(([, { balance }]) => (balance as bigint) > 0n).map(([address]) => address)).toEqual([
      DAO_REFUND,
    ])
    // The accounts of irregular state change are emptied, whatever they had.
    for (const [address, { balance }] of moved) {
      if (address !== DAO_REFUND) expect(balance).toBe(-BigInt(file.pre[address]?.balance ?? '0x0'))
    }
    expect(moved).toHaveLength(65)
  })

  test('block 19426587 lacks withdrawals and the slots of EIP-4788, and nothing else', async () => {
    const { block, pre } = loadBlock(19426587)
    const remainder = await remainderOf(19426587)
    // System calls: the timestamp and the root, in a ring of 8191; the contract itself is not in `pre`.
    const { [BEACON_ROOTS]: roots, ...rest } = remainder
    const ring = Number(BigInt(0x65f1b057) % 8191n)
    expect(Object.keys(roots ?? {}).sort()).toEqual(
      ['codeHash', 'nonce', `slot 0x${ring.toString(16)}`, `slot 0x${(ring + 8191).toString(16)}`].sort(),
    )
    expect(roots?.[`slot 0x${ring.toString(16)}`]).toBe(0x65f1b057n)
    // All withdrawals go to one account that no transaction touches, so its balance before is not known.
    const recipients = new Set(block.withdrawals?.map(({ address }) => address))
    expect(Object.keys(rest)).toEqual([...recipients])
    for (const address of recipients) expect(pre).not.toHaveProperty([address])
  })

  test('two blocks in a row through apply: the second finds what the first left', async () => {
    const [first, second] = [loadBlock(2675000), loadBlock(2675001)]
    const state = createMemoryState({ maxBytes: 64 * MIB })
      .load(second)
      .load(first)
    const remainder = await remainderOf(2675000, state)
    expect(Object.keys(remainder)).toEqual([first.block.miner])
    // The reward is no transaction: given here, so that the second block may spend it.
    const { miner } = first.block
    const account = state.getAccount(miner)
    state.putAccount(miner, { balance: (account?.balance ?? 0n) + 5n * ETHER, nonce: account?.nonce ?? 0n })
    // What the first block left is what the second file says was there.
    for (const [address, { balance, nonce }] of Object.entries(second.pre)) {
      if (!(address in (first.post ?? {}))) continue
      expect([address, state.getAccount(address)?.balance ?? 0n]).toEqual([address, BigInt(balance)])
      expect([address, state.getAccount(address)?.nonce ?? 0n]).toEqual([address, BigInt(nonce)])
    }
    expect(await remainderOf(2675001, state)).toEqual({ [second.block.miner]: { balance: 5n * ETHER } })
  })

  test('a result is a copy: it is read while the next block runs in the same memory', async () => {
    const [one, two] = [loadBlock(17666333), loadBlock(19933122)]
    const executor = executorOf(2)
    const options = { senders: 'trust', speculation: 'always', only: 'transactions' } as const
    const state = { one: stateBefore(one), two: stateBefore(two) }
    const first = await executor.executeBlock(one.block, { ...options, state: state.one, chain: chainAtFork(one.fork) })
    const again = executor.executeBlock(two.block, { ...options, state: state.two, chain: chainAtFork(two.fork) })
    const seen: unknown[] = []
    let running = true
    const done = again.finally(() => {
      running = false
    })
    while (running) {
      seen.push([first.gasUsed, toHex(first.logsBloom), first.receipts.length, first.stateDiff.accounts.length])
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    expectHeader(await done, two, 'second')
    expectHeader(first, one, 'first')
    expect(
      new Set(seen.map((value) => JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}` : v)))).size,
    ).toBe(1)
    const fresh = await executor.executeBlock(one.block, { ...options, state: state.one, chain: chainAtFork(one.fork) })
    expectSame(fresh, first)
  })
})
