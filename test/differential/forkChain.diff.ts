/**
 * A chain across every fork, made by @ethereumjs/vm (test/support/forkChain.ts), imported block by block: whatever its
 * headers say must come out of the parallel engine. Each block runs speculatively, and none may take the fallback.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { parseGenesis } from '../../src/evm.ts'
import { createExecutor, openChain } from '../../src/index.ts'
import { blockloom, linesOf } from '../cli/command.ts'
import { toHex } from '../support/evm.ts'
import { type ForkChain, makeForkChain } from '../support/forkChain.ts'

let chain: ForkChain
beforeAll(async () => {
  chain = await makeForkChain()
})

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

describe('a chain across every fork', () => {
  test('has in it what it promises', () => {
    const { blocks } = chain
    expect(new Set(blocks.map(({ fork }) => fork)).size).toBe(22)
    expect(Math.max(...blocks.map(({ uncles }) => uncles))).toBe(2)
    // Deposits, withdrawals and consolidations, in every block from Prague on.
    expect(blocks.filter(({ requests }) => requests === 3)).toHaveLength(12)
    expect(Math.min(...blocks.map(({ txs }) => txs))).toBeGreaterThan(8)
  })

  test.each([1, 2])('with %i workers every state root is what @ethereumjs/vm computed', async (workers) => {
    const executor = await createExecutor({ workers, memoryLimit: 128 * 2 ** 20 })
    try {
      const importer = await openChain(executor, parseGenesis(chain.genesis))
      expect(toHex(importer.head.hash)).toBe(chain.genesisHash)
      for (const { number, fork, bytes, stateRoot, hash, txs } of chain.blocks) {
        const result = await importer.import(bytes, { speculation: 'always' })
        const told = { fork: result.fork, root: toHex(result.stateRoot as Uint8Array), head: toHex(importer.head.hash) }
        expect(told, `block ${number}`).toEqual({ fork, root: stateRoot, head: hash })
        expect(result.run.fallback).toBe(0)
        expect(result.receipts).toHaveLength(txs)
      }
      expect(importer.head.header.number).toBe(BigInt(chain.blocks.length))
    } finally {
      await executor.close()
    }
  })

  test('the command imports it from its files', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'forks-'))
    try {
      const [genesis, blocks] = [join(folder, 'genesis.json'), join(folder, 'chain.rlp')]
      await writeFile(genesis, chain.genesis)
      await writeFile(blocks, chain.file)
      const { code, stdout, stderr } = await blockloom([
        ...['chain', genesis, blocks, '--workers', '2', '--speculation', 'always', '--json'],
      ])
      expect([code, stderr]).toEqual([0, ''])
      const last = chain.blocks.at(-1)
      expect(JSON.parse(linesOf(stdout).at(-1) as string)).toMatchObject({
        blocks: chain.blocks.length,
        txs: sum(chain.blocks.map(({ txs }) => txs)),
        head: last?.hash,
        stateRoot: last?.stateRoot,
      })
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})
