/**
 * One fault of each kind, at a point that a seed chooses, and what became of it.
 *
 * A fault is survived when, in bounded time, the call ended with the right result or with an error whose code is one
 * that the kind allows; the state is as it was; and the same executor then runs other work right, with as many threads
 * as before. Everything else is a loss. Usable without a test runner: `npm run faults` and injected.test.ts share it.
 */
import { chainAtFork, type ErrorCode, type ParallelExecutionError, stateRootOf } from '../../src/index.ts'
import { createTaskExecutor, type TaskCall } from '../../src/tasks.ts'
import { address, asm, stateOf, word } from '../support/evm.ts'
import { callsOf, type Program } from '../support/program.ts'
import { randomFrom } from '../support/random.ts'
import { BlockWorld, LOGGER, PEOPLE, programsOf, SCATTER, TaskWorld, type WorldOptions, workBlock } from './world.ts'

const MIB = 2 ** 20
/** Milliseconds in which a call must have ended, whatever happened to it: stall, grace, and a machine that is busy. */
const BOUND = 60_000

/** How an injection ended. `ended` is 'result' or the error's code. */
export interface Injection {
  readonly kind: FaultKind
  readonly seed: number
  readonly ended: string
  /** What went wrong, where the fault was not survived. */
  readonly lost: string | undefined
}

type Random = () => number

interface Fault<World> {
  readonly world: WorldOptions
  /** Codes that a run may end with. A right result is always allowed unless `must`. */
  readonly codes: readonly (ErrorCode | 'own')[]
  /** No run can end with a result. */
  readonly must?: true
  /** The executor cannot be used afterwards: a new one must. */
  readonly ends?: true
  run(world: World, random: Random): Promise<unknown>
}

class OwnError extends Error {}

const after = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))
/** Does something so long after the run began, or not if that has ended by then; the fault is over when both are. */
async function meanwhile(milliseconds: number, act: () => unknown, run: () => Promise<unknown>): Promise<unknown> {
  let over = false
  const acted = after(milliseconds).then(() => (over ? undefined : act()))
  try {
    return await run()
  } finally {
    over = true
    await acted
  }
}
const between = (random: Random, least: number, most: number): number => least + Math.floor(random() * (most - least))
const inserted = <T>(list: readonly T[], item: T, random: Random): T[] => {
  const at = between(random, 0, list.length + 1)
  return [...list.slice(0, at), item, ...list.slice(at)]
}
const seedFrom = (random: Random): number => Math.floor(random() * 2 ** 31)
/** Programs that take a few milliseconds, with calls of the module in between. */
const withCalls = (random: Random, ...calls: TaskCall[]): TaskCall[] =>
  calls.reduce((list, call) => inserted(list, call, random), callsOf(programsOf(seedFrom(random), 80)))

const always = { speculation: 'always' as const }
const two: WorldOptions = { workers: 2 }
const three: WorldOptions = { workers: 3 }

