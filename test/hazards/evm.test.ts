/**
 * Hazards of DESIGN.md section 7 that belong to the EVM, on the real pool: each block runs many times, for the
 * interleavings, and its result is compared with the sequential one and with what the rules of Ethereum say.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runEthereumjs } from '../../benchmarks/ethereumjs.ts'
import { hashAddress, hashSlot } from '../../src/core/table.ts'
import type { Executor, Hex } from '../../src/index.ts'
import { executorUnderTest, repeats } from '../support/adapter.ts'
import {
  address,
  asm,
  authority,
  BASE_FEE,
  CODE_READER,
  COUNTER,
  changeOf,
  created2By,
  createdBy,
  delegating,
  ETHER,
  endingOf,
  expectParallelSame,
  expectSame,
  FACTORY,
  FORKS,
  fileOf,
  hashOf,
  initOf,
  MORTAL,
  MORTAL_INIT,
  NUMBER,
  observerOf,
  run,
  since,
  slotOf,
  stateOf,
  type TestAccount,
  type TestBlock,
  type TestTransaction,
  word,
} from '../support/evm.ts'

let executor: Executor
beforeAll(async () => {
  executor = await executorUnderTest({ workers: 4, memoryLimit: 256 * 2 ** 20 })
})
afterAll(() => executor.close())

const COINBASE = address(0xc0)
const rich = (count: number): Record<Hex, TestAccount> =>
  Object.fromEntries(Array.from({ length: count }, (_, k) => [address(k + 1), { balance: ETHER }]))
const [ALICE, BOB, CAROL] = [address(1), address(2), address(3)]
const factory = address(0x106)
const CHILD = created2By(factory, 0n, MORTAL_INIT)

/** Calls the coinbase without value. */
const FORWARD_TO_COINBASE = asm('0 0 0 0 0 COINBASE GAS CALL 0 SSTORE')

/** Compares the sequential side with @ethereumjs/vm: gas, status, and accounts by name. */
async function expectOtherAgrees(block: TestBlock, names: readonly Hex[], slots: readonly number[] = []) {
  const file = fileOf(block)
  const other = await runEthereumjs({ ...file, fork: block.fork === 'frontier' ? 'chainstart' : block.fork } as never, {
    caches: false,
  })
  const state = stateOf(file)
  const result = await run(executor, file, { state, sequential: true })
  expect(result.receipts.map(({ gasUsed }) => gasUsed)).toEqual(other.gas)
  expect(result.receipts.map(({ status }) => status)).toEqual(other.statuses)
  await state.apply(result.stateDiff)
  for (const name of names) {
    const [mine, theirs] = [state.getAccount(name), await other.account(name)]
    expect([name, mine === undefined, mine?.balance ?? 0n, mine?.nonce ?? 0n]).toEqual([
      name,
      theirs === undefined,
      theirs?.balance ?? 0n,
      theirs?.nonce ?? 0n,
    ])
    for (const slot of slots) {
      const theirSlot = await other.storageAt(name, `0x${slot.toString(16)}`)
      expect([name, slot, state.getStorage(name, slot)]).toEqual([name, slot, theirSlot])
    }
  }
}

test('every worker runs by the rules of its own block, whatever it ran before', async () => {
  // Refunds differ from London on; a worker that kept the rules of the block before it shows it in the gas.
  // The long ones stand at the end: a worker that comes late finds nothing to claim, commits the payments, waits, and
  // then executes one of them again without ever having claimed a place.
  const clear = asm(
    `2000 loop: DUP1 ISZERO @end JUMPI 1 SWAP1 SUB 0 64 SHA3 POP @loop JUMP end: 0 SLOAD ISZERO 0 SSTORE`,
  )
  const blockOf = (fork: 'berlin' | 'london'): TestBlock => ({
    fork,
    coinbase: COINBASE,
    accounts: { ...rich(6), [address(0x50)]: { nonce: 1, code: clear, storage: { '0x0': '0x1' } } },
    transactions: Array.from({ length: 40 }, (_, k) =>
      k < 32
        ? { from: address((k % 6) + 1), to: address(0x900 + k), value: 1n }
        : { from: address((k % 6) + 1), to: address(0x50), gas: 1_000_000 },
    ),
  })
  const [berlin, london] = [fileOf(blockOf('berlin')), fileOf(blockOf('london'))]
  const [before, after] = [
    await run(executor, berlin, { sequential: true }),
    await run(executor, london, { sequential: true }),
  ]
  expect(before.gasUsed).not.toBe(after.gasUsed)
  for (let repeat = 0; repeat < repeats(30); repeat++) {
    expectSame(await run(executor, berlin, { speculation: 'always' }), before, `berlin ${repeat}`)
    expectSame(await run(executor, london, { speculation: 'always' }), after, `london ${repeat}`)
  }
})

