/**
 * Parts of the engine alone: what each thread does with them, and what must hold afterwards.
 *
 * The scheduler runs without values, the multi-version memory without a scheduler's loop, the table without either;
 * joining and parking with main's side written out here, since in `executor/pool.ts` it is one with promises.
 */
import * as atomics from '../../../src/core/atomics.ts'
import { Control, Halt, JOIN_CLOSED, RunKind, WorkerBlock } from '../../../src/core/layout.ts'
import { incarnationOf } from '../../../src/core/status.ts'
import { LocationTable } from '../../../src/core/table.ts'
import { serve, type WorkerApi } from '../../../src/executor/workerMain.ts'
import { MVMemory } from '../../../src/mvmemory/mvmemory.ts'
import { callRest, join, leave } from '../../../src/scheduler/joining.ts'
import { Scheduler } from '../../../src/scheduler/scheduler.ts'
import { note } from '../door.ts'
import { taken } from '../noComlink.ts'
import type { BlockJob } from './blockBody.ts'
import { Note, tinyAdapter } from './tinyTasks.ts'

type Memories = readonly Int32Array[]

/** What places do in a block without values. */
export interface SchedulerScenario {
  readonly workers: number
  readonly places: number
  /** Places whose first execution fails its validation, or is deferred. */
  readonly fails: readonly number[]
  readonly defers: readonly number[]
  /** After this place speculation gives way; the next place runs alone. */
  readonly fallbackAfter?: number
  readonly chunk?: number
  /** Places before each claim that are left for the committer. */
  readonly reserve?: number
}

/** The loop of `executor/blockRun.ts`, with nothing to execute. */
export const schedulerBody = (thread: number, [engine]: Memories, scenario: SchedulerScenario): void => {
  const { fails, defers, fallbackAfter, chunk = 1, reserve = 0 } = scenario
  if (!join(engine, thread)) return
  const scheduler = new Scheduler(engine)
  scheduler.beginRun()
  const execute = (place: number) => note(Note.Executes, place, incarnationOf(scheduler.status(place)))
  let fallbacks = 0

  const again = (place: number): void => {
    scheduler.abort(place)
    execute(place)
    scheduler.executed(place)
  }
  const fallBack = (from: number): number => {
    scheduler.advance(from)
    scheduler.drain()
    while (!scheduler.alone);
    fallbacks++
    scheduler.reset(from, scheduler.executionIndex)
    const to = Math.min(from + 1, scheduler.last + 1)
    for (let place = from; place < to; place++) execute(place)
    scheduler.executed(to - 1)
    scheduler.advance(to)
    scheduler.resume(to)
    for (let place = from; place < to; place++) note(Note.Commits, place, thread)
    return to
  }
  const commit = (): boolean => {
    let next = scheduler.commitIndex
    const from = next
    while (next <= scheduler.last) {
      if (scheduler.isExecuted(next)) {
        if (fails.includes(next) && incarnationOf(scheduler.status(next)) === 0) again(next)
      } else if (scheduler.isDeferred(next)) again(next)
      else if (scheduler.isReserved(next)) {
        const end = scheduler.reservedEnd(next)
        for (; next < end - 1; next++) {
          execute(next)
          note(Note.Commits, next, thread)
          scheduler.pass(next + 1)
        }
        execute(next)
      } else break
      note(Note.Commits, next, thread)
      next++
      scheduler.advance(next)
      if (next - 1 === fallbackAfter && next <= scheduler.last) next = fallBack(next)
    }
    scheduler.unlock()
    return next !== from
  }

  let turn = 0
  while (!scheduler.done() && !scheduler.halted()) {
    if (scheduler.draining) {
      scheduler.awaitSpeculation()
      continue
    }
    const first = scheduler.claim(chunk, reserve)
    const before = fallbacks
    for (let place = first; first >= 0 && place < Math.min(first + chunk, scheduler.last + 1); place++) {
      if (scheduler.pausing || fallbacks !== before) break
      execute(place)
      if (defers.includes(place)) scheduler.defer(place)
      else scheduler.executed(place)
    }
    const seen = atomics.load(engine, Control.CommitIndex)
    let moved = false
    while (scheduler.tryLock()) {
      moved = commit() || moved
      if (!scheduler.isCommittable()) break
    }
    if (moved || first >= 0) turn = 0
    else scheduler.idle(seen, turn++)
  }
  leave(engine, thread)
}

/** Which places each thread executes, in this order; the last thread then commits all. */
export interface Assignment {
  readonly places: readonly (readonly number[])[]
}

