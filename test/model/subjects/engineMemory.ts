/**
 * The two memories of a model: laid out once a scenario as `executor/engine.ts` does, and put back before each schedule.
 *
 * Fresh words of an arena are not cleared by the engine, so they hold what looks like an offset and is none: whoever reads
 * what he has not written is found.
 */
import { unpackBytes } from '../../../src/core/bytes.ts'
import { CONTROL_END, Control, Place, Signatures } from '../../../src/core/layout.ts'
import { AccountRecord, BytesRecord, locationOf, RECORD_SHIFT, recordOf, Tag } from '../../../src/core/location.ts'
import type { PlaceRange } from '../../../src/core/rows.ts'
import { Schedule } from '../../../src/core/schedule.ts'
import { StateHeader } from '../../../src/core/table.ts'
import { fromBigInt } from '../../../src/core/words.ts'
import { layOutEarly, layOutRows, rowWords } from '../../../src/executor/layOut.ts'
import { orderTasks } from '../../../src/executor/taskSchedule.ts'
import type { TaskHints } from '../../../src/executor/taskTypes.ts'
import { TableMemory } from '../../../src/state/tableMemory.ts'
import type { Layout } from '../areas.ts'
import { addressOf } from './tinyTasks.ts'

const ENGINE_WORDS = 1 << 15
const STATE_BYTES = 1 << 20
const POISON = 0x5a5a5a5a
const ALIGN = 32
const align = (at: number): number => (at + ALIGN - 1) & ~(ALIGN - 1)

export interface MemoryOptions {
  readonly places: number
  readonly workers: number
  /** First values of keys 0 and up. */
  readonly initial: readonly number[]
  readonly window?: number
  /** Whether speculation may give way to the sequential path. */
  readonly fallback?: boolean
  readonly alone?: boolean
  /** Places that may be begun before their turn. */
  readonly early?: readonly number[]
  /** Rows of places that one worker claims. */
  readonly rows?: readonly PlaceRange[]
  readonly denseKey?: number
  /** Words that arenas may take. */
  readonly arenaWords?: number
  /** What tasks declare, and how much there is of what they need. */
  readonly hints?: readonly TaskHints[]
  readonly capacities?: Readonly<Record<string, number>>
  /** Base values are written when they are asked for. */
  readonly cold?: boolean
  /** Signers are asked for. */
  readonly signatures?: boolean
}

/** Words of the room for signatures; core/layout.ts in the threads' build says so too. */
const SIGNATURE_WORDS = 320

/** Stands where a base value is not written yet. */
const WRONG = 77

/** Requests that can be under way at a time; core/cold.ts in the threads' build has as many. */
const REQUESTS = 8

/** Numbers by name: balances of accounts whose address the name is. Only they are added to without being read. */
class NumberState extends TableMemory {
  setNumber(name: string, value: bigint): void {
    const record = this.insert((table) => table.account(addressOf(name), 0))
    fromBigInt(value, this.words, record + AccountRecord.Balance)
  }

  /** Lets values be asked for (core/cold.ts), as `SourceState` does. */
  chill(): void {
    this.words[StateHeader.Known] = this.reserve(this.words.length >> RECORD_SHIFT)
    this.words[StateHeader.Requests] = this.reserve(REQUESTS)
  }
}

export class ModelMemories {
  readonly state = new NumberState(STATE_BYTES)
  readonly engine = new Int32Array(new SharedArrayBuffer(ENGINE_WORDS * 4))
  layout: Layout = {
    placeTable: 0,
    places: 0,
    records: 0,
    cold: false,
    schedule: 0,
    resources: 0,
    rows: 0,
    rowEnds: 0,
    signatures: 0,
  }
  records: readonly number[] = []
  /** Where arenas begin and end. */
  arenas = 0
  arenaEnd = ENGINE_WORDS
  #options: MemoryOptions = { places: 0, workers: 0, initial: [] }
  #open = false
  #image = new Int32Array(0)
  #schedule: Int32Array = new Int32Array(0)

  get words(): readonly Int32Array[] {
    return [this.engine, this.state.words]
  }

