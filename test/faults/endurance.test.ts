/**
 * Blocks in a row on one executor: memory, handles and threads do not grow; and little memory is no fault.
 *
 * 1,000 blocks here, 10,000 with BLOCKLOOM_SLOW=1. The bounds are on what grows from the first tenth on, by ten times
 * as many blocks: what leaked a hundred bytes a block would be seen among 9,000.
 */
import { expect, test } from 'vitest'
import { runChild } from '../support/child.ts'

const MIB = 2 ** 20
const BLOCKS = process.env['BLOCKLOOM_SLOW'] === '1' ? 10_000 : 1_000

interface Measured {
  readonly rss: number
  readonly heapUsed: number
  readonly external: number
  readonly threads: number
  readonly handles: number
}

const measure = async (
  blocks: number,
  ...flags: string[]
): Promise<{ wrong: number; warm: Measured; end: Measured }> => {
  const { code, output } = await runChild('./endurance.mjs', [String(blocks)], 280_000, flags)
  expect({ code, output }).toMatchObject({ code: 0 })
  return JSON.parse(output)
}

test(`${BLOCKS} blocks: memory, handles and threads stay as they are`, async () => {
  const { wrong, warm, end } = await measure(BLOCKS, '--expose-gc')
  expect(wrong).toBe(0)
  expect(end.threads - warm.threads).toBe(0)
  expect(end.handles - warm.handles).toBeLessThanOrEqual(0)
  expect(end.heapUsed - warm.heapUsed).toBeLessThan(MIB)
  expect(end.external - warm.external).toBeLessThan(MIB)
  // The heaps of workers and the pages that V8 keeps are in it: room for those, not for a leak of 5 kB a block in ten
  // thousand.
  expect(end.rss - warm.rss).toBeLessThan(24 * MIB)
}, 300_000)

test('a heap of 24 MiB is enough for block after block', async () => {
  expect((await measure(300, '--max-old-space-size=24')).wrong).toBe(0)
}, 300_000)
