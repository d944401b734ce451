/** A worker's share of a block, as `workerMain` serves it, with tiny tasks. */
import { ArenaFull } from '../../../src/core/arena.ts'
import * as atomics from '../../../src/core/atomics.ts'
import type { TaskMemory } from '../../../src/core/contracts.ts'
import { Control, Halt } from '../../../src/core/layout.ts'
import { FULL, LocationTable, TableFull } from '../../../src/core/table.ts'
import { AsyncBlockRun } from '../../../src/executor/asyncRun.ts'
import { BlockRun } from '../../../src/executor/blockRun.ts'
import { join, leave } from '../../../src/scheduler/joining.ts'
import { note, Stopped } from '../door.ts'
import type { BlockScenario } from './block.ts'
import { addressOf, tinyAdapter } from './tinyTasks.ts'

/** Records of keys that the state has are known; others are looked up each time, and inserted by the first. */
const recordOfKey = (scenario: BlockScenario, records: readonly number[]) => {
  return (memory: TaskMemory, key: number): number => {
    if (key < records.length) return records[key]
    const name = scenario.fresh?.[key - records.length] ?? `fresh${key}`
    const record = memory.table.account(addressOf(name), 0)
    if (record === FULL) throw new TableFull('the state has no room for another key')
    return record
  }
}

/** What a block's threads are told besides the scenario. */
export interface BlockJob {
  readonly scenario: BlockScenario
  readonly records: readonly number[]
}

export const blockBody = async (
  thread: number,
  [engine, state]: readonly Int32Array[],
  { scenario, records }: BlockJob,
): Promise<void> => {
  if (!join(engine, thread)) return
  try {
    const adapter = tinyAdapter(scenario.tasks, recordOfKey(scenario, records), note)
    const table = new LocationTable(state)
    if (scenario.promises === true) {
      await new AsyncBlockRun(engine, thread, table, {
        ...adapter,
        kind: 'async',
        execute: async (memory, input, words) => adapter.execute(memory, input, words),
      }).speculative()
    } else new BlockRun(engine, thread, table, adapter).speculative()
  } catch (error) {
    // As workerMain does.
    const full = error instanceof ArenaFull || error instanceof TableFull
    if (error instanceof Stopped || !full) throw error
    atomics.compareExchange(engine, Control.Halt, Halt.None, Halt.Capacity)
    atomics.notify(engine, Control.CommitIndex)
  }
  leave(engine, thread)
}
