/**
 * Lists that `append` makes: items one after another, with room behind them.
 *
 * ```text
 * words used | words of room | tag | items: length, words | room
 *                              ^ the value: so many bytes from here
 * ```
 * A longer list is the same words and a larger length, as long as nobody has used the room behind it: n appends to one
 * list write some 2n items, where a copy for each would be n squared. What a value's length says is never written again.
 * Whatever puts a list into the engine memory puts these two words before it; one of the state has none and is copied.
 *
 * Concurrency: any worker may append to any list that it sees. The room is taken by an exchange of the word that says how
 * much is used; who loses copies. Items are published with the record that holds their length (M2).
 */
import * as atomics from '../../core/atomics.ts'
import { wordsOf } from '../../core/bytes.ts'
import type { TaskMemory } from '../../core/contracts.ts'
import { LIST_HEAD, type Values, ValueTag } from '../../core/values.ts'
import { copy } from '../../core/words.ts'

type Words = Int32Array

/**
 * Puts a list with one more item into the engine memory, and its length and offset to `engine[out]`.
 *
 * @param length - bytes of the value at `from[offset]`, -1 for none
 * @throws TypeError where the value is no list
 */
export const appendItem = (
  memory: TaskMemory,
  values: Values,
  from: Words,
  offset: number,
  length: number,
  operand: number,
  operandLength: number,
  out: number,
): void => {
  const { engine } = memory
  const itemWords = 1 + wordsOf(operandLength)
  const isList = length >= 0 && from[offset] === ValueTag.List
  let end = length < 0 ? 1 : wordsOf(length)
  let at = offset
  if (!isList || from !== engine || !claim(engine, at, end, end + itemWords)) {
    const coded = isList || length < 0 ? undefined : itemsOf(values, values.decode(from, offset, length))
    if (coded !== undefined) end = 1 + coded.length
    const room = 2 * (end + itemWords)
    at = memory.allocate(LIST_HEAD + room) + LIST_HEAD
    engine[at - 2] = end + itemWords
    engine[at - 1] = room
    engine[at] = ValueTag.List
    if (coded !== undefined) copy(engine, at + 1, coded, 0, end - 1)
    else copy(engine, at + 1, from, offset + 1, end - 1)
  }
  engine[at + end] = operandLength
  copy(engine, at + end + 1, engine, operand, itemWords - 1)
  engine[out] = 4 * (end + itemWords)
  engine[out + 1] = at
}

/** Takes the room of a list from `end` to `next`, where it is there and nobody has. */
const claim = (engine: Words, at: number, end: number, next: number): boolean =>
  next <= engine[at - 1] && atomics.compareExchange(engine, at - 2, end, next) === end

/** The items of a list that was set as a whole, as such a list has them. */
const itemsOf = (values: Values, value: unknown): Words => {
  if (!Array.isArray(value)) throw new TypeError('append needs a list')
  const parts = value.map((item) => {
    values.encode(item)
    const words = new Int32Array(1 + wordsOf(values.length))
    words[0] = values.length
    values.copyTo(words, 1)
    return words
  })
  const items = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    items.set(part, at)
    at += part.length
  }
  return items
}
