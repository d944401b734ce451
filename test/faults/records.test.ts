/**
 * Records of real runs: they agree with the run's own counts, change nothing, and what goes wrong with them harms no
 * run.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeWorkload, type WorkloadName } from '../../src/cli/workloads.ts'
import {
  chainAtFork,
  createExecutor,
  createMemoryState,
  decodeRecords,
  decodeTrace,
  type Executor,
  type RunRecord,
  type RunReport,
} from '../../src/index.ts'
import { createTaskExecutor, type TaskExecutor } from '../../src/tasks.ts'
import { MODULE } from '../support/sampleTrace.ts'

const MIB = 2 ** 20
let folder = ''
let executor: Executor
let tasks: TaskExecutor
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blockloom-records-'))
  executor = await createExecutor({ workers: 2, memoryLimit: 128 * MIB })
  tasks = await createTaskExecutor(MODULE, { workers: 2, memoryLimit: 64 * MIB })
})
afterAll(async () => {
  await executor.close()
  await tasks.close()
  await rm(folder, { recursive: true })
})

const blockOf = (name: WorkloadName, count: number) => {
  const file = makeWorkload(name, count)
  const state = createMemoryState({ maxBytes: 64 * MIB }).load(file)
  return {
    block: file.block,
    options: { state, chain: chainAtFork(file.fork), senders: 'trust', only: 'transactions' } as const,
  }
}

const increments = (count: number) =>
  Array.from({ length: count }, (_, k) => ({ task: 'increment', input: k % 4 === 0 ? `own${k}` : 'hot' }))

/** Every count that records and reports share. */
function expectAgreement(record: RunRecord, report: RunReport): void {
  const { executions, places } = record
  const inBlock = executions.filter(({ place }) => place > 0 && place <= record.run.places)
  const count = (how: string | undefined): number =>
    places.filter((place) => place?.committed === how && place !== undefined).length
  expect({
    executions: inBlock.length,
    aborts: inBlock.filter(({ mode }) => mode === 'committing').length - count('direct'),
    direct: count('direct'),
    waits: executions.reduce((sum, { waits }) => sum + waits.length, 0),
    deferrals: inBlock.filter(({ mode, outcome }) => mode === 'speculative' && outcome !== 'done').length,
    speculative: count('speculative'),
    reexecuted: count('reexecuted'),
    fallback: count('fallback') + count('sequential'),
  }).toEqual({
    executions: report.executions,
    aborts: report.aborts,
    direct: report.direct,
    waits: report.waits,
    deferrals: report.deferrals,
    speculative: report.speculative,
    reexecuted: report.reexecuted,
    fallback: report.fallback,
  })
}

/** What must be true of any record. */
function expectSound(record: RunRecord): void {
  const { run, executions, locations, places } = record
  const known = new Set(executions.map(({ place, incarnation }) => `${place}:${incarnation}`))
  for (const execution of executions) {
    expect(execution.end).toBeGreaterThanOrEqual(execution.start)
    for (const { seen, location } of execution.reads) {
      expect(locations[location]).toBeDefined()
      expect(seen.place).toBeLessThan(execution.place)
      if (seen.place >= 0) expect(known).toContain(`${seen.place}:${seen.incarnation}`)
    }
    for (const { on } of execution.waits) expect(on).toBeLessThan(execution.place)
    if (execution.aborted !== undefined) expect(execution.aborted.by).toBeLessThan(execution.place)
  }
  for (let place = 1; place <= run.places; place++) {
    expect(places[place]?.committedAt).toBeGreaterThanOrEqual(0)
    expect(places[place]?.committedAt).toBeLessThanOrEqual((run.duration as number) + 50_000)
  }
}

