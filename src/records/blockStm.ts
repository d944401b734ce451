/**
 * Block-STM as this engine does it, in virtual time: a discrete-event simulation of its workers.
 *
 * It follows executor/blockRun.ts and scheduler/scheduler.ts step by step: claims in preset order at most a window ahead,
 * claims sized by the clock, validation at the commit cursor by whoever may commit, execution again on the spot, waits
 * at watched locations and estimates, and giving way to the sequential path. What it does not know are values: a read is
 * valid when the write that it needs was published before it, and not valid otherwise.
 *
 * Not modelled: restarts of an execution, contention of many workers for one cache line or for memory bandwidth, and workers that park.
 * Cost: a few events a place and a reader that waits, each a push to a heap: 10,000 places at 1,024 workers take some
 * ten milliseconds (test/property/simulate.property.ts runs them).
 */
import type { RunGraph } from './graph.ts'
import { Heap } from './heap.ts'
import type { Overheads } from './overheads.ts'

/** Constants of the engine; the names are those of their owners there. */
const WINDOW = 512
const CLAIM_MICROSECONDS = 60
const LARGEST_CHUNK = 24
const OWN_COMMITS = 4
const CALM_CLAIMS = 32
const ADVANCE_EVERY = 16
const SAMPLE = 32
const LOSING_SHARE = 0.45
const FIRST_STRETCH = 128
/** Most that a reader of a watched location waits. */
const WATCH_MICROSECONDS = 40

export interface BlockStmOptions {
  readonly workers: number
  readonly speculation: 'auto' | 'always'
  readonly overheads: Overheads
  /** Microseconds of each place on the sequential path. */
  readonly cost: Float64Array
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

const Status = { Ready: 0, Executed: 1, Deferred: 2 } as const
const Event = { Turn: 0, Read: 1, Timeout: 2, Executed: 3, Next: 4, Committed: 5, Stretched: 6 } as const
const EVENTS = 8

/** One worker: what it has claimed and what it is at. */
interface Worker {
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
}

export function simulateBlockStm(graph: RunGraph, options: BlockStmOptions): Tally {
  return new BlockStm(graph, options).run()
}

class BlockStm {
  readonly #graph: RunGraph
  readonly #options: BlockStmOptions
  readonly #count: number
  readonly #events = new Heap()
  readonly #workers: Worker[]
  readonly #idle: number[] = []
  readonly #parked: number[] = []
  readonly #waiting = new Set<number>()
  readonly #waiterOf: Int32Array
  readonly #status: Uint8Array
  readonly #owner: Int32Array
  readonly #published: Uint8Array
  readonly #valid: Uint8Array
  readonly #estimate: Uint8Array
  readonly #badAt: Int32Array
  readonly #watched = new Set<number>()
  #joined = 0
  #next = 0
  #cursor = 0
  /** The commit cursor as others see it: it is moved every few places. */
  #visible = 0
  #holder = -1
  #moved = false
  #draining = -1
  #judgedCommits = 0
  #judgedAborts = 0
  #stretch = 0
  #stretchEnd = 0
  #end = 0
  #executions = 0
  #aborts = 0
  #waits = 0
  #fallback = 0
  #busy = 0
  #wasted = 0

  constructor(graph: RunGraph, options: BlockStmOptions) {
    this.#graph = graph
    this.#options = options
    this.#count = graph.places.length
    this.#workers = Array.from({ length: options.workers }, idleWorker)
    this.#waiterOf = new Int32Array(this.#count).fill(-1)
    this.#status = new Uint8Array(this.#count)
    this.#owner = new Int32Array(this.#count)
    this.#published = new Uint8Array(this.#count)
    this.#valid = new Uint8Array(this.#count)
    this.#estimate = new Uint8Array(this.#count)
    this.#badAt = new Int32Array(this.#count).fill(-1)
  }

  run(): Tally {
    const { overheads, workers } = this.#options
    const events = this.#events
    for (let w = 0; w < workers; w++) {
      events.push(overheads.wake + Math.floor(Math.log2(w + 1)) * overheads.wakeNext, w * EVENTS + Event.Turn)
    }
    while (events.size > 0 && this.#cursor < this.#count) {
      const now = events.key
      this.#handle(events.pop(), now)
    }
    return {
      makespan: this.#end + overheads.finish,
      executions: this.#executions,
      aborts: this.#aborts,
      waits: this.#waits,
      fallback: this.#fallback,
      busy: this.#busy,
      wasted: this.#wasted,
    }
  }

