/** Words in which calls go to the workers and results come back, and what both sides say of a failure. */

/** Input words of a place: which name, which call, how many bytes (0: undefined), then the value. */
export const TaskInput = { Name: 0, Index: 1, Length: 2, Words: 3 } as const

/** Result words: `Done` or `Failed`, bytes (0: undefined), microseconds of the execution, then a value or a failure. */
export const TaskResultWords = { Kind: 0, Length: 1, Micros: 2, Words: 3, Done: 0, Failed: 1 } as const

/** Bits of `Plan.adapterFlags`. */
export const TaskFlag = {
  /** A task that fails stops the run. */
  Stop: 1,
  /** Each task is executed twice, and compared. */
  Twice: 2,
} as const

/** What a task threw, as far as it can be said on another thread. */
export interface TaskFailure {
  /** What went wrong; TASK_FAILED where the task threw. */
  readonly code: 'TASK_FAILED' | 'UNKNOWN_TASK' | 'ASYNCHRONOUS_TASK' | 'NOT_ENCODABLE' | 'NOT_DETERMINISTIC'
  /** Name of the error, such as TypeError. */
  readonly name: string
  /** Its message. */
  readonly message: string
  /** As the worker saw it. */
  readonly stack?: string
}
