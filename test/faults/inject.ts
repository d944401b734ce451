/**
 * One fault of each kind, at a point that a seed chooses, and what became of it.
 *
 * A fault is survived when, in bounded time, the call ended with the right result or with an error whose code is one
 * that the kind allows; the state is as it was; and the same executor then runs other work right, with as many threads
 * as before. Everything else is a loss. Usable without a test runner: `npm run faults` and injected.test.ts share it.
 */
import type { ParallelExecutionError } from '../../src/index.ts'
import { randomFrom } from '../support/random.ts'
import { AdapterWorld, adapterFaults } from './adapterFaults.ts'
import { blockFaults } from './blockFaults.ts'
import { type Fault, OwnError, seedFrom } from './fault.ts'
import { ProcessWorld, processFaults } from './processFaults.ts'
import { sourceFaults } from './sourceFaults.ts'
import { taskFaults } from './taskFaults.ts'
import { BlockWorld, TaskWorld } from './world.ts'

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

/** What faults are thrown at; it can say whether it is still right. */
interface World {
  readonly executor: { close(): Promise<void> }
  expectHealthy(seed: number): Promise<void>
}

interface Kind {
  readonly fault: Fault<never, unknown>
  make(): Promise<World>
}

const kindsOf = <W extends World, O, Name extends string>(
  make: (options: O) => Promise<W>,
  faults: Readonly<Record<Name, Fault<W, O>>>,
) =>
  Object.fromEntries(
    Object.entries<Fault<W, O>>(faults).map(([name, fault]) => [name, { fault, make: () => make(fault.world) }]),
  ) as unknown as Record<Name, Kind>

const KINDS = {
  ...kindsOf(TaskWorld.make, taskFaults),
  ...kindsOf(AdapterWorld.make, adapterFaults),
  ...kindsOf(BlockWorld.make, { ...blockFaults, ...sourceFaults }),
  ...kindsOf(ProcessWorld.make, processFaults),
}

export type FaultKind = keyof typeof KINDS
export const FAULT_KINDS = Object.keys(KINDS) as FaultKind[]

/** Worlds by kind, kept from fault to fault: a pool must survive not one but any number. */
export class Worlds {
  readonly #worlds = new Map<FaultKind, World>()

  async inject(kind: FaultKind, seed: number): Promise<Injection> {
    const random = randomFrom(seed)
    const { fault } = KINDS[kind]
    let ended = 'result'
    let lost: string | undefined
    try {
      const world = await this.#world(kind)
      ended = await endOf(fault, () => fault.run(world as never, random))
      if (fault.ends) await this.#drop(kind)
      await inTime((await this.#world(kind)).expectHealthy(seedFrom(random)), 'the run after it', BOUND)
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

  async #drop(kind: FaultKind): Promise<void> {
    const world = this.#worlds.get(kind)
    this.#worlds.delete(kind)
    await world?.executor.close()
  }

  async #world(kind: FaultKind): Promise<World> {
    const world = this.#worlds.get(kind) ?? (await KINDS[kind].make())
    this.#worlds.set(kind, world)
    return world
  }
}

async function inTime<T>(promise: Promise<T>, what: string, bound: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not end within ${bound} ms`)), bound)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

async function endOf(fault: Kind['fault'], run: () => Promise<unknown>): Promise<string> {
  try {
    await inTime(run(), 'the run', fault.bound ?? BOUND)
  } catch (error) {
    const code = error instanceof OwnError ? 'own' : (error as ParallelExecutionError).code
    if (code === undefined || !fault.codes.includes(code)) throw error
    return code
  }
  if (fault.must) throw new Error('it ended with a result')
  return 'result'
}
