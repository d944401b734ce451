/**
 * A whole block on the real engine: scheduler, memory, commit stage, fallback, joining. The oracle is the interpreter of
 * tiny tasks; besides its answers, what the files' headers promise is looked for in memory and trace.
 */
import { Control, Entry, ESTIMATE, Fault, Halt, Place, Record, WorkerBlock } from '../../../src/core/layout.ts'
import { BASE, locationOf } from '../../../src/core/location.ts'
import type { PlaceRange } from '../../../src/core/rows.ts'
import { Schedule } from '../../../src/core/schedule.ts'
import { Aborting, Executed, incarnationOf, stateOf, transitions } from '../../../src/core/status.ts'
import { isZero8, toBigInt } from '../../../src/core/words.ts'
import type { TaskHints } from '../../../src/executor/taskTypes.ts'
import { type Machine, Op, Step, Word } from '../../../src/testing/schedules/machine.ts'
import type { ModelMemories } from './engineMemory.ts'
import { interpret, Note, type Program } from './tinyTasks.ts'

export interface BlockScenario {
  readonly workers: number
  readonly tasks: readonly Program[]
  /** First values of the keys that the state has. Higher keys are inserted by the first who names them. */
  readonly initial: readonly number[]
  /** Names of those higher keys. */
  readonly fresh?: readonly string[]
  readonly fallback?: boolean
  /** The first worker begins alone; the others come whenever they do, as where the pool calls them. */
  readonly alone?: boolean
  /** Places that may be begun before their turn. */
  readonly early?: readonly number[]
  /** Rows of places that one worker claims. */
  readonly rows?: readonly PlaceRange[]
  readonly window?: number
  readonly denseKey?: number
  readonly arenaWords?: number
  /** Tasks are too short to measure, so claims grow; otherwise they are long, and claimed one by one. */
  readonly short?: boolean
  /** The adapter answers with promises. */
  readonly promises?: boolean
  /** A run may stop so, where its limits are small, instead of ending; where a task fails for good, it must. */
  readonly mayHalt?: 'capacity' | 'incarnation' | 'fault'
  /** What tasks declare: places are claimed by rank then, and units of what they need are taken. */
  readonly hints?: readonly TaskHints[]
  readonly capacities?: Readonly<Record<string, number>>
  /** The state answers later: a thread more plays main, which writes base values when they are asked for. */
  readonly cold?: boolean
}

/** All that must hold in every step. */
export const traceBreaks = (machine: Machine, memories: ModelMemories): string | undefined => {
  const { trace, control } = machine
  const { layout } = memories
  let holder = -1
  let cursor = 1
  for (let s = 0; s < control[Word.Step]; s++) {
    const at = s * Step.Size
    const op = trace[at + Step.Op]
    if (trace[at + Step.Memory] !== 0 || op > Op.Add || op === Op.Load) continue
    const [thread, index] = [trace[at + Step.Thread], trace[at + Step.Index]]
    const [before, after] = [trace[at + Step.Before], trace[at + Step.After]]
    if (index === Control.CommitLock) {
      if (before === 0 && after === 1) holder = thread
      else if (after === 0) {
        if (holder !== thread) return `step ${s}: thread ${thread} released a lock that it did not hold`
        holder = -1
      }
    } else if (index === Control.CommitIndex) {
      if (holder !== thread) return `S3, step ${s}: thread ${thread} moved the commit cursor without the lock`
      if (after < cursor) return `S3, step ${s}: the commit cursor went back from ${cursor} to ${after}`
      cursor = after
    } else {
      const place = (index - layout.placeTable) / Place.Size
      if (place < 1 || place > layout.places || !Number.isInteger(place)) continue
      const grows = incarnationOf(after) - incarnationOf(before)
      const legal = transitions.some(
        ([from, to, growing]) => from === stateOf(before) && to === stateOf(after) && grows === (growing ? 1 : 0),
      )
      // The sequential path marks the last place of its stretch, which was Ready or given back.
      if (!legal && !(before === after)) {
        return `S2, step ${s}: place ${place} went from ${names(before)} to ${names(after)}`
      }
      const committers = stateOf(after) === Aborting || (stateOf(after) === Executed && stateOf(before) === Aborting)
      if (committers && holder !== thread) return `S3, step ${s}: place ${place} was changed without the lock`
      if (place < cursor && stateOf(after) !== Executed) return `S3, step ${s}: place ${place} changed when final`
    }
  }
  return undefined
}

