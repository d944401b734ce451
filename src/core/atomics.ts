/**
 * The one door to shared control words. Nothing else in the project names `Atomics` (lint rule).
 *
 * Why one door: model tests swap it for one that asks a controller before each operation, so what is
 * checked is the code that ships; and a reader can list every racing access by its callers.
 *
 * The engine's rule: payload is written before, and read after, the atomic word that publishes it.
 * JavaScript's atomics are sequentially consistent and cost 7 to 9 ns, a plain access 0.7 ns
 * (docs/performance.md), so `peek` exists: a plain load of a control word, allowed only where a stale
 * answer is as good as an early one, and where what it points to is not read before a `load`.
 * The functions are small enough for V8 to inline; `npm run bench -- --door` measures that they are.
 */

export type Words = Int32Array

export const load = (words: Words, index: number): number => Atomics.load(words, index)

export const store = (words: Words, index: number, value: number): void => {
  Atomics.store(words, index, value)
}

/** The value before; the exchange took place if it equals `expected`. */
export const compareExchange = (words: Words, index: number, expected: number, value: number): number =>
  Atomics.compareExchange(words, index, expected, value)

/** Adds and returns the value before. */
export const add = (words: Words, index: number, value: number): number => Atomics.add(words, index, value)

/**
 * A plain load of a control word. The caller's comment says why a stale value does no harm.
 * A non-zero answer that leads to payload must be loaded again with `load` first.
 */
export const peek = (words: Words, index: number): number => words[index]

/**
 * Parks this thread until notified, `milliseconds` at most, unless the word already differs. Never on a main thread.
 */
export const wait = (words: Words, index: number, value: number, milliseconds?: number): void => {
  Atomics.wait(words, index, value, milliseconds)
}

/** How many threads were woken. */
export const notify = (words: Words, index: number, count?: number): number => Atomics.notify(words, index, count)

interface AsyncWait {
  readonly async: boolean
  readonly value: Promise<string> | string
}
type WaitAsync = (words: Words, index: number, value: number, milliseconds?: number) => AsyncWait

/**
 * Resolves when the word is notified, or at once if it already differs from `value`.
 * `Atomics.waitAsync` keeps no process alive: the caller holds a reference elsewhere.
 */
export const waitAsync = async (words: Words, index: number, value: number, milliseconds?: number): Promise<void> => {
  const result = (Atomics as unknown as { waitAsync: WaitAsync }).waitAsync(words, index, value, milliseconds)
  if (result.async) await result.value
}