describe('records of a run', () => {
  test.each([
    ['erc20-hot', 'always', false],
    ['erc20-hot', 'auto', false],
    ['mixed', 'always', false],
    ['mixed', 'auto', true],
  ] as const)(
    '%s, speculation %s, sequential %s: agree with its report and change nothing',
    async (name, speculation, sequential) => {
      const { block, options } = blockOf(name, 600)
      const plain = await executor.executeBlock(block, { ...options, sequential: true })
      const result = await executor.executeBlock(block, { ...options, speculation, sequential, records: true })
      const record = result.records as RunRecord
      expect(result.recordsError).toBeUndefined()
      expect(result.receipts).toEqual(plain.receipts)
      expect(result.stateDiff).toEqual(plain.stateDiff)
      expectAgreement(record, result.run)
      expectSound(record)
      const gas = record.places.reduce((sum, place) => sum + (place?.gasUsed ?? 0), 0)
      expect(BigInt(gas)).toBe(result.gasUsed)
      expect(plain.records).toBeUndefined()
    },
  )

  test('of tasks agree as well, and name keys and tasks', async () => {
    const { records, run } = await tasks.run(increments(300), { speculation: 'always', records: true })
    const record = records as RunRecord
    expectAgreement(record, run)
    expectSound(record)
    expect(record.places[1]).toMatchObject({ name: 'increment', to: undefined })
    expect(record.locations).toContainEqual({
      kind: 'bytes',
      address: undefined,
      slot: undefined,
      key: `0x${Buffer.from('hot').toString('hex')}`,
    })
  })

  test('say of an abort where it was, and of a read which version it saw', async () => {
    const { records } = await tasks.run(increments(200), { speculation: 'always', records: true })
    const { executions, locations, places } = records as RunRecord
    const hot = locations.findIndex(({ key }) => key === `0x${Buffer.from('hot').toString('hex')}`)
    for (const { aborted } of executions) if (aborted !== undefined) expect(aborted.location).toBe(hot)
    // The last execution of each place saw the place before it that increments the same key.
    const last = new Map(executions.map((execution) => [execution.place, execution]))
    let before = -1
    for (let place = 1; place < places.length - 1; place++) {
      const seen = last.get(place)?.reads.find(({ location }) => location === hot)?.seen
      if (seen === undefined) continue
      expect(seen.place).toBe(before)
      before = place
    }
    expect(before).toBe(200)
  })

  test('of a whole block have its ends', async () => {
    const { block, options } = blockOf('transfers', 8)
    const withdrawals = [{ index: '0x0', validatorIndex: '0x0', address: `0x${'ab'.repeat(20)}`, amount: '0x5' }]
    const result = await executor
      .executeBlock(
        { ...block, withdrawals },
        {
          ...options,
          chain: chainAtFork('shanghai'),
          only: undefined as never,
          stateRoot: false,
          speculation: 'always',
          records: true,
        },
      )
      .catch((error: unknown) => error as Error)
    if (result instanceof Error) throw result
    expect(result.records?.places.at(-1)).toMatchObject({ name: 'epilogue', committed: 'speculative' })
  })

  test('go to a file, run after run, and to a callback', async () => {
    const file = join(folder, 'runs.trace')
    const chunks: Uint8Array[] = []
    const own = await createTaskExecutor(MODULE, { workers: 2, memoryLimit: 64 * MIB, records: { file } })
    await own.run(increments(30))
    await own.run(increments(40), { speculation: 'always' })
    const other = await own.run(increments(20), {
      records: { onChunk: (bytes) => chunks.push(bytes), label: 'called back' },
    })
    await own.run(increments(20), { records: false })
    await own.close()
    expect(other).not.toHaveProperty('records')
    expect(decodeRecords(await readFile(file)).map(({ run }) => [run.label, run.places])).toEqual([
      ['tasks', 30],
      ['tasks', 40],
    ])
    expect(decodeRecords(Buffer.concat(chunks)).map(({ run }) => run.label)).toEqual(['called back'])
  })

  test('of a run that failed break off without an end', async () => {
    const file = join(folder, 'failed.trace')
    const list = [...increments(50), { task: 'missing' }]
    await expect(tasks.run(list, { speculation: 'always', records: { file } })).rejects.toMatchObject({
      code: 'UNKNOWN_TASK',
    })
    await tasks.run(increments(5), { records: { file } })
    const [failed, next] = decodeRecords(await readFile(file)) as [RunRecord, RunRecord]
    expect(failed.run.duration).toBeUndefined()
    expect(failed.executions.some(({ outcome }) => outcome === 'fault')).toBe(true)
    expect(next.run.duration).toBeGreaterThan(0)
  })
})

