/**
 * What a task is given: a window on the values under keys, as its incarnation may know them (incarnation.ts).
 */

/** Which keys of a prefix are wanted. */
export interface RangeOptions {
  /** Begin after this key. */
  readonly after?: string
  /** Stop after so many; keys that were not looked at conflict with nobody. */
  readonly limit?: number
}

/** The window on shared state that a task is given. Synchronous; valid until the task returns. */
export interface TaskStore {
  /** The value under `key`, a copy, or undefined. */
  get<T = unknown>(key: string): T | undefined
  /** Whether there is a value. A task that only asks this conflicts with those that create or delete it alone. */
  has(key: string): boolean
  /**
   * Puts a value as it is now: what structured cloning copies, but for what docs/tasks.md lists.
   *
   * @throws TypeError for functions, symbols and undefined
   */
  set(key: string, value: unknown): void
  delete(key: string): void
  /**
   * Adds to the number or bigint under `key`, nothing counting as 0, without reading it: tasks that only add do not
   * conflict. With `atLeast` the number before must reach it; otherwise nothing is added and the answer is false.
   *
   * @throws TypeError where a value of another type stands there
   */
  add(key: string, amount: number | bigint, atLeast?: number | bigint): boolean
  /** Keeps the smaller of the value there and this one, without reading it. */
  min(key: string, value: number | bigint): void
  /** Keeps the larger of the value there and this one, without reading it. */
  max(key: string, value: number | bigint): void
  /** Adds items to the end of the list under `key`, without reading it. */
  append(key: string, ...items: unknown[]): void
  /** Applies a merge that the module declares (`defineTasks(tasks, { merges })`), without reading the value. */
  merge(name: string, key: string, operand: unknown): void
  /** The keys that begin with `prefix`, in the order of their UTF-8 bytes. A key that comes or goes is a conflict. */
  keys(prefix: string, options?: RangeOptions): string[]
  /** As `keys`, with the values. */
  entries<T = unknown>(prefix: string, options?: RangeOptions): [key: string, value: T][]
}
