/**
 * A thread's side of the machine: hands the turn over and waits for its own, says what its step was, sleeps, is woken.
 *
 * These words are the machine's own, so they are reached by the real door (core/atomics.ts) in every build.
 */
import * as atomics from '../../core/atomics.ts'
import { block, isSpinning, type Machine, Op, State, Step, Thread, Word } from './machine.ts'

/** Looks at the turn before parking on it: most turns come back within microseconds. */
const LOOKS = 2000

export const handTo = ({ control }: Machine, thread: number): void => {
  atomics.store(control, block(thread) + Thread.Go, 1)
  atomics.notify(control, block(thread) + Thread.Go)
}

/** Returns when it is this thread's turn. */
export const awaitTurn = ({ control }: Machine, me: number): void => {
  const word = block(me) + Thread.Go
  for (let k = 0; k < LOOKS && atomics.load(control, word) === 0; k++);
  while (atomics.load(control, word) === 0) atomics.wait(control, word, 0)
  atomics.store(control, word, 0)
}

/** Writes down the step that was made. A step that writes wakes those who spin. */
export const made = (
  machine: Machine,
  me: number,
  op: number,
  memory: number,
  index: number,
  before: number,
  after: number,
): void => {
  const { control, trace } = machine
  const step = control[Word.Step]
  const at = step * Step.Size
  trace[at + Step.Op] = op
  trace[at + Step.Memory] = memory
  trace[at + Step.Index] = index
  trace[at + Step.Before] = before
  trace[at + Step.After] = after
  control[Word.Step] = step + 1
  control[Word.Last] = me
  if (op <= Op.Peek && before === after) {
    if (isSpinning(machine, me, step + 1)) control[block(me) + Thread.State] = State.Spinning
    return
  }
  control[Word.Quiet] = 0
  for (let t = 0; t < control[Word.Threads]; t++) {
    const b = block(t)
    control[b + Thread.QuietSince] = step + 1
    if (control[b + Thread.State] === State.Spinning) control[b + Thread.State] = State.Runnable
  }
}

/** From now on this thread waits at a word: it is chosen when it is notified, or, `timed`, where its time is up. */
export const sleep = ({ control }: Machine, me: number, memory: number, index: number, timed: boolean): void => {
  const b = block(me)
  control[b + Thread.WaitMemory] = memory
  control[b + Thread.WaitIndex] = index
  control[b + Thread.TimedOut] = 0
  control[b + Thread.State] = timed ? State.WaitingTimed : State.Waiting
}

/** Lets `count` of those who wait at a word go on; how many there were. */
export const wake = ({ control }: Machine, memory: number, index: number, count: number): number => {
  let woken = 0
  for (let t = 0; t < control[Word.Threads] && woken < count; t++) {
    const b = block(t)
    const state = control[b + Thread.State]
    if (state !== State.Waiting && state !== State.WaitingTimed) continue
    if (control[b + Thread.WaitMemory] !== memory || control[b + Thread.WaitIndex] !== index) continue
    control[b + Thread.State] = State.Runnable
    woken++
  }
  return woken
}
