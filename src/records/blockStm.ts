/**
 * Block-STM as this engine does it, in virtual time: a discrete-event simulation of its workers.
 *
 * It follows executor/blockRun.ts and scheduler/scheduler.ts step by step: claims in preset order at most a window ahead,
 * claims sized by the clock and extended over rows, one worker that begins a light run alone, validation at the commit
 * cursor by whoever may commit, execution again on the spot, waits at watched locations and estimates, places left for the
 * committer, and giving way to the sequential path. What it does not know are values: a read is valid when the write that
 * it needs was published before it (`holds` says by whom).
 *
 * Not modelled: restarts of an execution, contention of many workers for one cache line or for memory bandwidth, and workers that park.
 * Cost: a few events a place and a reader that waits, each a push to a heap: 10,000 places at 1,024 workers take some
 * ten milliseconds (test/property/simulate.property.ts runs them).
 */

import { EXTENDED_BELOW } from '../core/rows.ts'
import type { RunGraph } from './graph.ts'
import { VirtualCommits } from './virtualCommits.ts'
import { type BlockStmOptions, CALM_CLAIMS, EVENTS, Event, Status, type Tally, type Worker } from './virtualRun.ts'

/** Constants of the engine; the names are those of their owners there. */
const WINDOW = 512
const WARY_WINDOW = 64
const CLAIM_MICROSECONDS = 60
const LARGEST_CHUNK = 24
const LEAST_SHARED = 4
const OWN_COMMITS = 4
/** Of a worker that begins alone, microseconds but the last. */
const FIRST_LOOK = 100
const WORTH_CALLING = 500
const WORTH_SPECULATING = 10
const UNCOUNTED = 8
const BETWEEN_LOOKS = 20
const LEAST_BETWEEN_LOOKS = 4
/** Most that a reader of a watched location waits. */
const WATCH_MICROSECONDS = 40

export function simulateBlockStm(graph: RunGraph, options: BlockStmOptions): Tally {
  return new BlockStm(graph, options).run()
}

class BlockStm extends VirtualCommits {
  run(): Tally {
    const { overheads, workers, light, queues } = this.options
    const events = this.events
    const begun = light || queues ? this.alone(overheads.wake) : overheads.wake
    for (let w = 0; w < workers; w++) {
      events.push(begun + Math.floor(Math.log2(w + 1)) * overheads.wakeNext, w * EVENTS + Event.Turn)
    }
    while (events.size > 0 && this.cursor < this.count) {
      const now = events.key
      this.handle(events.pop(), now)
    }
    return {
      makespan: this.end + overheads.finish,
      executions: this.executions,
      aborts: this.aborts,
      waits: this.waits,
      fallback: this.fallback,
      busy: this.busy,
      wasted: this.wasted,
    }
  }

  /** The first worker runs places by the oracle until waking the others pays, or all are done; returns when. */
  protected alone(began: number): number {
    let now = began
    let looks = 1
    let counted = 0
    let since = began
    while (this.cursor < this.count) {
      now += this.options.cost[this.cursor] + this.options.overheads.sequential
      this.cursor++
      if (this.cursor < looks && this.cursor < this.count) continue
      const between = Math.floor((BETWEEN_LOOKS * this.cursor) / (now - since))
      looks = this.cursor + Math.min(this.cursor, Math.max(LEAST_BETWEEN_LOOKS, between))
      if (this.options.queues && this.cursor <= UNCOUNTED) {
        counted = this.cursor
        since = now
        continue
      }
      const elapsed = now - since
      const pace = elapsed / (this.cursor - counted)
      const isWorthIt = !this.options.queues || pace >= WORTH_SPECULATING
      if (elapsed >= FIRST_LOOK && pace * (this.count - this.cursor) >= WORTH_CALLING && isWorthIt) break
    }
    const { cursor } = this
    this.executions = cursor
    this.busy = now - began
    this.status.fill(Status.Executed, 0, cursor)
    this.valid.fill(1, 0, cursor)
    this.published.fill(1, 0, cursor)
    this.next = cursor
    this.visible = cursor
    this.resumed = cursor
    this.end = now
    return now
  }

  protected handle(item: number, now: number): void {
    const event = item % EVENTS
    const rest = (item - event) / EVENTS
    const w = rest % this.options.workers
    if (event === Event.Turn) this.turn(w, now)
    else if (event === Event.Read) this.read(w, now)
    else if (event === Event.Timeout) this.timeout(w, (rest - w) / this.options.workers, now)
    else if (event === Event.Executed) this.executed(w, now)
    else if (event === Event.Next) this.afterPlace(w, now)
    else if (event === Event.Committed) this.committed(w, now)
    else this.stretched(w, now)
  }

