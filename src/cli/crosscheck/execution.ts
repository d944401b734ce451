/** Executes a block of a fixture with both adapters, on one state, and stops where they part. */
import { type BlockResult, compareBlockResults, differenceText, type Executor, type MemoryState } from '../../index.ts'
import { reasonsOf } from '../conformance/exceptions.ts'
import type { BlockExecution } from '../conformance/importer.ts'
import type { NetworkRules } from '../conformance/networks.ts'
import { CHECK_ORDERS } from './faults.ts'

/** The adapters say something else of a block. */
export class Disagreement extends Error {
  override readonly name = 'Blockloom.Disagreement'
}

/** What an adapter says of a block: its result, or why the block is not valid. */
type Saying = { readonly result: BlockResult } | { readonly error: unknown; readonly reasons: ReadonlySet<string> }

/**
 * Makes the execution for the chain of one fixture. What it returns or throws is what revm said.
 *
 * @throws {Disagreement} where only one of them takes the block, or results differ
 */
export function bothOf(
  revm: Executor,
  ethereumjs: Executor,
  { chain }: NetworkRules,
  signal: AbortSignal,
): BlockExecution {
  return async (rlp, { header: parent, totalDifficulty: parentTotalDifficulty }, state) => {
    const options = { state, chain, parent, parentTotalDifficulty, signal, speculation: 'always' as const }
    // revm last: the state's trie keeps the work of the difference that is applied.
    const second = await sayingOf(() => ethereumjs.executeBlock(rlp, options))
    const first = await sayingOf(() => revm.executeBlock(rlp, options))
    compareSayings(first, second, state)
    if ('error' in first) throw first.error
    const { stateDiff, stateRoot, receipts, run } = first.result
    return { stateDiff, stateRoot, transactions: receipts.length, fallback: run.fallback, aborts: run.aborts }
  }
}

async function sayingOf(execute: () => Promise<BlockResult>): Promise<Saying> {
  try {
    return { result: await execute() }
  } catch (error) {
    const reasons = reasonsOf(error)
    if (reasons === undefined) throw error
    return { error, reasons }
  }
}

function compareSayings(revm: Saying, ethereumjs: Saying, state: MemoryState): void {
  if ('result' in revm && 'result' in ethereumjs) {
    const found = compareBlockResults(revm.result, ethereumjs.result)
    if (found === undefined) return
    state.rollback()
    throw new Disagreement(`revm and ethereumjs differ: ${differenceText(found)}`)
  }
  if ('error' in revm && 'error' in ethereumjs) {
    const found = reasonDifference(revm.reasons, ethereumjs.reasons)
    if (found === undefined) return
    state.rollback()
    throw new Disagreement(`${found}: revm says '${textOf(revm.error)}', ethereumjs '${textOf(ethereumjs.error)}'`)
  }
  state.rollback()
  const [who, saying] = 'error' in revm ? ['revm', revm] : ['ethereumjs', ethereumjs as typeof revm]
  const { error } = saying as { readonly error: unknown }
  throw new Disagreement(`only ${who} rejects a block: ${textOf(error)}`)
}

/**
 * Where two rejections part: they must have a class of reasons in common, or be a pair that is known to come of the order
 * in which rules are checked.
 *
 * @returns undefined where they agree
 */
export function reasonDifference(revm: ReadonlySet<string>, ethereumjs: ReadonlySet<string>): string | undefined {
  if (revm.size === 0 || ethereumjs.size === 0) return 'a block is rejected for a reason of no known class'
  if ([...revm].some((reason) => ethereumjs.has(reason))) return undefined
  if (CHECK_ORDERS.some((order) => revm.has(order.revm) && ethereumjs.has(order.ethereumjs))) return undefined
  return `both reject a block, for ${[...revm].join(', ')} and ${[...ethereumjs].join(', ')}`
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
