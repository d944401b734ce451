/**
 * The state of a run in virtual time, shared by what workers do (blockStm.ts) and by the commit stage (virtualCommits.ts).
 *
 * Time is microseconds; what happens next comes out of a heap. A worker is a row of numbers, as are places.
 */
import type { RunGraph } from './graph.ts'
import { Heap } from './heap.ts'
import type { Overheads } from './overheads.ts'

export interface BlockStmOptions {
  readonly workers: number
  readonly speculation: 'auto' | 'always'
  readonly overheads: Overheads
  /** Microseconds of each place on the sequential path, and in multi-version memory. */
  readonly cost: Float64Array
  readonly work: Float64Array
  /** Microseconds that committing each place takes. */
  readonly commits: Float64Array
  /** Whether places are left for the committer where they are short (docs/algorithm.md, D7). */
  readonly reserves: boolean
  /** Whether the first worker begins alone (D10). */
  readonly light: boolean
  /** The same for queues of payments, which go on so where they are too short for speculation. */
  readonly queues: boolean
  /** Of each place in a row where the row ends, 0 of others (D13). */
  readonly rowEnds: Int32Array
}

export interface Tally {
  /** Microseconds. */
  readonly makespan: number
  readonly executions: number
  readonly aborts: number
  readonly waits: number
  /** Places that the sequential path ran. */
  readonly fallback: number
  /** Microseconds in which workers executed or committed, summed over them. */
  readonly busy: number
  /** Microseconds of executions that were thrown away. */
  readonly wasted: number
}

export const Status = { Ready: 0, Executed: 1, Deferred: 2, Reserved: 3 } as const
export const Event = { Turn: 0, Read: 1, Timeout: 2, Executed: 3, Next: 4, Committed: 5, Stretched: 6 } as const
export const EVENTS = 8

/** One worker: what it has claimed and what it is at. */
export interface Worker {
  joined: boolean
  chunk: number
  calm: number
  claimFirst: number
  claimNext: number
  claimEnd: number
  claimBegan: number
  waitedInClaim: boolean
  place: number
  began: number
  waited: number
  /** Next edge of the place to look at. */
  edge: number
  /** Location of the first read that came too early, -1 where none did. */
  bad: number
  waitingSince: number
  /** Counts waits, so that a late timeout is known as one. */
  token: number
  /** May commit what others executed, in the commit stage that it is in. */
  anybodys: boolean
  /** Places that it leads at the cursor, -1 where it leads none. */
  leads: number
}

/** Claims without a wait after which a worker claims several places at once. */
export const CALM_CLAIMS = 32

export abstract class VirtualRun {
  protected readonly graph: RunGraph
  protected readonly options: BlockStmOptions
  protected readonly count: number
  protected readonly events = new Heap()
  protected readonly workers: Worker[]
  protected readonly idle: number[] = []
  protected readonly parked: number[] = []
  protected readonly waiting = new Set<number>()
  protected readonly waiterOf: Int32Array
  protected readonly status: Uint8Array
  protected readonly owner: Int32Array
  protected readonly published: Uint8Array
  protected readonly valid: Uint8Array
  protected readonly estimate: Uint8Array
  protected readonly badAt: Int32Array
  protected readonly watched = new Set<number>()
  protected joined = 0
  protected next = 0
  protected cursor = 0
  /** The commit cursor as others see it: it is moved every few places. */
  protected visible = 0
  /** Where speculation began, or began again. */
  protected resumed = 0
  protected holder = -1
  protected moved = false
  protected draining = -1
  protected judgedCommits = 0
  protected judgedAborts = 0
  protected stretch = 0
  protected stretchEnd = 0
  protected end = 0
  protected executions = 0
  protected aborts = 0
  protected waits = 0
  protected fallback = 0
  protected busy = 0
  protected wasted = 0

  constructor(graph: RunGraph, options: BlockStmOptions) {
    this.graph = graph
    this.options = options
    this.count = graph.places.length
    this.workers = Array.from({ length: options.workers }, idleWorker)
    this.waiterOf = new Int32Array(this.count).fill(-1)
    this.status = new Uint8Array(this.count)
    this.owner = new Int32Array(this.count)
    this.published = new Uint8Array(this.count)
    this.valid = new Uint8Array(this.count)
    this.estimate = new Uint8Array(this.count)
    this.badAt = new Int32Array(this.count).fill(-1)
  }

  protected at(time: number, w: number, event: number): void {
    this.events.push(time, w * EVENTS + event)
  }

  protected work(place: number): number {
    return this.options.work[place]
  }

  /**
   * Whether a read of what `on` wrote gives what it gives in the end. Of an incarnation that will be thrown away that
   * is taken to hold as well, but where it had read the same location too early: then its value is made of a wrong one.
   */
  protected holds(on: number, location: number): boolean {
    if (this.valid[on] === 1) return true
    const isReadable = this.published[on] === 1 && this.estimate[on] === 0
    return isReadable && this.badAt[on] >= 0 && this.badAt[on] !== location
  }
}

const idleWorker = (): Worker => ({
  joined: false,
  chunk: 1,
  calm: CALM_CLAIMS,
  claimFirst: 0,
  claimNext: 0,
  claimEnd: 0,
  claimBegan: 0,
  waitedInClaim: false,
  place: 0,
  began: 0,
  waited: 0,
  edge: 0,
  bad: -1,
  waitingSince: 0,
  token: 0,
  anybodys: false,
  leads: -1,
})
