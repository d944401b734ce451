/** An item of signatures, answered by the kernel. */
import { ANSWER_WORDS, SignatureItem } from '../../core/layout.ts'
import { copy } from '../../core/words.ts'
import type { Kernel } from './kernel.ts'

/** A message: 8 words of r, 8 of s, then these, then its bytes. Layout: `recover_all` in rust/evm-core/src/recovery.rs. */
const PARITY = 16
const LENGTH = 17
const HEAD = 18

/** Writes an item's answers. Its messages stay as they are: another worker may be at them too. */
export const recoverItem = (kernel: Kernel, engine: Int32Array, item: number): void => {
  const count = engine[item + SignatureItem.Count]
  const words = engine[item + SignatureItem.MessageWords]
  let at = kernel.reserve(words)
  copy(kernel.words, at, engine, item + SignatureItem.Messages, words)
  kernel.exports.recover(at << 2, count)
  const m = kernel.view()
  for (let k = 0; k < count; k++) {
    const answer = item + SignatureItem.Answers + k * ANSWER_WORDS
    copy(engine, answer, m, at, ANSWER_WORDS - 1)
    // The kernel puts 0 there, or 1 where no key fits.
    engine[answer + ANSWER_WORDS - 1] = m[at + PARITY]
    at += HEAD + ((m[at + LENGTH] + 3) >> 2)
  }
}
