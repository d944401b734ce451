/**
 * `blockloom run --adapter both`: each file with revm and with ethereumjs, both in parallel, and where the two part.
 *
 * Always true: when `crossRun` returns, both pools are closed.
 */
import {
  chainAtFork,
  compareBlockResults,
  createExecutor,
  createMemoryState,
  differenceText,
  type Executor,
  type ResultDifference,
} from '../../index.ts'
import { compareWithHeader } from '../measure.ts'
import { showProgress } from '../progress.ts'
import { Exit, type Source, STALL_TIMEOUT } from '../run.ts'
import { errorLine, nameWidth, printable } from '../text.ts'

export interface CrossRunOptions {
  /** Undefined for as many as there are cores. */
  readonly workers: number | undefined
  readonly speculation: 'auto' | 'always'
  readonly senders: 'recover' | 'trust'
  readonly json: boolean
  readonly signal: AbortSignal
}

/** What both adapters made of one block. */
export interface CrossResult {
  readonly file: string
  readonly number: bigint
  readonly txs: number
  readonly gasUsed: bigint
  readonly revmMs: number
  readonly ethereumjsMs: number
  /** Undefined where they agree. */
  readonly difference: ResultDifference | undefined
  /** What the header says otherwise of gas, bloom and receipts. */
  readonly mismatches: readonly string[]
}

/** The two adapters, each with a pool of its own. */
interface Pools {
  readonly revm: Executor
  readonly ethereumjs: Executor
}

/** @returns the exit code, and what came of the blocks; `Exit.Interrupted` as soon as the signal is aborted */
export async function crossRun(
  sources: readonly Source[],
  options: CrossRunOptions,
): Promise<{ readonly code: Exit; readonly results: readonly CrossResult[] }> {
  const width = nameWidth(sources.map(({ name }) => name))
  const results: CrossResult[] = []
  let unusable = 0
  let pools: Pools | undefined
  const progress = showProgress(!options.json, 'blocks', sources.length)
  try {
    for (const source of sources) {
      if (options.signal.aborted) return { code: Exit.Interrupted, results }
      try {
        pools ??= await openPools(options)
        const result = await runBoth(pools, source, options)
        progress.step()
        if (!options.json && results.length === 0) print(head(width))
        results.push(result)
        print(options.json ? jsonOf(result) : row(result, width))
      } catch (error) {
        if (options.signal.aborted) return { code: Exit.Interrupted, results }
        unusable++
        process.stderr.write(`blockloom: ${printable(source.name)}: ${errorLine(error)}\n`)
      }
    }
  } finally {
    progress.stop()
    await pools?.revm.close()
    await pools?.ethereumjs.close()
  }
  const differing = results.filter(({ difference }) => difference !== undefined).length
  if (!options.json && sources.length > 1) {
    print(
      `${results.length - differing} of ${results.length} blocks agree${unusable > 0 ? `, ${unusable} unusable` : ''}`,
    )
  }
  const isWrong = results.some(isWrongResult)
  return { code: unusable > 0 ? Exit.Unusable : isWrong ? Exit.Wrong : Exit.Right, results }
}

/** Whether the two differ, or their block says something else of itself. */
export const isWrongResult = ({ difference, mismatches }: Pick<CrossResult, 'difference' | 'mismatches'>): boolean =>
  difference !== undefined || mismatches.length > 0

async function openPools({ workers }: CrossRunOptions): Promise<Pools> {
  const options = { stallTimeout: STALL_TIMEOUT, ...(workers === undefined ? {} : { workers }) }
  const revm = await createExecutor({ adapter: 'revm', ...options })
  try {
    return { revm, ethereumjs: await createExecutor({ adapter: 'ethereumjs', ...options }) }
  } catch (error) {
    await revm.close()
    throw error
  }
}

async function runBoth(pools: Pools, source: Source, options: CrossRunOptions): Promise<CrossResult> {
  const { speculation, senders, signal } = options
  const file = await source.load()
  const chain = chainAtFork(file.fork)
  // Decoded first: a block that cannot be is told before the state is filled.
  const { block } = pools.revm.decode(file.block, { chain })
  const state = createMemoryState().load(file)
  const settings = { state, chain, senders, speculation, signal, only: 'transactions' } as const
  const first = await pools.revm.executeBlock(file.block, settings)
  const second = await pools.ethereumjs.executeBlock(file.block, { ...settings, senders: first.senders })
  return {
    file: source.name,
    number: block.header.number,
    txs: block.transactions.length,
    gasUsed: first.gasUsed,
    revmMs: first.run.ms,
    ethereumjsMs: second.run.ms,
    difference: compareBlockResults(first, second),
    mismatches: compareWithHeader({ block }, first).mismatches,
  }
}

const COLUMNS = ['block', 'txs', 'gas used', 'revm ms', 'ethereumjs ms'] as const

const cells = (texts: readonly string[]): string =>
  texts.map((text, k) => text.padStart(Math.max(12, (COLUMNS[k] ?? '').length))).join(' ')

const head = (width: number): string => `${'file'.padEnd(width)} ${cells(COLUMNS)}   `.trimEnd()

function row(result: CrossResult, width: number): string {
  const { file, number, txs, gasUsed, revmMs, ethereumjsMs, difference, mismatches } = result
  const facts = cells([`${number}`, `${txs}`, `${gasUsed}`, revmMs.toFixed(1), ethereumjsMs.toFixed(1)])
  const agreement = difference === undefined ? 'agree' : `DIFFER at ${printable(differenceText(difference))}`
  const verdict = [agreement, ...mismatches.map((mismatch) => `WRONG: ${mismatch}`)].join('; ')
  return `${printable(file).padEnd(width)} ${facts}   ${verdict}`
}

function jsonOf({ number, gasUsed, difference, ...rest }: CrossResult): string {
  const facts = { ...rest, number: Number(number), gasUsed: Number(gasUsed) }
  return JSON.stringify({ ...facts, equal: difference === undefined, difference: difference ?? null })
}

const print = (text: string): void => void process.stdout.write(`${text}\n`)
