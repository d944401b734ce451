/** What main makes of a worker's log: when it tells an execution that the log names by its place alone, and its times. */
import { afterEach, expect, test, vi } from 'vitest'
import { type Adapter, Outcome } from '../../src/core/contracts.ts'
import { Recording } from '../../src/core/layout.ts'
import { RunRecording } from '../../src/executor/runRecording.ts'
import { LocationNames, WordBuffer } from '../../src/records/drain.ts'
import { Event, Execution, Mode, SHARED, TICKS } from '../../src/records/events.ts'
import { LogReader, Rows } from '../../src/records/logReader.ts'
import { Bench } from '../support/engineMemory.ts'

afterEach(() => vi.restoreAllMocks())

interface Told {
  readonly place: number
  readonly incarnation: number
  readonly readWords: number
  readonly writes: readonly number[]
  readonly microseconds: number
  readonly isShared: boolean
}

/** A worker that executes places of a list, and main's reader of its log. */
class Worker {
  readonly bench = new Bench(64)
  readonly rows = new Rows()
  readonly recording: RunRecording
  readonly #reader: LogReader
  readonly #buffer = new WordBuffer()
  readonly #names: LocationNames

  constructor() {
    const { engine, state } = this.bench
    this.recording = new RunRecording(engine, 0, state.table, {} as Adapter, Recording.Events, 0)
    this.recording.memory.beginRun()
    this.recording.begin()
    this.#reader = new LogReader(engine, 0)
    this.#names = new LocationNames(state.words)
    // The first execution takes a chunk of the arena, and is logged whole.
    this.execute(63, [], ['warm'])
    this.recording.publish()
    this.told()
  }

  execute(place: number, reads: readonly string[], writes: readonly string[]): void {
    const { bench, recording } = this
    bench.execute(recording.memory, place, () => {
      for (const key of reads) bench.read(recording.memory, key)
      for (const key of writes) bench.write(recording.memory, key, BigInt(place))
    })
    recording.executed(Mode.Speculative, Outcome.Done)
  }

  told(): Told[] {
    const told: Told[] = []
    this.#reader.scan(this.rows, () => new Int32Array(2))
    this.#reader.drain(this.#buffer, this.#names, this.rows, (words) => {
      for (let at = 3; at < words.length; at += words[at + Execution.Length] as number) {
        const word = (field: number): number => words[at + field] as number
        if ((word(0) & 255) !== Event.Execution) continue
        told.push({
          place: word(Execution.Place),
          incarnation: word(Execution.Incarnation),
          readWords: word(Execution.ReadWords),
          writes: [...words.slice(at + Execution.Writes, at + Execution.Writes + word(Execution.WriteCount))],
          microseconds: Math.round(((word(Execution.End) - word(Execution.Start)) * 1000) / TICKS),
          isShared: (word(0) & SHARED) !== 0,
        })
      }
    })
    return told
  }
}

test('an execution is told once its place is final, and once only', () => {
  const worker = new Worker()
  worker.execute(1, ['x'], ['y'])
  worker.recording.publish()
  expect(worker.told()).toEqual([])
  worker.rows.committed = 2
  const [told] = worker.told()
  expect(told).toMatchObject({ place: 1, incarnation: 0, readWords: 4, writes: [worker.bench.location('y')] })
  expect(worker.told()).toEqual([])
})

test('what main has no time for is told the next time, nothing of it twice', () => {
  const worker = new Worker()
  for (let place = 1; place <= 40; place++) {
    worker.execute(place, ['x'], [`y${place}`])
    worker.recording.publish()
  }
  worker.rows.committed = 41
  worker.rows.until = 0
  expect(worker.told()).toEqual([])
  let now = 1
  vi.spyOn(performance, 'now').mockImplementation(() => now++)
  const places: number[] = []
  for (let look = 0; look < 100 && places.length < 40; look++) {
    worker.rows.until = now + 3
    const some = worker.told().map(({ place }) => place)
    expect(some.length).toBeLessThan(40)
    places.push(...some)
  }
  expect(places).toEqual(Array.from({ length: 40 }, (_, k) => k + 1))
})

