/**
 * The results of a block's transactions in words, out of the engine's memory: what receipts and their roots are made of, and
 * the objects of the user where he asks for them.
 *
 * One array for all of them, so that keeping a block's results costs a copy and no object a transaction.
 * Main thread, after the run.
 */
import { Place } from '../../core/layout.ts'
import { copy, toBigInt } from '../../core/words.ts'
import type { Log } from '../evm/receipt.ts'
import { Output } from './kernel.ts'
import { bytesAt, wordsOfLogs } from './result.ts'

type Words = Int32Array

/** Words of an address and of the number of topics, in a log. */
export const LOG_HEAD = 6
export const TOPIC_WORDS = 8

export class KeptResults {
  /** Results one after another: head, logs, what was returned. */
  readonly words: Words
  /** Where each begins. */
  readonly starts: Int32Array

  /** Copies the results of `count` transactions. */
  constructor(engine: Words, placeTable: number, count: number) {
    this.starts = new Int32Array(count)
    const lengths = new Int32Array(count)
    let total = 0
    for (let k = 0; k < count; k++) {
      const at = engine[placeTable + (k + 1) * Place.Size + Place.Result]
      const logs = wordsOfLogs(engine, at + Output.Body, engine[at + Output.Logs])
      this.starts[k] = total
      lengths[k] = Output.Body + logs + ((engine[at + Output.ReturnBytes] + 3) >> 2)
      total += lengths[k]
    }
    this.words = new Int32Array(total)
    for (let k = 0; k < count; k++) {
      copy(this.words, this.starts[k], engine, engine[placeTable + (k + 1) * Place.Size + Place.Result], lengths[k])
    }
  }

  get count(): number {
    return this.starts.length
  }

  gasUsed(txIndex: number): bigint {
    return toBigInt(this.words, this.starts[txIndex] + Output.GasUsed, 2)
  }

  /** Logs of one contract, in order; all others are passed over. */
  *logsOf(address: Uint8Array): Generator<Log> {
    const { words } = this
    const wanted = new Int32Array(address.slice().buffer)
    for (const start of this.starts) {
      let at = start + Output.Body
      for (let left = words[start + Output.Logs]; left > 0; left--) {
        const data = at + LOG_HEAD + TOPIC_WORDS * words[at + LOG_HEAD - 1]
        if (wanted.every((word, k) => words[at + k] === word)) {
          const topics: Uint8Array[] = []
          for (let topic = at + LOG_HEAD; topic < data; topic += TOPIC_WORDS) topics.push(bytesAt(words, topic, 32))
          yield [bytesAt(words, at, 20), topics, bytesAt(words, data + 1, words[data])]
        }
        at = data + 1 + ((words[data] + 3) >> 2)
      }
    }
  }
}
