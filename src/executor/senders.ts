/**
 * Who sent a block's transactions: as the caller says, or recovered from the signatures on the pool.
 */
import { type BlockTransaction, signingPayload } from '../adapters/evm/transaction.ts'
import { InvalidInputError } from '../core/errors.ts'
import { hexOf, readHex } from '../core/hex.ts'
import { fromBigInt } from '../core/words.ts'
import type { ExecuteBlockOptions } from './blockTypes.ts'
import type { Engine } from './engine.ts'

/** secp256k1's order, halved: EIP-2 allows no larger `s` from Homestead on. */
const HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n

/** Signatures in an item of the batch: as many as the kernel recovers side by side (rust/secp256k1/src/lanes.rs). */
const MESSAGES_PER_ITEM = 4

/** Words of a message before its payload; its layout: `recover` in rust/evm-core/src/lib.rs. */
const HEAD = 18

/** Words of an item before its messages: how many there are, and how many words they take. */
const ITEM_HEAD = 2

type SenderOptions = Pick<ExecuteBlockOptions, 'senders' | 'state' | 'signal'>

/**
 * Senders of a block's transactions, by what the options say.
 *
 * @returns 20 bytes a transaction
 * @throws {InvalidInputError} MISSING_SENDER, INVALID_SIGNATURE with the index; INVALID_OPTION for another list
 */
export const sendersOf = async (
  engine: Engine,
  transactions: readonly BlockTransaction[],
  homestead: boolean,
  options: SenderOptions,
): Promise<Uint8Array[]> => {
  const { senders = 'recover' } = options
  if (senders === 'recover') return recover(engine, transactions, homestead, options)
  if (senders === 'trust') {
    return transactions.map((tx, txIndex) => {
      if (tx.from === undefined)
        throw new InvalidInputError('MISSING_SENDER', `transaction ${txIndex} has no \`from\` to trust`, { txIndex })
      return tx.from
    })
  }
  if (!Array.isArray(senders) || senders.length !== transactions.length) {
    const actual = Array.isArray(senders) ? senders.length : senders
    throw new InvalidInputError(
      'INVALID_OPTION',
      `senders is 'recover', 'trust' or a list of ${transactions.length} addresses, not ${String(actual)}`,
      { option: 'senders' },
    )
  }
  return senders.map((sender: Uint8Array | string, k) => readHex(sender, 20, `senders[${k}]`))
}

/** Recovers every sender on the pool and compares with the block's claim. */
const recover = async (
  engine: Engine,
  transactions: readonly BlockTransaction[],
  homestead: boolean,
  { state, signal }: SenderOptions,
): Promise<Uint8Array[]> => {
  const payloads = transactions.map((tx, txIndex) => {
    const { signature } = tx
    if (signature === undefined) {
      throw new InvalidInputError(
        'MISSING_SENDER',
        `transaction ${txIndex} has no signature; give \`senders\` or trust its \`from\``,
        { txIndex },
      )
    }
    if (homestead && signature.s > HALF_ORDER)
      throw unrecoverable(txIndex, 's is above half the order of the curve (EIP-2)')
    return signingPayload(tx)
  })
  const items: number[] = []
  const offsets = new Int32Array(transactions.length)
  let total = 0
  payloads.forEach((payload, k) => {
    if (k % MESSAGES_PER_ITEM === 0) {
      items.push(total)
      total += ITEM_HEAD
    }
    offsets[k] = total
    total += HEAD + ((payload.length + 3) >> 2)
  })
  const words = new Int32Array(total)
  const bytes = new Uint8Array(words.buffer)
  items.forEach((at, item) => {
    const end = items[item + 1] ?? total
    words[at] = Math.min(MESSAGES_PER_ITEM, transactions.length - item * MESSAGES_PER_ITEM)
    words[at + 1] = end - at - ITEM_HEAD
  })
  payloads.forEach((payload, k) => {
    const { signature } = transactions[k] as BlockTransaction
    const at = offsets[k]
    fromBigInt(signature?.r ?? 0n, words, at)
    fromBigInt(signature?.s ?? 0n, words, at + 8)
    words[at + 16] = signature?.yParity ?? 0
    words[at + 17] = payload.length
    bytes.set(payload, (at + HEAD) * 4)
  })
  if (transactions.length > 0) await engine.batch(state, words, Int32Array.from(items), signal)
  return transactions.map((tx, txIndex) => {
    const at = offsets[txIndex]
    if (words[at + 16] !== 0) throw unrecoverable(txIndex, 'no public key fits it')
    const sender = bytes.slice(at * 4, at * 4 + 20)
    if (tx.from !== undefined && hexOf(tx.from) !== hexOf(sender)) {
      throw unrecoverable(txIndex, `it recovers to ${hexOf(sender)}, but the block says ${hexOf(tx.from)}`)
    }
    return sender
  })
}

const unrecoverable = (txIndex: number, why: string): InvalidInputError =>
  new InvalidInputError('INVALID_SIGNATURE', `the signature of transaction ${txIndex} is not good: ${why}`, {
    txIndex,
    reason: why,
  })
