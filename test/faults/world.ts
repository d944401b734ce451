/**
 * What faults are thrown at: an executor whose threads can be reached, a state, work with a known result.
 *
 * After each fault `expectHealthy` says what is still right: the state as it was, the next run right on the same
 * executor, as many threads as before. Usable without a test runner.
 */
import { type ResourceLimits, Worker, type WorkerOptions } from 'node:worker_threads'
import fc from 'fast-check'
import {
  type BlockResult,
  chainAtFork,
  createExecutor,
  type ExecuteBlockOptions,
  type Executor,
  type MemoryState,
} from '../../src/index.ts'
import { createKeyValueState, createTaskExecutor, type KeyValueState, type TaskExecutor } from '../../src/tasks.ts'
import { differenceOf, withoutAgain } from '../support/cases.ts'
import { address, asm, ETHER, fileOf, stateOf, type TestBlock, type TestFile, word } from '../support/evm.ts'
import {
  callsOf,
  contentsOf,
  fill,
  outcomesOf,
  PlainStore,
  type Program,
  programs,
  runInOrder,
} from '../support/program.ts'

const MIB = 2 ** 20
const WORKER = new URL('../../dist/worker.js', import.meta.url)
const BUILT = new URL('../../dist/index.js', import.meta.url)
const kernel = (name: string): URL => new URL(`../../src/wasm/${name}`, import.meta.url)
export const TASKS = new URL('../support/taskModule.mjs', import.meta.url)

/** Makes threads and remembers those that live. */
export class Threads {
  readonly living = new Set<Worker>()
  /** Threads that have said of themselves that they will throw (test/support/faultyAdapter.mjs). */
  readonly doomed = new Uint8Array(new SharedArrayBuffer(4096))
  readonly #options: WorkerOptions
  /** Numbers of the doomed ones that have ended. */
  readonly #ended = new Set<number>()

  constructor(resourceLimits?: ResourceLimits) {
    // What a thread says about its end (out of memory) is not for this process's output.
    this.#options = { name: 'blockloom', stderr: true, ...(resourceLimits === undefined ? {} : { resourceLimits }) }
  }

