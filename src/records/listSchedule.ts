/**
 * Workers that know before what a place has to wait for: each takes the lowest place whose predecessors have ended.
 *
 * With the true dependencies nothing is thrown away: that is what a block access list of perfect knowledge would give. With
 * declared ones, a dependency that nobody declared is found at the commit cursor, as the engine does it: the place is
 * executed again there. Commits are in order and one at a time.
 */
import type { RunGraph } from './graph.ts'
import { Heap } from './heap.ts'
import type { Overheads } from './overheads.ts'
import type { Tally } from './virtualRun.ts'

export interface ListScheduleOptions {
  readonly workers: number
  readonly overheads: Overheads
  /** Microseconds of each place in multi-version memory. */
  readonly work: Float64Array
  /** Microseconds that committing each place takes. */
  readonly commits: Float64Array
  /** Places that each place waits for, by index. */
  readonly after: readonly (readonly number[])[]
}

export function listSchedule(graph: RunGraph, options: ListScheduleOptions): Tally {
  const { overheads } = options
  const starts = startTimes(options)
  const count = options.work.length
  const published = new Float64Array(count)
  let makespan = overheads.wake
  let aborts = 0
  let wasted = 0
  let busy = 0
  for (let index = 0; index < count; index++) {
    const work = options.work[index]
    const end = starts[index] + work
    const early = graph.needs[index].some((edge) => published[edge.on] > starts[index] + edge.at * work)
    makespan = Math.max(makespan, end) + options.commits[index]
    busy += work + overheads.speculative + options.commits[index]
    if (early) {
      aborts++
      wasted += work
      busy += work
      makespan += work
    }
    published[index] = early ? makespan : end
  }
  return {
    makespan: makespan + overheads.finish,
    executions: count + aborts,
    aborts,
    waits: 0,
    fallback: 0,
    busy,
    wasted,
  }
}

/** When each place begins. */
function startTimes({ workers, overheads, work, commits, after }: ListScheduleOptions): Float64Array {
  const count = work.length
  const starts = new Float64Array(count)
  const owed = Int32Array.from(after, (before) => before.length)
  const dependents: number[][] = Array.from({ length: count }, () => [])
  for (const [index, before] of after.entries()) for (const on of before) dependents[on].push(index)
  const ready = new Heap()
  for (let index = 0; index < count; index++) if (owed[index] === 0) ready.push(index, index)
  /** Ends of executions, and workers that become free: a worker is one more than the places. */
  const events = new Heap()
  for (let w = 0; w < workers; w++) {
    events.push(overheads.wake + Math.floor(Math.log2(w + 1)) * overheads.wakeNext, count)
  }
  let free = 0
  while (events.size > 0) {
    const now = events.key
    while (events.size > 0 && events.key === now) {
      const item = events.pop()
      if (item === count) free++
      else for (const next of dependents[item]) if (--owed[next] === 0) ready.push(next, next)
    }
    for (; free > 0 && ready.size > 0; free--) {
      const index = ready.pop()
      starts[index] = now
      const end = now + work[index]
      events.push(end, index)
      // Publishing and committing keep the worker, but its writes are there.
      events.push(end + overheads.speculative + commits[index], count)
    }
  }
  return starts
}
