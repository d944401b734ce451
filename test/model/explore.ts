/**
 * Walks schedules: all of them up to a bound of pre-emptions, or random ones beyond; and makes a failing one small.
 *
 * A schedule's children are the schedules that decide one thing more, later than all it has decided so far; so each is
 * run once, by its own list of decisions. A decision costs one of the bound where it takes the turn from a thread that
 * could go on, ends a wait early, or has a plain load see an old value; choosing among others when a thread cannot go on
 * is free. Left out are pre-emptions before a step that nobody else's steps can tell from a later one: on a word that one
 * thread only touches, or that nobody writes. Which words those are is learned from the schedules themselves, and
 * the walk is repeated until it learns nothing new.
 */
import { Flag, Op, Step, Word } from '../../src/testing/schedules/machine.ts'
import { type Chance, type Decision, decisionsOf, shrinking } from '../../src/testing/schedules/schedule.ts'
import type { Controller, Outcome, Schedule } from './controller.ts'

export interface Walk {
  /** What failed and how, the first one found; undefined where all schedules are sound. */
  readonly failure: string | undefined
  readonly schedule: Schedule
  readonly schedules: number
  /** Most steps of a schedule. */
  readonly steps: number
  /** Schedules in which only a timeout helped. */
  readonly stalls: number
}

export interface WalkOptions {
  readonly preemptions: number
  /** Plain accesses are watched, and old values seen, on schedules with so many pre-emptions at most. */
  readonly guard?: number
}

/** Who touches which words: two bits of masks a word, by thread. */
class Sharing {
  readonly #touched = new Map<number, number>()
  /** Words that are of no one thread alone. Grows. */
  size = 0

  #key(memory: number, index: number): number {
    return memory * 0x1000000 + index
  }

  learn(memory: number, index: number, thread: number, writes: boolean): void {
    const key = this.#key(memory, index)
    const mask = this.#touched.get(key) ?? 0
    const now = mask | (1 << thread) | (writes ? 1 << (thread + 8) : 0)
    if (now === mask) return
    if (!this.#contended(mask) && this.#contended(now)) this.size++
    this.#touched.set(key, now)
  }

  #contended(mask: number): boolean {
    const all = (mask | (mask >> 8)) & 0xff
    return mask >> 8 !== 0 && (all & (all - 1)) !== 0
  }

  /** False where a step on the word cannot be told from one made later. */
  matters(memory: number, index: number): boolean {
    return this.#contended(this.#touched.get(this.#key(memory, index)) ?? 0)
  }
}

const learn = (controller: Controller, sharing: Sharing): void => {
  const { trace, control } = controller.machine
  for (let s = 0; s < control[Word.Step]; s++) {
    const at = s * Step.Size
    if (trace[at + Step.Memory] < 0) continue
    const op = trace[at + Step.Op]
    const writes =
      op === Op.Store ||
      op === Op.Add ||
      op === Op.Notify ||
      op === Op.Wait ||
      (op === Op.Exchange && trace[at + Step.Before] !== trace[at + Step.After])
    sharing.learn(trace[at + Step.Memory], trace[at + Step.Index], trace[at + Step.Thread], writes)
  }
}

/** The decisions that could follow the last one of a schedule that has just run, with their costs. */
const children = (
  controller: Controller,
  from: number,
  left: number,
  sharing: Sharing | undefined,
): [decision: Decision, cost: number][] => {
  const { trace, control } = controller.machine
  const threads = control[Word.Threads]
  const found: [Decision, number][] = []
  for (let s = from; s < control[Word.Step]; s++) {
    const at = s * Step.Size
    const chosen = trace[at + Step.Thread]
    const runnable = trace[at + Step.Runnable]
    const timed = trace[at + Step.Timed]
    const last = s === 0 ? -1 : trace[at - Step.Size + Step.Thread]
    const goesOn = last >= 0 && (runnable & (1 << last)) !== 0
    if (goesOn) {
      const op = trace[at + Step.Op]
      if (left === 0 || op === Op.End || op === Op.Woken) continue
      if (sharing !== undefined && !sharing.matters(trace[at + Step.Memory], trace[at + Step.Index])) continue
    }
    for (let t = 0; t < threads; t++) {
      if (t === chosen || ((runnable | timed) & (1 << t)) === 0) continue
      // A wait that times out before its turn costs one even where nobody can do better: or one waits for ever.
      const early = (timed & (1 << t)) !== 0
      const cost = goesOn || early ? 1 : 0
      if (cost <= left) found.push([[s, t], cost])
    }
    if (left > 0 && (trace[at + Step.Flags] & Flag.StalePossible) !== 0) found.push([[s, chosen, 'old'], 1])
  }
  return found
}

