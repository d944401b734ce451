/**
 * `runBlock` of blockloom/ethereumjs beside @ethereumjs/vm's own: the same block on the same kind of state manager, each
 * on a VM of its own. What is timed is the call, reading the manager and writing it back included; state is loaded and
 * transactions are decoded before, senders are given.
 */

import { runBlock as plainRunBlock } from '@ethereumjs/vm'
import { createExecutor, runBlock } from 'blockloom/ethereumjs'
import { type EthereumjsFile, openVm } from './ethereumjs.ts'
import type { BenchFile } from './pool.ts'
import { digits, median, round, table } from './report.ts'
import { makeWorkload, type WorkloadName } from './workloads.ts'

const NAMES: readonly WorkloadName[] = ['erc20', 'uniswap']
/** @ethereumjs/vm takes milliseconds a transaction. */
const TRANSACTIONS = 200
const WORKERS = 2
const OPTIONS = { generate: true, skipBlockValidation: true } as const

/** Milliseconds a block, medians. */
export interface RunBlockRow {
  readonly name: string
  readonly transactions: number
  readonly runs: number
  readonly plain: number
  readonly revm: number
  readonly ethereumjs: number
}

/** Times one way to run the block, each time on a fresh VM. */
async function timesOf(file: EthereumjsFile, runs: number, run: (vm: Opened) => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let k = 0; k < runs; k++) {
    const opened = await openVm(file)
    const began = performance.now()
    await run(opened)
    times.push(performance.now() - began)
  }
  return round(median(times))
}

type Opened = Awaited<ReturnType<typeof openVm>>

async function measureOne(name: string, given: BenchFile, runs: number): Promise<RunBlockRow> {
  const file = given as unknown as EthereumjsFile
  const pools = [
    await createExecutor({ workers: WORKERS, adapter: 'revm' }),
    await createExecutor({ workers: WORKERS, adapter: 'ethereumjs' }),
  ] as const
  const with_ = (executor: (typeof pools)[number]) => (opened: Opened) =>
    runBlock(opened.vm, { ...OPTIONS, block: opened.block, executor, onlyParallel: true })
  try {
    // A first block each: workers compile what they run.
    for (const executor of pools) await timesOf(file, 1, with_(executor))
    return {
      ...{ name, transactions: file.block.transactions.length, runs },
      plain: await timesOf(file, runs, ({ vm, block }) => plainRunBlock(vm, { ...OPTIONS, block })),
      revm: await timesOf(file, runs, with_(pools[0])),
      ethereumjs: await timesOf(file, runs, with_(pools[1])),
    }
  } finally {
    for (const executor of pools) await executor.close()
  }
}

/**
 * Measures synthetic blocks and the given real ones; what cannot be run whole is skipped with the reason.
 *
 * @param runs - of each way a block
 */
export async function measureRunBlock(
  real: readonly { readonly name: string; readonly file: BenchFile }[],
  runs: number,
  skipped: string[],
): Promise<RunBlockRow[]> {
  const rows: RunBlockRow[] = []
  const blocks = [...NAMES.map((name) => ({ name, file: makeWorkload(name, TRANSACTIONS) as BenchFile })), ...real]
  for (const { name, file } of blocks) {
    try {
      rows.push(await measureOne(name, file, runs))
    } catch (error) {
      // From Prague on a whole block needs contracts that the files of transactions do not have.
      skipped.push(`runBlock on ${name}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return rows
}

const faster = (plain: number, ours: number): string => `${digits(round(plain / ours))}x`

export const runBlockTable = (rows: readonly RunBlockRow[]): string => {
  const sum = (of: (row: RunBlockRow) => number): number => round(rows.reduce((total, row) => total + of(row), 0))
  const all: RunBlockRow = {
    ...{ name: 'sum', transactions: sum((row) => row.transactions), runs: rows[0]?.runs ?? 0 },
    ...{ plain: sum((row) => row.plain), revm: sum((row) => row.revm), ethereumjs: sum((row) => row.ethereumjs) },
  }
  return table([
    ['runBlock, ms', 'txs', 'runs', '@ethereumjs/vm', 'revm', 'faster', 'ethereumjs', 'faster'],
    ...[...rows, ...(rows.length > 1 ? [all] : [])].map(({ name, transactions, runs, plain, revm, ethereumjs }) => [
      ...[name, String(transactions), String(runs), digits(plain)],
      ...[digits(revm), faster(plain, revm), digits(ethereumjs), faster(plain, ethereumjs)],
    ]),
  ])
}