const names = (status: number): string => {
  const state =
    ['Ready', 'Executed', 'Deferred', 'Aborting', 'Reserved', 'Cold', 'Early', 'Begun'][stateOf(status)] ?? '?'
  return `${state}(${incarnationOf(status)})`
}

/** S1: no incarnation of a place executes twice. */
export const notesBreak = (machine: Machine): string | undefined => {
  const { notes } = machine
  const seen = new Set<string>()
  for (let k = 0; k < notes[0]; k++) {
    if (notes[1 + 3 * k] !== Note.Executes) continue
    const what = `incarnation ${notes[3 + 3 * k]} of place ${notes[2 + 3 * k]}`
    if (seen.has(what)) return `S1: ${what} was executed twice`
    seen.add(what)
  }
  return undefined
}

/** Nobody executes with units that are not there; and all are given back where the run ends well. */
const unitsBreak = (machine: Machine, memories: ModelMemories, scenario: BlockScenario): string | undefined => {
  const { notes } = machine
  for (const [k, [name, capacity]] of Object.entries(scenario.capacities ?? {}).entries()) {
    let taken = 0
    for (let n = 0; n < notes[0]; n++) {
      const [what, place] = [notes[1 + 3 * n], notes[2 + 3 * n]]
      const units = scenario.hints?.[place - 1]?.resources?.[name] ?? 0
      if (what === Note.Executes) taken += units
      else if (what === Note.Ends) taken -= units
      if (taken > capacity) return `${taken} of ${capacity} units of ${name} were in use`
    }
    const free = memories.engine[memories.layout.schedule + Schedule.Free + k]
    if (memories.engine[Control.Halt] === Halt.None && free !== capacity) {
      return `${free} of ${capacity} units of ${name} are free at the end`
    }
  }
  return undefined
}

/** Lists of entries: in order, final, and each to be found by main afterwards. */
export const listsBreak = (memories: ModelMemories, scenario: BlockScenario): string | undefined => {
  const { engine } = memories
  const state = memories.state.words
  const reachable = new Set<number>()
  for (let w = 0; w < scenario.workers; w++) {
    let entry = engine[Control.WorkerBlocks + w * WorkerBlock.Size + WorkerBlock.Written]
    for (let k = 0; entry !== 0; entry = engine[entry + Entry.Chain]) {
      if (k++ > 1000) return 'the chain of written locations has no end'
      reachable.add(engine[entry + Entry.Location])
    }
  }
  for (const [key, record] of keys(memories, scenario)) {
    const location = locationOf(record, 0)
    let above = Number.POSITIVE_INFINITY
    let count = 0
    for (let entry = state[location]; entry !== 0; entry = engine[entry + Entry.Next]) {
      const place = engine[entry + Entry.Place]
      const word = engine[entry + Entry.Record]
      if (count++ > 1000) return `the list of key ${key} has no end`
      if (place >= above) return `the list of key ${key} is out of order: place ${place} after ${above}`
      above = place
      if ((word & ESTIMATE) !== 0) return `M1: key ${key} keeps an estimate of place ${place}`
      if (word !== 0 && engine[word >> 1] !== Record.Value) return `M1: key ${key} keeps a delta of place ${place}`
    }
    if (count > 0 && !reachable.has(location)) return `key ${key} was written and is in no chain`
  }
  return undefined
}

/** Records of all keys; those that were never named have none. */
const keys = (memories: ModelMemories, scenario: BlockScenario): [key: number, record: number][] => {
  const found = memories.records.map((record, key): [number, number] => [key, record])
  const { records } = memories
  for (const [k, name] of (scenario.fresh ?? []).entries()) {
    const all = memories.accountsOf(name)
    if (all.length > 1) found.push([-1, -1])
    if (all[0] !== undefined) found.push([records.length + k, all[0]])
  }
  return found
}

