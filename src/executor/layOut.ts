/**
 * Lays a plan out in the engine memory: control words, place table, environment, inputs. What is left is for arenas.
 *
 * ```text
 * control words, worker blocks | place table | offsets of inputs | environment | prologue, inputs, epilogue
 *   | where rows end | arenas | end
 * ```
 * Concurrency: main thread, while every worker is parked.
 */
import * as atomics from '../core/atomics.ts'
import { CapacityError } from '../core/errors.ts'
import { Alone, CONTROL_END, Control, MAX_WORKERS, MOST_EARLY, Mode, Place, WorkerBlock } from '../core/layout.ts'
import type { PlaceRange } from '../core/rows.ts'
import { Early, pack, Ready } from '../core/status.ts'
import { type Plan, type PlanInputs, type RunSettings, waysInOrder } from './plan.ts'

type Words = Int32Array

/** Places that may be executed ahead of the commit cursor. */
const DEFAULT_WINDOW = 512
const ALIGN = 32

const align = (at: number): number => (at + ALIGN - 1) & ~(ALIGN - 1)

/**
 * Writes all that a run is to find, before `end`: what lies behind is there whatever runs.
 *
 * @throws {CapacityError} CAPACITY where the memory is too small for it
 */
export const layOut = (words: Words, plan: Plan, settings: RunSettings, end = words.length): void => {
  clearRun(words)
  const table = align(CONTROL_END)
  // One more than there are places: what is left of the dense sum is written after the last one.
  const tableWords = (plan.places + 3) * Place.Size
  const offsets = align(table + tableWords)
  const environment = align(offsets + offsetWords(plan))
  const inputs = align(environment + plan.environment.length)
  const rowEnds = align(inputs + inputWords(plan))
  const { reserves, light, queues, rows } = waysInOrder(plan)
  const arenas = align(rowEnds + rowWords(plan.places, rows))
  assertFits(words, end, arenas)
  words.fill(0, table, table + tableWords)
  words.set(plan.environment, environment)
  layOutInputs(words, offsets, inputs, plan)
  const first = (plan.prologue?.length ?? 0) > 0 ? 0 : 1
  words[Control.Places] = plan.places
  words[Control.PlaceTable] = table
  words[Control.FirstPlace] = first
  words[Control.LastPlace] = plan.places + ((plan.epilogue?.length ?? 0) > 0 ? 1 : 0)
  words[Control.Environment] = environment
  words[Control.AdapterFlags] = plan.adapterFlags
  // A schedule takes places out of order, and declared edges say what need not be guessed.
  const scheduled = plan.schedule !== undefined
  words[Control.Schedule] = scheduled ? environment + (plan.schedule ?? 0) : 0
  words[Control.Window] = scheduled ? plan.places : DEFAULT_WINDOW
  words[Control.Speculation] = settings.speculation === 'always' || scheduled ? 1 : 0
  words[Control.Reserve] = reserves && words[Control.Speculation] === 0 ? 1 : 0
  const alone = queues ? Alone.Queues : light ? Alone.Light : Alone.No
  words[Control.Alone] = words[Control.Speculation] === 0 ? alone : Alone.No
  words[Control.Wary] = words[Control.Speculation] !== 0 ? 0 : first + 1
  layOutEarly(words, scheduled ? [] : (plan.early ?? []))
  layOutRows(words, rowEnds, rows)
  words[Control.DenseLocation] = plan.denseLocation(plan.state)
  words[Control.KeepVersions] = settings.keepVersions === true ? 1 : 0
  words[Control.ArenaEnd] = end
  words[Control.ExecutionIndex] = first
  words[Control.CommitIndex] = first
  words[Control.Mode] = Mode.Speculative
  atomics.store(words, Control.ArenaNext, arenas)
}

/**
 * Writes which places may be begun before their turn, the longest first (docs/algorithm.md D12), in place of those that are
 * written already. They are long, so nothing is reserved: a place that is would wait for all before it.
 */
export const layOutEarly = (words: Words, places: readonly number[]): void => {
  const statusOf = (place: number): number => words[Control.PlaceTable] + place * Place.Size + Place.Status
  for (let k = 0; k < words[Control.EarlyCount]; k++) words[statusOf(words[Control.EarlyPlaces + k])] = pack(0, Ready)
  const count = Math.min(places.length, MOST_EARLY)
  for (let k = 0; k < count; k++) {
    words[Control.EarlyPlaces + k] = places[k]
    words[statusOf(places[k])] = pack(0, Early)
  }
  words[Control.EarlyCount] = count
  if (count > 0) words[Control.Reserve] = 0
}

/** Writes where rows end (docs/algorithm.md D13), into words of their own from `at` on. */
export const layOutRows = (words: Words, at: number, ranges: readonly PlaceRange[]): void => {
  words[Control.Rows] = ranges.length === 0 ? 0 : at
  if (ranges.length === 0) return
  words.fill(0, at, at + rowWords(words[Control.Places], ranges))
  for (const { first, end } of ranges) words.fill(end, at + first, at + end)
}

/** Words of the table that says where rows end. */
export const rowWords = (places: number, ranges: readonly PlaceRange[] = []): number =>
  ranges.length === 0 ? 0 : places + 2

/** Words of the table that says where the inputs of a plan begin, its ends included. */
export const offsetWords = ({ places }: PlanInputs): number => places + 3

/** Words of the inputs of a plan, its ends included. */
export const inputWords = ({ inputs, prologue, epilogue }: PlanInputs): number =>
  (prologue?.length ?? 0) + inputs.length + (epilogue?.length ?? 0)

/**
 * Writes the inputs of a plan from `at` on, and from `offsets` on where each begins: prologue, places, epilogue, end.
 */
export const layOutInputs = (words: Words, offsets: number, at: number, plan: PlanInputs): void => {
  const { places, inputs, prologue, epilogue } = plan
  const first = at + (prologue?.length ?? 0)
  const last = first + inputs.length
  if (prologue !== undefined) words.set(prologue, at)
  words.set(inputs, first)
  if (epilogue !== undefined) words.set(epilogue, last)
  words[offsets] = at
  for (let k = 0; k <= places; k++) words[offsets + 1 + k] = first + plan.offsets[k]
  words[offsets + places + 2] = last + (epilogue?.length ?? 0)
  words[Control.InputOffsets] = offsets
}

/** What a batch lays out: where its items lie in the memory. */
export const layOutBatch = (words: Words, items: Words, end: number): void => {
  clearRun(words)
  assertFits(words, end, CONTROL_END + items.length)
  words.set(items, CONTROL_END)
  words[Control.InputOffsets] = CONTROL_END
  words[Control.BatchItems] = items.length
}

/** Clears the control words and worker blocks of the run before. Epochs stay. */
const clearRun = (words: Words): void => {
  // `Join` stays closed: a worker that is late for the run before must find it so.
  words.fill(0, 0, Control.Join)
  for (let k = 0; k < MAX_WORKERS; k++) {
    const block = Control.WorkerBlocks + k * WorkerBlock.Size
    words.fill(0, block, block + WorkerBlock.Epoch)
  }
}

const assertFits = (words: Words, end: number, next: number): void => {
  if (next + ALIGN <= end) return
  throw new CapacityError('CAPACITY', 'the block does not fit into memoryLimit', {
    limit: words.length * 4,
    actual: (next + words.length - end) * 4,
  })
}
