/** What other programs did, replayed as tasks: scientific workflows, access traces, block access lists. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { RLP } from '@ethereumjs/rlp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createKeyValueState, createTaskExecutor, type TaskCall, type TaskExecutor } from '../../src/tasks.ts'

const data = new URL('../../../shared/data/', import.meta.url)
const there = existsSync(new URL('workflows/', data))
let executor: TaskExecutor
beforeAll(async () => {
  const module = new URL('../support/workflowModule.mjs', import.meta.url)
  executor = await createTaskExecutor(module, { workers: 2, memoryLimit: 256 * 2 ** 20 })
})
afterAll(() => executor.close())

interface Workflow {
  readonly source: string
  readonly tasks: readonly {
    readonly id: number
    readonly name: string
    readonly parents: readonly number[]
    readonly reads: readonly number[]
    readonly writes: readonly number[]
    readonly ms: number
  }[]
}

describe.skipIf(!there)('110 scientific workflows (skipped without ../shared/data/workflows)', () => {
  const workflows = !there
    ? []
    : gunzipSync(readFileSync(new URL('workflows/wfinstances.jsonl.gz', data)))
        .toString('utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Workflow)

  test.each(['ordered', 'graph'] as const)('in the order %s every task sees what its parents wrote', async (order) => {
    expect(workflows).toHaveLength(110)
    let executions = 0
    let tasks = 0
    for (const { source, tasks: list } of workflows) {
      const total = list.reduce((sum, { ms }) => sum + ms, 0)
      const calls = list.map(
        ({ id, parents, reads, writes, ms }): TaskCall => ({
          task: 'step',
          // Three milliseconds of waiting a workflow: enough for workers to run apart.
          input: { id, reads, writes, ms: total === 0 ? 0 : (3 * ms) / total },
          after: parents,
          cost: ms,
        }),
      )
      const { results, order: told, run } = await executor.run(calls, { order, speculation: 'always' })
      const newest = new Map<number, number>()
      for (const index of told) {
        const { reads, writes, id } = list[index] as Workflow['tasks'][number]
        const seen = (results[index] as { value: { seen: number[] } }).value.seen
        if (seen.some((writer, k) => writer !== (newest.get(Number(reads[k])) ?? -1))) {
          expect({ source, index, seen }).toEqual({ source, index, seen: reads.map((read) => newest.get(read) ?? -1) })
        }
        for (const location of writes) newest.set(location, id)
      }
      const at = new Map(told.map((index, k) => [index, k]))
      for (const [index, { parents }] of list.entries()) {
        for (const parent of parents) expect(at.get(parent)).toBeLessThan(at.get(index) as number)
      }
      executions += run.executions
      tasks += list.length
    }
    // Declared edges are all there are: nothing is executed twice.
    expect(executions).toBe(tasks)
  })
})

interface Step {
  readonly reads: readonly string[]
  readonly writes: readonly (readonly [string, unknown])[]
}

/** Runs steps in parallel, with hints, and compares with a Map. */
async function expectReplayed(steps: readonly Step[]): Promise<void> {
  const entries = new Map(steps.flatMap(({ reads }) => reads.map((key) => [key, 'before'] as const)))
  const state = createKeyValueState({ maxBytes: 64 * 2 ** 20, entries })
  const map = new Map<string, unknown>(entries)
  const expected = steps.map(({ reads, writes }) => {
    const seen = reads.map((key) => map.get(key) ?? null)
    for (const [key, value] of writes) map.set(key, value)
    return seen
  })
  const calls = steps.map((input): TaskCall => ({ task: 'replay', input }))
  const hinted = calls.map((call, k) => ({
    ...call,
    reads: steps[k]?.reads ?? [],
    writes: steps[k]?.writes.map(([key]) => key) ?? [],
  }))
  for (const list of [calls, hinted]) {
    const { results, stateDiff } = await executor.run(list, { state, speculation: 'always' })
    expect(results.map((result) => (result as { value: unknown }).value)).toEqual(expected)
    const after = createKeyValueState({ maxBytes: 64 * 2 ** 20, entries })
    await after.apply(stateDiff)
    expect(new Map(after.entries())).toEqual(map)
  }
}

const traces = there ? readdirSync(new URL('access-traces/', data)).filter((name) => name.endsWith('.json')) : []
describe.skipIf(!there)('access traces', () => {
  test.each(traces)('%s', async (name) => {
    interface Trace {
      readonly txs: readonly {
        readonly reads?: readonly string[]
        readonly writes?: Readonly<Record<string, unknown>>
      }[]
    }
    const { txs } = JSON.parse(readFileSync(new URL(`access-traces/${name}`, data), 'utf8')) as Trace
    expect(txs.length).toBeGreaterThan(0)
    await expectReplayed(txs.map(({ reads = [], writes = {} }) => ({ reads, writes: Object.entries(writes) })))
  })
})

type Rlp = Uint8Array | readonly Rlp[]
const lists = there ? readdirSync(new URL('bal/', data)).filter((name) => name.endsWith('.rlp.gz')) : []
describe.skipIf(!there)('block access lists', () => {
  test.each(lists)('%s', async (name) => {
    const hex = (bytes: Rlp) => Buffer.from(bytes as Uint8Array).toString('hex')
    const indexOf = (bytes: Rlp) => Number.parseInt(hex(bytes) || '0', 16)
    const list = RLP.decode(
      gunzipSync(readFileSync(new URL(`bal/${name}`, data))),
    ) as unknown as readonly (readonly Rlp[])[]
    const steps = new Map<number, { reads: string[]; writes: [string, unknown][] }>()
    const at = (index: number) => {
      const found = steps.get(index) ?? { reads: [], writes: [] }
      steps.set(index, found)
      return found
    }
    for (const [address, slots, reads, ...fields] of list) {
      const account = hex(address as Rlp)
      for (const [slot, changes] of slots as unknown as readonly [Rlp, readonly [Rlp, Rlp][]][]) {
        for (const [index, value] of changes) at(indexOf(index)).writes.push([`${account}:${hex(slot)}`, hex(value)])
      }
      fields.forEach((changes, k) => {
        for (const [index, value] of changes as unknown as readonly [Rlp, Rlp][]) {
          at(indexOf(index)).writes.push([`${account}/${k}`, hex(value)])
        }
      })
      // Which transaction read is not told: all of them go to the last one.
      for (const slot of reads as readonly Rlp[]) at(1 << 20).reads.push(`${account}:${hex(slot)}`)
    }
    const inOrder = [...steps].sort(([a], [b]) => a - b).map(([, step]) => step)
    // A write is preceded by a read of the same key, as an EVM does it.
    await expectReplayed(
      inOrder.map(({ reads, writes }) => ({ reads: [...reads, ...writes.map(([key]) => key)], writes })),
    )
  })
})
