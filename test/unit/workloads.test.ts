/**
 * The synthetic blocks against an EVM that shares no code with this project. What the benchmark runs must be what it
 * says: every transaction succeeds, moves what it should, and uses the gas of the real thing.
 *
 * 30 transactions: with two tokens on each pair, more than one direction of swap, and a chain long enough to break.
 */
import { existsSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type EthereumjsFile, type EthereumjsRun, runEthereumjs } from '../../benchmarks/ethereumjs.ts'
import {
  demoBlock,
  type Hex,
  makeWorkload,
  WORKLOAD_NAMES,
  type WorkloadFile,
  type WorkloadName,
  type WorkloadTransaction,
} from '../../benchmarks/workloads.ts'
import { assemble, mappingSlot, PAIR_SLOT, TOKEN_SLOT } from '../../src/cli/contracts.ts'

const COUNT = 30

const allSucceed = Array.from({ length: COUNT }, () => 1)
const slot = (index: number): Hex => `0x${index.toString(16)}`
const wordAt = (input: Hex, index: number, from = 0): Hex =>
  `0x${input.slice(2 + from + index * 64, 66 + from + index * 64)}`
const addressAt = (input: Hex, index: number, from = 0): Hex => `0x${wordAt(input, index, from).slice(26)}`

const balanceOf = (run: EthereumjsRun, token: Hex, holder: Hex): Promise<bigint> =>
  run.storageAt(token, mappingSlot(holder, slot(TOKEN_SLOT.balances)))

const etherOf = async (run: EthereumjsRun, address: Hex): Promise<bigint | undefined> =>
  (await run.account(address))?.balance

const startOf = (file: WorkloadFile, address: Hex): bigint => BigInt(file.pre[address]?.balance ?? 0)

/** Recipient and amount of an ERC-20 transfer. */
const transferOf = ({ input }: WorkloadTransaction) => ({
  to: addressAt(input, 0, 8),
  amount: BigInt(wordAt(input, 1, 8)),
})

/** The words of a call to the router. */
const swapOf = ({ input }: WorkloadTransaction) => ({
  pair: addressAt(input, 0),
  tokenIn: addressAt(input, 1),
  amountIn: BigInt(wordAt(input, 2)),
  amountOut: BigInt(wordAt(input, 3)) + BigInt(wordAt(input, 4)),
})

/** The block with the calldata of its only transaction replaced. */
function withInput(file: WorkloadFile, input: Hex): WorkloadFile {
  const transactions = file.block.transactions.map((tx) => ({ ...tx, input }))
  return { ...file, block: { ...file.block, transactions } }
}

/** Replays the ether of a block of payments beside the EVM: each account's balance after fees. */
async function expectPayments(file: WorkloadFile, run: EthereumjsRun): Promise<void> {
  const expected = new Map<Hex, bigint>()
  const add = (address: Hex, change: bigint) =>
    expected.set(address, (expected.get(address) ?? startOf(file, address)) + change)
  for (const tx of file.block.transactions) {
    add(tx.from, -BigInt(tx.value) - 21_000n * 2n * 10n ** 9n)
    add(tx.to, BigInt(tx.value))
    add(file.block.miner, 21_000n * 10n ** 9n)
  }
  for (const [address, balance] of expected) expect(await etherOf(run, address), address).toBe(balance)
}

/** Replays the token's balances beside the EVM. */
async function expectTransfers(file: WorkloadFile, run: EthereumjsRun): Promise<void> {
  const expected = new Map<string, { token: Hex; holder: Hex; change: bigint }>()
  const add = (token: Hex, holder: Hex, change: bigint) => {
    const entry = expected.get(token + holder) ?? { token, holder, change: 0n }
    expected.set(token + holder, { ...entry, change: entry.change + change })
  }
  for (const tx of file.block.transactions) {
    const { to, amount } = transferOf(tx)
    add(tx.to, tx.from, -amount)
    add(tx.to, to, amount)
  }
  const before = await runEthereumjs(file, { limit: 0 })
  for (const { token, holder, change } of expected.values()) {
    expect(await balanceOf(run, token, holder)).toBe((await balanceOf(before, token, holder)) + change)
  }
}

