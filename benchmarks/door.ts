/**
 * Is `core/atomics.ts`, the one door to `Atomics`, free? Times its functions against `Atomics` itself, against a plain
 * access, and against the same functions where V8 is forbidden to inline.
 *
 * `Atomics` operations are calls of builtins, so their price hides a call more or less unless it is measured apart: the
 * run without inlining (a process of its own, `--no-turbo-inlining`) shows what a door costs that stays a call. Whether
 * it was inlined is not guessed from times: V8 is asked (`--trace-turbo-inlining`).
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import * as atomics from '../src/core/atomics.ts'
import { median, round, table } from './report.ts'

/** Operations a loop: 30 ms of the dear ones. */
const COUNT = 1 << 22
const REPEATS = 15
/** Words walked through, 4 KiB: they stay in the first-level cache. */
const MASK = 1023

type Loop = (words: Int32Array) => number

/**
 * Each case is a loop of its own function, so that V8 compiles it for itself. `empty` is what a loop costs before the
 * operation in it.
 */
const LOOPS: Readonly<Record<string, Loop>> = {
  empty(words) {
    let sum = 0
    for (let k = 0; k < COUNT; k++) sum = (sum + (k & MASK)) | 0
    return sum + words.length
  },
  'load: plain'(words) {
    let sum = 0
    for (let k = 0; k < COUNT; k++) sum = (sum + words[k & MASK]) | 0
    return sum
  },
  'load: atomics.peek'(words) {
    let sum = 0
    for (let k = 0; k < COUNT; k++) sum = (sum + atomics.peek(words, k & MASK)) | 0
    return sum
  },
  'load: Atomics'(words) {
    let sum = 0
    for (let k = 0; k < COUNT; k++) sum = (sum + Atomics.load(words, k & MASK)) | 0
    return sum
  },
  'load: atomics (door)'(words) {
    let sum = 0
    for (let k = 0; k < COUNT; k++) sum = (sum + atomics.load(words, k & MASK)) | 0
    return sum
  },
  'store: plain'(words) {
    for (let k = 0; k < COUNT; k++) words[k & MASK] = k
    return words[0]
  },
  'store: Atomics'(words) {
    for (let k = 0; k < COUNT; k++) Atomics.store(words, k & MASK, k)
    return words[0]
  },
  'store: atomics (door)'(words) {
    for (let k = 0; k < COUNT; k++) atomics.store(words, k & MASK, k)
    return words[0]
  },
  'add: Atomics'(words) {
    let sum = 0
    for (let k = 0; k < COUNT; k++) sum = (sum + Atomics.add(words, k & MASK, 1)) | 0
    return sum
  },
  'add: atomics (door)'(words) {
    let sum = 0
    for (let k = 0; k < COUNT; k++) sum = (sum + atomics.add(words, k & MASK, 1)) | 0
    return sum
  },
  'compareExchange: Atomics'(words) {
    let sum = 0
    for (let k = 0; k < COUNT; k++) sum = (sum + Atomics.compareExchange(words, k & MASK, 0, 1)) | 0
    return sum
  },
  'compareExchange: atomics (door)'(words) {
    let sum = 0
    for (let k = 0; k < COUNT; k++) sum = (sum + atomics.compareExchange(words, k & MASK, 0, 1)) | 0
    return sum
  },
}

type Times = Readonly<Record<string, number>>

/** Nanoseconds an operation, the loop around it included; the cases take turns. */
function measure(): Times {
  const words = new Int32Array(new SharedArrayBuffer(4 * (MASK + 1)))
  const names = Object.keys(LOOPS)
  const times = new Map<string, number[]>(names.map((name) => [name, []]))
  let sink = 0
  for (let repeat = -3; repeat < REPEATS; repeat++) {
    for (const name of names) {
      const start = performance.now()
      sink ^= LOOPS[name](words)
      if (repeat >= 0) times.get(name)?.push(((performance.now() - start) * 1e6) / COUNT)
    }
  }
  if (sink === 0.5) throw new Error('unreachable: keeps the sums alive')
  return Object.fromEntries(names.map((name) => [name, round(median(times.get(name) ?? []))]))
}

/** One operation through the door, in nanoseconds, and what V8 says that it did. */
export interface DoorVerdict {
  readonly operation: string
  readonly direct: number
  readonly door: number
  /** What the door adds where inlining is off, in the time of the operation itself there. */
  readonly asCall: number
  readonly inlined: boolean
}

export interface DoorReport {
  readonly inlining: Times
  readonly withoutInlining: Times
  readonly verdicts: readonly DoorVerdict[]
}

/** Runs this file as a process of its own. */
function child(flag: string): string {
  const own = fileURLToPath(import.meta.url)
  const { status, signal, stdout } = spawnSync(process.execPath, [...process.execArgv, flag, own, '--child'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 2 ** 28,
  })
  if (status !== 0) throw new Error(`the run with ${flag} ended with ${status ?? signal}`)
  return stdout
}

export function measureDoor(): DoorReport {
  const inlining = measure()
  const withoutInlining = JSON.parse(child('--no-turbo-inlining')) as Times
  // One line for each call that TurboFan replaced by the function's body: `Inlining 0x.. {..} into 0x.. {.. NAME>}`.
  const trace = child('--trace-turbo-inlining')
    .split('\n')
    .filter((line) => line.startsWith('Inlining '))
  const verdicts = ['load', 'store', 'add', 'compareExchange', 'peek'].map((operation): DoorVerdict => {
    const [directName, doorName] =
      operation === 'peek'
        ? ['load: plain', 'load: atomics.peek']
        : [`${operation}: Atomics`, `${operation}: atomics (door)`]
    return {
      operation,
      direct: inlining[directName],
      door: inlining[doorName],
      asCall: round(withoutInlining[doorName] - withoutInlining[directName]),
      inlined: trace.some((line) => line.endsWith(`SharedFunctionInfo ${doorName}>}`)),
    }
  })
  return { inlining, withoutInlining, verdicts }
}

export const doorText = ({ inlining, withoutInlining, verdicts }: DoorReport): string =>
  [
    table([
      ['ns an operation, loop included', 'inlining', 'no inlining'],
      ...Object.keys(inlining).map((name) => [name, inlining[name].toFixed(2), withoutInlining[name].toFixed(2)]),
    ]),
    '',
    table([
      ['door', 'V8 says', 'direct ns', 'door ns', 'door adds', 'as a call it adds'],
      ...verdicts.map(({ operation, direct, door, asCall, inlined }) => [
        operation,
        inlined ? 'inlined' : 'NOT INLINED',
        direct.toFixed(2),
        door.toFixed(2),
        (door - direct).toFixed(2),
        asCall.toFixed(2),
      ]),
    ]),
  ].join('\n')

if (process.argv[2] === '--child') console.log(JSON.stringify(measure()))
