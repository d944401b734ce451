/** What fixtures call chains and exceptions, and what the runner makes of accepted and rejected blocks. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { dialectOf } from '../../src/cli/conformance/dialect.ts'
import { allowedBy, reasonsOf, UnknownParentError } from '../../src/cli/conformance/exceptions.ts'
import { decodeFixture } from '../../src/cli/conformance/fixture.ts'
import type { BlockExecution } from '../../src/cli/conformance/importer.ts'
import { rulesOf } from '../../src/cli/conformance/networks.ts'
import { runCase } from '../../src/cli/conformance/runCase.ts'
import { listFiles, readCases } from '../../src/cli/conformance/sources.ts'
import { resolveChain } from '../../src/evm.ts'
import { createMemoryState, InvalidInputError, ParallelExecutionError } from '../../src/index.ts'
import { keccak256 } from '../support/evm.ts'
import { type Json, smallTest, spoiled } from '../support/fixtures.ts'

const CONSENSUS = fileURLToPath(new URL('../../../shared/data/consensus', import.meta.url))
const haveConsensus = existsSync(CONSENSUS)
if (!haveConsensus) process.stderr.write(`skipped: the consensus tests of ${CONSENSUS} are not here\n`)

const networkOf = (network: string) => rulesOf({ network, chainId: 1n, blobSchedule: new Map() })

describe('networks', () => {
  test.each([
    ['Frontier', 0n, 0n, 'chainstart'],
    ['EIP158', 0n, 0n, 'spuriousDragon'],
    ['ConstantinopleFix', 0n, 0n, 'petersburg'],
    ['Merge', 0n, 0n, 'paris'],
    ['HomesteadToDaoAt5', 4n, 0n, 'homestead'],
    ['HomesteadToDaoAt5', 5n, 0n, 'dao'],
    ['BerlinToLondonAt5', 4n, 0n, 'berlin'],
    ['BerlinToLondonAt5', 5n, 0n, 'london'],
    ['PragueToOsakaAtTime15k', 9n, 14_999n, 'prague'],
    ['PragueToOsakaAtTime15k', 1n, 15_000n, 'osaka'],
    ['BPO1ToBPO2AtTime15k', 1n, 15_000n, 'bpo2'],
  ])('%s at block %s, time %s is %s', (network, number, timestamp, fork) => {
    const chain = networkOf(network)?.chain
    expect(chain && resolveChain(chain, { number, timestamp }).fork).toBe(fork)
  })

  test('a merge by difficulty is no fork at a block', () => {
    const rules = networkOf('ArrowGlacierToParisAtDiffC0000')
    expect(rules?.terminalTotalDifficulty).toBe(0xc0000n)
    const at = (parentTotalDifficulty: bigint) =>
      rules && resolveChain(rules.chain, { number: 9n, timestamp: 9n, parentTotalDifficulty }).fork
    expect([at(0xbffffn), at(0xc0000n)]).toEqual(['arrowGlacier', 'paris'])
  })

  test.each(['', 'Atlantis', 'LondonToBerlinAt5', 'BerlinToLondonAt', 'BerlinToAtlantisAt5', 'constructor'])(
    '%j is no chain',
    (network) => expect(networkOf(network)).toBeUndefined(),
  )
})

describe('dialects', () => {
  test.each([
    ['data/eest-bal-v5.1.0.jsonl.gz', 'blockchain_tests/amsterdam/a.json', 'bal-devnet-2'],
    ['data/eest.jsonl.gz', 'blockchain_tests_devnet/amsterdam/a.json', 'bal-devnet-4'],
    ['fixtures/blockchain_tests_devnet/a.json', 'a.json', 'bal-devnet-4'],
    ['data/eest.jsonl.gz', 'blockchain_tests/osaka/a.json', undefined],
  ])('%s, %s: %s', (source, file, dialect) => expect(dialectOf(source, file)).toBe(dialect))

  test('the dialect goes to the chain; where none is told, the library has its own', () => {
    const fixture = { network: 'Amsterdam', chainId: 1n, blobSchedule: new Map() }
    const point = { number: 1n, timestamp: 1n }
    const dialectFrom = (rules: ReturnType<typeof rulesOf>) => rules && resolveChain(rules.chain, point).amsterdam
    expect(dialectFrom(rulesOf(fixture, 'bal-devnet-2'))).toBe('bal-devnet-2')
    expect(dialectFrom(rulesOf(fixture))).toBe('glamsterdam-devnet-8')
    expect(dialectFrom(rulesOf({ ...fixture, network: 'Osaka' }, 'bal-devnet-2'))).toBeUndefined()
  })
})

describe('exceptions', () => {
  test.runIf(haveConsensus)('every chain and expected exception of the data is known', async () => {
    const unknown = new Set<string>()
    let expected = 0
    for (const file of await listFiles([CONSENSUS])) {
      for await (const { test: raw } of readCases(file)) {
        const { network, blocks } = raw as { network: string; blocks: { expectException?: string }[] }
        if (networkOf(network) === undefined) unknown.add(network)
        const exceptions = blocks.flatMap(({ expectException }) => expectException ?? [])
        if (exceptions.length > 0) expected++
        for (const exception of exceptions) for (const part of allowedBy(exception).unknown) unknown.add(part)
      }
    }
    expect([...unknown]).toEqual([])
    expect(expected).toBeGreaterThan(1000)
  })

  const invalid = (reason: string) => new InvalidInputError('INVALID_TRANSACTION', reason, { txIndex: 0, reason })
  test.each<[string, Error, string]>([
    ['TR_NoFunds', invalid('lack of funds (1) for max fee (2)'), 'tx.funds'],
    ['TR_NonceTooLow', invalid('nonce 1 too low, expected 2'), 'tx.nonceLow'],
    ['TR_GasLimitReached', invalid('its gas limit of 9 exceeds the 8 that the block has left'), 'tx.gasAllowance'],
    ['UnknownParent', new UnknownParentError('x'), 'parent'],
    [
      'InvalidStateRoot',
      new ParallelExecutionError('INVALID_OPTION', 'x', { mismatches: [{ field: 'stateRoot' }] }),
      'header.stateRoot',
    ],
    [
      'INPUT_UNMARSHAL_ERROR',
      new InvalidInputError('UNDECODABLE_BLOCK', 'x', { where: 'withdrawals[0].amount', reason: 'x' }),
      'form.withdrawals',
    ],
  ])('%s is met by its own reason and by no other', (expected, error, reason) => {
    expect([...(reasonsOf(error) ?? [])]).toEqual([reason])
    expect(allowedBy(expected).reasons.has(reason as never)).toBe(true)
    expect(allowedBy('BlockException.INVALID_GASLIMIT').reasons.has(reason as never)).toBe(false)
  })

  test('an error that says nothing of the block is no rejection', () => {
    expect(reasonsOf(new ParallelExecutionError('CAPACITY', 'full'))).toBeUndefined()
    expect(reasonsOf(new TypeError('bug'))).toBeUndefined()
    expect(allowedBy('constructor').unknown).toEqual(['constructor'])
  })
})

describe('runCase', () => {
  const accepts: BlockExecution = async () => {
    return {
      stateDiff: { accounts: [], codes: new Map() },
      stateRoot: undefined,
      transactions: 1,
      fallback: 0,
      aborts: 0,
    }
  }
  const rejects =
    (error: Error): BlockExecution =>
    () =>
      Promise.reject(error)
  const run = (test: Json, execute: BlockExecution) => {
    const fixture = decodeFixture(test, [])
    const state = createMemoryState({ maxBytes: 2 ** 24, keccak256 })
    return runCase(fixture, rulesOf(fixture), { execute, keccak256, state })
  }
  const genesisHash = (smallTest()['genesisBlockHeader'] as Json)['hash']
  const expecting = (expectException: string): Json => {
    const [block] = smallTest()['blocks'] as Json[]
    return { ...smallTest(), blocks: [{ rlp: block?.['rlp'], expectException }], lastblockhash: genesisHash }
  }
  const lowNonce = new InvalidInputError('INVALID_TRANSACTION', 'x', { reason: 'nonce 1 too low, expected 2' })

  test('a block that is accepted, and leaves what it should, passes', async () => {
    expect(await run(smallTest(), accepts)).toMatchObject({ status: 'passed', blocks: 1, transactions: 1 })
  })

  test('a block that repeats a number is executed on its own parent, and the first stays the head', async () => {
    const [block] = smallTest()['blocks'] as Json[]
    const parents: unknown[] = []
    const execute: BlockExecution = (rlp, parent, state) => {
      parents.push(parent.hash)
      return accepts(rlp, parent, state)
    }
    expect(await run({ ...smallTest(), blocks: [block, block] }, execute)).toMatchObject({
      status: 'passed',
      blocks: 2,
    })
    expect(parents).toEqual([genesisHash, genesisHash])
  })

  test.each<[string, Json, BlockExecution, RegExp]>([
    ['fallback', smallTest(), async (...args) => ({ ...(await accepts(...args)), fallback: 1 }), /1 of 1 .* fallback/],
    ['a valid block rejected', smallTest(), rejects(lowNonce), /block 0 is valid, but was rejected/],
    ['an invalid block accepted', expecting('TR_NonceTooLow'), accepts, /expected TR_NonceTooLow, but it was accepted/],
    ['another reason', expecting('TR_NonceTooHigh'), rejects(lowNonce), /rejected for another reason/],
    ['an unknown exception', expecting('TR_Moon'), rejects(lowNonce), /nothing is known of the exception TR_Moon/],
    ['another head', spoiled(smallTest(), ['lastblockhash'], genesisHash), accepts, /head is 0x.*, should be 0x/],
    ['an account too many', spoiled(smallTest(), ['postState'], {}), accepts, /account 0x0+aa: exists, should not/],
  ])('%s is a failure', async (_, test, execute, reason) => {
    const result = await run(test, execute)
    expect(result.status).toBe('failed')
    expect(result.reason).toMatch(reason)
  })

  test('a genesis whose state has another root is a failure', async () => {
    const result = await run(spoiled(smallTest(), ['genesisBlockHeader', 'stateRoot'], genesisHash), accepts)
    expect([result.status, result.reason]).toEqual(['failed', expect.stringMatching(/^genesis state root is 0x/)])
  })

  test('a block rejected for the reason that is expected passes, also as one of several', async () => {
    expect(await run(expecting('TR_NonceTooLow'), rejects(lowNonce))).toMatchObject({ status: 'passed', blocks: 0 })
    const either = expecting('TransactionException.NONCE_IS_MAX|TransactionException.NONCE_MISMATCH_TOO_LOW')
    expect(await run(either, rejects(lowNonce))).toMatchObject({ status: 'passed' })
  })

  test('an error that is no rejection is thrown', async () => {
    await expect(run(expecting('TR_NonceTooLow'), rejects(new TypeError('bug')))).rejects.toThrow('bug')
  })
})
