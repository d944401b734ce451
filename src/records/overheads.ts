/**
 * What the engine adds to the places' own work, taken from a recorded run as far as the run can tell.
 *
 * A speculative run shows what lies between two executions of a worker and what a commit takes; a sequential one only the
 * former. What a run cannot show has a default, measured on the benchmark's workloads; `simulate` takes other ones.
 */
import { directTimes } from './direct.ts'
import { finalExecutions } from './graph.ts'
import type { ExecutionRecord, RunRecord } from './runRecord.ts'
import { usual } from './usual.ts'

/** Microseconds, but for `contention`. */
export interface Overheads {
  /** From the run's begin to the first execution. */
  readonly wake: number
  /** Each further level of the tree in which workers wake one another. */
  readonly wakeNext: number
  /** Between two places of the sequential path. */
  readonly sequential: number
  /** Between two places of a worker that speculates: publishing, claiming, a share of its clock readings. */
  readonly speculative: number
  /** What a place takes longer in multi-version memory; more for each read, and for each location that many write. */
  readonly slower: number
  readonly slowerRead: number
  readonly slowerCrowded: number
  /** What recording has added to a place, on the sequential path and in speculation, and there for each of its reads. */
  readonly recordedAlone: number
  readonly recordedRead: number
  readonly recorded: number
  /** Validating and committing one place, under the lock, and more of it for each of its reads. */
  readonly commit: number
  readonly commitRead: number
  /** By what share workers that run beside others take longer for all that they do in speculation (contention.ts). */
  readonly contention: number
  /** From the last commit to the run's end. */
  readonly finish: number
}

/**
 * Where a run cannot tell. What multi-version memory adds to a place is 0.55 us on one worker in all (docs/performance.md,
 * "What holds the goals that are missed"), most of it in the commit stage; waking is from the findings there. Of two
 * workers `slower` is what transfers recorded on two Xeon cores took longer than on one (2026-12-01): with the 0.15 us
 * of one worker in speculation, one worker was predicted from two a fifth too slow.
 */
export const DEFAULT_OVERHEADS: Overheads = {
  wake: 60,
  wakeNext: 40,
  sequential: 0.05,
  speculative: 0.1,
  slower: 0.3,
  slowerRead: 0.1,
  slowerCrowded: 0.35,
  recordedAlone: 0.1,
  recordedRead: 0.1,
  recorded: 0.15,
  commit: 0.1,
  commitRead: 0.1,
  contention: 0,
  finish: 10,
}

/** Commits in a row from which their time is theirs, and not the clock's. */
const COMMITS_IN_A_ROW = 4
/** Reads the overheads off a run; what it cannot show is taken from `DEFAULT_OVERHEADS`. */
export function overheadsOf(record: RunRecord): Overheads {
  const timelines = timelinesOf(record.executions)
  const commits = commitTimes(record)
  const { sequential, speculative, commit: seen } = gapsOf(timelines, commits)
  const commit = seen ?? directTimes(record, finalExecutions(record)).commit
  const starts = timelines.map((timeline) => timeline[0]?.start ?? 0).sort((a, b) => a - b)
  const called = record.run.light || record.run.queues ? endAlone(timelines) : starts[0]
  const last = Math.max(0, ...timelines.map((timeline) => timeline.at(-1)?.end ?? 0), commits.at(-1)?.at ?? 0)
  const { duration } = record.run
  return {
    ...DEFAULT_OVERHEADS,
    ...(starts.length > 0 && { wake: Math.max(0, starts[0]) }),
    ...(starts.length > 1 && { wakeNext: Math.max(0, starts[1] - called) }),
    ...(sequential !== undefined && { sequential }),
    ...(speculative !== undefined && { speculative }),
    ...(commit !== undefined && { commit, commitRead: 0 }),
    ...(duration !== undefined && { finish: Math.max(0, duration - last) }),
  }
}

interface Commit {
  readonly place: number
  readonly at: number
}

/** Each worker's executions by time. */
function timelinesOf(executions: readonly ExecutionRecord[]): ExecutionRecord[][] {
  const timelines = new Map<number, ExecutionRecord[]>()
  for (const execution of executions) {
    const timeline = timelines.get(execution.worker)
    if (timeline === undefined) timelines.set(execution.worker, [execution])
    else timeline.push(execution)
  }
  return [...timelines.values()].map((timeline) => timeline.sort((a, b) => a.start - b.start))
}

/** When the worker that began alone had run its last place so, or began to speculate without any. */
function endAlone(timelines: readonly (readonly ExecutionRecord[])[]): number {
  const [first] = timelines.toSorted((a, b) => (a[0]?.start ?? 0) - (b[0]?.start ?? 0))
  const next = first.findIndex(({ mode }) => mode !== 'sequential')
  return next === 0 ? first[0].start : (first[next < 0 ? first.length - 1 : next - 1]?.end ?? 0)
}

const commitTimes = (record: RunRecord): Commit[] =>
  record.places
    .flatMap((place) =>
      place?.committedAt === undefined || place.committed !== 'speculative'
        ? []
        : [{ place: place.place, at: place.committedAt }],
    )
    .sort((a, b) => a.at - b.at)

type Gaps = { readonly [Name in 'sequential' | 'speculative' | 'commit']: number | undefined }

/**
 * What lies between two executions of a worker. Commits are stamped when a worker leaves the commit stage, or every few
 * places: from the execution before to the last stamp is committing, the rest of the gap is everything else.
 */
function gapsOf(timelines: readonly (readonly ExecutionRecord[])[], commits: readonly Commit[]): Gaps {
  const sequential: number[] = []
  const speculative: number[] = []
  const each: number[] = []
  for (const timeline of timelines) {
    let at = 0
    for (let k = 1; k < timeline.length; k++) {
      const before = timeline[k - 1]
      const after = timeline[k]
      while (at < commits.length && commits[at].at < before.end) at++
      const first = at
      while (at < commits.length && commits[at].at <= after.start) at++
      const gap = Math.max(0, after.start - before.end)
      const committing = at > first ? commits[at - 1].at - before.end : 0
      // Where the clock was looked at less often there is no gap: what was committed is in the times of places (direct.ts).
      if (at - first >= COMMITS_IN_A_ROW && gap > 0) each.push(committing / (at - first))
      // What follows is idleness, or the work of others.
      if (before.outcome === 'waited') continue
      if (before.mode === 'sequential' && after.mode === 'sequential') sequential.push(gap)
      if (before.mode === 'speculative' && after.mode === 'speculative') speculative.push(gap - committing)
    }
  }
  return { sequential: usual(sequential), speculative: usual(speculative), commit: usual(each) }
}