  /** Lays a scenario out. */
  lay(options: MemoryOptions): void {
    if (this.#open) this.state.scrub()
    this.state.clear()
    if (options.cold === true) this.state.chill()
    const records = this.state.words[StateHeader.Next]
    this.records = options.initial.map((value, key) => {
      // What is not answered yet is there as another number.
      this.state.setNumber(`key${key}`, BigInt(options.cold === true ? WRONG : value))
      return this.find(`key${key}`)
    })
    this.state.open(64)
    this.#open = true
    this.#image = this.state.words.slice(0, this.state.words[StateHeader.Next])
    this.#options = options
    const table = align(CONTROL_END)
    const { hints, capacities = {}, workers } = options
    this.#schedule =
      hints === undefined
        ? new Int32Array(0)
        : (orderTasks(
            hints.map((hint) => ({ task: 'tiny', ...hint })),
            { order: 'ordered', capacities, workers, learned: new Map() },
          ).schedule as Int32Array)
    const schedule = align(table + (options.places + 3) * Place.Size + options.places + 3)
    const rowEnds = align(schedule + this.#schedule.length)
    this.arenas = align(rowEnds + rowWords(options.places, options.rows))
    this.arenaEnd = options.arenaWords === undefined ? ENGINE_WORDS : this.arenas + options.arenaWords
    this.layout = {
      placeTable: table,
      places: options.places,
      records,
      cold: options.cold === true,
      schedule: hints === undefined ? 0 : schedule,
      rowEnds,
      resources: this.#schedule[Schedule.Resources] ?? 0,
      rows: this.#schedule[Schedule.Rows] ?? 0,
      signatures: options.signatures === true ? ENGINE_WORDS - SIGNATURE_WORDS : 0,
    }
    this.engine.fill(POISON)
  }

  /** Record of a key, inserted if need be. */
  find(name: string): number {
    return this.state.table.account(addressOf(name), 0)
  }

  /** Accounts of a name, found in the index itself: more than one breaks T1. */
  accountsOf(name: string): number[] {
    const w = this.state.words
    const address = addressOf(name)
    const found: number[] = []
    const from = w[StateHeader.AccountIndex]
    for (let at = from; at <= from + w[StateHeader.AccountMask]; at++) {
      const r = w[at] << RECORD_SHIFT
      if (w[at] > 0 && address.every((word, k) => w[r + AccountRecord.Address + k] === word)) found.push(r)
    }
    return found
  }

  /** Records of a byte key, found in the index itself: more than one breaks T1. */
  recordsOf(name: string): number[] {
    const w = this.state.words
    const found: number[] = []
    const from = w[StateHeader.SlotIndex]
    for (let at = from; at <= from + w[StateHeader.SlotMask]; at++) {
      const r = w[at] << RECORD_SHIFT
      if (w[at] <= 0 || w[r] !== Tag.Bytes) continue
      const key = unpackBytes(w, w[r + BytesRecord.KeyOffset], w[r + BytesRecord.KeyLength])
      if (new TextDecoder().decode(key) === name) found.push(r)
    }
    return found
  }

  /** Puts both memories as they were before the first schedule. */
  reset(): void {
    const { engine, layout } = this
    const state = this.state.words
    // A chunk is reserved whole and used in part; the rest holds zeros all the same.
    state.fill(0, this.#image.length, Math.max(this.#image.length, Math.min(state[StateHeader.Next], state.length)))
    state.set(this.#image)
    const used = Math.min(Math.max(engine[Control.ArenaNext], this.arenas), ENGINE_WORDS)
    engine.fill(POISON, this.arenas, used === this.arenas ? ENGINE_WORDS : used)
    engine.fill(0, 0, this.arenas)
    const { places, workers, window, fallback, alone, early = [], rows = [], denseKey } = this.#options
    const offsets = layout.placeTable + (places + 3) * Place.Size
    engine[Control.Places] = places
    engine[Control.Schedule] = layout.schedule
    engine.set(this.#schedule, layout.schedule)
    engine[Control.PlaceTable] = layout.placeTable
    engine[Control.FirstPlace] = 1
    engine[Control.LastPlace] = places
    engine[Control.InputOffsets] = offsets
    engine[Control.Window] = window ?? 512
    engine[Control.Speculation] = fallback === true ? 0 : 1
    engine[Control.Reserve] = fallback === true ? 1 : 0
    engine[Control.Alone] = alone === true ? 1 : 0
    layOutEarly(engine, early)
    layOutRows(engine, layout.rowEnds, rows)
    engine[Control.DenseLocation] = denseKey === undefined ? 0 : locationOf(this.records[denseKey] as number, 0)
    engine[Control.Workers] = workers
    engine[Control.Called] = workers
    engine[Control.Cores] = workers
    engine[Control.ArenaEnd] = this.arenaEnd
    engine[Control.ExecutionIndex] = 1
    engine[Control.CommitIndex] = 1
    engine[Control.ArenaNext] = this.arenas
    if (layout.signatures === 0) return
    // The room is made before a worker looks into it (executor/engine.ts).
    engine.fill(0, layout.signatures, layout.signatures + Signatures.Items)
    engine[layout.signatures + Signatures.Next] = layout.signatures + Signatures.Items
    engine[layout.signatures + Signatures.End] = layout.signatures + Signatures.Items
  }

  /** True where nobody has written past the end of the arenas. */
  get withinArenas(): boolean {
    for (let at = this.arenaEnd; at < ENGINE_WORDS; at++) if (this.engine[at] !== POISON) return false
    return true
  }

  /** Key of a location, for messages. */
  keyOf(location: number): number {
    return this.records.indexOf(recordOf(location))
  }
}
