/**
 * One digest: the same block and the same tasks, a hundred times, at different numbers of workers, on a quiet and on a
 * busy machine, compiled and not. The digest is of the printed result, so the order of lists and maps counts too.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { afterAll, describe, expect, test } from 'vitest'
import { chainAtFork } from '../../src/index.ts'
import { workBlock } from '../faults/world.ts'
import { Pools } from '../support/cases.ts'
import { runChild } from '../support/child.ts'
import { stateOf, type TestFile } from '../support/evm.ts'

const COUNTS = [1, 2, 3, 8]
const pools = new Pools(COUNTS)
afterAll(() => pools.close())

const digestOf = (value: unknown): string => {
  const text = JSON.stringify(value, (_, part) =>
    typeof part === 'bigint' ? `${part}n` : part instanceof Map ? [...part] : part,
  )
  return createHash('sha256').update(text).digest('hex')
}

async function digests(file: TestFile, times: number): Promise<Set<string>> {
  const state = stateOf(file)
  const seen = new Set<string>()
  for (let k = 0; k < times; k++) {
    const executor = await pools.block(COUNTS[k % COUNTS.length] as number)
    const options = { state, chain: chainAtFork('shanghai'), senders: 'trust' as const }
    const speculation = k % 3 === 2 ? ('auto' as const) : ('always' as const)
    const { run: _, ...result } = await executor.executeBlock(file.block, { ...options, speculation })
    seen.add(digestOf(result))
  }
  return seen
}

describe('one digest', () => {
  test('the same block a hundred times at 1, 2, 3 and 8 workers', async () => {
    expect((await digests(workBlock(200), 100)).size).toBe(1)
  })

  test('also while every core is busy with something else', async () => {
    const busy: ChildProcess[] = Array.from({ length: 4 }, () => spawn(process.execPath, ['-e', 'for (;;);']))
    try {
      const loaded = await digests(workBlock(200), 24)
      expect(loaded.size).toBe(1)
      expect(loaded).toEqual(await digests(workBlock(200), 1))
    } finally {
      for (const child of busy) child.kill('SIGKILL')
    }
  })

  test('whatever Node is told of its compilers; without WebAssembly tasks run, and blocks say why they cannot', async () => {
    const found: { tasks: string; blocks: string }[] = []
    for (const flags of [[], ['--no-opt'], ['--jitless', '--no-expose-wasm']]) {
      const { code, output } = await runChild('./determinism.mjs', ['3'], 50_000, flags)
      expect({ flags, code, output }).toMatchObject({ code: 0 })
      found.push(JSON.parse(output))
    }
    const [usual, unoptimised, interpreted] = found
    expect(usual?.tasks).toMatch(/^[0-9a-f]{16}$/)
    expect(usual?.blocks).toMatch(/^[0-9a-f]{16}$/)
    expect(unoptimised).toEqual(usual)
    expect(interpreted).toEqual({ tasks: usual?.tasks, blocks: 'MODULE_NOT_LOADED' })
  }, 120_000)
})
