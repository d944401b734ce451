/** Schedules as data: hands one to the machine, reads what a random run has decided, makes one smaller. */
import { block, DECISION_WORDS, Flag, type Machine, State, Step, Thread, Word } from './machine.ts'

/** What a scheduler does at a step: lets another thread make it, or lets its plain load see an old value ('old'). */
export type Decision = readonly [step: number, thread: number] | readonly [step: number, thread: number, old: 'old']
/** The decisions of a schedule, in the order of their steps; at every other step the thread goes on. */
export type Decisions = readonly Decision[]

/** Random priorities and change points (Burckhardt et al., PCT, ASPLOS 2010), `depth` - 1 of them within `steps`. */
export interface Chance {
  readonly seed: number
  readonly depth: number
  readonly steps: number
}

export interface Arming {
  readonly threads: number
  readonly decisions: Decisions
  readonly chance?: Chance | undefined
  /** What a look at the time adds to it, microseconds. */
  readonly clock: number
}

/** Sets the machine up for one run. The caller adds what is its own: the run's number, the guard. */
export const arm = (machine: Machine, { threads, decisions, chance, clock }: Arming): void => {
  const { control, notes, trace } = machine
  const room = machine.decisions.length / DECISION_WORDS
  if (decisions.length > room) throw new RangeError(`a schedule has ${room} decisions at most, not ${decisions.length}`)
  control.fill(0)
  notes[0] = 0
  control[Word.Threads] = threads
  control[Word.StepLimit] = trace.length / Step.Size - 2
  control[Word.Last] = -1
  control[Word.Clock] = clock
  decisions.forEach(([step, thread, old], k) => {
    machine.decisions[k * DECISION_WORDS] = step
    machine.decisions[k * DECISION_WORDS + 1] = thread
    machine.decisions[k * DECISION_WORDS + 2] = old === 'old' ? 1 : 0
  })
  control[Word.Decisions] = decisions.length
  for (let t = 0; t < threads; t++) control[block(t) + Thread.State] = State.Runnable
  if (chance !== undefined) roll(control, chance, threads)
}

const roll = (control: Int32Array, { seed, depth, steps }: Chance, threads: number): void => {
  control[Word.Random] = 1
  // A seed of 0 would stay 0.
  let x = Math.imul(seed + 1, 0x9e3779b1) | 1
  const draw = (count: number) => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return (x >>> 0) % count
  }
  for (let t = 0; t < threads; t++) control[block(t) + Thread.Priority] = 1 + draw(1 << 20)
  const changes = Math.min(depth - 1, Word.Clock - Word.ChangePoints)
  control[Word.Changes] = changes
  for (let k = 0; k < changes; k++) control[Word.ChangePoints + k] = draw(steps)
  control[Word.Seed] = x
}

/** The decisions that a run has made, whoever made them: with them it runs the same again. */
export const decisionsOf = ({ trace, control }: Machine): Decisions => {
  const decisions: Decision[] = []
  for (let s = 0; s < control[Word.Step]; s++) {
    const at = s * Step.Size
    const thread = trace[at + Step.Thread]
    const flags = trace[at + Step.Flags]
    const runnable = trace[at + Step.Runnable]
    const last = s === 0 ? -1 : trace[at - Step.Size + Step.Thread]
    const goesOn = thread === last && (runnable & (1 << thread)) !== 0
    // Where only spinning or waiting threads are left, the machine chooses by itself.
    const timedOut = (flags & Flag.TimedOut) !== 0 && (flags & Flag.Stalled) === 0
    if ((flags & Flag.StaleTaken) !== 0) decisions.push([s, thread, 'old'])
    else if (timedOut || (runnable !== 0 && !goesOn)) decisions.push([s, thread])
  }
  return decisions
}

/** Offers smaller and smaller lists of decisions, is told of each whether it still fails, ends with the smallest. */
export function* shrinking(decisions: Decisions): Generator<Decisions, Decisions, boolean> {
  let best = decisions
  for (let size = Math.ceil(best.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < best.length; ) {
      const candidate = [...best.slice(0, from), ...best.slice(from + size)]
      if (yield candidate) best = candidate
      else from += size
    }
  }
  return best
}
