/** What `runBlock` takes, and what of it is refused before anything runs. */
import type { RunBlockOpts, VM } from '@ethereumjs/vm'
import { InvalidInputError } from '../../core/errors.ts'
import type { ExecuteBlockOptions } from '../blockTypes.ts'
import type { Executor, ExecutorOptions } from '../executeBlock.ts'

/** Options of @ethereumjs/vm's `RunBlockOpts`, and ours. */
export interface ParallelRunBlockOptions
  extends RunBlockOpts,
    Pick<ExecuteBlockOptions, 'fees' | 'speculation' | 'sequential' | 'signal'> {
  /** A pool that is kept between blocks (`createExecutor`); without one, each block starts its own and ends it. */
  readonly executor?: Executor
  /** Which EVM runs the transactions, where no executor is given. */
  readonly adapter?: ExecutorOptions['adapter']
  /** Workers, where no executor is given. */
  readonly workers?: number
  /** Milliseconds that the state manager may take for one thing it is asked or told; 30,000 by default, 0 for ever. */
  readonly stateTimeout?: number
  /**
   * True refuses what a parallel run cannot give (`SequentialReason`), where by default @ethereumjs/vm's own runBlock
   * runs the block.
   */
  readonly onlyParallel?: boolean
}

/** Milliseconds. */
export const STATE_TIMEOUT = 30_000
const MOST_TIMEOUT = 2 ** 31 - 1

/** @throws {InvalidInputError} INVALID_OPTION with its name */
export const checkOptions = (vm: VM, options: ParallelRunBlockOptions): void => {
  const refuse = (option: string, problem: string): never => {
    throw new InvalidInputError('INVALID_OPTION', `${option} ${problem}`, { option })
  }
  if (typeof vm?._emit !== 'function' || typeof vm.stateManager?.getAccount !== 'function') {
    refuse('vm', 'is not a VM of @ethereumjs/vm')
  }
  if (typeof options?.block?.serialize !== 'function') refuse('block', 'is not a Block of @ethereumjs/block')
  for (const option of ['adapter', 'workers'] as const) {
    if (options.executor !== undefined && options[option] !== undefined)
      refuse(option, 'is what `executor` has already')
  }
  const { executor, signal, stateTimeout = STATE_TIMEOUT } = options
  if (executor !== undefined && typeof executor?.prepareDecoded !== 'function') refuse('executor', 'is not an executor')
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') refuse('signal', 'is not an AbortSignal')
  if (typeof stateTimeout !== 'number' || !(stateTimeout >= 0 && stateTimeout <= MOST_TIMEOUT))
    refuse('stateTimeout', 'is not a number of milliseconds')
}
