/**
 * `runBlock` of @ethereumjs/vm, on every core: its options, its result, its events, on the VM's own state manager.
 *
 * A block runs on a state that asks the manager for what the run meets (sourceState.ts), so the manager is read by the
 * calling thread alone and each value once. What the block did is written back under a checkpoint, and only
 * a block that was found good in everything is committed: whatever fails, the manager is as it was.
 *
 * Not here: executing (passes.ts), what a parallel run cannot give (sequential.ts), the shape of results (runResult.ts).
 */
import { type Block, createBlock } from '@ethereumjs/block'
import type { Common, StateManagerInterface } from '@ethereumjs/common'
import { type RunBlockOpts, type RunBlockResult, runBlock as runSequentially, type VM } from '@ethereumjs/vm'
import { accessTo } from '../../adapters/ethereumjs/merkleAccess.ts'
import type { StateAccess } from '../../adapters/ethereumjs/stateAccess.ts'
import { decodeBlock } from '../../adapters/evm/block.ts'
import { encodeReceipt, type TransactionReceipt } from '../../adapters/evm/receipt.ts'
import type { Hex } from '../../core/diff.ts'
import { InvalidInputError } from '../../core/errors.ts'
import { SourceState } from '../../state/sourceState.ts'
import type { BlockResult } from '../blockTypes.ts'
import { createExecutor, type Executor, type ExecutorOptions } from '../executeBlock.ts'
import { isFrom, type PreparedBlock } from '../prepare.ts'
import type { RunReport } from '../runReport.ts'
import { verifyOutcome } from '../verify.ts'
import { ManagerHangs, ofManager, rootOf, takeBack } from './answering.ts'
import { checkOptions, type ParallelRunBlockOptions, STATE_TIMEOUT } from './options.ts'
import { execute } from './passes.ts'
import { type RootsOfResult, runBlockResultOf } from './runResult.ts'
import { reasonToRunSequentially, type SequentialReason } from './sequential.ts'
import { assertNotAborted, settled, stopBetween, unlessAborted } from './stopping.ts'

/** The result of @ethereumjs/vm's `runBlock`, and how the block was run. */
export interface ParallelRunBlockResult extends RunBlockResult {
  readonly run:
    | {
        readonly path: 'parallel'
        readonly report: RunReport /** Times that the block was executed. */
        readonly passes: number
      }
    | { readonly path: 'sequential'; readonly reason: SequentialReason }
}

/** Address space of a state: a block may call for more codes than one is likely to. */
const STATE_BYTES = 2 ** 30

/** States to run on, cleared from block to block: a new one would commit its pages anew. */
const states = new WeakMap<Executor, SourceState[]>()

/**
 * Runs a block on every core with the result of @ethereumjs/vm's own `runBlock`, state manager and events included.
 *
 * @param vm - an @ethereumjs/vm `VM`; its state manager is read, and written once the whole block is known to be good
 * @throws {InvalidInputError} as `executeBlock`; INVALID_OPTION where `onlyParallel` refuses the block, or its hard fork
 *   is not the VM's
 * @throws {BlockMismatchError} BLOCK_MISMATCH with every field of the header that differs, but in `generate` mode
 * @throws {ParallelExecutionError} STATE_SOURCE_FAILED where the state manager rejects, hangs or answers with garbage
 * @throws {InvalidInputError} MISSING_SENDER for a transaction without a signature; MISSING_BLOCK_HASH where the VM's
 *   blockchain has not the hash that BLOCKHASH asks for
 * @throws whatever the VM's blockchain says of the header, and the block of its own data, as in @ethereumjs/vm
 *
 * @example
 * const result = await runBlock(vm, { block, executor })
 */
export const runBlock = async (vm: VM, options: ParallelRunBlockOptions): Promise<ParallelRunBlockResult> => {
  checkOptions(vm, options)
  const common = commonOf(vm, options)
  const reason = reasonToRunSequentially(vm, common, options, options.executor?.adapter === 'ethereumjs')
  if (reason !== undefined) return runOneByOne(vm, options, reason)
  const executor = options.executor ?? (await createExecutor(executorOptions(options)))
  const free = states.get(executor) ?? []
  states.set(executor, free)
  const keccak256 = (bytes: Uint8Array): Uint8Array => executor.keccak256(bytes)
  const access = accessTo(vm.stateManager, keccak256)
  const state = stateFor(access, options, keccak256, free.pop())
  try {
    return await runInParallel(vm, options, executor, { access, state })
  } finally {
    // A manager that still answers keeps its state: nobody waits for it.
    if (!state.isAsking) {
      state.clear()
      free.push(state)
    }
    if (options.executor === undefined) await executor.close()
  }
}

/** Whether the VM is set to the block's fork before it runs. */
const setsFork = (vm: VM, options: RunBlockOpts): boolean => (options.setHardfork ?? vm['_setHardfork']) === true

