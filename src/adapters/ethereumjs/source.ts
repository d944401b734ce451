/**
 * Any state manager of @ethereumjs as the source of a state: it stays on the main thread, where its caller has it, and
 * is asked for what a block meets. Nothing is written to it before `apply`.
 */
import type { StateManagerInterface } from '@ethereumjs/common'
import { Address } from '@ethereumjs/util'
import { hexOf } from '../../core/hex.ts'
import type { AsyncStateSource } from '../../core/source.ts'
import { writeDiff } from './writeBack.ts'

/** Root of the trie of nothing. */
const EMPTY_ROOT = '0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421'

/**
 * Makes a source of a state manager, for `createSourceState`.
 *
 * @param manager - read only while blocks run; its caller must not change it meanwhile
 */
export const stateManagerSource = (manager: StateManagerInterface): AsyncStateSource => ({
  async getAccount(address) {
    const account = await manager.getAccount(new Address(address))
    if (account === undefined || account === null) return undefined
    const { balance, nonce, codeHash, storageRoot } = account
    // Managers that keep no tries have no roots.
    const hasStorage = storageRoot instanceof Uint8Array && hexOf(storageRoot) !== EMPTY_ROOT
    return { balance, nonce, codeHash, hasStorage }
  },
  getStorage: (address, key) => manager.getStorage(new Address(address), key),
  getCode: (address) => manager.getCode(new Address(address)),
  async apply(diff) {
    await manager.checkpoint()
    try {
      await writeDiff(manager, diff, (hash) => diff.codes.get(hash) ?? new Uint8Array(0))
    } catch (error) {
      await manager.revert()
      throw error
    }
    await manager.commit()
  },
})
