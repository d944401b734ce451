/** What the tests of the ethereumjs adapter share: a real block, run on both adapters and held against its header. */
import { expect } from 'vitest'
import { chainAtFork, createMemoryState, type Executor } from '../../src/index.ts'
import { loadBlock, type RealBlock } from './blockFiles.ts'
import { expectSame, toHex } from './evm.ts'

const BYZANTIUM = 4_370_000

const stateBefore = (file: RealBlock) => createMemoryState({ maxBytes: 64 * 2 ** 20 }).load(file)

/**
 * Runs a block's transactions speculatively, never by a fallback, and compares with the header and the other adapter.
 *
 * @returns how many transactions it had
 */
export async function expectBlock(executor: Executor, other: Executor, number: number): Promise<number> {
  const file = loadBlock(number)
  const options = { chain: chainAtFork(file.fork), senders: 'trust', only: 'transactions' } as const
  const state = stateBefore(file)
  const result = await executor.executeBlock(file.block, { ...options, state, speculation: 'always' })
  const second = await other.executeBlock(file.block, { ...options, state: stateBefore(file), sequential: true })
  const { block } = file
  expectSame(result, second, `block ${number}`)
  expect(result.gasUsed).toBe(BigInt(block.gasUsed))
  expect(toHex(result.logsBloom)).toBe(block.logsBloom)
  if (number >= BYZANTIUM) expect(toHex(result.receiptsRoot as Uint8Array)).toBe(block.receiptsRoot)
  expect(result.run.fallback).toBe(0)
  return file.block.transactions.length
}
