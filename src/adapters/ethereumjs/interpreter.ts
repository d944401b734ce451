/**
 * Two things that @ethereumjs/evm's interpreter does at every call, done with less: it reads its account's balance to see
 * whether a call can be paid, which needs no more than a lower bound; and it looks through the whole code for jump
 * destinations, which are the same each time.
 *
 * The class is not exported: it is reached by what a run of code leaves behind, and is changed for all EVMs of this thread.
 * Those that are not this adapter's go the way they went. Source: @ethereumjs/evm 10.1.3, interpreter.js; what is relied on
 * is a test by name in test/ethereumjs/traps.test.ts.
 */
import type { EVM } from '@ethereumjs/evm'
import type { AccountView } from './held.ts'
import type { Packages } from './packages.ts'

/** What is looked at of a message. */
interface CallMessage {
  readonly value: bigint
  readonly delegatecall: boolean
}

/** The parts of an interpreter that are replaced; none is declared public. */
interface Interpreter {
  readonly _evm: EVM
  readonly _env: { readonly contract: object }
  _baseCall(message: CallMessage): Promise<bigint>
  create(gasLimit: bigint, value: bigint, ...rest: unknown[]): Promise<bigint>
  _getValidJumpDestinations(code: Uint8Array): object
}

/** Runs the synchronous part of `call` with a balance that may be read without a note. */
const peeking = <T>(account: AccountView, call: () => T): T => {
  const before = account.peeking
  account.peeking = true
  try {
    return call()
  } finally {
    account.peeking = before
  }
}

/** Classes that were changed, and the EVMs for which they were. */
const improved = new WeakSet<object>()
const ours = new WeakSet<EVM>()

const viewOf = ({ _env: { contract } }: Interpreter): AccountView | undefined =>
  'covers' in contract ? (contract as AccountView) : undefined

/** Changes the interpreter of the package, once, for `evm`, whose accounts are views. */
export const improveInterpreter = async (packages: Packages, evm: EVM): Promise<void> => {
  ours.add(evm)
  const shape = Object.getPrototypeOf(await interpreterOf(packages)) as Interpreter
  if (improved.has(shape)) return
  improved.add(shape)
  const { _baseCall, create, _getValidJumpDestinations } = shape
  /** Jump destinations by code, for each EVM, since they go with its opcodes. A code is the same object from call to call. */
  const known = new WeakMap<EVM, WeakMap<Uint8Array, object>>()

  // Both compare before they first wait for anything.
  shape._baseCall = function (this: Interpreter, message) {
    const view = viewOf(this)
    const original = () => _baseCall.call(this, message)
    return view !== undefined && (message.delegatecall === true || view.covers(message.value))
      ? peeking(view, original)
      : original()
  }
  shape.create = function (this: Interpreter, gasLimit, value, ...rest) {
    const view = viewOf(this)
    const original = () => create.call(this, gasLimit, value, ...rest)
    return view?.covers(value) === true ? peeking(view, original) : original()
  }
  shape._getValidJumpDestinations = function (this: Interpreter, code) {
    if (!ours.has(this._evm)) return _getValidJumpDestinations.call(this, code)
    let codes = known.get(this._evm)
    if (codes === undefined) {
      codes = new WeakMap()
      known.set(this._evm, codes)
    }
    let found = codes.get(code)
    if (found === undefined) {
      found = _getValidJumpDestinations.call(this, code)
      codes.set(code, found)
    }
    return found
  }
}

/** What runs STOP on nobody's state. A Common of its own: an EVM puts its parameters into the one that it is given. */
const interpreterOf = async ({ common: { Common, Mainnet }, evm }: Packages): Promise<object> => {
  const stateManager = { getAccount: async () => undefined }
  const options = { common: new Common({ chain: Mainnet }), stateManager, blockchain: new evm.EVMMockBlockchain() }
  const { runState } = await new evm.EVM(options as never).runCode({ code: Uint8Array.of(0), gasLimit: 1n })
  return (runState as unknown as { readonly interpreter: object }).interpreter
}
