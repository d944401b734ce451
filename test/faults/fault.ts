/** What a fault is, and what faults are made of: something that happens to a world while it runs, at a random moment. */
import type { ErrorCode } from '../../src/index.ts'
import type { WorldOptions } from './world.ts'

export type Random = () => number

export interface Fault<World, Options = WorldOptions> {
  /** What its world is made with; kept from fault to fault. */
  readonly world: Options
  /** Codes that a run may end with. A right result is always allowed unless `must`. */
  readonly codes: readonly (ErrorCode | 'own')[]
  /** No run can end with a result. */
  readonly must?: true
  /** The executor cannot be used afterwards: a new one must. */
  readonly ends?: true
  /** Milliseconds in which a run must have ended, where it is made of many. */
  readonly bound?: number
  run(world: World, random: Random): Promise<unknown>
}

/** An error of who called, which the library hands through. */
export class OwnError extends Error {}

export const after = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Does something so long after the run began, or not if that has ended by then; the fault is over when both are. */
export async function meanwhile(
  milliseconds: number,
  act: () => unknown,
  run: () => Promise<unknown>,
): Promise<unknown> {
  let over = false
  const acted = after(milliseconds).then(() => (over ? undefined : act()))
  try {
    return await run()
  } finally {
    over = true
    await acted
  }
}
export const between = (random: Random, least: number, most: number): number =>
  least + Math.floor(random() * (most - least))
export const inserted = <T>(list: readonly T[], item: T, random: Random): T[] => {
  const at = between(random, 0, list.length + 1)
  return [...list.slice(0, at), item, ...list.slice(at)]
}
export const seedFrom = (random: Random): number => Math.floor(random() * 2 ** 31)

export const two: WorldOptions = { workers: 2 }
export const three: WorldOptions = { workers: 3 }
