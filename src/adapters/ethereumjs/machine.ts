/**
 * One worker's @ethereumjs/vm: one transaction at a time, clean between two, whatever became of the first.
 *
 * Owns the phases of a transaction (what comes before, in and after its call), since they decide what a read of a
 * balance means, and the fee, which is no write of its recipient. What a user's module adds is called from here.
 *
 * Facts of @ethereumjs/vm 10.1.3 that this relies on are tests by name in test/ethereumjs/traps.test.ts.
 */
import type { Block } from '@ethereumjs/block'
import type { Common, ParamsDict } from '@ethereumjs/common'
import type { EVM, EVMMockBlockchainInterface, Message, PrecompileFunc, PrecompileInput } from '@ethereumjs/evm'
import type { TypedTransaction } from '@ethereumjs/tx'
import type { Account, Address } from '@ethereumjs/util'
import type { AfterTxEvent, RunTxResult, VM } from '@ethereumjs/vm'
import { findBlockHash } from '../../core/codes.ts'
import { Fault } from '../../core/layout.ts'
import type { ResolvedFees } from '../evm/feeOptions.ts'
import type { BlockContext } from './context.ts'
import { dataFeeAt, payVaults, takeDataFee } from './fees.ts'
import type { AccountView, Held } from './held.ts'
import { improveInterpreter } from './interpreter.ts'
import type { EvmModule } from './module.ts'
import { precompileProblem } from './moduleShape.ts'
import { importKzg, type Kzg, type Packages } from './packages.ts'
import type { LocationStateManager } from './stateManager.ts'

const MAX_INTEGER = (1n << 256n) - 1n
const POINT_EVALUATION = '000000000000000000000000000000000000000a'

/** An @ethereumjs/evm with the parts that this adapter replaces; they are not declared public. */
type Internals = {
  _addToBalance(account: Account, message: Message): Promise<void>
  _reduceSenderBalance(account: Account, message: Message): Promise<void>
}

/** A block as the interpreter sees it, and the EVM of its fork. */
export interface Machine {
  readonly common: Common
  /** The rules as transactions hold them: one for all. */
  readonly txCommon: Common
  readonly evm: EVM
  readonly vm: VM
}

/** KZG as `Common.customCrypto` holds it, imported when it is first needed. */
class LazyKzg implements Kzg {
  #kzg: Kzg | undefined

  constructor(kzg: Kzg | undefined) {
    this.#kzg = kzg
  }

  async load(): Promise<void> {
    this.#kzg ??= await importKzg()
  }

  verifyProof(commitment: string, z: string, y: string, proof: string): boolean {
    return (this.#kzg as Kzg).verifyProof(commitment, z, y, proof)
  }
}

export class Machines {
  readonly #packages: Packages
  readonly #module: EvmModule
  readonly #state: LocationStateManager
  readonly #kzg: LazyKzg
  readonly #built = new Map<string, Machine>()
  /** What a function of the user's module threw. */
  thrown: { readonly error: unknown } | undefined

  constructor(packages: Packages, module: EvmModule, state: LocationStateManager) {
    this.#packages = packages
    this.#module = module
    this.#state = state
    this.#kzg = new LazyKzg(module.kzg)
  }

  /** The machine for a block's rules, kept for the blocks to come. */
  async machineFor(context: BlockContext): Promise<Machine> {
    const { chainId, fork, common } = context
    const key = JSON.stringify([String(chainId), fork, common ?? null])
    let machine = this.#built.get(key)
    if (machine === undefined) {
      machine = await this.#build(context)
      this.#built.set(key, machine)
    }
    return machine
  }

