/**
 * What the words of the two memories are, for the watch over plain accesses; and where plain access to a shared word is
 * allowed, with the argument. Everything that is not listed here fails a run: a control word touched plainly, and
 * any two plain accesses, one of them a write, that nothing orders.
 */
import { CONTROL_END, Control, Place, WorkerBlock } from '../../src/core/layout.ts'
import { RECORD_WORDS, WATCHED } from '../../src/core/location.ts'
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
  Control.Called,
  Control.Join,
  Control.Wary,
])
const ATOMIC_BLOCK: ReadonlySet<number> = new Set([WorkerBlock.Epoch, WorkerBlock.Inside])
const ATOMIC_HEADER: ReadonlySet<number> = new Set([StateHeader.Next, StateHeader.AccountCount, StateHeader.SlotCount])

export type Area = 'control' | 'header' | 'status' | 'watched' | 'payload'

/** Where things lie in a run. */
export interface Layout {
  readonly placeTable: number
  readonly places: number
  /** First record of the state. */
  readonly records: number
}

export const areaOf = (memory: number, index: number, layout: Layout): Area => {
  if (memory === Memory.State) {
    if (ATOMIC_HEADER.has(index)) return 'header'
    // Keys are accounts, and byte strings, which have the word at the same offset.
    return index >= layout.records && index % RECORD_WORDS === WATCHED[4] ? 'watched' : 'payload'
  }
  if (index < Control.WorkerBlocks) return ATOMIC_CONTROL.has(index) ? 'control' : 'payload'
  if (index < CONTROL_END) {
    return ATOMIC_BLOCK.has((index - Control.WorkerBlocks) % WorkerBlock.Size) ? 'control' : 'payload'
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
    area: 'header',
    access: 'read',
    racing: true,
    why: 'counts are upper bounds by the chunk; a stale one lets an index fill some chunks beyond three quarters',
  },
]
