/** Faults of runs of tasks. */
import type { ParallelExecutionError } from '../../src/index.ts'
import { createTaskExecutor, type TaskCall } from '../../src/tasks.ts'
import { callsOf, type Program } from '../support/program.ts'
import { after, between, type Fault, inserted, meanwhile, type Random, seedFrom, three, two } from './fault.ts'
import { programsOf, TaskWorld } from './world.ts'

/** Programs that take a few milliseconds, with calls of the module in between. */
const withCalls = (random: Random, ...calls: TaskCall[]): TaskCall[] =>
  calls.reduce((list, call) => inserted(list, call, random), callsOf(programsOf(seedFrom(random), 80)))

const always = { speculation: 'always' as const }
const MIB = 2 ** 20

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

export const taskFaults = {
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
