/**
 * Writes a difference into an @ethereumjs state manager, which has a checkpoint open: whoever opened it commits or
 * reverts, so that half a difference is never seen.
 */
import type { StateManagerInterface } from '@ethereumjs/common'
import { Account, Address, unpadBytes } from '@ethereumjs/util'
import type { AccountDiff, Hex, StateDiff } from '../../core/diff.ts'
import { readHex } from '../../core/hex.ts'

/**
 * @param codeOf - the code that belongs to a hash; nothing for the hash of nothing
 * @param step - called before each thing that the manager is told
 */
export const writeDiff = async (
  manager: StateManagerInterface,
  { accounts }: Pick<StateDiff, 'accounts'>,
  codeOf: (hash: Hex) => Uint8Array,
  step: () => void = () => undefined,
): Promise<void> => {
  for (const change of accounts) await writeAccount(manager, change, codeOf, step)
}

const writeAccount = async (
  manager: StateManagerInterface,
  { address, balance, nonce, codeHash, storage, storageCleared, deleted }: AccountDiff,
  codeOf: (hash: Hex) => Uint8Array,
  step: () => void,
): Promise<void> => {
  step()
  const name = new Address(readHex(address, 20, 'address'))
  if (deleted) {
    // One that keeps storage apart would find it again when an account comes to be there.
    await manager.clearStorage(name)
    step()
    return manager.deleteAccount(name)
  }
  // Its storage goes with an account; a cleared one comes to be anew.
  const before = await manager.getAccount(name)
  step()
  if (storageCleared) await manager.clearStorage(name)
  step()
  const account = (storageCleared ? await manager.getAccount(name) : before) ?? new Account()
  if (balance !== undefined) account.balance = balance
  if (nonce !== undefined) account.nonce = nonce
  // A contract whose storage alone has changed is put by what puts its slots.
  if (before === undefined || balance !== undefined || nonce !== undefined || storageCleared) {
    step()
    await manager.putAccount(name, account)
  }
  step()
  if (codeHash !== undefined) await manager.putCode(name, codeOf(codeHash))
  for (const [key, value] of storage) {
    step()
    await manager.putStorage(name, readHex(key, 32, 'key'), unpadBytes(readHex(value, 32, 'value')))
  }
}
