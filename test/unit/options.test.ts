/** Options of the wrong kind are told by name, before anything runs: in each of the ways to run something. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkChoice, checkFlags, checkObject, wholeNumber } from '../../src/core/options.ts'
import { createExecutor, createMemoryState, type Executor } from '../../src/index.ts'
import { createTaskExecutor, type TaskExecutor } from '../../src/tasks.ts'

const refused = (option: string) =>
  expect.objectContaining({ code: 'INVALID_OPTION', fields: expect.objectContaining({ option }) })
const errorOf = (work: () => unknown): unknown => {
  try {
    return work()
  } catch (error) {
    return error
  }
}

describe('options: checks', () => {
  test('flags are true, false or absent', () => {
    for (const flag of [true, false, undefined]) checkFlags({ flag }, 'flag')
    for (const flag of [1, 0, 'true', '', null, {}]) {
      expect(errorOf(() => checkFlags({ flag }, 'flag'))).toEqual(refused('flag'))
    }
  })

  test('a choice is one of the list or absent, and the error names them all', () => {
    checkChoice('way', 'here', ['here', 'there'])
    checkChoice('way', undefined, ['here', 'there'])
    expect(errorOf(() => checkChoice('way', 'away', ['here', 'there']))).toEqual(refused('way'))
    expect(() => checkChoice('way', 'away', ['here', 'there'])).toThrow("way is 'here' or 'there', not away")
    expect(() => checkChoice('way', 0, ['up', 'down', 'on'])).toThrow("way is 'up', 'down' or 'on', not 0")
  })

  test('a whole number keeps to its range, ends included', () => {
    expect([1, 9, undefined].map((given) => wholeNumber('count', given, 1, 9, 5))).toEqual([1, 9, 5])
    for (const given of [0, 10, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '3' as never]) {
      expect(errorOf(() => wholeNumber('count', given, 1, 9, 5))).toEqual(refused('count'))
    }
  })

  test('options themselves are an object', () => {
    checkObject({})
    for (const given of [null, undefined, 3, 'options'])
      expect(errorOf(() => checkObject(given))).toEqual(refused('options'))
  })
})

describe('options: of a run', () => {
  const wrong = {
    speculation: 'never',
    sequential: 1,
    record: 'yes',
    signal: {},
    onProgress: true,
  }
  let blocks: Executor
  let tasks: TaskExecutor
  beforeAll(async () => {
    blocks = await createExecutor({ workers: 1 })
    tasks = await createTaskExecutor('file:///absent.mjs', { workers: 1 })
  })
  afterAll(() => Promise.all([blocks.close(), tasks.close()]))

  test('of a block', async () => {
    const all = { ...wrong, stateRoot: 0, placeDiffs: 'all', onCommit: 1 }
    for (const [option, value] of Object.entries(all)) {
      const options = { state: createMemoryState(), [option]: value } as never
      await expect(blocks.executeBlock({}, options)).rejects.toEqual(refused(option))
    }
  })

  test('of tasks', async () => {
    const all = { ...wrong, checkDeterminism: 1, order: 'sorted', failures: 'ignore' }
    for (const [option, value] of Object.entries(all)) {
      await expect(tasks.run([], { [option]: value } as never)).rejects.toEqual(refused(option))
    }
  })
})