describe('where records cannot be written', () => {
  const run = (records: object) => tasks.run(increments(100), { speculation: 'always', records })

  test.skipIf(!existsSync('/dev/full'))('a full disk is told once, and the run is unharmed', async () => {
    const own = await createTaskExecutor(MODULE, {
      workers: 2,
      memoryLimit: 64 * MIB,
      records: { file: '/dev/full' },
    })
    const first = await own.run(increments(100))
    const second = await own.run(increments(100))
    await own.close()
    expect(first.recordsError).toMatchObject({ code: 'RECORDS_WRITE', message: expect.stringContaining('ENOSPC') })
    expect(second.recordsError).toBeUndefined()
    expect(second.results).toEqual(
      first.results.map((result) => ({ ...result, incarnation: expect.any(Number), ms: expect.any(Number) })),
    )
  })

  test('a file that cannot be opened, and a callback that throws or rejects, are told', async () => {
    const nowhere = await run({ file: join(folder, 'no', 'such', 'folder') })
    expect(nowhere.recordsError).toMatchObject({ code: 'RECORDS_WRITE' })
    const thrown = await run({
      onChunk: () => {
        throw new Error('no room here')
      },
    })
    expect(thrown.recordsError?.message).toContain('no room here')
    const rejected = await run({ onChunk: () => Promise.reject(new Error('later')) })
    expect(rejected.recordsError?.message).toContain('later')
    expect(rejected.results.at(-1)).toMatchObject({ status: 'done', value: 74 })
  })

  test.each([
    [{ records: 'yes' }],
    [{ records: null }],
    [{ records: { file: 5 } }],
    [{ records: { onChunk: 'f' } }],
    [{ records: { file: 'a', onChunk: () => undefined } }],
    [{ records: { label: 1 } }],
    [{ records: { payload: 'no' } }],
  ])('%o is refused before the run', async (options) => {
    await expect(tasks.run(increments(4), options as never)).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      fields: { option: 'records' },
    })
  })

  test('what was flushed outlives the process', async () => {
    const file = join(folder, 'killed.trace')
    const script = fileURLToPath(new URL('../support/recordForEver.mjs', import.meta.url))
    const child = spawn(process.execPath, [script, file], { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise((resolve) => child.stdout.once('data', resolve))
    // The run goes on for minutes; its first events are written within moments.
    const isFlushed = async (): Promise<boolean> => {
      try {
        return (decodeRecords(await readFile(file))[0]?.executions.length ?? 0) > 20
      } catch {
        // Not even a header yet.
        return false
      }
    }
    for (let turn = 0; turn < 400; turn++) {
      if (await isFlushed()) break
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('close', resolve))
    // As if the machine had gone while a chunk was written.
    const torn = (await readFile(file)).subarray(0, -5)
    await writeFile(file, torn)
    const { runs, broken } = decodeTrace(torn)
    expect(broken?.reason).toMatch(/breaks off/)
    const [record] = runs as [RunRecord]
    expect(record.run).toMatchObject({ places: 20_000, duration: undefined })
    expect(record.executions.length).toBeGreaterThan(10)
    expect(record.places.slice(1, 5).every((place) => place?.committedAt !== undefined)).toBe(true)
    expect(record.places[20_000]).toBeUndefined()
  })
})