  // ---- a worker's turns ----

  protected turn(w: number, now: number): void {
    const worker = this.workers[w]
    if (!worker.joined) {
      worker.joined = true
      this.joined++
    }
    if (this.draining >= 0) {
      this.park(w, now)
      return
    }
    if (this.options.reserves && this.next === this.cursor && this.holder < 0 && this.next < this.count) {
      this.reserve(worker.chunk)
      worker.claimBegan = now
      worker.leads = worker.chunk
      this.commitStage(w, true, now)
      return
    }
    if (this.claimable()) {
      const size = this.taper(worker.chunk)
      this.reserve(this.share(size))
      worker.claimFirst = Math.min(this.next, this.count)
      worker.claimNext = worker.claimFirst
      this.next += size
      worker.claimEnd = Math.min(this.next, this.count)
      if (size < EXTENDED_BELOW && worker.calm >= CALM_CLAIMS) this.extend(worker)
      worker.claimBegan = now
      worker.waitedInClaim = false
      if (worker.claimNext < worker.claimEnd) {
        this.execute(w, now)
        this.wakeIdle(now)
        return
      }
    }
    if (this.commitStage(w, true, now)) return
    this.idle.push(w)
  }

  /** Extends a claim over the rest of the row that its last place is in. */
  protected extend(worker: Worker): void {
    const { claimEnd } = worker
    const share = Math.floor((this.count - claimEnd) / this.options.workers)
    const to = Math.min(this.options.rowEnds[claimEnd - 1] ?? 0, claimEnd + share, this.visible + this.window())
    if (to <= claimEnd) return
    worker.claimEnd = to
    this.next = to
  }

  protected claimable(): boolean {
    return this.draining < 0 && this.next < this.count && this.next - this.visible < this.window()
  }

  /** Places that claims may run ahead of the commit cursor. */
  protected window(): number {
    if (this.options.speculation === 'always') return WINDOW
    return Math.min(WINDOW, WARY_WINDOW + this.visible - this.resumed)
  }

  /** A claim gets smaller towards the end, so that all share the last places. */
  protected taper(chunk: number): number {
    const others = this.options.workers - 1
    if (others === 0) return chunk
    return Math.max(1, Math.min(chunk, Math.floor((this.count - this.next) / (4 * others))))
  }

  /** Places to leave for the committer before a claim, the fewer the further claims have run ahead of it. */
  protected share(chunk: number): number {
    if (!this.options.reserves || chunk < LEAST_SHARED) return 0
    const left = 1 - (this.next - this.visible) / WINDOW
    return Math.max(0, Math.floor((chunk * left) / (this.options.workers - 1)))
  }

  protected reserve(places: number): void {
    const end = Math.min(this.next + places, this.count)
    for (let place = this.next; place < end; place++) this.status[place] = Status.Reserved
    this.next = end
  }

  /** Lets one idle worker go on; it wakes the next one if there is more to claim. */
  protected wakeIdle(now: number): void {
    if (this.idle.length > 0 && this.claimable()) this.at(now, this.idle.pop() as number, Event.Turn)
  }

  /** Idle workers commit whatever is due. */
  protected commitByIdle(now: number): void {
    if (this.holder >= 0 || this.idle.length === 0 || this.cursor >= this.count) return
    if (this.status[this.cursor] === Status.Ready) return
    const w = this.idle.pop() as number
    if (!this.commitStage(w, true, now)) this.idle.push(w)
  }

  protected execute(w: number, now: number): void {
    const worker = this.workers[w]
    worker.place = worker.claimNext++
    worker.began = now
    worker.waited = 0
    worker.edge = 0
    worker.bad = -1
    this.executions++
    this.goOn(w)
  }

  /** Schedules the next read whose write is not there yet, or the end of the place. */
  protected goOn(w: number): void {
    const worker = this.workers[w]
    const work = this.work(worker.place)
    const edges = this.graph.needs[worker.place]
    while (worker.edge < edges.length && this.holds(edges[worker.edge].on, edges[worker.edge].location)) worker.edge++
    const begun = worker.began + worker.waited
    if (worker.edge < edges.length) this.at(begun + edges[worker.edge].at * work, w, Event.Read)
    else this.at(begun + work, w, Event.Executed)
  }

