/** Faults of every kind at random points: a short part of `npm run faults`, which makes any number of them. */
import { afterAll, expect, test } from 'vitest'
import { FAULT_KINDS, Worlds } from './inject.ts'
import { processFaults } from './processFaults.ts'

const worlds = new Worlds()
afterAll(() => worlds.close())

/** Those of whole processes take long; endurance.test.ts has less of each. */
const kinds = FAULT_KINDS.filter((kind) => !(kind in processFaults))

test.each(kinds)(
  '%s',
  async (kind) => {
    const seed = Math.floor(Math.random() * 2 ** 30)
    for (let round = 0; round < 2; round++) {
      const { lost, ended } = await worlds.inject(kind, seed + round)
      expect({ kind, seed: seed + round, ended, lost }).toEqual({ kind, seed: seed + round, ended, lost: undefined })
      // One of these takes seconds, by the watchdog's patience or the heap's size.
      if (ended === 'STALLED' || kind.includes('memory')) break
    }
  },
  120_000,
)
