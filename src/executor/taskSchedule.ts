/**
 * The order of a graph of tasks, and the schedule by which workers take them.
 *
 * The preset order is fixed before the run: that of the calls, or for a graph a topological order by urgency. The engine
 * then gives exactly its result, so a dependency that nobody declared is caught like any other conflict. The schedule is
 * about time alone: declared edges keep a task from being begun too early, urgency says which of the ready ones is next.
 */
import { InvalidInputError } from '../core/errors.ts'
import { Schedule, ScheduleRow } from '../core/schedule.ts'
import type { TaskHints } from './taskTypes.ts'

/** A call as a scheduling policy sees it. */
export interface SchedulableTask {
  /** Index of the call. */
  readonly index: number
  /** Name of the task. */
  readonly task: string
  /** 0 where none was given. */
  readonly priority: number
  /** Estimated milliseconds: given, learned, or the mean of those. */
  readonly cost: number
  /** Indices of calls that come before, sorted. */
  readonly after: readonly number[]
  /** Units by name; empty where it needs none. */
  readonly resources: Readonly<Record<string, number>>
}

/**
 * Says how urgent each task is, in the order of `tasks`: of those that are ready the one with the largest number is taken
 * first, the earlier call where two are equal. Called once a run, on the main thread.
 */
export type SchedulingPolicy = (tasks: readonly SchedulableTask[], workers: number) => readonly number[]

type Call = TaskHints & { readonly task: string }

export interface TaskOrder {
  /** Calls by place, without the first place: `calls[k]` runs at place k + 1. */
  readonly calls: readonly number[]
  /** Words of a schedule, or undefined where places are claimed in order. */
  readonly schedule?: Int32Array
}

/** Longest remaining path first, after priority: a path to the end is as long as the costs on it. The default policy. */
export const longestPathFirst: SchedulingPolicy = (tasks) => {
  const rest = remainingPaths(tasks)
  const longest = rest.reduce((most, path) => Math.max(most, path), 1e-9)
  // A priority outweighs any path.
  return tasks.map(({ priority }, k) => priority * 2 + (rest[k] as number) / longest)
}

/** Priority, then the order of the calls. A policy for those who know better than estimates. */
export const firstComeFirst: SchedulingPolicy = (tasks) => tasks.map(({ priority }) => priority)

/** Cost of each task and of the longest path after it. */
function remainingPaths(tasks: readonly SchedulableTask[]): number[] {
  const order = topological(
    tasks.map(({ after }) => after),
    () => 0,
  )
  const rest = tasks.map(({ cost }) => cost)
  const below = tasks.map(() => 0)
  for (const index of [...order].reverse()) {
    rest[index] = (tasks[index] as SchedulableTask).cost + (below[index] as number)
    for (const before of (tasks[index] as SchedulableTask).after) {
      below[before] = Math.max(below[before] as number, rest[index] as number)
    }
  }
  return rest
}

/**
 * A topological order: of the tasks whose predecessors are done, the most urgent one first.
 *
 * @throws {InvalidInputError} TASK_CYCLE, with the calls of one cycle
 */
function topological(after: readonly (readonly number[])[], urgency: (index: number) => number): number[] {
  const followers: number[][] = after.map(() => [])
  const missing = after.map((list) => list.length)
  after.forEach((list, index) => {
    for (const before of list) (followers[before] as number[]).push(index)
  })
  const heap = new Heap((a, b) => urgency(b) - urgency(a) || a - b)
  missing.forEach((count, index) => {
    if (count === 0) heap.push(index)
  })
  const order: number[] = []
  for (let index = heap.pop(); index !== undefined; index = heap.pop()) {
    order.push(index)
    for (const follower of followers[index] as number[]) {
      const left = (missing[follower] as number) - 1
      missing[follower] = left
      if (left === 0) heap.push(follower)
    }
  }
  if (order.length < after.length) throw cycleError(after, missing)
  return order
}

function cycleError(after: readonly (readonly number[])[], missing: readonly number[]): InvalidInputError {
  // From any task that is left, predecessors that are left lead round.
  let at = missing.findIndex((count) => count > 0)
  const path: number[] = []
  while (!path.includes(at)) {
    path.push(at)
    at = after[at]?.find((before) => (missing[before] as number) > 0) ?? at
  }
  const cycle = path.slice(path.indexOf(at)).reverse()
  const text = [...cycle, cycle[0]].join(', then ')
  return new InvalidInputError('TASK_CYCLE', `tasks wait for each other: ${text}`, { cycle })
}