  protected read(w: number, now: number): void {
    const worker = this.workers[w]
    const { on, location } = this.graph.needs[worker.place][worker.edge]
    if (!this.holds(on, location) && this.mustWait(w)) {
      this.waits++
      worker.waitedInClaim = true
      worker.waitingSince = now
      worker.token++
      this.waiting.add(w)
      this.waiterOf[worker.place] = w
      const item = (worker.token * this.options.workers + w) * EVENTS + Event.Timeout
      if (this.estimate[on] === 0) this.events.push(now + WATCH_MICROSECONDS, item)
      return
    }
    this.readDone(w)
  }

  /** True while a reader waits: on an estimate, or at a watched location for its predecessor (mvmemory, `#awaitFinal`). */
  protected mustWait(w: number): boolean {
    if (this.draining >= 0) return false
    const { place, edge } = this.workers[w]
    const { on, location } = this.graph.needs[place][edge]
    if (this.estimate[on] === 1) return true
    if (!this.watched.has(location) || this.visible >= place) return false
    const before = this.status[place - 1] === Status.Executed || this.status[place - 1] === Status.Deferred
    return !(before && (this.published[on] === 0 || on < this.visible))
  }

  protected readDone(w: number): void {
    const worker = this.workers[w]
    const edge = this.graph.needs[worker.place][worker.edge]
    if (worker.bad < 0 && !this.holds(edge.on, edge.location)) worker.bad = edge.location
    worker.edge++
    this.goOn(w)
  }

  protected timeout(w: number, token: number, now: number): void {
    const worker = this.workers[w]
    if (this.waiting.has(w) && worker.token === token) this.resume(w, now)
  }

  protected resume(w: number, now: number): void {
    const worker = this.workers[w]
    this.waiting.delete(w)
    this.waiterOf[worker.place] = -1
    worker.waited += now - worker.waitingSince
    this.readDone(w)
  }

  /** Something that readers wait for has happened. */
  protected lookAgain(now: number): void {
    for (const w of this.waiting) if (!this.mustWait(w)) this.resume(w, now)
  }

  protected executed(w: number, now: number): void {
    const worker = this.workers[w]
    const { place } = worker
    this.busy += this.work(place) + this.options.overheads.speculative
    this.owner[place] = w
    if (this.graph.deferred[place]) this.status[place] = Status.Deferred
    else {
      this.status[place] = Status.Executed
      this.published[place] = 1
      this.valid[place] = worker.bad < 0 ? 1 : 0
      this.badAt[place] = worker.bad
    }
    const waiter = place + 1 < this.count ? this.waiterOf[place + 1] : -1
    if (waiter >= 0 && !this.mustWait(waiter)) this.resume(waiter, now)
    if (place === this.cursor) this.commitByIdle(now)
    this.at(now + this.options.overheads.speculative, w, Event.Next)
  }

  protected afterPlace(w: number, now: number): void {
    const worker = this.workers[w]
    const ended = worker.claimNext >= worker.claimEnd
    if (ended || this.draining >= 0) this.endClaim(worker, now)
    const anybodys = worker.waitedInClaim || worker.chunk < OWN_COMMITS
    if ((worker.waitedInClaim || ended) && this.commitStage(w, anybodys, now)) return
    this.afterCommits(w, now)
  }

  protected afterCommits(w: number, now: number): void {
    const worker = this.workers[w]
    if (worker.leads >= 0) {
      worker.chunk = this.nextClaim(worker, worker.leads, now)
      worker.leads = -1
    }
    if (this.draining < 0 && worker.claimNext < worker.claimEnd) this.execute(w, now)
    else this.turn(w, now)
  }

  protected endClaim(worker: Worker, now: number): void {
    const size = worker.claimEnd - worker.claimFirst
    worker.claimEnd = worker.claimNext
    worker.calm = worker.waitedInClaim ? 0 : worker.calm + 1
    worker.chunk = this.nextClaim(worker, size, now)
  }

  /** Size of the claim after one of `size` places. */
  protected nextClaim({ calm, claimBegan }: Worker, size: number, now: number): number {
    if (calm < CALM_CLAIMS) return 1
    const chunk = Math.round((CLAIM_MICROSECONDS * size) / (now - claimBegan))
    return Math.max(1, Math.min(LARGEST_CHUNK, 2 * size, chunk))
  }
}
