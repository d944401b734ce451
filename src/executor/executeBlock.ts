/**
 * `executeBlockParallel` and the executor that keeps a pool between blocks.
 *
 * Runs a block that was prepared (prepare.ts), its ends included, and copies the results out before the promise
 * resolves. The state is as it was: apply the result's difference to advance it.
 */

import { type EthereumjsOptions, moduleSpecOf } from '../adapters/ethereumjs/moduleSpec.ts'
import type { DecodedBlock } from '../adapters/evm/block.ts'
import { SPEC_AMSTERDAM } from '../adapters/evm/forks.ts'
import { bloomOf, type Log } from '../adapters/evm/receipt.ts'
import { createHashKernel, type Kernel } from '../adapters/revm/kernel.ts'
import { type DecodedResult, decodeResult, type ReceiptContext } from '../adapters/revm/result.ts'
import { Place } from '../core/layout.ts'
import { badOption, checkChoice, checkFlags, checkObject } from '../core/options.ts'
import { coreCount, readBytes } from '../platform/threads.ts'
import { loadKernel, type WasmSource } from '../wasm/load.ts'
import { checkAccessListSize } from './accessList.ts'
import { collectOutcome, resultOf, withRoots } from './blockOutcome.ts'
import type { BlockResult, ExecuteBlockOptions } from './blockTypes.ts'
import { Engine, type EngineOptions } from './engine.ts'
import { Line } from './line.ts'
import { type ObserveOptions, Observers } from './observe.ts'
import { prefetchBlock } from './prefetch.ts'
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
import { settingsOf } from './runOptions.ts'
import type { RunReport } from './runReport.ts'
import { askSigners } from './senders.ts'
import { type Asked, SignatureRoom } from './signatures.ts'
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
  /**
   * False leaves the recovery of signers to the EVM kernel. By default the package `secp256k1` does it in Node, where it is
   * installed with machine code for this platform, from a worker's thousandth signature on: a fifth less time. What it does not
   * accept is judged by the kernel.
   */
  readonly nativeRecovery?: boolean
  /** What a module adds to @ethereumjs/evm: opcodes, precompiles, parameters, hooks (`defineEvmModule`). */
  readonly ethereumjs?: EthereumjsOptions
}

/** What else a run of a block needs, besides what its caller has asked for. */
interface BlockRunSettings {
  readonly keepVersions: boolean
  readonly recorded: RecordedRun | undefined
  /** Told how many transactions are final. */
  readonly tellCommits?: ((committed: number) => void) | undefined
}

/** Keeps threads and memory between blocks. Make one with `createExecutor`. */
export class Executor {
  readonly #engine: Engine
  readonly #kernel: Kernel
  readonly #roots: StateRootOptions
  readonly #adapter: AdapterName
  readonly #observers: Observers
  readonly #line = new Line()
  readonly #signatures: SignatureRoom

