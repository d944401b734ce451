/** What a run did, added up from the blocks of its workers. */
import * as atomics from '../core/atomics.ts'
import { Control, MAX_WORKERS, RunKind, WorkerBlock } from '../core/layout.ts'

type Words = Int32Array

/**
 * What a run did. Each transaction or task is counted once in one of `speculative`, `direct`, `reexecuted`, `fallback`.
 */
export interface RunReport {
  /** Milliseconds from waking the pool to the last result being final. */
  readonly ms: number
  /** Threads that were called to the run: of more than there are cores those beyond only where the others slept. */
  readonly workers: number
  /**
   * Incarnations begun, also those that were thrown away, or broke off because a value of the state was not here yet.
   */
  readonly executions: number
  /** Incarnations thrown away. */
  readonly aborts: number
  /** Incarnations that were compared with what is final. */
  readonly validations: number
  /** Committed from a speculative execution. */
  readonly speculative: number
  /** Executed once, at the commit cursor, because everything below was final. */
  readonly direct: number
  /** Executed again at the commit cursor, because the speculation had failed. */
  readonly reexecuted: number
  /** Committed by the sequential path. */
  readonly fallback: number
  /** Executions left to the commit stage. */
  readonly deferrals: number
  /** Times a reader waited for a lower place. */
  readonly waits: number
  /** Times speculation gave way to the sequential path. */
  readonly fallbacks: number
  /** Times speculation stalled, by a task that does not return from values that it saw too early: all was run again, in order. */
  readonly stalls: number
  /** Ends of the block that had work. */
  readonly ends: number
  /** How often they were executed. */
  readonly endExecutions: number
  /** Bytes of working memory that the run took, of what `memoryLimit` allows. */
  readonly memoryBytes: number
}

/** Adds up what the workers of the run before counted. Main thread, while they are parked. */
export const reportOf = (words: Words, ms: number): Omit<RunReport, 'stalls'> => {
  const sum = (field: number): number => {
    let total = 0
    for (let k = 0; k < MAX_WORKERS; k++) total += words[Control.WorkerBlocks + k * WorkerBlock.Size + field]
    return total
  }
  const places = words[Control.Places]
  const speculative = sum(WorkerBlock.Speculative)
  const direct = sum(WorkerBlock.Direct)
  const fallback = words[Control.Kind] === RunKind.Sequential ? places : sum(WorkerBlock.Fallback)
  return {
    ms,
    workers: atomics.load(words, Control.Called),
    executions: sum(WorkerBlock.Executions),
    aborts: sum(WorkerBlock.Aborts),
    validations: sum(WorkerBlock.Validations),
    speculative,
    direct,
    reexecuted: places - speculative - fallback - direct,
    fallback,
    deferrals: sum(WorkerBlock.Deferrals),
    waits: sum(WorkerBlock.Waits),
    fallbacks: sum(WorkerBlock.Fallbacks),
    ends: words[Control.LastPlace] - words[Control.FirstPlace] + 1 - places,
    endExecutions: sum(WorkerBlock.EndExecutions),
    memoryBytes: 4 * atomics.load(words, Control.ArenaNext),
  }
}
