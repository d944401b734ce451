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
  const offsets = new Int32Array(transactions.length)
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
  let total = 0
  payloads.forEach((payload, k) => {
    offsets[k] = total
    total += 18 + ((payload.length + 3) >> 2)
  })
  const items = new Int32Array(total)
  const bytes = new Uint8Array(items.buffer)
  payloads.forEach((payload, k) => {
    const { signature } = transactions[k] as BlockTransaction
    const at = offsets[k]
    fromBigInt(signature?.r ?? 0n, items, at)
    fromBigInt(signature?.s ?? 0n, items, at + 8)
    items[at + 16] = signature?.yParity ?? 0
    items[at + 17] = payload.length
    bytes.set(payload, (at + 18) * 4)
  })
  if (transactions.length > 0) await engine.batch(state, items, offsets, signal)
  return transactions.map((tx, txIndex) => {
    const at = offsets[txIndex]
    if (items[at + 16] !== 0) throw unrecoverable(txIndex, 'no public key fits it')
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
