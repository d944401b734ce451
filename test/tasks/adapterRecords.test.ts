/** What is kept of runs of an adapter from outside the package: statistics, progress, records, replay, hints. */
import * as api from '@opentelemetry/api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeTrace } from '../../src/index.ts'
import { explain, simulate } from '../../src/records.ts'
import { type AdapterExecutor, createAdapterExecutor } from '../../src/tasks.ts'
import { replay } from '../../src/testing.ts'

const ADAPTER = new URL('../support/accountAdapter.mjs', import.meta.url)
const POOL = { workers: 2, memoryLimit: 64 * 2 ** 20 }
/** Additions to three accounts by turns; every tenth is invalid. */
const additions = (count: number) =>
  Array.from({ length: count }, (_, k) => Uint8Array.of(k % 3, k % 10 === 9 ? 0 : 1 + (k % 2)))

let executor: AdapterExecutor
beforeAll(async () => {
  executor = await createAdapterExecutor({ ...POOL, adapter: ADAPTER, telemetry: api })
})
afterAll(() => executor.close())

describe('an executor of an adapter', () => {
  test('counts what its runs did', async () => {
    const { run } = await executor.run(additions(60), { speculation: 'always' })
    await expect(executor.run([Uint8Array.of(0, 0)], { failures: 'stop' })).rejects.toMatchObject({
      code: 'TASK_FAILED',
    })
    const { runs, failed, places, executions, aborts, workers } = executor.stats()
    expect([runs, failed, places]).toEqual([1, 1, 60])
    expect([executions, aborts]).toEqual([run.executions, run.aborts])
    expect(workers).toHaveLength(2)
  })

  test('tells how far it is', async () => {
    const seen: number[] = []
    await executor.run(additions(60), { onProgress: ({ committed, places }) => seen.push(places - committed) })
    expect(seen.at(-1)).toBe(0)
  })

  test.each([[{ speculation: 'always' }], [{ sequential: true }]] as const)(
    'records each execution with %o',
    async (options) => {
      const { records, run, results } = await executor.run(additions(60), { ...options, records: true })
      expect(records?.run).toMatchObject({ kind: 'adapter', label: 'adapter', places: 60 })
      expect(records?.executions.length).toBe(run.executions)
      const last = records?.executions.filter(({ place }) => place === 58).at(-1)
      expect(last).toMatchObject({ outcome: 'done', reads: [{ seen: { place: 55 } }], writes: [{ kind: 'value' }] })
      const told = explain(records as NonNullable<typeof records>)
      expect(told.conflicts.map(({ name }) => name).sort()).toEqual(
        ['account 0', 'account 1', 'account 2'].map((key) => `key '${key}'`),
      )
      expect(told.criticalPath.steps[0]?.name).toMatch(/^input \d+$/)
      expect(simulate(records as NonNullable<typeof records>, { workers: 8 }).executions).toBeGreaterThanOrEqual(60)
      expect(results.filter(({ status }) => status === 'invalid')).toHaveLength(6)
    },
  )

  test('streams records to a callback, by its own option or that of the run', async () => {
    const pieces: Uint8Array[] = []
    const recording = await createAdapterExecutor({
      ...POOL,
      adapter: ADAPTER,
      records: { onChunk: (bytes) => void pieces.push(bytes), label: 'additions' },
    })
    await recording.run(additions(10))
    await recording.run(additions(10), { records: false })
    await recording.close()
    const { runs, broken } = decodeTrace(Buffer.concat(pieces))
    expect([runs.map(({ run }) => run.label), broken]).toEqual([['additions'], undefined])
  })

  test('has its runs replayed, and where another adapter does something else that is told', async () => {
    const { trace, run } = await executor.run(additions(60), { speculation: 'always', record: true })
    const whole = await replay(trace as Uint8Array)
    expect(whole).toMatchObject({ incarnations: run.executions, difference: undefined })
    const alone = await executor.run(additions(60), { sequential: true, record: true })
    expect((await replay(alone.trace as Uint8Array)).difference).toBeUndefined()
    const module = `data:text/javascript,export const createAdapter = (_, host) => ({
      kind: 'sync', execute: () => host.done(new Uint8Array(0)) })`
    expect((await replay(trace as Uint8Array, { module })).difference?.what).toBeDefined()
  })

  test('that awaits is recorded, but not replayed', async () => {
    const waiting = await createAdapterExecutor({ ...POOL, adapter: ADAPTER, options: { await: true } })
    const { trace, records, run } = await waiting.run(additions(20), { record: true })
    await waiting.close()
    expect(records?.executions.length).toBe(run.executions)
    await expect(replay(trace as Uint8Array)).rejects.toMatchObject({
      code: 'RECORDS_FORMAT',
      message: expect.stringContaining('asynchronous'),
    })
  })

  test('refuses options that are none', async () => {
    const bad = { ...POOL, adapter: ADAPTER, records: { file: 1 } } as never
    await expect(createAdapterExecutor(bad)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(executor.run([], { record: 1 } as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })
})
