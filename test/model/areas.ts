/**
 * What the words of the two memories are, for the watch over plain accesses; and where plain access to a shared word is
 * allowed, with the argument. Everything that is not listed here fails a run: a control word touched plainly, and
 * any two plain accesses, one of them a write, that nothing orders.
 */
import { CONTROL_END, Control, Place, Signatures, WorkerBlock } from '../../src/core/layout.ts'
import { AccountRecord, RECORD_WORDS, WATCHED } from '../../src/core/location.ts'
import { Schedule, ScheduleRow } from '../../src/core/schedule.ts'
import { StateHeader } from '../../src/core/table.ts'

/** Memories by number, as the machine names them. */
const Memory = { Engine: 0, State: 1 } as const

const ATOMIC_CONTROL: ReadonlySet<number> = new Set([
  Control.Finished,
  Control.ExecutionIndex,
  Control.CommitIndex,
  Control.CommitLock,
  Control.Halt,
  Control.Mode,
  Control.ArenaNext,
  Control.Waiting,
  Control.Drained,
  Control.BatchIndex,
  Control.EarlyNext,
  Control.Called,
  Control.Join,
  Control.Wary,
])
const ATOMIC_BLOCK: ReadonlySet<number> = new Set([WorkerBlock.Epoch, WorkerBlock.Inside, WorkerBlock.Recovering])
const ATOMIC_HEADER: ReadonlySet<number> = new Set([
  StateHeader.Next,
  StateHeader.AccountCount,
  StateHeader.SlotCount,
  StateHeader.Asked,
])

export type Area = 'control' | 'header' | 'status' | 'watched' | 'base' | 'hint' | 'payload'

/** Where things lie in a run. */
export interface Layout {
  readonly placeTable: number
  readonly places: number
  /** First record of the state. */
  readonly records: number
  /** Base values are written while others look at them. */
  readonly cold: boolean
  /** Where the schedule lies, or 0; its resources, and its rows. */
  readonly schedule: number
  readonly resources: number
  readonly rows: number
  /** Where rows are told. */
  readonly rowEnds: number
  /** Where the room for signatures begins, or 0. */
  readonly signatures: number
}

const areaOfSchedule = (offset: number, { resources, rows, places }: Layout): Area => {
  if (offset === Schedule.Low || (offset >= Schedule.Free && offset < Schedule.Free + resources)) return 'control'
  const inRows = offset - rows
  if (inRows < 0 || inRows >= (places + 1) * ScheduleRow.Size) return 'payload'
  const field = inRows % ScheduleRow.Size
  return field === ScheduleRow.Claimed ? 'control' : field === ScheduleRow.Next ? 'hint' : 'payload'
}

export const areaOf = (memory: number, index: number, layout: Layout): Area => {
  if (memory === Memory.State) {
    if (ATOMIC_HEADER.has(index)) return 'header'
    if (index < layout.records) return 'payload'
    const field = index % RECORD_WORDS
    if (layout.cold && field >= AccountRecord.Balance && field < AccountRecord.Balance + 8) return 'base'
    // Keys are accounts, and byte strings, which have the word at the same offset.
    return field === WATCHED[4] ? 'watched' : 'payload'
  }
  if (index < Control.WorkerBlocks) return ATOMIC_CONTROL.has(index) ? 'control' : 'payload'
  if (index < CONTROL_END) {
    return ATOMIC_BLOCK.has((index - Control.WorkerBlocks) % WorkerBlock.Size) ? 'control' : 'payload'
  }
  if (
    layout.schedule !== 0 &&
    index >= layout.schedule &&
    index < layout.schedule + layout.rows + (layout.places + 1) * ScheduleRow.Size
  ) {
    return areaOfSchedule(index - layout.schedule, layout)
  }
  if (layout.signatures !== 0 && index >= layout.signatures && index < layout.signatures + Signatures.Items) {
    return 'control'
  }
  const inTable = index - layout.placeTable
  const isStatus = inTable >= 0 && inTable < (layout.places + 2) * Place.Size && inTable % Place.Size === Place.Status
  return isStatus ? 'status' : 'payload'
}

export interface Allowance {
  readonly area: Area
  readonly access: 'read' | 'write' | 'both'
  /** Allowed even where nothing orders it. */
  readonly racing: boolean
  readonly why: string
}

export const allowances: readonly Allowance[] = [
  {
    area: 'status',
    access: 'read',
    racing: false,
    why: 'the claimer, then the holder of the commit lock, reads back what nobody else may write',
  },
  {
    area: 'watched',
    access: 'both',
    racing: true,
    why: 'its values are 0 and 1; a reader that misses it runs as it would have without',
  },
  {
    area: 'base',
    access: 'both',
    racing: true,
    why: 'who misses a base value goes on with what stands there, to learn what else it needs, and begins again',
  },
  {
    area: 'hint',
    access: 'both',
    racing: true,
    why: 'the first predecessor not known to be through: two may write it, either value is true, the lower looks twice',
  },
  {
    area: 'header',
    access: 'read',
    racing: true,
    why: 'counts are upper bounds by the chunk; a stale one lets an index fill some chunks beyond three quarters',
  },
]
