/**
 * `executeBlockParallel` and the executor that keeps a pool between blocks.
 *
 * Runs a block that was prepared (prepare.ts), its ends included, and copies the results out before the promise
 * resolves. The state is as it was: apply the result's difference to advance it.
 */

import { type EthereumjsOptions, moduleSpecOf } from '../adapters/ethereumjs/moduleSpec.ts'
import { BlockGas } from '../adapters/evm/blockGas.ts'
import { requestDataOf } from '../adapters/evm/ends.ts'
import { SPEC_AMSTERDAM, SPEC_PRAGUE } from '../adapters/evm/forks.ts'
import { emptyBloom, encodeReceipt, orBloom, type TransactionReceipt } from '../adapters/evm/receipt.ts'
import { depositRequests, RequestType, requestsHash, requestsOf } from '../adapters/evm/requests.ts'
import { createHashKernel, type Kernel, Output } from '../adapters/revm/kernel.ts'
import { collectPlaceDiffs } from '../adapters/revm/placeDiffs.ts'
import { collectDiff, type DecodedResult, decodeResult, type ReceiptContext } from '../adapters/revm/result.ts'
import { InvalidInputError } from '../core/errors.ts'
import { Place } from '../core/layout.ts'
import { readBytes } from '../platform/threads.ts'
import type { MemoryState } from '../state/memoryState.ts'
import { loadKernel, type WasmSource } from '../wasm/load.ts'
import { accessListHash, blockGasOf, checkAccessListSize, collectAccessList } from './accessList.ts'
import type { BlockResult, ExecuteBlockOptions } from './blockTypes.ts'
import { Engine, type EngineOptions, type RunReport, type RunSettings } from './engine.ts'
import { type ObserveOptions, Observers } from './observe.ts'
import {
  type AdapterName,
  checkOptions,
  type Decoded,
  decode,
  isFrom,
  type PreparedBlock,
  prepareBlock,
} from './prepare.ts'
import { callersOfBlock, recordedBlock } from './recordPlan.ts'
import { type RecordedPlan, RecordedRun } from './recordRun.ts'
import { runOnState } from './runOnState.ts'
import { keepRoot, type StateRootOptions } from './stateRoot.ts'
import type { ExecutorStats } from './stats.ts'
import { verifyOutcome } from './verify.ts'
import type { AdapterSpec } from './workerMain.ts'

/** The adapter's own file, beside this module once built: it imports packages that others need not have. */
const ethereumjsAdapter = (): URL => new URL('./ethereumjs-adapter.js', import.meta.url)

/** Options of an executor. */
export interface ExecutorOptions extends EngineOptions, ObserveOptions {
  /** The EVM kernel: its address, its bytes, or compiled; found beside the library by default. */
  readonly wasm?: WasmSource
  /** The hash core, which keeps state roots: as `wasm`. A state that has a trie keeps it. */
  readonly hashCore?: WasmSource
  /** Which EVM runs the transactions: revm, compiled to WebAssembly, by default; or @ethereumjs/evm, which must be installed. */
  readonly adapter?: AdapterName
  /** What a module adds to @ethereumjs/evm: opcodes, precompiles, parameters, hooks (`defineEvmModule`). */
  readonly ethereumjs?: EthereumjsOptions
}

/** A result but for what the trie of the state says. */
type Executed = Omit<BlockResult, 'stateRoot' | 'receiptsRoot'>

/** Root after the block and, where they were asked for, after each place. */
interface Roots {
  readonly block: Uint8Array
  readonly places: ReadonlyMap<number, Uint8Array>
}

/** Keeps threads and memory between blocks. Make one with `createExecutor`. */
export class Executor {
  readonly #engine: Engine
  readonly #kernel: Kernel
  readonly #roots: StateRootOptions
  readonly #adapter: AdapterName
  readonly #observers: Observers
  /** Blocks run one after another; this is the end of the line. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(
    engine: Engine,
    kernel: Kernel,
    roots: StateRootOptions,
    observers: Observers,
    adapter: AdapterName = 'revm',
  ) {
    this.#observers = observers
    this.#engine = engine
    this.#kernel = kernel
    this.#roots = roots
    this.#adapter = adapter
  }

  /** Threads that serve a block. */
  get workers(): number {
    return this.#engine.workers
  }

