/**
 * Whether workers let the cores idle: then their places sleep, and a pool with more workers than cores gains by calling
 * all of them (docs/algorithm.md D11).
 *
 * A run is looked at while it goes on, and all of it afterwards, so that the next one need not find out anew.
 * Concurrency: main thread.
 */
import { cpuMilliseconds } from '../platform/clock.ts'

/** Milliseconds between two looks; what a shorter time took of the cores is not told (platform/clock.ts). */
const LOOK = 10
/** Share of the cores below which the workers that are called let them idle. */
const IDLE = 0.4
/**
 * Share from which on workers are taken to compute after all. Thirty-two that sleep 2 ms at a time take two fifths of two
 * cores, by their own turns alone; as many that compute take all that other processes leave.
 */
const BUSY = 0.8

/** Readings, in milliseconds, of a clock and of what all threads of the process have had of the cores. */
export interface CoreClock {
  now(): number
  used(): number
}

const processClock: CoreClock = { now: () => performance.now(), used: () => cpuMilliseconds() ?? 0 }

export class IdleCores {
  /** True where places slept: the next run begins with everybody. */
  sleeping = false
  readonly #cores: number
  readonly #clock: CoreClock
  #looks: ReturnType<typeof setInterval> | undefined
  #began = 0
  #usedBefore = 0
  /** Of runs since the last verdict, for one alone may be too short for one. */
  #ms = 0
  #used = 0

  constructor(cores: number, clock = processClock) {
    this.#cores = cores
    this.#clock = clock
  }

  /** Watches a run; `onIdle` is called once, where the cores idle. */
  begin(onIdle: () => void): void {
    const clock = this.#clock
    this.#began = clock.now()
    this.#usedBefore = clock.used()
    if (this.sleeping) return
    let since = this.#began
    let before = this.#usedBefore
    this.#looks = setInterval(() => {
      const [now, used] = [clock.now(), clock.used()]
      if (this.#share(used - before, now - since) < IDLE) {
        this.sleeping = true
        clearInterval(this.#looks)
        onIdle()
      }
      since = now
      before = used
    }, LOOK)
  }

  /** Ends the watch. */
  end(): void {
    clearInterval(this.#looks)
    this.#ms += this.#clock.now() - this.#began
    this.#used += this.#clock.used() - this.#usedBefore
    if (this.#ms < LOOK) return
    const share = this.#share(this.#used, this.#ms)
    this.sleeping = this.sleeping ? share < BUSY : share < IDLE
    this.#ms = 0
    this.#used = 0
  }

  #share(used: number, ms: number): number {
    return used / (ms * this.#cores)
  }
}
