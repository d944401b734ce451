/**
 * What goes wrong with tasks and workers: each fault is a typed error, the state stays as it was, and the same
 * executor runs the next list of tasks on the same state as if nothing had happened.
 */
import { afterEach, describe, expect, test } from 'vitest'
import {
  createKeyValueState,
  createTaskExecutor,
  type KeyValueState,
  runTasks,
  type TaskCall,
  type TaskExecutor,
  type TaskExecutorOptions,
} from '../../src/tasks.ts'
import { runChild } from '../support/child.ts'

const module = new URL('../support/taskModule.mjs', import.meta.url)
const MIB = 2 ** 20
const always = { speculation: 'always' as const }
const call = (task: string, input?: unknown): TaskCall => ({ task, input })

const open: TaskExecutor[] = []
afterEach(async () => {
  for (const executor of open.splice(0)) await executor.close()
})
const create = async (
  options: TaskExecutorOptions & { readonly module?: URL | string } = {},
): Promise<TaskExecutor> => {
  const executor = await createTaskExecutor(options.module ?? module, { workers: 2, memoryLimit: 32 * MIB, ...options })
  open.push(executor)
  return executor
}

const KEYS = Array.from({ length: 60 }, (_, k) => `k${k}`)
const stateWithKeys = (maxBytes = 4 * MIB): KeyValueState =>
  createKeyValueState({ maxBytes, entries: Object.fromEntries(KEYS.map((key) => [key, 'base'])) })

/** Runs on the state that the fault left, often enough to meet what it may have left behind. */
async function expectUsable(executor: TaskExecutor, state: KeyValueState): Promise<void> {
  for (const speculation of ['always', 'auto', 'always'] as const) {
    const reads = await executor.run([call('put', ['mine', 'x']), call('readAll', KEYS)], { state, speculation })
    expect(reads.results[1]).toMatchObject({ value: KEYS.map(() => 'base') })
    const tasks = Array.from({ length: 40 }, () => call('increment', 'counter'))
    const { results, stateDiff } = await executor.run(tasks, { state, speculation })
    expect(results.map((result) => (result as { value: unknown }).value)).toEqual([...tasks.keys()])
    expect(stateDiff.entries).toHaveLength(1)
  }
}

const touchAll = KEYS.map((key) => call('put', [key, 'touched']))

describe('abort signals', () => {
  test('aborted before the run: ABORTED, nothing ran', async () => {
    const executor = await create()
    const state = stateWithKeys()
    const reason = new Error('changed my mind')
    const run = executor.run(touchAll, { ...always, state, signal: AbortSignal.abort(reason) })
    await expect(run).rejects.toMatchObject({ code: 'ABORTED', name: 'Blockloom.AbortedError', retryable: true })
    await expectUsable(executor, state)
  })

  test('the reason of the signal is the cause of the error', async () => {
    const executor = await create()
    const reason = new Error('changed my mind')
    const error = await executor
      .run(touchAll, { ...always, signal: AbortSignal.abort(reason) })
      .catch((e: unknown) => e)
    expect((error as Error).cause).toBe(reason)
  })

  test.each(['always', 'auto'] as const)(
    'aborted during a run (%s): ABORTED with the prefix that was final',
    async (speculation) => {
      const executor = await create()
      const state = stateWithKeys()
      const controller = new AbortController()
      // The pool is awake and the module loaded, so that 200 ms are 200 ms of tasks.
      await executor.run(touchAll, always)
      setTimeout(() => controller.abort(), 200)
      const tasks = [...touchAll, ...Array.from({ length: 300 }, () => call('spin', 5))]
      const began = performance.now()
      const error = await executor
        .run(tasks, { state, speculation, signal: controller.signal })
        .catch((e: unknown) => e)
      expect(error).toMatchObject({ code: 'ABORTED', retryable: true })
      const { committedPrefix } = error as { committedPrefix: number }
      expect(committedPrefix).toBeGreaterThan(0)
      expect(committedPrefix).toBeLessThan(tasks.length)
      expect(performance.now() - began).toBeLessThan(1000)
      await expectUsable(executor, state)
    },
  )

  test('a signal that is aborted after the run does nothing', async () => {
    const executor = await create()
    const controller = new AbortController()
    const { results } = await executor.run(touchAll, { ...always, signal: controller.signal })
    controller.abort()
    expect(results).toHaveLength(touchAll.length)
    await expectUsable(executor, stateWithKeys())
  })
})

