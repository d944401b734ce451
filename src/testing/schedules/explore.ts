/**
 * `exploreSchedules`: runs a list of tasks, an adapter's inputs or a block on the real engine under schedules that are
 * chosen, and compares each run with the one in order.
 *
 * The threads are the pool's own, with `dist/model-worker.js` in place of the worker: before each atomic operation a
 * machine says who goes next. So what code of users sees ahead of the commit cursor is chosen too, and a run that went
 * wrong can be run again.
 */
import { InvalidInputError } from '../../core/errors.ts'
import { modelWorker, threadWith } from '../../platform/threads.ts'
import { MAX_THREADS, type Machine, newMachine, Verdict, Word } from './machine.ts'
import { arm, type Chance, type Decisions, decisionsOf, shrinking } from './schedule.ts'
import { type Answer, type Difference, differenceOf, openStage, type Stage, type Subject } from './subjects.ts'

/** A schedule as data: plain JSON. Decisions are `[step, thread]`; without one a thread goes on while it can. */
export interface Schedule {
  readonly workers: number
  readonly speculation: 'auto' | 'always'
  /** Microseconds that pass between two looks at the time: with few the engine takes executions for short ones. */
  readonly clock: number
  readonly decisions: Decisions
}

export interface ExploreOptions {
  /** Schedules that are drawn at random; 200 by default. */
  readonly schedules?: number
  /** Threads, 2 to 4; 2 by default. */
  readonly workers?: number
  /** Times that a schedule takes the turn from a thread that could go on, at the most; 3 by default, 12 is the most. */
  readonly preemptions?: number
  /** Seed of the first schedule, each next one has one more; random by default. */
  readonly seed?: number
  /** `always` by default; `auto` lets speculation give way, as it does in lists of hundreds. */
  readonly speculation?: 'auto' | 'always'
  /** Runs this one schedule alone. */
  readonly schedule?: Schedule
  /** Milliseconds without progress after which a run is given up; ten seconds by default. */
  readonly stallTimeout?: number
}

export interface ScheduleDifference extends Difference {
  /** The schedule that shows it, made as small as forty runs, or ten seconds of them, make it. */
  readonly schedule: Schedule
  /**
   * True where that schedule shows it on threads that have run nothing before. Where it does not, what earlier runs
   * left behind in a thread has a part in it.
   */
  readonly replays: boolean
}

export interface ScheduleReport {
  /** True where every schedule gave what the run in order gives. */
  readonly ok: boolean
  /** Schedules run until then. */
  readonly schedules: number
  readonly seed: number
  /** Atomic operations of the longest. */
  readonly steps: number
  /** Executions thrown away in all of them: with none, nothing was run ahead of its time. */
  readonly aborts: number
  /** Schedules that were not followed to their end: longer than can be scheduled, or not one of this code any more. */
  readonly cut: number
  readonly difference?: ScheduleDifference
}

const MOST_STEPS = 400_000
const MOST_DECISIONS = 1 << 16
/** Schedules before new threads take over: what the first run in a thread does wrong shows each time. */
const A_POOL = 20
/** Schedules on threads of their own, after one that showed a difference only on threads that had run others. */
const MOST_ALONE = 30
const MOST_SHRINKS = 40
const MOST_PREEMPTIONS = 12
/** Milliseconds of making a schedule smaller, where each run of it takes long. */
const SHRINKING = 10_000
/**
 * Microseconds a look at the time, in turns: executions seem short, and are claimed in chunks, or long, and are claimed
 * one by one. Never none: code that waits for the clock would wait for ever.
 */
const SHORT = 1
const LONG = 1000

interface Ran {
  readonly answer: Answer
  readonly decisions: Decisions
  readonly steps: number
  readonly cut: boolean
}

/** A pool under a machine. */
class Explored {
  readonly #machine: Machine
  readonly #stage: Stage

  static async open(
    machine: Machine,
    subject: Subject,
    { workers, stallTimeout }: { readonly workers: number; readonly stallTimeout: number },
  ): Promise<Explored> {
    const worker = () => threadWith(modelWorker(), machine)
    return new Explored(machine, await openStage(subject, { workers, worker, stallTimeout }))
  }

  private constructor(machine: Machine, stage: Stage) {
    this.#machine = machine
    this.#stage = stage
  }

  inOrder(): Promise<Answer> {
    return this.#stage.run({ speculation: 'always', sequential: true })
  }

  async run({ workers, speculation, clock, decisions }: Schedule, chance?: Chance): Promise<Ran> {
    const machine = this.#machine
    const { control } = machine
    arm(machine, { threads: workers, decisions, chance, clock })
    control[Word.Armed] = 1
    const answer = await this.#stage.run({ speculation })
    control[Word.Armed] = 0
    return {
      answer,
      decisions: decisionsOf(machine),
      steps: control[Word.Step],
      cut: control[Word.Verdict] !== Verdict.Sound,
    }
  }

  close(): Promise<void> {
    return this.#stage.close()
  }
}

const wholeNumber = (option: string, value: number, least: number, most: number): number => {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  const message = `${option} is not a whole number from ${least} to ${most}: ${String(value)}`
  throw new InvalidInputError('INVALID_OPTION', message, { option, limit: most, actual: value })
}

