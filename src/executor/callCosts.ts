/**
 * What calls took in earlier runs, by caller (a task's name, or contract and selector), so that the next run begins the
 * long ones before their turn (docs/algorithm.md D12). Never decides a result: validation does.
 *
 * Concurrency: main thread, before the run begins and after the workers are back.
 */
import { LRUCache } from 'lru-cache'
import { Control, LongClaim, MOST_EARLY, Place, WorkerBlock } from '../core/layout.ts'
import { incarnationOf } from '../core/status.ts'

type Words = Int32Array

const CALLERS = 1 << 12
/** What a call takes at least that is worth beginning before its turn, and how many times the mean of a run. */
const LONG_MICROSECONDS = 500
const LONG_TIMES_MEAN = 3
/** A place that was interrupted looks longer than it is: what is known grows by this at most from run to run. */
const GROWTH = 2
/** A call that was begun in vain is not begun so again before it would have stood up so often. */
const DISTRUST = 8

interface Call {
  microseconds: number
  /** Below zero where it was begun before its turn and had read what was not true yet. */
  trust: number
}

export class CallCosts {
  readonly #calls = new LRUCache<string, Call>({ max: CALLERS })

  /**
   * Places to begin before their turn, the longest first.
   *
   * @param callers - of each transaction or task
   * @param proposed - places that may be long for all that is known without earlier runs
   * @param mean - microseconds that a place takes; 0 for not known
   */
  choose(callers: readonly string[], proposed: readonly number[], mean: number): number[] {
    const least = Math.max(LONG_MICROSECONDS, LONG_TIMES_MEAN * mean)
    const chosen: { readonly place: number; readonly microseconds: number }[] = []
    callers.forEach((caller, index) => {
      const call = this.#calls.get(caller)
      if (call === undefined || call.microseconds < least) return
      if (call.trust < 0) call.trust++
      else chosen.push({ place: index + 1, microseconds: call.microseconds })
    })
    chosen.sort((a, b) => b.microseconds - a.microseconds || a.place - b.place)
    const unknown = proposed.filter((place) => !this.#calls.has(callers[place - 1] as string))
    return [...chosen.map(({ place }) => place), ...unknown].slice(0, MOST_EARLY)
  }

  /** Learns from the run whose words are there still. */
  learn(words: Words, workers: number, callers: readonly string[]): void {
    const long = new Map<number, number>()
    /** Places of which nobody knows how long they took: others were claimed with them. */
    const unclear = new Set<number>()
    let hasAll = true
    for (let worker = 0; worker < workers; worker++) {
      const block = Control.WorkerBlocks + worker * WorkerBlock.Size
      const claims = block + WorkerBlock.LongClaims
      // What the oracle ran was no claim, so its claims do not say that a place was short.
      if (words[block + WorkerBlock.Fallback] + words[block + WorkerBlock.Direct] > 0) hasAll = false
      let kept = 0
      for (let k = 0; k < LongClaim.Count; k++) {
        const claim = claims + k * LongClaim.Size
        const first = words[claim + LongClaim.First]
        const places = words[claim + LongClaim.Places]
        if (places > 0) kept++
        // Of several places claimed together nobody knows which one was long.
        if (places === 1) long.set(first, words[claim + LongClaim.Microseconds])
        else for (let place = first; place < first + places; place++) unclear.add(place)
      }
      if (kept === LongClaim.Count) hasAll = false
    }
    const often = new Map<string, number>()
    for (const place of long.keys()) {
      const caller = callers[place - 1]
      if (caller !== undefined) often.set(caller, (often.get(caller) ?? 0) + 1)
    }
    for (const [place, microseconds] of long) {
      const caller = callers[place - 1]
      if (caller === undefined) continue
      // One long call of a caller whose others are short was interrupted, or says nothing of the next one.
      const calls = callers.reduce((count, other) => count + (other === caller ? 1 : 0), 0)
      if (2 * (often.get(caller) as number) >= calls) this.#note(caller, microseconds)
    }
    for (let k = 0; k < words[Control.EarlyCount]; k++) {
      const place = words[Control.EarlyPlaces + k]
      const caller = callers[place - 1] as string
      if (hasAll && !long.has(place) && !unclear.has(place)) this.#calls.set(caller, { microseconds: 0, trust: 0 })
      const call = this.#calls.get(caller)
      const wasInVain = incarnationOf(words[words[Control.PlaceTable] + place * Place.Size + Place.Status]) > 0
      if (call !== undefined && wasInVain) call.trust = -DISTRUST
    }
  }

  #note(caller: string, microseconds: number): void {
    const call = this.#calls.get(caller)
    if (call === undefined) this.#calls.set(caller, { microseconds, trust: 0 })
    else {
      const before = call.microseconds
      call.microseconds = before === 0 ? microseconds : Math.min(microseconds, GROWTH * before)
    }
  }
}
