/**
 * `checkAdapter`: does an adapter keep what the engine relies on?
 *
 * The engine executes a place when it likes, more than once, in any worker, on values that may not be true, and may
 * break an execution off. So an answer must be a function of input and reads alone. This runs an adapter in this thread
 * over a plain Map, in several orders and with reads that are blocked, then on real workers, and compares.
 */
import {
  type AdapterAnswer,
  type AdapterMemory,
  BLOCKED,
  type CustomAdapter,
  loadAdapter,
} from '../adapters/custom/adapter.ts'
import type { RangeOptions } from '../adapters/taskGraph/store.ts'
import { createAdapterExecutor } from '../executor/runAdapter.ts'
import { createKeyValueState } from '../executor/runTasks.ts'

export interface CheckAdapterOptions {
  /** Inputs of the places, in order; about a hundred that touch each other's keys find most mistakes. */
  readonly inputs: readonly Uint8Array[]
  /** Given to `createAdapter`. */
  readonly options?: unknown
  readonly environment?: Uint8Array
  /** What the state holds to begin with. */
  readonly entries?: Readonly<Record<string, Uint8Array>>
  /** Workers of the run on real threads; 2 by default. */
  readonly workers?: number
}

export interface AdapterProblem {
  readonly rule: 'loading' | 'determinism' | 'purity' | 'input' | 'poisoning' | 'dispose' | 'parallel'
  /** Index of the input; absent where the problem is not of one. */
  readonly index?: number
  readonly message: string
}

export interface AdapterReport {
  /** True where nothing was found. */
  readonly ok: boolean
  readonly problems: readonly AdapterProblem[]
  /** Executions made, those on workers left out. */
  readonly executions: number
}

/** Blocked reads that are tried a place. */
const BLOCKED_READS = 6

const hex = (bytes: Uint8Array | undefined): string =>
  bytes === undefined ? 'none' : Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

const isUnder =
  (prefix: string, { after }: RangeOptions) =>
  (key: string) =>
    key.startsWith(prefix) && (after === undefined || compare(key, after) > 0)

const encoder = new TextEncoder()
const compare = (a: string, b: string): number => {
  const [x, y] = [encoder.encode(a), encoder.encode(b)]
  for (let k = 0; k < Math.min(x.length, y.length); k++) if (x[k] !== y[k]) return Number(x[k]) - Number(y[k])
  return x.length - y.length
}

/** A state before one place, what the place wrote, and from which read on it is blocked. */
class PlainMemory implements AdapterMemory {
  readonly writes = new Map<string, Uint8Array | undefined>()
  reads = 0
  readonly #before: ReadonlyMap<string, Uint8Array>
  readonly #blockedFrom: number

  constructor(before: ReadonlyMap<string, Uint8Array>, blockedFrom = Number.POSITIVE_INFINITY) {
    this.#before = before
    this.#blockedFrom = blockedFrom
  }

  get(key: string): Uint8Array | undefined | typeof BLOCKED {
    return this.#read(() => (this.writes.has(key) ? this.writes.get(key) : this.#before.get(key))?.slice())
  }

  has(key: string): boolean | typeof BLOCKED {
    return this.#read(() => this.#now().has(key))
  }

  keys(prefix: string, options: RangeOptions = {}): readonly string[] | typeof BLOCKED {
    return this.#read(() =>
      [...this.#now().keys()]
        .filter(isUnder(prefix, options))
        .sort(compare)
        .slice(0, options.limit ?? Number.POSITIVE_INFINITY),
    )
  }

  set(key: string, value: Uint8Array): void {
    this.writes.set(key, value.slice())
  }

  delete(key: string): void {
    this.writes.set(key, undefined)
  }

  #now(): Map<string, Uint8Array> {
    const now = new Map(this.#before)
    for (const [key, value] of this.writes) {
      if (value === undefined) now.delete(key)
      else now.set(key, value)
    }
    return now
  }

  #read<T>(read: () => T): T | typeof BLOCKED {
    return this.reads++ >= this.#blockedFrom ? BLOCKED : read()
  }
}

interface Execution {
  readonly text: string
  readonly answer: AdapterAnswer
  readonly reads: number
  readonly writes: ReadonlyMap<string, Uint8Array | undefined>
}

class Checker {
  readonly problems: AdapterProblem[] = []
  executions = 0
  readonly #inputs: readonly Uint8Array[]

  constructor(inputs: readonly Uint8Array[]) {
    this.#inputs = inputs
  }

  report(rule: AdapterProblem['rule'], message: string, index?: number): void {
    this.problems.push(index === undefined ? { rule, message } : { rule, index, message })
  }

  async execute(
    adapter: CustomAdapter,
    index: number,
    before: ReadonlyMap<string, Uint8Array>,
    incarnation = 0,
    blockedFrom?: number,
  ): Promise<Execution> {
    this.executions++
    const memory = new PlainMemory(before, blockedFrom)
    const given = this.#inputs[index] as Uint8Array
    const input = given.slice()
    let answer: AdapterAnswer
    try {
      const answered = adapter.execute({ index, input, incarnation }, memory)
      if (adapter.kind === 'sync' && answered instanceof Promise) {
        this.report('loading', "its kind is 'sync', but it answers with a promise", index)
      }
      answer = await answered
    } catch (error) {
      answer = { outcome: 'fault', reason: error instanceof Error ? error.message : String(error) }
    }
    if (hex(input) !== hex(given)) this.report('input', 'the execution changed its input', index)
    const writes = answer.outcome === 'done' ? memory.writes : new Map<string, Uint8Array | undefined>()
    const told = answer.outcome === 'done' ? hex(answer.result) : answer.outcome === 'blocked' ? '' : answer.reason
    const written = [...writes].map(([key, value]) => `${key}=${hex(value)}`).sort()
    return { text: `${answer.outcome} ${told}; ${written.join(' ')}`, answer, reads: memory.reads, writes }
  }
}

