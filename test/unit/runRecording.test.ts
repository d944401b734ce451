/** What a worker's recording leaves behind, and how main reads it while it is written. */
import { expect, test, vi } from 'vitest'
import { type Adapter, Outcome } from '../../src/core/contracts.ts'
import { Recording } from '../../src/core/layout.ts'
import { RecordedRun } from '../../src/executor/recordRun.ts'
import { RecordKeeper } from '../../src/executor/recordSink.ts'
import { RunRecording } from '../../src/executor/runRecording.ts'
import { createKeyValueState } from '../../src/executor/runTasks.ts'
import { clockOffset } from '../../src/platform/clock.ts'
import { Mode } from '../../src/records/events.ts'
import { withJson } from '../../src/records/format.ts'
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

test('an event that is logged while main is held up before it reads the log has the time at which it was', async () => {
  const state = createKeyValueState({ maxBytes: 1 << 22 })
  const engine = layOut(4)
  const plan = {
    ...({
      kind: 'tasks',
      label: '',
      places: 4,
      speculation: 'always',
      reserves: false,
      light: false,
      queues: false,
    } as const),
    names: () => withJson({ names: [''] }, new Int32Array(4 * 8)),
    inputs: () => new Uint8Array(0),
    base: () => new Uint8Array(0),
  }
  const request = { keeper: new RecordKeeper(undefined), records: true, record: undefined }
  const recorded = RecordedRun.open(request, engine, state, () => plan) as RecordedRun
  recorded.begin(false, 1)
  const recording = new RunRecording(engine, 0, state.table, {} as Adapter, Recording.Events, clockOffset())
  recording.begin()
  const now = performance.now.bind(performance)
  const work = (place: number): void => {
    recording.memory.begin(place, false, false)
    recording.executed(Mode.Speculative, Outcome.Done)
    recording.publish()
  }
  work(1)
  // The first look at the clock of the drain: another process takes the core, and the worker goes on.
  vi.spyOn(performance, 'now').mockImplementationOnce(() => {
    const seen = now()
    while (now() - seen < 150);
    work(2)
    return seen
  })
  recorded.end(undefined)
  vi.restoreAllMocks()
  recorded.end(1)
  const { records } = await recorded.settle()
  expect(records?.executions).toHaveLength(2)
  for (const { start, end } of records?.executions ?? []) {
    expect(end).toBeGreaterThanOrEqual(start)
    expect(start).toBeGreaterThanOrEqual(0)
    expect(end).toBeLessThan(60e6)
  }
})
