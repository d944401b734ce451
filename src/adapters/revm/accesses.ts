/**
 * What a place loaded and what gas it cost its block, as the kernel tells it from Amsterdam on.
 *
 * Main thread, after the run. Words: rust/evm-core/src/output.rs, `write_accesses`.
 */
import { hexOf, wordHex } from '../../core/hex.ts'
import { toBigInt } from '../../core/words.ts'
import type { LoadedAccount } from '../evm/accessList.ts'
import type { TransactionGas } from '../evm/blockGas.ts'
import { Output } from './kernel.ts'
import { bytesAt } from './result.ts'

type Words = Int32Array

/** Words of an account before its slots. */
const ACCOUNT_WORDS = 6
const KEY_WORDS = 8

/** Where the words begin that follow a transaction's result at `at`. */
export const accessesAfterResult = (words: Words, at: number): number => {
  let next = at + Output.Body
  for (let logs = words[at + Output.Logs]; logs > 0; logs--) {
    const data = next + 6 + 8 * words[next + 5]
    next = data + 1 + ((words[data] + 3) >> 2)
  }
  return next + ((words[at + Output.ReturnBytes] + 3) >> 2)
}

/** Where they begin after the answer of an end at `at`. */
export const accessesAfterEnd = (words: Words, at: number): number => {
  let next = at + Output.Body
  for (let left = words[at + Output.Operations]; left > 0; left--) next += 2 + ((words[next + 1] + 3) >> 2)
  return next
}

/** Gas before refunds. */
export const decodeBlockGas = (words: Words, at: number): TransactionGas => ({
  regular: toBigInt(words, at, 2),
  state: toBigInt(words, at + 2, 2),
})

/** The accounts, and their slots, in no particular order. */
export const decodeLoaded = (words: Words, at: number): LoadedAccount[] => {
  const loaded: LoadedAccount[] = []
  let next = at + 5
  for (let left = words[at + 4]; left > 0; left--) {
    const count = words[next + 5]
    const keys = next + ACCOUNT_WORDS
    loaded.push({
      address: hexOf(bytesAt(words, next, 20)),
      slots: Array.from({ length: count }, (_, k) => wordHex(words, keys + KEY_WORDS * k)),
    })
    next = keys + KEY_WORDS * count
  }
  return loaded
}
