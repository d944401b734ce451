/**
 * The machine under the model checker: threads that run one at a time, and the words that say whose turn it is.
 *
 * A schedule is data: decisions `[step, thread]`, sorted. One step is one operation of the door (`core/atomics.ts`), or
 * the begin or end of a thread, or its return from a wait. Before each step somebody has to be chosen. Without a
 * decision the thread of the step before goes on while it can, then the next one in the ring; so the empty schedule is
 * a run without pre-emption, and each decision is one thing that a scheduler did to us. This is how CHESS bounds its
 * search (Musuvathi and Qadeer, PLDI 2007).
 *
 * The thread that ends a step chooses the next one itself: a step without a switch costs no futex call. Only the
 * thread whose turn it is touches these words, and turns pass through `Go` (turns.ts), which is atomic; so all else
 * here is plain.
 *
 * Two stand on it: `exploreSchedules`, for code of users on the pool, and the model of the engine (test/model).
 */

type Words = Int32Array

export const MAX_THREADS = 4

/** Control words of the machine. */
export const Word = {
  /** Number of the last schedule that is over. Main waits on it. */
  Done: 0,
  /** The step that is next. */
  Step: 1,
  Threads: 2,
  /** Steps after which a run counts as one that never ends. */
  StepLimit: 3,
  Verdict: 4,
  /** Thread that the verdict is about, -1 for nobody. */
  Culprit: 5,
  /** Times a wait had to time out because nobody else could do anything. */
  Stalls: 6,
  /** 1: decisions are drawn by priorities (PCT), and written to the trace alone. */
  Random: 7,
  NextDecision: 8,
  Decisions: 9,
  /** 1 where the decision for this step says that a plain load sees an old value. */
  Stale: 10,
  /** Thread of the step before, -1 at the start. */
  Last: 11,
  /** 1 where plain accesses are watched too. */
  Guard: 12,
  /** Number of this schedule. */
  Run: 13,
  /** Choices in a row between threads that only spin. */
  Quiet: 14,
  /** State of the random numbers. */
  Seed: 15,
  /** Change points of PCT: their number, then their steps. */
  Changes: 16,
  ChangePoints: 17,
  /** What `performance.now` adds a call, in microseconds. */
  Clock: 30,
  Time: 31,
  MessageBytes: 32,
  /** 1 where the next run of the pool is one of the machine's, and workers that have come to it. Atomic. */
  Armed: 33,
  Arrived: 34,
  ThreadBlocks: 64,
} as const

/** A thread's block, `ThreadBlocks + thread * Size`. */
export const Thread = {
  Size: 32,
  /** 1 when it is this thread's turn. Atomic; the thread parks on it. */
  Go: 0,
  State: 1,
  /** Where a waiting thread waits. */
  WaitMemory: 2,
  WaitIndex: 3,
  /** 1 where its wait ended without a notification. */
  TimedOut: 4,
  Priority: 5,
  /** First step of its reads since somebody last wrote: a spinning thread is looked for there. */
  QuietSince: 6,
} as const

export const State = { Ended: 0, Runnable: 1, Waiting: 2, WaitingTimed: 3, Spinning: 4 } as const

export const Verdict = {
  Sound: 0,
  /** Nobody can go on. */
  Deadlock: 1,
  /** More steps than the limit: nobody gets anywhere. */
  Endless: 2,
  /** A thread threw. */
  Threw: 3,
  /** A decision names a thread that cannot go on: the schedule is not one of this code. */
  Diverged: 4,
  /** A control word was touched plainly, or payload without what orders it. */
  Race: 5,
} as const

/** What a step was. */
export const Op = {
  Load: 0,
  Store: 1,
  Exchange: 2,
  Add: 3,
  Peek: 4,
  Wait: 5,
  Notify: 6,
  Woken: 7,
  Begin: 8,
  End: 9,
} as const
export const opNames = ['load', 'store', 'exchange', 'add', 'peek', 'wait', 'notify', 'woken', 'begin', 'end'] as const