const taskFaults = {
  'a thread is ended': {
    world: three,
    codes: ['WORKER_LOST'],
    // From the call on, so that spawning, waking, running and putting back are all met.
    run: (world, random) =>
      meanwhile(
        random() * 12,
        () => world.threads.end(random()),
        () => world.run(programsOf(seedFrom(random), 150)),
      ),
  },
  'all threads are ended': {
    world: three,
    codes: ['WORKER_LOST'],
    run: (world, random) =>
      meanwhile(
        random() * 8,
        () => world.threads.end('all'),
        () => world.run(programsOf(seedFrom(random), 150)),
      ),
  },
  'process.exit in a task': {
    world: two,
    codes: ['WORKER_LOST'],
    must: true,
    run: (world, random) =>
      world.executor.run(withCalls(random, { task: 'exit', input: 3 }), { ...always, state: world.state }),
  },
  "a task uses up its thread's memory": {
    world: { ...two, resourceLimits: { maxOldGenerationSizeMb: 24 } },
    codes: ['WORKER_LOST'],
    must: true,
    run: (world, random) =>
      world.executor.run(withCalls(random, { task: 'devour' }), { ...always, state: world.state }),
  },
  'an error in a thread after its task': {
    world: two,
    codes: ['WORKER_LOST', 'TASK_FAILED'],
    run: (world, random) =>
      world.executor.run(withCalls(random, { task: 'throwLater' }), { ...always, state: world.state }),
  },
  'a task throws in one incarnation': {
    world: three,
    codes: [],
    run: (world, random) => world.run(programsOf(seedFrom(random), 100, true).map((ops) => throwing(ops, random))),
  },
  'a task never ends': {
    world: { ...two, stallTimeout: 250 },
    codes: ['STALLED'],
    must: true,
    run: (world, random) =>
      world.executor.run(withCalls(random, { task: 'loopForEver' }), { ...always, state: world.state }),
  },
  'the working memory is full': {
    world: { ...two, memoryLimit: 16 * MIB },
    codes: ['CAPACITY'],
    must: true,
    run: (world, random) => {
      const fill = Array.from({ length: 24 }, () => ({
        task: 'writeAndFill',
        input: { keys: ['k1', 'k2'], bytes: MIB },
      }))
      return world.executor.run(withCalls(random, ...fill), { ...always, state: world.state })
    },
  },
  'the tables of the state are full': {
    world: two,
    codes: ['CAPACITY'],
    must: true,
    run: (world, random) => {
      const long = 'x'.repeat(20_000)
      const fill = Array.from({ length: 300 }, (_, k) => ({ task: 'increment', input: `${long}${k}` }))
      return world.executor.run(withCalls(random, ...fill), { ...always, state: world.state })
    },
  },
  'a signal is aborted': {
    world: three,
    codes: ['ABORTED'],
    run: (world, random) => {
      const controller = new AbortController()
      return meanwhile(
        random() * 12,
        () => controller.abort(),
        () => world.run(programsOf(seedFrom(random), 150), { signal: controller.signal }),
      )
    },
  },
  'a signal is aborted on the sequential path': {
    world: two,
    codes: ['ABORTED'],
    run: (world, random) => {
      const controller = new AbortController()
      return meanwhile(
        random() * 8,
        () => controller.abort(),
        () => world.run(programsOf(seedFrom(random), 150), { signal: controller.signal, sequential: true }),
      )
    },
  },
  'the executor is closed': {
    world: three,
    codes: ['CLOSED'],
    ends: true,
    run: (world, random) =>
      meanwhile(
        random() * 12,
        () => world.executor.close(),
        () => world.run(programsOf(seedFrom(random), 150)),
      ),
  },
  'three runs at once': {
    world: two,
    codes: [],
    run: (world, random) => Promise.all([1, 2, 3].map(() => world.run(programsOf(seedFrom(random), 40, true)))),
  },
  'the state is used elsewhere': {
    world: two,
    codes: ['STATE_BUSY'],
    async run(world, random) {
      const other = await TaskWorld.make(two)
      const spins = Array.from({ length: 20 }, () => ({ task: 'spin', input: 1 }))
      const running = other.executor.run(spins, { ...always, state: world.state })
      try {
        await after(random() * 30)
        await world.run(programsOf(seedFrom(random), 40))
      } finally {
        await running.catch((error: unknown) => {
          if ((error as ParallelExecutionError).code !== 'STATE_BUSY') throw error
        })
        await other.executor.close()
      }
    },
  },
  'the module of tasks does not load': {
    world: two,
    codes: ['MODULE_NOT_LOADED'],
    must: true,
    async run(world, random) {
      const broken = ['throw new Error("no")', 'export const a = 1', 'export const = 1'][between(random, 0, 3)]
      const executor = await createTaskExecutor(`data:text/javascript,${broken}`, {
        worker: () => world.threads.make(),
      })
      try {
        await executor.run([{ task: 'a' }], always)
      } finally {
        await executor.close()
      }
    },
  },
} as const satisfies Record<string, Fault<TaskWorld>>

