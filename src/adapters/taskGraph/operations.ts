/**
 * Operations on a value that do not read it: add, min, max, append, and the merges that a module declares.
 *
 * A task that only adds to a counter leaves the operation, not a sum, so it conflicts with nobody. Whoever reads the counter,
 * and the commit stage in any case, applies the operations below it in the order of the tasks. So an operation
 * need not commute to be exact: floats are added, and lists appended to, in the order given. What commutes is when they run.
 *
 * An operation is three words: code, length and offset of its operand. Cost: numbers are added without an object; other
 * values are decoded and encoded again.
 */
import { wordsOf } from '../../core/bytes.ts'
import type { TaskMemory } from '../../core/contracts.ts'
import { OPERATION_WORDS } from '../../core/layout.ts'
import { readNumber, type Values, ValueTag, writeNumber } from '../../core/values.ts'
import { appendItem } from './lists.ts'

type Words = Int32Array

export const Operation = { AtLeast: 0, Add: 1, Min: 2, Max: 3, Append: 4, Declared: 5 } as const

/** A merge that a module declares: the value before, undefined for none, and the operand. Must be pure. */
export type MergeFunction = (value: unknown, operand: unknown) => unknown

type Numeric = number | bigint

/** Thrown where an operation does not fit the value that it meets. */
class OperationError extends TypeError {}

const numeric = (value: unknown, what: string): Numeric => {
  if (typeof value === 'number' || typeof value === 'bigint') return value
  throw new OperationError(`${what} needs a number or a bigint, not ${value === null ? 'null' : typeof value}`)
}

/** Applies an operation on numbers to two values of one type. */
const combine = (code: number, before: unknown, operand: unknown): Numeric => {
  const what = code === Operation.Add ? 'add' : code === Operation.Min ? 'min' : 'max'
  const b = numeric(operand, what)
  if (before === undefined) return b
  const a = numeric(before, what)
  if (typeof a !== typeof b) throw new OperationError(`${what} cannot mix number and bigint`)
  if (code === Operation.Add) return (a as number) + (b as number)
  if (typeof a === 'number') return code === Operation.Min ? Math.min(a, Number(b)) : Math.max(a, Number(b))
  return (code === Operation.Min) === b < a ? b : a
}

export class Operations {
  readonly #values: Values
  readonly #merges: readonly MergeFunction[]
  /** Why the last `fold` was refused. */
  error: unknown

  constructor(values: Values, merges: readonly MergeFunction[]) {
    this.#values = values
    this.#merges = merges
  }

  /** As `SyncAdapter.fold`. */
  fold(
    memory: TaskMemory,
    words: Words,
    bytes: number,
    at: number,
    operations: number,
    count: number,
    out: number,
  ): boolean {
    const { engine } = memory
    let from = words
    let length = bytes
    let offset = at
    this.error = undefined
    for (let k = 0; k < count; k++) {
      const operation = operations + k * OPERATION_WORDS
      const code = engine[operation]
      const operandLength = engine[operation + 1]
      const operand = engine[operation + 2]
      if (
        code === Operation.Add &&
        length === 12 &&
        from[offset] === ValueTag.Number &&
        engine[operand] === ValueTag.Number
      ) {
        const sum = memory.allocate(3)
        engine[sum] = ValueTag.Number
        writeNumber(readNumber(from, offset + 1) + readNumber(engine, operand + 1), engine, sum + 1)
        from = engine
        offset = sum
        continue
      }
      try {
        if (code === Operation.AtLeast) {
          const value = this.#decode(from, offset, length)
          const least = this.#values.decode(engine, operand, operandLength) as Numeric
          if ((value === undefined ? 0 : numeric(value, 'add')) < least) return false
          continue
        }
        if (code === Operation.Append) {
          appendItem(memory, this.#values, from, offset, length, operand, operandLength, out)
        } else this.#apply(memory, code, from, offset, length, operand, operandLength, out)
      } catch (error) {
        // A merge may throw anything; a memory that is full is the run's affair.
        memory.assertRoom()
        this.error = error
        return false
      }
      from = engine
      length = engine[out]
      offset = engine[out + 1]
    }
    engine[out] = length
    engine[out + 1] = offset
    return true
  }

  #decode(words: Words, offset: number, length: number): unknown {
    return length < 0 ? undefined : this.#values.decode(words, offset, length)
  }

  #apply(
    memory: TaskMemory,
    code: number,
    from: Words,
    offset: number,
    length: number,
    operand: number,
    operandLength: number,
    out: number,
  ): void {
    const values = this.#values
    const before = this.#decode(from, offset, length)
    const by = values.decode(memory.engine, operand, operandLength)
    const after = code < Operation.Declared ? combine(code, before, by) : this.#declared(code, before, by)
    values.encode(after)
    const to = memory.allocate(wordsOf(values.length))
    values.copyTo(memory.engine, to)
    memory.engine[out] = values.length
    memory.engine[out + 1] = to
  }

  #declared(code: number, before: unknown, by: unknown): unknown {
    const merged = (this.#merges[code - Operation.Declared] as MergeFunction)(before, by)
    if (merged === undefined) throw new OperationError('a merge returned nothing; return the value after it')
    return merged
  }
}