/** A step in the trace. `Runnable`, `Timed`, `Spinning` are bits of threads, as they were when the choice was made. */
export const Step = {
  Size: 10,
  Thread: 0,
  Op: 1,
  Memory: 2,
  Index: 3,
  Before: 4,
  After: 5,
  Runnable: 6,
  Timed: 7,
  Spinning: 8,
  /** `Flag` bits. */
  Flags: 9,
} as const

/**
 * A plain load could have seen an older value; it did; this step's thread came out of a wait nobody ended; it did so
 * because nobody else could go on.
 */
export const Flag = { StalePossible: 1, StaleTaken: 2, TimedOut: 4, Stalled: 8 } as const

/** A decision in the list: step, thread, 1 for an old value. */
export const DECISION_WORDS = 3
/** Events that subjects note down, three words each: what, and two values. The first word counts them. */
export const MAX_NOTES = 1024

export interface Machine {
  readonly control: Words
  readonly decisions: Words
  readonly trace: Words
  readonly notes: Words
  readonly message: Uint8Array
}

/** The buffers that make a machine, to be sent to the threads: room for so many steps and decisions. */
export const newMachine = (steps: number, decisions: number): Machine => {
  const words = (count: number) => new Int32Array(new SharedArrayBuffer(count * 4))
  return {
    control: words(256),
    decisions: words(decisions * DECISION_WORDS),
    trace: words((steps + 2) * Step.Size),
    notes: words(1 + 3 * MAX_NOTES),
    message: new Uint8Array(new SharedArrayBuffer(4096)),
  }
}

export const block = (thread: number): number => Word.ThreadBlocks + thread * Thread.Size

/** Period of the longest loop that counts as spinning, and how often it must repeat without anybody writing. */
const LONGEST_PERIOD = 24
const REPEATS = 3

/** True when the last steps of `thread` repeat themselves: the same reads of the same words with the same answers. */
export const isSpinning = (machine: Machine, thread: number, steps: number): boolean => {
  const { control, trace } = machine
  const since = control[block(thread) + Thread.QuietSince]
  const last = (steps - 1) * Step.Size
  for (let period = 1; period <= LONGEST_PERIOD; period++) {
    const from = steps - period * REPEATS
    if (from < since) return false
    // The cheap look first: most periods fail at their first step.
    const before = last - period * Step.Size
    if (trace[before + Step.Index] !== trace[last + Step.Index] || trace[before + Step.Op] !== trace[last + Step.Op]) {
      continue
    }
    let same = true
    for (let s = from + period; same && s < steps; s++) {
      const a = s * Step.Size
      const b = (s - period) * Step.Size
      for (let k = Step.Thread; same && k <= Step.After; k++) same = trace[a + k] === trace[b + k]
    }
    if (same) return true
  }
  return false
}

/** A number from 0 to `count` - 1. */
const draw = (control: Words, count: number): number => {
  let x = control[Word.Seed]
  x ^= x << 13
  x ^= x >>> 17
  x ^= x << 5
  control[Word.Seed] = x
  return (x >>> 0) % count
}

/** Shares of choices by chance in a random run: a wait that times out early, a plain load that sees an old value. */
const EARLY_TIMEOUT = 24
const OLD_VALUE = 3

/** The thread with the highest priority among `mask`; PCT lowers one at each change point. */
const byPriority = (control: Words, mask: number, step: number): number => {
  const best = () => {
    let chosen = -1
    for (let t = 0; t < control[Word.Threads]; t++) {
      if ((mask & (1 << t)) === 0) continue
      if (chosen < 0 || control[block(t) + Thread.Priority] > control[block(chosen) + Thread.Priority]) chosen = t
    }
    return chosen
  }
  for (let k = 0; k < control[Word.Changes]; k++) {
    if (mask !== 0 && control[Word.ChangePoints + k] === step) control[block(best()) + Thread.Priority] = -1 - k
  }
  return best()
}