export const resultsBreak = (
  memories: ModelMemories,
  scenario: BlockScenario,
  committed: number,
): string | undefined => {
  const { engine, layout } = memories
  const status = scenario.tasks.map((_, k) => engine[layout.placeTable + (k + 1) * Place.Size])
  const expected = interpret(scenario.tasks, scenario.initial, status.map(incarnationOf), scenario.denseKey ?? -1)
  if (scenario.mayHalt === 'fault' && committed !== expected.failed) return `${committed} places are final at the end`
  const sums = expected.sums.slice(0, committed)
  for (const [k, sum] of sums.entries()) {
    const result = engine[layout.placeTable + (k + 1) * Place.Size + Place.Result]
    if (engine[result] !== Number(sum)) return `task ${k} ended with ${engine[result]}, not ${sum}`
  }
  if (committed < scenario.tasks.length) return undefined
  for (const [key, record] of keys(memories, scenario)) {
    if (key < 0) return 'T1: a key has two records'
    let entry = memories.state.words[locationOf(record, 0)]
    while (entry !== 0 && engine[entry + Entry.Record] === 0) entry = engine[entry + Entry.Next]
    const value =
      entry === 0
        ? toBigInt(memories.state.words, locationOf(record, 0) + BASE[0])
        : toBigInt(engine, (engine[entry + Entry.Record] >> 1) + 1)
    const right = expected.values.get(key) ?? 0n
    if (value !== right) return `key ${key} ends as ${value}, not ${right}`
  }
  if (!isZero8(engine, Control.DenseSum)) return 'what was collected on the side is not settled'
  return undefined
}

const countsBreak = (memories: ModelMemories, scenario: BlockScenario): string | undefined => {
  const { engine } = memories
  const sum = (field: number) => {
    let total = 0
    for (let w = 0; w < scenario.workers; w++) total += engine[Control.WorkerBlocks + w * WorkerBlock.Size + field]
    return total
  }
  const committed =
    sum(WorkerBlock.Speculative) + sum(WorkerBlock.Aborts) + sum(WorkerBlock.Fallback) + sum(WorkerBlock.Direct)
  return committed === scenario.tasks.length
    ? undefined
    : `${committed} places were committed, not ${scenario.tasks.length}`
}

/** What a finished schedule broke, or nothing. */
export const blockBreaks = (machine: Machine, memories: ModelMemories, scenario: BlockScenario): string | undefined => {
  const { engine } = memories
  const broken =
    traceBreaks(machine, memories) ??
    // What a cold read broke off is executed again in the same incarnation.
    (scenario.cold === true ? undefined : notesBreak(machine)) ??
    unitsBreak(machine, memories, scenario)
  if (broken !== undefined) return broken
  if (!memories.withinArenas) return 'somebody wrote past the end of the arenas'
  const halt = engine[Control.Halt]
  const committed = engine[Control.CommitIndex] - 1
  if (halt !== Halt.None) {
    const capacity = halt === Halt.Capacity && scenario.mayHalt === 'capacity'
    const wrap =
      halt === Halt.Fault && engine[Control.FaultCode] === Fault.Invariant && scenario.mayHalt === 'incarnation'
    const failed = halt === Halt.Fault && engine[Control.FaultCode] === Fault.TaskFailed && scenario.mayHalt === 'fault'
    if (failed && engine[Control.FaultPlace] !== committed + 1) {
      return `place ${engine[Control.FaultPlace]} failed, and ${committed} are final`
    }
    if (!capacity && !wrap && !failed)
      return `the run halted: ${halt}, fault ${engine[Control.FaultCode]} at place ${engine[Control.FaultPlace]}`
    return resultsBreak(memories, scenario, committed)
  }
  if (scenario.mayHalt === 'fault') return 'the run ended, though a task fails'
  if (committed !== scenario.tasks.length) return `${committed} places are final at the end`
  if (engine[Control.CommitLock] !== 0) return 'the commit lock is held at the end'
  return (
    resultsBreak(memories, scenario, committed) ?? listsBreak(memories, scenario) ?? countsBreak(memories, scenario)
  )
}
