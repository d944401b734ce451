/**
 * `runBlock` of blockloom/ethereumjs beside @ethereumjs/vm's own: the same block on the same kind of state manager, each
 * on a VM of its own. What is timed is the call, reading the manager and writing it back included; state is loaded and
 * transactions are decoded before, senders are given.
 */
import { Worker } from 'node:worker_threads'
import { runBlock as plainRunBlock } from '@ethereumjs/vm'
import { createExecutor, runBlock } from 'blockloom/ethereumjs'
import { type EthereumjsFile, openVm } from './ethereumjs.ts'
import { measureBlocks, type NamedBlock, type OutsiderOptions } from './outsiderBlocks.ts'
import { type BenchFile, dist } from './pool.ts'
import { digits, median, round, table } from './report.ts'
import type { WorkloadName } from './workloads.ts'

const NAMES: readonly WorkloadName[] = ['erc20', 'uniswap']
const WORKERS = 2
const MOST_RUNS = 3
/** Milliseconds of each way before its first run that counts: V8 compiles @ethereumjs/evm in every thread anew. */
const WARM_UP = 2000
const OPTIONS = { generate: true, skipBlockValidation: true } as const
const PATHS = ['plain', 'revm', 'ethereumjs'] as const
type Path = (typeof PATHS)[number]

/** Milliseconds a block, medians. */
export interface RunBlockRow {
  readonly name: string
  readonly kind: 'synthetic' | 'real' | 'sum'
  readonly transactions: number
  readonly runs: number
  readonly plain: number
  readonly revm: number
  readonly ethereumjs: number
}

type Executor = Awaited<ReturnType<typeof createExecutor>>
type Opened = Awaited<ReturnType<typeof openVm>>
type Ways = Readonly<Record<Path, (opened: Opened) => Promise<{ readonly gasUsed: bigint }>>>

const waysOf = (revm: Executor, ethereumjs: Executor): Ways => {
  const with_ =
    (executor: Executor): Ways[Path] =>
    ({ vm, block }) =>
      runBlock(vm, { ...OPTIONS, block, executor, onlyParallel: true })
  return {
    plain: ({ vm, block }) => plainRunBlock(vm, { ...OPTIONS, block }),
    revm: with_(revm),
    ethereumjs: with_(ethereumjs),
  }
}

/** Runs the block each way in turn, each time on a fresh VM. */
async function measureOne({ name, file: given, isReal }: NamedBlock, ways: Ways, runs: number): Promise<RunBlockRow> {
  const file = given as unknown as EthereumjsFile
  const times: Record<Path, number[]> = { plain: [], revm: [], ethereumjs: [] }
  const gas = new Set<bigint>()
  const time = async (path: Path): Promise<number> => {
    const opened = await openVm(file)
    const began = performance.now()
    gas.add((await ways[path](opened)).gasUsed)
    return performance.now() - began
  }
  // A real block runs once, in threads that are warm from the blocks before.
  for (const path of isReal ? [] : PATHS) for (let spent = 0; spent < WARM_UP; ) spent += await time(path)
  for (let k = 0; k < runs; k++) for (const path of PATHS) times[path].push(await time(path))
  if (gas.size > 1) throw new Error('the ways to run it differ in the gas they used')
  const [plain, revm, ethereumjs] = PATHS.map((path) => round(median(times[path]))) as [number, number, number]
  const kind = isReal ? 'real' : 'synthetic'
  return { name, kind, transactions: file.block.transactions.length, runs, plain, revm, ethereumjs }
}

const openPool = (adapter: 'revm' | 'ethereumjs'): Promise<Executor> =>
  createExecutor({
    adapter,
    workers: WORKERS,
    worker: () => new Worker(dist('worker.js'), { execArgv: [] }),
  })

/** Measures synthetic blocks and the given real ones; what cannot be run whole is skipped with the reason. */
export async function measureRunBlock(
  real: readonly { readonly name: string; readonly file: BenchFile }[],
  options: OutsiderOptions,
): Promise<RunBlockRow[]> {
  const pools = [await openPool('revm'), await openPool('ethereumjs')] as const
  try {
    const ways = waysOf(...pools)
    const rows = await measureBlocks(NAMES, real, options, async (block) => {
      try {
        const row = await measureOne(block, ways, block.isReal ? 1 : Math.min(options.runs, MOST_RUNS))
        options.say(`bench: ${PATHS.map((path) => `${path} ${digits(row[path])}`).join(', ')} ms: ${row.name}`)
        return row
      } catch (error) {
        // From Prague on a whole block needs contracts that the files of transactions do not have.
        const reason = error instanceof Error ? error.message : String(error)
        options.skipped.push(`runBlock on ${block.name}: ${reason}`)
        return undefined
      }
    })
    return [...rows.synthetic, ...rows.real, ...(rows.real.length > 1 ? [sumOf(rows.real)] : [])]
  } finally {
    for (const pool of pools) await pool.close()
  }
}

const sumOf = (rows: readonly RunBlockRow[]): RunBlockRow => {
  const sum = (of: (row: RunBlockRow) => number): number => round(rows.reduce((total, row) => total + of(row), 0))
  return {
    ...{ name: `${rows.length} real blocks`, kind: 'sum', transactions: sum((row) => row.transactions), runs: 1 },
    ...{ plain: sum((row) => row.plain), revm: sum((row) => row.revm), ethereumjs: sum((row) => row.ethereumjs) },
  }
}

const faster = (plain: number, ours: number): string => `${digits(round(plain / ours))}x`

export const runBlockTable = (rows: readonly RunBlockRow[]): string =>
  table([
    ['runBlock, ms', 'txs', 'runs', '@ethereumjs/vm', 'revm', 'faster', 'ethereumjs', 'faster'],
    ...rows.map(({ name, transactions, runs, plain, revm, ethereumjs }) => [
      ...[name, String(transactions), String(runs), digits(plain)],
      ...[digits(revm), faster(plain, revm), digits(ethereumjs), faster(plain, ethereumjs)],
    ]),
  ])
