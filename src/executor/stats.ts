/** What an executor has done so far: sums of the reports of its runs, in all and by worker. */
import { Control, MAX_WORKERS, WorkerBlock } from '../core/layout.ts'
import type { RunReport } from './runReport.ts'

type Words = Int32Array

/** Counts of one worker; each is the sum of the field of the same name in `RunReport`. */
export interface WorkerStats {
  /** Incarnations begun. */
  readonly executions: number
  /** Incarnations thrown away. */
  readonly aborts: number
  /** Incarnations that were compared with what is final. */
  readonly validations: number
  /** Executions left to the commit stage. */
  readonly deferrals: number
  /** Times a reader waited for a lower place. */
  readonly waits: number
}

/** Since the executor was made. */
export interface ExecutorStats extends WorkerStats {
  /** Runs that ended well. */
  readonly runs: number
  /** Runs that did not. */
  readonly failed: number
  /** Transactions, tasks or inputs of the runs that ended well. */
  readonly places: number
  /** Of these, committed from a speculative execution. */
  readonly speculative: number
  /** Executed once, at the commit cursor. */
  readonly direct: number
  /** Executed again at the commit cursor. */
  readonly reexecuted: number
  /** Committed by the sequential path. */
  readonly fallback: number
  /** Times speculation gave way to the sequential path. */
  readonly fallbacks: number
  /** Times speculation stalled, and all was run again in order. */
  readonly stalls: number
  /** Milliseconds that these runs took. */
  readonly ms: number
  /** The counts by worker; as many as the executor may use. */
  readonly workers: readonly WorkerStats[]
}

const COUNTS = ['executions', 'aborts', 'validations', 'deferrals', 'waits'] as const
const SUMS = ['speculative', 'direct', 'reexecuted', 'fallback', 'fallbacks', 'stalls', 'ms', ...COUNTS] as const
const FIELDS = {
  executions: WorkerBlock.Executions,
  aborts: WorkerBlock.Aborts,
  validations: WorkerBlock.Validations,
  deferrals: WorkerBlock.Deferrals,
  waits: WorkerBlock.Waits,
} as const

type Counts = Record<(typeof COUNTS)[number], number>
const none = (): Counts => ({ executions: 0, aborts: 0, validations: 0, deferrals: 0, waits: 0 })

/** Adds runs up. Concurrency: main thread. */
export class StatsKeeper {
  readonly #sums = {
    runs: 0,
    failed: 0,
    places: 0,
    speculative: 0,
    direct: 0,
    reexecuted: 0,
    fallback: 0,
    fallbacks: 0,
    stalls: 0,
    ms: 0,
    ...none(),
  }
  readonly #workers: Counts[]

  constructor(workers: number) {
    this.#workers = Array.from({ length: Math.min(workers, MAX_WORKERS) }, none)
  }

  /** A run ended well; the workers' blocks still say what it did. */
  add(report: RunReport, places: number, engine: Words): void {
    this.#sums.runs++
    this.#sums.places += places
    for (const name of SUMS) this.#sums[name] += report[name]
    this.#workers.forEach((counts, k) => {
      const block = Control.WorkerBlocks + k * WorkerBlock.Size
      for (const name of COUNTS) counts[name] += engine[block + FIELDS[name]]
    })
  }

  fail(): void {
    this.#sums.failed++
  }

  /** A copy. */
  read(): ExecutorStats {
    return { ...this.#sums, workers: this.#workers.map((counts) => ({ ...counts })) }
  }
}