describe('workers that are lost', () => {
  test('a worker that exits: WORKER_LOST, retryable; it is replaced', async () => {
    const executor = await create()
    const state = stateWithKeys()
    const run = executor.run([...touchAll, call('exit', 3), ...touchAll], { ...always, state })
    await expect(run).rejects.toMatchObject({ code: 'WORKER_LOST', name: 'Blockloom.WorkerLostError', retryable: true })
    await expectUsable(executor, state)
  })

  test('again and again, also on the sequential path', async () => {
    const executor = await create()
    const state = stateWithKeys()
    for (const options of [always, { sequential: true }, always, { speculation: 'auto' as const }]) {
      const run = executor.run([...touchAll, call('exit', 0)], { ...options, state })
      await expect(run).rejects.toMatchObject({ code: 'WORKER_LOST' })
    }
    await expectUsable(executor, state)
  })

  test('the first task of all ends the worker before it has woken the others', async () => {
    const executor = await create({ workers: 4 })
    await expect(executor.run([call('exit', 0), ...touchAll], always)).rejects.toMatchObject({ code: 'WORKER_LOST' })
    await expectUsable(executor, stateWithKeys())
  })
})

describe('stalls', () => {
  test('a task that never ends: STALLED with a dump, and the pool goes on', async () => {
    const executor = await create({ stallTimeout: 500 })
    const state = stateWithKeys()
    const error = await executor.run([...touchAll, call('loopForEver')], { ...always, state }).catch((e: unknown) => e)
    expect(error).toMatchObject({
      code: 'STALLED',
      committedPrefix: 60,
      fields: { commitIndex: 61, places: 61, executionIndex: expect.any(Number), mode: 0, lock: 0 },
    })
    await expectUsable(executor, state)
  }, 20_000)

  test('also on the sequential path', async () => {
    const executor = await create({ stallTimeout: 500 })
    const state = stateWithKeys()
    const run = executor.run([...touchAll, call('loopForEver')], { sequential: true, state })
    await expect(run).rejects.toMatchObject({ code: 'STALLED' })
    await expectUsable(executor, state)
  }, 20_000)

  test.each(['auto', 'always'] as const)(
    'a task that never ends on values that no run in order shows: the result in order (%s)',
    async (speculation) => {
      const executor = await create({ stallTimeout: 2000 })
      const state = stateWithKeys()
      const pairs = Array.from({ length: 100 }, (_, k) => [`a${k}`, `b${k}`])
      const tasks = pairs.flatMap((keys) => [call('writeBoth', keys), call('loopIfTorn', keys)])
      const told: number[] = []
      let stalls = 0
      // Which values it sees is chance: often enough, it is those of half a task.
      for (let repeat = 0; repeat < 20 && stalls === 0; repeat++) {
        const { results, stateDiff, run } = await executor.run(tasks, {
          speculation,
          state,
          onProgress: ({ committed }) => told.push(committed),
        })
        expect(results.map((result) => (result as { value: unknown }).value)).toEqual(
          tasks.map((_, k) => (k % 2 === 0 ? undefined : 1)),
        )
        expect(stateDiff.entries).toHaveLength(200)
        stalls += run.stalls
        if (run.stalls > 0) expect(run).toMatchObject({ stalls: 1, fallback: 200, executions: 200 })
      }
      expect(stalls).toBe(1)
      expect(executor.stats()).toMatchObject({ stalls: 1, failed: 0 })
      await expectUsable(executor, state)
    },
    120_000,
  )

  test('an abort reaches a task that never ends', async () => {
    const executor = await create()
    const state = stateWithKeys()
    const signal = AbortSignal.timeout(200)
    const run = executor.run([...touchAll, call('loopForEver')], { ...always, state, signal })
    await expect(run).rejects.toMatchObject({ code: 'ABORTED' })
    await expectUsable(executor, state)
  }, 20_000)
})

