/** What can be explored: calls of a module of tasks, inputs of an adapter, a block. Each runs in order, or scheduled. */

import { InvalidInputError, ParallelExecutionError } from '../../core/errors.ts'
import type { BlockResult, ExecuteBlockOptions } from '../../executor/blockTypes.ts'
import type { Executor } from '../../executor/executeBlock.ts'
import { createAdapterExecutor } from '../../executor/runAdapter.ts'
import type { RunReport } from '../../executor/runReport.ts'
import { createKeyValueState, createTaskExecutor, type TaskExecutorOptions } from '../../executor/runTasks.ts'
import type { ModuleSource, TaskCall, UntypedTasks } from '../../executor/taskTypes.ts'
import type { WorkerSource } from '../../platform/threads.ts'
import { textOf } from './text.ts'

/** Calls of a module of tasks. */
export interface TaskSubject extends Pick<TaskExecutorOptions, 'asynchronous' | 'setup'> {
  readonly tasks: ModuleSource<UntypedTasks>
  readonly calls: readonly TaskCall[]
  /** What the state holds to begin with. */
  readonly entries?: Readonly<Record<string, unknown>> | Iterable<readonly [key: string, value: unknown]>
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

/** Threads that an executor is to run on. */
export interface SubjectThreads {
  readonly workers: number
  readonly worker: WorkerSource
  readonly stallTimeout: number
}

/** A block, on a state that is in memory. */
export interface BlockSubject {
  /** Makes the executor on the threads that it is given: `createExecutor`, or a function that adds options. */
  readonly executor: (threads: SubjectThreads) => Promise<Pick<Executor, 'executeBlock' | 'close'>>
  readonly block: unknown
  readonly run: Omit<ExecuteBlockOptions, 'speculation' | 'sequential' | 'signal' | 'record' | 'records' | 'onCommit'>
}

export type Subject = TaskSubject | AdapterSubject | BlockSubject

interface Way {
  readonly speculation: 'auto' | 'always'
  readonly sequential?: boolean
}

/** What a run gave, as text by name: an error is an answer too. */
export interface Answer {
  readonly aborts: number
  readonly lines: ReadonlyMap<string, string>
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

const LONGEST = 200
const cut = (text: string): string => (text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}...`)

export const differenceOf = (inOrder: Answer, scheduled: Answer): Difference | undefined => {
  for (const where of [...scheduled.lines.keys(), ...inOrder.lines.keys()]) {
    const [a, b] = [inOrder, scheduled].map(({ lines }) => lines.get(where) ?? 'nothing') as [string, string]
    if (a !== b) return { where, inOrder: cut(a), scheduled: cut(b) }
  }
  return undefined
}

/** What a run ends with, an error included. */
const answerOf = async (run: () => Promise<Answer>): Promise<Answer> => {
  try {
    return await run()
  } catch (error) {
    const code = error instanceof ParallelExecutionError ? `${error.code}, ` : ''
    const message = error instanceof Error ? error.message : String(error)
    return { aborts: 0, lines: new Map([['run', `${code}${message}`]]) }
  }
}

interface ListResult {
  readonly results: readonly object[]
  readonly stateDiff: { readonly entries: readonly { readonly key: string; readonly value: unknown }[] }
  readonly run: RunReport
}

/** What a result means: not how often and how long its place ran, nor from where it threw. */
const meaningOf = (result: object): string => {
  const { incarnation: _, ms: __, error, ...rest } = result as Record<string, unknown>
  if (typeof error !== 'object' || error === null) return textOf(rest)
  const { stack: ___, ...failure } = error as Record<string, unknown>
  return textOf({ ...rest, ...failure })
}

/** A run that stalled, and was right once it was made again in order, did not go as in order. */
const stallLines = ({ stalls }: RunReport): (readonly [string, string])[] =>
  stalls === 0 ? [] : [['run', 'stalled in speculation']]

const listAnswer = ({ results, stateDiff, run }: ListResult): Answer => ({
  aborts: run.aborts,
  lines: new Map([
    ...stallLines(run),
    ...results.map((result, k) => [`result ${k}`, meaningOf(result)] as const),
    ...stateDiff.entries.map(({ key, value }) => [`key '${key}'`, textOf(value)] as const),
  ]),
})

const blockAnswer = ({ run, receipts, results, stateDiff, ...block }: BlockResult): Answer => ({
  aborts: run.aborts,
  lines: new Map([
    ...stallLines(run),
    ...receipts.map((receipt, k) => [`receipt ${k}`, textOf(receipt)] as const),
    ...results.map((result, k) => [`result ${k}`, textOf(result)] as const),
    ...stateDiff.accounts.map((account) => [`account ${account.address}`, textOf(account)] as const),
    ['codes', textOf(stateDiff.codes)],
    ['block', textOf(block)],
  ]),
})

/** Builds an executor on threads that the caller makes. */
export const openStage = async (subject: Subject, threads: SubjectThreads): Promise<Stage> => {
  if ('tasks' in subject) {
    const { tasks, calls, entries = {}, asynchronous = false, setup } = subject
    const state = createKeyValueState({ entries })
    const executor = await createTaskExecutor(tasks, {
      ...threads,
      asynchronous,
      ...(setup === undefined ? {} : { setup }),
    })
    return {
      run: (way) => answerOf(async () => listAnswer(await executor.run(calls, { ...way, state }))),
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
  if (!('executor' in subject && typeof subject.executor === 'function')) {
    const message = 'give { tasks, calls }, { adapter, inputs } or { executor, block, run }'
    throw new InvalidInputError('INVALID_OPTION', message, { option: 'subject' })
  }
  const { block, run } = subject
  const executor = await subject.executor(threads)
  return {
    run: (way) => answerOf(async () => blockAnswer(await executor.executeBlock(block, { ...run, ...way }))),
    close: () => executor.close(),
  }
}
