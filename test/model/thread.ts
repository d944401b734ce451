/**
 * A thread of the machine: plays its part of a subject, once a schedule, for as long as it lives.
 *
 * It parks between schedules on its turn, so what to play comes over a port that is looked into without an event loop.
 */
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { type Machine, Op, Verdict, Word } from '../../src/testing/schedules/machine.ts'
import type { Layout } from './areas.ts'
import { attach, awaitTurn, depart, enter, mark, Stopped, stop } from './door.ts'
import type { ClockBuffers } from './guard.ts'
import { bodies } from './subjects/bodies.ts'

/** What a thread is given when it is made. */
export interface ThreadData {
  readonly machine: Machine
  readonly memories: readonly Int32Array[]
  readonly clocks: ClockBuffers
  readonly thread: number
  readonly port: MessagePort
}

/** What a thread is told when the subject changes. */
export interface Job {
  readonly subject: string
  readonly layout: Layout
  readonly scenario: unknown
}

const { machine, memories, clocks, thread, port } = workerData as ThreadData
const { control } = machine
attach(machine, thread, memories, clocks)
// Time is part of the schedule: tasks last as long as the scenario says.
performance.now = () => {
  control[Word.Time] += control[Word.Clock]
  return control[Word.Time] / 1000
}

let job: Job | undefined
for (;;) {
  awaitTurn()
  for (let news = receiveMessageOnPort(port); news !== undefined; news = receiveMessageOnPort(port)) {
    job = news.message as Job
  }
  if (job === undefined) break
  try {
    const views = enter(job.layout)
    mark(Op.Begin)
    await bodies[job.subject]?.(thread, views, job.scenario as never)
    mark(Op.End)
  } catch (error) {
    if (!(error instanceof Stopped)) {
      try {
        stop(Verdict.Threw, error instanceof Error ? `${error.message}\n${error.stack}` : String(error))
      } catch {
        // The verdict is written; the thread departs as any other.
      }
    }
  }
  depart()
}
port.close()