test('an incarnation that was thrown away is told as it was, whatever its place has written since', () => {
  const worker = new Worker()
  const { bench, recording } = worker
  worker.execute(2, ['x'], ['y'])
  worker.execute(1, [], ['x'])
  expect(bench.commit(recording.memory, 1)).toBe(true)
  expect(recording.memory.validate(2)).toBe(false)
  recording.aborted(2, 0)
  bench.scheduler.abort(2)
  recording.memory.markEstimates(2)
  bench.execute(recording.memory, 2, () => bench.write(recording.memory, 'z', 1n), true)
  recording.executed(Mode.Committing, Outcome.Done)
  recording.publish()
  worker.rows.committed = 3
  expect(worker.told().map(({ place, incarnation, writes }) => [place, incarnation, ...writes])).toEqual([
    [2, 0, bench.location('y')],
    [1, 0, bench.location('x')],
    [2, 1, bench.location('z')],
  ])
})

test('what is taken back is told as it was, and what a worker left without a word is not', () => {
  for (const isKept of [true, false]) {
    const worker = new Worker()
    const { bench, recording } = worker
    worker.execute(3, ['x'], ['y'])
    if (isKept) recording.withdrawn(3)
    recording.memory.withdraw(3, 3)
    bench.scheduler.reset(3, 4)
    recording.publish()
    worker.rows.committed = 64
    expect(worker.told().map(({ writes }) => writes)).toEqual(isKept ? [[bench.location('y')]] : [])
    worker.rows.isOver = true
    expect(worker.told()).toEqual([])
  }
})

test('a delta is told as one after it was folded', () => {
  const worker = new Worker()
  const { bench, recording } = worker
  bench.execute(recording.memory, 1, () => bench.add(recording.memory, 'x', 5n))
  recording.executed(Mode.Speculative, Outcome.Done)
  recording.publish()
  expect(bench.commit(recording.memory, 1)).toBe(true)
  worker.rows.committed = 2
  expect(worker.told()[0]?.writes).toEqual([~bench.location('x')])
})

/** Places of so many microseconds, each but for those named with one read. */
function timed(microseconds: readonly number[], reads: Readonly<Record<number, number>> = {}): Told[] {
  let now = 1
  vi.spyOn(performance, 'now').mockImplementation(() => now)
  const worker = new Worker()
  worker.recording.start(now)
  // A long place before them: none shares its look at the clock with the next one.
  for (const [index, each] of [1000, ...microseconds].entries()) {
    now += each / 1000
    const keys = Array.from({ length: reads[index - 1] ?? 1 }, (_, k) => `k${k}`)
    worker.execute(index + 1, keys, [])
    if (index === 0) worker.recording.start(now)
  }
  worker.recording.publish()
  worker.rows.isOver = true
  return worker.told().slice(1)
}

test('long executions have times of their own, and short ones share a look at the clock', () => {
  expect(timed([60, 70, 80]).map((told) => [told.microseconds, told.isShared])).toEqual([
    [60, false],
    [70, false],
    [80, false],
  ])
  const short = timed(Array.from({ length: 40 }, () => 2))
  expect(short.filter(({ isShared }) => isShared).length).toBeGreaterThan(30)
  expect(short.map(({ microseconds }) => microseconds)).toEqual(short.map(() => 2))
})

test('a shared time is told by what was read and written, and one that is much longer than usual as the busiest one', () => {
  // Groups of one, two and four places.
  const usual = timed([2, 2, 2, 2, 2, 2, 2], { 6: 6 })
  expect(usual.map(({ microseconds }) => microseconds)).toEqual([2, 2, 2, 2, 2, 2, 3].map(() => expect.any(Number)))
  expect(usual[6]?.microseconds).toBeGreaterThan(usual[5]?.microseconds as number)
  const long = timed([2, 2, 2, 2, 2, 2, 100], { 6: 6 })
  expect(long.slice(3).map(({ microseconds }) => microseconds)).toEqual([2, 2, 2, 100])
})