  make(options: WorkerOptions = {}): Worker {
    const thread = new Worker(WORKER, { ...this.#options, workerData: { doomed: this.doomed }, ...options })
    this.living.add(thread)
    const id = thread.threadId % this.doomed.length
    thread.on('exit', () => {
      this.living.delete(thread)
      if (this.doomed[id] === 1) this.#ended.add(id)
    })
    return thread
  }

  /** Resolves when all that will throw have done so: what comes then is not this run's matter any more. */
  async doom(): Promise<void> {
    while (this.#ended.size < this.doomed.reduce((sum, one) => sum + one, 0))
      await new Promise((resolve) => setTimeout(resolve, 5))
  }

  /** Ends one of the living ones, or all. Resolves when they are gone: what comes then is another run's matter. */
  async end(which: number | 'all'): Promise<void> {
    const threads = [...this.living]
    const chosen = which === 'all' ? threads : threads.slice(Math.floor(which * threads.length)).slice(0, 1)
    await Promise.all(chosen.map((thread) => thread.terminate()))
  }
}

export interface WorldOptions {
  readonly workers: number
  readonly memoryLimit?: number
  readonly stallTimeout?: number
  readonly resourceLimits?: ResourceLimits
  /** Of blocks: another EVM than the default, and other work than 300 transactions. */
  readonly adapter?: 'ethereumjs'
  readonly file?: TestFile
}

/** Throws what is different. */
export const demandSame = (actual: unknown, expected: unknown, what: string): void => {
  const different = differenceOf(actual, expected)
  if (different !== undefined) throw new Error(`${what}: ${different}`)
}

/** Throws unless there are as many threads as the executor is to have. */
export const demandThreads = ({ living }: Threads, { workers }: { readonly workers: number }): void => {
  if (living.size !== workers) throw new Error(`${living.size} threads serve ${workers} workers`)
}

// ---- tasks ----

const startOf = (): PlainStore => {
  const store = new PlainStore()
  for (let k = 0; k < 8; k++) {
    store.set(`k${k}`, k + 1)
  }
  return store
}

/** Programs that any run must give the same result for; `again` ones look at their incarnation. */
export const programsOf = (seed: number, length: number, again = false): Program[] => {
  const list = fc.array(programs, { minLength: length, maxLength: length, size: 'max' })
  const sampled = (fc.sample(list, { seed, numRuns: 1 })[0] as Program[]).slice()
  return again ? sampled : sampled.map(withoutAgain)
}

export class TaskWorld {
  readonly threads: Threads
  readonly executor: TaskExecutor
  readonly state: KeyValueState

  static async make(options: WorldOptions): Promise<TaskWorld> {
    const { resourceLimits, ...given } = options
    const threads = new Threads(resourceLimits)
    const all = { memoryLimit: 32 * MIB, ...given, worker: () => threads.make() }
    return new TaskWorld(threads, await createTaskExecutor(TASKS, all))
  }

  private constructor(threads: Threads, executor: TaskExecutor) {
    this.threads = threads
    this.executor = executor
    this.state = fill(createKeyValueState({ maxBytes: 4 * MIB }), startOf())
  }

  /** Runs programs and compares results and difference; throws the run's error, or what is different. */
  async run(list: readonly Program[], options: { readonly signal?: AbortSignal; readonly sequential?: boolean } = {}) {
    const { results, stateDiff } = await this.executor.run(callsOf(list), {
      state: this.state,
      speculation: 'always',
      ...options,
    })
    const store = startOf()
    const expected = runInOrder(
      list,
      results.map((result) => result.incarnation),
      store,
    )
    demandSame(outcomesOf(results), expected, 'results')
    const after = fill(createKeyValueState({ maxBytes: 4 * MIB }), startOf())
    await after.apply(stateDiff)
    demandSame(contentsOf(after), contentsOf(store), 'difference')
  }

  async expectHealthy(seed: number): Promise<void> {
    demandSame(contentsOf(this.state), contentsOf(startOf()), 'the state after the fault')
    await this.run(programsOf(seed, 40, true))
    await this.run(programsOf(seed + 1, 12), { sequential: true })
    demandSame(contentsOf(this.state), contentsOf(startOf()), 'the state after the next run')
    demandThreads(this.threads, this.executor)
  }
}

// ---- blocks ----

const COINBASE = address(0xc0)
const SPENDER = address(0x300)
export const LOGGER = address(0x301)
export const SCATTER = address(0x302)
export const PEOPLE = Array.from({ length: 12 }, (_, k) => address(k + 1))

/** Turns as often as its calldata says, then counts and logs the count. */
const SPEND = asm(
  '0 CALLDATALOAD loop: 1 SWAP1 SUB DUP1 @loop JUMPI POP 0 SLOAD 1 ADD DUP1 0 SSTORE 0 MSTORE 32 0 LOG0',
)
/** Logs as many bytes as its calldata says. */
const LOG = asm('0 CALLDATALOAD 0 LOG0')
/** Writes as many slots as the first word of its calldata says, from its second word on. */
const SCATTERED = asm(`
  0 CALLDATALOAD loop: 1 SWAP1 SUB DUP1 32 CALLDATALOAD ADD DUP1 SSTORE DUP1 @loop JUMPI`)

/** Payments, turns and a shared counter, so that every worker has work and much of it conflicts. */
export const workBlock = (
  length: number,
  extra: TestBlock['transactions'] = [],
  accounts: TestBlock['accounts'] = {},
): TestFile =>
  fileOf({
    fork: 'shanghai',
    coinbase: COINBASE,
    gasLimit: 10n ** 12n,
    accounts: {
      ...Object.fromEntries(PEOPLE.map((who) => [who, { balance: 1000n * ETHER }])),
      [SPENDER]: { nonce: 1, code: SPEND },
      [LOGGER]: { nonce: 1, code: LOG },
      [SCATTER]: { nonce: 1, code: SCATTERED },
      ...accounts,
    },
    transactions: [
      ...Array.from({ length }, (_, k) => {
        const from = PEOPLE[k % PEOPLE.length] as (typeof PEOPLE)[number]
        return k % 3 === 0
          ? { from, to: SPENDER, data: word(20 + ((k * 37) % 400)), gas: 300_000 }
          : { from, to: PEOPLE[(k * 7 + 1) % PEOPLE.length] as (typeof PEOPLE)[number], value: 5n, gas: 21_000 }
      }),
      ...extra,
    ],
  })

export class BlockWorld {
  readonly threads: Threads
  readonly executor: Executor
  readonly file: TestFile
  readonly state: MemoryState
  #expected: Partial<BlockResult> = {}
  #rootless: Partial<BlockResult> = {}

  static async make(options: WorldOptions): Promise<BlockWorld> {
    const { resourceLimits, file = workBlock(300), ...given } = options
    const threads = new Threads(resourceLimits)
    const all = {
      memoryLimit: 64 * MIB,
      ...given,
      worker: () => threads.make(),
      wasm: kernel('evm-core.wasm'),
    }
    // The adapter's module lies beside the built library alone.
    const { createExecutor: create } =
      given.adapter === undefined
        ? { createExecutor }
        : ((await import(BUILT.href)) as { createExecutor: typeof createExecutor })
    const world = new BlockWorld(threads, await create({ ...all, hashCore: kernel('hash-core.wasm') }), file)
    await world.#learn()
    return world
  }

  private constructor(threads: Threads, executor: Executor, file: TestFile) {
    this.threads = threads
    this.executor = executor
    this.file = file
    this.state = stateOf(file)
  }

  /** What a block must give, found on a quiet executor before anything is broken. */
  async #learn(): Promise<void> {
    this.#expected = await this.#outcome({ sequential: true })
    const { stateRoot: _, ...rootless } = this.#expected
    this.#rootless = rootless
  }

  async #outcome(options: Partial<ExecuteBlockOptions>) {
    const given = { state: this.state, chain: chainAtFork('shanghai'), senders: 'trust' as const }
    const { run: _, ...outcome } = await this.executor.executeBlock(this.file.block, {
      ...given,
      speculation: 'always',
      ...options,
    })
    return outcome
  }

  async run(options: Partial<ExecuteBlockOptions> = {}): Promise<void> {
    const { stateRoot, ...outcome } = await this.#outcome(options)
    // A state that answers later has none: nobody knows all of it.
    const isRooted = options.state?.isPartial !== true
    demandSame({ ...outcome, ...(isRooted ? { stateRoot } : {}) }, isRooted ? this.#expected : this.#rootless, 'block')
  }

  async expectHealthy(): Promise<void> {
    await this.run()
    await this.run({ speculation: 'auto' })
    await this.run({ sequential: true })
    demandThreads(this.threads, this.executor)
  }
}
