/**
 * Items of signatures, answered by the kernel, or by machine code where there is any.
 *
 * The kernel is the judge (docs/decisions/0013): where the other one finds no key, the kernel is asked, so that nothing is
 * refused but by it; and of one item both must say the same, or the other one is never asked.
 */
import { ANSWER_WORDS, SignatureItem } from '../../core/layout.ts'
import { copy } from '../../core/words.ts'
import type { Kernel } from './kernel.ts'

type Words = Int32Array

/** Finds the key that signed; as `loadNativeRecover` of platform/nativeSigners.ts gives it. */
export type RecoverKey = (signature: Uint8Array, parity: number, hash: Uint8Array, key: Uint8Array) => boolean

/** A message: 8 words of r, 8 of s, then these, then its bytes. Layout: `recover_all` in rust/evm-core/src/recovery.rs. */
const PARITY = 16
const LENGTH = 17
const HEAD = 18

const KEY_BYTES = 65
/**
 * Items that an instance answers before it looks for machine code: a thousand signatures. Loading takes as long as is saved on
 * some 650 (docs/performance.md), which a pool that runs one block never sees again.
 */
const WORTH_LOADING = 256
/** An address is the end of a hash. */
const ADDRESS_AT = 12

const messageWords = (words: Words, at: number): number => HEAD + ((words[at + LENGTH] + 3) >> 2)

/** Writes the kernel's answers to `count` messages that take so many words. They stay as they are: another worker may be at them too. */
const askKernel = (
  kernel: Kernel,
  engine: Words,
  message: number,
  words: number,
  count: number,
  answers: number,
): void => {
  let at = kernel.reserve(words)
  copy(kernel.words, at, engine, message, words)
  kernel.exports.recover(at << 2, count)
  const m = kernel.view()
  for (let k = 0; k < count; k++) {
    const answer = answers + k * ANSWER_WORDS
    copy(engine, answer, m, at, ANSWER_WORDS - 1)
    // The kernel puts 0 there, or 1 where no key fits.
    engine[answer + ANSWER_WORDS - 1] = m[at + PARITY]
    at += messageWords(m, at)
  }
}

/** Writes an item's answers, all of them the kernel's. */
export const recoverItem = (kernel: Kernel, engine: Words, item: number): void => {
  const [count, words] = [engine[item + SignatureItem.Count], engine[item + SignatureItem.MessageWords]]
  askKernel(kernel, engine, item + SignatureItem.Messages, words, count, item + SignatureItem.Answers)
}

/** Answers items with what `load` finds, which is asked once the kernel has answered `after` of them. */
export const createItemRecovery = (kernel: Kernel, load: () => RecoverKey | undefined, after = WORTH_LOADING) => {
  let answered = 0
  let recoverKey: RecoverKey | undefined
  const signature = new Uint8Array(64)
  const numbers = new DataView(signature.buffer)
  const key = new Uint8Array(KEY_BYTES)

  /** Writes the other one's answer; false where it has none. */
  const answer = (engine: Words, message: number, to: Uint8Array, recover: RecoverKey): boolean => {
    for (let k = 0; k < 8; k++) {
      numbers.setInt32(4 * (7 - k), engine[message + k])
      numbers.setInt32(4 * (15 - k), engine[message + 8 + k])
    }
    const payload = new Uint8Array(engine.buffer, engine.byteOffset + 4 * (message + HEAD), engine[message + LENGTH])
    if (!recover(signature, engine[message + PARITY], kernel.keccak256(payload), key)) return false
    to.set(kernel.keccak256(key.subarray(1)).subarray(ADDRESS_AT))
    return true
  }

  const isSame = (engine: Words, item: number, recover: RecoverKey): boolean => {
    const address = new Uint8Array(20)
    let message = item + SignatureItem.Messages
    for (let k = 0; k < engine[item + SignatureItem.Count]; k++) {
      const at = item + SignatureItem.Answers + k * ANSWER_WORDS
      const known = new Uint8Array(engine.buffer, engine.byteOffset + 4 * at, address.length)
      const isFound = answer(engine, message, address, recover)
      if (isFound && (engine[at + ANSWER_WORDS - 1] !== 0 || known.some((byte, b) => byte !== address[b]))) return false
      message += messageWords(engine, message)
    }
    return true
  }

  return (engine: Words, item: number): void => {
    const recover = recoverKey
    if (recover === undefined) {
      recoverItem(kernel, engine, item)
      if (++answered !== after) return
      const found = load()
      if (found !== undefined && isSame(engine, item, found)) recoverKey = found
      return
    }
    let message = item + SignatureItem.Messages
    for (let k = 0; k < engine[item + SignatureItem.Count]; k++) {
      const at = item + SignatureItem.Answers + k * ANSWER_WORDS
      const words = messageWords(engine, message)
      const to = new Uint8Array(engine.buffer, engine.byteOffset + 4 * at, 4 * (ANSWER_WORDS - 1))
      if (answer(engine, message, to, recover)) engine[at + ANSWER_WORDS - 1] = 0
      else askKernel(kernel, engine, message, words, 1, at)
      message += words
    }
  }
}
