/** Lists that `append` makes: what is written for n items, and that a longer version leaves a shorter one as it was. */
import { describe, expect, test } from 'vitest'
import { Operation, Operations } from '../../src/adapters/taskGraph/operations.ts'
import type { TaskMemory } from '../../src/core/contracts.ts'
import { Values } from '../../src/core/values.ts'
import { createValueCodec } from '../../src/executor/valueCodec.ts'
import { createTaskExecutor } from '../../src/tasks.ts'

const values = new Values(createValueCodec())
const operations = new Operations(values, [])

/** A value as `fold` takes and makes it. */
interface Version {
  readonly words: Int32Array
  readonly length: number
  readonly at: number
}

const NONE: Version = { words: new Int32Array(0), length: -1, at: 0 }

/** An engine memory that counts what is asked of it. */
function memoryOf() {
  const engine = new Int32Array(new SharedArrayBuffer(1 << 22))
  // What lay there before must not matter.
  engine.fill(0x7fffffff)
  let next = 8
  const memory = {
    engine,
    allocate(count: number) {
      next += count
      return next - count
    },
    assertRoom() {},
  } as unknown as TaskMemory
  const put = (value: unknown): Version => {
    values.encode(value)
    const at = memory.allocate((values.length + 3) >> 2)
    values.copyTo(engine, at)
    return { words: engine, length: values.length, at }
  }
  const append = (before: Version, ...items: unknown[]): Version => {
    const code = items.flatMap((item) => {
      const { length, at } = put(item)
      return [Operation.Append, length, at]
    })
    const record = memory.allocate(code.length)
    engine.set(code, record)
    const out = memory.allocate(2)
    const folded = operations.fold(memory, before.words, before.length, before.at, record, items.length, out)
    if (!folded) throw operations.error
    return { words: engine, length: engine[out] as number, at: engine[out + 1] as number }
  }
  return { engine, put, append, words: () => next }
}

const read = ({ words, length, at }: Version): unknown => (length < 0 ? undefined : values.decode(words, at, length))

describe('lists', () => {
  test('n appends write a multiple of n words, whether by one task or by n', () => {
    const wordsFor = (count: number, each: number): number => {
      const { append, words } = memoryOf()
      let version = NONE
      for (let k = 0; k < count; k += each) {
        version = append(version, ...Array.from({ length: each }, (_, i) => k + i))
      }
      expect(read(version)).toEqual(Array.from({ length: count }, (_, k) => k))
      return words()
    }
    for (const each of [1, 100]) {
      // 4 words an item; with the operand, the operation and doubled room some 20. A copy each would be 2 n squared.
      for (const count of [200, 1600, 12_800]) expect(wordsFor(count, each) / count).toBeLessThan(40)
    }
  })

  test('two that append to one version do not see each other', () => {
    const { append } = memoryOf()
    const both = append(NONE, 'a')
    const left = append(both, 'b')
    const right = append(both, 'c', 'd')
    const longer = append(left, 'e')
    expect([both, left, right, longer].map(read)).toEqual([['a'], ['a', 'b'], ['a', 'c', 'd'], ['a', 'b', 'e']])
  })

  test('items of any size follow a list that was set, or is the state’s', () => {
    const { append, put } = memoryOf()
    const long = 'x'.repeat(5000)
    const set = append(put([1, { two: 2 }]), null, long)
    expect(read(set)).toEqual([1, { two: 2 }, null, long])
    const own = memoryOf()
    const ofState: Version = { words: set.words.slice(), length: set.length, at: set.at }
    expect(read(own.append(ofState, 3))).toEqual([1, { two: 2 }, null, long, 3])
    expect(() => append(put(5), 1)).toThrow('append needs a list')
  })

  test('a run of thousands of appends to one key fits into the smallest memory, on every path', async () => {
    const module = new URL('../support/taskModule.mjs', import.meta.url)
    for (const asynchronous of [false, true]) {
      const executor = await createTaskExecutor(module, { workers: 2, memoryLimit: 16 * 2 ** 20, asynchronous })
      try {
        // A copy of the list for each would be 4 words times 5000 squared and a half: 200 MB.
        const calls = Array.from({ length: 5000 }, (_, k) => ({ task: 'appendTo', input: { key: 'log', items: [k] } }))
        for (const options of [{ speculation: 'always' }, { speculation: 'auto' }, { sequential: true }] as const) {
          const { stateDiff } = await executor.run(calls, options)
          expect(stateDiff.entries[0]?.value).toEqual(calls.map((_, k) => k))
        }
      } finally {
        await executor.close()
      }
    }
  })
})