interface Node {
  readonly schedule: Schedule
  readonly spent: number
}

/** One walk over all schedules, with what is known of the words. */
const walkOnce = (controller: Controller, options: WalkOptions, sharing: Sharing, prune: boolean): Walk => {
  const { preemptions, guard = 1 } = options
  const stack: Node[] = [{ schedule: [], spent: 0 }]
  let schedules = 0
  let steps = 0
  let stalls = 0
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    const { schedule, spent } = node
    const watch = spent <= guard
    const outcome = controller.run(schedule, watch)
    schedules++
    if (outcome.stalls > 0) stalls++
    steps = Math.max(steps, outcome.steps)
    if (outcome.failure !== undefined) return { failure: outcome.failure, schedule, schedules, steps, stalls }
    learn(controller, sharing)
    const from = schedule.length === 0 ? 0 : (schedule[schedule.length - 1] as Decision)[0] + 1
    for (const [decision, cost] of children(controller, from, preemptions - spent, prune ? sharing : undefined)) {
      stack.push({ schedule: [...schedule, decision], spent: spent + cost })
    }
  }
  return { failure: undefined, schedule: [], schedules, steps, stalls }
}

/** Runs every schedule of the controller's scenario up to a bound of pre-emptions. */
export const exhaust = (controller: Controller, options: WalkOptions): Walk => {
  const sharing = new Sharing()
  let total = 0
  const first = walkOnce(controller, { ...options, preemptions: Math.min(1, options.preemptions) }, sharing, false)
  total += first.schedules
  if (first.failure !== undefined || options.preemptions <= 1) return first
  for (;;) {
    const known = sharing.size
    const walk = walkOnce(controller, options, sharing, true)
    total += walk.schedules
    if (walk.failure !== undefined || sharing.size === known) return { ...walk, schedules: total }
  }
}

export interface RollOptions {
  readonly schedules: number
  readonly seed: number
  readonly depth: number
}

/** Runs random schedules; every fourth is watched for races too. */
export const roll = (controller: Controller, { schedules, seed, depth }: RollOptions): Walk => {
  let steps = controller.run([], true).steps
  let stalls = 0
  for (let k = 0; k < schedules; k++) {
    const chance: Chance = { seed: seed + k, depth, steps }
    const outcome = controller.run([], k % 4 === 0, chance)
    steps = Math.max(steps, outcome.steps)
    if (outcome.stalls > 0) stalls++
    if (outcome.failure !== undefined) {
      const schedule = decisionsOf(controller.machine)
      return { failure: outcome.failure, schedule, schedules: k + 1, steps, stalls }
    }
  }
  return { failure: undefined, schedule: [], schedules, steps, stalls }
}

/** Leaves decisions out while it still fails. Those left say what it takes. */
export const shrink = (controller: Controller, schedule: Schedule): { schedule: Schedule; outcome: Outcome } => {
  const fails = (candidate: Schedule): Outcome | undefined => {
    const outcome = controller.run(candidate, true)
    return outcome.failure === undefined || outcome.failure.startsWith('not a schedule') ? undefined : outcome
  }
  let outcome = fails(schedule) ?? controller.run(schedule, false)
  const candidates = shrinking(schedule)
  let next = candidates.next(false)
  while (next.done !== true) {
    const now = fails(next.value)
    outcome = now ?? outcome
    next = candidates.next(now !== undefined)
  }
  return { schedule: next.value, outcome }
}