/** Every pair holds what its reserves say, and is open again. */
async function expectPairsInBalance(file: WorkloadFile, run: EthereumjsRun): Promise<void> {
  const pairs = new Set(
    file.block.transactions.filter((tx) => tx.input.length === 2 + 5 * 64).map((tx) => swapOf(tx).pair),
  )
  expect(pairs.size).toBeGreaterThan(0)
  for (const pair of pairs) {
    const read = (name: keyof typeof PAIR_SLOT) => run.storageAt(pair, slot(PAIR_SLOT[name]))
    const tokenAddress = async (name: 'token0' | 'token1'): Promise<Hex> =>
      `0x${(await read(name)).toString(16).padStart(40, '0')}`
    const reserves = await read('reserves')
    const mask = (1n << 112n) - 1n
    expect(reserves & mask).toBe(await balanceOf(run, await tokenAddress('token0'), pair))
    expect((reserves >> 112n) & mask).toBe(await balanceOf(run, await tokenAddress('token1'), pair))
    expect(reserves >> 224n).toBe(BigInt(file.block.timestamp))
    expect(await read('unlocked')).toBe(1n)
  }
}

describe('workloads on an independent EVM', () => {
  it.each<WorkloadName>(['transfers', 'chain'])(
    '%s: each payment succeeds with 21,000 gas and moves its value',
    async (name) => {
      const file = makeWorkload(name, COUNT)
      const run = await runEthereumjs(file)
      expect(run.statuses).toEqual(allSucceed)
      expect(new Set(run.gas)).toEqual(new Set([21_000n]))
      await expectPayments(file, run)
    },
  )

  it.each<[WorkloadName, bigint, bigint]>([
    ['erc20', 51_300n, 51_408n],
    ['erc20-hot', 34_200n, 51_408n],
    ['erc20-chain', 34_200n, 51_408n],
    // Ranges, since each zero byte of an address in the calldata saves 12 gas.
  ])('%s: each transfer succeeds with one event and moves its tokens', async (name, least, most) => {
    const file = makeWorkload(name, COUNT)
    const run = await runEthereumjs(file)
    expect(run.statuses).toEqual(allSucceed)
    for (const gas of run.gas) expect(gas >= least && gas <= most, `gas ${gas}`).toBe(true)
    for (const { execResult } of run.results) expect(execResult.logs).toHaveLength(1)
    await expectTransfers(file, run)
  })

  it('uniswap: each swap succeeds with two transfers, Sync and Swap, and pays the trader', async () => {
    const file = makeWorkload('uniswap', COUNT)
    const run = await runEthereumjs(file)
    expect(run.statuses).toEqual(allSucceed)
    for (const gas of run.gas) expect(gas >= 106_000n && gas <= 107_500n, `gas ${gas}`).toBe(true)
    for (const [index, { execResult }] of run.results.entries()) {
      const tx = file.block.transactions[index] as WorkloadTransaction
      const { pair, tokenIn } = swapOf(tx)
      const [tokenOut] = Object.keys(file.pre).filter(
        (address) => isTokenOf(file, pair, address) && address !== tokenIn,
      )
      const emitters = execResult.logs?.map(([address]) => `0x${Buffer.from(address).toString('hex')}`)
      expect(emitters).toEqual([tokenIn, tokenOut, pair, pair])
      expect(await balanceOf(run, tokenOut as Hex, tx.from)).toBe(swapOf(tx).amountOut)
    }
    await expectPairsInBalance(file, run)
  })

  it('uniswap: a swap asks for all that the pair gives; one unit more reverts with the reason of the pair', async () => {
    const file = makeWorkload('uniswap', 1)
    const [tx] = file.block.transactions as [WorkloadTransaction]
    const { amountOut } = swapOf(tx)
    const input = tx.input.replace(amountOut.toString(16), (amountOut + 1n).toString(16)) as Hex
    const run = await runEthereumjs(withInput(file, input))
    expect(run.statuses).toEqual([0])
    expect(Buffer.from(run.results[0]?.execResult.returnValue ?? []).toString()).toContain('UniswapV2: K')
  })

  it('uniswap: a trader without tokens makes the router revert with the reason of the token', async () => {
    const file = makeWorkload('uniswap', 1)
    const [tx] = file.block.transactions as [WorkloadTransaction]
    const input = tx.input.replace(swapOf(tx).amountIn.toString(16).padStart(64, '0'), 'f'.repeat(64)) as Hex
    const run = await runEthereumjs(withInput(file, input))
    expect(run.statuses).toEqual([0])
    expect(Buffer.from(run.results[0]?.execResult.returnValue ?? []).toString()).toContain('exceeds balance')
  })

  it('mixed: payments, transfers and swaps that conflict all succeed in the preset order', async () => {
    const file = makeWorkload('mixed', 400)
    const run = await runEthereumjs(file)
    expect(new Set(run.statuses)).toEqual(new Set([1]))
    const share = (kind: (tx: WorkloadTransaction) => boolean) => file.block.transactions.filter(kind).length / 400
    expect(share((tx) => tx.input === '0x')).toBeCloseTo(0.5, 1)
    expect(share((tx) => tx.input.startsWith('0xa9059cbb'))).toBeCloseTo(0.35, 1)
    expect(share((tx) => tx.input.length === 2 + 5 * 64)).toBeCloseTo(0.15, 1)
    expect(share((tx) => tx.nonce !== '0x0')).toBeGreaterThan(0.1)
    await expectPairsInBalance(file, run)
  })

  it('demo: token transfers and swaps, about 70 to 30, all succeed', async () => {
    const file = demoBlock(200)
    const run = await runEthereumjs(file)
    expect(new Set(run.statuses)).toEqual(new Set([1]))
    expect(file.block.transactions.filter((tx) => tx.input.startsWith('0xa9059cbb')).length / 200).toBeCloseTo(0.7, 1)
    await expectPairsInBalance(file, run)
  })

  it('empty and single: no transaction and one payment, whatever count is asked for', async () => {
    expect((await runEthereumjs(makeWorkload('empty', COUNT))).txs).toBe(0)
    const file = makeWorkload('single', COUNT)
    const run = await runEthereumjs(file)
    expect(run.statuses).toEqual([1])
    await expectPayments(file, run)
  })
})

