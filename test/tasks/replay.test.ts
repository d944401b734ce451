/** `replay`: every incarnation of a recorded run again, and where it does something else. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { makeWorkload } from '../../src/cli/workloads.ts'
import { chainAtFork, createExecutor, createMemoryState, decodeTrace, type Executor } from '../../src/index.ts'
import { createTaskExecutor, type TaskExecutor } from '../../src/tasks.ts'
import { replay } from '../../src/testing.ts'
import { hasBlocks, loadBlock } from '../support/blockFiles.ts'
import { callsOf, programs } from '../support/program.ts'
import { MODULE } from '../support/sampleTrace.ts'

const MIB = 2 ** 20
let folder = ''
let executor: Executor
let tasks: TaskExecutor
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blockloom-replay-'))
  executor = await createExecutor({ workers: 2, memoryLimit: 128 * MIB })
  tasks = await createTaskExecutor(MODULE, { workers: 2, memoryLimit: 64 * MIB })
})
afterAll(async () => {
  await executor.close()
  await tasks.close()
  await rm(folder, { recursive: true })
})

const increments = (count: number) => Array.from({ length: count }, () => ({ task: 'increment', input: 'hot' }))
const traceOf = async (count: number): Promise<Uint8Array> =>
  (await tasks.run(increments(count), { speculation: 'always', record: true })).trace as Uint8Array

describe('replay', () => {
  test('runs every incarnation of generated tasks again, aborted ones and failures included', async () => {
    let aborted = 0
    await fc.assert(
      fc.asyncProperty(fc.array(programs, { minLength: 4, maxLength: 24 }), async (list) => {
        const { trace, run } = await tasks.run(callsOf(list), { speculation: 'always', record: true })
        const { incarnations, difference } = await replay(trace as Uint8Array)
        expect(difference).toBeUndefined()
        expect(incarnations).toBe(run.executions)
        aborted += run.aborts
      }),
      { numRuns: 40 },
    )
    expect(aborted).toBeGreaterThan(0)
  })

  test.each([
    ['erc20-hot', 'always', false],
    ['erc20-hot', 'auto', false],
    ['uniswap', 'always', false],
    ['mixed', 'auto', true],
  ] as const)('runs %s, speculation %s, sequential %s, again', async (name, speculation, sequential) => {
    const file = makeWorkload(name, 200)
    const state = createMemoryState({ maxBytes: 64 * MIB }).load(file)
    const options = {
      state,
      chain: chainAtFork(file.fork),
      senders: 'trust',
      only: 'transactions',
      speculation,
      sequential,
    } as const
    const { trace, run } = await executor.executeBlock(file.block, { ...options, record: true })
    expect(await replay(trace as Uint8Array)).toMatchObject({ incarnations: run.executions, difference: undefined })
  })

  // Creations, logs and destructions; before and after Byzantium.
  test.skipIf(!hasBlocks).each([2675000, 8889776])('runs the real block %i again', async (number) => {
    const file = loadBlock(number)
    const state = createMemoryState({ maxBytes: 64 * MIB }).load(file)
    const options = { state, chain: chainAtFork(file.fork), only: 'transactions', speculation: 'always' } as const
    const { trace, run } = await executor.executeBlock(file.block, { ...options, record: true })
    expect(await replay(trace as Uint8Array)).toMatchObject({ incarnations: run.executions, difference: undefined })
  })

  test('finds the first incarnation that does something else, and says what', async () => {
    const trace = await traceOf(40)
    const other = async (name: string, body: string): Promise<URL> => {
      const path = join(folder, `${name}.mjs`)
      await writeFile(
        path,
        `const one = new Uint8Array([0, 0, 0, 1])\nexport function increment(store, key, { index }) {\n${body}\n}\n`,
      )
      return pathToFileURL(path)
    }
    const read = await other('reads', 'store.get(index === 3 ? "elsewhere" : key)')
    expect((await replay(trace, { module: read })).difference).toMatchObject({
      place: 1,
      what: 'write',
      location: { kind: 'bytes' },
    })
    const asks = await other('asks', 'store.get("elsewhere")')
    expect((await replay(trace, { module: asks })).difference).toMatchObject({ place: 1, what: 'read' })
    const writes = await other('writes', 'store.get(key); store.set(key, one); return 5')
    expect((await replay(trace, { module: writes })).difference).toMatchObject({
      place: 1,
      incarnation: 0,
      what: 'result',
    })
    const throws = await other('throws', 'store.get(key); throw new Error("no")')
    expect((await replay(trace, { module: throws })).difference).toMatchObject({
      place: 1,
      what: 'outcome',
      expected: 'done',
      actual: 'fault',
    })
  })

  test.each(['always', 'auto'] as const)(
    'runs merges, ranges and questions again, and records them as what they are (%s)',
    async (speculation) => {
      const calls = Array.from({ length: 60 }, (_, k) => {
        if (k % 4 === 0) return { task: 'appendTo', input: { key: 'list', items: [k] } }
        if (k % 4 === 1) return { task: 'read', input: 'list' }
        if (k % 4 === 2) return { task: 'keysOf', input: { prefix: 'own' } }
        return { task: 'put', input: [`own${k}`, k] }
      })
      const { trace, records } = await tasks.run(calls, { speculation, record: true })
      expect((await replay(trace as Uint8Array)).difference).toBeUndefined()
      const { executions, locations } = records as NonNullable<typeof records>
      const textOf = (index: number) => Buffer.from(locations[index]?.key?.slice(2) ?? '', 'hex').toString()
      const last = (place: number) => executions.filter((execution) => execution.place === place).at(-1)
      // Place 58 reads the list, which place 57 appended to last; 59 asks for the keys of 14 places below.
      expect(last(58)?.reads).toMatchObject([{ predicate: 'sameRecord', seen: { place: 57 } }])
      const met = last(59)?.reads.filter(({ seen }) => seen.place >= 0) ?? []
      expect(met.map(({ location }) => textOf(location)).sort()).toEqual(
        Array.from({ length: 14 }, (_, k) => `own${4 * k + 3}`).sort(),
      )
      expect(met.every(({ predicate }) => predicate === 'exists')).toBe(true)
    },
  )

  test('a graph: what calls declare is told by place', async () => {
    const calls = Array.from({ length: 30 }, (_, k) => ({
      task: 'increment',
      input: `own${k % 3}`,
      ...(k >= 3 ? { after: [k - 3] } : {}),
      ...(k % 2 === 0 ? { resources: { gpu: 1 } } : {}),
    }))
    const { trace, records, order } = await tasks.run(calls, { order: 'graph', resources: { gpu: 1 }, record: true })
    expect((await replay(trace as Uint8Array)).difference).toBeUndefined()
    for (const [k, index] of order.entries()) {
      expect(records?.places[k + 1]).toMatchObject({
        after: index >= 3 ? [order.indexOf(index - 3) + 1] : [],
        resources: index % 2 === 0 ? ['gpu'] : [],
      })
    }
  })

  test('an input that cannot be recorded: NOT_ENCODABLE, nothing goes on, and the next run is as ever', async () => {
    const begun = vi.spyOn(globalThis, 'setInterval')
    const ended = vi.spyOn(globalThis, 'clearInterval')
    const unsayable = [{ task: 'increment', input: () => 1 }]
    await expect(tasks.run(unsayable, { record: true, onProgress: () => undefined })).rejects.toMatchObject({
      code: 'NOT_ENCODABLE',
      fields: { taskIndex: 0 },
    })
    const timers = begun.mock.results.map(({ value }) => value as NodeJS.Timeout)
    const cleared = new Set(ended.mock.calls.map(([timer]) => timer))
    expect(timers.filter((timer) => !cleared.has(timer))).toEqual([])
    begun.mockRestore()
    ended.mockRestore()
    expect((await replay(await traceOf(5))).difference).toBeUndefined()
  })

  test('gives the same for the same trace', async () => {
    const trace = await traceOf(60)
    expect(await replay(trace)).toEqual(await replay(trace))
  })

  test('refuses traces that it cannot run', async () => {
    const plain: Uint8Array[] = []
    await tasks.run(increments(5), { records: { onChunk: (bytes) => plain.push(bytes) } })
    const bad = [
      [new Uint8Array(3), /not a trace/],
      [Buffer.concat(plain), /without a payload/],
      [(await traceOf(5)).subarray(0, -40), /did not end/],
    ] as const
    for (const [bytes, message] of bad) {
      await expect(replay(bytes)).rejects.toMatchObject({
        code: 'RECORDS_FORMAT',
        message: expect.stringMatching(message),
      })
    }
    const trace = await traceOf(5)
    expect(decodeTrace(trace).broken).toBeUndefined()
    await expect(replay(trace, { run: 1 })).rejects.toMatchObject({ code: 'RECORDS_FORMAT' })
    await expect(replay(trace, { module: join(folder, 'missing.mjs') })).rejects.toMatchObject({
      code: 'MODULE_NOT_LOADED',
    })
  })
})
