/**
 * Who sent a block's transactions: as the caller says, or recovered from the signatures on the pool.
 */
import { equalBytes } from '../adapters/evm/input.ts'
import type { BlockTransaction } from '../adapters/evm/transaction.ts'
import { InvalidInputError } from '../core/errors.ts'
import { hexOf, readHex } from '../core/hex.ts'
import type { ExecuteBlockOptions } from './blockTypes.ts'
import type { Engine } from './engine.ts'
import type { Asked, SignatureRoom } from './signatures.ts'

/** secp256k1's order, halved: EIP-2 allows no larger `s` from Homestead on. */
const HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n

type SenderOptions = Pick<ExecuteBlockOptions, 'senders' | 'state' | 'signal'>

/**
 * Senders of a block's transactions, by what the options say.
 *
 * @param asked - by `askSigners`
 * @returns 20 bytes a transaction
 * @throws {InvalidInputError} MISSING_SENDER, INVALID_SIGNATURE with the index; INVALID_OPTION for another list
 */
export const sendersOf = async (
  engine: Engine,
  transactions: readonly BlockTransaction[],
  homestead: boolean,
  options: SenderOptions,
  asked: Asked | undefined,
): Promise<Uint8Array[]> => {
  const { senders = 'recover' } = options
  if (senders === 'recover') return recover(engine, transactions, homestead, options, asked)
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

/**
 * Asks for the signers of a block, so that workers that have nothing else to do find them before its turn. Undefined where
 * nobody need be asked, or something is missing, which is told when the block's turn comes.
 */
export const askSigners = (
  room: SignatureRoom,
  transactions: readonly BlockTransaction[],
  { senders = 'recover', signal }: Pick<ExecuteBlockOptions, 'senders' | 'signal'>,
): Asked | undefined => {
  const isFor = senders === 'recover' && signal?.aborted !== true && transactions.length > 0
  return isFor && transactions.every(({ signature }) => signature !== undefined) ? room.ask(transactions) : undefined
}

/** Takes the signers that were asked for, and compares with the block's claim. */
const recover = async (
  engine: Engine,
  transactions: readonly BlockTransaction[],
  homestead: boolean,
  options: SenderOptions,
  asked: Asked | undefined,
): Promise<Uint8Array[]> => {
  transactions.forEach(({ signature }, txIndex) => {
    if (signature === undefined) {
      throw new InvalidInputError(
        'MISSING_SENDER',
        `transaction ${txIndex} has no signature; give \`senders\` or trust its \`from\``,
        { txIndex },
      )
    }
    if (homestead && signature.s > HALF_ORDER)
      throw unrecoverable(txIndex, 's is above half the order of the curve (EIP-2)')
  })
  const signers = (await asked?.signers(engine, options)) ?? []
  return transactions.map((tx, txIndex) => {
    const sender = signers[txIndex]
    if (sender === undefined) throw unrecoverable(txIndex, 'no public key fits it')
    if (tx.from !== undefined && !equalBytes(tx.from, sender)) {
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