  /** What this executor has done so far. */
  stats(): ExecutorStats {
    return this.#observers.stats()
  }

  /** Which EVM runs the transactions. */
  get adapter(): AdapterName {
    return this.#adapter
  }

  /** The EVM kernel's Keccak-256. */
  keccak256(bytes: Uint8Array): Uint8Array {
    return this.#kernel.keccak256(bytes)
  }

  /**
   * Executes a block in parallel, with the result of executing its transactions one after another.
   * System calls, withdrawals and given rewards are part of it; `only: 'transactions'` leaves them out.
   *
   * @param block - a JSON-RPC block with full transactions, RLP bytes, or an @ethereumjs/block `Block`
   * @throws {InvalidInputError} where block, chain, senders or state cannot be used, or a transaction is not valid at
   *   its place (INVALID_TRANSACTION, with index and reason), or a contract of the protocol fails (SYSTEM_CALL_FAILED)
   * @throws {AbortedError} when the signal was aborted
   */
  async executeBlock(block: unknown, options: ExecuteBlockOptions): Promise<BlockResult> {
    checkOptions(options)
    const decoded = decode(block, options, this.#adapter)
    return this.#queue(async () => {
      const prepared = await prepareBlock(this.#engine, this.#kernel, decoded, options, this.#adapter)
      return this.#runOpen(prepared, options)
    })
  }

  /** Decodes the block and finds its rules: everything that can be known before a worker starts. */
  decode(block: unknown, options: Pick<ExecuteBlockOptions, 'chain' | 'parentTotalDifficulty'>): Decoded {
    return decode(block, options, this.#adapter)
  }

  /** Decodes a block and recovers its senders, so that it can be run more than once. */
  async prepareBlock(block: unknown, options: ExecuteBlockOptions): Promise<PreparedBlock> {
    checkOptions(options)
    const decoded = decode(block, options, this.#adapter)
    return this.#queue(() => prepareBlock(this.#engine, this.#kernel, decoded, options, this.#adapter))
  }

  /** As `prepareBlock`, of a block that was decoded, with the rules that it is given. */
  async prepareDecoded(decoded: Decoded, options: ExecuteBlockOptions): Promise<PreparedBlock> {
    checkOptions(options)
    return this.#queue(() => prepareBlock(this.#engine, this.#kernel, decoded, options, this.#adapter))
  }

  /** Root of the trie of rlp(index) to each item: receipts, transactions, withdrawals. */
  orderedRoot(items: readonly Uint8Array[]): Uint8Array {
    return this.#kernel.orderedRoot(items)
  }

  /** Runs a prepared block and returns its result. */
  async runPrepared(prepared: PreparedBlock, options: ExecuteBlockOptions): Promise<BlockResult> {
    checkOptions(options)
    return this.#queue(() => this.#runOpen(prepared, options))
  }

  /** Runs a prepared block for its time alone: nothing is decoded. */
  async timePrepared(prepared: PreparedBlock, options: ExecuteBlockOptions): Promise<RunReport> {
    checkOptions(options)
    return this.#queue(async () => {
      const recorded = this.#recorded(prepared, options)
      const report = await this.#withRun(prepared, options, recorded, undefined, (run) => run)
      await recorded?.settle()
      return report
    })
  }

  async close(): Promise<void> {
    await this.#engine.close()
    await this.#observers.keeper.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #queue<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#last
    const mine = before.then(work, work)
    this.#last = mine.catch(() => undefined)
    return mine
  }

  // ---- runs ----

