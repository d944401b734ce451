/** What can be checked: its threads, its memory, and what must hold at the end of a schedule. */
import { Control } from '../../../src/core/layout.ts'
import { type Machine, Op, Step, Word } from '../../../src/testing/schedules/machine.ts'
import { type BlockScenario, blockBreaks, listsBreak, notesBreak, resultsBreak, traceBreaks } from './block.ts'
import type { MemoryOptions, ModelMemories } from './engineMemory.ts'
import type { Assignment, JoiningScenario, ParkingScenario, SchedulerScenario, TableScenario } from './parts.ts'
import { type RecoveringScenario, signerOf } from './recovering.ts'
import { Note } from './tinyTasks.ts'

interface Named<Name extends string> {
  readonly subject: Name
  readonly name: string
  /** 'allowed' where waits may end by a timeout alone: the sources say so. */
  readonly stalls?: 'allowed'
  /** A lower bound than the walk's, where there are too many schedules. */
  readonly preemptions?: number
}

/** Tasks on the memory alone. */
type MemoryScenario = BlockScenario & Assignment

/** A case to be checked: a subject and what it is given. Data, so that a regression can hold it. */
export type Scenario =
  | (Named<'block'> & BlockScenario)
  | (Named<'scheduler'> & SchedulerScenario)
  | (Named<'memory'> & MemoryScenario)
  | (Named<'table'> & TableScenario)
  | (Named<'joining'> & JoiningScenario)
  | (Named<'parking'> & ParkingScenario)
  | (Named<'recovering'> & RecoveringScenario)

interface Subject<S> {
  threads(scenario: S): number
  memory(scenario: S): MemoryOptions
  /** What the threads are told. */
  job(memories: ModelMemories, scenario: S): unknown
  short(scenario: S): boolean
  breaks(machine: Machine, memories: ModelMemories, scenario: S): string | undefined
}

/** Notes of a schedule in order. */
const notesOf = ({ notes }: Machine): [what: number, a: number, b: number][] =>
  Array.from({ length: notes[0] }, (_, k) => [notes[1 + 3 * k], notes[2 + 3 * k], notes[3 + 3 * k]])

const block: Subject<BlockScenario> = {
  threads: ({ workers, cold }) => workers + (cold === true ? 1 : 0),
  memory: (scenario) => ({ ...scenario, places: scenario.tasks.length }),
  job: (memories, scenario) => ({ scenario, records: memories.records }),
  short: ({ short }) => short === true,
  breaks: blockBreaks,
}

const scheduler: Subject<SchedulerScenario> = {
  threads: ({ workers }) => workers,
  memory: ({ places, workers }) => ({ places, workers, initial: [] }),
  job: (_, scenario) => scenario,
  short: () => false,
  breaks(machine, memories, { places }) {
    const broken = traceBreaks(machine, memories) ?? notesBreak(machine)
    if (broken !== undefined) return broken
    const order = notesOf(machine).flatMap(([what, place]) => (what === Note.Commits ? [place] : []))
    const right = Array.from({ length: places }, (_, k) => k + 1)
    return order.join() === right.join() ? undefined : `S3: places were committed as ${order.join(', ')}`
  },
}

const memory: Subject<MemoryScenario> = {
  threads: ({ places }) => places.length,
  memory: (scenario) => ({ ...scenario, places: scenario.tasks.length }),
  job: (memories, scenario) => ({ scenario, records: memories.records, places: scenario.places }),
  short: () => false,
  breaks(_, memories, scenario) {
    return resultsBreak(memories, scenario, scenario.tasks.length) ?? listsBreak(memories, scenario)
  },
}

const table: Subject<TableScenario> = {
  threads: ({ lookups }) => lookups.length,
  memory: ({ lookups }) => ({ places: 1, workers: lookups.length, initial: [] }),
  job: (_, scenario) => scenario,
  short: () => false,
  breaks(machine, memories, { lookups }) {
    const byKey = new Map<number, number>()
    for (const [, key, record] of notesOf(machine)) {
      const known = byKey.get(key)
      if (known !== undefined && known !== record) return `T1: key ${key} was found as record ${known} and as ${record}`
      byKey.set(key, record)
    }
    if (new Set(byKey.values()).size !== byKey.size) return 'T1: two keys have one record'
    for (const name of new Set(lookups.flat())) {
      if (memories.recordsOf(name).length !== 1) return `T1: ${name} has ${memories.recordsOf(name).length} records`
    }
    return undefined
  },
}

const joining: Subject<JoiningScenario> = {
  threads: ({ workers }) => workers + 1,
  memory: ({ workers }) => ({ places: 1, workers, initial: [] }),
  job: (_, scenario) => scenario,
  short: () => false,
  breaks(machine) {
    let inside = 0
    let over = false
    for (const [what] of notesOf(machine)) {
      if (what === Note.Enters && over) return 'a worker entered when the run was over'
      if (what === Note.Enters) inside++
      else if (what === Note.Leaves) inside--
      else if (inside > 0) return 'the run was over while a worker was inside'
      else over = true
    }
    return over ? undefined : 'main never learned that the run was over'
  },
}

const parking: Subject<ParkingScenario> = {
  threads: ({ workers }) => workers + 1,
  memory: ({ workers }) => ({ places: 1, workers, initial: [] }),
  job: (_, scenario) => scenario,
  short: () => false,
  breaks(machine, memories, { runs, items }) {
    const ends = notesOf(machine)
    if (ends.length !== runs) return `${ends.length} of ${runs} runs came to an end`
    const early = ends.find(([, , done]) => done < items)
    if (early !== undefined) return `run ${early[1]} was over with ${early[2]} of ${items} items taken`
    // Main opens a run by a store to `Join`; from its end to there nobody takes items.
    const { trace, control } = machine
    const { workers } = { workers: memories.engine[Control.Workers] }
    let open = false
    for (let s = 0; s < control[Word.Step]; s++) {
      const at = s * Step.Size
      const [op, index] = [trace[at + Step.Op], trace[at + Step.Index]]
      if (trace[at + Step.Memory] !== 0) continue
      if (index === Control.Join && op === Op.Store) open = true
      else if (index === Control.BatchIndex && op === Op.Load && trace[at] === workers) open = false
      else if (index === Control.BatchIndex && op === Op.Add && !open)
        return `step ${s}: an item was taken after the run`
    }
    return undefined
  },
}

const recovering: Subject<RecoveringScenario> = {
  threads: ({ workers }) => workers + 1,
  memory: ({ workers }) => ({ places: 1, workers, initial: [], signatures: true }),
  job: (_, scenario) => scenario,
  short: () => false,
  breaks(machine, _, { steps }) {
    const signatures = new Map(steps.flatMap(([what, block, given = []]) => (what === 'ask' ? [[block, given]] : [])))
    const right = steps.flatMap(([what, block]) =>
      what === 'signers' ? (signatures.get(block) ?? []).map((signature) => `${block}: ${signerOf(signature)}`) : [],
    )
    const found = notesOf(machine).map(([, block, signer]) => `${block}: ${signer}`)
    return found.join() === right.join() ? undefined : `signers are ${found.join()}, not ${right.join()}`
  },
}

export const subjects = { block, scheduler, memory, table, joining, parking, recovering }