  async #build(context: BlockContext): Promise<Machine> {
    const { evm, vm } = this.#packages
    const common = this.#commonOf(context)
    const blockchain = this.#blockchain()
    const options = {
      common,
      stateManager: this.#state,
      blockchain,
      customOpcodes: this.#opcodes(),
      customPrecompiles: this.#precompiles(common),
      // `createEVM` would put its own here, whatever was given.
      bn254: this.#module.bn254 ?? new evm.NobleBN254(),
      ...(this.#module.bls === undefined ? {} : { bls: this.#module.bls }),
      ...(this.#module.allowUnlimitedContractSize === true ? { allowUnlimitedContractSize: true } : {}),
      ...(this.#module.allowUnlimitedInitCodeSize === true ? { allowUnlimitedInitCodeSize: true } : {}),
    }
    // EVM and VM each put their defaults over what the chain's Common and the module say.
    const restoreParams = (): void => {
      for (const params of [context.common?.params as ParamsDict | undefined, this.#module.params]) {
        if (params !== undefined) common.updateParams(params)
      }
    }
    const machine = new (this.#evmClass())(options as never)
    restoreParams()
    const made = await vm.createVM({ common, stateManager: this.#state, blockchain, evm: machine } as never)
    restoreParams()
    // Fees of opcodes were read when the EVM was made.
    machine.getActiveOpcodes()
    await improveInterpreter(this.#packages, machine)
    this.#listen(machine, made)
    return { common, txCommon: sharedCommon(this.#packages, common), evm: machine, vm: made }
  }

  #commonOf({ chainId, fork, common }: BlockContext): Common {
    const { Common, Mainnet } = this.#packages.common
    const eips = [...(common?.eips ?? []), ...(this.#module.eips ?? [])]
    return new Common({
      chain: (common?.chain ?? { ...Mainnet, chainId: Number(chainId) }) as typeof Mainnet,
      hardfork: fork,
      ...(eips.length > 0 ? { eips } : {}),
      ...(common === undefined ? {} : { params: common.params as never }),
      customCrypto: { kzg: this.#kzg as never },
    })
  }

  /** An EVM that says what it needs of a balance instead of reading it. */
  #evmClass(): typeof EVM {
    const state = this.#state
    const { EVM, EVMError } = this.#packages.evm
    class LocationEvm extends EVM {
      override async runCall(options: Parameters<EVM['runCall']>[0]): ReturnType<EVM['runCall']> {
        if (options.message !== undefined || state.phase !== 'before') return super.runCall(options)
        state.phase = 'call'
        const result = await super.runCall(options)
        state.phase = 'after'
        return result
      }
    }
    const own = LocationEvm.prototype as unknown as Internals
    const base = EVM.prototype as unknown as Internals
    own._addToBalance = async function (this: EVM, account, message) {
      if (!state.isView(account)) return base._addToBalance.call(this as never, account, message)
      const view = account as AccountView
      const balance = view.plainBalance + message.value
      if (balance > MAX_INTEGER) {
        state.observeBalance(view.held)
        throw new EVMError(EVMError.errorMessages.VALUE_OVERFLOW)
      }
      view.balance = balance
      await this.journal.putAccount(message.to as Address, view)
    }
    own._reduceSenderBalance = async function (this: EVM, account, message) {
      if (!state.isView(account)) return base._reduceSenderBalance.call(this as never, account, message)
      const view = account as AccountView
      if (message.value > 0n && !view.covers(message.value)) {
        throw new EVMError(EVMError.errorMessages.INSUFFICIENT_BALANCE)
      }
      view.balance = view.plainBalance - message.value
      await this.journal.putAccount(message.caller, view)
    }
    return LocationEvm
  }

  #blockchain(): EVMMockBlockchainInterface {
    const blockchain = {
      getBlock: async (number: number) => {
        const { memory } = this.#state
        const at = findBlockHash(memory.state, number | 0, Math.floor(number / 2 ** 32))
        if (at === 0) this.#state.failWith(Fault.MissingBlockHash, String(number))
        return { hash: () => new Uint8Array(memory.state.slice(at, at + 8).buffer) }
      },
      putBlock: async () => undefined,
      shallowCopy: () => blockchain,
    }
    return blockchain as never
  }

  // ---- the user's module ----

  /** Notes what a function throws: a fault of the module, not of the transaction. What unwinds the EVM passes. */
  #noting<Args extends readonly unknown[], Result>(call: (...args: Args) => Result): (...args: Args) => Result {
    const note = (error: unknown): never => {
      const isOfEvm = typeof error === 'object' && error !== null && 'errorType' in error
      if (!isOfEvm && this.#state.aborted === undefined) this.thrown ??= { error }
      throw error
    }
    return (...args) => {
      try {
        const result = call(...args)
        return result instanceof Promise ? (result.catch(note) as Result) : result
      } catch (error) {
        return note(error)
      }
    }
  }

  #opcodes() {
    return this.#module.customOpcodes?.map((opcode) =>
      'logicFunction' in opcode && opcode.logicFunction !== undefined
        ? {
            ...opcode,
            logicFunction: this.#noting(opcode.logicFunction),
            ...(opcode.gasFunction === undefined ? {} : { gasFunction: this.#noting(opcode.gasFunction as never) }),
          }
        : opcode,
    )
  }

  #precompiles(common: Common) {
    const { getActivePrecompiles } = this.#packages.evm
    const { createAddressFromString } = this.#packages.util
    const given = this.#module.customPrecompiles ?? []
    const custom = given.map((precompile) =>
      'function' in precompile && precompile.function !== undefined
        ? { ...precompile, function: this.#noting(checked(precompile.function)) }
        : precompile,
    )
    const evaluate = getActivePrecompiles(common).get(POINT_EVALUATION)
    if (evaluate === undefined) return custom
    const withSetup: PrecompileFunc = async (input: PrecompileInput) => {
      await this.#kzg.load()
      return evaluate(input)
    }
    const address = createAddressFromString(`0x${POINT_EVALUATION}`)
    return [{ address, function: this.#noting(withSetup) }, ...custom]
  }

  #listen(machine: EVM, vm: VM): void {
    const { beforeTx, afterTx, ...steps } = this.#module.hooks ?? {}
    if (beforeTx !== undefined)
      vm.events.on(
        'beforeTx',
        this.#noting((tx: TypedTransaction) => beforeTx(tx)),
      )
    if (afterTx !== undefined)
      vm.events.on(
        'afterTx',
        this.#noting((event: AfterTxEvent) => afterTx(event)),
      )
    for (const [name, hook] of Object.entries(steps)) {
      // One parameter: a second would make the EVM wait for a callback.
      const call = hook as (event: unknown) => void
      machine.events.on(name as 'step', this.#noting((event: unknown) => call(event)) as never)
    }
  }
}

/** A precompile whose answers are looked at: @ethereumjs/evm takes whatever they are for gas and bytes. */
const checked =
  (precompile: PrecompileFunc): PrecompileFunc =>
  async (input) => {
    const result = await precompile(input)
    const problem = precompileProblem(result)
    if (problem !== undefined) throw new TypeError(problem)
    return result
  }

/**
 * Rules for transactions, which would each take a copy and merge their parameters into it: 95 us, where a payment takes 38
 * (`npm run bench -- --only ethereumjs-adapter`, 2026-11-21, @ethereumjs/tx 10.1.3). Nobody changes them here.
 */
const sharedCommon = ({ tx }: Packages, common: Common): Common => {
  const shared = common.copy()
  shared.updateParams(tx.paramsTx)
  return Object.assign(shared, { copy: () => shared, updateParams: () => undefined })
}

/** Leaves nothing of what an incarnation that was given up had open. */
export const reset = ({ evm }: Machine): void => {
  evm.journal.cleanJournal()
  delete evm.journal.accessList
  delete evm.journal.preimages
  // Clearing it leaves the marks of checkpoints that were open.
  evm.transientStorage.clear()
  ;(evm.transientStorage as unknown as { _indices: number[] })._indices = [0]
  const state = evm as unknown as {
    _stateGasSnapshots: unknown[]
    stateGasReservoir: bigint
    executionStateGasUsed: bigint
  }
  state._stateGasSnapshots = []
  state.stateGasReservoir = 0n
  state.executionStateGasUsed = 0n
}

/** The block as opcodes see it. Its transactions are not part of it. */
export const blockOf = ({ block, util }: Packages, common: Common, context: BlockContext): Block => {
  const { header } = context
  const made = block.createBlock(
    {
      header: {
        number: header.number,
        timestamp: header.timestamp,
        gasLimit: header.gasLimit,
        difficulty: header.difficulty,
        mixHash: header.prevRandao,
        ...(header.extraData === undefined ? {} : { extraData: header.extraData }),
        coinbase: new util.Address(header.coinbase),
        ...(header.baseFeePerGas === undefined ? {} : { baseFeePerGas: header.baseFeePerGas }),
        ...(header.parentHash === undefined ? {} : { parentHash: header.parentHash }),
        ...(header.excessBlobGas === undefined ? {} : { excessBlobGas: header.excessBlobGas, blobGasUsed: 0n }),
        ...(header.parentBeaconBlockRoot === undefined ? {} : { parentBeaconBlockRoot: header.parentBeaconBlockRoot }),
      },
    },
    { common, skipConsensusFormatValidation: true, freeze: false },
  )
  if (context.blobGasPrice !== undefined) {
    const price = context.blobGasPrice
    made.header.getBlobGasPrice = () => price
  }
  return made
}

/** A transaction from its bytes, told its sender: recovering one takes longer than running a payment. */
export const transactionOf = (
  { tx, util }: Packages,
  { txCommon, evm: { allowUnlimitedInitCodeSize } }: Machine,
  raw: Uint8Array,
  sender: Uint8Array,
): TypedTransaction => {
  const made = tx.createTxFromRLP(raw, {
    common: txCommon,
    freeze: false,
    allowUnlimitedInitCodeSize,
  }) as TypedTransaction
  const address = new util.Address(sender)
  made.getSenderAddress = () => address
  return made
}

/** Runs a transaction; what its fee recipient earns is in the result and nowhere in the state. */
export const runTransaction = async (
  packages: Packages,
  { vm }: Machine,
  state: LocationStateManager,
  block: Block,
  tx: TypedTransaction,
  fees: ResolvedFees,
): Promise<RunTxResult> => {
  const sender = tx.getSenderAddress()
  const held = await state.holdWarm(sender)
  const dataFee = dataFeeAt(fees, state.memory.place)
  // All that the checks before the call ask of the sender's balance, as one bound; they see the guess.
  takeDataFee(state, held, dataFee, mostCost(packages, vm.common, tx))
  const miner = block.header.coinbase
  const isMiner = ({ address }: Held): boolean => packages.util.equalsBytes(address, miner.bytes)
  // The sender's refund comes first; where it is the coinbase too, the fee is the second of its puts.
  let refunds = isMiner(held) ? 1 : 0
  state.takesFee = (account) => isMiner(account) && refunds-- <= 0
  const result = await packages.vm.runTx(vm, { tx, block, skipHardForkValidation: true, blockGasUsed: 0n })
  await payVaults(packages, state, fees, result, block.header.baseFeePerGas ?? 0n, dataFee)
  return result
}

/** The most that a transaction may cost its sender, value included: what must be there before it begins. */
const mostCost = ({ tx: { isBlob4844Tx } }: Packages, common: Common, tx: TypedTransaction): bigint => {
  const price = 'maxFeePerGas' in tx ? tx.maxFeePerGas : tx.gasPrice
  const cost = tx.value + tx.gasLimit * price
  if (!isBlob4844Tx(tx)) return cost
  return cost + common.param('blobGasPerBlob') * BigInt(tx.numBlobs()) * tx.maxFeePerBlobGas
}
