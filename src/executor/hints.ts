/**
 * What earlier runs say about the next one: locations on which a caller's places aborted, what a place costs, and which
 * callers take long (callCosts.ts).
 *
 * A caller is a task's name, or a contract and selector. When it occurs in a run, its locations are watched from the
 * beginning (docs/algorithm.md D5): their readers wait for the place below from the first one on, and not only after
 * the first abort. A hint never decides anything: validation does.
 * Concurrency: main thread, before the run begins and after the workers are back.
 */
import { LRUCache } from 'lru-cache'
import { Control, Entry, Recording, WorkerBlock } from '../core/layout.ts'
import { kindOf, recordOf, WATCHED } from '../core/location.ts'
import type { SharedState } from '../core/stateMemory.ts'
import { LocationNames, visitAborts } from '../records/drain.ts'
import type { RunRecord } from '../records/runRecord.ts'
import { CLAIM_MILLISECONDS, LARGEST_CHUNK } from '../scheduler/claims.ts'
import { CallCosts } from './callCosts.ts'
import { layOutEarly } from './layOut.ts'
import { type LocationName, locate } from './locate.ts'
import { callerOf, nameOfRecord } from './recordPlan.ts'

type Words = Int32Array

/** Callers that are remembered, and locations of each. */
const CALLERS = 1 << 12
const LOCATIONS = 64
/** Runs in a row without so many writers of a location after which it is forgotten. */
const IDLE_RUNS = 4
/**
 * Writers from which a location is worth a hint. Who waits claims single places, so neighbours run side by side: where
 * each location has two writers alone, as in a chain of payments, that makes more conflicts than waiting spares.
 */
const MANY_WRITERS = 8
interface Hint extends LocationName {
  idle: number
}

/** A location that a run watches from its beginning. */
interface Watched {
  readonly location: number
  readonly hint: Hint
  readonly forget: () => void
}

/** Learns from runs, and from their records. */
export class Hints {
  readonly #callers = new LRUCache<string, LRUCache<string, Hint>>({ max: CALLERS })
  readonly costs = new CallCosts()
  /** Milliseconds of a thread that an execution took in the last run; 0 for not known. */
  cost = 0

  /** Takes the conflicts of recorded runs. */
  learn(runs: readonly RunRecord[]): void {
    for (const { places, executions, locations } of runs) {
      const writers = new Map<number, Set<number>>()
      for (const { place, writes } of executions) {
        for (const { location } of writes) writers.set(location, (writers.get(location) ?? new Set()).add(place))
      }
      for (const { place, aborted } of executions) {
        const who = places[place]
        if (aborted === undefined || who === undefined) continue
        const where = locations[aborted.location]
        if (where === undefined) continue
        if ((writers.get(aborted.location)?.size ?? 0) < MANY_WRITERS) continue
        this.add(callerOf(who.name, who.to, who.selector), nameOfRecord(where))
      }
    }
  }

  /**
   * The observer of one run.
   *
   * @param callers - of each transaction or task
   */
  follow(words: Words, state: SharedState, callers: () => readonly string[]): RunHints {
    return new RunHints(this, words, state, callers)
  }

  /** Adds a conflict of a caller. */
  add(caller: string, { kind, words }: LocationName): void {
    let known = this.#callers.get(caller)
    if (known === undefined) {
      known = new LRUCache({ max: LOCATIONS })
      this.#callers.set(caller, known)
    }
    const key = `${kind}:${words.join()}`
    const hint = known.get(key)
    if (hint === undefined) known.set(key, { kind, words, idle: 0 })
    else hint.idle = 0
  }

  /** The locations of a caller in an open state. */
  *of(caller: string, state: SharedState): Generator<Watched> {
    const known = this.#callers.get(caller)
    if (known === undefined) return
    for (const [key, hint] of known.entries()) {
      const location = locate(state.table, hint)
      if (location !== 0) yield { location, hint, forget: () => known.delete(key) }
    }
  }
}

class RunHints {
  readonly #hints: Hints
  readonly #words: Words
  readonly #state: SharedState
  readonly #callersOf: () => readonly string[]
  #callers: readonly string[] = []
  #watched: Watched[] = []
  #workers = 0

  constructor(hints: Hints, words: Words, state: SharedState, callers: () => readonly string[]) {
    this.#hints = hints
    this.#words = words
    this.#state = state
    this.#callersOf = callers
  }

  begin(isSequential: boolean, workers: number): void {
    this.#watched = []
    this.#workers = isSequential ? 0 : workers
    if (isSequential) return
    const words = this.#words
    // Aborts are part of all that is recorded, where anything is.
    words[Control.Recording] ||= Recording.Conflicts
    this.#callers = this.#callersOf()
    for (const caller of new Set(this.#callers)) {
      for (const watched of this.#hints.of(caller, this.#state)) {
        this.#watched.push(watched)
        this.#flag(watched.location, 1)
      }
    }
    const { cost, costs } = this.#hints
    if (words[Control.Schedule] === 0) {
      const proposed = words.slice(Control.EarlyPlaces, Control.EarlyPlaces + words[Control.EarlyCount])
      layOutEarly(words, costs.choose(this.#callers, [...proposed], 1000 * cost))
    }
    const isCalm = this.#watched.length === 0 && cost > 0
    words[Control.FirstClaim] = isCalm ? Math.max(1, Math.min(LARGEST_CHUNK, Math.round(CLAIM_MILLISECONDS / cost))) : 1
  }

  end(ms: number | undefined): void {
    if (this.#workers === 0 || ms === undefined) return
    const { words } = this.#state
    for (const { location, hint, forget } of this.#watched) {
      this.#flag(location, 0)
      hint.idle = this.#hasManyWriters(location) ? 0 : hint.idle + 1
      if (hint.idle >= IDLE_RUNS) forget()
    }
    const names = new LocationNames(words)
    let executions = 0
    for (let worker = 0; worker < this.#workers; worker++) {
      visitAborts(this.#words, worker, (place, location) => {
        const caller = this.#callers[place - 1]
        if (location === 0 || caller === undefined || !this.#hasManyWriters(location)) return
        this.#hints.add(caller, names.nameOf(location))
      })
      executions += this.#words[Control.WorkerBlocks + worker * WorkerBlock.Size + WorkerBlock.Executions]
    }
    this.#hints.costs.learn(this.#words, this.#workers, this.#callers)
    if (executions > 0) this.#hints.cost = (ms * this.#workers) / executions
  }

  #flag(location: number, value: number): void {
    const { words } = this.#state
    words[recordOf(location) + WATCHED[kindOf(words, location)]] = value
  }

  #hasManyWriters(location: number): boolean {
    let writers = 0
    let entry = this.#state.words[location]
    for (; entry !== 0 && writers < MANY_WRITERS; entry = this.#words[entry + Entry.Next]) {
      if (this.#words[entry + Entry.Record] !== 0) writers++
    }
    return writers === MANY_WRITERS
  }
}
