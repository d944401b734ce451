/**
 * The commit stage of both loops, stepped by one thread: a halt inside a sequential stretch, and what throws at the
 * cursor. Each adapter fails ahead of it, so that places are executed there, and speculation gives way after a sample.
 */
import { describe, expect, test } from 'vitest'
import * as atomics from '../../src/core/atomics.ts'
import { Outcome, type SyncAdapter, type TaskMemory } from '../../src/core/contracts.ts'
import { Control, Fault, Halt, Mode } from '../../src/core/layout.ts'
import { AsyncBlockRun } from '../../src/executor/asyncRun.ts'
import { BlockRun } from '../../src/executor/blockRun.ts'
import { SAMPLE } from '../../src/scheduler/judge.ts'
import { Bench } from '../support/engineMemory.ts'

const PLACES = 200
const loops = ['at once', 'by promises'] as const
/** How a place comes to be executed with everything below it final. */
const ways = ['again', 'reserved', 'in a stretch'] as const
type Way = (typeof ways)[number]

interface Hand {
  readonly engine: Int32Array
  /** Places in the order of their executions, those ahead of the cursor left out. */
  readonly executed: number[]
  run(): Promise<void>
}

/** One worker of a run in which `at` is told of each execution at the cursor. */
function byHand(loop: (typeof loops)[number], way: Way, at: (place: number, engine: Int32Array) => void): Hand {
  const bench = new Bench(PLACES)
  const { engine } = bench
  engine[Control.Speculation] = way === 'again' ? 1 : 0
  engine[Control.Reserve] = way === 'reserved' ? 1 : 0
  // Nobody else has joined: a fallback waits for nobody.
  atomics.store(engine, Control.Join, 1)
  const executed: number[] = []
  const execute = (memory: TaskMemory): Outcome => {
    if (!memory.strict) return Outcome.Fault
    executed.push(memory.place)
    at(memory.place, engine)
    return Outcome.Done
  }
  const adapter: SyncAdapter = {
    kind: 'sync',
    beginBlock: () => undefined,
    execute,
    complaint: () => ({ fault: Fault.ModuleFailed, message: 'ahead of the cursor' }),
    endBlock: () => undefined,
    dispose: () => undefined,
  }
  const { table } = bench.state
  if (loop === 'at once') {
    const run = new BlockRun(engine, 0, table, adapter)
    return { engine, executed, run: async () => run.speculative() }
  }
  const run = new AsyncBlockRun(engine, 0, table, {
    ...adapter,
    kind: 'async',
    execute: async (memory) => execute(memory),
  })
  return { engine, executed, run: () => run.speculative() }
}

/** A place that is executed so; in a stretch, one that is no round number of places after its begin. */
const placeOf = (way: Way): number => (way === 'in a stretch' ? SAMPLE + 40 : 9)
const waysOf = (loop: (typeof loops)[number]) => ways.filter((way) => loop === 'at once' || way !== 'reserved')
const cases = loops.flatMap((loop) => waysOf(loop).map((way) => [loop, way] as const))

describe.each(cases)('places executed %s, %s', (loop, way) => {
  test('all of them are, in order', async () => {
    const { engine, executed, run } = byHand(loop, way, () => undefined)
    await run()
    expect(executed).toEqual(Array.from({ length: PLACES }, (_, k) => k + 1))
    expect(engine[Control.CommitIndex]).toBe(PLACES + 1)
    expect(engine[Control.CommitLock]).toBe(0)
  })

  test('a halt is seen before the next place', async () => {
    const place = placeOf(way)
    const { engine, executed, run } = byHand(loop, way, (now, words) => {
      if (now !== place) return
      expect(words[Control.Mode]).toBe(way === 'in a stretch' ? Mode.Draining : Mode.Speculative)
      atomics.store(words, Control.Halt, Halt.Signal)
    })
    await run()
    expect(executed.at(-1)).toBe(place)
    expect(engine[Control.CommitIndex]).toBeGreaterThanOrEqual(place)
    expect(engine[Control.CommitIndex]).toBeLessThanOrEqual(place + 1)
  })

  if (way !== 'again')
    test('each place moves the cursor, so that long ones are no stall', async () => {
      const { run } = byHand(loop, way, (place, engine) => {
        if (way === 'reserved' || engine[Control.Mode] === Mode.Draining)
          expect(engine[Control.CommitIndex]).toBe(place)
      })
      await run()
    })

  test('what throws there keeps the commit lock: nobody commits the places before it once more', async () => {
    const place = placeOf(way)
    const { engine, executed, run } = byHand(loop, way, (now) => {
      if (now === place) throw new RangeError('no room')
    })
    await expect(run()).rejects.toThrow('no room')
    expect(engine[Control.CommitLock]).toBe(1)
    const cursor = engine[Control.CommitIndex]
    // Another worker, who has not seen the halt yet.
    const bystander = new BlockRun(engine, 1, new Bench(1).state.table, {
      kind: 'sync',
      beginBlock: () => undefined,
      execute: () => {
        atomics.store(engine, Control.Halt, Halt.WorkerLost)
        return Outcome.Fault
      },
      complaint: () => ({ fault: Fault.ModuleFailed, message: 'ahead of the cursor' }),
      endBlock: () => undefined,
      dispose: () => undefined,
    })
    if (way !== 'in a stretch') bystander.speculative()
    expect(engine[Control.CommitIndex]).toBe(cursor)
    expect(executed.at(-1)).toBe(place)
  })
})
