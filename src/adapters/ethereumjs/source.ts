/**
 * Any state manager of @ethereumjs as the source of a state: it stays on the main thread, where its caller has it, and is
 * asked for what a block meets. Nothing is written to it before `apply`.
 */
import type { StateManagerInterface } from '@ethereumjs/common'
import type * as Util from '@ethereumjs/util'
import type { AccountDiff, StateDiff } from '../../core/diff.ts'
import { readHex } from '../../core/hex.ts'
import type { AsyncStateSource, SourceAccount } from '../../core/source.ts'
import { missingPackage } from './packages.ts'

const importUtil = async (): Promise<typeof Util> => {
  try {
    return await import('@ethereumjs/util')
  } catch (cause) {
    throw missingPackage('@ethereumjs/util@10', cause)
  }
}

/**
 * Makes a source of a state manager, for `createSourceState`.
 *
 * @param manager - read only while blocks run; its caller must not change it meanwhile
 */
export const stateManagerSource = (manager: StateManagerInterface): AsyncStateSource => {
  const util = importUtil()
  // Whoever asks first is told.
  util.catch(() => undefined)
  const addressOf = async (bytes: Uint8Array): Promise<Util.Address> => new (await util).Address(bytes)
  return {
    async getAccount(bytes) {
      const account = await manager.getAccount(await addressOf(bytes))
      if (account === undefined) return undefined
      const { balance, nonce, codeHash } = account
      return { balance, nonce, codeHash } satisfies SourceAccount
    },
    async getStorage(bytes, key) {
      return manager.getStorage(await addressOf(bytes), key)
    },
    async getCode(bytes) {
      return manager.getCode(await addressOf(bytes))
    },
    async apply(diff) {
      const { Account, Address, unpadBytes } = await util
      await manager.checkpoint()
      try {
        for (const change of diff.accounts) {
          const address = new Address(readHex(change.address, 20, 'address'))
          if (change.deleted) await manager.deleteAccount(address)
          else await applyAccount(manager, address, change, diff, { Account, unpadBytes })
        }
      } catch (error) {
        await manager.revert()
        throw error
      }
      await manager.commit()
    },
  }
}

const applyAccount = async (
  manager: StateManagerInterface,
  address: Util.Address,
  change: AccountDiff,
  { codes }: StateDiff,
  { Account, unpadBytes }: Pick<typeof Util, 'Account' | 'unpadBytes'>,
): Promise<void> => {
  const account = (await manager.getAccount(address)) ?? new Account()
  if (change.balance !== undefined) account.balance = change.balance
  if (change.nonce !== undefined) account.nonce = change.nonce
  await manager.putAccount(address, account)
  if (change.storageCleared) await manager.clearStorage(address)
  if (change.codeHash !== undefined) await manager.putCode(address, codes.get(change.codeHash) ?? new Uint8Array(0))
  for (const [key, value] of change.storage) {
    await manager.putStorage(address, readHex(key, 32, 'key'), unpadBytes(readHex(value, 32, 'value')))
  }
}
