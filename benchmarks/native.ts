/**
 * This library beside revm itself, built for the machine by Rust's compiler: what WebAssembly and the engine cost.
 *
 * benchmarks/native is a small program that runs the same block, on a state in memory, by revm of the same version. It
 * waits for a line between two runs, so its runs and ours take turns on one machine. Where there is no cargo, there are
 * no rows; nothing but this benchmark needs one.
 */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type BenchFile, openExecutor, stateOf } from './pool.ts'
import { digits, median, type Spread, showSpread, spreadOf, table } from './report.ts'

const CRATE = fileURLToPath(new URL('./native/', import.meta.url))
const PROGRAM = join(CRATE, 'target/release/native')

const WARM_UP_RUNS = 5
/** As long for each of the three ways as benchmarks/blocks.ts has it for its two: V8 compiles for two workers longest. */
const WARM_UP_MS = 2000

/** One block. Microseconds a transaction. */
export interface NativeRow {
  readonly name: string
  readonly kind: 'synthetic' | 'real' | 'sum'
  readonly transactions: number
  readonly runs: number
  /** revm on one thread. */
  readonly revm: Spread
  readonly sequential: Spread
  /** Two workers, `speculation: 'auto'`. */
  readonly parallel: Spread
}

/** Builds the program. @returns why it cannot be measured, if so */
export function buildNative(): string | undefined {
  try {
    execFileSync('cargo', ['--version'], { stdio: 'ignore' })
  } catch {
    return 'native revm: there is no cargo'
  }
  execFileSync('cargo', ['build', '--release', '--locked', '--quiet'], { cwd: CRATE, stdio: 'inherit' })
  return undefined
}

interface NativeRun {
  readonly ms: number
  readonly gas: number
}

/** The program with one block loaded. */
export class Native {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #answers: AsyncIterator<string>

  constructor(path: string) {
    this.#child = spawn(PROGRAM, [path])
    this.#child.stderr.pipe(process.stderr)
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  async run(): Promise<NativeRun> {
    this.#child.stdin.write('\n')
    const { value, done } = await this.#answers.next()
    if (done) throw new Error('the native program ended before it answered')
    return JSON.parse(value)
  }

  close(): void {
    this.#child.stdin.end()
  }
}

const WAYS = ['revm', 'sequential', 'parallel'] as const
type Times = Record<(typeof WAYS)[number], number[]>

export interface MeasuredNative {
  readonly row: NativeRow
  readonly times: Times
}

/** @throws {Error} where both do not use the same gas: no time is given for other work */
export async function measureNative(
  name: string,
  kind: 'synthetic' | 'real',
  file: BenchFile,
  runs: number,
): Promise<MeasuredNative> {
  const folder = mkdtempSync(join(tmpdir(), 'blockloom-native-'))
  const executor = await openExecutor(2)
  const path = join(folder, 'block.json')
  writeFileSync(path, JSON.stringify(file))
  const native = new Native(path)
  try {
    const state = stateOf(file, executor)
    const prepared = await executor.prepareBlock(file.block, { state, senders: 'trust', only: 'transactions' })
    const { gasUsed } = await executor.runPrepared(prepared, { state })
    const { gas } = await native.run()
    if (gasUsed !== BigInt(gas)) throw new Error(`${name}: ${gasUsed} gas used, by native revm ${gas}`)
    const time = {
      revm: () => native.run(),
      sequential: () => executor.timePrepared(prepared, { state, sequential: true }),
      parallel: () => executor.timePrepared(prepared, { state }),
    }
    const times: Times = { revm: [], sequential: [], parallel: [] }
    const warm = performance.now() + WARM_UP_MS
    for (let k = 0; k < WARM_UP_RUNS || performance.now() < warm; k++) for (const way of WAYS) await time[way]()
    for (let k = 0; k < runs; k++) {
      for (const way of k % 2 === 0 ? WAYS : WAYS.toReversed()) times[way].push((await time[way]()).ms)
    }
    const transactions = prepared.plan.places
    const row = { name, kind, transactions, runs, ...spreadsOf(times, 1000 / transactions) }
    return { row, times }
  } finally {
    native.close()
    await executor.close()
    rmSync(folder, { recursive: true })
  }
}

const spreadsOf = ({ revm, sequential, parallel }: Times, scale: number): Pick<NativeRow, (typeof WAYS)[number]> => ({
  revm: spreadOf(revm, scale),
  sequential: spreadOf(sequential, scale),
  parallel: spreadOf(parallel, scale),
})

/** The row of all blocks together: its medians are the sums of theirs, as goals are stated. */
export function sumOfNative(name: string, blocks: readonly MeasuredNative[]): NativeRow {
  const transactions = blocks.reduce((sum, { row }) => sum + row.transactions, 0)
  const sum = (way: (typeof WAYS)[number]): Spread => {
    const add = (of: (times: readonly number[]) => number) =>
      (blocks.reduce((total, { times }) => total + of(times[way]), 0) * 1000) / transactions
    return { median: add(median), min: add((list) => Math.min(...list)), max: add((list) => Math.max(...list)) }
  }
  return {
    name,
    kind: 'sum',
    transactions,
    runs: blocks[0].row.runs,
    revm: sum('revm'),
    sequential: sum('sequential'),
    parallel: sum('parallel'),
  }
}

export const nativeTable = (rows: readonly NativeRow[]): string =>
  table([
    ['beside native revm, us/tx', 'txs', 'revm, one thread', 'sequential', 'over revm', '2 workers', 'over revm'],
    ...rows.map(({ name, transactions, revm, sequential, parallel }) => [
      name,
      String(transactions),
      showSpread(revm),
      showSpread(sequential),
      `${digits(sequential.median / revm.median)}x`,
      showSpread(parallel),
      `${digits(parallel.median / revm.median)}x`,
    ]),
  ])
