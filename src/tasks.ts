/** Tasks over shared state: a list of functions on every core, with exactly the sequential result. */
export type { TaskContext, TaskFunction } from './adapters/taskGraph/adapter.ts'
export type { TaskStore } from './adapters/taskGraph/store.ts'
export type { Key, TaskFailure, TaskOutcome } from './core/taskCodec.ts'
export {
  createTaskExecutor,
  type RunTasksOptions,
  type RunTasksResult,
  runTasks,
  type TaskCall,
  type TaskExecutor,
  type TaskExecutorOptions,
  type TaskResult,
} from './executor/runTasks.ts'
export {
  createKeyValueState,
  type KeyValueChange,
  type KeyValueDiff,
  type KeyValueState,
  type KeyValueStateOptions,
} from './state/keyValueState.ts'
