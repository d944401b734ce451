/**
 * Runs files one after another on one pool and prints what came out: the work behind `run` and `demo`.
 *
 * A file that cannot be used costs one line on stderr; the others still run. Results go to stdout, everything else to
 * stderr.
 *
 * Always true: when `runSources` returns, the pool is closed and the progress bar is gone.
 */
import { createExecutor, type Executor, type ExecutorOptions } from '../index.ts'
import type { BlockFile } from './blockFile.ts'
import { type Measurement, type MeasureOptions, measure, stepsOf } from './measure.ts'
import { showProgress } from './progress.ts'
import {
  account,
  complaints,
  errorLine,
  jsonDemo,
  jsonLine,
  nameWidth,
  printable,
  type Tally,
  tableHead,
  tableRow,
  tallyLine,
} from './text.ts'

/** A block to run: the name under which it is told, and where it comes from. */
export interface Source {
  readonly name: string
  /** The file, where it is one. */
  readonly path?: string
  load(): Promise<BlockFile>
}

export interface RunSourcesOptions extends Omit<MeasureOptions, 'records'> {
  readonly adapter: NonNullable<ExecutorOptions['adapter']>
  /** Undefined for as many as there are cores. */
  readonly workers: number | undefined
  readonly json: boolean
  /** A file for records of the runs; undefined for none. */
  readonly recordsFile: string | undefined
  /** A row of a table for each block, or all there is to tell of it. */
  readonly style: 'table' | 'full'
}

/** Exit codes; of two that apply, the higher one. Interruption is told by the signal. */
export const Exit = { Right: 0, Wrong: 1, Unusable: 2, Interrupted: 130 } as const
export type Exit = (typeof Exit)[keyof typeof Exit]

/**
 * Where EVMs are compared, time is no finding. A transaction of 45 million gas takes @ethereumjs/evm minutes, in which
 * nothing is committed, and a machine that does other work takes either EVM as long as it likes. In milliseconds.
 */
export const STALL_TIMEOUT = 1_800_000

/** @returns the exit code; `Exit.Interrupted` as soon as the signal is aborted */
export async function runSources(sources: readonly Source[], options: RunSourcesOptions): Promise<Exit> {
  const width = nameWidth(sources.map(({ name }) => name))
  const done: Measurement[] = []
  let unusable = 0
  let unwritten = false
  let executor: Executor | undefined
  try {
    for (const [index, source] of sources.entries()) {
      if (options.signal.aborted) return Exit.Interrupted
      const progress = showProgress(!options.json, `${index + 1}/${sources.length}`, stepsOf(options))
      try {
        const file = await source.load()
        executor ??= await createExecutor(poolOptions(options))
        const { recordsFile } = options
        const records = recordsFile === undefined ? undefined : { file: recordsFile, label: source.name }
        const measurement = await measure(executor, file, { ...options, records }, progress.step)
        progress.stop()
        if (done.length === 0 && !options.json && options.style === 'table') print(tableHead(width))
        done.push(measurement)
        print(told(source.name, measurement, options, width))
        for (const complaint of complaints(measurement)) warn(source.name, complaint)
        if (measurement.recordsError !== undefined) {
          unwritten = true
          warn(source.name, measurement.recordsError)
        }
      } catch (error) {
        progress.stop()
        if (options.signal.aborted) return Exit.Interrupted
        unusable++
        warn(source.name, errorLine(error))
      }
    }
    if (!options.json && options.style === 'table' && sources.length > 1) {
      print(tallyLine(tallyOf(done, unusable), done[0]?.workers ?? 0))
    }
    return unusable > 0 || unwritten ? Exit.Unusable : done.some(isWrong) ? Exit.Wrong : Exit.Right
  } finally {
    await executor?.close()
  }
}

const poolOptions = ({ adapter, workers }: RunSourcesOptions): ExecutorOptions =>
  workers === undefined ? { adapter } : { adapter, workers }

function told(name: string, measurement: Measurement, options: RunSourcesOptions, width: number): string {
  if (options.style === 'table') {
    return options.json ? jsonLine(name, measurement) : tableRow(name, measurement, width)
  }
  return options.json ? jsonDemo(name, measurement) : `${account(name, measurement, options.repeat)}\n`
}

const isWrong = (m: Measurement): boolean => m.differences.length > 0 || m.mismatches.length > 0

function tallyOf(done: readonly Measurement[], unusable: number): Tally {
  const differing = done.filter(isWrong).length
  const sum = (time: (m: Measurement) => number): number => done.reduce((total, m) => total + time(m), 0)
  return {
    matching: done.length - differing,
    differing,
    unusable,
    sequentialMs: sum((m) => m.sequentialMs),
    parallelMs: done.some((m) => m.parallelMs !== null) ? sum((m) => m.parallelMs ?? m.sequentialMs) : null,
  }
}

const print = (text: string): void => void process.stdout.write(`${text}\n`)

const warn = (name: string, what: string): void => {
  process.stderr.write(`blockloom: ${printable(name)}: ${what}\n`)
}
