/**
 * An engine memory laid out as src/executor/engine.ts does, so that one thread can step Scheduler and MVMemory by hand
 * and meet any interleaving it likes.
 */
import { Arena } from '../../src/core/arena.ts'
import * as atomics from '../../src/core/atomics.ts'
import { CONTROL_END, Control, Place } from '../../src/core/layout.ts'
import { AccountRecord, Kind, locationOf } from '../../src/core/location.ts'
import { fromBigInt, toBigInt } from '../../src/core/words.ts'
import { MVMemory } from '../../src/mvmemory/mvmemory.ts'
import { Scheduler } from '../../src/scheduler/scheduler.ts'
import { TableMemory } from '../../src/state/tableMemory.ts'

const ALIGN = 32
const align = (at: number): number => (at + ALIGN - 1) & ~(ALIGN - 1)

export interface EngineMemoryOptions {
  readonly window?: number
  readonly words?: number
  readonly denseLocation?: number
}

/** Control words, place table and arenas for a run of `places`. */
export function layOut(places: number, options: EngineMemoryOptions = {}): Int32Array {
  const words = new Int32Array(new SharedArrayBuffer((options.words ?? 1 << 20) * 4))
  const table = align(CONTROL_END)
  words[Control.Places] = places
  words[Control.FirstPlace] = 1
  words[Control.LastPlace] = places
  words[Control.PlaceTable] = table
  words[Control.Window] = options.window ?? 512
  words[Control.Speculation] = 1
  words[Control.DenseLocation] = options.denseLocation ?? 0
  words[Control.Workers] = 64
  words[Control.Called] = 64
  words[Control.Cores] = 64
  words[Control.ArenaEnd] = words.length
  words[Control.ExecutionIndex] = 1
  words[Control.CommitIndex] = 1
  atomics.store(words, Control.ArenaNext, align(table + (places + 2) * Place.Size))
  return words
}

export function schedulerOn(engine: Int32Array): Scheduler {
  const scheduler = new Scheduler(engine)
  scheduler.beginRun()
  return scheduler
}

const text = new TextEncoder()

const keyOf = (key: string): Int32Array => {
  const words = new Int32Array(5)
  new Uint8Array(words.buffer).set(text.encode(key))
  return words
}

/** Numbers by short names, kept as balances of accounts. */
class NumberState extends TableMemory {
  record(key: string): number {
    return this.table.account(keyOf(key), 0)
  }

  setNumber(key: string, value: bigint): void {
    fromBigInt(value, this.words, this.insert((table) => table.account(keyOf(key), 0)) + AccountRecord.Balance)
  }

  number(key: string): bigint {
    return toBigInt(this.words, this.record(key) + AccountRecord.Balance)
  }
}

/** One state, one engine memory, any number of workers' views: the multi-version memory without threads. */
export class Bench {
  readonly state = new NumberState(1 << 22)
  readonly engine: Int32Array
  readonly scheduler: Scheduler
  readonly #value = new Int32Array(8)
  readonly #bound = new Int32Array(8)

  constructor(places: number, options: EngineMemoryOptions & { readonly dense?: string } = {}) {
    const { dense, ...rest } = options
    this.engine = layOut(places, dense === undefined ? rest : { ...rest, denseLocation: this.location(dense) })
    this.scheduler = schedulerOn(this.engine)
  }

  /** Another worker's view. */
  view(): MVMemory {
    const memory = new MVMemory(this.engine, this.state.table)
    memory.beginRun()
    return memory
  }

  arena(): Arena {
    return new Arena(this.engine)
  }

  /** Location of the number under a key: 8 words, deltas allowed. */
  location(key: string): number {
    return locationOf(this.state.record(key), Kind.Balance)
  }

  read(memory: MVMemory, key: string, floor = 0): bigint | 'blocked' | 'cleared' {
    const seen = memory.read(this.location(key), Kind.Balance, floor)
    if (seen === -2) return 'blocked'
    if (seen === -1) return 'cleared'
    return seen === 0 ? this.state.number(key) : toBigInt(this.engine, seen)
  }

  write(memory: MVMemory, key: string, value: bigint): void {
    fromBigInt(value, this.#value, 0)
    memory.write(this.location(key), Kind.Balance, this.#value, 0)
  }

  add(memory: MVMemory, key: string, delta: bigint, atLeast = 0n): void {
    fromBigInt(BigInt.asUintN(256, delta), this.#value, 0)
    fromBigInt(atLeast, this.#bound, 0)
    memory.add(this.location(key), this.#value, 0, this.#bound, 0)
  }

  expect(memory: MVMemory, key: string, predicate: 1 | 2, value: bigint): void {
    fromBigInt(value, this.#value, 0)
    memory.expect(this.location(key), Kind.Balance, predicate, this.#value, 0)
  }

  /** The folded value below the place of `memory`, or undefined where it cannot be folded. */
  fold(memory: MVMemory, key: string, limit = Number.MAX_SAFE_INTEGER): bigint | undefined {
    return memory.fold(this.location(key), this.#value, 0, limit) ? toBigInt(this.#value, 0) : undefined
  }

  /** Executes a place as a worker does: `body` reads and writes, then everything is published. */
  execute(memory: MVMemory, place: number, body: () => void, strict = false): void {
    memory.begin(place, strict, strict)
    body()
    memory.publish()
    this.scheduler.executed(place)
  }

  /** Serves the commit stage for one place; true where its speculative execution stood. */
  commit(memory: MVMemory, place: number, again?: () => void): boolean {
    const valid = memory.validate(place)
    if (!valid) {
      if (again === undefined) return false
      memory.markEstimates(place)
      this.scheduler.abort(place)
      this.execute(memory, place, again, true)
      if (!memory.foldStrict(place)) throw new Error('a strict execution missed its own bound')
    }
    memory.commit(place)
    this.scheduler.advance(place + 1)
    return valid
  }
}