  async #runOpen(prepared: PreparedBlock, options: ExecuteBlockOptions): Promise<BlockResult> {
    const { block, chain, isWhole, plan } = prepared
    const byzantium = isFrom(chain, 'byzantium')
    const context: ReceiptContext = {
      transactions: block.transactions,
      baseFeePerGas: block.header.baseFeePerGas ?? 0n,
      byzantium,
      keccak256: (bytes) => this.#kernel.keccak256(bytes),
    }
    const decoded: DecodedResult[] = []
    const decodeTo = (end: number): void => {
      const from = decoded.length
      for (let k = from; k < end; k++) {
        const before = decoded[k - 1]?.receipt.cumulativeBlockGasUsed ?? 0n
        decoded.push(decodeResult(this.#engine.words, this.#engine.placeTable, k, before, context))
      }
      const batch = decoded.slice(from)
      if (batch.length > 0) {
        options.onCommit?.({ from, results: batch.map((d) => d.result), receipts: batch.map((d) => d.receipt) })
      }
    }
    const tellCommits = options.onCommit === undefined ? undefined : decodeTo
    const { onProgress: tellProgress } = options
    const onProgress =
      tellProgress === undefined
        ? tellCommits
        : (committed: number): void => {
            tellCommits?.(committed)
            tellProgress({ committed, places: plan.places })
          }
    const recorded = this.#recorded(prepared, options)
    const wantsRoot = isWhole && options.stateRoot !== false && !options.state.isPartial
    // Before the run: nobody else may change the state between the run and what is staged after it.
    if (wantsRoot) await keepRoot(options.state, this.#roots)
    // Receipts before Byzantium hold the root after each transaction; an access list says what each place changed.
    const hasAccessList = isWhole && chain.spec >= SPEC_AMSTERDAM
    const keepVersions = options.placeDiffs === true || (wantsRoot && !byzantium) || hasAccessList
    const settings = { ...options, placeDiffs: keepVersions }
    const executed = await this.#withRun(prepared, settings, recorded, onProgress, (run) => {
      decodeTo(plan.places)
      const gasUsed = checkGas(prepared, decoded, this.#engine)
      return this.#collect(prepared, decoded, gasUsed, run, options.state, keepVersions)
    })
    const roots = wantsRoot ? this.#stateRoots(executed, options.state, byzantium) : undefined
    const result = this.#assemble(executed, byzantium, roots)
    try {
      if (isWhole) {
        const tooLong = checkAccessListSize(result.blockLevelAccessList, block.header.gasLimit)
        verifyOutcome(block.header, result, [...prepared.mismatches, ...tooLong], plan.places)
      }
    } catch (error) {
      options.state.rollback()
      throw error
    }
    const outcome = { ...(options.placeDiffs === true ? {} : { placeDiffs: undefined }), ...(await recorded?.settle()) }
    return { ...result, ...outcome }
  }

  /** Copies out of the shared memories all that the result needs. */
  #collect(
    prepared: PreparedBlock,
    decoded: readonly DecodedResult[],
    gasUsed: bigint,
    run: RunReport,
    state: MemoryState,
    keepVersions: boolean,
  ): Executed {
    const { chain, senders, plan, isWhole } = prepared
    const { words, denseRecord, placeTable } = this.#engine
    const spuriousDragon = isFrom(chain, 'spuriousDragon')
    const receipts = decoded.map((d) => d.receipt)
    const logsBloom = emptyBloom()
    for (const { logs, bitvector } of receipts) if (logs.length > 0) orBloom(logsBloom, bitvector)
    const epilogue = words[placeTable + (plan.places + 1) * Place.Size + Place.Result] + Output.Body
    const requests = requestsAfter(prepared, receipts, words, epilogue)
    const placeDiffs = keepVersions
      ? collectPlaceDiffs(words, state.words, this.#engine.written(), spuriousDragon, denseRecord)
      : undefined
    const accessList =
      isWhole && chain.spec >= SPEC_AMSTERDAM && placeDiffs !== undefined
        ? collectAccessList(this.#engine, prepared, placeDiffs)
        : undefined
    return {
      results: decoded.map((d) => d.result),
      receipts,
      gasUsed,
      logsBloom,
      senders,
      requests,
      requestsHash: requests === undefined ? undefined : requestsHash(requests),
      stateDiff: collectDiff(
        words,
        state.words,
        this.#engine.written(),
        spuriousDragon,
        plan.places > 0 ? denseRecord : 0,
      ),
      placeDiffs,
      blockLevelAccessList: accessList,
      blockAccessListHash:
        accessList === undefined ? undefined : accessListHash(accessList, (bytes) => this.#kernel.keccak256(bytes)),
      fork: chain.fork,
      run,
    }
  }

  /** Stages what the block did on the state's trie: the root after the block, and, before Byzantium, after each place. */
  #stateRoots({ stateDiff, placeDiffs }: Executed, state: MemoryState, byzantium: boolean): Roots {
    state.rollback()
    if (byzantium || placeDiffs === undefined || placeDiffs.length === 0) {
      return { block: state.stage(stateDiff), places: new Map() }
    }
    const places = new Map<number, Uint8Array>()
    let block: Uint8Array | undefined
    for (const [k, { place, stateDiff: part }] of placeDiffs.entries()) {
      block = k === placeDiffs.length - 1 ? state.stage(part, stateDiff) : state.stage(part)
      places.set(place, block)
    }
    return { block: block as Uint8Array, places }
  }

  #assemble(executed: Executed, byzantium: boolean, roots: Roots | undefined): BlockResult {
    const withRoots = !byzantium && roots !== undefined
    const receipts = withRoots
      ? executed.receipts.map((receipt, k) => ({ ...receipt, stateRoot: roots.places.get(k + 1) as Uint8Array }))
      : executed.receipts
    const encoded = receipts.map((receipt) => encodeReceipt(receipt, receipt.txType)).filter((b) => b !== undefined)
    return {
      ...executed,
      receipts,
      receiptsRoot:
        encoded.length === receipts.length && (byzantium || withRoots) ? this.#kernel.orderedRoot(encoded) : undefined,
      stateRoot: roots?.block,
    }
  }

  #recorded(prepared: PreparedBlock, options: ExecuteBlockOptions): RecordedRun | undefined {
    const { records, record, state, speculation = 'auto' } = options
    const { words } = this.#engine
    const plan = (): RecordedPlan => recordedBlock(this.#engine, prepared, state, speculation)
    return RecordedRun.open({ keeper: this.#observers.keeper, records, record }, words, state, plan)
  }

  /** Opens the state, runs, hands the report to `use` while the results are in memory, and puts everything back. */
  async #withRun<T>(
    prepared: PreparedBlock,
    options: ExecuteBlockOptions,
    recorded: RecordedRun | undefined,
    onProgress: ((committed: number) => void) | undefined,
    use: (report: RunReport) => T,
  ): Promise<T> {
    const { state } = options
    const settings: RunSettings = {
      speculation: options.speculation ?? 'auto',
      sequential: options.sequential ?? false,
      keepVersions: options.placeDiffs === true,
      signal: options.signal,
      onProgress,
    }
    const { places } = prepared.plan
    const { header } = prepared.block
    const run = {
      kind: 'block' as const,
      places,
      attributes: { 'blockloom.block.number': Number(header.number), 'blockloom.fork': prepared.chain.fork },
      state,
      recorded,
      callers: () => callersOfBlock(prepared),
    }
    return this.#observers.run(run, async (recording, ended) => {
      if (state.isPartial)
        await this.#engine.unlessStopped(
          () => state.prefetch(touchedBy(prepared), listedSlots(prepared)),
          options.signal,
        )
      return runOnState(this.#engine, state, places, async () => {
        const report = await this.#engine.run({ ...prepared.plan, state }, { ...settings, recording })
        ended(report)
        return use(report)
      })
    })
  }
}

