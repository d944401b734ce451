/**
 * One random case, block or tasks: run by the oracle, then in every way that must give the same, and compared.
 *
 * Ways are pools of 1, 2, 3 and 8 workers (more than most machines have cores, so that threads are interrupted
 * anywhere), `speculation: 'always'` and `'auto'`. Compared bit for bit: receipts, results, gas, bloom, difference,
 * receipts root, state root, requests; or which error at which transaction. For tasks results and contents.
 *
 * Usable without a test runner: the soak (test/soak/main.ts) and the properties share it.
 */
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import {
  type BlockResult,
  chainAtFork,
  createExecutor,
  type Executor,
  type ParallelExecutionError,
  type Reward,
  type RunReport,
} from '../../src/index.ts'
import { createKeyValueState, createTaskExecutor, type TaskExecutor } from '../../src/tasks.ts'
import { since, stateOf } from './evm.ts'
import { type Ingredients, ingredientsOf, noIngredients } from './ingredients.ts'
import { callsOf, contentsOf, fill, outcomesOf, PlainStore, type Program, programs, runInOrder } from './program.ts'
import { type BlockCase, blockCases, fileOfCase } from './randomBlock.ts'

const MIB = 2 ** 20
const built = (name: string): URL => new URL(`../../dist/${name}`, import.meta.url)
const kernel = (name: string): URL => new URL(`../../src/wasm/${name}`, import.meta.url)

export interface TaskCase {
  readonly kind: 'tasks'
  readonly programs: readonly Program[]
  /** Keys by number, and what they hold. */
  readonly start: readonly (readonly [key: number, value: number])[]
  /** Programs look at their incarnation: only where nothing falls back, since the oracle has none. */
  readonly again: boolean
}

export type Case = BlockCase | TaskCase

/** What was run, and the first difference, in words. */
export interface Verdict {
  readonly transactions: number
  runs: number
  executions: number
  aborts: number
  speculative: number
  fallback: number
  /** The block ended with an error, the same every time. */
  readonly invalid: boolean
  failure: string | undefined
  /** What a block was made of. */
  readonly ingredients: Ingredients
}

const programCases = (most: number): fc.Arbitrary<TaskCase> =>
  fc.record({
    kind: fc.constant('tasks' as const),
    programs: fc.array(programs, { minLength: 1, maxLength: most, size: 'max' }),
    start: fc.array(fc.tuple(fc.nat(7), fc.nat(99)), { maxLength: 8 }),
    again: fc.boolean(),
  })

/** Cases of all sizes; one in ten is long enough for the committer to lag behind, and for speculation to give way. */
const cases: fc.Arbitrary<Case> = fc.oneof(
  { weight: 12, arbitrary: blockCases(50) },
  { weight: 2, arbitrary: blockCases(400) },
  { weight: 4, arbitrary: programCases(60) },
  { weight: 1, arbitrary: programCases(600) },
)

/** The case of a seed. */
export const caseOf = (seed: number): Case => fc.sample(cases, { seed, numRuns: 1 })[0] as Case

/** Executors by number of workers, made when they are first asked for. */
export class Pools {
  readonly counts: readonly number[]
  readonly #blocks = new Map<number, Promise<Executor>>()
  readonly #tasks = new Map<number, Promise<TaskExecutor>>()

  constructor(counts: readonly number[]) {
    this.counts = counts
  }

  block(workers: number): Promise<Executor> {
    const options = { workers, memoryLimit: 256 * MIB, worker: built('worker.js'), wasm: kernel('evm-core.wasm') }
    return this.#get(this.#blocks, workers, () => createExecutor({ ...options, hashCore: kernel('hash-core.wasm') }))
  }

