/**
 * What the engine itself costs: places that do nothing (noopAdapter.mjs), waking, short blocks, naps on many workers.
 *
 * Naps take no core, so they show how many places the scheduler keeps going at once, on a machine with two cores as well.
 */
import { readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { Kind, locationOf } from '../src/core/location.ts'
import { Engine } from '../src/executor/engine.ts'
import type { Plan } from '../src/executor/plan.ts'
import { runOnState } from '../src/executor/runOnState.ts'
import type { RunReport } from '../src/executor/runReport.ts'
import { findAccount } from '../src/state/find.ts'
import { MemoryState } from '../src/state/memoryState.ts'
import { dist, openExecutor, stateOf } from './pool.ts'
import { type CostRow, median, round, spreadOf, table } from './report.ts'
import { makeWorkload } from './workloads.ts'

const PLACES = 10_000
const SLOTS = 4 * PLACES
const NAP_MS = 2
const NAPS_A_WORKER = 20
const WARM_UP = 5
/** What a run does once is interpreted until it was done some two thousand times. */
const WARM_UP_SHORT = 2000

/** Speed-up of places that sleep. */
export interface NapRow {
  readonly workers: number
  readonly places: number
  /** With all workers called at once. */
  readonly speedUp: number
  /** With `speculation: 'auto'`: those beyond the cores come when main has seen that the cores idle. */
  readonly auto: number
  readonly goal: number
}

/** A short block against the sequential path. */
export interface ShortRow {
  readonly transactions: number
  readonly sequentialUs: number
  readonly parallelUs: number
}

export interface EngineRows {
  readonly costs: readonly CostRow[]
  readonly short: readonly ShortRow[]
  readonly naps: readonly NapRow[]
}

/** Shows where the slots of its one account lie. */
class SlotState extends MemoryState {
  readonly #contract = new Uint8Array(20).fill(7)

  constructor(slots: number) {
    super()
    this.putAccount(this.#contract, { balance: 1n })
    for (let k = 0; k < slots; k++) this.putStorage(this.#contract, k, 1n)
  }

  /** Locations of the slots, in whatever order. */
  locations(): number[] {
    const found: number[] = []
    const account = findAccount(this.words, new Int32Array(this.#contract.buffer))
    for (let r = this.words[account + 11]; r !== 0; r = this.words[r + 21]) found.push(locationOf(r, Kind.Slot))
    return found
  }
}

const openEngine = async (workers: number, napMs = 0): Promise<Engine> =>
  new Engine(
    { workers, worker: () => new Worker(dist('worker.js'), { execArgv: [] }) },
    {
      kind: 'evm',
      name: 'noop',
      module: new URL('./noopAdapter.mjs', import.meta.url).href,
      options: { napMs },
      kernel: await WebAssembly.compile(readFileSync(dist('evm-core.wasm'))),
    },
  )

/** Independent places: each reads `reads` slots of its own and writes `writes` of them. */
function planOf(state: SlotState, locations: readonly number[], places: number, reads: number, writes: number): Plan {
  const size = 2 + reads
  const inputs = new Int32Array(places * size)
  for (let k = 0; k < places; k++) {
    inputs.set([reads, writes], k * size)
    for (let r = 0; r < reads; r++) inputs[k * size + 2 + r] = locations[(k * reads + r) % locations.length]
  }
  const offsets = Int32Array.from({ length: places + 1 }, (_, k) => k * size)
  const environment = new Int32Array(1)
  return { state, places, inputs, offsets, environment, adapterFlags: 0, denseLocation: () => 0 }
}

const runOnce = (engine: Engine, plan: Plan, settings: Parameters<Engine['run']>[1]): Promise<RunReport> =>
  runOnState(engine, plan.state, plan.places, (besides) => engine.run(plan, { ...settings, ...besides }))

/** Milliseconds of `runs` runs, after as many that warm up. */
async function timesOf(engine: Engine, plan: Plan, settings: Parameters<Engine['run']>[1], runs: number) {
  const times: number[] = []
  for (let k = 0; k < WARM_UP + runs; k++) {
    const { ms } = await runOnce(engine, plan, settings)
    if (k >= WARM_UP) times.push(ms)
  }
  return times
}

/** Ten thousand places of two reads and two writes, what one read costs, and what it takes to wake a pool. */
async function measureCosts(runs: number): Promise<CostRow[]> {
  const state = new SlotState(SLOTS)
  const locations = state.locations()
  const plan = planOf(state, locations, PLACES, 2, 2)
  const always = { speculation: 'always' } as const
  const rows: CostRow[] = []
  const add = (name: string, times: readonly number[], places: number) =>
    rows.push({ name, unit: 'us', runs, spread: spreadOf(times, 1000 / places) })
  for (const workers of [1, 2]) {
    const engine = await openEngine(workers)
    try {
      add(`a place of 2 reads and 2 writes, ${workers} always`, await timesOf(engine, plan, always, runs), PLACES)
      if (workers > 1) continue
      const few = await timesOf(engine, planOf(state, locations, PLACES, 2, 0), always, runs)
      const many = await timesOf(engine, planOf(state, locations, PLACES / 4, 16, 0), always, runs)
      const four = median(few) / PLACES
      const each = many.map((ms) => (ms / (PLACES / 4) - four) / 14)
      rows.push({ name: 'a read, with its validation, 1 always', unit: 'us', runs, spread: spreadOf(each, 1000) })
      const one = planOf(state, locations, 1, 2, 2)
      const sequential = { speculation: 'auto', sequential: true } as const
      add('a run of one place: waking, the place, the news', await timesOf(engine, one, sequential, 10 * runs), 1)
    } finally {
      await engine.close()
    }
  }
  return rows
}

async function measureShort(runs: number): Promise<ShortRow[]> {
  const rows: ShortRow[] = []
  const executor = await openExecutor(2)
  try {
    for (const transactions of [1, 2, 5, 10, 20]) {
      const file = makeWorkload('erc20', transactions)
      const state = stateOf(file, executor)
      const prepared = await executor.prepareBlock(file.block, { state, senders: 'trust', only: 'transactions' })
      const times: Record<'sequential' | 'parallel', number[]> = { sequential: [], parallel: [] }
      for (let k = 0; k < WARM_UP_SHORT + 10 * runs; k++) {
        for (const path of k % 2 === 0
          ? (['sequential', 'parallel'] as const)
          : (['parallel', 'sequential'] as const)) {
          const { ms } = await executor.timePrepared(prepared, { state, sequential: path === 'sequential' })
          if (k >= WARM_UP_SHORT) times[path].push(1000 * ms)
        }
      }
      const [sequentialUs, parallelUs] = [round(median(times.sequential)), round(median(times.parallel))]
      rows.push({ transactions, sequentialUs, parallelUs })
    }
  } finally {
    await executor.close()
  }
  return rows
}

async function measureNaps(): Promise<NapRow[]> {
  const rows: NapRow[] = []
  const goals = { 16: 14, 32: 26 } as const
  for (const workers of [16, 32] as const) {
    const places = workers * NAPS_A_WORKER
    const state = new SlotState(2 * places)
    const plan = planOf(state, state.locations(), places, 2, 2)
    const engine = await openEngine(workers, NAP_MS)
    try {
      const times = await timesOf(engine, plan, { speculation: 'always' }, 5)
      const late = await timesOf(engine, plan, { speculation: 'auto' }, 5)
      const alone = await timesOf(
        engine,
        { ...plan, places: NAPS_A_WORKER },
        { speculation: 'auto', sequential: true },
        3,
      )
      // What a nap takes here, the timer's slack included.
      const nap = median(alone) / NAPS_A_WORKER
      const [speedUp, auto] = [times, late].map((list) => round((nap * places) / median(list))) as [number, number]
      rows.push({ workers, places, speedUp, auto, goal: goals[workers] })
    } finally {
      await engine.close()
    }
  }
  return rows
}

export const measureEngine = async (runs: number): Promise<EngineRows> => ({
  costs: await measureCosts(runs),
  short: await measureShort(runs),
  naps: await measureNaps(),
})

export const engineTable = ({ short, naps }: EngineRows): string =>
  [
    table([
      ['short block of `erc20`', 'sequential us', '2 workers us', 'ratio'],
      ...short.map(({ transactions, sequentialUs, parallelUs }) => [
        String(transactions),
        sequentialUs.toFixed(1),
        parallelUs.toFixed(1),
        `${(parallelUs / sequentialUs).toFixed(2)}`,
      ]),
    ]),
    table([
      [`places that sleep ${NAP_MS} ms`, 'places', 'all at once', 'goal', 'auto'],
      ...naps.map(({ workers, places, speedUp, auto, goal }) => [
        `${workers} workers`,
        String(places),
        `${speedUp.toFixed(1)}x`,
        `${goal}x`,
        `${auto.toFixed(1)}x`,
      ]),
    ]),
  ].join('\n\n')