/**
 * Looks for a schedule under which a list of tasks, an adapter or a block gives something else than in order.
 *
 * Random schedules (PCT) of two to four threads; the first difference ends the search. It is run again on new threads,
 * made small, and given as data: `exploreSchedules(subject, { schedule })` runs it once more. Node alone.
 *
 * @param subject - calls of a module of tasks, inputs of an adapter, or a block, whose state is left as it is
 * @throws {InvalidInputError} INVALID_OPTION
 * @example
 * const report = await exploreSchedules({ tasks: new URL('./tasks.mjs', import.meta.url), calls })
 * assert(report.ok, JSON.stringify(report.difference))
 */
export const exploreSchedules = async (subject: Subject, options: ExploreOptions = {}): Promise<ScheduleReport> => {
  const { schedule, speculation = 'always' } = options
  const workers = wholeNumber('workers', schedule?.workers ?? options.workers ?? 2, 2, MAX_THREADS)
  const count = wholeNumber('schedules', options.schedules ?? 200, 1, 2 ** 31 - 1)
  const preemptions = wholeNumber('preemptions', options.preemptions ?? 3, 0, MOST_PREEMPTIONS)
  const stallTimeout = wholeNumber('stallTimeout', options.stallTimeout ?? 10_000, 1, 2 ** 31 - 1)
  const seed = wholeNumber('seed', options.seed ?? Math.floor(Math.random() * 2 ** 30), 0, 2 ** 31 - 1)
  const machine = newMachine(MOST_STEPS, MOST_DECISIONS)
  const open = () => Explored.open(machine, subject, { workers, stallTimeout })
  const inOrder = await once(open, (explored) => explored.inOrder())
  /** The difference that a schedule shows on threads that have run nothing before. */
  const replay = (again: Schedule) =>
    once(open, async (explored) => {
      const ran = await explored.run(again)
      return { ...ran, difference: differenceOf(inOrder, ran.answer) }
    })

  if (schedule !== undefined) {
    const { answer, difference, steps, cut } = await replay(schedule)
    const report = { ok: difference === undefined, schedules: 1, seed, steps, aborts: answer.aborts, cut: cut ? 1 : 0 }
    return difference === undefined ? report : { ...report, difference: { ...difference, schedule, replays: true } }
  }

  const sums = { schedules: 0, seed, steps: 1, aborts: 0, cut: 0 }
  const drawn = (k: number): [Schedule, Chance | undefined] => [
    { workers, speculation, clock: k % 2 === 0 ? SHORT : LONG, decisions: [] },
    // The first two have no pre-emption, and tell how long a run is.
    k < 2 ? undefined : { seed: seed + k, depth: preemptions + 1, steps: sums.steps },
  ]
  /** Runs schedules on one pool until one differs, up to number `end`. */
  const look = (end: number) =>
    once(open, async (explored) => {
      while (sums.schedules < end) {
        const [plain, chance] = drawn(sums.schedules++)
        const { answer, decisions, steps, cut } = await explored.run(plain, chance)
        sums.steps = Math.max(sums.steps, steps)
        sums.aborts += answer.aborts
        if (cut) sums.cut++
        const difference = differenceOf(inOrder, answer)
        if (difference !== undefined) return { difference, schedule: { ...plain, decisions } }
      }
      return undefined
    })

  let left: ScheduleDifference | undefined
  let first: { readonly difference: Difference; readonly schedule: Schedule } | undefined
  // What a thread has run before is no part of a schedule: where that matters, each gets threads of its own.
  for (let alone = 0; sums.schedules < count && alone < MOST_ALONE; alone += left === undefined ? 0 : 1) {
    const found = await look(Math.min(count, sums.schedules + (left === undefined ? A_POOL : 1)))
    if (found === undefined) continue
    const { difference } = await replay(found.schedule)
    if (difference === undefined) left ??= { ...found.difference, schedule: found.schedule, replays: false }
    else first = { difference, schedule: found.schedule }
    if (first !== undefined) break
  }
  if (first === undefined) return left === undefined ? { ok: true, ...sums } : { ok: false, ...sums, difference: left }
  const shown = await smaller(first, replay)
  return { ok: false, ...sums, difference: { ...shown, replays: true } }
}

type Replay = (schedule: Schedule) => Promise<{ readonly difference: Difference | undefined; readonly cut: boolean }>

/** Leaves decisions out while the difference stays. */
const smaller = async (
  first: { readonly difference: Difference; readonly schedule: Schedule },
  replay: Replay,
): Promise<Omit<ScheduleDifference, 'replays'>> => {
  let { difference, schedule } = first
  const candidates = shrinking(schedule.decisions)
  const until = performance.now() + SHRINKING
  let next = candidates.next(false)
  for (let runs = 0; next.done !== true && runs < MOST_SHRINKS && performance.now() < until; runs++) {
    const candidate = { ...schedule, decisions: next.value }
    const ran = await replay(candidate)
    const fails = ran.difference !== undefined && !ran.cut
    if (fails) {
      schedule = candidate
      difference = ran.difference ?? difference
    }
    next = candidates.next(fails)
  }
  return { ...difference, schedule }
}

/** Does one thing on a pool of its own. */
const once = async <T>(open: () => Promise<Explored>, use: (explored: Explored) => Promise<T>): Promise<T> => {
  const explored = await open()
  try {
    return await use(explored)
  } finally {
    await explored.close()
  }
}