  tasks(workers: number): Promise<TaskExecutor> {
    const module = new URL('./taskModule.mjs', import.meta.url)
    return this.#get(this.#tasks, workers, () =>
      createTaskExecutor(module, { workers, memoryLimit: 64 * MIB, worker: built('worker.js') }),
    )
  }

  #get<T>(pools: Map<number, Promise<T>>, workers: number, make: () => Promise<T>): Promise<T> {
    const pool = pools.get(workers) ?? make()
    pools.set(workers, pool)
    return pool
  }

  async close(): Promise<void> {
    for (const pool of [...this.#blocks.values(), ...this.#tasks.values()]) await (await pool).close()
  }
}

/**
 * Runs a case in every way. Never throws for what the library does: an error that is none of its own is a failure too.
 */
export const check = (one: Case, pools: Pools): Promise<Verdict> =>
  one.kind === 'block' ? checkBlock(one, pools) : checkTasks(one, pools)

const WAYS = ['always', 'auto'] as const

const count = (verdict: Verdict, run: RunReport | undefined): void => {
  verdict.runs++
  if (run === undefined) return
  verdict.executions += run.executions
  verdict.aborts += run.aborts
  verdict.speculative += run.speculative
  verdict.fallback += run.fallback
}

/** The verdict before anything was run. */
export const fresh = (transactions: number, invalid = false, ingredients = noIngredients()): Verdict => ({
  ingredients,
  transactions,
  runs: 0,
  executions: 0,
  aborts: 0,
  speculative: 0,
  fallback: 0,
  invalid,
  failure: undefined,
})

/** Everything of a result that must not depend on how the block was run. */
const outcomeOf = ({ run: _, placeDiffs: __, ...result }: BlockResult) => result

/** What a call ended with: its result, or the error that the library documents. */
type Ended =
  | { readonly outcome: unknown; readonly run?: RunReport; readonly result?: BlockResult }
  | { readonly broken: string }

const endOf = async (call: () => Promise<BlockResult>): Promise<Ended> => {
  try {
    const result = await call()
    return { outcome: outcomeOf(result), run: result.run, result }
  } catch (error) {
    const { code, fields, message } = error as ParallelExecutionError
    // Which transaction and why; how far a run had come may differ between the ways.
    if (code === 'INVALID_TRANSACTION' || code === 'SYSTEM_CALL_FAILED') return { outcome: { code, fields } }
    return { broken: `${code ?? 'an error that is not typed'}: ${message}` }
  }
}

async function checkBlock(one: BlockCase, pools: Pools): Promise<Verdict> {
  const file = fileOfCase(one)
  const rewards: Reward[] = one.paid.map(([who, amount]) => ({
    address: Uint8Array.from(Buffer.from(who.slice(2), 'hex')),
    amount: BigInt(amount),
  }))
  const state = stateOf(file)
  const given = { state, chain: chainAtFork(file.fork as never), senders: 'trust' as const }
  const options = {
    ...given,
    ...(since(one.fork, 'paris') ? {} : { rewards }),
    // From Osaka on the size of a whole block counts (EIP-7934), and a header that is not there yet has none.
    ...(since(one.fork, 'osaka') ? { only: 'transactions' as const } : {}),
  }
  const oracle = await pools.block(pools.counts[0] as number)
  const expected = await endOf(() => oracle.executeBlock(file.block, { ...options, sequential: true }))
  if ('broken' in expected) return { ...fresh(one.steps.length), failure: `sequential: ${expected.broken}` }
  const { result } = expected
  const verdict = fresh(one.steps.length, result === undefined, ingredientsOf(one, result))
  for (const workers of pools.counts) {
    const executor = await pools.block(workers)
    for (const speculation of WAYS) {
      const actual = await endOf(() => executor.executeBlock(file.block, { ...options, speculation }))
      if ('broken' in actual) return { ...verdict, failure: `${workers} workers, ${speculation}: ${actual.broken}` }
      count(verdict, actual.run)
      const different = differenceOf(actual.outcome, expected.outcome)
      if (different !== undefined) verdict.failure ??= `${workers} workers, ${speculation}: ${different}`
      if (speculation === 'always' && (actual.run?.fallback ?? 0) > 0) verdict.failure ??= `'always' fell back`
    }
  }
  return verdict
}

async function checkTasks(one: TaskCase, pools: Pools): Promise<Verdict> {
  const verdict = fresh(one.programs.length)
  const list = one.again ? one.programs : one.programs.map(withoutAgain)
  const start = new PlainStore()
  for (const [k, value] of one.start) start.set(`k${k}`, value)
  for (const workers of pools.counts) {
    const executor = await pools.tasks(workers)
    for (const speculation of one.again ? (['always'] as const) : WAYS) {
      const state = fill(createKeyValueState({ maxBytes: 4 * MIB }), start)
      const { results, stateDiff, run } = await executor.run(callsOf(list), { state, speculation })
      count(verdict, run)
      const store = new PlainStore()
      store.values = new Map(start.values)
      const incarnations = results.map((result) => result.incarnation)
      const expected = runInOrder(list, incarnations, store)
      const untouched = differenceOf(contentsOf(state), contentsOf(start))
      await state.apply(stateDiff)
      const different =
        untouched ?? differenceOf(outcomesOf(results), expected) ?? differenceOf(contentsOf(state), contentsOf(store))
      if (different !== undefined) verdict.failure ??= `${workers} workers, ${speculation}: ${different}`
      if (speculation === 'always' && run.fallback > 0) verdict.failure ??= `'always' fell back`
    }
  }
  return verdict
}

/** The program with each branch on the incarnation replaced by what a first execution takes. */
export function withoutAgain(ops: Program): Program {
  return ops.flatMap((op): Program => {
    if (op.op === 'ifAgain') return withoutAgain(op.otherwise)
    if (op.op === 'catch') return [{ ...op, body: withoutAgain(op.body) }]
    // biome-ignore lint/suspicious/noThenProperty: nobody awaits an operation
    if (op.op === 'ifOdd') return [{ ...op, then: withoutAgain(op.then), otherwise: withoutAgain(op.otherwise) }]
    return [op]
  })
}

/** Path and values of the first place where two results differ. */
export function differenceOf(actual: unknown, expected: unknown, path = 'result'): string | undefined {
  if (isDeepStrictEqual(actual, expected)) return undefined
  const isTree = (value: unknown): value is object =>
    typeof value === 'object' && value !== null && !(value instanceof Uint8Array) && !(value instanceof Map)
  if (isTree(actual) && isTree(expected)) {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
      const [a, b] = [actual, expected].map((value) => (value as Record<string, unknown>)[key])
      const found = differenceOf(a, b, `${path}.${key}`)
      if (found !== undefined) return found
    }
  }
  return `${path} is ${textOf(actual)}, not ${textOf(expected)}`
}

const textOf = (value: unknown): string => {
  if (value instanceof Map) return textOf([...value])
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString('hex')}`
  const text = JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? `${part}n` : part))
  return text === undefined ? String(value) : text.slice(0, 400)
}
