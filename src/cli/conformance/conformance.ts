/**
 * The work behind `blockloom conformance`: reads fixtures, runs each on one pool, tells what came of them.
 *
 * A case that cannot be read costs one line on stderr, a file that breaks off ends there; everything else still runs.
 * Results go to stdout, everything else to stderr.
 *
 * Always true: when `runConformance` returns, the pool is closed and the progress bar is gone.
 */
import { writeFile } from 'node:fs/promises'
import type { AmsterdamDialect } from '../../evm.ts'
import {
  createExecutor,
  createMemoryState,
  type Executor,
  type ExecutorOptions,
  type MemoryState,
} from '../../index.ts'
import { bothOf, Disagreement } from '../crosscheck/execution.ts'
import { knownFault } from '../crosscheck/faults.ts'
import { type Shard, WHOLE } from '../crosscheck/pieces.ts'
import { showProgress } from '../progress.ts'
import { Exit, STALL_TIMEOUT } from '../run.ts'
import { errorLine, printable } from '../text.ts'
import { dialectOf } from './dialect.ts'
import { executionOf } from './execution.ts'
import { decodeFixture } from './fixture.ts'
import type { BlockExecution } from './importer.ts'
import { FixtureError } from './json.ts'
import { type NetworkRules, rulesOf } from './networks.ts'
import { runPack } from './pack.ts'
import { jsonCase, jsonSummary, page, type Summary, Tallies, type ToldCase, table } from './report.ts'
import { runCase } from './runCase.ts'
import { listFiles, type RawCase, readCases } from './sources.ts'

export interface ConformanceOptions {
  /** 'both' runs every block with either, and they must agree. */
  readonly adapter: NonNullable<ExecutorOptions['adapter']> | 'both'
  /** Undefined for as many as there are cores. */
  readonly workers: number | undefined
  readonly json: boolean
  readonly pack: 'disjoint' | 'overlapping' | undefined
  /** Runs the first, and then every so many-th, case of each fork of each file. */
  readonly every: number
  /** Which of these, dealt out one by one; undefined for all. */
  readonly shard?: Shard
  /** Whose Amsterdam the fixtures are of; undefined where the release that each is from shall tell. */
  readonly amsterdam: AmsterdamDialect | undefined
  /** Where to write the page of results. */
  readonly docs: string | undefined
  /** Told what came of all, and of which cases not passed, at the end. */
  readonly onEnd?: (summary: Summary, others: readonly ToldCase[]) => void
  readonly signal: AbortSignal
}

/** Cases that use one state object; it keeps records of every address and slot that it ever held. */
const CASES_A_STATE = 400
const STATE_BYTES = 2 ** 28

/**
 * Cases at once, each on a pool of its own: most blocks have one transaction, which keeps one worker busy and main
 * waiting.
 */
const LANES = 2

/** Hands on what is finished in the order in which it was begun, so that two runs print the same. */
class InOrder<Value> {
  readonly #use: (value: Value) => void
  readonly #waiting = new Map<number, Value>()
  #taken = 0
  #used = 0

  constructor(use: (value: Value) => void) {
    this.#use = use
  }

  /** Takes the next place. */
  take(): number {
    return this.#taken++
  }

  put(place: number, value: Value): void {
    this.#waiting.set(place, value)
    for (; this.#waiting.has(this.#used); this.#used++) {
      const next = this.#waiting.get(this.#used) as Value
      this.#waiting.delete(this.#used)
      this.#use(next)
    }
  }
}

/** @returns the exit code; `Exit.Interrupted` as soon as the signal is aborted */
export async function runConformance(paths: readonly string[], options: ConformanceOptions): Promise<Exit> {
  const began = performance.now()
  const tallies = new Tallies()
  const others: ToldCase[] = []
  const { adapter, workers, signal } = options
  const unusable = (error: FixtureError): void => {
    tallies.addUnusable()
    process.stderr.write(`blockloom: ${printable(error.message)}\n`)
  }
  const executors: Executor[] = []
  const newExecutor = async (name: NonNullable<ExecutorOptions['adapter']>): Promise<Executor> => {
    const executor = await createExecutor({
      adapter: name,
      ...(workers === undefined ? {} : { workers }),
      stallTimeout: STALL_TIMEOUT,
    })
    executors.push(executor)
    return executor
  }
  const newPool = async (): Promise<CasePool> => {
    if (adapter !== 'both') return new CasePool(await newExecutor(adapter), undefined, options)
    return new CasePool(await newExecutor('revm'), await newExecutor('ethereumjs'), options)
  }
  const progress = showProgress(!options.json, 'so far', 0, 'cases')
  const tell = (found: ToldCase | undefined): void => {
    if (found === undefined) return
    const told = adapter === 'revm' ? found : withKnownFault(found)
    tallies.add(told)
    progress.step()
    if (told.status === 'passed') return
    if (options.docs !== undefined || options.onEnd !== undefined) others.push(told)
    if (options.json) print(jsonCase(told))
    else if (told.status === 'failed') print(`failed  ${printable(`${told.network}  ${told.name}: ${told.reason}`)}`)
  }
  try {
    const files = await listFiles(paths)
    if (options.pack !== undefined) {
      return await runPack(
        await newExecutor(adapter === 'both' ? 'revm' : adapter),
        files,
        { ...options, pack: options.pack },
        unusable,
      )
    }
    const cases = sampled(files, options, unusable)
    const inOrder = new InOrder(tell)
    const lane = async (): Promise<void> => {
      const pool = await newPool()
      for (;;) {
        const next = await cases.next()
        if (next.done === true || signal.aborted) return
        const place = inOrder.take()
        inOrder.put(place, await pool.run(next.value, unusable))
      }
    }
    await Promise.all(Array.from({ length: LANES }, lane))
    if (signal.aborted) return Exit.Interrupted
    progress.stop()
    const summary = tallies.summary(executors[0]?.workers ?? 0, Math.round(performance.now() - began))
    print(options.json ? jsonSummary(summary) : table(summary))
    options.onEnd?.(summary, others)
    if (options.docs !== undefined) await writeFile(options.docs, page(summary, others, 'npm run conformance'))
  } catch (error) {
    if (signal.aborted) return Exit.Interrupted
    if (!(error instanceof FixtureError)) throw error
    unusable(error)
  } finally {
    progress.stop()
    await Promise.all(executors.map((executor) => executor.close()))
  }
  return tallies.unusable > 0 ? Exit.Unusable : tallies.failed > 0 ? Exit.Wrong : Exit.Right
}