/** The first of `mask` after `last` in the ring of threads, -1 for none. */
const nextInRing = (mask: number, last: number, threads: number): number => {
  for (let k = 1; k <= threads; k++) {
    const t = (last + k + threads) % threads
    if ((mask & (1 << t)) !== 0) return t
  }
  return -1
}

/** Choices in a row between spinning threads, for each of them, before a wait times out instead. */
const QUIET_TURNS = 3

/**
 * Chooses who makes the next step, and writes down who could have. Called once a step, by the thread of the step
 * before. Returns -1 when the run is over: all have ended, or the verdict says why not.
 */
export const choose = (machine: Machine): number => {
  const { control, decisions, trace } = machine
  const threads = control[Word.Threads]
  const step = control[Word.Step]
  const last = control[Word.Last]
  let runnable = 0
  let timed = 0
  let spinning = 0
  let waiting = 0
  for (let t = 0; t < threads; t++) {
    const state = control[block(t) + Thread.State]
    if (state === State.Runnable) runnable |= 1 << t
    else if (state === State.WaitingTimed) timed |= 1 << t
    else if (state === State.Spinning) spinning |= 1 << t
    else if (state === State.Waiting) waiting |= 1 << t
  }
  if ((runnable | timed | spinning | waiting) === 0) return -1
  if ((runnable | timed | spinning) === 0) {
    control[Word.Verdict] = Verdict.Deadlock
    control[Word.Culprit] = nextInRing(waiting, -1, threads)
    return -1
  }
  if (step >= control[Word.StepLimit]) {
    control[Word.Verdict] = Verdict.Endless
    control[Word.Culprit] = last
    return -1
  }
  const at = step * Step.Size
  trace[at + Step.Runnable] = runnable
  trace[at + Step.Timed] = timed
  trace[at + Step.Spinning] = spinning
  trace[at + Step.Flags] = 0
  control[Word.Stale] = 0

  let chosen = -1
  const d = control[Word.NextDecision] * DECISION_WORDS
  if (control[Word.NextDecision] < control[Word.Decisions] && decisions[d] === step) {
    control[Word.NextDecision]++
    chosen = decisions[d + 1]
    control[Word.Stale] = decisions[d + 2]
    if (((runnable | timed | spinning) & (1 << chosen)) === 0) {
      control[Word.Verdict] = Verdict.Diverged
      control[Word.Culprit] = chosen
      return -1
    }
  } else if (control[Word.Random] !== 0) {
    const early = timed !== 0 && draw(control, EARLY_TIMEOUT) === 0
    chosen = byPriority(control, early ? timed : runnable, step)
    if (draw(control, OLD_VALUE) === 0) control[Word.Stale] = 1
  } else if (last >= 0 && (runnable & (1 << last)) !== 0) chosen = last
  else chosen = nextInRing(runnable, last, threads)

  if (chosen < 0) {
    // Whoever spins goes on by itself, or would in some milliseconds: only when that leads nowhere does a wait time
    // out.
    const patience = QUIET_TURNS * threads
    if (spinning !== 0 && (timed === 0 || control[Word.Quiet] < patience)) {
      chosen = nextInRing(spinning, last, threads)
      control[Word.Quiet]++
    } else {
      chosen = nextInRing(timed, last, threads)
      control[Word.Stalls]++
      control[Word.Quiet] = 0
      trace[at + Step.Flags] |= Flag.Stalled
    }
  }
  const state = block(chosen) + Thread.State
  if (control[state] === State.WaitingTimed) {
    trace[at + Step.Flags] |= Flag.TimedOut
    control[block(chosen) + Thread.TimedOut] = 1
  }
  control[block(chosen) + Thread.QuietSince] =
    control[state] === State.Spinning ? step : control[block(chosen) + Thread.QuietSince]
  control[state] = State.Runnable
  trace[at + Step.Thread] = chosen
  return chosen
}