describe('capacity', () => {
  test('results that do not fit into memoryLimit: CAPACITY with the limit', async () => {
    const executor = await create({ memoryLimit: 16 * MIB })
    const state = stateWithKeys()
    const tasks = Array.from({ length: 40 }, () => call('writeAndFill', { keys: KEYS, bytes: MIB }))
    for (const options of [always, { sequential: true }]) {
      await expect(executor.run(tasks, { ...options, state })).rejects.toMatchObject({
        code: 'CAPACITY',
        name: 'Blockloom.CapacityError',
        retryable: false,
        fields: { limit: 16 * MIB },
      })
      await expectUsable(executor, state)
    }
  })

  test('a list of tasks whose places do not fit', async () => {
    const executor = await create({ memoryLimit: 16 * MIB })
    const tasks = Array.from({ length: 300_000 }, () => call('spin', 0))
    await expect(executor.run(tasks, always)).rejects.toMatchObject({ code: 'CAPACITY' })
    await expectUsable(executor, stateWithKeys())
  })

  test('more keys than the state has indexes for: they grow, and nothing is seen of it', async () => {
    const executor = await create({ memoryLimit: 64 * MIB })
    const state = stateWithKeys(64 * MIB)
    state.set('many7', 'before')
    const tasks = [
      ...KEYS.map((key, k) => call('writeMany', { prefix: `p${k}-`, count: 600, value: key })),
      call('writeMany', { prefix: 'many', count: 50, value: 'after' }),
    ]
    for (const options of [always, { sequential: true }]) {
      const { stateDiff } = await executor.run(tasks, { ...options, state })
      expect(new Set(stateDiff.entries.map(({ key }) => Buffer.from(key).toString())).size).toBe(60 * 600 + 50)
      expect(stateDiff.entries).toHaveLength(60 * 600 + 50)
      await expectUsable(executor, stateWithKeys())
      await expectUsable(executor, state)
    }
  })

  test('a shortage that a task hushes up counts all the same: indexes grow, or CAPACITY', async () => {
    const executor = await create({ memoryLimit: 64 * MIB })
    const [large, small] = [stateWithKeys(64 * MIB), stateWithKeys(MIB)]
    const tasks = [call('writeManyQuietly', { prefix: 'q', count: 40_000, value: 'v' })]
    for (const options of [always, {}, { sequential: true }]) {
      const { stateDiff } = await executor.run(tasks, { ...options, state: large })
      expect(stateDiff.entries).toHaveLength(40_000)
      await expect(executor.run(tasks, { ...options, state: small })).rejects.toMatchObject({ code: 'CAPACITY' })
      await expectUsable(executor, small)
    }
    const narrow = await create({ memoryLimit: 16 * MIB })
    const long = [call('writeManyQuietly', { prefix: 'q', count: 100, value: 'x'.repeat(MIB) })]
    for (const options of [always, {}, { sequential: true }]) {
      const run = narrow.run(long, { ...options, state: createKeyValueState({ maxBytes: 256 * MIB }) })
      await expect(run).rejects.toMatchObject({ code: 'CAPACITY' })
    }
  })

  test('keys and values that do not fit into the state: CAPACITY, and the state as it was', async () => {
    const executor = await create()
    const state = stateWithKeys(MIB)
    const long = 'x'.repeat(20_000)
    const tasks = Array.from({ length: 100 }, (_, k) => call('increment', `${long}${k % 50}`))
    await expect(executor.run(tasks, { ...always, state })).rejects.toMatchObject({ code: 'CAPACITY' })
    await expectUsable(executor, state)
  })
})

