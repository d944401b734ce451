/**
 * What stands for `core/atomics.ts` in a model build: each operation is a step of the machine.
 *
 * A thread that comes to an operation chooses who makes the next step. If that is somebody else it hands the turn over
 * and parks on its own word; so the engine's code runs as it is, on real threads, one at a time. Waits do not
 * wait on the engine's words: a waiting thread is one that cannot be chosen, until it is notified, or times out.
 */
import {
  block,
  choose,
  Flag,
  MAX_NOTES,
  type Machine,
  Op,
  State,
  Step,
  Thread,
  Verdict,
  Word,
} from '../../src/testing/schedules/machine.ts'
import * as turns from '../../src/testing/schedules/turns.ts'
import type { Layout } from './areas.ts'
import { breach, type ClockBuffers, clocks, watched } from './guard.ts'

export type Words = Int32Array

/** Unwinds a thread whose run has ended with a verdict. */
export class Stopped extends Error {
  override readonly name = 'Model.Stopped'
}

let machine: Machine
let me = -1
/** By memory: the words, and what the engine is given in their place where plain accesses are watched. */
let raw: readonly Words[] = []
let proxies: readonly Words[] = []
let buffers: ClockBuffers
let layout: Layout
let guarded = false

const report = (memory: number, index: number, writes: boolean, races: boolean): void => {
  const { control } = machine
  // Between runs, and while a run unwinds, nobody is watched.
  if (control[Word.Verdict] !== Verdict.Sound) return
  const what = breach(memory, index, writes, races, layout)
  if (what !== '') stop(Verdict.Race, what)
}

/** Makes this thread one of the machine's. Accesses to memories that are not given are nobody's business. */
export const attach = (of: Machine, thread: number, memories: readonly Words[], shared: ClockBuffers): void => {
  machine = of
  me = thread
  raw = memories
  buffers = shared
  proxies = memories.map((words, memory) =>
    watched(words, (index, writes) => report(memory, index, writes, clocks.plain(me, memory, index, writes))),
  )
}

/** Begins a run; the memories as the engine is to see them. */
export const enter = (at: Layout): readonly Words[] => {
  const { control } = machine
  layout = at
  guarded = control[Word.Guard] !== 0
  clocks.begin(buffers, control[Word.Run], () => control[Word.Step])
  return guarded ? proxies : raw
}

/** Notes an event for the subject's oracle. No step: nobody else runs meanwhile. */
export const note = (what: number, a: number, b: number): void => {
  const { notes } = machine
  const at = notes[0]
  if (at >= MAX_NOTES) return
  notes[0] = at + 1
  notes[1 + 3 * at] = what
  notes[2 + 3 * at] = a
  notes[3 + 3 * at] = b
}

/** Returns when it is this thread's turn. */
export const awaitTurn = (): void => turns.awaitTurn(machine, me)

/** Hands the turn over for good, to whoever has not ended; the last one tells main. Verdicts are passed on so. */
export const depart = (): void => {
  const { control } = machine
  control[block(me) + Thread.State] = State.Ended
  const next = control[Word.Verdict] === Verdict.Sound ? choose(machine) : -1
  if (next >= 0) {
    turns.handTo(machine, next)
    return
  }
  for (let t = 0; t < control[Word.Threads]; t++) {
    if (control[block(t) + Thread.State] === State.Ended) continue
    turns.handTo(machine, t)
    return
  }
  Atomics.store(control, Word.Done, control[Word.Run])
  Atomics.notify(control, Word.Done)
}

/** Ends the run with a verdict. The first one stays. */
export const stop = (verdict: number, message: string): never => {
  const { control } = machine
  if (control[Word.Verdict] === Verdict.Sound) {
    control[Word.Verdict] = verdict
    control[Word.Culprit] = me
    const bytes = new TextEncoder().encode(message).subarray(0, machine.message.length)
    machine.message.set(bytes)
    control[Word.MessageBytes] = bytes.length
  }
  throw new Stopped(message)
}

/** Chooses who makes the next step and returns when that is this thread. */
const turn = (): void => {
  const { control } = machine
  if (control[Word.Verdict] !== Verdict.Sound) throw new Stopped()
  const next = choose(machine)
  if (next === me) return
  if (next < 0) throw new Stopped()
  turns.handTo(machine, next)
  awaitTurn()
  if (control[Word.Verdict] !== Verdict.Sound) throw new Stopped()
}

/** Writes down the step that was made. */
const made = (op: number, memory: number, index: number, before: number, after: number): void =>
  turns.made(machine, me, op, memory, index, before, after)

/** A step of a thread's life: its begin, its end. */
export const mark = (op: number): void => {
  // A thread begins in its turn: somebody chose it.
  if (op !== Op.Begin) turn()
  else if (machine.control[Word.Verdict] !== Verdict.Sound) throw new Stopped()
  made(op, -1, 0, 0, 0)
}

