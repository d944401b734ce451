/** Executes a whole block of a fixture on the pool, every transaction by speculation, and checks all that it claims. */
import type { Executor } from '../../index.ts'
import type { BlockExecution } from './importer.ts'
import type { NetworkRules } from './networks.ts'

/** Makes the execution for the chain of one fixture. */
export function executionOf(executor: Executor, { chain }: NetworkRules, signal: AbortSignal): BlockExecution {
  return async (rlp, { header: parent, totalDifficulty: parentTotalDifficulty }, state) => {
    const { stateDiff, stateRoot, receipts, run } = await executor.executeBlock(rlp, {
      ...{ state, chain, parent, parentTotalDifficulty, signal },
      speculation: 'always',
    })
    return { stateDiff, stateRoot, transactions: receipts.length, fallback: run.fallback, aborts: run.aborts }
  }
}