/** The program with a throw in front, in its first incarnation or in every later one. */
const throwing = (ops: Program, random: Random): Program => {
  if (random() < 0.5) return ops
  const fail: Program = [
    { op: 'add', key: 'k0', amount: 1, atLeast: 0, to: 0 },
    { op: 'throwIfOdd', by: 0 },
  ]
  const [first, later] = random() < 0.5 ? [fail, []] : [[], fail]
  // biome-ignore lint/suspicious/noThenProperty: nobody awaits an operation
  return [{ op: 'ifAgain', then: later, otherwise: first }, ...ops]
}

const given = { chain: chainAtFork('shanghai'), senders: 'trust' as const, speculation: 'always' as const }

const blockFaults = {
  'block: a thread is ended': {
    world: three,
    codes: ['WORKER_LOST'],
    run: (world, random) =>
      meanwhile(
        random() * 10,
        () => world.threads.end(random()),
        () => world.run(),
      ),
  },
  'block: a signal is aborted': {
    world: three,
    codes: ['ABORTED'],
    run: (world, random) => {
      const controller = new AbortController()
      return meanwhile(
        random() * 10,
        () => controller.abort(),
        () => world.run({ signal: controller.signal }),
      )
    },
  },
  'block: the executor is closed': {
    world: three,
    codes: ['CLOSED'],
    ends: true,
    run: (world, random) =>
      meanwhile(
        random() * 10,
        () => world.executor.close(),
        () => world.run(),
      ),
  },
  'block: two at once': {
    world: two,
    codes: [],
    run: (world) => Promise.all([world.run(), world.run({ speculation: 'auto' })]),
  },
  'block: a callback throws': {
    world: two,
    codes: ['own'],
    run: (world, random) => {
      const at = between(random, 0, 300)
      return world.run({
        onCommit: ({ from, results }) => {
          if (from <= at && at < from + results.length) throw new OwnError('the caller has seen enough')
        },
      })
    },
  },
  'block: the working memory is full': {
    world: { ...two, memoryLimit: 16 * MIB },
    codes: ['CAPACITY'],
    must: true,
    run: (world, random) => {
      const bytes = between(random, 150_000, 250_000)
      const log = (k: number) => ({ from: PEOPLE[k % 12], to: LOGGER, data: word(bytes), gas: 10_000_000 })
      const file = workBlock(
        between(random, 0, 200),
        Array.from({ length: 160 }, (_, k) => log(k)),
      )
      return world.executor.executeBlock(file.block, { ...given, state: world.state })
    },
  },
  'block: the tables of the state are full': {
    world: two,
    codes: ['CAPACITY'],
    must: true,
    run: (world, random) => {
      const write = (k: number) => ({
        from: PEOPLE[k % 12],
        to: SCATTER,
        data: `${word(1000)}${word(k * 1000).slice(2)}`,
        gas: 30_000_000,
      })
      const file = workBlock(
        between(random, 0, 200),
        Array.from({ length: 80 }, (_, k) => write(k)),
      )
      return world.executor.executeBlock(file.block, { ...given, state: world.state })
    },
  },
  'block: the state has no code': {
    world: two,
    codes: ['MISSING_CODE'],
    must: true,
    run: (world, random) => {
      // Code of its own: what a worker has once seen by its hash it need not ask for again.
      const code = asm(`${seedFrom(random)} POP`)
      const unknown = { from: PEOPLE[0], to: address(0x400), gas: 50_000 }
      const file = workBlock(between(random, 0, 200), [unknown], { [address(0x400)]: { nonce: 1, code } })
      const codes = Object.fromEntries(Object.entries(file.codes).filter(([, text]) => text !== code))
      return world.executor.executeBlock(file.block, { ...given, state: stateOf({ ...file, codes }) })
    },
  },
  'block: a transaction is not valid': {
    world: three,
    codes: ['INVALID_TRANSACTION'],
    must: true,
    run: (world, random) => {
      const payment = { from: PEOPLE[0], to: PEOPLE[1], gas: 21_000 }
      const bad = [
        { ...payment, nonce: 10_000 },
        { ...payment, value: 10n ** 30n },
        { ...payment, gas: 20_000 },
      ][between(random, 0, 3)]
      const file = workBlock(between(random, 0, 200), [bad, ...Array.from({ length: 100 }, () => payment)])
      return world.executor.executeBlock(file.block, { ...given, state: world.state })
    },
  },
  'block: the trie of the state fails': {
    world: two,
    codes: ['own'],
    must: true,
    async run(world, random) {
      const state = stateOf(world.file)
      await stateRootOf(state, { wasm: new URL('../../src/wasm/hash-core.wasm', import.meta.url) })
      // Whatever the run asks of it, one of the calls goes wrong.
      const failing = between(random, 0, 2) === 0 ? 'stage' : 'rollback'
      Object.defineProperty(state, failing, {
        value: () => {
          throw new OwnError('the disk of the trie is gone')
        },
      })
      await world.executor.executeBlock(world.file.block, { ...given, state })
    },
  },
} as const satisfies Record<string, Fault<BlockWorld>>