/** Passes clocks on, where plain accesses are watched. */
const order = (memory: number, index: number, reads: boolean, writes: boolean): void => {
  if (!guarded) return
  if (reads) clocks.acquire(me, memory, index)
  const racing = clocks.atomic(me, memory, index, writes)
  if (racing !== undefined) report(memory, index, racing === 'write', true)
  if (writes) clocks.release(me, memory, index)
}

/** Number of the memory, -1 for one that is not shared. */
const memoryOf = (words: Words): number => {
  for (let k = 0; k < raw.length; k++) if (words === raw[k] || words === proxies[k]) return k
  // Another view: the worker's entry makes its own.
  for (let k = 0; k < raw.length; k++) if (words.buffer === raw[k].buffer) return k
  return -1
}

export const load = (words: Words, index: number): number => {
  const memory = memoryOf(words)
  if (memory < 0) return words[index]
  turn()
  const value = raw[memory][index]
  order(memory, index, true, false)
  made(Op.Load, memory, index, value, value)
  return value
}

export const store = (words: Words, index: number, value: number): void => {
  const memory = memoryOf(words)
  if (memory < 0) {
    words[index] = value
    return
  }
  turn()
  const before = raw[memory][index]
  raw[memory][index] = value
  order(memory, index, false, true)
  made(Op.Store, memory, index, before, raw[memory][index])
}

export const compareExchange = (words: Words, index: number, expected: number, value: number): number => {
  const memory = memoryOf(words)
  if (memory < 0) {
    const before = words[index]
    if (before === expected) words[index] = value
    return before
  }
  turn()
  const before = raw[memory][index]
  order(memory, index, true, before === expected)
  if (before === expected) raw[memory][index] = value
  made(Op.Exchange, memory, index, before, raw[memory][index])
  return before
}

export const add = (words: Words, index: number, value: number): number => {
  const memory = memoryOf(words)
  if (memory < 0) {
    const before = words[index]
    words[index] += value
    return before
  }
  turn()
  const before = raw[memory][index]
  raw[memory][index] = before + value
  order(memory, index, true, true)
  made(Op.Add, memory, index, before, raw[memory][index])
  return before
}

/**
 * The oldest value that a plain load may still see: looking back, the one before the first write that this thread knows
 * of. What it has seen of the word before, it does not unsee.
 */
const oldest = (memory: number, index: number, newest: number): number => {
  const { control, trace } = machine
  let value = newest
  for (let s = control[Word.Step] - 1; s >= 0; s--) {
    const at = s * Step.Size
    if (trace[at + Step.Memory] !== memory || trace[at + Step.Index] !== index || trace[at + Step.Op] > Op.Peek)
      continue
    if (trace[at + Step.Thread] === me) return value
    if (trace[at + Step.Before] === trace[at + Step.After]) continue
    if (clocks.knows(me, trace[at + Step.Thread], s)) return value
    value = trace[at + Step.Before]
  }
  return value
}

export const peek = (words: Words, index: number): number => {
  const memory = memoryOf(words)
  if (memory < 0) return words[index]
  turn()
  const { control, trace } = machine
  let value = raw[memory][index]
  const at = control[Word.Step] * Step.Size
  // Clocks are kept where plain accesses are watched: only there it is known how old a value may be.
  if (guarded) {
    const old = oldest(memory, index, value)
    if (old !== value) {
      trace[at + Step.Flags] |= Flag.StalePossible
      if (control[Word.Stale] !== 0) {
        trace[at + Step.Flags] |= Flag.StaleTaken
        value = old
      }
    }
  }
  made(Op.Peek, memory, index, value, value)
  return value
}

export const wait = (words: Words, index: number, value: number, milliseconds?: number): void => {
  const memory = memoryOf(words)
  if (memory < 0) return
  turn()
  const now = raw[memory][index]
  order(memory, index, true, false)
  made(Op.Wait, memory, index, now, now === value ? 1 : 0)
  if (now !== value) return
  turns.sleep(machine, me, memory, index, milliseconds !== undefined)
  turn()
  made(Op.Woken, memory, index, 0, machine.control[block(me) + Thread.TimedOut])
}

export const notify = (words: Words, index: number, count = Number.POSITIVE_INFINITY): number => {
  const memory = memoryOf(words)
  if (memory < 0) return 0
  turn()
  const woken = turns.wake(machine, memory, index, count)
  made(Op.Notify, memory, index, 0, woken)
  return woken
}

/** As `wait`: main's side of a model is written without promises. */
export const waitAsync = async (words: Words, index: number, value: number, milliseconds?: number): Promise<void> => {
  wait(words, index, value, milliseconds)
}
