/** What an executor has done so far: sums of the reports of its runs, in all and by worker. */
import { Control, MAX_WORKERS, WorkerBlock } from '../core/layout.ts'
import type { RunReport } from './runReport.ts'

type Words = Int32Array

/** Counts of one worker. They mean what the fields of the same names in `RunReport` mean. */
export interface WorkerStats {
  readonly executions: number
  readonly aborts: number
  readonly validations: number
  readonly deferrals: number
  readonly waits: number
}

/** Since the executor was made. */
export interface ExecutorStats extends WorkerStats {
  /** Runs that ended well, and those that did not. */
  readonly runs: number
  readonly failed: number
  /** Transactions or tasks of the runs that ended well, and how each was committed. */
  readonly places: number
  readonly speculative: number
  readonly direct: number
  readonly reexecuted: number
  readonly fallback: number
  readonly fallbacks: number
  /** Milliseconds that these runs took. */
  readonly ms: number
  /** The counts by worker; as many as the executor may use. */
  readonly workers: readonly WorkerStats[]
}

const COUNTS = ['executions', 'aborts', 'validations', 'deferrals', 'waits'] as const
const SUMS = ['speculative', 'direct', 'reexecuted', 'fallback', 'fallbacks', 'ms', ...COUNTS] as const
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
