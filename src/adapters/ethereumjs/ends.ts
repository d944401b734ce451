/**
 * The work of places 0 and n + 1 on @ethereumjs/evm, whose own functions for it are not exported: the operations of
 * adapters/evm/ends.ts, one after another, each a transaction of its own as far as gas and transient storage go.
 */
import type { Block } from '@ethereumjs/block'
import type { Address } from '@ethereumjs/util'
import { toBigInt } from '../../core/words.ts'
import type { Machine } from './machine.ts'
import type { Packages } from './packages.ts'
import { type Answer, answerOf } from './result.ts'
import type { LocationStateManager } from './stateManager.ts'

const CALL = 0
const CREDIT = 1
/** Gas of a system call; nobody pays for it. */
const CALL_GAS = 30_000_000n
const NO_CODE = 3
/** Who calls (EIP-4788); @ethereumjs/common has it from Prague on only. */
const SYSTEM_ADDRESS = '0xfffffffffffffffffffffffffffffffffffffffe'
const NOTHING = new Uint8Array(0)

/** Private in the type, and all that a credit of nothing does. */
const touch = (evm: Machine['evm'], address: Address): void =>
  (evm.journal as unknown as { touchAddress(address: Address): void }).touchAddress(address)

/** Runs the operations that begin at `at` of `words`. */
export const runEnd = async (
  packages: Packages,
  machine: Machine,
  state: LocationStateManager,
  block: Block,
  words: Int32Array,
  at: number,
): Promise<Answer[]> => {
  const answers: Answer[] = []
  const { evm } = machine
  const bytes = (from: number, length: number): Uint8Array =>
    new Uint8Array(words.buffer, words.byteOffset + 4 * from, length).slice()
  const address = (from: number): Address => new packages.util.Address(bytes(from, 20))
  let next = at + 1
  for (let count = words[at]; count > 0; count--) {
    const target = address(next + 1)
    if (words[next] === CALL) {
      const length = words[next + 6]
      answers.push(await call(packages, machine, state, block, target, bytes(next + 7, length)))
      next += 7 + ((length + 3) >> 2)
    } else if (words[next] === CREDIT) {
      const held = await state.holdWarm(target)
      state.credit(held, toBigInt(words, next + 6))
      // Whether a touched account ceases to exist depends on its being empty.
      touch(evm, target)
      answers.push({ status: 1, returned: NOTHING })
      next += 14
    } else {
      const from = await state.holdWarm(target)
      const to = await state.holdWarm(address(next + 6))
      state.observeBalance(from)
      const amount = from.balance
      state.credit(from, -amount)
      state.credit(to, amount)
      // The DAO fork: before EIP-161 both exist afterwards.
      from.exists = true
      to.exists = true
      answers.push({ status: 1, returned: NOTHING })
      next += 11
    }
    await evm.journal.cleanup()
    state.nextTransaction()
  }
  return answers
}

const call = async (
  { util }: Packages,
  { evm, common }: Machine,
  state: LocationStateManager,
  block: Block,
  to: Address,
  data: Uint8Array,
): Promise<Answer> => {
  if ((await state.getCode(to)).length === 0) return { status: NO_CODE, returned: NOTHING }
  const caller = util.createAddressFromString(SYSTEM_ADDRESS)
  const { execResult } = await evm.runCall({ block, caller, to, data, gasLimit: CALL_GAS, skipNonceIncrement: true })
  for (const destroyed of execResult.selfdestruct?.keys() ?? []) {
    if (common.isActivatedEIP(6780) && execResult.createdAddresses?.has(destroyed) !== true) continue
    await evm.journal.deleteAccount(util.createAddressFromString(destroyed))
  }
  evm.transientStorage.clear()
  return answerOf(execResult.exceptionError?.error, execResult.returnValue)
}
