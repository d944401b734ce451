/** Statistics, telemetry, hints: what an executor tells and learns of its runs. */
import * as api from '@opentelemetry/api'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { afterAll, describe, expect, test } from 'vitest'
import { makeWorkload } from '../../src/cli/workloads.ts'
import { chainAtFork, createExecutor, createMemoryState, type RunReport } from '../../src/index.ts'
import { createTaskExecutor } from '../../src/tasks.ts'
import { MODULE } from '../support/sampleTrace.ts'

const MIB = 2 ** 20
const POOL = { workers: 2, memoryLimit: 64 * MIB }
const increments = (count: number) => Array.from({ length: count }, () => ({ task: 'increment', input: 'hot' }))

describe('stats', () => {
  test('add up the reports of the runs, in all and by worker', async () => {
    const executor = await createTaskExecutor(MODULE, POOL)
    const reports: RunReport[] = []
    for (const count of [50, 80]) reports.push((await executor.run(increments(count), { speculation: 'always' })).run)
    await expect(executor.run([{ task: 'missing' }])).rejects.toMatchObject({ code: 'UNKNOWN_TASK' })
    const stats = executor.stats()
    await executor.close()
    expect(stats).toMatchObject({ runs: 2, failed: 1, places: 130 })
    for (const name of [
      'executions',
      'aborts',
      'validations',
      'waits',
      'deferrals',
      'speculative',
      'reexecuted',
      'ms',
    ] as const) {
      expect(stats[name]).toBeCloseTo(reports.reduce((sum, report) => sum + report[name], 0))
    }
    for (const name of ['executions', 'aborts', 'validations', 'waits', 'deferrals'] as const) {
      expect(stats.workers.reduce((sum, worker) => sum + worker[name], 0)).toBe(stats[name])
    }
    expect(stats.workers).toHaveLength(2)
  })
})

test('onProgress counts up to all places', async () => {
  const executor = await createTaskExecutor(MODULE, POOL)
  const seen: number[] = []
  await executor.run(
    Array.from({ length: 60 }, () => ({ task: 'spin', input: 1 })),
    { onProgress: ({ committed, places }) => seen.push(places === 60 ? committed : -1) },
  )
  await executor.close()
  expect(seen).toEqual([...seen].sort((a, b) => a - b))
  expect(seen.at(-1)).toBe(60)
  expect(Math.min(...seen)).toBeGreaterThanOrEqual(0)
})

describe('telemetry', () => {
  const spans = new InMemorySpanExporter()
  const metrics = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter: metrics, exportIntervalMillis: 2 ** 30 })
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
  const meterProvider = new MeterProvider({ readers: [reader] })
  api.trace.setGlobalTracerProvider(tracerProvider)
  api.metrics.setGlobalMeterProvider(meterProvider)
  afterAll(async () => {
    await meterProvider.shutdown()
    await tracerProvider.shutdown()
  })

  test('has a span and metrics for each run, and the error of one that failed', async () => {
    const executor = await createTaskExecutor(MODULE, { ...POOL, telemetry: api })
    const { run } = await executor.run(increments(50), { speculation: 'always' })
    await expect(executor.run([{ task: 'missing' }])).rejects.toThrow()
    await executor.close()
    const [good, bad] = spans.getFinishedSpans()
    expect(good).toMatchObject({
      name: 'blockloom tasks',
      attributes: {
        'blockloom.kind': 'tasks',
        'blockloom.places': 50,
        'blockloom.workers': 2,
        'blockloom.executions': run.executions,
        'blockloom.aborts': run.aborts,
      },
    })
    expect(bad?.status).toMatchObject({ code: api.SpanStatusCode.ERROR })
    expect(bad?.events.map(({ name }) => name)).toEqual(['exception'])
    await meterProvider.forceFlush()
    const found = metrics.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
    const value = (name: string) => found.find(({ descriptor }) => descriptor.name === name)?.dataPoints[0]?.value
    expect(value('blockloom.places')).toBe(50)
    expect(value('blockloom.executions')).toBe(run.executions)
    expect(value('blockloom.run.duration')).toMatchObject({ count: 1 })
  })

  test('that throws leaves runs unharmed', async () => {
    const fail = (): never => {
      throw new Error('no span today')
    }
    const instrument = { add: fail, record: fail }
    const broken = {
      trace: { getTracer: () => ({ startSpan: fail }) },
      metrics: { getMeter: () => ({ createCounter: () => instrument, createHistogram: () => instrument }) },
    }
    const executor = await createTaskExecutor(MODULE, { ...POOL, telemetry: broken })
    expect((await executor.run(increments(50))).results).toHaveLength(50)
    await expect(executor.run([{ task: 'missing' }])).rejects.toMatchObject({ code: 'UNKNOWN_TASK' })
    await executor.close()
  })

  test('of something else than the API is refused', async () => {
    await expect(createTaskExecutor(MODULE, { ...POOL, telemetry: {} as never })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      fields: { option: 'telemetry' },
    })
  })
})

describe('learn', () => {
  const runs = async (learn: boolean) => {
    const file = makeWorkload('erc20-hot', 400)
    const state = createMemoryState({ maxBytes: 64 * MIB }).load(file)
    const executor = await createExecutor({ workers: 2, memoryLimit: 64 * MIB, learn })
    const options = { state, chain: chainAtFork(file.fork), senders: 'trust', only: 'transactions' } as const
    const oracle = await executor.executeBlock(file.block, { ...options, sequential: true })
    const reports: RunReport[] = []
    for (let k = 0; k < 4; k++) {
      const result = await executor.executeBlock(file.block, { ...options, speculation: 'always' })
      expect(result.receipts).toEqual(oracle.receipts)
      expect(result.stateDiff).toEqual(oracle.stateDiff)
      reports.push(result.run)
    }
    await executor.close()
    return reports
  }

  test('watches what conflicted before from the first place on, and changes no result', async () => {
    const [first, ...later] = (await runs(true)) as [RunReport, ...RunReport[]]
    // Every reader of the hot slot but the first places, or those whose turn it is, waits from the beginning on.
    for (const { waits, speculative, direct, reexecuted } of later) {
      expect(waits).toBeGreaterThan(0)
      expect(speculative + direct + reexecuted).toBe(400)
    }
    expect(first.speculative + first.direct + first.reexecuted).toBe(400)
  })

  test('takes records of another executor', async () => {
    const teacher = await createTaskExecutor(MODULE, POOL)
    const { records } = await teacher.run(increments(200), { speculation: 'always', records: true })
    await teacher.close()
    const executor = await createTaskExecutor(MODULE, { ...POOL, learn: records === undefined ? [] : [records] })
    const { results, run } = await executor.run(increments(200), { speculation: 'always' })
    await executor.close()
    expect(results.map((result) => (result.status === 'done' ? result.value : result.error))).toEqual(
      Array.from({ length: 200 }, (_, k) => k),
    )
    expect(run.waits).toBeGreaterThan(0)
  })

  test.each([['yes'], [5], [{}]])('%o is refused', async (learn) => {
    await expect(createTaskExecutor(MODULE, { ...POOL, learn: learn as never })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      fields: { option: 'learn' },
    })
  })
})
