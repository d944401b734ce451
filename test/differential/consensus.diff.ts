/**
 * Consensus tests whose post-states say what the ends of a block must do: system calls, withdrawals,
 * rewards; and Constantinople, whose SSTORE is this kernel's own. Whole blocks through the pool, never by fallback.
 *
 * The canonical chain of each fixture is run; invalid blocks and branches are not: this is about execution.
 */
import { hexToBytes, type PrefixedHexString } from '@ethereumjs/util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeBlock } from '../../src/adapters/evm/block.ts'
import type { ChainConfig, ForkAlias } from '../../src/adapters/evm/forks.ts'
import { createExecutor, createMemoryState, type Executor, type MemoryState, type Reward } from '../../src/index.ts'
import { consensusTests, hasConsensusTests } from '../unit/evm-data.ts'

interface Account {
  readonly balance: string
  readonly nonce: string
  readonly code: string
  readonly storage: Readonly<Record<string, string>>
}

interface Fixture {
  readonly network: string
  readonly pre: Readonly<Record<string, Account>>
  readonly postState?: Readonly<Record<string, Account>>
  readonly genesisBlockHeader: { readonly hash: string }
  readonly lastblockhash: string
  readonly blocks: readonly FixtureBlock[]
}

interface FixtureBlock {
  readonly rlp: string
  readonly blockHeader?: { readonly hash: string; readonly parentHash: string }
}

let executor: Executor
beforeAll(async () => {
  executor = await createExecutor({ workers: 2, memoryLimit: 128 * 2 ** 20 })
})
afterAll(() => executor.close())

const NETWORKS: Readonly<Record<string, ForkAlias>> = {
  Frontier: 'chainstart',
  Homestead: 'homestead',
  EIP150: 'tangerineWhistle',
  EIP158: 'spuriousDragon',
  Byzantium: 'byzantium',
  Constantinople: 'constantinople',
  ConstantinopleFix: 'petersburg',
  Istanbul: 'istanbul',
  Berlin: 'berlin',
  London: 'london',
  Paris: 'paris',
  Shanghai: 'shanghai',
  Cancun: 'cancun',
  Prague: 'prague',
  Osaka: 'osaka',
}

function chainOf(network: string): ChainConfig | undefined {
  const fork = NETWORKS[network]
  return fork === undefined ? undefined : { chainId: 1, forks: { [fork]: { block: 0 } } }
}

const ETHER = 10n ** 18n
/** EIP-649, EIP-1234; a block earns 1/32 more for each uncle, the uncle less by an eighth for each block of its age. */
function rewardsOf(block: ReturnType<typeof decodeBlock>, fork: ForkAlias): readonly Reward[] {
  const early = ['chainstart', 'homestead', 'dao', 'tangerineWhistle', 'spuriousDragon']
  const base = (early.includes(fork) ? 5n : fork === 'byzantium' ? 3n : 2n) * ETHER
  const { header, uncles = [] } = block
  return [
    ...uncles.map(({ coinbase, number }) => ({
      address: coinbase,
      amount: ((8n + number - header.number) * base) / 8n,
    })),
    { address: header.coinbase, amount: base + (base * BigInt(uncles.length)) / 32n },
  ]
}

/** First difference between a state and what the fixture says of it. */
function differenceOf(state: MemoryState, post: Readonly<Record<string, Account>>, pre: Fixture['pre']): string {
  for (const [address, { balance, nonce, code, storage }] of Object.entries(post)) {
    const account = state.getAccount(address)
    if (account === undefined) return `${address} is missing`
    if (account.balance !== BigInt(balance)) return `${address} has ${account.balance} wei, not ${BigInt(balance)}`
    if (account.nonce !== BigInt(nonce)) return `${address} has nonce ${account.nonce}, not ${BigInt(nonce)}`
    const bytes = account.codeHash === undefined ? new Uint8Array(0) : state.getCode(account.codeHash)
    if (Buffer.from(bytes ?? []).toString('hex') !== code.slice(2)) return `${address} has another code`
    for (const slot of new Set([...Object.keys(storage), ...Object.keys(pre[address]?.storage ?? {})])) {
      const value = state.getStorage(address, slot)
      if (value !== BigInt(storage[slot] ?? 0)) return `${address} slot ${slot} is ${value}`
    }
  }
  for (const address of Object.keys(pre)) {
    if (!(address in post) && state.getAccount(address) !== undefined) return `${address} should be gone`
  }
  return ''
}

