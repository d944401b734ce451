/** Tasks over shared state: calls of functions on every core, with exactly the sequential result. */
export {
  type AdapterAnswer,
  type AdapterHost,
  type AdapterMemory,
  type AdapterPlace,
  BLOCKED,
  type CreateAdapter,
  type CustomAdapter,
} from './adapters/custom/adapter.ts'
export type { TaskContext, TaskFunction } from './adapters/taskGraph/adapter.ts'
export type { RangeOptions, TaskStore } from './adapters/taskGraph/store.ts'
export type { TaskFailure } from './core/tasks.ts'
export {
  type AdapterExecutor,
  type AdapterExecutorOptions,
  type AdapterResult,
  createAdapterExecutor,
  type RunAdapterOptions,
  type RunAdapterResult,
} from './executor/runAdapter.ts'
export {
  createKeyValueState,
  createTaskExecutor,
  type RunTasksOptions,
  runTasks,
  type TaskExecutor,
  type TaskExecutorOptions,
} from './executor/runTasks.ts'
export {
  firstComeFirst,
  longestPathFirst,
  type SchedulableTask,
  type SchedulingPolicy,
} from './executor/taskSchedule.ts'
export {
  type DefineTasksOptions,
  defineTasks,
  type InputOf,
  type ModuleSource,
  type ResultBase,
  type RunTasksResult,
  type TaskCall,
  type TaskHints,
  type TaskModule,
  type TaskName,
  type TaskResult,
  type TaskResults,
  type TaskStatistics,
  type TaskTable,
  type TaskValue,
  type UntypedTasks,
} from './executor/taskTypes.ts'
export type { KeyValueChange, KeyValueDiff, KeyValueState, KeyValueStateOptions } from './state/keyValueState.ts'
