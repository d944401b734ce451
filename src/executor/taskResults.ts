/** What a run of tasks leaves in shared words, copied out: results, statistics, the difference. */
import { wordsOf } from '../core/bytes.ts'
import { Entry, Place } from '../core/layout.ts'
import { BytesRecord, Kind, locationOf, recordOf } from '../core/location.ts'
import { incarnationOf } from '../core/status.ts'
import { type TaskFailure, TaskResultWords } from '../core/tasks.ts'
import type { Values } from '../core/values.ts'
import { copy, equal } from '../core/words.ts'
import type { Engine } from './engine.ts'
import type { TaskResult, TaskStatistics } from './taskTypes.ts'

type Words = Int32Array

/** The result of the call that ran at `place`. */
export function resultAt(engine: Engine, values: Values, place: number, task: string): TaskResult {
  const { words } = engine
  const row = engine.placeTable + place * Place.Size
  const at = words[row + Place.Result]
  const length = words[at + TaskResultWords.Length]
  const value = length === 0 ? undefined : values.decode(words, at + TaskResultWords.Words, length)
  const incarnation = incarnationOf(words[row + Place.Status])
  const ms = words[at + TaskResultWords.Micros] / 1000
  return words[at + TaskResultWords.Kind] === TaskResultWords.Done
    ? { status: 'done', task, value, incarnation, ms }
    : { status: 'failed', task, error: value as TaskFailure, incarnation, ms }
}

export function statisticsOf(results: readonly TaskResult[]): Map<string, TaskStatistics> {
  const sums = new Map<string, { calls: number; failed: number; executions: number; totalMs: number; maxMs: number }>()
  for (const { task, status, incarnation, ms } of results) {
    let sum = sums.get(task)
    if (sum === undefined) {
      sum = { calls: 0, failed: 0, executions: 0, totalMs: 0, maxMs: 0 }
      sums.set(task, sum)
    }
    sum.calls++
    if (status === 'failed') sum.failed++
    sum.executions += incarnation + 1
    sum.totalMs += ms
    if (ms > sum.maxMs) sum.maxMs = ms
  }
  return new Map([...sums].map(([task, sum]) => [task, { ...sum, meanMs: sum.totalMs / sum.calls }]))
}

/**
 * What the run changed, as the state keeps differences.
 *
 * Cost: some 100 ns a key, nearly all of it waiting for memory that workers wrote. So each loop asks for one thing of many
 * keys, and does not wait for one key's memory before it asks for the next one's.
 *
 * @param fellBack - speculation gave way somewhere: a location may then be in two chains
 */
export function changedWords(engine: Engine, state: Words, fellBack: boolean): Words {
  const { words } = engine
  const records = writtenRecords(engine, fellBack)
  const pairs = new Int32Array(records.length)
  for (let k = 0; k < records.length; k++) pairs[k] = state[locationOf(records[k], Kind.Bytes)]
  for (let k = 0; k < pairs.length; k++) pairs[k] = newest(words, pairs[k])
  let out = new Int32Array(10 * records.length)
  let end = 0
  for (let k = 0; k < records.length; k++) {
    const r = records[k]
    const pair = pairs[k]
    const before = state[r + BytesRecord.Value]
    const bytes = pair === 0 ? before : words[pair]
    if (bytes === before && (pair === 0 || bytes < 0 || sameValue(words, pair, state, r))) continue
    const keyWords = wordsOf(state[r + BytesRecord.KeyLength])
    const valueWords = wordsOf(Math.max(0, bytes))
    const wanted = end + 2 + keyWords + valueWords
    if (wanted > out.length) {
      const larger = new Int32Array(wanted * 2)
      larger.set(out)
      out = larger
    }
    out[end] = state[r + BytesRecord.KeyLength]
    copy(out, end + 1, state, state[r + BytesRecord.KeyOffset], keyWords)
    out[end + 1 + keyWords] = bytes
    if (bytes > 0) copy(out, end + 2 + keyWords, words, words[pair + 1], valueWords)
    end = wanted
  }
  return out.slice(0, end)
}

/** Records that somebody wrote to, each once. */
function writtenRecords(engine: Engine, fellBack: boolean): Words {
  const { words } = engine
  let records = new Int32Array(1024)
  let count = 0
  for (const head of engine.written()) {
    for (let entry = head; entry !== 0; entry = words[entry + Entry.Chain]) {
      if (count === records.length) {
        const larger = new Int32Array(2 * count)
        larger.set(records)
        records = larger
      }
      records[count++] = recordOf(words[entry + Entry.Location])
    }
  }
  records = records.subarray(0, count)
  return fellBack ? Int32Array.from(new Set(records)) : records
}

const sameValue = (words: Words, pair: number, state: Words, r: number): boolean =>
  equal(words, words[pair + 1], state, state[r + BytesRecord.Value + 1], wordsOf(words[pair]))

/** Length and offset of the newest value in a list of entries, 0 where no write counts. */
const newest = (words: Words, head: number): number => {
  let entry = head
  while (entry !== 0 && words[entry + Entry.Record] === 0) entry = words[entry + Entry.Next]
  return entry === 0 ? 0 : (words[entry + Entry.Record] >> 1) + 1
}