/**
 * Makes an executor: a pool of workers that lives until `close()`.
 *
 * @throws {InvalidInputError} INVALID_OPTION for counts out of range, MODULE_NOT_LOADED where the kernel cannot be read
 */
export const createExecutor = async (options: ExecutorOptions = {}): Promise<Executor> => {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidInputError('INVALID_OPTION', `options are an object, not ${String(options)}`, {
      option: 'options',
    })
  }
  const { adapter = 'revm' } = options
  if (adapter !== 'revm' && adapter !== 'ethereumjs') {
    throw new InvalidInputError('INVALID_OPTION', `adapter is 'revm' or 'ethereumjs', not ${String(adapter)}`, {
      option: 'adapter',
    })
  }
  if (adapter === 'revm' && options.ethereumjs !== undefined) {
    throw new InvalidInputError('INVALID_OPTION', "ethereumjs is for the adapter 'ethereumjs'", {
      option: 'ethereumjs',
    })
  }
  const added = moduleSpecOf(options.ethereumjs)
  const module = await loadKernel(options.wasm, readBytes)
  const roots = options.hashCore === undefined ? {} : { wasm: options.hashCore }
  const spec: AdapterSpec =
    adapter === 'revm'
      ? { kind: 'revm', module }
      : { kind: 'evm', name: adapter, module: ethereumjsAdapter().href, options: added, kernel: module }
  const engine = new Engine(options, spec)
  return new Executor(engine, createHashKernel(module), roots, new Observers(engine, options), adapter)
}