describe('tasks that fail', () => {
  test('a module that does not load', async () => {
    for (const bad of [
      new URL('./absent.mjs', import.meta.url),
      'data:text/javascript,throw new Error("no")',
      'data:text/javascript,export const a = 1',
    ]) {
      const executor = await create({ module: bad })
      await expect(executor.run([call('a')], always)).rejects.toMatchObject({
        code: 'MODULE_NOT_LOADED',
        name: 'Blockloom.InvalidInputError',
      })
      // And again: nothing half started stands in the way of the same answer.
      await expect(executor.run([call('a')], always)).rejects.toMatchObject({ code: 'MODULE_NOT_LOADED' })
    }
  })

  test('a worker file that does not load', async () => {
    const executor = await create({ worker: new URL('./absent.mjs', import.meta.url) })
    await expect(executor.run([call('spin', 0)], always)).rejects.toMatchObject({ code: 'MODULE_NOT_LOADED' })
  })

  test('no module', async () => {
    await expect(createTaskExecutor({} as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(createTaskExecutor('')).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })

  test('a name that the module does not export: UNKNOWN_TASK with the index, only once the task is due', async () => {
    const executor = await create()
    const state = stateWithKeys()
    for (const options of [always, { sequential: true }]) {
      const run = executor.run([...touchAll, call('nobody'), ...touchAll], { ...options, state })
      await expect(run).rejects.toMatchObject({ code: 'UNKNOWN_TASK', fields: { taskIndex: 60, task: 'nobody' } })
      await expectUsable(executor, state)
    }
  })

  test('a call that is no call', async () => {
    const executor = await create()
    for (const bad of [undefined, null, {}, { task: 1 }, 'increment']) {
      await expect(executor.run([bad as never])).rejects.toMatchObject({
        code: 'INVALID_OPTION',
        fields: { taskIndex: 0 },
      })
    }
    await expectUsable(executor, stateWithKeys())
  })

  test.each(['always', 'sequential'])('an asynchronous task fails with that reason (%s)', async (how) => {
    const executor = await create()
    const options = how === 'always' ? always : { sequential: true }
    const { results } = await executor.run([call('asynchronous'), call('increment', 'k')], options)
    expect(results[0]).toMatchObject({
      status: 'failed',
      error: { code: 'ASYNCHRONOUS_TASK', name: 'TypeError', message: expect.stringContaining('synchronous') },
    })
    expect(results[1]).toMatchObject({ status: 'done', value: 0 })
  })

  test.each(['get', 'set', 'add', 'keys'])('a getter that calls %s of the store is refused, always', async (how) => {
    const executor = await create()
    for (const deep of [false, true]) {
      const tasks = Array.from({ length: 30 }, (_, k) => call('putByGetter', { key: `k${k % 4}`, how, deep }))
      const oracle = await executor.run(tasks, { sequential: true })
      for (const result of oracle.results) expect(result).toMatchObject({ error: { code: 'NOT_ENCODABLE' } })
      for (const speculation of ['always', 'auto'] as const) {
        const { results, stateDiff } = await executor.run(tasks, { speculation })
        expect(stateDiff.entries).toEqual(oracle.stateDiff.entries)
        expect(results.map(({ status }) => status)).toEqual(oracle.results.map(({ status }) => status))
      }
    }
  })

  test.each(['returnTrap', 'returnRevoked', 'returnLoop', 'throwTrap', 'throwRevoked', 'throwFull'])(
    '%s: what cannot be looked at fails its task alone',
    async (how) => {
      const executor = await create()
      const state = stateWithKeys()
      for (const options of [always, {}, { sequential: true }]) {
        const tasks = [call('increment', 'n'), call('beOdd', how), call('increment', 'n')]
        const { results } = await executor.run(tasks, { ...options, state })
        expect(results.map(({ status }) => status)).toEqual(['done', 'failed', 'done'])
        await expectUsable(executor, state)
      }
    },
  )

  test.each(['five', 'trap', 'refuse', 'nothing'])('a merge that throws or answers oddly (%s)', async (name) => {
    const executor = await create()
    const tasks = [
      call('put', ['k', 'there']),
      ...Array.from({ length: 6 }, () => call('spin', 1)),
      call('mergeBy', { name, key: 'k', operand: 1 }),
      call('read', 'k'),
    ]
    const oracle = await executor.run(tasks, { sequential: true })
    expect(oracle.results[7]).toMatchObject({ status: 'failed' })
    for (let k = 0; k < 5; k++) {
      for (const speculation of ['always', 'auto'] as const) {
        const { results, stateDiff } = await executor.run(tasks, { speculation })
        expect(results.map(({ status }) => status)).toEqual(oracle.results.map(({ status }) => status))
        expect(stateDiff.entries).toEqual(oracle.stateDiff.entries)
      }
    }
  })

  test('items of megabytes are appended to, whether they were set or appended', async () => {
    const executor = await create({ memoryLimit: 256 * MIB })
    const large = 'x'.repeat(4 * MIB)
    const tasks = [
      call('put', ['list', [large]]),
      call('appendTo', { key: 'list', items: ['y'] }),
      call('read', 'list'),
    ]
    for (const options of [always, { sequential: true }]) {
      const { results } = await executor.run(tasks, options)
      expect(results.map(({ status }) => status)).toEqual(['done', 'done', 'done'])
      expect((results[2] as { value: unknown[] }).value).toEqual([large, 'y'])
    }
  })

  test('options and hints that are none are told by their names', async () => {
    const executor = await create()
    const sparse: TaskCall[] = []
    sparse[1] = call('increment', 'k')
    const one = call('increment', 'k')
    for (const [calls, options] of [
      [[one], null],
      [[one], { policy: 'x' }],
      [[one], { policy: () => undefined }],
      [sparse, {}],
      [[{ ...one, after: 5 }], {}],
      [[{ ...one, reads: 5 }], {}],
      [[{ ...one, writes: 'all' }], {}],
      [[{ ...one, priority: 1e308 }], {}],
    ] as const) {
      await expect(executor.run(calls as never, options as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    }
    await expectUsable(executor, stateWithKeys())
  })

  test('a key may begin with U+FEFF', async () => {
    const executor = await create()
    const tasks = [call('put', ['\ufeffa', '2']), call('put', ['a', '3'])]
    const { results, stateDiff } = await executor.run(tasks, always)
    expect(results.map(({ status }) => status)).toEqual(['done', 'done'])
    expect(stateDiff.entries).toEqual([
      { key: 'a', value: '3' },
      { key: '\ufeffa', value: '2' },
    ])
  })

  test.each([
    ['returnPromise', 'a promise in a result', 'NOT_ENCODABLE'],
    ['returnFunction', 'a function as result', 'NOT_ENCODABLE'],
    ['throwNothing', 'a throw of what cannot be printed', 'TASK_FAILED'],
  ])('%s: %s is the failure of that task alone', async (task, _, code) => {
    const executor = await create()
    for (const options of [always, { sequential: true }]) {
      const { results } = await executor.run([call('increment', 'k'), call(task), call('increment', 'k')], options)
      expect(results.map(({ status }) => status)).toEqual(['done', 'failed', 'done'])
      expect(results[1]).toMatchObject({ error: { code } })
      expect(results[2]).toMatchObject({ value: 1 })
    }
  })

  test('results of every kind arrive as they were', async () => {
    const executor = await create()
    const cycle: Record<string, unknown> = { name: 'cycle' }
    cycle['self'] = cycle
    const values = [
      ...[undefined, null, true, false, 0, -0, -1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60, 5n, -(2n ** 80n)],
      ...['text', '', 'ü€😀', 'x'.repeat(64), 'x'.repeat(65), 'x'.repeat(5000), [1, [2]], { a: { b: 'c' } }, {}, []],
      ...[
        new Map<unknown, unknown>([
          [1, new Set(['a', 2])],
          ['b', new Date(5)],
        ]),
        new Date(0),
        /a+/g,
        cycle,
      ],
      ...[new Float64Array([1, -2.5]), new Int32Array(3), new BigInt64Array([7n]), { deep: Uint8Array.of(1, 2, 3) }],
      ...[{ a: undefined, b: null }, [undefined, null]],
    ]
    const { results } = await executor.run(
      values.map((value) => call('echo', value)),
      always,
    )
    expect(results.map((result) => (result as { value: unknown }).value)).toEqual(values)
    for (const length of [0, 1, 2, 3, 4, 5, 1000]) {
      const bytes = Uint8Array.from({ length }, (_, k) => k & 255)
      expect((await executor.run([call('echo', bytes)], always)).results[0]).toMatchObject({ value: bytes })
    }
  })
})

describe('keys', () => {
  test('what is no text is no key and no prefix: the task fails', async () => {
    const executor = await create()
    const state = stateWithKeys()
    for (const options of [always, { sequential: true }]) {
      for (const key of [5, null, ['k1'], { k1: 1 }]) {
        const calls = [call('put', [key, 'x']), call('keysOf', { prefix: key }), call('readAll', [key])]
        const { results, stateDiff } = await executor.run(calls, { ...options, state })
        for (const result of results) {
          expect(result).toMatchObject({ status: 'failed', error: { name: 'TypeError', code: 'TASK_FAILED' } })
        }
        expect(stateDiff.entries).toEqual([])
      }
    }
    await expectUsable(executor, state)
  })
})

describe('operations that do not fit', () => {
  const both = [always, { sequential: true }]
  test.each([
    ['add to a text', call('addTo', { key: 'text', amount: 1 }), 'add needs a number'],
    ['add a bigint to a number', call('addTo', { key: 'number', amount: 1n }), 'cannot mix'],
    ['add with a bound of another type', call('addTo', { key: 'number', amount: 1, atLeast: 1n }), 'cannot mix'],
    ['append to a number', call('appendTo', { key: 'number', items: [1] }), 'append needs a list'],
    ['a merge that throws', call('mergeBy', { name: 'refuse', key: 'number', operand: 1 }), 'there is a value'],
    [
      'a merge that returns nothing',
      call('mergeBy', { name: 'nothing', key: 'number', operand: 1 }),
      'returned nothing',
    ],
    ['a merge that nobody declared', call('mergeBy', { name: 'who', key: 'number', operand: 1 }), "no merge 'who'"],
    ['a text instead of a number', call('addTo', { key: 'n', amount: '1' }), 'not string'],
  ])('%s is the failure of its task, which leaves nothing', async (_, bad, message) => {
    const executor = await create()
    for (const options of both) {
      const state = createKeyValueState({ maxBytes: MIB, entries: { text: 'x', number: 3 } })
      const list = [call('increment', 'k'), bad, call('addTo', { key: 'number', amount: 2 }), call('read', 'number')]
      const { results, stateDiff } = await executor.run(list, { ...options, state })
      expect(results.map(({ status }) => status)).toEqual(['done', 'failed', 'done', 'done'])
      expect(results[1]).toMatchObject({
        error: { message: expect.stringContaining(message), stack: expect.any(String) },
      })
      expect(results[3]).toMatchObject({ value: 5 })
      expect(stateDiff.entries).toEqual([
        { key: 'k', value: 1 },
        { key: 'number', value: 5 },
      ])
    }
  })

  test('bigints have no end, and bounds hold', async () => {
    const executor = await create()
    const big = 2n ** 300n
    const list = [
      call('addTo', { key: 'n', amount: big }),
      call('addTo', { key: 'n', amount: -big, atLeast: big + 1n }),
      call('addTo', { key: 'n', amount: -big, atLeast: big }),
      call('read', 'n'),
    ]
    for (const options of both) {
      const { results } = await executor.run(list, options)
      expect(results.map((result) => (result as { value: unknown }).value)).toEqual([true, false, true, 0n])
    }
  })
})

describe('state and executor', () => {
  test('a state that a run uses is busy for a second executor, and free afterwards', async () => {
    const [one, two] = [await create(), await create()]
    const state = stateWithKeys()
    const running = one.run([call('spin', 300)], { ...always, state })
    await new Promise((resolve) => setTimeout(resolve, 100))
    await expect(two.run(touchAll, { ...always, state })).rejects.toMatchObject({ code: 'STATE_BUSY', retryable: true })
    expect(() => state.set('k0', 'x')).toThrow(expect.objectContaining({ code: 'STATE_BUSY' }))
    await running
    await expectUsable(two, state)
    await expectUsable(one, state)
  })

  test('runs of one executor wait for each other', async () => {
    const executor = await create()
    const states = [stateWithKeys(), stateWithKeys(), stateWithKeys()]
    const runs = states.map((state) => executor.run([...touchAll, call('increment', 'c')], { ...always, state }))
    for (const { results } of await Promise.all(runs)) expect(results.at(-1)).toMatchObject({ value: 0 })
  })

  test('a run after a failed one is not refused', async () => {
    const executor = await create()
    const state = stateWithKeys()
    const [bad, good] = await Promise.allSettled([
      executor.run([call('nobody')], { ...always, state }),
      executor.run([call('increment', 'c')], { ...always, state }),
    ])
    expect([bad.status, good.status]).toEqual(['rejected', 'fulfilled'])
  })

  test('an executor that is closed says CLOSED', async () => {
    const { code, output } = await runChild('./misuse.mjs', ['closed'])
    expect([code, output]).toEqual([0, JSON.stringify(['done 20', 'CLOSED'])])
  }, 20_000)

  test('a run during which the executor is closed ends with CLOSED', async () => {
    const { code, output } = await runChild('./misuse.mjs', ['closing'])
    expect([code, output]).toEqual([0, JSON.stringify(['done 20', 'CLOSED'])])
  }, 20_000)

  test('an input that no thread can be sent is NOT_ENCODABLE, and the executor goes on', async () => {
    const { code, output } = await runChild('./misuse.mjs', ['unclonable'])
    expect([code, output]).toEqual([0, JSON.stringify(['done 20', 'NOT_ENCODABLE', 'done 20'])])
  }, 20_000)

  test('closing twice is closing once', async () => {
    const executor = await create()
    await executor.run(touchAll, always)
    await executor.close()
    await executor.close()
  })

  test.each([0, -1, 1.5, 1e9, Number.NaN, Number.POSITIVE_INFINITY, '2'])('%s workers are refused', async (workers) => {
    const bad = { workers: workers as number }
    await expect(createTaskExecutor(module, bad)).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      fields: { option: 'workers' },
    })
    await expect(runTasks(module, [], bad)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })

  test.each([0, 1.5, 2 ** 40, Number.NaN])('a memoryLimit or stallTimeout of %s is refused', async (value) => {
    await expect(create({ memoryLimit: value })).rejects.toMatchObject({ fields: { option: 'memoryLimit' } })
    await expect(create({ stallTimeout: value })).rejects.toMatchObject({ fields: { option: 'stallTimeout' } })
  })

  test('a speculation that is neither is refused', async () => {
    const executor = await create()
    await expect(executor.run(touchAll, { speculation: 'sometimes' as never })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      fields: { option: 'speculation' },
    })
  })
})

describe('no worker is left behind', () => {
  test.each(['tasks', 'block', 'idle'])(
    'a program that ran %s exits by itself, closed or not',
    async (kind) => {
      for (const ending of ['close', 'open']) {
        const { code, output, ms } = await runChild('./leave.mjs', [ending, kind])
        expect({ ending, code, output }).toEqual({ ending, code: 0, output: '' })
        expect(ms).toBeLessThan(8000)
      }
    },
    40_000,
  )
})
