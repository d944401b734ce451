/** Questions for base values, as words. */
import { expect, test } from 'vitest'
import { findCode } from '../../src/core/codes.ts'
import { answer, ask, coolDown, isKnown, REQUESTS, takeRequest } from '../../src/core/cold.ts'
import { RECORD_SHIFT, RECORD_WORDS } from '../../src/core/location.ts'
import { StateHeader } from '../../src/core/table.ts'
import { TableMemory } from '../../src/state/tableMemory.ts'

const RECORDS = REQUESTS + 4

/** A state's words with a ring of requests and nothing else. The run begins with the third record. */
const wordsOf = (): Int32Array => {
  const words = new Int32Array(new SharedArrayBuffer(4 * (1024 + REQUESTS + RECORDS)))
  words[StateHeader.Requests] = 1024
  words[StateHeader.Known] = 1024 + REQUESTS
  words[StateHeader.RunStart] = 3 * RECORD_WORDS
  words[StateHeader.Next] = RECORDS * RECORD_WORDS
  return words
}

test('a request that main has not taken is never overwritten', () => {
  const words = wordsOf()
  for (let record = 1; record <= REQUESTS; record++) ask(words, record << RECORD_SHIFT)
  expect(() => ask(words, (REQUESTS + 1) << RECORD_SHIFT)).toThrow(
    expect.objectContaining({ name: 'Blockloom.ArenaFull' }),
  )
  expect(takeRequest(words, 0)).toBe(1 << RECORD_SHIFT)
})

test('what was asked and not answered can be asked anew, and older answers stay', () => {
  const words = wordsOf()
  const [older, old, fresh] = [RECORD_WORDS, 2 * RECORD_WORDS, 3 * RECORD_WORDS] as const
  for (const record of [older, old, fresh]) ask(words, record)
  answer(words, older)
  answer(words, fresh)
  coolDown(words, false)
  expect([older, old, fresh].map((record) => isKnown(words, record))).toEqual([true, false, false])
  expect([0, 1, 2].map((index) => takeRequest(words, index))).toEqual([0, 0, 0])
  words[StateHeader.Asked] = 0
  for (const record of [older, old, fresh]) ask(words, record)
  expect([0, 1].map((index) => takeRequest(words, index))).toEqual([old, fresh])
})

test('codes that came in a run go with it, also where they share a path with others', () => {
  /** Hashes that begin alike are looked for in the same places. */
  const hashOf = (name: number): Uint8Array => new Uint8Array(32).fill(name, 4)
  class Codes extends TableMemory {
    put(name: number): void {
      this.codes.insert(hashOf(name), new Uint8Array(5))
    }

    putInRun(name: number): void {
      this.codes.insertInRun(hashOf(name), new Uint8Array(5))
    }

    end(): void {
      this.codes.dropOfRun()
      this.close([])
    }
  }
  const state = new Codes(1 << 20)
  const has = (name: number): boolean => findCode(state.words, new Int32Array(hashOf(name).buffer), 0) !== 0
  state.put(1)
  for (let run = 0; run < 2; run++) {
    state.open(16)
    for (const name of [1, 2, 3]) state.putInRun(name)
    expect([1, 2, 3].map(has)).toEqual([true, true, true])
    state.end()
    expect([1, 2, 3].map(has)).toEqual([true, false, false])
    expect(state.words[StateHeader.CodeCount]).toBe(1)
  }
})
