/** Questions for base values, as words. */
import { expect, test } from 'vitest'
import { answer, ask, coolDown, isKnown, REQUESTS, takeRequest } from '../../src/core/cold.ts'
import { RECORD_SHIFT, RECORD_WORDS } from '../../src/core/location.ts'
import { StateHeader } from '../../src/core/table.ts'

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
