/** Names, inputs and results of tasks are typed from the module to the result. */
import { describe, expectTypeOf, test } from 'vitest'
import {
  createTaskExecutor,
  defineTasks,
  runTasks,
  type TaskCall,
  type TaskFailure,
  type TaskStore,
} from '../../src/tasks.ts'
import type tasks from '../support/typedTasks.ts'

type Tasks = typeof tasks
const address = new URL('../support/typedTasks.ts', import.meta.url)
type Reserved = { readonly ok: false; readonly left?: undefined } | { readonly ok: true; readonly left: number }

describe('defineTasks', () => {
  test('memory and context need no annotation', () => {
    defineTasks({
      one(memory, _input: number, context) {
        expectTypeOf(memory).toEqualTypeOf<TaskStore>()
        expectTypeOf(context.index).toBeNumber()
        expectTypeOf(memory.get('key')).toBeUnknown()
        expectTypeOf(memory.get<Date>('key')).toEqualTypeOf<Date | undefined>()
        expectTypeOf(memory.entries<number>('key')).toEqualTypeOf<[string, number][]>()
        expectTypeOf(memory.add('key', 1)).toBeBoolean()
      },
    })
    // @ts-expect-error a task is a function
    defineTasks({ one: 1 })
    // @ts-expect-error keys are text
    defineTasks({ one: (memory) => memory.get(1) })
  })
})

describe('calls', () => {
  test('each task takes its own input', () => {
    expectTypeOf<{ task: 'reserve'; input: { sku: string; quantity: number } }>().toExtend<TaskCall<Tasks>>()
    expectTypeOf<{ task: 'count' }>().toExtend<TaskCall<Tasks>>()
    expectTypeOf<{ task: 'maybe' }>().toExtend<TaskCall<Tasks>>()
    expectTypeOf<{ task: 'maybe'; input: 1 }>().toExtend<TaskCall<Tasks>>()
    expectTypeOf<{ task: 'later'; input: 1; priority: 2; after: number[] }>().toExtend<TaskCall<Tasks>>()
    expectTypeOf<{ task: 'nobody' }>().not.toExtend<TaskCall<Tasks>>()
    expectTypeOf<{ task: 'reserve' }>().not.toExtend<TaskCall<Tasks>>()
    expectTypeOf<{ task: 'reserve'; input: { sku: number; quantity: number } }>().not.toExtend<TaskCall<Tasks>>()
    expectTypeOf<{ task: 'maybe'; input: 'x' }>().not.toExtend<TaskCall<Tasks>>()
    expectTypeOf<{ task: 'count'; input: 1 }>().not.toExtend<TaskCall<Tasks>>()
  })
})

describe('results', () => {
  test('an executor types each result by its call', async () => {
    const executor = await createTaskExecutor<Tasks>(address)
    const { results } = await executor.run([
      { task: 'reserve', input: { sku: 'a', quantity: 1 } },
      { task: 'count' },
      { task: 'later', input: 3 },
    ])
    expectTypeOf(results).toHaveProperty('length').toEqualTypeOf<3>()
    const [reserved, counted, later] = results
    if (reserved.status === 'done') expectTypeOf(reserved.value).toExtend<Reserved>()
    else expectTypeOf(reserved.error).toEqualTypeOf<TaskFailure>()
    if (counted.status === 'done') expectTypeOf(counted.value).toEqualTypeOf<void>()
    if (later.status === 'done') expectTypeOf(later.value).toEqualTypeOf<readonly [number, number]>()
    // @ts-expect-error there is no such task
    await executor.run([{ task: 'nobody' }])
    // @ts-expect-error its input has no quantity
    await executor.run([{ task: 'reserve', input: { sku: 'a' } }])
  })

  test('runTasks with the type of a module tells results apart by their task', async () => {
    const { results } = await runTasks<Tasks>(address, [{ task: 'count' }, { task: 'maybe', input: 2 }])
    for (const result of results) {
      if (result.task === 'maybe' && result.status === 'done') {
        expectTypeOf(result.value).toEqualTypeOf<number | string>()
      }
    }
  })

  test('a module that says its url is enough', async () => {
    const own = defineTasks({ double: (_memory, n: number) => n * 2 }, { url: import.meta.url })
    const { results } = await runTasks(own, [{ task: 'double', input: 2 }])
    const [first] = results
    if (first.status === 'done') expectTypeOf(first.value).toBeNumber()
    // @ts-expect-error a number is wanted
    await runTasks(own, [{ task: 'double', input: '2' }])
  })

  test('an address alone: anything may be called', async () => {
    const { results } = await runTasks(address, [{ task: 'whatever', input: { a: 1 } }])
    const [first] = results
    if (first.status === 'done') expectTypeOf(first.value).toBeUnknown()
  })
})