export type FaultKind = keyof typeof taskFaults | keyof typeof blockFaults
export const FAULT_KINDS = [...Object.keys(taskFaults), ...Object.keys(blockFaults)] as FaultKind[]

/** Worlds by kind, kept from fault to fault: a pool must survive not one but any number. */
export class Worlds {
  readonly #worlds = new Map<string, TaskWorld | BlockWorld>()

  async inject(kind: FaultKind, seed: number): Promise<Injection> {
    const random = randomFrom(seed)
    let ended = 'result'
    let lost: string | undefined
    const fault = (taskFaults as Record<string, Fault<TaskWorld>>)[kind]
    try {
      if (fault !== undefined) {
        const world = await this.#taskWorld(kind, fault)
        ended = await endOf(fault, () => fault.run(world, random))
        if (fault.ends) await this.#drop(kind)
        await inTime((await this.#taskWorld(kind, fault)).expectHealthy(seedFrom(random)), 'the run after it')
      } else {
        const other = (blockFaults as Record<string, Fault<BlockWorld>>)[kind] as Fault<BlockWorld>
        const world = await this.#blockWorld(kind, other)
        ended = await endOf(other, () => other.run(world, random))
        if (other.ends) await this.#drop(kind)
        await inTime((await this.#blockWorld(kind, other)).expectHealthy(), 'the run after it')
      }
    } catch (error) {
      lost = error instanceof Error ? error.message : String(error)
      // What is broken is not used again, and must not hold the process.
      await Promise.race([this.#drop(kind), new Promise((resolve) => setTimeout(resolve, 5000))])
    }
    return { kind, seed, ended, lost }
  }

  async close(): Promise<void> {
    for (const { executor } of this.#worlds.values()) await executor.close()
    this.#worlds.clear()
  }

  async #drop(kind: string): Promise<void> {
    const world = this.#worlds.get(kind)
    this.#worlds.delete(kind)
    await world?.executor.close()
  }

  async #taskWorld(kind: string, fault: Fault<TaskWorld>): Promise<TaskWorld> {
    const world = (this.#worlds.get(kind) as TaskWorld | undefined) ?? (await TaskWorld.make(fault.world))
    this.#worlds.set(kind, world)
    return world
  }

  async #blockWorld(kind: string, fault: Fault<BlockWorld>): Promise<BlockWorld> {
    const known = this.#worlds.get(kind) as BlockWorld | undefined
    if (known !== undefined) return known
    const world = await BlockWorld.make(fault.world)
    this.#worlds.set(kind, world)
    await world.learn()
    return world
  }
}

async function inTime<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not end within ${BOUND} ms`)), BOUND)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

async function endOf<World>(fault: Fault<World>, run: () => Promise<unknown>): Promise<string> {
  try {
    await inTime(run(), 'the run')
  } catch (error) {
    const code = error instanceof OwnError ? 'own' : (error as ParallelExecutionError).code
    if (code === undefined || !fault.codes.includes(code)) throw error
    return code
  }
  if (fault.must) throw new Error('it ended with a result')
  return 'result'
}
