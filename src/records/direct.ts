/**
 * What the times of places that the commit stage ran itself hide: the commits of others, made between two looks at the
 * clock.
 *
 * Such a place is compared with places of the same kind that ran in speculation. What it took longer is not its own work:
 * it is what committing took since the last look.
 *
 * Cost: linear in the record's executions.
 */
import type { ExecutionRecord, RunRecord } from './runRecord.ts'
import { usual } from './usual.ts'

/** Microseconds. */
export interface DirectTimes {
  /** Commits of others within the time of a place that the commit stage ran, by place. */
  readonly within: ReadonlyMap<number, number>
  /** What committing one place takes by that; undefined where a run does not show it. */
  readonly commit: number | undefined
}

/** Compares places of the same kind. `final` are the incarnations that counted, by place (graph.ts). */
export function directTimes(record: RunRecord, final: ReadonlyMap<number, ExecutionRecord>): DirectTimes {
  const kinds = new Map<string, Record<'direct' | 'speculative', ExecutionRecord[]>>()
  let committed = 0
  for (const [place, execution] of final) {
    const how = record.places[place]?.committed
    if (how === 'speculative') committed++
    if (how !== 'speculative' && how !== 'direct') continue
    // What took a look of its own was long, or stood at an end of a stretch.
    if (!execution.isShared) continue
    const kind = kindOf(record, execution)
    const alike = kinds.get(kind) ?? { direct: [], speculative: [] }
    alike[how].push(execution)
    kinds.set(kind, alike)
  }
  const within = new Map<number, number>()
  let hidden = 0
  for (const { direct, speculative } of kinds.values()) {
    const times = [usual(direct.map(timeOf)), usual(speculative.map(timeOf))]
    if (times[0] === undefined || times[1] === undefined) continue
    const more = Math.max(0, times[0] - times[1])
    hidden += more * direct.length
    for (const { place } of direct) within.set(place, more)
  }
  return { within, commit: within.size === 0 || committed === 0 ? undefined : hidden / committed }
}

/** Reads are not compared: in speculation a place asserts things that the commit stage knows. */
function kindOf(record: RunRecord, { place, writes }: ExecutionRecord): string {
  const { name, to, selector } = record.places[place] ?? {}
  return JSON.stringify([name, selector === undefined ? undefined : to, selector, writes.length])
}

const timeOf = ({ start, end }: ExecutionRecord): number => end - start
