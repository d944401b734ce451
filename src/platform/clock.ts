/** One clock for all threads: each thread's `performance.now()` counts from its own beginning. */

interface NodeProcess {
  readonly hrtime?: { bigint(): bigint }
}

/** Milliseconds to add to `performance.now()` of this thread. The sum means nothing but in comparison. */
export const clockOffset = (): number => {
  const hrtime = (globalThis as { process?: NodeProcess }).process?.hrtime
  // A thread's time origin is a wall clock's reading, which may be set; Node's counter is the same for all threads.
  return hrtime === undefined ? performance.timeOrigin : Number(hrtime.bigint()) / 1e6 - performance.now()
}
