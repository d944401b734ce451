/** Is a difference of the shape that `StateDiff` documents? Asked before a word of a state or its trie changes. */
import type { StateDiff } from '../core/diff.ts'
import { InvalidInputError } from '../core/errors.ts'
import { packDiff, wordsOfDiff } from '../core/packedDiff.ts'

const ADDRESS = /^0x[0-9a-fA-F]{40}$/
const HASH = /^0x[0-9a-fA-F]{64}$/
/** Keys and values of slots are 32 bytes; leading zeros may be missing. */
const WORD = /^0x[0-9a-fA-F]{1,64}$/

const isNumber = (value: unknown, bits: bigint): boolean =>
  typeof value === 'bigint' && value >= 0n && value < 1n << bits

const malformed = (option: string, wanted: string, value: unknown, address: unknown): InvalidInputError =>
  new InvalidInputError(
    'INVALID_OPTION',
    `${option} of a difference is not ${wanted}: ${String(value).slice(0, 80)} (account ${String(address).slice(0, 80)})`,
    { option, address: String(address).slice(0, 80) },
  )

const isFlag = (value: unknown): boolean => value === undefined || typeof value === 'boolean'
const isHex = (value: unknown, form: RegExp): boolean => typeof value === 'string' && form.test(value)

/**
 * The changes of a difference in words (core/packedDiff.ts). Those of a block come in words and need no look.
 *
 * @throws {InvalidInputError} INVALID_OPTION with the field (`option`) and the account (`address`) of what is malformed
 */
export const checkedChanges = (diff: StateDiff): Int32Array => {
  checkCodes(diff)
  const words = wordsOfDiff(diff)
  if (words !== undefined) return words
  checkAccounts(diff)
  return packDiff(diff)
}

const checkCodes = (diff: StateDiff): void => {
  const codes: unknown = diff?.codes
  if (!(codes instanceof Map)) throw malformed('codes', 'a map of hashes to bytes', codes, 'none')
  for (const [hash, code] of codes) {
    if (!isHex(hash, HASH)) throw malformed('code hash', '32 bytes of hex', hash, 'none')
    if (!(code instanceof Uint8Array)) throw malformed('code', 'bytes', code, 'none')
  }
}

const checkAccounts = (diff: StateDiff): void => {
  if (!Array.isArray(diff.accounts)) throw malformed('accounts', 'a list', diff.accounts, 'none')
  for (const account of diff.accounts as StateDiff['accounts']) {
    if (typeof account !== 'object' || account === null)
      throw malformed('accounts', 'a list of objects', account, 'none')
    const { address, balance, nonce, codeHash, storage, storageCleared, deleted } = account
    if (!isHex(address, ADDRESS)) throw malformed('address', '20 bytes of hex', address, address)
    if (!isFlag(storageCleared)) throw malformed('storageCleared', 'true or false', storageCleared, address)
    if (!isFlag(deleted)) throw malformed('deleted', 'true or false', deleted, address)
    if (balance !== undefined && !isNumber(balance, 256n))
      throw malformed('balance', 'a bigint from 0 to 2^256 - 1', balance, address)
    if (nonce !== undefined && !isNumber(nonce, 64n))
      throw malformed('nonce', 'a bigint from 0 to 2^64 - 1', nonce, address)
    if (codeHash !== undefined && !isHex(codeHash, HASH))
      throw malformed('codeHash', '32 bytes of hex', codeHash, address)
    if (!(storage instanceof Map)) throw malformed('storage', 'a map of words to words', storage, address)
    for (const [key, value] of storage) {
      if (!isHex(key, WORD)) throw malformed('storage key', 'at most 32 bytes of hex', key, address)
      if (!isHex(value, WORD)) throw malformed('storage value', 'at most 32 bytes of hex', value, address)
    }
  }
}
