/**
 * What stands for `core/atomics.ts` in `dist/model-worker.js`: inside a run that the machine has been armed for each
 * operation is a step, and the threads of the pool make them one at a time, as a schedule says; elsewhere it is the real
 * door.
 *
 * A run that is longer than the machine is set up for, or a schedule that is not one of this code, sets everybody free:
 * the run ends as any other, and its result is compared all the same.
 */
import * as real from '../../core/atomics.ts'
import { Control, RunKind } from '../../core/layout.ts'
import { block, choose, type Machine, Op, State, Thread, Verdict, Word } from './machine.ts'
import * as turns from './turns.ts'

type Words = Int32Array

let machine: Machine | undefined
let me = -1
let engine: Words | undefined
/** This thread makes its steps in turn. */
let inside = false

/** Makes this thread one of the machine's, from the next run on that it is armed for. */
export const attach = (of: Machine): void => {
  machine = of
}

/** Milliseconds by the machine's clock, within a run of its own: time is part of the schedule. */
export const clock = (): number | undefined => {
  if (!inside || machine === undefined) return undefined
  const { control } = machine
  control[Word.Time] += control[Word.Clock]
  return control[Word.Time] / 1000
}

/** True where the run that begins is one of the machine's. */
export const isArmed = (words: Words): boolean =>
  machine !== undefined && words[Control.Kind] === RunKind.Speculative && real.load(machine.control, Word.Armed) !== 0

/** Comes to a run as its worker `index`. The run begins when all of its workers have come. */
export const enter = (words: Words, index: number): void => {
  if (machine === undefined || !isArmed(words)) return
  const { control } = machine
  me = index
  engine = words
  if (real.add(control, Word.Arrived, 1) + 1 === control[Word.Threads]) {
    // What the run is repeated for, because a state was too small, is not the machine's any more.
    real.store(control, Word.Armed, 0)
    // All have come: nobody begins alone.
    words[Control.Alone] = 0
    turns.handTo(machine, choose(machine))
  }
  turns.awaitTurn(machine, me)
  inside = control[Word.Verdict] === Verdict.Sound
  if (inside) turns.made(machine, me, Op.Begin, -1, 0, 0, 0)
}

/** Leaves the run to the others. */
export const depart = (): void => {
  if (!inside || machine === undefined) return
  inside = false
  const { control } = machine
  control[block(me) + Thread.State] = State.Ended
  const next = choose(machine)
  if (next >= 0) turns.handTo(machine, next)
  else if (control[Word.Verdict] !== Verdict.Sound) free(machine)
}

/** Lets everybody run as they like: the verdict says why. */
const free = (of: Machine): void => {
  for (let t = 0; t < of.control[Word.Threads]; t++) {
    if (t !== me && of.control[block(t) + Thread.State] !== State.Ended) turns.handTo(of, t)
  }
}

/** Chooses who makes the next step, and returns when that is this thread. Undefined outside of the machine's runs. */
const turn = (): Machine | undefined => {
  if (!inside || machine === undefined) return undefined
  const { control } = machine
  const next = choose(machine)
  if (next === me) return machine
  if (next < 0) free(machine)
  else {
    turns.handTo(machine, next)
    turns.awaitTurn(machine, me)
    if (control[Word.Verdict] === Verdict.Sound) return machine
  }
  inside = false
  return undefined
}

const memoryOf = (words: Words): number => (words.buffer === engine?.buffer ? 0 : 1)

/** Makes a step of an operation on a word. */
const step = (op: number, words: Words, index: number, operate: () => number): number => {
  const of = turn()
  if (of === undefined) return operate()
  const before = words[index]
  const answer = operate()
  turns.made(of, me, op, memoryOf(words), index, before, words[index])
  return answer
}

export const load = (words: Words, index: number): number => step(Op.Load, words, index, () => real.load(words, index))

export const peek = (words: Words, index: number): number => step(Op.Peek, words, index, () => real.peek(words, index))

export const store = (words: Words, index: number, value: number): void => {
  step(Op.Store, words, index, () => {
    real.store(words, index, value)
    return value
  })
}

export const compareExchange = (words: Words, index: number, expected: number, value: number): number =>
  step(Op.Exchange, words, index, () => real.compareExchange(words, index, expected, value))

export const add = (words: Words, index: number, value: number): number =>
  step(Op.Add, words, index, () => real.add(words, index, value))

/** True where the machine has let this thread wait, or it had not to. */
const waited = (words: Words, index: number, value: number, milliseconds: number | undefined): boolean => {
  const of = turn()
  if (of === undefined) return false
  const now = words[index]
  const memory = memoryOf(words)
  turns.made(of, me, Op.Wait, memory, index, now, now === value ? 1 : 0)
  if (now !== value) return true
  turns.sleep(of, me, memory, index, milliseconds !== undefined)
  // Set free while it sleeps, it comes back as from a wake-up for nothing: who waits looks again.
  if (turn() !== undefined) turns.made(of, me, Op.Woken, memory, index, 0, of.control[block(me) + Thread.TimedOut])
  return true
}

export const wait = (words: Words, index: number, value: number, milliseconds?: number): void => {
  if (!waited(words, index, value, milliseconds)) real.wait(words, index, value, milliseconds)
}

export const waitAsync = async (words: Words, index: number, value: number, milliseconds?: number): Promise<void> => {
  if (!waited(words, index, value, milliseconds)) await real.waitAsync(words, index, value, milliseconds)
}

export const notify = (words: Words, index: number, count = Number.POSITIVE_INFINITY): number => {
  const of = turn()
  if (of !== undefined) {
    const memory = memoryOf(words)
    turns.made(of, me, Op.Notify, memory, index, 0, turns.wake(of, memory, index, count))
  }
  // Main waits on real words.
  return real.notify(words, index, count)
}
