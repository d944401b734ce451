/** One clock for all threads: each thread's `performance.now()` counts from its own beginning. */

interface NodeProcess {
  cpuUsage?(): { readonly user: number; readonly system: number }
  readonly hrtime?: { bigint(): bigint }
}

const READINGS = 8

/** Milliseconds to add to `performance.now()` of this thread. The sum means nothing but in comparison. */
export const clockOffset = (): number => {
  const hrtime = (globalThis as { process?: NodeProcess }).process?.hrtime
  // A thread's time origin is a wall clock's reading, which may be set; Node's counter is the same for all threads.
  if (hrtime === undefined) return performance.timeOrigin
  // A thread that is interrupted between two clocks would be off by that; the closest of a few readings is not.
  let offset = 0
  let closest = Number.POSITIVE_INFINITY
  for (let k = 0; k < READINGS; k++) {
    const before = performance.now()
    const counter = Number(hrtime.bigint()) / 1e6
    const after = performance.now()
    if (after - before >= closest) continue
    closest = after - before
    offset = counter - (before + after) / 2
  }
  return offset
}

/**
 * Milliseconds that all threads of this process have had a core; undefined in browsers. Linux and others count a thread
 * that runs on another core only every so often, 4 ms on most, so of a shorter time this says little.
 */
export const cpuMilliseconds = (): number | undefined => {
  const usage = (globalThis as { process?: NodeProcess }).process?.cpuUsage?.()
  return usage === undefined ? undefined : (usage.user + usage.system) / 1000
}
