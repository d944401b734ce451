/**
 * Main's side of the machine: makes the threads, hands a schedule in, and looks at what came of it.
 *
 * Main parks while a schedule runs, as any thread does while it is not its turn; so a schedule is a plain call.
 */
import { MessageChannel, Worker } from 'node:worker_threads'
import {
  block,
  choose,
  MAX_THREADS,
  newMachine,
  opNames,
  Step,
  Thread,
  Verdict,
  Word,
} from '../../src/testing/schedules/machine.ts'
import { arm, type Chance, type Decisions as Schedule } from '../../src/testing/schedules/schedule.ts'
import { bundle, type Edit } from './build.ts'
import { newClocks, resetClocks } from './guard.ts'
import { ModelMemories } from './subjects/engineMemory.ts'
import { type Scenario, subjects } from './subjects/subjects.ts'
import type { Job, ThreadData } from './thread.ts'

export type { Schedule }

/** What came of a schedule. */
export interface Outcome {
  /** What was broken, or undefined. */
  readonly failure: string | undefined
  readonly steps: number
  /** Waits that ended because nobody could do anything else. */
  readonly stalls: number
}

const MAX_STEPS = 20_000
const MAX_DECISIONS = 4096
/** Milliseconds that a schedule may take; it takes less than one. */
const PATIENCE = 20_000

export class Controller {
  readonly machine = newMachine(MAX_STEPS, MAX_DECISIONS)
  readonly memories = new ModelMemories()
  readonly #clocks = newClocks(this.memories.words.map((words) => Math.min(words.length, 1 << 16)))
  readonly #workers: Worker[]
  readonly #ports: MessageChannel[]
  #scenario: Scenario | undefined
  #run = 0
  /** Schedules run so far. */
  schedules = 0

  private constructor(code: string) {
    const address = new URL(`data:text/javascript;base64,${Buffer.from(code).toString('base64')}`)
    this.#ports = Array.from({ length: MAX_THREADS }, () => new MessageChannel())
    this.#workers = this.#ports.map(({ port2 }, thread) => {
      const { machine, memories } = this
      const workerData: ThreadData = { machine, memories: memories.words, clocks: this.#clocks, thread, port: port2 }
      return new Worker(address, { workerData, transferList: [port2], name: 'model' })
    })
  }

  /** Threads that run the engine with `edits`. @throws Error where an edit does not apply */
  static async make(edits: readonly Edit[] = []): Promise<Controller> {
    const controller = new Controller(await bundle(edits))
    await Promise.all(controller.#workers.map((worker) => new Promise((resolve) => worker.once('online', resolve))))
    return controller
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
    for (const { port1 } of this.#ports) port1.close()
  }

  /** Takes up a scenario: schedules are of it from now on. */
  take(scenario: Scenario): void {
    const subject = subjects[scenario.subject]
    this.#scenario = scenario
    this.memories.lay(subject.memory(scenario as never))
    const job: Job = {
      subject: scenario.subject,
      layout: this.memories.layout,
      scenario: subject.job(this.memories, scenario as never),
    }
    for (const { port1 } of this.#ports) port1.postMessage(job)
  }

  get scenario(): Scenario {
    if (this.#scenario === undefined) throw new Error('no scenario was taken')
    return this.#scenario
  }

  /** Runs one schedule. `guard` watches plain accesses and lets plain loads see old values. */
  run(schedule: Schedule, guard: boolean, chance?: Chance): Outcome {
    const { machine, scenario } = this
    const { control } = machine
    const { threads, short } = subjects[scenario.subject]
    this.memories.reset()
    resetClocks(this.#clocks)
    const clock = short(scenario as never) ? 0 : 1000
    arm(machine, { threads: threads(scenario as never), decisions: schedule, chance, clock })
    this.#run++
    this.schedules++
    control[Word.Run] = this.#run
    control[Word.Guard] = guard ? 1 : 0

    const first = choose(machine)
    if (first >= 0) {
      Atomics.store(control, block(first) + Thread.Go, 1)
      Atomics.notify(control, block(first) + Thread.Go)
      while (Atomics.load(control, Word.Done) !== this.#run) {
        if (Atomics.wait(control, Word.Done, 0, PATIENCE) === 'timed-out') {
          throw new Error(`a schedule does not end: ${JSON.stringify({ scenario, schedule })}`)
        }
      }
    }
    return { failure: this.#failure(), steps: control[Word.Step], stalls: control[Word.Stalls] }
  }

  #failure(): string | undefined {
    const { control, message } = this.machine
    const culprit = control[Word.Culprit]
    switch (control[Word.Verdict]) {
      case Verdict.Sound:
        break
      case Verdict.Deadlock:
        return `nobody can go on; thread ${culprit} waits for a notification`
      case Verdict.Endless:
        return `no end after ${control[Word.Step]} steps`
      case Verdict.Diverged:
        return `not a schedule of this code: thread ${culprit} cannot make step ${control[Word.Step]}`
      default:
        return `thread ${culprit}: ${new TextDecoder().decode(message.slice(0, control[Word.MessageBytes]))}`
    }
    const { scenario } = this
    if (control[Word.Stalls] > 0 && scenario.stalls !== 'allowed') {
      return 'everybody waited for something that only a timeout ended'
    }
    return subjects[scenario.subject].breaks(this.machine, this.memories, scenario as never)
  }

  /** The steps of the last schedule, for people. */
  story(): string[] {
    const { trace, control } = this.machine
    return Array.from({ length: control[Word.Step] }, (_, s) => {
      const at = s * Step.Size
      const [thread, op] = [trace[at], opNames[trace[at + Step.Op] as 0]]
      const where =
        trace[at + Step.Memory] < 0 ? '' : ` ${this.#nameOf(trace[at + Step.Memory], trace[at + Step.Index])}`
      return `${s}\t${thread}\t${op}${where}\t${trace[at + Step.Before]} -> ${trace[at + Step.After]}`
    })
  }

  #nameOf(memory: number, index: number): string {
    return `${memory === 0 ? 'engine' : 'state'}[${index}]`
  }
}