describe('hazards of the EVM', () => {
  test('hazard 6: code and code hash of an account are never of two versions (EIP-7702)', async () => {
    const who = authority(7)
    const targets = [address(0x71), address(0x72)]
    const readers = Array.from({ length: 24 }, (_, k) => address(0x700 + k))
    const transactions: TestTransaction[] = readers.flatMap((reader, k) => {
      const read: TestTransaction = { from: address((k % 5) + 1), to: reader, data: word(who.address), gas: 300_000 }
      if (k % 3 !== 0) return [read]
      // To one, to the other, to nobody (which takes the code away), and so on.
      const to = targets[(k / 3) % 3] ?? (`0x${'0'.repeat(40)}` as Hex)
      const extra = delegating(who.sign(to, k / 3))
      return [{ from: address(6), to: ALICE, gas: 100_000, extra }, read]
    })
    const accounts: Record<Hex, TestAccount> = {
      ...rich(6),
      [who.address]: { balance: 1n },
      ...Object.fromEntries(targets.map((target, k) => [target, { nonce: 1, code: k === 0 ? COUNTER : MORTAL }])),
      ...Object.fromEntries(readers.map((reader) => [reader, { nonce: 1, code: CODE_READER }])),
    }
    const result = await expectParallelSame(
      executor,
      { fork: 'prague', coinbase: COINBASE, accounts, transactions },
      50,
    )
    const designators = targets.map((target) => `0xef0100${target.slice(2)}`)
    const seen = new Set<string>()
    for (const reader of readers) {
      const [hash, size, code] = [0, 1, 2].map((slot) => slotOf(result, reader, slot) ?? 0n)
      const designator = designators.find((text) => BigInt(hashOf(text)) === hash)
      if (designator === undefined) {
        // No delegation now: the hash of nothing, no bytes.
        expect([hash, size, code]).toEqual([BigInt(hashOf('0x')), 0n, 0n])
      } else {
        expect([size, code]).toEqual([23n, BigInt(designator.padEnd(66, '0'))])
      }
      seen.add(designator ?? 'none')
    }
    expect(seen.size).toBe(3)
  })

  describe.each(['petersburg', 'london', 'shanghai'] as const)('in %s', (fork) => {
    const observer = address(0x60)
    const life: TestTransaction[] = [
      { from: ALICE, to: factory }, // made: slot 0 is 9
      { from: BOB, to: CHILD }, // 10, and the slot of the block's number is 10
      { from: CAROL, to: observer, data: word(CHILD) },
      { from: BOB, to: CHILD, value: 1n }, // destroyed at the end of this transaction
      { from: CAROL, to: CHILD }, // calls nothing
      { from: ALICE, to: factory }, // made again: 9
      { from: BOB, to: CHILD }, // 10 once more
      { from: CAROL, to: observer, data: word(CHILD) },
    ]
    const accounts: Record<Hex, TestAccount> = {
      ...rich(3),
      [factory]: { nonce: 1, code: FACTORY },
      [observer]: { nonce: 1, code: observerOf(fork) },
    }

    test('hazard 7: self-destruct, re-creation and reads in one block: nothing of the dead account is seen', async () => {
      const block: TestBlock = { fork, coinbase: COINBASE, accounts, transactions: life }
      const result = await expectParallelSame(executor, block, 40)
      expect(slotOf(result, CHILD, 0)).toBe(10n)
      expect(slotOf(result, CHILD, NUMBER)).toBe(10n)
      expect(slotOf(result, observer, 1)).toBe(BigInt(MORTAL.length / 2 - 1))
      await expectOtherAgrees(block, [CHILD, observer, factory], [0, 1, 2, 3, NUMBER])
    })

    test('hazard 7: an account that was there before the block loses its storage with its life', async () => {
      const old = { nonce: 1, balance: 5n, code: MORTAL, storage: { '0x0': '0x20', '0x63': '0x7' } }
      const transactions: TestTransaction[] = [
        { from: BOB, to: CHILD, value: 1n },
        { from: CAROL, to: observer, data: word(CHILD) },
        { from: ALICE, to: factory, value: 3n },
        { from: BOB, to: CHILD },
      ]
      const block: TestBlock = { fork, coinbase: COINBASE, accounts: { ...accounts, [CHILD]: old }, transactions }
      const file = fileOf(block)
      const result = await expectParallelSame(executor, file, 40)
      expect(changeOf(result, CHILD)).toMatchObject({ storageCleared: true, deleted: false })
      const state = stateOf(file)
      await state.apply(result.stateDiff)
      expect([0, 0x63, NUMBER].map((slot) => state.getStorage(CHILD, slot))).toEqual([10n, 0n, 10n])
      await expectOtherAgrees(block, [CHILD], [0, 0x63, NUMBER])
    })

    test('hazard 7: destroyed and not made again, it is deleted; paid afterwards, it is an empty purse', async () => {
      const old = { nonce: 1, balance: 5n, code: MORTAL, storage: { '0x0': '0x20' } }
      const block: TestBlock = {
        fork,
        coinbase: COINBASE,
        accounts: { ...accounts, [CHILD]: old },
        transactions: [{ from: BOB, to: CHILD, value: 1n }],
      }
      const gone = await expectParallelSame(executor, block, 10)
      expect(changeOf(gone, CHILD)).toMatchObject({ deleted: true })
      const paid = { ...block, transactions: [...block.transactions, { from: ALICE, to: CHILD, value: 8n }] }
      const purse = await expectParallelSame(executor, paid, 20)
      expect(changeOf(purse, CHILD)).toMatchObject({ deleted: false, storageCleared: true, balance: 8n, nonce: 0n })
      await expectOtherAgrees(paid, [CHILD])
    })
  })

  test('hazard 8: no slot, whatever its key, collides with the marker of a destroyed account or with its fields', async () => {
    // Slots of any key: SSTORE(word 0, word 1); with a call value it self-destructs.
    const setter = asm('32 CALLDATALOAD 0 CALLDATALOAD SSTORE CALLVALUE @end JUMPI STOP end: CALLER SELFDESTRUCT')
    const [dead, alive] = [address(0x81), address(0x82)]
    const most = 2n ** 256n - 1n
    // Keys that an engine might be tempted to use for a balance, a nonce, a code, a marker.
    const keys = [0n, 1n, 2n, 3n, 4n, most, most - 1n, 1n << 255n, 1n << 32n, 0xffffffffn, BigInt(dead), BigInt(alive)]
    const storage = Object.fromEntries(keys.map((key) => [word(key), '0x5']))
    const block: TestBlock = {
      fork: 'london',
      coinbase: COINBASE,
      accounts: {
        ...rich(4),
        [dead]: { nonce: 1, code: setter, storage, balance: 9n },
        [alive]: { nonce: 1, code: setter, storage, balance: 9n },
      },
      transactions: [
        ...keys.map((key, k) => ({
          from: address((k % 4) + 1),
          to: alive,
          data: `${word(key)}${word(k + 100).slice(2)}`,
        })),
        { from: ALICE, to: dead, value: 1n, data: `${word(7)}${word(7).slice(2)}` },
        ...keys.map((key, k) => ({ from: address((k % 4) + 1), to: dead, data: `${word(key)}${word(1).slice(2)}` })),
      ],
    }
    const file = fileOf(block)
    const result = await expectParallelSame(executor, file, 20)
    const state = stateOf(file)
    await state.apply(result.stateDiff)
    for (const [k, key] of keys.entries()) {
      expect([key, state.getStorage(alive, key), state.getStorage(dead, key)]).toEqual([key, BigInt(k + 100), 0n])
    }
    expect(state.getAccount(alive)).toEqual({ balance: 9n, nonce: 1n, codeHash: hashOf(setter) })
    expect(state.getAccount(dead)).toBeUndefined()
  })

  test('hazard 9: code created earlier in the block is called', async () => {
    const makers = Array.from({ length: 6 }, (_, k) => address(k + 1))
    const made = makers.map((maker) => createdBy(maker, 0))
    const transactions: TestTransaction[] = [
      ...makers.map((from) => ({ from, data: initOf(COUNTER, '40 0 SSTORE') })),
      ...Array.from({ length: 30 }, (_, k) => ({ from: address(((k + 1) % 6) + 1), to: made[k % 6] as Hex })),
      ...makers.map((from, k) => ({ from, to: address(0x90 + k), data: word(made[k] as Hex) })),
    ]
    const readers = Object.fromEntries(makers.map((_, k) => [address(0x90 + k), { nonce: 1, code: CODE_READER }]))
    const block: TestBlock = {
      fork: 'shanghai',
      coinbase: COINBASE,
      accounts: { ...rich(6), ...readers },
      transactions,
    }
    const result = await expectParallelSame(executor, block, 40)
    for (const [k, contract] of made.entries()) {
      expect(slotOf(result, contract, 0)).toBe(45n)
      expect(slotOf(result, address(0x90 + k), 0)).toBe(BigInt(hashOf(COUNTER)))
    }
    expect(result.receipts.filter(({ logs }) => logs.length === 1)).toHaveLength(30)
    expect(result.stateDiff.codes.has(hashOf(COUNTER))).toBe(true)
  })

  describe('hazard 10: the fee recipient', () => {
    const fees = (gas: bigint) => gas * (10n - BASE_FEE)
    const observer = address(0x60)
    const payments = Array.from({ length: 20 }, (_, k) => ({
      from: address((k % 6) + 1),
      to: address(0x200 + k),
      value: 1n,
    }))

    test('hazard 10: as sender, it spends what it has just earned', async () => {
      const block: TestBlock = {
        fork: 'london',
        coinbase: COINBASE,
        accounts: rich(6),
        // It has nothing before the block: 21,000 gas of five payments at 3 wei are more than one payment costs.
        transactions: [...payments, { from: COINBASE, to: BOB, value: 5n, gas: 21_000 }, ...payments.slice(0, 5)],
      }
      const result = await expectParallelSame(executor, block, 30)
      expect(changeOf(result, COINBASE)).toMatchObject({
        balance: fees(26n * 21_000n) - 5n - 21_000n * 10n,
        nonce: 1n,
      })
      await expectOtherAgrees(block, [COINBASE, BOB])
    })

    test.each(['called contract', 'recipient of calls'])('hazard 10: as %s', async (as) => {
      const code = as === 'called contract' ? observerOf('london') : undefined
      const block: TestBlock = {
        fork: 'london',
        coinbase: COINBASE,
        accounts: { ...rich(6), [COINBASE]: { balance: 100n, ...(code === undefined ? {} : { nonce: 1, code }) } },
        transactions: payments.flatMap((payment, k) => [
          payment,
          { from: address((k % 5) + 1), to: COINBASE, value: BigInt(k), data: word(ALICE) },
        ]),
      }
      const result = await expectParallelSame(executor, block, 30)
      const all = 100n + (19n * 20n) / 2n + result.receipts.reduce((sum, { gasUsed }) => sum + fees(gasUsed), 0n)
      expect(changeOf(result, COINBASE)?.balance).toBe(all)
      await expectOtherAgrees(block, [COINBASE], as === 'called contract' ? [0, 1, 2, 3, 4, 5] : [])
    })

    test('hazard 10: as target of a self-destruct', async () => {
      const bomb = asm('COINBASE SELFDESTRUCT')
      const bombs = Array.from({ length: 5 }, (_, k) => address(0x300 + k))
      const block: TestBlock = {
        fork: 'london',
        coinbase: COINBASE,
        accounts: {
          ...rich(6),
          ...Object.fromEntries(bombs.map((b, k) => [b, { code: bomb, nonce: 1, balance: BigInt(k) }])),
        },
        transactions: bombs.flatMap((to, k) => [...payments.slice(k * 3, k * 3 + 3), { from: ALICE, to }]),
      }
      const result = await expectParallelSame(executor, block, 30)
      const earned = result.receipts.reduce((sum, { gasUsed }) => sum + fees(gasUsed), 0n)
      expect(changeOf(result, COINBASE)?.balance).toBe(earned + 10n)
      await expectOtherAgrees(block, [COINBASE, ...bombs])
    })

    test('hazard 10: that self-destructs loses the fee of that transaction too, and earns again after it', async () => {
      const bomb = asm('0 CALLDATALOAD @end JUMPI STOP end: CALLER SELFDESTRUCT')
      const block: TestBlock = {
        fork: 'london',
        coinbase: COINBASE,
        accounts: { ...rich(6), [COINBASE]: { code: bomb, nonce: 1, balance: 50n, storage: { '0x1': '0x1' } } },
        transactions: [...payments.slice(0, 3), { from: ALICE, to: COINBASE, data: word(1) }, ...payments.slice(3, 5)],
      }
      await expectOtherAgrees(block, [COINBASE, ALICE])
      const result = await expectParallelSame(executor, block, 20)
      // What it had when it died went to Alice; its own fee came before the deletion at the transaction's end.
      expect(changeOf(result, COINBASE)?.balance).toBe(fees(2n * 21_000n))
    })

    test('hazard 10: as authority of a delegation', async () => {
      const who = authority(9)
      const block: TestBlock = {
        fork: 'prague',
        coinbase: who.address,
        accounts: { ...rich(6), [address(0x71)]: { nonce: 1, code: COUNTER } },
        transactions: [
          ...payments.slice(0, 5),
          { from: BOB, to: ALICE, gas: 100_000, extra: delegating(who.sign(address(0x71), 0)) },
          ...Array.from({ length: 8 }, (_, k) => ({ from: address((k % 6) + 1), to: who.address })),
        ],
      }
      const result = await expectParallelSame(executor, block, 30)
      expect(slotOf(result, who.address, 0)).toBe(8n)
      expect(changeOf(result, who.address)).toMatchObject({
        nonce: 1n,
        balance: result.receipts.reduce((sum, { gasUsed }) => sum + fees(gasUsed), 0n),
      })
    })

    test('hazard 10: observed by BALANCE between fees', async () => {
      const observers = Array.from({ length: 8 }, (_, k) => address(0x60 + k))
      const block: TestBlock = {
        fork: 'london',
        coinbase: COINBASE,
        accounts: {
          ...rich(6),
          ...Object.fromEntries(observers.map((o) => [o, { nonce: 1, code: observerOf('london') }])),
        },
        transactions: observers.flatMap((to, k) => [
          payments[k] as TestTransaction,
          { from: BOB, to, data: word(COINBASE) },
        ]),
      }
      const result = await expectParallelSame(executor, block, 30)
      let earned = 0n
      for (const [k, receipt] of result.receipts.entries()) {
        if (k % 2 === 1) expect(slotOf(result, observers[(k - 1) / 2] as Hex, 4)).toBe(earned)
        earned += fees(receipt.gasUsed)
      }
    })

    test('hazard 10: absent with fee 0 it stays absent from Spurious Dragon on; an empty one that is there goes', async () => {
      const free = payments.slice(0, 6).map((payment) => ({ ...payment, gasPrice: 0n }))
      for (const fork of ['spuriousDragon', 'byzantium', 'berlin'] as const) {
        const block: TestBlock = { fork, coinbase: COINBASE, accounts: rich(6), transactions: free }
        const result = await expectParallelSame(executor, block, 5)
        expect(changeOf(result, COINBASE)).toBeUndefined()
        await expectOtherAgrees(block, [COINBASE])
        const empty = { ...block, accounts: { ...rich(6), [COINBASE]: {} } }
        await expectOtherAgrees(empty, [COINBASE])
        expect(changeOf(await expectParallelSame(executor, empty, 5), COINBASE)).toMatchObject({ deleted: true })
      }
    })

    test.each(['frontier', 'homestead', 'tangerineWhistle'] as const)(
      'hazard 10: absent before %s pays attention to empty accounts, it exists from the first fee on, 0 or not',
      async (fork) => {
        for (const gasPrice of [0n, 10n]) {
          const block: TestBlock = {
            fork,
            coinbase: COINBASE,
            accounts: {
              ...rich(6),
              [observer]: { nonce: 1, code: observerOf(fork) },
              [address(0x61)]: { nonce: 1, code: FORWARD_TO_COINBASE },
            },
            transactions: [
              { from: ALICE, to: BOB, value: 1n, gasPrice },
              // 25,000 gas more where the coinbase does not exist yet.
              { from: BOB, to: address(0x61), gasPrice },
              { from: CAROL, to: observer, data: word(COINBASE), gasPrice },
              { from: ALICE, to: BOB, value: 1n, gasPrice },
            ],
          }
          await expectOtherAgrees(block, [COINBASE, observer], [0, 1, 3, 4])
          await expectParallelSame(executor, block, 10)
        }
      },
    )
  })

  test('hazard 12: what was read of an absent account holds only while it is absent', async () => {
    const observers = Array.from({ length: 10 }, (_, k) => address(0x60 + k))
    const targets = observers.map((_, k) => address(0x400 + k))
    for (const fork of ['petersburg', 'shanghai'] as const) {
      const block: TestBlock = {
        fork,
        coinbase: COINBASE,
        accounts: {
          ...rich(6),
          ...Object.fromEntries(observers.map((o) => [o, { nonce: 1, code: observerOf(fork) }])),
        },
        transactions: observers.flatMap((to, k) => [
          { from: ALICE, to: targets[k] as Hex, value: BigInt(k % 2) },
          { from: address((k % 4) + 2), to, data: word(targets[k] as Hex) },
        ]),
      }
      const result = await expectParallelSame(executor, block, 30)
      for (const [k, observer] of observers.entries()) {
        // A payment of nothing makes no account (EIP-161), so there is no hash either.
        const hash = k % 2 === 1 ? BigInt(hashOf('0x')) : undefined
        expect([k, slotOf(result, observer, 0), slotOf(result, observer, 2)]).toEqual([
          k,
          k % 2 === 1 ? 1n : undefined,
          hash,
        ])
      }
    }
  })

  test('hazard 14: a payment to the fee recipient is not lost among its fees', async () => {
    const block: TestBlock = {
      fork: 'berlin',
      coinbase: COINBASE,
      accounts: rich(6),
      transactions: Array.from({ length: 60 }, (_, k) => ({
        from: address((k % 6) + 1),
        to: k % 2 === 0 ? COINBASE : BOB,
        value: 1000n,
      })),
    }
    const result = await expectParallelSame(executor, block, 30)
    expect(changeOf(result, COINBASE)?.balance).toBe(30n * 1000n + 60n * 21_000n * 10n)
  })

  test('hazard 15: a gap in the nonces ends the run with its index, at once, and the pool goes on', async () => {
    for (const at of [0, 1, 17, 59]) {
      const transactions = Array.from({ length: 60 }, (_, k) => ({
        from: address((k % 6) + 1),
        to: BOB,
        value: 1n,
        nonce: Math.floor(k / 6) + (k === at ? 1 : 0),
      }))
      const block: TestBlock = { fork: 'london', coinbase: COINBASE, accounts: rich(6), transactions }
      for (let repeat = 0; repeat < 10; repeat++) {
        const began = performance.now()
        expect(await endingOf(executor, block, { speculation: 'always' })).toMatchObject({
          code: 'INVALID_TRANSACTION',
          txIndex: at,
        })
        expect(performance.now() - began).toBeLessThan(5000)
      }
      const good = { ...block, transactions: transactions.slice(0, at) }
      expect((await run(executor, good, { speculation: 'always' })).receipts).toHaveLength(at)
    }
  })

  test('hazard 17: addresses and slots whose hashes are equal are different locations', async () => {
    const byHash = new Map<number, Hex>()
    const twins: Hex[] = []
    // Addresses as they are, without structure: among 2^17 of them some hashes of 32 bits are equal.
    const random = new Uint32Array(5)
    for (let k = 1; twins.length < 4 && k < 500_000; k++) {
      for (const lane of random.keys())
        random[lane] = Math.imul((random[lane] ?? 0) ^ (k << 5), 0x9e3779b1 + lane * 2) ^ ((random[lane] ?? 0) >>> 15)
      const name: Hex = `0x${Buffer.from(random.buffer).toString('hex')}`
      const hash = hashAddress(new Int32Array(Uint8Array.from(Buffer.from(name.slice(2), 'hex')).buffer), 0)
      const other = byHash.get(hash)
      if (other !== undefined) twins.push(other, name)
      byHash.set(hash, name)
    }
    expect(twins.length).toBeGreaterThanOrEqual(2)
    const slots: number[] = []
    const bySlotHash = new Map<number, number>()
    for (let k = 1; slots.length < 4 && k < 500_000; k++) {
      const hash = hashSlot(0, Int32Array.of(k, 0, 0, 0, 0, 0, 0, 0), 0) & 0xfff
      const other = bySlotHash.get(hash)
      if (other !== undefined) slots.push(other, k)
      bySlotHash.set(hash, k)
    }
    const adder = asm('0 CALLDATALOAD SLOAD 1 ADD 0 CALLDATALOAD SSTORE')
    const contracts = Object.fromEntries(twins.map((name) => [name, { nonce: 1, code: adder }]))
    const block: TestBlock = {
      fork: 'shanghai',
      coinbase: COINBASE,
      accounts: { ...rich(6), ...contracts },
      transactions: Array.from({ length: 64 }, (_, k) => ({
        from: address((k % 6) + 1),
        to: twins[k % twins.length] as Hex,
        value: BigInt((k % twins.length) + 1),
        data: word(slots[(k >> 2) % slots.length] as number),
      })),
    }
    const result = await expectParallelSame(executor, block, 20)
    const calls = 64 / twins.length
    for (const [k, name] of twins.entries()) {
      expect(changeOf(result, name)?.balance).toBe(BigInt(calls * (k + 1)))
      const sum = slots.reduce((total, slot) => total + Number(slotOf(result, name, slot) ?? 0n), 0)
      expect(sum).toBe(calls)
    }
  })

  test('hazard 18: code of an incarnation that never was is not kept', async () => {
    // Deploys a runtime that returns the counter's value at deployment; then everybody asks what they deployed.
    const counter = address(0x101)
    // init: call the counter (which counts and leaves its value in slot 0; static part is irrelevant), read it back
    // through a getter, and return the code PUSH1 value, PUSH1 0, MSTORE, PUSH1 32, PUSH1 0, RETURN.
    const countAndGet = asm('0 SLOAD 1 ADD DUP1 0 SSTORE 0 MSTORE 32 0 RETURN')
    const init = asm(`
      32 0 0 0 0 ${counter} GAS CALL POP
      0x60 32 MSTORE8 31 0 ADD MLOAD POP
      0 MLOAD 33 MSTORE8
      0x60 34 MSTORE8 0 35 MSTORE8 0x52 36 MSTORE8 0x60 37 MSTORE8 32 38 MSTORE8 0x60 39 MSTORE8 0 40 MSTORE8 0xf3 41 MSTORE8
      10 32 RETURN`)
    const makers = Array.from({ length: 6 }, (_, k) => address(k + 1))
    const contracts = makers.flatMap((maker) => [0, 1].map((nonce) => createdBy(maker, nonce)))
    const keeper = asm(`
      32 0 0 0 0 0 CALLDATALOAD GAS CALL POP 0 MLOAD 0 CALLDATALOAD SSTORE`)
    const blockFrom = (start: number): TestBlock => ({
      fork: 'london',
      coinbase: COINBASE,
      accounts: {
        ...rich(6),
        [counter]: { nonce: 1, code: countAndGet, storage: { '0x0': `0x${start.toString(16)}` } },
        [address(0x102)]: { nonce: 1, code: keeper },
      },
      transactions: [
        ...[0, 1].flatMap(() => makers.map((from) => ({ from, data: init }))),
        ...contracts.map((contract, k) => ({ from: makers[k % 6] as Hex, to: address(0x102), data: word(contract) })),
      ],
    })
    // Two blocks on one executor: the same addresses have other code in the second.
    for (const start of [10, 100]) {
      const result = await expectParallelSame(executor, blockFrom(start), 30)
      for (const [k, maker] of makers.entries()) {
        for (const nonce of [0, 1]) {
          const value = BigInt(start + 1 + k + 6 * nonce)
          expect(slotOf(result, address(0x102), BigInt(createdBy(maker, nonce)))).toBe(value)
        }
      }
    }
  })

  test('hazard 19: a transaction that is invalid in one incarnation only is valid', async () => {
    // Each sender owns nothing until the one before has paid it.
    const chain = Array.from({ length: 24 }, (_, k) => address(0x500 + k))
    const fee = 21_000n * 10n
    const transactions = chain.slice(0, -1).map((from, k) => ({
      from,
      to: chain[k + 1] as Hex,
      value: 24n * fee - BigInt(k + 1) * fee,
      gas: 21_000,
    }))
    const block: TestBlock = {
      fork: 'berlin',
      coinbase: COINBASE,
      accounts: { [chain[0] as Hex]: { balance: 24n * fee } },
      transactions,
    }
    const result = await expectParallelSame(executor, block, 40)
    expect(result.receipts.every(({ status }) => status === 1)).toBe(true)
    expect(changeOf(result, chain[23] as Hex)?.balance).toBe(fee)
  })

  test('hazard 20: a balance that a transaction reads has every credit below it in it', async () => {
    const observers = Array.from({ length: 6 }, (_, k) => address(0x60 + k))
    const purse = address(0x99)
    for (const fork of FORKS.filter((name) => since(name, 'byzantium'))) {
      const block: TestBlock = {
        fork,
        coinbase: COINBASE,
        accounts: {
          ...rich(6),
          ...Object.fromEntries(observers.map((o) => [o, { nonce: 1, code: observerOf(fork) }])),
        },
        transactions: observers.flatMap((to) => [
          ...Array.from({ length: 7 }, (_, k) => ({ from: address((k % 6) + 1), to: purse, value: 3n })),
          ...Array.from({ length: 3 }, () => ({ from: ALICE, to, value: 2n, data: word(purse) })),
        ]),
      }
      const result = await expectParallelSame(executor, block, 4)
      for (const [k, observer] of observers.entries()) {
        expect(slotOf(result, observer, 0)).toBe(BigInt(21 * (k + 1)))
        expect(slotOf(result, observer, 3)).toBe(6n)
      }
    }
  })

  test('hazard 20: a credit is not lost where speculation takes its recipient to be in debt', async () => {
    // A slow transaction pays every purse; then each purse pays twice, together more than it has without that, and is
    // paid again. Until the slow one is there, what is known of a purse may sum up to less than nothing.
    const purses = Array.from({ length: 6 }, (_, k) => address(0x600 + k))
    const pay = purses.map((_, k) => `0 0 0 0 1000000000 ${32 * k} CALLDATALOAD GAS CALL POP`).join(' ')
    const slow = asm(`3000 loop: DUP1 ISZERO @end JUMPI 1 SWAP1 SUB @loop JUMP end: ${pay}`)
    const each = (from: (purse: Hex) => Hex, to: (purse: Hex) => Hex, value: bigint): TestTransaction[] =>
      purses.map((purse) => ({ from: from(purse), to: to(purse), value, gas: 21_000 }))
    const own = (purse: Hex): Hex => purse
    const round: TestTransaction[] = [
      {
        from: BOB,
        to: address(0x50),
        value: 6_000_000_000n,
        data: `0x${purses.map((purse) => word(purse).slice(2)).join('')}`,
        gas: 1_000_000,
      },
      ...each(own, () => address(0x700), 700_000_000n),
      ...each(own, () => address(0x701), 600_000_000n),
      ...each(() => ALICE, own, 500_000_000n),
    ]
    const block: TestBlock = {
      fork: 'berlin',
      coinbase: COINBASE,
      accounts: {
        ...rich(6),
        [address(0x50)]: { nonce: 1, code: slow },
        ...Object.fromEntries(purses.map((purse) => [purse, { balance: 1_000_000_000n }])),
      },
      transactions: [...round, ...round],
    }
    const result = await expectParallelSame(executor, block, 60)
    expect(result.receipts.every(({ status }) => status === 1)).toBe(true)
    for (const purse of purses) {
      expect(changeOf(result, purse)?.balance).toBe(1_000_000_000n + 2n * (200_000_000n - 2n * 210_000n))
    }
  })
})
