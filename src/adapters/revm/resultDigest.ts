/**
 * Digest of a result's words: what bytes leave of their last word is not part of it, for the kernel does not clear it.
 */
import { MIX_START, mixBytes, mixWord, mixWords } from '../../core/mix.ts'
import { Output } from './kernel.ts'

type Words = Int32Array

/** Words of an address and of the number of topics, in a log. */
const LOG_HEAD = 6
const TOPIC_WORDS = 8

export const resultDigest = (engine: Words, result: number, isEnd: boolean): number => {
  let h = mixWords(MIX_START, engine, result, Output.Body)
  let at = result + Output.Body
  if (isEnd) {
    for (let k = engine[result + Output.Operations]; k > 0; k--) {
      const bytes = engine[at + 1]
      h = mixBytes(mixWord(h, engine[at]), engine, at + 2, bytes)
      at += 2 + ((bytes + 3) >> 2)
    }
    return h
  }
  for (let k = engine[result + Output.Logs]; k > 0; k--) {
    const head = LOG_HEAD + TOPIC_WORDS * engine[at + LOG_HEAD - 1]
    const bytes = engine[at + head]
    h = mixBytes(mixWords(h, engine, at, head + 1), engine, at + head + 1, bytes)
    at += head + 1 + ((bytes + 3) >> 2)
  }
  return mixBytes(h, engine, at, engine[result + Output.ReturnBytes])
}
