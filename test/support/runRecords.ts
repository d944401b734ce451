/** Recorded runs made by hand and by generators: small enough to know the right answers, or of any shape. */
import fc from 'fast-check'
import type { ExecutionRecord, LocationRecord, PlaceRecord, RunRecord } from '../../src/records/runRecord.ts'

/** One place of a run made by hand. */
export interface Made {
  /** Microseconds of its own work. */
  readonly cost: number
  /** Reads of what others wrote: location, and the place that wrote it. */
  readonly reads?: readonly (readonly [location: number, on: number])[]
  readonly writes?: readonly number[]
  readonly after?: readonly number[]
  readonly name?: string
  readonly to?: string
  /** An incarnation before the one that counted was thrown away for this location. */
  readonly aborted?: { readonly location: number; readonly by: number }
}

export const slot = (address: string, number: number): LocationRecord => ({
  kind: 'slot',
  address,
  slot: `0x${number.toString(16).padStart(64, '0')}`,
  key: undefined,
})

export const ADDRESS = `0x${'a1'.repeat(20)}`

/** As many slots of one contract as are asked for. */
export const slots = (count: number): LocationRecord[] => Array.from({ length: count }, (_, k) => slot(ADDRESS, k))

/**
 * A run of one worker: place after place, each incarnation as long as its cost, a microsecond between two. Places are
 * numbered from 1.
 */
export function madeRun(
  made: readonly Made[],
  locations: readonly LocationRecord[] = slots(16),
  mode: ExecutionRecord['mode'] = 'speculative',
): RunRecord {
  const executions: ExecutionRecord[] = []
  const places: (PlaceRecord | undefined)[] = [undefined]
  let now = 0
  for (const [index, one] of made.entries()) {
    const place = index + 1
    const common = {
      place,
      worker: 0,
      outcome: 'done',
      isShared: false,
      reads: (one.reads ?? []).map(([location, on]) => ({
        location,
        predicate: 'sameRecord' as const,
        seen: { place: on, incarnation: 0 },
      })),
      writes: (one.writes ?? []).map((location) => ({ location, kind: 'value' as const })),
      waits: [],
    } as const
    const run = (incarnation: number, how: ExecutionRecord['mode'], aborted: ExecutionRecord['aborted']): void => {
      executions.push({ ...common, incarnation, start: now, end: now + one.cost, mode: how, aborted })
      now += one.cost + 1
    }
    if (one.aborted !== undefined) run(0, 'speculative', { at: now + one.cost, ...one.aborted })
    run(one.aborted === undefined ? 0 : 1, one.aborted === undefined ? mode : 'committing', undefined)
    places.push({
      place,
      name: one.name ?? 'call',
      to: one.to,
      selector: undefined,
      gasUsed: undefined,
      resources: [],
      after: one.after ?? [],
      committedAt: now,
      committed: one.aborted !== undefined ? 'reexecuted' : mode === 'sequential' ? 'sequential' : 'speculative',
    })
  }
  return {
    run: {
      kind: 'block',
      label: 'made by hand',
      number: 1,
      fork: 'cancun',
      places: made.length,
      workers: 1,
      speculation: 'always',
      reserves: false,
      light: false,
      queues: false,
      startedAt: 0,
      duration: now,
    },
    places,
    executions,
    locations,
  }
}

/** Places of a generated run: each writes one location, some read what a lower place wrote. */
export const madePlaces = (most = 60): fc.Arbitrary<Made[]> =>
  fc
    .array(
      fc.record({
        cost: fc.integer({ min: 1, max: 200 }),
        back: fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 3 }),
      }),
      { maxLength: most },
    )
    .map((shapes) =>
      shapes.map(({ cost, back }, index) => ({
        cost,
        writes: [(index + 1) % 16],
        // A place writes the location of its number, so a read of one that is 16 lower would see a later writer.
        reads: [...new Set(back)]
          .filter((by) => by <= index)
          .map((by) => [(index + 1 - by) % 16, index + 1 - by] as const),
      })),
    )

/** No overhead at all: what is left are the places' own work and their order. */
export const FREE = {
  wake: 0,
  wakeNext: 0,
  sequential: 0,
  speculative: 0,
  slower: 0,
  slowerRead: 0,
  slowerCrowded: 0,
  recordedAlone: 0,
  recordedRead: 0,
  recorded: 0,
  commit: 0,
  commitRead: 0,
  contention: 0,
  finish: 0,
}
