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
  | { readonly op: 'get' | 'has'; readonly key: string; readonly to: Register }
  | { readonly op: 'getAt'; readonly by: Register; readonly to: Register }
  | { readonly op: 'set'; readonly key: string; readonly by: Register; readonly plus: number }
  | { readonly op: 'setAt'; readonly by: Register; readonly plus: number }
  | { readonly op: 'delete'; readonly key: string }
  | {
      readonly op: 'add'
      readonly key: string
      readonly amount: number
      /** Null for none. */
      readonly atLeast: number | null
      readonly to: Register
    }
  | { readonly op: 'min' | 'max'; readonly key: string; readonly amount: number }
  | { readonly op: 'append'; readonly list: string; readonly by: Register; readonly plus: number }
  | { readonly op: 'list'; readonly list: string; readonly to: Register }
  | { readonly op: 'merge'; readonly list: string; readonly plus: number }
  | { readonly op: 'keys'; readonly prefix: string; readonly limit: number; readonly to: Register }
  | { readonly op: 'entries'; readonly prefix: string; readonly to: Register }
  | { readonly op: 'ifOdd'; readonly by: Register; readonly then: Program; readonly otherwise: Program }
  | { readonly op: 'ifAgain'; readonly then: Program; readonly otherwise: Program }
  | { readonly op: 'throwIfOdd'; readonly by: Register }
  | { readonly op: 'catch'; readonly body: Program }
  | { readonly op: 'spin'; readonly ms: number }

export type Program = readonly Op[]

const key = fc.nat(7).map((k) => `k${k}`)
const register = fc.constantFrom<Register>(0, 1, 2)
/** Near the bounds below, so that checks fail as often as they pass. */
const amount = fc.integer({ min: -6, max: 6 })
const atLeast = fc.option(fc.integer({ min: 0, max: 8 }))
/** Keys of lists, and of what a declared merge makes; a list may meet a number, which is an error of the task. */
const list = fc.constantFrom('l0', 'l1', 'k7')
const prefix = fc.constantFrom('', 'k', 'k1', 'l', 'none')

const plain: fc.Arbitrary<Op> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ op: fc.constant('get' as const), key, to: register }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('getAt' as const), by: register, to: register }) },
  { weight: 5, arbitrary: fc.record({ op: fc.constant('set' as const), key, by: register, plus: fc.nat(99) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('setAt' as const), by: register, plus: fc.nat(99) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('has' as const), key, to: register }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constantFrom('min' as const, 'max' as const), key, amount }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('append' as const), list, by: register, plus: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('list' as const), list, to: register }) },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('merge' as const), list: fc.constantFrom('m0', 'k6'), plus: fc.nat(9) }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('keys' as const), prefix, limit: fc.nat(3), to: register }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('entries' as const), prefix, to: register }) },
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

const isNumeric = (value: unknown): value is number => typeof value === 'number'

/** The contract of `TaskStore` over a Map. Effects are kept only when the task ends well. */
export class PlainStore {
  values = new Map<string, unknown>()

  get(key: string): unknown {
    return structuredClone(this.values.get(key))
  }

  has(key: string): boolean {
    return this.values.has(key)
  }

  set(key: string, value: unknown): void {
    this.values.set(key, structuredClone(value))
  }

  delete(key: string): void {
    this.values.delete(key)
  }

  add(key: string, amount: number, atLeast?: number): boolean {
    const value = this.values.get(key)
    if (value !== undefined && !isNumeric(value)) throw new TypeError('no number')
    if (atLeast !== undefined && (value ?? 0) < atLeast) return false
    this.values.set(key, (value ?? 0) + amount)
    return true
  }

  min(key: string, amount: number): void {
    const value = this.values.get(key) ?? amount
    if (!isNumeric(value)) throw new TypeError('no number')
    this.values.set(key, Math.min(value, amount))
  }

  max(key: string, amount: number): void {
    const value = this.values.get(key) ?? amount
    if (!isNumeric(value)) throw new TypeError('no number')
    this.values.set(key, Math.max(value, amount))
  }

  append(key: string, ...items: unknown[]): void {
    const value = this.values.get(key) ?? []
    if (!Array.isArray(value)) throw new TypeError('no list')
    this.values.set(key, [...value, ...items])
  }

  merge(_name: string, key: string, operand: number): void {
    const value = this.values.get(key) ?? 0
    this.values.set(key, ((value as number) * 10 + operand) % 65_521)
  }

  keys(prefix: string, { limit = Number.POSITIVE_INFINITY }: { readonly limit?: number } = {}): string[] {
    return [...this.values.keys()]
      .filter((key) => key.startsWith(prefix))
      .sort()
      .slice(0, limit)
  }

  entries(prefix: string): [string, unknown][] {
    return this.keys(prefix).map((key) => [key, this.get(key)])
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
    const { values } = store
    store.values = new Map(values)
    try {
      const value = program(store as never, ops, { incarnation: incarnations[index] ?? 0 })
      return { status: 'done', value }
    } catch {
      store.values = values
      return { status: 'failed' }
    }
  })
}

export const callsOf = (list: readonly Program[]): TaskCall[] => list.map((input) => ({ task: 'program', input }))

/** Results without what a failure says. */
export const outcomesOf = (results: readonly TaskResult[]): Expected[] =>
  results.map((result) => (result.status === 'done' ? { status: 'done', value: result.value } : { status: 'failed' }))

/** Everything a state holds, as comparable data. */
export const contentsOf = (store: Pick<PlainStore, 'keys' | 'get'> | KeyValueState) =>
  [...store.keys('')].map((key) => [key, store.get(key)] as const)

/** Puts a plain store's contents into a state. */
export function fill(state: KeyValueState, store: PlainStore): KeyValueState {
  for (const [key, value] of store.values) state.set(key, value)
  return state
}
