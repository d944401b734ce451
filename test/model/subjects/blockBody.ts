/** A worker's share of a block, as `workerMain` serves it, with tiny tasks. */
import { ArenaFull } from '../../../src/core/arena.ts'
import * as atomics from '../../../src/core/atomics.ts'
import { answer, takeRequest } from '../../../src/core/cold.ts'
import type { TaskMemory } from '../../../src/core/contracts.ts'
import { Control, Halt, JOIN_CLOSED } from '../../../src/core/layout.ts'
import { AccountRecord } from '../../../src/core/location.ts'
import { FULL, LocationTable, StateHeader, TableFull } from '../../../src/core/table.ts'
import { fromBigInt } from '../../../src/core/words.ts'
import { AsyncBlockRun } from '../../../src/executor/asyncRun.ts'
import { BlockRun } from '../../../src/executor/blockRun.ts'
import { join, joined, leave } from '../../../src/scheduler/joining.ts'
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

/** Main's part where the state answers later: writes each base value once it is asked for, until the run is over. */
const answerAll = (
  engine: Int32Array,
  state: Int32Array,
  { initial }: BlockScenario,
  records: readonly number[],
): void => {
  const isOver = () =>
    (atomics.load(engine, Control.Join) & JOIN_CLOSED) !== 0 && atomics.load(engine, Control.Finished) >= joined(engine)
  for (let next = 0; next < records.length && !isOver(); ) {
    const asked = atomics.load(state, StateHeader.Asked)
    while (next < asked) {
      const record = takeRequest(state, next)
      // Its worker is between counting and writing it.
      if (record === 0) continue
      fromBigInt(BigInt(initial[records.indexOf(record)] as number), state, record + AccountRecord.Balance)
      answer(state, record)
      next++
    }
    if (next < records.length) atomics.wait(state, StateHeader.Asked, asked, 100)
  }
}

export const blockBody = async (
  thread: number,
  [engine, state]: readonly Int32Array[],
  { scenario, records }: BlockJob,
): Promise<void> => {
  if (thread === scenario.workers) {
    answerAll(engine, state, scenario, records)
    return
  }
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