  /** @internal Made by `createExecutor`. */
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
    this.#signatures = new SignatureRoom(engine.words, Math.min(engine.workers, coreCount()))
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
    return this.#prepareInLine(decoded, options, (prepared) => this.#runOpen(prepared, options))
  }

  /** Decodes the block and finds its rules: everything that can be known before a worker starts. */
  decode(block: unknown, options: Pick<ExecuteBlockOptions, 'chain' | 'parentTotalDifficulty'>): Decoded {
    return decode(block, options, this.#adapter)
  }

  /** Decodes a block and recovers its senders, so that it can be run more than once. */
  async prepareBlock(block: unknown, options: ExecuteBlockOptions): Promise<PreparedBlock> {
    checkOptions(options)
    return this.#prepareInLine(decode(block, options, this.#adapter), options, (prepared) => prepared)
  }

  /** As `prepareBlock`, of a block that was decoded, with the rules that it is given. */
  async prepareDecoded(decoded: Decoded, options: ExecuteBlockOptions): Promise<PreparedBlock> {
    checkOptions(options)
    return this.#prepareInLine(decoded, options, (prepared) => prepared)
  }

  /**
   * Asks for the signers of a block that comes later, so that idle workers find them. Whoever asks hands the answer to
   * `prepareDecoded`, and lets it go.
   *
   * @internal
   */
  askSigners(block: DecodedBlock, options: Pick<ExecuteBlockOptions, 'senders' | 'signal'>): Asked | undefined {
    return askSigners(this.#signatures, block.transactions, options)
  }

  /** Root of the trie of rlp(index) to each item: receipts, transactions, withdrawals. */
  orderedRoot(items: readonly Uint8Array[]): Uint8Array {
    return this.#kernel.orderedRoot(items)
  }

  /** Runs a prepared block and returns its result. */
  async runPrepared(prepared: PreparedBlock, options: ExecuteBlockOptions): Promise<BlockResult> {
    checkOptions(options)
    return this.#line.next(() => this.#runOpen(prepared, options), options.signal)
  }

  /** Runs a prepared block for its time alone: nothing is decoded. */
  async timePrepared(prepared: PreparedBlock, options: ExecuteBlockOptions): Promise<RunReport> {
    checkOptions(options)
    return this.#line.next(async () => {
      const recorded = this.#recorded(prepared, options)
      const keepVersions = options.placeDiffs === true
      const report = await this.#withRun(prepared, options, { keepVersions, recorded }, (run) => run)
      await recorded?.settle()
      return report
    }, options.signal)
  }

  /** Ends the workers; a run that is open rejects with CLOSED. The executor cannot be used afterwards. */
  async close(): Promise<void> {
    await this.#engine.close()
    await this.#observers.keeper.close()
  }

  /** The same, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  // ---- runs ----

  /** Prepares a block in its turn. Its signers are asked for at once: workers that have no run begin with them. */
  async #prepareInLine<T>(
    decoded: Decoded,
    options: ExecuteBlockOptions,
    work: (prepared: PreparedBlock) => T | Promise<T>,
  ): Promise<T> {
    const own = decoded.asked === undefined ? this.askSigners(decoded.block, options) : undefined
    const asked = decoded.asked ?? own
    try {
      return await this.#line.next(async () => {
        const prepared = await prepareBlock(this.#engine, this.#kernel, { ...decoded, asked }, options, this.#adapter)
        own?.release()
        return work(prepared)
      }, options.signal)
    } finally {
      own?.release()
    }
  }

  async #runOpen(prepared: PreparedBlock, options: ExecuteBlockOptions): Promise<BlockResult> {
    const { block, chain, isWhole, plan } = prepared
    const byzantium = isFrom(chain, 'byzantium')
    const context: ReceiptContext = {
      transactions: block.transactions,
      baseFeePerGas: block.header.baseFeePerGas ?? 0n,
      byzantium,
    }
    const told = options.onCommit === undefined ? undefined : this.#tellingCommits(options.onCommit, context)
    const recorded = this.#recorded(prepared, options)
    const wantsRoot = isWhole && options.stateRoot !== false && !options.state.isPartial
    // Before the run: nobody else may change the state between the run and what is staged after it.
    if (wantsRoot) await keepRoot(options.state, this.#roots)
    // Receipts before Byzantium hold the root after each transaction; an access list says what each place changed.
    const hasAccessList = isWhole && chain.spec >= SPEC_AMSTERDAM
    const keepVersions = options.placeDiffs === true || (wantsRoot && !byzantium) || hasAccessList
    const settings = { keepVersions, recorded, tellCommits: told?.tell }
    const executed = await this.#withRun(prepared, options, settings, (run) => {
      told?.tell(plan.places)
      return collectOutcome(this.#engine, this.#kernel, prepared, run, options.state, keepVersions)
    })
    const rooted = withRoots(executed, prepared, byzantium, this.#kernel, wantsRoot ? options.state : undefined)
    try {
      if (isWhole) {
        const tooLong = checkAccessListSize(rooted.blockLevelAccessList, block.header.gasLimit)
        verifyOutcome(block.header, rooted, [...prepared.mismatches, ...tooLong], plan.places)
      }
    } catch (error) {
      options.state.rollback()
      throw error
    }
    const outcome = { ...(options.placeDiffs === true ? {} : { placeDiffs: undefined }), ...(await recorded?.settle()) }
    return resultOf({ ...rooted, ...outcome }, executed.block, context, told?.decoded)
  }

  /** Decodes transactions as they become final, and tells of them in batches. */
  #tellingCommits(
    onCommit: NonNullable<ExecuteBlockOptions['onCommit']>,
    context: ReceiptContext,
  ): { readonly decoded: readonly DecodedResult[]; readonly tell: (end: number) => void } {
    const decoded: DecodedResult[] = []
    const bloom = (logs: readonly Log[]): Uint8Array => bloomOf(logs, (bytes) => this.#kernel.keccak256(bytes))
    const tell = (end: number): void => {
      const { words, placeTable } = this.#engine
      const from = decoded.length
      for (let k = from; k < end; k++) {
        const at = words[placeTable + (k + 1) * Place.Size + Place.Result]
        const before = decoded[k - 1]?.receipt.cumulativeBlockGasUsed ?? 0n
        decoded.push(decodeResult(words, at, k, before, context, bloom))
      }
      const batch = decoded.slice(from)
      if (batch.length > 0)
        onCommit({ from, results: batch.map((d) => d.result), receipts: batch.map((d) => d.receipt) })
    }
    return { decoded, tell }
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
    { keepVersions, recorded, tellCommits }: BlockRunSettings,
    use: (report: RunReport) => T,
  ): Promise<T> {
    const { state, signal } = options
    const { plan, block, chain } = prepared
    const { onProgress: tellProgress, ...settings } = settingsOf(options, plan.places)
    const onProgress =
      tellCommits === undefined
        ? tellProgress
        : (committed: number): void => {
            tellCommits(committed)
            tellProgress?.(committed)
          }
    const run = {
      kind: 'block' as const,
      places: plan.places,
      attributes: { 'blockloom.block.number': Number(block.header.number), 'blockloom.fork': chain.fork },
      state,
      recorded,
      callers: () => callersOfBlock(prepared),
    }
    return this.#observers.run(run, async (recording, ended) => {
      if (state.isPartial) await this.#engine.unlessStopped(() => prefetchBlock(state, prepared), signal)
      return runOnState(this.#engine, state, plan.places, async (besides) => {
        const run = { ...settings, ...besides, onProgress, keepVersions, recording }
        const report = await this.#engine.run({ ...plan, state }, run)
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
  checkObject(options)
  checkChoice('adapter', options.adapter, ['revm', 'ethereumjs'])
  checkFlags(options, 'nativeRecovery')
  const { adapter = 'revm', nativeRecovery: native = true } = options
  if (adapter === 'revm' && options.ethereumjs !== undefined) {
    throw badOption('ethereumjs', "ethereumjs is for the adapter 'ethereumjs'")
  }
  const added = moduleSpecOf(options.ethereumjs)
  const module = await loadKernel(options.wasm, readBytes)
  const roots = options.hashCore === undefined ? {} : { wasm: options.hashCore }
  const spec: AdapterSpec =
    adapter === 'revm'
      ? { kind: 'revm', module, native }
      : { kind: 'evm', name: adapter, module: ethereumjsAdapter().href, options: added, kernel: module, native }
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