/** Executions on the memory alone: each thread has its places, and the last one commits in order as they come. */
export const memoryBody = (
  thread: number,
  [engine, state]: Memories,
  { scenario, records, places }: BlockJob & Assignment,
): void => {
  const scheduler = new Scheduler(engine)
  const memory = new MVMemory(engine, new LocationTable(state))
  scheduler.beginRun()
  memory.beginRun()
  const adapter = tinyAdapter(scenario.tasks, (_, key) => records[key] as number, note)
  for (const place of places[thread] ?? []) {
    memory.begin(place, false, false)
    if (adapter.execute(memory, 0, 0) === 0) {
      memory.publish()
      scheduler.executed(place)
    } else scheduler.defer(place)
  }
  if (thread === places.length - 1) {
    for (let place = 1; place <= scenario.tasks.length; place++) {
      while (!scheduler.isExecuted(place) && !scheduler.isDeferred(place));
      if (scheduler.isDeferred(place) || !memory.validate(place)) {
        memory.markEstimates(place)
        scheduler.abort(place)
        memory.begin(place, true, true)
        if (adapter.execute(memory, 0, 0) !== 0) throw new Error(`M1: place ${place} did not end strictly`)
        memory.publish()
        scheduler.executed(place)
        if (!memory.foldStrict(place)) throw new Error(`M4: place ${place} missed its own bound`)
      }
      memory.commit(place)
      atomics.store(engine, Control.CommitIndex, place + 1)
    }
  }
  engine[Control.WorkerBlocks + thread * WorkerBlock.Size + WorkerBlock.Written] = memory.written
}

/** Keys that each thread looks up, in this order. */
export interface TableScenario {
  readonly lookups: readonly (readonly string[])[]
}

export const tableBody = (thread: number, [, state]: Memories, { lookups }: TableScenario): void => {
  const table = new LocationTable(state)
  const words = new Int32Array(16)
  const all = [...new Set(lookups.flat())]
  for (const name of lookups[thread] ?? []) {
    const bytes = new TextEncoder().encode(name)
    words.fill(0)
    new Uint8Array(words.buffer).set(bytes)
    note(Note.Found, all.indexOf(name), table.bytes(words, 0, bytes.length))
  }
}

/** Workers that join a run, and main who waits for its end. */
export interface JoiningScenario {
  readonly workers: number
}

/** As `WorkerPool`: until everybody who joined has left. */
const awaitEnd = (engine: Int32Array): void => {
  for (;;) {
    const finished = atomics.load(engine, Control.Finished)
    const word = atomics.load(engine, Control.Join)
    if ((word & JOIN_CLOSED) !== 0 && finished >= (word & (JOIN_CLOSED - 1))) return
    atomics.wait(engine, Control.Finished, finished, 1000)
  }
}

export const joiningBody = (thread: number, [engine]: Memories, { workers }: JoiningScenario): void => {
  if (thread === workers) {
    awaitEnd(engine)
    note(Note.Over, 0, 0)
  } else if (join(engine, thread)) {
    note(Note.Enters, thread, 0)
    atomics.add(engine, Control.BatchIndex, 1)
    note(Note.Leaves, thread, 0)
    leave(engine, thread)
  }
}

/** Runs, one after another, by workers that are parked between them. */
export interface ParkingScenario {
  readonly workers: number
  readonly runs: number
  readonly items: number
  /** Workers that a run begins with; the rest is called while every second run goes on, and never to the others. */
  readonly called?: number
  /** Main calls every worker of a run itself, as the pool does where one of them has ended. */
  readonly again?: boolean
}

const epochWord = (worker: number): number => Control.WorkerBlocks + worker * WorkerBlock.Size + WorkerBlock.Epoch

/** The workers are `workerMain`'s own; their runs are batches. */
export const parkingBody = async (
  thread: number,
  [engine]: Memories,
  { workers, runs, items, called = workers, again = false }: ParkingScenario,
): Promise<void> => {
  if (thread < workers) {
    serve()
    const worker = taken() as WorkerApi
    const module = 'data:text/javascript,export const nothing = () => undefined'
    await worker.init(thread, { buffer: engine.buffer } as WebAssembly.Memory, { kind: 'tasks', module })
    const failed = await worker.park(0, 1)
    if (failed !== undefined) throw new Error(failed.message)
    return
  }
  let epoch = 0
  const call = (worker: number): void => {
    atomics.store(engine, epochWord(worker), epoch)
    atomics.notify(engine, epochWord(worker))
  }
  for (let run = 1; run <= runs; run++) {
    engine[Control.Kind] = RunKind.Batch
    engine[Control.Workers] = workers
    engine[Control.BatchItems] = items
    atomics.store(engine, Control.Called, called)
    atomics.store(engine, Control.BatchIndex, 0)
    atomics.store(engine, Control.Finished, 0)
    atomics.store(engine, Control.Halt, Halt.None)
    atomics.store(engine, Control.Join, 0)
    epoch++
    for (let k = 0; k < (again ? workers : 1); k++) call(k)
    if (called < workers && run % 2 === 1) callRest(engine, epoch)
    awaitEnd(engine)
    note(Note.Over, run, atomics.load(engine, Control.BatchIndex))
  }
  engine[Control.Kind] = RunKind.Messages
  epoch++
  for (let k = 0; k < workers; k++) call(k)
}
