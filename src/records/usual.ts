/** The mean of times among which some are not what was to be measured: idleness, or another program on the core. */

/** Samples below which a default is better than a measurement. */
const FEW = 8
/** What is this many times longer than most is something else, and counts as this long. */
const UNUSUAL = 4

/** Mean, with what is unusually long cut off; undefined where there are few. */
export function usual(values: readonly number[]): number | undefined {
  if (values.length < FEW) return undefined
  const some = values.filter((value) => value > 0).sort((a, b) => a - b)
  const most = UNUSUAL * (some[Math.floor(some.length * 0.75)] ?? 0)
  return values.reduce((sum, value) => sum + Math.min(value, most), 0) / values.length
}
