/** What a worker's recording leaves behind where aborts alone are recorded. */
import { expect, test } from 'vitest'
import { type Adapter, Outcome } from '../../src/core/contracts.ts'
import { Recording } from '../../src/core/layout.ts'
import { RunRecording } from '../../src/executor/runRecording.ts'
import { createKeyValueState } from '../../src/executor/runTasks.ts'
import { Mode } from '../../src/records/events.ts'
import { layOut } from '../support/engineMemory.ts'

test.each([
  ['was blocked', (one: RunRecording) => one.executed(Mode.Speculative, Outcome.Blocked)],
  ['waited for base values', (one: RunRecording) => one.waited(Mode.Speculative)],
])('an execution that %s is not what a later abort is blamed on', (_, end) => {
  const { table } = createKeyValueState({ maxBytes: 1 << 22 })
  const recording = new RunRecording(layOut(4), 0, table, {} as Adapter, Recording.Conflicts, 0)
  recording.begin()
  recording.memory.conflict = 4096
  end(recording)
  expect(recording.memory.conflict).toBe(0)
})
