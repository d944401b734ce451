/**
 * Executes a block of a fixture on the pool, every transaction by speculation.
 *
 * Transactions only: rewards, withdrawals, system calls and the rules of headers are not part of it, nor is the state root.
 */
import type { BlockHeader } from '../../evm.ts'
import { decodeBlock } from '../../evm.ts'
import { type BlockResult, type Executor, ParallelExecutionError } from '../../index.ts'
import { type BlockExecution, hexOf } from './importer.ts'
import type { NetworkRules } from './networks.ts'

/** False while rewards, withdrawals, system calls, header rules and state roots are not part of an execution. */
export const WHOLE_BLOCKS: boolean = false

/** Makes the execution for the chain of one fixture. */
export function executionOf(executor: Executor, rules: NetworkRules, signal: AbortSignal): BlockExecution {
  return async (rlp, _parent, state) => {
    const { header, transactions } = decodeBlock(rlp)
    const result = await executor.executeBlock(rlp, { state, chain: rules.chain, speculation: 'always', signal })
    const mismatches = mismatchesOf(header, result)
    if (mismatches.length > 0) {
      throw new ParallelExecutionError(
        'INVALID_TRANSACTION',
        `block ${header.number} differs in ${mismatches.map(({ field }) => field).join(', ')}`,
        { mismatches },
      )
    }
    return {
      stateDiff: result.stateDiff,
      stateRoot: undefined,
      transactions: transactions.length,
      fallback: result.run.fallback,
      aborts: result.run.aborts,
    }
  }
}

function mismatchesOf(header: BlockHeader, result: BlockResult): { readonly field: string }[] {
  const fields: string[] = []
  if (header.gasUsed !== result.gasUsed) fields.push('gasUsed')
  if (hexOf(header.logsBloom ?? new Uint8Array(0)) !== hexOf(result.logsBloom)) fields.push('logsBloom')
  if (
    result.receiptsRoot !== undefined &&
    hexOf(header.receiptsRoot ?? new Uint8Array(0)) !== hexOf(result.receiptsRoot)
  ) {
    fields.push('receiptsRoot')
  }
  return fields.map((field) => ({ field }))
}