/** The rules that the block will run by; the VM itself is set to another fork only when the block is begun. */
const commonOf = (vm: VM, options: RunBlockOpts): Common => {
  const { number: blockNumber, timestamp } = options.block.header
  if (!setsFork(vm, options)) return vm.common
  const moved = vm.common.copy()
  moved.setHardforkBy({ blockNumber, timestamp })
  return moved
}

/** The VM's state as this block reads and writes it. */
interface BlockState {
  readonly access: StateAccess
  readonly state: SourceState
}

/** A state that asks the VM's manager, made of one that was used before where there is one. */
const stateFor = (
  { source }: StateAccess,
  { stateTimeout = STATE_TIMEOUT }: ParallelRunBlockOptions,
  keccak256: (bytes: Uint8Array) => Uint8Array,
  used: SourceState | undefined,
): SourceState => {
  const timeout = Math.ceil(stateTimeout)
  if (used === undefined) return new SourceState(source, { timeout, keccak256, maxBytes: STATE_BYTES })
  used.attach(source, timeout)
  return used
}

const executorOptions = ({ adapter, workers }: ParallelRunBlockOptions): ExecutorOptions => ({
  ...(adapter === undefined ? {} : { adapter }),
  ...(workers === undefined ? {} : { workers }),
})

const runOneByOne = async (
  vm: VM,
  options: ParallelRunBlockOptions,
  reason: SequentialReason,
): Promise<ParallelRunBlockResult> => {
  if (options.onlyParallel === true || options.fees !== undefined) {
    const why = options.onlyParallel === true ? 'onlyParallel was asked for' : '@ethereumjs/vm knows no `fees`'
    throw new InvalidInputError('INVALID_OPTION', `the block can only run sequentially (${reason}), and ${why}`, {
      option: options.onlyParallel === true ? 'onlyParallel' : 'fees',
      reason,
    })
  }
  const result = await stopBetween(vm, options.signal, () => runSequentially(vm, options))
  return { ...result, run: { path: 'sequential', reason } }
}

const runInParallel = async (
  vm: VM,
  options: ParallelRunBlockOptions,
  executor: Executor,
  state: BlockState,
): Promise<ParallelRunBlockResult> => {
  const { stateManager: manager } = vm
  const { block } = options
  await vm._emit('beforeBlock', block)
  if (setsFork(vm, options)) {
    vm.common.setHardforkBy({ blockNumber: block.header.number, timestamp: block.header.timestamp })
  }
  checkHardfork(vm, block, options)
  const { stateTimeout = STATE_TIMEOUT } = options
  const leave = await enterRoot(vm, options)
  let done: Done
  try {
    await unlessAborted(() => validate(vm, block, options), options.signal)
    done = await underCheckpoint(manager, stateTimeout, () => executeAndWrite(vm, options, executor, state))
  } catch (error) {
    await takeBack(error, stateTimeout, leave)
    throw error
  } finally {
    manager.originalStorageCache.clear()
  }
  // The block is written: what a listener throws takes nothing of it back.
  await tell(vm, done.block, done.answer)
  return done.answer
}

/**
 * Commits what `work` does to the manager, or takes it back where it fails. Reads belong in here too: a manager with
 * caches takes what it reads outside of a checkpoint for something to write.
 */
const underCheckpoint = async <T>(
  manager: StateManagerInterface,
  limit: number,
  work: () => Promise<T>,
): Promise<T> => {
  await ofManager('to open a checkpoint', limit, () => manager.checkpoint()).catch(async (error: unknown) => {
    // What hangs may come to be open.
    if (error instanceof ManagerHangs) await takeBack(error, limit, () => manager.revert())
    throw error
  })
  let done: T
  try {
    done = await work()
  } catch (error) {
    await takeBack(error, limit, () => manager.revert())
    throw error
  }
  await ofManager('to commit a block', limit, () => manager.commit())
  return done
}

interface Done {
  readonly answer: ParallelRunBlockResult
  /** With the header that `generate` asks for. */
  readonly block: Block
}

const executeAndWrite = async (
  vm: VM,
  options: ParallelRunBlockOptions,
  executor: Executor,
  { access, state }: BlockState,
): Promise<Done> => {
  const { block, signal, stateTimeout = STATE_TIMEOUT } = options
  // Nothing is asked of the manager while it is written, or taken back.
  const { prepared, result, passes } = await execute(vm, options, executor, state).finally(() => settled(state, signal))
  assertNotAborted(signal)
  const roots = await ofManager('to write', stateTimeout, (step) =>
    write(executor, { access, state, step }, prepared, result),
  )
  assertNotAborted(signal)
  const run = { path: 'parallel', report: result.run, passes } as const
  const answer = { ...runBlockResultOf(block, result, roots), run }
  if (options.generate === true) return { answer, block: generate(vm, executor, block, result, roots) }
  verifyOutcome(decodeBlock(block).header, { ...result, ...roots }, [], result.results.length)
  return { answer, block }
}

