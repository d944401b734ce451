/**
 * Generated task programs, and the plain store that says what they must do.
 *
 * What a task does depends on the values it reads and on how often it was executed, so that an aborted incarnation
 * leaves traces that the next one must take back. The oracle is not the library: a Map, one task after another, each
 * with the incarnation that the run reported for it.
 */
import fc from 'fast-check'
import type { KeyValueState } from '../../src/state/keyValueState.ts'
import type { TaskCall, TaskResult } from '../../src/tasks.ts'
import { program } from './taskModule.mjs'

type Register = 0 | 1 | 2

type Op =
  | { readonly op: 'get' | 'has' | 'number'; readonly key: string; readonly to: Register }
  | { readonly op: 'getAt'; readonly by: Register; readonly to: Register }
  | { readonly op: 'set'; readonly key: string; readonly by: Register; readonly plus: number }
  | { readonly op: 'setAt'; readonly by: Register; readonly plus: number }
  | { readonly op: 'delete'; readonly key: string }
  | {
      readonly op: 'add'
      readonly key: string
      readonly amount: string
      readonly atLeast: string
      readonly to: Register
    }
  | { readonly op: 'ifOdd'; readonly by: Register; readonly then: Program; readonly otherwise: Program }
  | { readonly op: 'ifAgain'; readonly then: Program; readonly otherwise: Program }
  | { readonly op: 'throwIfOdd'; readonly by: Register }
  | { readonly op: 'catch'; readonly body: Program }
  | { readonly op: 'spin'; readonly ms: number }

export type Program = readonly Op[]

const key = fc.nat(7).map((k) => `k${k}`)
const register = fc.constantFrom<Register>(0, 1, 2)
/** Near the bounds below, so that checks fail as often as they pass. */
const amount = fc.integer({ min: -6, max: 6 }).map(String)
const atLeast = fc.integer({ min: 0, max: 8 }).map(String)

const plain: fc.Arbitrary<Op> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ op: fc.constant('get' as const), key, to: register }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('getAt' as const), by: register, to: register }) },
  { weight: 5, arbitrary: fc.record({ op: fc.constant('set' as const), key, by: register, plus: fc.nat(99) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('setAt' as const), by: register, plus: fc.nat(99) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('has' as const), key, to: register }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('number' as const), key, to: register }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('add' as const), key, amount, atLeast, to: register }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('throwIfOdd' as const), by: register }) },
  // Long enough for the other worker to get in between, now and then.
  { weight: 1, arbitrary: fc.constantFrom(0.005, 0.02, 0.02, 0.1).map((ms) => ({ op: 'spin' as const, ms })) },
)

/** Programs of up to six steps, nested at most twice. */
export const programs: fc.Arbitrary<Program> = fc.letrec<{ program: Program }>((tie) => ({
  program: fc.array(
    fc.oneof(
      { maxDepth: 2, depthSize: 'small' },
      { weight: 6, arbitrary: plain },
      {
        weight: 2,
        arbitrary: fc.record({
          op: fc.constant('ifOdd' as const),
          by: register,
          // biome-ignore lint/suspicious/noThenProperty: nobody awaits an operation
          then: tie('program'),
          otherwise: tie('program'),
        }),
      },
      {
        weight: 2,
        // biome-ignore lint/suspicious/noThenProperty: nobody awaits an operation
        arbitrary: fc.record({ op: fc.constant('ifAgain' as const), then: tie('program'), otherwise: tie('program') }),
      },
      { weight: 1, arbitrary: fc.record({ op: fc.constant('catch' as const), body: tie('program') }) },
    ),
    { minLength: 1, maxLength: 6 },
  ),
})).program

const LIMIT = 1n << 256n

/** The contract of `TaskStore` over two Maps. Effects are kept only when the task ends well. */
export class PlainStore {
  values = new Map<string, string>()
  numbers = new Map<string, bigint>()

  get(key: string): Uint8Array | undefined {
    const text = this.values.get(key)
    return text === undefined ? undefined : Uint8Array.from(Buffer.from(text, 'hex'))
  }

  has(key: string): boolean {
    return this.values.has(key)
  }

  set(key: string, value: Uint8Array | string): void {
    this.values.set(key, Buffer.from(value as Uint8Array).toString('hex'))
  }

  delete(key: string): void {
    this.values.delete(key)
  }

  number(key: string): bigint {
    return this.numbers.get(key) ?? 0n
  }

  add(key: string, amount: bigint | number, atLeast: bigint | number = 0): boolean {
    const now = this.number(key)
    const next = now + BigInt(amount)
    if (now < BigInt(atLeast)) return false
    if (next < 0n || next >= LIMIT) throw new RangeError('a number would leave its range')
    this.numbers.set(key, next)
    return true
  }
}

/** What a task must end with. */
export type Expected = { readonly status: 'done'; readonly value: unknown } | { readonly status: 'failed' }

/** Runs programs one after another; `incarnations` says what each is told of itself. */
export function runInOrder(
  list: readonly Program[],
  incarnations: readonly number[],
  store = new PlainStore(),
): Expected[] {
  return list.map((ops, index) => {
    const { values, numbers } = store
    store.values = new Map(values)
    store.numbers = new Map(numbers)
    try {
      const value = program(store as never, ops, { incarnation: incarnations[index] ?? 0 })
      return { status: 'done', value }
    } catch {
      store.values = values
      store.numbers = numbers
      return { status: 'failed' }
    }
  })
}

export const callsOf = (list: readonly Program[]): TaskCall[] => list.map((input) => ({ task: 'program', input }))

/** Results without what a failure says. */
export const outcomesOf = (results: readonly TaskResult[]): Expected[] =>
  results.map((result) => (result.status === 'done' ? { status: 'done', value: result.value } : { status: 'failed' }))

const KEYS = Array.from({ length: 8 }, (_, k) => `k${k}`)

/** Everything the programs can reach, as comparable data. */
export const contentsOf = (store: Pick<PlainStore, 'number'> & { get(key: string): Uint8Array | undefined }) =>
  KEYS.map((key) => {
    const value = store.get(key)
    return [key, value === undefined ? undefined : Buffer.from(value).toString('hex'), store.number(key)] as const
  })

/** Puts a plain store's contents into a state. */
export function fill(state: KeyValueState, store: PlainStore): KeyValueState {
  for (const name of KEYS) {
    const value = store.get(name)
    if (value !== undefined) state.set(name, value)
    const number = store.number(name)
    if (number !== 0n) state.setNumber(name, number)
  }
  return state
}
