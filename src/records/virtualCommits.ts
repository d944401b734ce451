/**
 * The commit stage of a run in virtual time, and how it gives way to the sequential path (executor/runParts.ts,
 * scheduler/judge.ts).
 */
import { Event, Status, VirtualRun } from './virtualRun.ts'

/** Constants of the engine; the names are those of their owners there. */
const ADVANCE_EVERY = 16
const SAMPLE = 32
const LOSING_SHARE = 0.45
const FIRST_STRETCH = 128

export abstract class VirtualCommits extends VirtualRun {
  /** Something that readers wait for has happened. */
  protected abstract lookAgain(now: number): void
  protected abstract commitByIdle(now: number): void
  /** Lets one idle worker go on. */
  protected abstract wakeIdle(now: number): void
  protected abstract turn(w: number, now: number): void
  protected abstract afterCommits(w: number, now: number): void

  // ---- the commit stage ----

  /** Takes the lock and begins with what stands at the cursor; false where it may not, or there is nothing. */
  protected commitStage(w: number, anybodys: boolean, now: number): boolean {
    if (this.holder >= 0 || !this.mayCommit(w, anybodys)) return false
    this.holder = w
    this.moved = false
    this.workers[w].anybodys = anybodys
    this.commitNext(w, now)
    return true
  }

  protected mayCommit(w: number, anybodys: boolean): boolean {
    if (this.cursor >= this.count || this.draining >= 0) return false
    const status = this.status[this.cursor]
    return (
      status === Status.Deferred ||
      status === Status.Reserved ||
      (status === Status.Executed && (anybodys || this.owner[this.cursor] === w))
    )
  }

  protected commitNext(w: number, now: number): void {
    const place = this.cursor
    const commit = this.options.commits[place]
    if (this.status[place] === Status.Reserved) {
      // It keeps no read set and needs no validation, but fetches what others wrote last: in records of transfers and
      // tokens it takes what a speculative place takes, its commit included.
      const work = this.work(place)
      this.valid[place] = 1
      this.executions++
      this.busy += work
      this.at(now + work, w, Event.Committed)
      return
    }
    if (this.valid[place] === 1) {
      this.busy += commit
      this.at(now + commit, w, Event.Committed)
      return
    }
    if (this.badAt[place] >= 0) this.watched.add(this.badAt[place])
    if (this.published[place] === 1) this.estimate[place] = 1
    this.aborts++
    this.executions++
    this.judgedAborts++
    this.wasted += this.work(place)
    this.busy += this.work(place) + commit
    this.advance(now)
    this.at(now + this.work(place) + commit, w, Event.Committed)
  }

  protected advance(now: number): void {
    if (this.visible === this.cursor) return
    this.visible = this.cursor
    this.lookAgain(now)
    this.wakeIdle(now)
  }

  protected committed(w: number, now: number): void {
    const place = this.cursor++
    const again = this.valid[place] === 0
    this.status[place] = Status.Executed
    this.valid[place] = 1
    this.published[place] = 1
    this.moved = true
    this.judgedCommits++
    this.end = now
    if (this.estimate[place] === 1) {
      this.estimate[place] = 0
      this.lookAgain(now)
    }
    if (again && this.loses()) {
      this.fallBack(w, now)
      return
    }
    if ((this.cursor & (ADVANCE_EVERY - 1)) === 0) this.advance(now)
    if (this.mayCommit(w, this.workers[w].anybodys)) this.commitNext(w, now)
    else this.release(w, now)
  }

  protected release(w: number, now: number): void {
    this.holder = -1
    this.advance(now)
    const { anybodys } = this.workers[w]
    if ((anybodys || this.moved) && this.commitStage(w, anybodys, now)) return
    this.commitByIdle(now)
    this.afterCommits(w, now)
  }

  // ---- giving way to the sequential path (scheduler/judge.ts) ----

  protected loses(): boolean {
    if (this.judgedCommits < SAMPLE) return false
    const loses = this.judgedAborts >= LOSING_SHARE * this.judgedCommits
    this.judgedCommits = 0
    this.judgedAborts = 0
    return loses && this.options.speculation === 'auto' && this.cursor < this.count
  }

  protected fallBack(w: number, now: number): void {
    this.draining = w
    this.visible = this.cursor
    this.lookAgain(now)
    this.beginStretch(now)
  }

  protected park(w: number, now: number): void {
    this.parked.push(w)
    this.beginStretch(now)
  }

  /** Once nobody else executes, the holder of the lock runs a stretch alone. */
  protected beginStretch(now: number): void {
    if (this.parked.length + this.idle.length < this.joined - 1 || this.stretchEnd > this.cursor) return
    this.stretch = this.stretch === 0 ? FIRST_STRETCH : this.stretch * 4
    this.stretchEnd = Math.min(this.cursor + this.stretch, this.count)
    const claimed = Math.min(this.next, this.count)
    for (let place = this.cursor; place < Math.max(claimed, this.stretchEnd); place++) {
      if (this.published[place] === 1) this.wasted += this.work(place)
      this.status[place] = Status.Ready
      this.published[place] = 0
      this.valid[place] = 0
      this.badAt[place] = -1
    }
    let time = 0
    for (let place = this.cursor; place < this.stretchEnd; place++) {
      time += this.options.cost[place] + this.options.overheads.sequential
    }
    this.fallback += this.stretchEnd - this.cursor
    this.executions += this.stretchEnd - this.cursor
    this.busy += time
    this.at(now + time, this.draining, Event.Stretched)
  }

  protected stretched(w: number, now: number): void {
    for (; this.cursor < this.stretchEnd; this.cursor++) {
      this.status[this.cursor] = Status.Executed
      this.valid[this.cursor] = 1
      this.published[this.cursor] = 1
    }
    this.next = this.cursor
    this.visible = this.cursor
    this.resumed = this.cursor
    this.end = now
    this.draining = -1
    this.holder = -1
    for (const parked of this.parked.splice(0)) this.at(now, parked, Event.Turn)
    this.workers[w].claimEnd = this.workers[w].claimNext
    this.workers[w].chunk = 1
    this.turn(w, now)
    this.wakeIdle(now)
  }
}