/** As `runTx`: rules of another fork than the block's would be wrong without a word. */
const checkHardfork = (vm: VM, block: Block, { skipHardForkValidation }: RunBlockOpts): void => {
  const [own, wanted] = [vm.common.hardfork(), block.common.hardfork()]
  if (skipHardForkValidation === true || own === wanted || block.transactions.length === 0) return
  throw new InvalidInputError('INVALID_OPTION', `block has a different hardfork (${wanted}) than the vm (${own})`, {
    option: 'block',
  })
}

/** Goes to the root that is asked for; returns how to go back. */
const enterRoot = async (
  { stateManager: manager }: VM,
  { root, clearCache = true, stateTimeout = STATE_TIMEOUT }: ParallelRunBlockOptions,
): Promise<() => Promise<void>> => {
  if (root === undefined) return async () => undefined
  const before = rootOf(await ofManager('to tell its root', stateTimeout, () => manager.getStateRoot()))
  await ofManager('to go to a root', stateTimeout, () => manager.setStateRoot(root, clearCache))
  return () => manager.setStateRoot(before, clearCache)
}

/** What @ethereumjs/vm asks of a block before it runs. */
const validate = async (vm: VM, block: Block, options: RunBlockOpts): Promise<void> => {
  if (options.skipBlockValidation === true) return
  if (block.header.gasLimit >= 1n << 63n) {
    throw new InvalidInputError('UNDECODABLE_BLOCK', 'a block has a gas limit below 2^63', { field: 'gasLimit' })
  }
  if (options.skipHeaderValidation !== true) {
    const { blockchain } = vm as { blockchain: { validateHeader?: (header: Block['header']) => Promise<void> } }
    if (typeof blockchain.validateHeader !== 'function') {
      throw new InvalidInputError(
        'INVALID_OPTION',
        'cannot validate header: blockchain has no `validateHeader` method',
        { option: 'skipHeaderValidation' },
      )
    }
    await blockchain.validateHeader(block.header)
  }
  await block.validateData(false, true, options.validateBlockSize ?? false)
}

/** Writes what the block did into the manager, and reads the roots that come of it. */
const write = async (
  executor: Executor,
  { access, state, step }: BlockState & { readonly step: () => void },
  { chain }: PreparedBlock,
  { stateDiff, placeDiffs, receipts, receiptsRoot }: BlockResult,
): Promise<RootsOfResult> => {
  const codes = new Map([...stateDiff.codes, ...(placeDiffs ?? []).flatMap((place) => [...place.stateDiff.codes])])
  const codeOf = (hash: Hex): Uint8Array => codes.get(hash) ?? state.getCode(hash) ?? new Uint8Array(0)
  if (isFrom(chain, 'byzantium')) {
    const stateRoot = rootOf(await access.write(stateDiff, codeOf, step))
    return { stateRoot, receiptsRoot: receiptsRoot as Uint8Array, receipts }
  }
  // Receipts hold the root after each transaction.
  const rooted: TransactionReceipt[] = []
  // A block that changes nothing leaves the root that it found.
  let stateRoot = rootOf(await access.write({ accounts: [] }, codeOf, step))
  for (const { place, stateDiff: part } of placeDiffs ?? []) {
    stateRoot = rootOf(await access.write(part, codeOf, step))
    const receipt = receipts[place - 1]
    if (receipt !== undefined) rooted.push({ ...receipt, stateRoot })
  }
  const encoded = rooted.map((receipt) => encodeReceipt(receipt, receipt.txType) as Uint8Array)
  return { stateRoot, receiptsRoot: executor.orderedRoot(encoded), receipts: rooted }
}

/** The block with what it did in its header. */
const generate = (
  vm: VM,
  executor: Executor,
  block: Block,
  { logsBloom, gasUsed, requestsHash }: BlockResult,
  { stateRoot, receiptsRoot }: RootsOfResult,
): Block => {
  const transactionsTrie = executor.orderedRoot(block.transactions.map((tx) => tx.serialize()))
  const generated = { stateRoot, logsBloom, gasUsed, receiptTrie: receiptsRoot, transactionsTrie, requestsHash }
  return createBlock({ ...block, header: { ...block.header, ...generated } } as never, { common: vm.common })
}

/**
 * Tells listeners of every transaction, in order, and of the block. A listener that throws is told to the caller, as in
 * @ethereumjs/vm; the state is written by then.
 */
const tell = async (vm: VM, block: Block, { run: _run, ...result }: ParallelRunBlockResult): Promise<void> => {
  if (vm.events.listenerCount('beforeTx') + vm.events.listenerCount('afterTx') > 0) {
    for (const [k, transaction] of block.transactions.entries()) {
      await vm._emit('beforeTx', transaction)
      await vm._emit('afterTx', { transaction, ...result.results[k] })
    }
  }
  await vm._emit('afterBlock', { ...result, block })
}