describe('makeWorkload', () => {
  it('gives the same file each time, and one that JSON keeps whole', () => {
    for (const name of WORKLOAD_NAMES) {
      const file = makeWorkload(name, 20)
      expect(makeWorkload(name, 20)).toEqual(file)
      expect(JSON.parse(JSON.stringify(file))).toEqual(file)
    }
  })

  it('keeps its promises of distinct and shared accounts', () => {
    const parties = (name: WorkloadName) => {
      const { transactions } = makeWorkload(name, 5_000).block
      const ends = transactions.map((tx) => (tx.input === '0x' ? tx.to : transferOf(tx).to))
      return { senders: new Set(transactions.map((tx) => tx.from)), ends: new Set(ends) }
    }
    for (const name of ['transfers', 'erc20'] as const) {
      const { senders, ends } = parties(name)
      expect([senders.size, ends.size, new Set([...senders, ...ends]).size]).toEqual([5_000, 5_000, 10_000])
    }
    expect(parties('erc20-hot').ends.size).toBe(1)
    for (const name of ['chain', 'erc20-chain'] as const) {
      const { transactions } = makeWorkload(name, 100).block
      const ends = transactions.map((tx) => (tx.input === '0x' ? tx.to : transferOf(tx).to))
      expect(ends.slice(0, -1)).toEqual(transactions.slice(1).map((tx) => tx.from))
    }
    const pairs = makeWorkload('uniswap', 1_000).block.transactions.map((tx) => swapOf(tx).pair)
    expect(new Set(pairs).size).toBe(1_000)
  })

  it('leaves the miner and the recipients of transfers out of the pre-state', () => {
    const { block, pre } = makeWorkload('transfers', 100)
    expect(pre[block.miner]).toBeUndefined()
    for (const { from, to } of block.transactions) expect([pre[from] !== undefined, pre[to]]).toEqual([true, undefined])
  })

  it.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('refuses a block of %d transactions', (count) => {
    expect(() => makeWorkload('transfers', count)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
    expect(() => demoBlock(count)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
  })
})

describe('contracts', () => {
  afterEach(() => {
    vi.doUnmock('node:module')
    vi.resetModules()
  })

  const withRequire = async (load: () => unknown) => {
    vi.resetModules()
    vi.doMock('node:module', () => ({ createRequire: () => load }))
    return await import('../../src/cli/workloads.ts')
  }

  it('missing packages are an error that says what to install, and payments do without', async () => {
    const { demoBlock, makeWorkload } = await withRequire(() => {
      throw new Error('Cannot find module')
    })
    const missing = expect.objectContaining({
      code: 'MODULE_NOT_LOADED',
      message: expect.stringMatching(/npm install @openzeppelin\/contracts@4\.9\.6 @uniswap\/v2-core@1\.0\.1/),
    })
    expect(() => demoBlock(10)).toThrow(missing)
    expect(() => makeWorkload('erc20', 1)).toThrow(missing)
    expect(makeWorkload('transfers', 3).block.transactions).toHaveLength(3)
  })

  it('another build of a contract is refused, since its slots may be others', async () => {
    const { makeWorkload } = await withRequire(() => ({ deployedBytecode: '0x00' }))
    expect(() => makeWorkload('erc20', 1)).toThrow(expect.objectContaining({ code: 'MODULE_NOT_LOADED' }))
  })

  it('the assembler resolves labels and refuses unknown words', () => {
    expect(assemble('PUSH0 @end JUMPI ; comment\n STOP end: JUMPDEST PUSH4 a9059cbb')).toBe('0x5f600557005b63a9059cbb')
    expect(() => assemble('PUSH9')).toThrow('PUSH9')
    expect(() => assemble('@nowhere JUMPI')).toThrow('nowhere')
  })
})

describe('runEthereumjs as an oracle', () => {
  const folder = new URL('../../../shared/data/blocks/', import.meta.url)

  // One before Byzantium, when receipts held a state root that a partial state cannot give; one with blobs, which need
  // a KZG.
  it.skipIf(!existsSync(folder))(
    'agrees with the headers of real blocks (skipped without ../shared/data)',
    async () => {
      for (const number of [2_675_000, 9_068_998, 19_917_570]) {
        const file: RealFile = JSON.parse(gunzipSync(readFileSync(new URL(`${number}.json.gz`, folder))).toString())
        const run = await runEthereumjs(file)
        expect(run.gasUsed).toBe(BigInt(file.block.gasUsed))
        expect(run.logsBloom).toBe(file.block.logsBloom)
        if (number >= 4_370_000) expect(await run.receiptsRoot()).toBe(file.block.receiptsRoot)
      }
    },
  )

  it('with and without caches gives the same receipts', async () => {
    const file = makeWorkload('mixed', 60)
    const [plain, cached] = [await runEthereumjs(file, { caches: false }), await runEthereumjs(file)]
    expect(await cached.receiptsRoot()).toBe(await plain.receiptsRoot())
  })

  it('stops at the limit', async () => {
    expect((await runEthereumjs(makeWorkload('transfers', COUNT), { limit: 7 })).gas).toHaveLength(7)
  })
})

type RealFile = EthereumjsFile & { block: { gasUsed: string; logsBloom: string; receiptsRoot: string } }

function isTokenOf(file: WorkloadFile, pair: Hex, address: string): boolean {
  const storage = file.pre[pair]?.storage
  const stored = [storage?.[slot(PAIR_SLOT.token0)], storage?.[slot(PAIR_SLOT.token1)]]
  return stored.some((token) => token !== undefined && BigInt(token) === BigInt(address))
}
