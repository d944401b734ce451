/** Processes of their own that run block after block: whether anything grows, and whether little memory is a fault. */
import { runChild } from '../support/child.ts'

const MIB = 2 ** 20

interface Measured {
  readonly rss: number
  readonly heapUsed: number
  readonly external: number
  readonly threads: number
  readonly handles: number
}

/** What may be more at the end than in the middle. */
const ROOM: Measured = {
  threads: 0,
  handles: 0,
  heapUsed: MIB,
  external: MIB,
  // The heaps of workers and the pages that V8 keeps are in it: room for those, not for a leak of 5 kB a block in ten
  // thousand.
  rss: 24 * MIB,
}

/** Runs a script of test/support and reads its line of JSON. Throws where it did not end well. */
async function child<T>(script: string, args: readonly string[], flags: readonly string[]): Promise<T> {
  const { code, output } = await runChild(script, args, 280_000, flags)
  if (code !== 0) throw new Error(`the process ended with ${code}: ${output.slice(-400)}`)
  return JSON.parse(output) as T
}

/** Runs blocks in a row in a process, and says what of them was wrong and what has grown in their second half. */
export async function runBlocks(blocks: number, ...flags: string[]): Promise<string[]> {
  type Ending = { readonly wrong: number; readonly warm: Measured; readonly end: Measured }
  const { wrong, warm, end } = await child<Ending>('./endurance.mjs', [String(blocks)], flags)
  const names = flags.includes('--expose-gc') ? (Object.keys(ROOM) as (keyof Measured)[]) : []
  const grown = names
    .filter((name) => end[name] - warm[name] > ROOM[name])
    .map((name) => `${name} grew from ${warm[name]} to ${end[name]}`)
  return wrong === 0 ? grown : [`${wrong} blocks were wrong`, ...grown]
}

/** Runs tasks and blocks in a process whose heap is nearly full; says what was wrong. */
export const runUnderPressure = async (heap: number, free: number, seed: number): Promise<string[]> =>
  child('./pressure.mjs', [heap, free, seed].map(String), [`--max-old-space-size=${heap}`])
