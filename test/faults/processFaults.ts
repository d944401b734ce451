/** Faults of a whole process: little memory, and blocks without end. Each runs in a process of its own. */
import { runBlocks, runUnderPressure } from './endurance.ts'
import { between, type Fault, seedFrom, two } from './fault.ts'

export class ProcessWorld {
  readonly executor = { close: async () => undefined }

  static async make(): Promise<ProcessWorld> {
    return new ProcessWorld()
  }

  /** What was left of the process went with it. */
  async expectHealthy(): Promise<void> {}
}

const demandNothing = (wrong: readonly string[]): void => {
  if (wrong.length > 0) throw new Error(wrong.join(', '))
}

export const processFaults = {
  'a small heap (--max-old-space-size)': {
    world: two,
    codes: [],
    run: async (_, random) => demandNothing(await runBlocks(100, `--max-old-space-size=${between(random, 12, 32)}`)),
  },
  'a heap that is nearly full': {
    world: two,
    codes: [],
    run: async (_, random) => {
      const heap = between(random, 40, 64)
      // Beyond four fifths V8 ends the process itself where it collects in vain and slowly, whoever allocates.
      const free = Math.ceil(heap / 4) + between(random, 0, 4)
      demandNothing(await runUnderPressure(heap, free, 1 + (seedFrom(random) % 97)))
    },
  },
  '10,000 blocks in a row': {
    world: two,
    codes: [],
    bound: 300_000,
    run: async () => demandNothing(await runBlocks(10_000, '--expose-gc')),
  },
} as const satisfies Record<string, Fault<ProcessWorld>>
