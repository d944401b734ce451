/**
 * Which EVM the hazards run on: files that test both import the same tests, with the adapter named before.
 * @ethereumjs/evm takes a hundred times as long, so what is repeated for its interleavings is repeated less.
 */
import { createExecutor, type Executor, type ExecutorOptions } from '../../src/index.ts'

const adapter: 'revm' | 'ethereumjs' = process.env['BLOCKLOOM_ADAPTER'] === 'ethereumjs' ? 'ethereumjs' : 'revm'

export const executorUnderTest = (options: ExecutorOptions): Promise<Executor> =>
  createExecutor({ ...options, adapter })

export const repeats = (count: number): number => (adapter === 'revm' ? count : Math.ceil(count / 10))