  #handle(item: number, now: number): void {
    const event = item % EVENTS
    const rest = (item - event) / EVENTS
    const w = rest % this.#options.workers
    if (event === Event.Turn) this.#turn(w, now)
    else if (event === Event.Read) this.#read(w, now)
    else if (event === Event.Timeout) this.#timeout(w, (rest - w) / this.#options.workers, now)
    else if (event === Event.Executed) this.#executed(w, now)
    else if (event === Event.Next) this.#afterPlace(w, now)
    else if (event === Event.Committed) this.#committed(w, now)
    else this.#stretched(w, now)
  }

  #at(time: number, w: number, event: number): void {
    this.#events.push(time, w * EVENTS + event)
  }

  // ---- a worker's turns ----

  #turn(w: number, now: number): void {
    const worker = this.#workers[w]
    if (!worker.joined) {
      worker.joined = true
      this.#joined++
    }
    if (this.#draining >= 0) {
      this.#park(w, now)
      return
    }
    if (this.#claimable()) {
      worker.claimFirst = this.#next
      worker.claimNext = this.#next
      this.#next += worker.chunk
      worker.claimEnd = Math.min(this.#next, this.#count)
      worker.claimBegan = now
      worker.waitedInClaim = false
      this.#execute(w, now)
      this.#wakeIdle(now)
      return
    }
    if (this.#commitStage(w, true, now)) return
    this.#idle.push(w)
  }

  #claimable(): boolean {
    return this.#draining < 0 && this.#next < this.#count && this.#next - this.#visible < WINDOW
  }

  /** Lets one idle worker go on; it wakes the next one if there is more to claim. */
  #wakeIdle(now: number): void {
    if (this.#idle.length > 0 && this.#claimable()) this.#at(now, this.#idle.pop() as number, Event.Turn)
  }

  /** Idle workers commit whatever is due. */
  #commitByIdle(now: number): void {
    if (this.#holder >= 0 || this.#idle.length === 0 || this.#cursor >= this.#count) return
    if (this.#status[this.#cursor] === Status.Ready) return
    const w = this.#idle.pop() as number
    if (!this.#commitStage(w, true, now)) this.#idle.push(w)
  }

  #work(place: number): number {
    return this.#options.cost[place] + this.#options.overheads.slower
  }

  #execute(w: number, now: number): void {
    const worker = this.#workers[w]
    worker.place = worker.claimNext++
    worker.began = now
    worker.waited = 0
    worker.edge = 0
    worker.bad = -1
    this.#executions++
    this.#goOn(w)
  }

  /** Schedules the next read whose write is not there yet, or the end of the place. */
  #goOn(w: number): void {
    const worker = this.#workers[w]
    const work = this.#work(worker.place)
    const edges = this.#graph.needs[worker.place]
    while (worker.edge < edges.length && this.#valid[edges[worker.edge].on] === 1) worker.edge++
    const begun = worker.began + worker.waited
    if (worker.edge < edges.length) this.#at(begun + edges[worker.edge].at * work, w, Event.Read)
    else this.#at(begun + work, w, Event.Executed)
  }

  #read(w: number, now: number): void {
    const worker = this.#workers[w]
    const { on } = this.#graph.needs[worker.place][worker.edge]
    if (this.#valid[on] === 0 && this.#mustWait(w)) {
      this.#waits++
      worker.waitedInClaim = true
      worker.waitingSince = now
      worker.token++
      this.#waiting.add(w)
      this.#waiterOf[worker.place] = w
      const item = (worker.token * this.#options.workers + w) * EVENTS + Event.Timeout
      if (this.#estimate[on] === 0) this.#events.push(now + WATCH_MICROSECONDS, item)
      return
    }
    this.#readDone(w)
  }

  /** True while a reader waits: on an estimate, or at a watched location for its predecessor (mvmemory, `#awaitFinal`). */
  #mustWait(w: number): boolean {
    if (this.#draining >= 0) return false
    const { place, edge } = this.#workers[w]
    const { on, location } = this.#graph.needs[place][edge]
    if (this.#estimate[on] === 1) return true
    if (!this.#watched.has(location) || this.#visible >= place) return false
    const before = this.#status[place - 1] !== Status.Ready
    return !(before && (this.#published[on] === 0 || on < this.#visible))
  }

  #readDone(w: number): void {
    const worker = this.#workers[w]
    const edge = this.#graph.needs[worker.place][worker.edge]
    if (this.#valid[edge.on] === 0 && worker.bad < 0) worker.bad = edge.location
    worker.edge++
    this.#goOn(w)
  }

  #timeout(w: number, token: number, now: number): void {
    const worker = this.#workers[w]
    if (this.#waiting.has(w) && worker.token === token) this.#resume(w, now)
  }

  #resume(w: number, now: number): void {
    const worker = this.#workers[w]
    this.#waiting.delete(w)
    this.#waiterOf[worker.place] = -1
    worker.waited += now - worker.waitingSince
    this.#readDone(w)
  }

  /** Something that readers wait for has happened. */
  #lookAgain(now: number): void {
    for (const w of this.#waiting) if (!this.#mustWait(w)) this.#resume(w, now)
  }

  #executed(w: number, now: number): void {
    const worker = this.#workers[w]
    const { place } = worker
    this.#busy += this.#work(place) + this.#options.overheads.speculative
    this.#owner[place] = w
    if (this.#graph.deferred[place]) this.#status[place] = Status.Deferred
    else {
      this.#status[place] = Status.Executed
      this.#published[place] = 1
      this.#valid[place] = worker.bad < 0 ? 1 : 0
      this.#badAt[place] = worker.bad
    }
    const waiter = place + 1 < this.#count ? this.#waiterOf[place + 1] : -1
    if (waiter >= 0 && !this.#mustWait(waiter)) this.#resume(waiter, now)
    if (place === this.#cursor) this.#commitByIdle(now)
    this.#at(now + this.#options.overheads.speculative, w, Event.Next)
  }

  #afterPlace(w: number, now: number): void {
    const worker = this.#workers[w]
    const ended = worker.claimNext >= worker.claimEnd
    if (ended || this.#draining >= 0) this.#endClaim(worker, now)
    const anybodys = worker.waitedInClaim || worker.chunk < OWN_COMMITS
    if ((worker.waitedInClaim || ended) && this.#commitStage(w, anybodys, now)) return
    this.#afterCommits(w, now)
  }

  #afterCommits(w: number, now: number): void {
    const worker = this.#workers[w]
    if (this.#draining < 0 && worker.claimNext < worker.claimEnd) this.#execute(w, now)
    else this.#turn(w, now)
  }

  #endClaim(worker: Worker, now: number): void {
    const size = worker.claimEnd - worker.claimFirst
    const each = (now - worker.claimBegan) / size
    worker.claimEnd = worker.claimNext
    worker.calm = worker.waitedInClaim ? 0 : worker.calm + 1
    const chunk = Math.round(CLAIM_MICROSECONDS / each)
    worker.chunk = worker.calm < CALM_CLAIMS ? 1 : Math.max(1, Math.min(LARGEST_CHUNK, 2 * size, chunk))
  }

  // ---- the commit stage ----

  /** Takes the lock and begins with what stands at the cursor; false where it may not, or there is nothing. */
  #commitStage(w: number, anybodys: boolean, now: number): boolean {
    if (this.#holder >= 0 || !this.#mayCommit(w, anybodys)) return false
    this.#holder = w
    this.#moved = false
    this.#workers[w].anybodys = anybodys
    this.#commitNext(w, now)
    return true
  }

  #mayCommit(w: number, anybodys: boolean): boolean {
    if (this.#cursor >= this.#count || this.#draining >= 0) return false
    const status = this.#status[this.#cursor]
    return status === Status.Deferred || (status === Status.Executed && (anybodys || this.#owner[this.#cursor] === w))
  }

  #commitNext(w: number, now: number): void {
    const place = this.#cursor
    const { commit } = this.#options.overheads
    if (this.#valid[place] === 1) {
      this.#busy += commit
      this.#at(now + commit, w, Event.Committed)
      return
    }
    if (this.#badAt[place] >= 0) this.#watched.add(this.#badAt[place])
    if (this.#published[place] === 1) this.#estimate[place] = 1
    this.#aborts++
    this.#executions++
    this.#judgedAborts++
    this.#wasted += this.#work(place)
    this.#busy += this.#work(place) + commit
    this.#advance(now)
    this.#at(now + this.#work(place) + commit, w, Event.Committed)
  }

  #advance(now: number): void {
    if (this.#visible === this.#cursor) return
    this.#visible = this.#cursor
    this.#lookAgain(now)
    this.#wakeIdle(now)
  }

  #committed(w: number, now: number): void {
    const place = this.#cursor++
    const again = this.#valid[place] === 0
    this.#status[place] = Status.Executed
    this.#valid[place] = 1
    this.#published[place] = 1
    this.#moved = true
    this.#judgedCommits++
    this.#end = now
    if (this.#estimate[place] === 1) {
      this.#estimate[place] = 0
      this.#lookAgain(now)
    }
    if (again && this.#loses()) {
      this.#fallBack(w, now)
      return
    }
    if ((this.#cursor & (ADVANCE_EVERY - 1)) === 0) this.#advance(now)
    if (this.#mayCommit(w, this.#workers[w].anybodys)) this.#commitNext(w, now)
    else this.#release(w, now)
  }

  #release(w: number, now: number): void {
    this.#holder = -1
    this.#advance(now)
    const { anybodys } = this.#workers[w]
    if ((anybodys || this.#moved) && this.#commitStage(w, anybodys, now)) return
    this.#commitByIdle(now)
    this.#afterCommits(w, now)
  }

  // ---- giving way to the sequential path (scheduler/judge.ts) ----

  #loses(): boolean {
    if (this.#judgedCommits < SAMPLE) return false
    const loses = this.#judgedAborts >= LOSING_SHARE * this.#judgedCommits
    this.#judgedCommits = 0
    this.#judgedAborts = 0
    return loses && this.#options.speculation === 'auto' && this.#cursor < this.#count
  }

  #fallBack(w: number, now: number): void {
    this.#draining = w
    this.#visible = this.#cursor
    this.#lookAgain(now)
    this.#beginStretch(now)
  }

  #park(w: number, now: number): void {
    this.#parked.push(w)
    this.#beginStretch(now)
  }

  /** Once nobody else executes, the holder of the lock runs a stretch alone. */
  #beginStretch(now: number): void {
    if (this.#parked.length + this.#idle.length < this.#joined - 1 || this.#stretchEnd > this.#cursor) return
    this.#stretch = this.#stretch === 0 ? FIRST_STRETCH : this.#stretch * 4
    this.#stretchEnd = Math.min(this.#cursor + this.#stretch, this.#count)
    const claimed = Math.min(this.#next, this.#count)
    for (let place = this.#cursor; place < Math.max(claimed, this.#stretchEnd); place++) {
      if (this.#published[place] === 1) this.#wasted += this.#work(place)
      this.#status[place] = Status.Ready
      this.#published[place] = 0
      this.#valid[place] = 0
      this.#badAt[place] = -1
    }
    let time = 0
    for (let place = this.#cursor; place < this.#stretchEnd; place++) {
      time += this.#options.cost[place] + this.#options.overheads.sequential
    }
    this.#fallback += this.#stretchEnd - this.#cursor
    this.#executions += this.#stretchEnd - this.#cursor
    this.#busy += time
    this.#at(now + time, this.#draining, Event.Stretched)
  }

  #stretched(w: number, now: number): void {
    for (; this.#cursor < this.#stretchEnd; this.#cursor++) {
      this.#status[this.#cursor] = Status.Executed
      this.#valid[this.#cursor] = 1
      this.#published[this.#cursor] = 1
    }
    this.#next = this.#cursor
    this.#visible = this.#cursor
    this.#end = now
    this.#draining = -1
    this.#holder = -1
    for (const parked of this.#parked.splice(0)) this.#at(now, parked, Event.Turn)
    this.#workers[w].claimEnd = this.#workers[w].claimNext
    this.#workers[w].chunk = 1
    this.#turn(w, now)
    this.#wakeIdle(now)
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
})
