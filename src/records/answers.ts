/**
 * What the memory answered to one incarnation, in order: enough to run it again without the memory.
 *
 * A value is named by the record that it lies in. A folded number has no record and is kept as it is.
 */
import type { Arena } from '../core/arena.ts'
import { wordsOf } from '../core/bytes.ts'
import type { Kind } from '../core/location.ts'
import { Answer } from './events.ts'

type Words = Int32Array

export class AnswerLog {
  #words = new Int32Array(512)
  #count = 0

  begin(): void {
    this.#count = 0
  }

  /** Words logged since `begin`. */
  get count(): number {
    return this.#count
  }

  /** An answer in one word. */
  answer(tag: number, kind: Kind, location: number, answer: number): void {
    const at = this.#room(3)
    this.#words[at] = (tag << Answer.KindBits) | kind
    this.#words[at + 1] = location
    this.#words[at + 2] = answer
  }

  /**
   * A read or a glance.
   *
   * @param answer - what the memory answered: a value's offset in the engine memory, or a `Seen` value
   * @param isFolded - it is a byte string made of merges, and is kept as it is
   */
  value(tag: number, kind: Kind, location: number, answer: number, engine: Words, isFolded: boolean): void {
    if (!isFolded) {
      this.answer(tag, kind, location, answer > 0 ? answer - 1 : answer)
      return
    }
    const bytes = engine[answer]
    const count = wordsOf(Math.max(0, bytes))
    const at = this.#room(3 + count)
    this.#words[at] = ((tag === Answer.Read ? Answer.ReadFolded : Answer.GlanceFolded) << Answer.KindBits) | kind
    this.#words[at + 1] = location
    this.#words[at + 2] = bytes
    for (let k = 0; k < count; k++) this.#words[at + 3 + k] = engine[engine[answer + 1] + k]
  }

  /** A folded number, or a guess of it. */
  folded(location: number, isExact: boolean, words: Words, from: number): void {
    const at = this.#room(10)
    this.#words[at] = (isExact ? Answer.Fold : Answer.FoldGuess) << Answer.KindBits
    this.#words[at + 1] = location
    for (let k = 0; k < 8; k++) this.#words[at + 2 + k] = words[from + k]
  }

  /** Copies the answers to the arena; their offset, 0 where there are none. */
  keep(arena: Arena): number {
    if (this.#count === 0) return 0
    const at = arena.take(this.#count)
    for (let k = 0; k < this.#count; k++) arena.words[at + k] = this.#words[k]
    return at
  }

  #room(size: number): number {
    const at = this.#count
    if (at + size > this.#words.length) {
      const larger = new Int32Array(2 * this.#words.length + size)
      larger.set(this.#words)
      this.#words = larger
    }
    this.#count = at + size
    return at
  }
}