/**
 * The cases to run, in order. The sample is by a rule, so that it is the same everywhere: of each fork of each file the
 * first case and every `every`-th after it. Of the sample, a shard takes every so-many-th: cases that take long stand together.
 */
async function* sampled(
  files: readonly string[],
  { every, shard = WHOLE }: Pick<ConformanceOptions, 'every' | 'shard'>,
  unusable: (error: FixtureError) => void,
): AsyncGenerator<RawCase> {
  let place = 0
  for (const file of files) {
    const seen = new Map<unknown, number>()
    try {
      for await (const raw of readCases(file)) {
        const network = (raw.test as { readonly network?: unknown } | null)?.network
        const count = seen.get(network) ?? 0
        seen.set(network, count + 1)
        if (count % every === 0 && place++ % shard.of === shard.number - 1) yield raw
      }
    } catch (error) {
      if (!(error instanceof FixtureError)) throw error
      unusable(error)
    }
  }
}

/** Runs cases one after another on one executor and a state object that many of them share. */
class CasePool {
  readonly #executor: Executor
  /** The other adapter's, where both run. */
  readonly #second: Executor | undefined
  readonly #signal: AbortSignal
  readonly #amsterdam: AmsterdamDialect | undefined
  #state: MemoryState | undefined
  #cases = 0

  constructor(executor: Executor, second: Executor | undefined, { signal, amsterdam }: ConformanceOptions) {
    this.#executor = executor
    this.#second = second
    this.#signal = signal
    this.#amsterdam = amsterdam
  }

  async run(raw: RawCase, unusable: (error: FixtureError) => void): Promise<ToldCase | undefined> {
    const { source, line, file, name } = raw
    try {
      const fixture = decodeFixture(raw.test, [source, line === undefined ? '' : `line ${line}`, `test ${name}`])
      if (fixture.network.includes('Amsterdam') && (this.#second ?? this.#executor).adapter === 'ethereumjs') {
        const reason = 'the ethereumjs adapter has no rules of Amsterdam'
        const told = { source, file, name, network: fixture.network, status: 'skipped', reason } as const
        return { ...told, blocks: 0, transactions: 0, aborts: 0 }
      }
      const rules = rulesOf(fixture, this.#amsterdam ?? dialectOf(source, file))
      const execute = rules === undefined ? neverCalled : this.#execution(rules)
      const keccak256 = (bytes: Uint8Array): Uint8Array => this.#executor.keccak256(bytes)
      const result = await runCase(fixture, rules, { execute, keccak256, state: this.#freshState() })
      return { ...result, source, file, name, network: fixture.network }
    } catch (error) {
      // Whatever happened, the state may hold accounts of this case.
      this.#state = undefined
      if (this.#signal.aborted) return undefined
      if (error instanceof FixtureError) {
        unusable(error)
        return undefined
      }
      const network = String((raw.test as { readonly network?: unknown }).network)
      const reason = error instanceof Disagreement ? error.message : `threw: ${errorLine(error)}`
      return { source, file, name, network, status: 'failed', reason, blocks: 0, transactions: 0, aborts: 0 }
    }
  }

  #execution(rules: NetworkRules): BlockExecution {
    return this.#second === undefined
      ? executionOf(this.#executor, rules, this.#signal)
      : bothOf(this.#executor, this.#second, rules, this.#signal)
  }

  #freshState(): MemoryState {
    if (this.#state === undefined || this.#cases++ % CASES_A_STATE === 0) {
      const keccak256 = (bytes: Uint8Array): Uint8Array => this.#executor.keccak256(bytes)
      this.#state = createMemoryState({ maxBytes: STATE_BYTES, keccak256 })
    }
    return this.#state
  }
}

/** A case that fails for what @ethereumjs/vm is known to get wrong is told as skipped, with what that is. */
const withKnownFault = (told: ToldCase): ToldCase => {
  const fault = told.status === 'failed' ? knownFault(told.name) : undefined
  return fault === undefined ? told : { ...told, status: 'skipped', reason: `ethereumjs is wrong: ${fault.why}` }
}

const neverCalled = (): Promise<never> => Promise.reject(new Error('no chain'))

const print = (text: string): void => void process.stdout.write(`${text}\n`)