class Heap {
  readonly #items: number[] = []
  readonly #compare: (a: number, b: number) => number

  constructor(compare: (a: number, b: number) => number) {
    this.#compare = compare
  }

  push(item: number): void {
    const items = this.#items
    let k = items.length
    items.push(item)
    while (k > 0) {
      const parent = (k - 1) >> 1
      if (this.#compare(items[k] as number, items[parent] as number) >= 0) return
      this.#swap(k, parent)
      k = parent
    }
  }

  pop(): number | undefined {
    const items = this.#items
    const top = items[0]
    const last = items.pop()
    if (items.length === 0 || last === undefined) return top
    items[0] = last
    for (let k = 0; ; ) {
      let least = k
      for (const child of [2 * k + 1, 2 * k + 2]) {
        if (child < items.length && this.#compare(items[child] as number, items[least] as number) < 0) least = child
      }
      if (least === k) return top
      this.#swap(k, least)
      k = least
    }
  }

  #swap(a: number, b: number): void {
    const items = this.#items
    const item = items[a] as number
    items[a] = items[b] as number
    items[b] = item
  }
}

/** What `orderTasks` needs to know besides the calls. */
export interface OrderOptions {
  readonly order: 'ordered' | 'graph'
  readonly policy?: SchedulingPolicy | undefined
  readonly capacities: Readonly<Record<string, number>>
  readonly workers: number
  /** Milliseconds that tasks of a name took, where that is known. */
  readonly learned: ReadonlyMap<string, number>
}

const invalid = (message: string, fields: Readonly<Record<string, unknown>>): InvalidInputError =>
  new InvalidInputError('INVALID_OPTION', message, fields)

/** Checks the hints of a call. True where it has any. */
function checkHints(call: Call, index: number, count: number, capacities: Readonly<Record<string, number>>): boolean {
  const { after, priority, cost, resources, reads, writes } = call
  const hasTimes = priority !== undefined || cost !== undefined || resources !== undefined
  // Most calls have none, and all are looked at before the run begins.
  if (!hasTimes && after === undefined && reads === undefined && writes === undefined) return false
  for (const [option, list] of Object.entries({ after, reads, writes })) {
    if (list === undefined || Array.isArray(list)) continue
    throw invalid(`${option} of task ${index} is no list`, { option, taskIndex: index })
  }
  for (const before of after ?? []) {
    if (!Number.isInteger(before) || before < 0 || before >= count) {
      throw invalid(`task ${index} comes after ${String(before)}, which is no call of this list`, {
        option: 'after',
        taskIndex: index,
      })
    }
  }
  if (priority !== undefined && !(Math.abs(priority) <= Number.MAX_SAFE_INTEGER)) {
    throw invalid(`the priority of task ${index} is no number up to 2^53`, { option: 'priority', taskIndex: index })
  }
  if (cost !== undefined && !(cost >= 0 && Number.isFinite(cost))) {
    throw invalid(`the cost of task ${index} is not from 0 milliseconds`, { option: 'cost', taskIndex: index })
  }
  for (const [name, units] of Object.entries(resources ?? {})) {
    const capacity = Object.hasOwn(capacities, name) ? (capacities[name] as number) : 0
    if (!Number.isInteger(units) || units < 0 || units > capacity) {
      const has = capacity === 0 ? 'the run has none' : `the run has ${capacity}`
      throw invalid(`task ${index} needs ${String(units)} of '${name}'; ${has}`, {
        option: 'resources',
        taskIndex: index,
        resource: name,
        limit: capacity,
        actual: units,
      })
    }
  }
  return true
}

const isUrgency = (value: unknown, count: number): value is readonly number[] =>
  Array.isArray(value) && value.length === count && value.every((one) => Number.isFinite(one))

/**
 * Decides the preset order and the schedule.
 *
 * @throws {InvalidInputError} TASK_CYCLE; INVALID_OPTION for hints that are none
 */
export function orderTasks(calls: readonly Call[], options: OrderOptions): TaskOrder {
  const { order, policy, capacities, workers, learned } = options
  for (const [name, units] of Object.entries(capacities)) {
    if (!Number.isInteger(units) || units < 1 || units > 2 ** 30) {
      throw invalid(`the capacity of '${name}' is not a whole number from 1`, { option: 'resources', resource: name })
    }
  }
  if (policy !== undefined && typeof policy !== 'function') {
    throw invalid(`policy is a function, not ${typeof policy}`, { option: 'policy' })
  }
  let hinted = order === 'graph' || policy !== undefined
  calls.forEach((call, index) => {
    if (checkHints(call, index, calls.length, capacities)) hinted = true
  })
  const inOrder = calls.map((_, index) => index)
  if (!hinted) return { calls: inOrder }
  const known = [...learned.values()]
  const mean = known.length === 0 ? 1 : known.reduce((sum, ms) => sum + ms, 0) / known.length
  const tasks = calls.map(
    (call, index): SchedulableTask => ({
      index,
      task: call.task,
      priority: call.priority ?? 0,
      cost: call.cost ?? learned.get(call.task) ?? mean,
      // In the order given a later call cannot come before: that hint is wrong, and wrong hints cost time alone.
      after: [...new Set(call.after ?? [])]
        .filter((before) => order === 'graph' || before < index)
        .sort((a, b) => a - b),
      resources: call.resources ?? {},
    }),
  )
  if (order === 'graph')
    topological(
      tasks.map(({ after }) => after),
      () => 0,
    )
  const urgency: unknown = (policy ?? longestPathFirst)(tasks, workers)
  if (!isUrgency(urgency, tasks.length)) {
    throw invalid('a policy returns one number for each task', {
      option: 'policy',
      limit: tasks.length,
      actual: (urgency as readonly number[] | undefined | null)?.length,
    })
  }
  const byUrgency = (index: number) => urgency[index] as number
  const preset =
    order === 'graph'
      ? topological(
          tasks.map(({ after }) => after),
          byUrgency,
        )
      : inOrder
  const places = new Int32Array(calls.length)
  preset.forEach((index, k) => {
    places[index] = k + 1
  })
  const predecessors = declaredPredecessors(calls, tasks, preset, places)
  const ranks = [...inOrder].sort(
    (a, b) => byUrgency(b) - byUrgency(a) || (places[a] as number) - (places[b] as number),
  )
  return {
    calls: preset,
    schedule: layOut(preset, ranks, places, predecessors, tasks, Object.keys(capacities), capacities),
  }
}

/** Places that a call's place waits for: those that it comes after, and the last ones that write what it reads. */
function declaredPredecessors(
  calls: readonly Call[],
  tasks: readonly SchedulableTask[],
  preset: readonly number[],
  places: Int32Array,
): number[][] {
  const writers = new Map<string, number>()
  const predecessors: number[][] = calls.map(() => [])
  for (const index of preset) {
    const before = new Set(tasks[index]?.after.map((other) => places[other] as number))
    for (const key of calls[index]?.reads ?? []) {
      const writer = writers.get(key)
      if (writer !== undefined) before.add(writer)
    }
    for (const key of calls[index]?.writes ?? []) writers.set(key, places[index] as number)
    predecessors[index] = [...before]
  }
  return predecessors
}

function layOut(
  preset: readonly number[],
  ranks: readonly number[],
  places: Int32Array,
  predecessors: readonly (readonly number[])[],
  tasks: readonly SchedulableTask[],
  resources: readonly string[],
  capacities: Readonly<Record<string, number>>,
): Int32Array {
  const count = preset.length
  const ranksAt = Schedule.Free + resources.length
  const rowsAt = ranksAt + count
  const listsAt = rowsAt + (count + 1) * ScheduleRow.Size
  const lists: number[] = []
  const rows = new Int32Array((count + 1) * ScheduleRow.Size)
  preset.forEach((index, k) => {
    const row = (k + 1) * ScheduleRow.Size
    rows[row + ScheduleRow.Next] = listsAt + lists.length
    for (const place of predecessors[index] as readonly number[]) lists.push(place)
    rows[row + ScheduleRow.PredecessorsEnd] = listsAt + lists.length
    rows[row + ScheduleRow.Needs] = listsAt + lists.length
    for (const [name, units] of Object.entries((tasks[index] as SchedulableTask).resources)) {
      if (units > 0) lists.push(resources.indexOf(name), units)
    }
    rows[row + ScheduleRow.NeedsEnd] = listsAt + lists.length
  })
  const words = new Int32Array(listsAt + lists.length)
  words[Schedule.Places] = count
  words[Schedule.Ranks] = ranksAt
  words[Schedule.Rows] = rowsAt
  words[Schedule.Resources] = resources.length
  resources.forEach((name, k) => {
    words[Schedule.Free + k] = capacities[name] as number
  })
  ranks.forEach((index, k) => {
    words[ranksAt + k] = places[index] as number
  })
  words.set(rows, rowsAt)
  words.set(lists, listsAt)
  return words
}