async function runFixture(fixture: Fixture, speculation: 'always' | 'auto'): Promise<string> {
  const chain = chainOf(fixture.network) as ChainConfig
  const state = createMemoryState({ maxBytes: 4 * 2 ** 20 })
  for (const [address, { storage, ...account }] of Object.entries(fixture.pre)) {
    state.putAccount(address, { ...account, storage })
  }
  state.putBlockHash(0, fixture.genesisBlockHeader.hash)
  for (const { rlp, blockHeader } of canonicalOf(fixture)) {
    const bytes = hexToBytes(rlp as PrefixedHexString)
    const block = decodeBlock(bytes)
    const fork = Object.keys(chain.forks).at(-1) as ForkAlias
    const rewards = rewardsOf(block, fork)
    const settings = { state, chain, rewards, speculation, sequential: speculation === 'auto' }
    const result = await executor.executeBlock(bytes, settings)
    if (speculation === 'always' && result.run.fallback > 0) return 'took the fallback'
    await state.apply(result.stateDiff)
    state.putBlockHash(block.header.number, blockHeader?.hash ?? '')
  }
  return differenceOf(state, fixture.postState ?? {}, fixture.pre)
}

/** The blocks from genesis to the head that the fixture names; branches and invalid blocks are not on the way. */
function canonicalOf({ blocks, lastblockhash, genesisBlockHeader }: Fixture): FixtureBlock[] {
  const byHash = new Map(blocks.map((block) => [block.blockHeader?.hash, block]))
  const chain: FixtureBlock[] = []
  for (let hash = lastblockhash; hash !== genesisBlockHeader.hash; ) {
    const block = byHash.get(hash)
    if (block === undefined) return []
    chain.unshift(block)
    hash = block.blockHeader?.parentHash ?? ''
  }
  return chain
}

const PATTERN = process.env['BLOCKLOOM_CONSENSUS']

describe.skipIf(!hasConsensusTests)('consensus tests (skipped without ../shared/data/consensus)', () => {
  test.each([
    ['ethereum-tests', /^Constantinople$/, /./, 18],
    ['ethereum-legacytests', /^Constantinople$/, /./, 150],
    ['eest', /^(Cancun|Prague|Osaka)$/, /eip4788|eip2935|eip7002|eip7251|eip7685|eip4895/, 100],
  ])(
    "%s, networks %s, of %s: the state after is the fixture's",
    { timeout: 600_000 },
    async (file, networks, names, least) => {
      let passed = 0
      const failed: string[] = []
      for await (const line of consensusTests(file)) {
        const fixture = line.test as unknown as Fixture
        const name = `${(line as unknown as { file: string }).file} ${line.name}`
        if (
          !(PATTERN === undefined
            ? networks.test(fixture.network) && names.test(name)
            : new RegExp(PATTERN).test(`${fixture.network} ${name}`))
        )
          continue
        if (chainOf(fixture.network) === undefined || fixture.postState === undefined) continue
        for (const speculation of ['auto', 'always'] as const) {
          const difference = await runFixture(fixture, speculation).catch((error: Error) => error.message)
          if (difference === '') passed++
          else failed.push(`${name}, ${speculation}: ${difference}`)
        }
      }
      expect(failed.slice(0, 20)).toEqual([])
      expect(passed / 2).toBeGreaterThanOrEqual(least)
    },
  )
})
