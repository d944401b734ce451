/**
 * Watches plain accesses: a control word is never touched plainly, and payload only where an atomic word orders it.
 *
 * Interleavings at the grain of atomic operations are the whole story only for code without data races; this is what
 * finds them. Each thread keeps a vector clock; an atomic write leaves its thread's clock with the word, an atomic read
 * takes the word's. An access races with an earlier one of another thread that its thread does not know of, where one of
 * the two writes and one of the two is plain (Flanagan and Freund, FastTrack, PLDI 2009).
 *
 * The engine gets proxies of its memories. They cost some 200 ns an access, so schedules are watched up to a bound of
 * pre-emptions: a race shows on any schedule that holds both accesses, whatever comes between.
 */

import { MAX_THREADS } from '../../src/testing/schedules/machine.ts'
import { type Area, allowances, areaOf, type Layout } from './areas.ts'

type Words = Int32Array

/** Marks are run * TIMES + time; a mark of an earlier run says nothing. */
const TIMES = 2 ** 20

/** Last accesses by word and thread, `thread * words + word`, and the clock that the last atomic write left there. */
interface Marks {
  readonly words: number
  readonly plainWrites: Float64Array
  readonly plainReads: Float64Array
  readonly atomicWrites: Float64Array
  readonly atomicReads: Float64Array
  /** Row of `released` that is the word's, and the run it is of. */
  readonly row: Int32Array
  readonly rowRun: Int32Array
}

export interface ClockBuffers {
  readonly marks: readonly Marks[]
  /** What each thread knows of each, in steps: `knower * MAX_THREADS + known`. */
  readonly known: Words
  /** Clocks that atomic writes left. The first word counts them. */
  readonly released: Words
}

const MOST_RELEASED = 1 << 15

export const newClocks = (words: readonly number[]): ClockBuffers => {
  const floats = (count: number) => new Float64Array(new SharedArrayBuffer(count * 8))
  const ints = (count: number) => new Int32Array(new SharedArrayBuffer(count * 4))
  return {
    marks: words.map((count) => ({
      words: count,
      plainWrites: floats(count * MAX_THREADS),
      plainReads: floats(count * MAX_THREADS),
      atomicWrites: floats(count * MAX_THREADS),
      atomicReads: floats(count * MAX_THREADS),
      row: ints(count),
      rowRun: ints(count),
    })),
    known: ints(MAX_THREADS * MAX_THREADS),
    released: ints(1 + MOST_RELEASED * MAX_THREADS),
  }
}

/** Forgets what threads know of each other: a new run begins, and main's writes are known to all. */
export const resetClocks = (buffers: ClockBuffers): void => {
  buffers.known.fill(0)
  buffers.released[0] = 0
}

class Clocks {
  #run = 0
  #step: () => number = () => 0
  #buffers: ClockBuffers | undefined

  begin(buffers: ClockBuffers, run: number, step: () => number): void {
    this.#buffers = buffers
    this.#run = run
    this.#step = step
  }

  get #all(): ClockBuffers {
    return this.#buffers as ClockBuffers
  }

  /** True where `thread` knows of the atomic write that `other` made in `step`. */
  knows(thread: number, other: number, step: number): boolean {
    return thread === other || this.#all.known[thread * MAX_THREADS + other] > step
  }

  acquire(thread: number, memory: number, index: number): void {
    const { marks, known, released } = this.#all
    const m = marks[memory]
    m.atomicReads[thread * m.words + index] = this.#mark()
    if (m.rowRun[index] !== this.#run) return
    const row = m.row[index]
    for (let t = 0; t < MAX_THREADS; t++) {
      const mine = thread * MAX_THREADS + t
      if (released[row + t] > known[mine]) known[mine] = released[row + t]
    }
  }

  release(thread: number, memory: number, index: number): void {
    const { marks, known, released } = this.#all
    const m = marks[memory]
    m.atomicWrites[thread * m.words + index] = this.#mark()
    if (m.rowRun[index] !== this.#run) {
      m.rowRun[index] = this.#run
      m.row[index] = 1 + released[0]++ * MAX_THREADS
    }
    known[thread * MAX_THREADS + thread] = this.#step() + 1
    for (let t = 0; t < MAX_THREADS; t++) released[m.row[index] + t] = known[thread * MAX_THREADS + t]
  }

  #mark(): number {
    return this.#run * TIMES + this.#step()
  }

  /** True where another thread made an access, noted in `marks`, that `thread` does not know of. */
  #races(thread: number, marks: Float64Array, words: number, index: number): boolean {
    const from = this.#run * TIMES
    for (let t = 0; t < MAX_THREADS; t++) {
      const time = marks[t * words + index] - from
      if (t !== thread && time >= 0 && this.#all.known[thread * MAX_THREADS + t] <= time) return true
    }
    return false
  }

  /** Notes a plain access; true where it races. */
  plain(thread: number, memory: number, index: number, writes: boolean): boolean {
    const m = this.#all.marks[memory]
    const { words } = m
    const own = writes ? m.plainWrites : m.plainReads
    own[thread * words + index] = this.#mark()
    if (this.#races(thread, m.plainWrites, words, index) || this.#races(thread, m.atomicWrites, words, index))
      return true
    return (
      writes && (this.#races(thread, m.plainReads, words, index) || this.#races(thread, m.atomicReads, words, index))
    )
  }

  /** The plain access that an atomic one, after `acquire` where it reads, races with. */
  atomic(thread: number, memory: number, index: number, writes: boolean): 'read' | 'write' | undefined {
    const m = this.#all.marks[memory]
    if (this.#races(thread, m.plainWrites, m.words, index)) return 'write'
    return writes && this.#races(thread, m.plainReads, m.words, index) ? 'read' : undefined
  }
}

/** This thread's clocks. */
export const clocks = new Clocks()

const allowed = (area: Area, writes: boolean, racing: boolean): boolean =>
  allowances.some((a) => a.area === area && a.access !== (writes ? 'read' : 'write') && (a.racing || !racing))

/** Says what an access breaks, or nothing. */
export const breach = (memory: number, index: number, writes: boolean, races: boolean, layout: Layout): string => {
  const area = areaOf(memory, index, layout)
  if (area === 'payload' ? !races : allowed(area, writes, races)) return ''
  const what = `${writes ? 'write' : 'read'} of ${area} word ${index} of memory ${memory}`
  return races ? `a plain ${what} that nothing orders` : `a plain ${what}`
}

/** A memory's words as the engine sees them while it is watched: each plain access of an element is reported first. */
export const watched = (words: Words, report: (index: number, writes: boolean) => void): Words =>
  new Proxy(words, {
    get(target, property) {
      if (typeof property === 'string' && property.charCodeAt(0) <= 57) {
        const index = Number(property)
        report(index, false)
        return target[index]
      }
      const value = Reflect.get(target, property, target) as unknown
      return typeof value === 'function' ? value.bind(target) : value
    },
    set(target, property, value) {
      const index = Number(property)
      report(index, true)
      target[index] = value as number
      return true
    },
  })
