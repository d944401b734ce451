/**
 * How a block reads a state manager of @ethereumjs and writes it back: by what every manager has, or, over the tries of a
 * `MerkleStateManager`, by the tries themselves (merkleAccess.ts).
 */
import type { StateManagerInterface } from '@ethereumjs/common'
import type { Hex, StateDiff } from '../../core/diff.ts'
import type { AsyncStateSource } from '../../core/source.ts'
import { stateManagerSource } from './source.ts'
import { writeDiff } from './writeBack.ts'

/** For one block: what is read once may be kept. */
export interface StateAccess {
  readonly source: AsyncStateSource
  /**
   * Writes a difference. Whoever calls has a checkpoint open, which it commits or reverts: half a difference is never
   * seen.
   *
   * @param codeOf - the code that belongs to a hash; nothing for the hash of nothing
   * @param step - called before each thing that the manager is told; what it throws ends the writing there
   * @returns the root after it
   */
  write(diff: Pick<StateDiff, 'accounts'>, codeOf: (hash: Hex) => Uint8Array, step?: () => void): Promise<Uint8Array>
}

/** By nothing but the interface. */
export const plainAccess = (manager: StateManagerInterface): StateAccess => ({
  source: stateManagerSource(manager),
  async write(diff, codeOf, step) {
    await writeDiff(manager, diff, codeOf, step)
    step?.()
    return manager.getStateRoot()
  },
})
