/** What `explain` tells of a run, as data: `blockloom explain --json` prints it. */
import type { LocationName } from './names.ts'
import type { RunRecord } from './runRecord.ts'

/** A place that was thrown away or that waited. */
export interface Affected {
  readonly place: number
  /** The lower place whose write it had not seen, or for which it waited. */
  readonly by: number
  readonly aborted: boolean
  /** Microseconds thrown away, or waited. */
  readonly lost: number
}

/** What one location did to the run. */
export interface Conflict extends LocationName {
  /** Incarnations thrown away for it. */
  readonly aborts: number
  /** Times a reader waited at it. */
  readonly waits: number
  /** Microseconds of what was thrown away, and of waits. */
  readonly wasted: number
  readonly waited: number
  /** Reads that needed a lower place's write: conflicts, whether they cost something in this run or not. */
  readonly dependencies: number
  readonly places: readonly Affected[]
}

/** A step of the critical path. */
export interface Step {
  readonly place: number
  /** What the place is, in words. */
  readonly name: string
  /** Microseconds of its own work. */
  readonly cost: number
  /** Over which location it needed the step before; undefined of the first. */
  readonly via: LocationName | undefined
}

/** What the run would be without the location that costs most. */
export interface Relief {
  readonly location: LocationName
  /** Microseconds of the critical path before and after. */
  readonly pathBefore: number
  readonly pathAfter: number
  /** Speed-up that any number of workers could give. */
  readonly boundBefore: number
  readonly boundAfter: number
  /** Microseconds on the run's workers, simulated. */
  readonly makespanBefore: number
  readonly makespanAfter: number
  readonly workers: number
}

/** Why a run took as long as it did. */
export interface Explanation {
  readonly label: string
  readonly kind: RunRecord['run']['kind']
  /** Places that ran to an end. */
  readonly places: number
  readonly workers: number
  /** Microseconds, as recorded; undefined where the trace breaks off. */
  readonly duration: number | undefined
  /** Microseconds of all places' own work. */
  readonly work: number
  readonly executions: number
  readonly aborts: number
  readonly waits: number
  /** Places that the sequential path ran. */
  readonly fallback: number
  /** What cost most first. */
  readonly conflicts: readonly Conflict[]
  readonly criticalPath: { readonly length: number; readonly share: number; readonly steps: readonly Step[] }
  readonly bound: {
    /** Work divided by the critical path: what any number of workers could gain, without overhead. */
    readonly speedup: number
    /** What this engine is simulated to reach at best, and with how many workers. */
    readonly reached: number
    readonly workers: number
  }
  readonly hottest: Relief | undefined
  readonly advice: readonly string[]
}
