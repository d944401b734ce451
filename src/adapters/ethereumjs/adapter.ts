/**
 * The EVM adapter for teams that run @ethereumjs/vm, and the second EVM that checks the first.
 *
 * One VM a worker, one place at a time. Reads are answered from `TaskMemory` (stateManager.ts), effects written there
 * at the end (publish.ts), results kept in the words that the other EVM adapter answers with (result.ts). The packages
 * are imported here, in the worker; this file is an entry of its own, so that nobody else loads them.
 */
import type { Block } from '@ethereumjs/block'
import type { TypedTransaction } from '@ethereumjs/tx'
import { type AsyncAdapter, type Complaint, Outcome } from '../../core/contracts.ts'
import { InvalidInputError } from '../../core/errors.ts'
import { Control, Fault } from '../../core/layout.ts'
import { recordOf } from '../../core/location.ts'
import { isError, messageOf, textOf } from '../../core/thrown.ts'
import { fromBigInt } from '../../core/words.ts'
import { EvmFlag } from '../evm/flags.ts'
import { type BlockContext, decodeInput } from './context.ts'
import { runEnd } from './ends.ts'
import { blockOf, type Machine, Machines, reset, runTransaction, transactionOf } from './machine.ts'
import { loadEvmModule } from './module.ts'
import type { ModuleSpec } from './moduleSpec.ts'
import { importPackages } from './packages.ts'
import { publish } from './publish.ts'
import { keepAnswers, keepResult } from './result.ts'
import { LocationStateManager } from './stateManager.ts'

/** Name and message of what was thrown, which may be anything. */
const nameOf = (error: unknown): string =>
  isError(error) ? `${textOf(() => error.name, 'Error')}: ${messageOf(error)}` : messageOf(error)

/** The packages for proofs are imported when the first is verified. */
const faultOf = (error: unknown): number =>
  error instanceof InvalidInputError && error.code === 'MODULE_NOT_LOADED' ? Fault.ModuleNotLoaded : Fault.ModuleFailed

/** What ethereumjs says of a transaction, without where it stood, which the caller knows. */
const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace(/ \(vm hf=.*$/s, '')

/**
 * Builds the adapter in a worker.
 *
 * @throws {InvalidInputError} MODULE_NOT_LOADED where a package is missing or the user's module cannot be used
 */
export const createAdapter = async (spec: ModuleSpec): Promise<AsyncAdapter> => {
  const packages = await importPackages()
  const module = await loadEvmModule(spec)
  const state = new LocationStateManager(packages)
  const machines = new Machines(packages, module, state)
  const emptyHash = packages.util.KECCAK256_NULL
  const fee = new Int32Array(8)
  let context: BlockContext | undefined
  let machine: Machine | undefined
  let block: Block | undefined
  let feeRecipient = 0
  let places = 0
  /** Transactions of this block that were decoded, by place: one that runs again need not be. */
  const decoded = new Map<number, TypedTransaction>()
  let complaint: Complaint = { fault: Fault.None, message: '' }

  const complain = (fault: number, message: string, outcome: Outcome): Outcome => {
    complaint = { fault, message }
    return outcome
  }

  /** What became of an incarnation that could not be finished. */
  const failed = (error: unknown): Outcome => {
    const { aborted, fault } = state
    if (aborted === Outcome.Fault) return complain(fault.fault, fault.message, Outcome.Fault)
    if (aborted !== undefined) return aborted
    if (machines.thrown !== undefined) return complain(Fault.ModuleFailed, nameOf(machines.thrown.error), Outcome.Fault)
    if (state.phase === 'before') return complain(Fault.InvalidTransaction, reasonOf(error), Outcome.Invalid)
    return complain(faultOf(error), nameOf(error), Outcome.Fault)
  }

  return {
    kind: 'async',

    takeInputs(values) {
      context = values[0] as BlockContext
      machine = undefined
    },

    beginBlock(engine, _environment, flags) {
      feeRecipient = recordOf(engine[Control.DenseLocation])
      places = engine[Control.Places]
      decoded.clear()
      state.beginBlock({ spuriousDragon: (flags & EvmFlag.SpuriousDragon) !== 0, feeRecipient })
    },

    async execute(memory, input) {
      const current = context as BlockContext
      if (machine === undefined) {
        try {
          machine = await machines.machineFor(current)
          block = blockOf(packages, machine.common, current)
        } catch (error) {
          machine = undefined
          return complain(faultOf(error), nameOf(error), Outcome.Fault)
        }
      }
      reset(machine)
      machines.thrown = undefined
      const isEnd = memory.place === 0 || memory.place > places
      try {
        if (isEnd) {
          state.begin({ memory })
          const answers = await runEnd(packages, machine, state, block as Block, memory.engine, input)
          if (state.aborted !== undefined) return failed(undefined)
          keepAnswers(memory, answers)
          publish(memory, state.accounts.values(), emptyHash)
          return Outcome.Done
        }
        const { sender, raw } = decodeInput(memory.engine, input)
        let tx = decoded.get(memory.place)
        if (tx === undefined) {
          state.begin({ memory, sender })
          tx = transactionOf(packages, machine, raw, sender)
          decoded.set(memory.place, tx)
        }
        state.begin({ memory, sender, nonce: tx.nonce })
        const result = await runTransaction(packages, machine, state, block as Block, tx, current.fees)
        // What was thrown may have been swallowed on the way.
        if (state.aborted !== undefined || machines.thrown !== undefined) return failed(undefined)
        keepResult(memory, result, {
          intrinsicGas: tx.getIntrinsicGas(),
          maxRefundQuotient: machine.common.param('maxRefundQuotient'),
          frontier: !machine.common.gteHardfork('homestead'),
        })
        publish(memory, state.accounts.values(), emptyHash)
        let burnt = false
        // A fee recipient that destroys itself is deleted after it was paid.
        for (const held of state.accounts.values()) burnt ||= held.destroyed && held.record === feeRecipient
        if (!burnt && result.minerValue > 0n) {
          fromBigInt(result.minerValue, fee, 0)
          memory.dense(fee, 0)
        }
        return Outcome.Done
      } catch (error) {
        return failed(error)
      }
    },

    complaint: () => complaint,
    endBlock() {
      state.forget()
      decoded.clear()
    },
    dispose() {},
  }
}