/**
 * Tests an adapter: purity, determinism, poisoned reads, inputs that it must not change, dispose, and a run on real
 * workers against one in order.
 *
 * @param module - address of a module that exports `createAdapter`
 * @returns a report; it does not throw for what the adapter does wrong
 * @example
 * const report = await checkAdapter(new URL('./orderBook.mjs', import.meta.url), { inputs })
 * assert(report.ok, JSON.stringify(report.problems))
 */
export async function checkAdapter(module: URL | string, options: CheckAdapterOptions): Promise<AdapterReport> {
  const { inputs, environment = new Uint8Array(0) } = options
  const checker = new Checker(inputs)
  const ending = () => ({
    ok: checker.problems.length === 0,
    problems: checker.problems,
    executions: checker.executions,
  })
  const make = async (): Promise<CustomAdapter> => {
    const adapter = await loadAdapter(String(module), structuredClone(options.options))
    adapter.beginBlock?.(environment.slice())
    return adapter
  }
  let adapters: CustomAdapter[]
  try {
    adapters = [await make(), await make(), await make()]
  } catch (error) {
    checker.report('loading', error instanceof Error ? error.message : String(error))
    return ending()
  }
  const [first, second, third] = adapters as [CustomAdapter, CustomAdapter, CustomAdapter]

  // In order, on two instances: the answers that all others are compared with.
  const states: ReadonlyMap<string, Uint8Array>[] = []
  const answers: Execution[] = []
  let state: ReadonlyMap<string, Uint8Array> = new Map(Object.entries(options.entries ?? {}))
  for (const index of inputs.keys()) {
    states.push(state)
    const execution = await checker.execute(first, index, state)
    const again = await checker.execute(second, index, state)
    if (again.text !== execution.text) {
      checker.report('determinism', `two instances say: ${execution.text} and: ${again.text}`, index)
    }
    answers.push(execution)
    const next = new Map(state)
    for (const [key, value] of execution.writes) {
      if (value === undefined) next.delete(key)
      else next.set(key, value)
    }
    state = next
  }

  // Backwards, as another incarnation, broken off at each read first: what an execution leaves behind must not matter.
  for (const index of [...inputs.keys()].reverse()) {
    const before = states[index] as ReadonlyMap<string, Uint8Array>
    const expected = answers[index] as Execution
    const backwards = await checker.execute(third, index, before, 1)
    if (backwards.text !== expected.text) {
      checker.report('purity', `after other places it says: ${backwards.text}; before: ${expected.text}`, index)
    }
    for (let read = 0; read < Math.min(expected.reads, BLOCKED_READS); read++) {
      await checker.execute(third, index, before, 1, read)
      const after = await checker.execute(third, index, before, 2)
      if (after.text === expected.text) continue
      checker.report(
        'poisoning',
        `after read ${read} was blocked it says: ${after.text}; before: ${expected.text}`,
        index,
      )
      break
    }
  }
  await checkDispose(checker, adapters, states, answers)
  await checkParallel(checker, module, options, answers, state)
  return ending()
}

async function checkDispose(
  checker: Checker,
  [first, second]: readonly CustomAdapter[],
  states: readonly ReadonlyMap<string, Uint8Array>[],
  answers: readonly Execution[],
): Promise<void> {
  try {
    first?.endBlock?.()
    first?.dispose?.()
    first?.dispose?.()
  } catch (error) {
    checker.report('dispose', `dispose throws: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (second === undefined || states.length === 0) return
  const { text } = await checker.execute(second, 0, states[0] as ReadonlyMap<string, Uint8Array>)
  if (text !== answers[0]?.text) checker.report('dispose', `one instance ends and another says: ${text}`, 0)
  second.dispose?.()
}

async function checkParallel(
  checker: Checker,
  module: URL | string,
  { inputs, options, environment, entries = {}, workers = 2 }: CheckAdapterOptions,
  answers: readonly Execution[],
  end: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  const executor = await createAdapterExecutor({ adapter: module, options, workers })
  try {
    for (const speculation of ['always', 'auto'] as const) {
      const state = createKeyValueState({ entries })
      const given = environment === undefined ? {} : { environment }
      const { results, stateDiff } = await executor.run(inputs, { state, speculation, ...given })
      results.forEach((result, index) => {
        const { answer } = answers[index] as Execution
        const told = result.status === 'done' ? `done ${hex(result.value)}` : result.reason
        const expected =
          answer.outcome === 'done'
            ? `done ${hex(answer.result ?? new Uint8Array(0))}`
            : 'reason' in answer
              ? answer.reason
              : ''
        if (told !== expected) checker.report('parallel', `on workers: ${told}; in order: ${expected}`, index)
      })
      await state.apply(stateDiff)
      const left = [...state.entries<Uint8Array>()].map(([key, value]) => `${key}=${hex(value)}`).sort()
      const right = [...end].map(([key, value]) => `${key}=${hex(value)}`).sort()
      if (left.join() !== right.join()) checker.report('parallel', 'the state after a run on workers is another one')
    }
  } catch (error) {
    checker.report('parallel', error instanceof Error ? error.message : String(error))
  } finally {
    await executor.close()
  }
}
