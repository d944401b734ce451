/** Faults of adapters from outside the package, synchronous and with promises (test/support/faultyAdapter.mjs). */
import {
  type AdapterExecutor,
  createAdapterExecutor,
  createKeyValueState,
  type KeyValueState,
} from '../../src/tasks.ts'
import { between, type Fault, inserted, meanwhile, type Random } from './fault.ts'
import { demandSame, demandThreads, Threads, type WorldOptions } from './world.ts'

const MIB = 2 ** 20
const ADAPTER = new URL('../support/faultyAdapter.mjs', import.meta.url)

/** What an input asks of the adapter. */
const What = { Add: 0, Exit: 1, ThrowOnce: 2, ThrowIfOdd: 3, Hang: 4, ThrowNothing: 5, AnswerNothing: 6, ThrowLater: 7 }
type Input = readonly [what: number, amount: number]

const sumIn = (state: KeyValueState): number | undefined => (state.get('sum') as Uint8Array | undefined)?.[0]

export interface AdapterWorldOptions extends WorldOptions {
  readonly kind: 'sync' | 'async'
}

export class AdapterWorld {
  readonly threads: Threads
  readonly executor: AdapterExecutor
  readonly state = createKeyValueState({ maxBytes: 4 * MIB })

  static async make({ kind, ...options }: AdapterWorldOptions): Promise<AdapterWorld> {
    const threads = new Threads()
    const given = { adapter: ADAPTER, options: { kind }, memoryLimit: 16 * MIB, ...options }
    return new AdapterWorld(threads, await createAdapterExecutor({ ...given, worker: () => threads.make() }))
  }

  private constructor(threads: Threads, executor: AdapterExecutor) {
    this.threads = threads
    this.executor = executor
  }

  /** Runs inputs and compares results and difference; throws the run's error, or what is different. */
  async run(inputs: readonly Input[]): Promise<void> {
    const given = { state: this.state, speculation: 'always' as const }
    const bytes = inputs.map((input) => Uint8Array.from(input))
    const { results, stateDiff } = await this.executor.run(bytes, given)
    let sum = 0
    const expected = inputs.map(([what, amount]) => {
      const isOdd = sum % 2 === 1
      if (isOdd && (what === What.ThrowIfOdd || what === What.ThrowNothing)) {
        return what === What.ThrowIfOdd ? 'the number is odd' : 'undefined'
      }
      if (what === What.AnswerNothing) {
        return 'execute answered with no outcome; return host.done(), blocked(), invalid(reason) or fault(reason)'
      }
      sum = (sum + amount) % 256
      return (sum - amount + 256) % 256
    })
    const seen = results.map((result) => (result.status === 'done' ? result.value[0] : result.reason))
    demandSame(seen, expected, 'results')
    const after = createKeyValueState({ maxBytes: 4 * MIB })
    await after.apply(stateDiff)
    demandSame(sumIn(after), sum, 'difference')
  }

  async expectHealthy(seed: number): Promise<void> {
    demandSame(sumIn(this.state), undefined, 'the state after the fault')
    await this.run(Array.from({ length: 40 }, (_, k) => [k % 5 === 0 ? What.ThrowIfOdd : What.Add, (seed + k) % 7]))
    demandThreads(this.threads, this.executor)
  }
}

const inputsOf = (random: Random, length: number): Input[] =>
  Array.from({ length }, () => [What.Add, between(random, 0, 9)])
const withOne = (random: Random, what: number): Input[] =>
  inserted<Input>(inputsOf(random, 60), [what, between(random, 0, 9)], random)

const throwing: Fault<AdapterWorld, AdapterWorldOptions>['run'] = (world, random) => {
  const kinds = [What.Add, What.ThrowOnce, What.ThrowIfOdd, What.ThrowNothing]
  return world.run(
    inputsOf(random, 80).map(([, amount]) => [kinds[between(random, 0, kinds.length)] as number, amount]),
  )
}

/** The same of both kinds of adapters, on two threads or three. */
const both = (kind: 'sync' | 'async') => {
  const two = { kind, workers: 2 } as const
  return {
    'process.exit in it': {
      world: two,
      codes: ['WORKER_LOST'],
      must: true,
      run: (world, random) => world.run(withOne(random, What.Exit)),
    },
    'throws in any incarnation': { world: { ...two, workers: 3 }, codes: [], run: throwing },
    'never ends': {
      world: { ...two, stallTimeout: 250 },
      codes: ['STALLED'],
      must: true,
      run: (world, random) => world.run(withOne(random, What.Hang)),
    },
    'answers with nothing': {
      world: two,
      codes: [],
      run: (world, random) => world.run(withOne(random, What.AnswerNothing)),
    },
    'throws after its answer': {
      world: two,
      codes: ['WORKER_LOST'],
      // A thread with its event loop free throws when it will; one that is parked, when it is spoken to next.
      run: (world, random) =>
        world
          .run(withOne(random, What.ThrowLater))
          .finally(() => (kind === 'async' ? world.threads.doom() : undefined)),
    },
    'a thread is ended': {
      world: { ...two, workers: 3 },
      codes: ['WORKER_LOST'],
      run: (world, random) =>
        meanwhile(
          random() * 8,
          () => world.threads.end(random()),
          () => world.run(inputsOf(random, 200)),
        ),
    },
  } as const satisfies Record<string, Fault<AdapterWorld, AdapterWorldOptions>>
}

type Named<Prefix extends string> = {
  readonly [Name in keyof ReturnType<typeof both> as `${Prefix}: ${Name}`]: Fault<AdapterWorld, AdapterWorldOptions>
}
const named = <Prefix extends string>(prefix: Prefix, kind: 'sync' | 'async') =>
  Object.fromEntries(
    Object.entries(both(kind)).map(([name, fault]) => [`${prefix}: ${name}`, fault]),
  ) as unknown as Named<Prefix>

export const adapterFaults = { ...named('adapter', 'sync'), ...named('adapter with promises', 'async') }