/**
 * Executes one block on every core, with exactly the result of executing it sequentially. For more than one block,
 * `createExecutor` keeps the pool.
 *
 * @example
 * const result = await executeBlockParallel(block, { state, chain: 'mainnet' })
 * await state.apply(result.stateDiff)
 */
export const executeBlockParallel = async (
  block: unknown,
  options: ExecuteBlockOptions & ExecutorOptions,
): Promise<BlockResult> => {
  const executor = await createExecutor(options)
  try {
    return await executor.executeBlock(block, options)
  } finally {
    await executor.close()
  }
}

/** Accounts that a block needs whatever it does. */
const touchedBy = function* ({ block, senders }: PreparedBlock): Generator<Uint8Array> {
  yield block.header.coinbase
  yield* senders
  for (const { to, accessList } of block.transactions) {
    if (to !== undefined) yield to
    for (const { address } of accessList) yield address
  }
}

/** Slots that the block's transactions have in their access lists. */
const listedSlots = function* ({ block }: PreparedBlock): Generator<readonly [Uint8Array, Uint8Array]> {
  for (const { accessList } of block.transactions) {
    for (const { address, storageKeys } of accessList) for (const key of storageKeys) yield [address, key]
  }
}

/** The requests of a whole block from Prague on: deposits among the logs, and what the epilogue's calls returned. */
const requestsAfter = (
  { block, chain, ends, isTolerant }: PreparedBlock,
  receipts: readonly TransactionReceipt[],
  words: Int32Array,
  epilogue: number,
): Uint8Array[] | undefined => {
  if (chain.spec < SPEC_PRAGUE || ends.epilogue.length === 0) return undefined
  const data = requestDataOf(ends.epilogue, words, epilogue, isTolerant)
  if (chain.depositContract !== undefined) {
    const logs = receipts.flatMap((receipt) => receipt.logs)
    data[RequestType.deposit] = depositRequests(logs, chain.depositContract, block.header.number)
  }
  return requestsOf(data)
}

/**
 * Each transaction's gas limit must fit into what the block has left, counted with final gas alone (hazard 11).
 *
 * @returns the gas that the block used
 */
const checkGas = (prepared: PreparedBlock, decoded: readonly DecodedResult[], engine: Engine): bigint => {
  const { header, transactions } = prepared.block
  const isSplit = prepared.chain.spec >= SPEC_AMSTERDAM
  const gas = new BlockGas(header.gasLimit)
  transactions.forEach((tx, txIndex) => {
    const left = isSplit ? gas.missingFor(tx.gasLimit) : header.gasLimit - gas.used
    if (left !== undefined && tx.gasLimit > left) {
      const reason = `its gas limit of ${tx.gasLimit} exceeds the ${left} that the block has left`
      throw new InvalidInputError(
        'INVALID_TRANSACTION',
        `transaction ${txIndex} is not valid in this block: ${reason}`,
        { txIndex, reason },
        { committedPrefix: txIndex },
      )
    }
    const { gasUsed } = (decoded[txIndex] as DecodedResult).receipt
    gas.add(isSplit ? blockGasOf(engine, txIndex) : { regular: gasUsed, state: 0n })
  })
  return gas.used
}
