/** What can be explored: calls of a module of tasks, inputs of an adapter, a block. Each runs in order or as scheduled. */

import { ParallelExecutionError } from '../../core/errors.ts'
import type { BlockResult, ExecuteBlockOptions } from '../../executor/blockTypes.ts'
import { compareBlockResults, differenceText } from '../../executor/compareResults.ts'
import type { RunReport } from '../../executor/runReport.ts'
import { createExecutor, type ExecutorOptions } from '../../executor/executeBlock.ts'
import { createAdapterExecutor } from '../../executor/runAdapter.ts'
import { createKeyValueState, createTaskExecutor, type TaskExecutorOptions } from '../../executor/runTasks.ts'
import type { ModuleSource, TaskCall, UntypedTasks } from '../../executor/taskTypes.ts'
import type { WorkerSource } from '../../platform/threads.ts'
import { textOf } from './text.ts'

type Entries = Readonly<Record<string, unknown>> | Iterable<readonly [key: string, value: unknown]>

/** Calls of a module of tasks. */
export interface TaskSubject extends Pick<TaskExecutorOptions, 'asynchronous' | 'setup'> {
  readonly tasks: ModuleSource<UntypedTasks>
  readonly calls: readonly TaskCall[]
  /** What the state holds to begin with. */
  readonly entries?: Entries
}

/** Inputs of an adapter from outside the package. */
export interface AdapterSubject {
  readonly adapter: URL | string
  readonly inputs: readonly Uint8Array[]
  /** Given to `createAdapter`. */
  readonly options?: unknown
  readonly environment?: Uint8Array
  /** What the state holds to begin with. */
  readonly entries?: Readonly<Record<string, Uint8Array>>
}

/** A block, on a state that is in memory. */
export interface BlockSubject extends Pick<ExecutorOptions, 'wasm' | 'adapter' | 'ethereumjs'> {
  readonly block: unknown
  readonly run: Omit<ExecuteBlockOptions, 'speculation' | 'sequential' | 'signal' | 'record' | 'records' | 'onCommit'>
}

export type Subject = TaskSubject | AdapterSubject | BlockSubject

export interface Threads {
  readonly workers: number
  readonly worker: WorkerSource
  readonly stallTimeout: number
}

export interface Way {
  readonly speculation: 'auto' | 'always'
  readonly sequential?: boolean
}

/** What a run gave: an error is an answer too. `place` is of what the difference is, where it is of one. */
export interface Answer {
  readonly aborts: number
  /** Where another answer says something else, and both texts. */
  differsFrom(other: Answer): Difference | undefined
  readonly lines?: readonly (readonly [name: string, text: string])[]
  readonly block?: BlockResult
}

/** The first thing in which a scheduled run and the run in order differ. */
export interface Difference {
  readonly where: string
  readonly inOrder: string
  readonly scheduled: string
}

/** A subject on an executor of its own. */
export interface Stage {
  run(way: Way): Promise<Answer>
  close(): Promise<void>
}

const lineAnswer = (lines: readonly (readonly [string, string])[], aborts: number): Answer => ({
  aborts,
  lines,
  differsFrom(other) {
    const [mine, others] = [new Map(lines), new Map(other.lines ?? [])]
    for (const where of [...mine.keys(), ...others.keys()]) {
      const [scheduled, inOrder] = [mine.get(where) ?? 'nothing', others.get(where) ?? 'nothing']
      if (scheduled !== inOrder) return { where, inOrder, scheduled }
    }
    return undefined
  },
})

const blockAnswer = (block: BlockResult): Answer => ({
  aborts: block.run.aborts,
  block,
  differsFrom(other) {
    if (other.block === undefined) return lineAnswer([['run', 'ended well']], 0).differsFrom(other)
    const found = compareBlockResults(other.block, block)
    if (found === undefined) return undefined
    const [inOrder, scheduled] = found.values
    return { where: differenceText(found).split(': ')[0] as string, inOrder, scheduled }
  },
})

/** What a run ends with, an error included. */
const answerOf = async (run: () => Promise<Answer>): Promise<Answer> => {
  try {
    return await run()
  } catch (error) {
    const code = error instanceof ParallelExecutionError ? `${error.code}, ` : ''
    return lineAnswer([['run', `${code}${error instanceof Error ? error.message : String(error)}`]], 0)
  }
}

interface ListResult {
  readonly results: readonly { readonly incarnation: number; readonly ms?: number }[]
  readonly stateDiff: { readonly entries: readonly { readonly key: string; readonly value: unknown }[] }
  readonly run: RunReport
}

const listAnswer = ({ results, stateDiff, run }: ListResult): Answer =>
  lineAnswer(
    [
      // How often and how long something ran is no part of what it means.
      ...results.map(({ incarnation: _, ms: __, ...result }, k) => [`result ${k}`, textOf(result)] as const),
      ...stateDiff.entries.map(({ key, value }) => [`key '${key}'`, textOf(value)] as const),
    ],
    run.aborts,
  )

/** Builds an executor on threads that the caller makes. */
export const openStage = async (subject: Subject, threads: Threads): Promise<Stage> => {
  if ('tasks' in subject) {
    const { tasks, calls, entries = {}, asynchronous = false, setup } = subject
    const state = createKeyValueState({ entries })
    const executor = await createTaskExecutor(tasks, {
      ...threads,
      asynchronous,
      ...(setup === undefined ? {} : { setup }),
    })
    return {
      run: (way) => answerOf(async () => listAnswer((await executor.run(calls, { ...way, state })) as never)),
      close: () => executor.close(),
    }
  }
  if ('adapter' in subject && 'inputs' in subject) {
    const { adapter, inputs, options, environment, entries = {} } = subject
    const state = createKeyValueState({ entries })
    const executor = await createAdapterExecutor({ ...threads, adapter, options })
    const given = environment === undefined ? { state } : { state, environment }
    return {
      run: (way) => answerOf(async () => listAnswer(await executor.run(inputs, { ...way, ...given }))),
      close: () => executor.close(),
    }
  }
  const { block, run, ...options } = subject as BlockSubject
  const executor = await createExecutor({ ...options, ...threads })
  return {
    run: (way) => answerOf(async () => blockAnswer(await executor.executeBlock(block, { ...run, ...way }))),
    close: () => executor.close(),
  }
}
