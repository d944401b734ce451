/**
 * `executeBlockParallel` and the executor that keeps a pool between blocks.
 *
 * Decodes and checks the block before any worker starts, recovers senders on the pool, runs the
 * transactions and the ends of the block, and copies the results out before the promise resolves. The state is as it was: apply the
 * result's difference to advance it.
 */
import { type DecodedBlock, decodeBlock } from '../adapters/evm/block.ts'
import { type ChainInput, type ResolvedChain, resolveChain } from '../adapters/evm/chain.ts'
import { BLOCK_ENV_WORDS, encodeBlockEnv, encodeTransaction, transactionWords } from '../adapters/evm/encode.ts'
import { type BlockEnds, encodeEnd, endsOf, requestsOf } from '../adapters/evm/ends.ts'
import { SPEC_CANCUN, SPEC_PARIS, SPEC_PRAGUE, specOf } from '../adapters/evm/forks.ts'
import { emptyBloom, encodeReceipt, orBloom, type TransactionReceipt } from '../adapters/evm/receipt.ts'
import { depositRequests, requestsHash } from '../adapters/evm/requests.ts'
import type { Reward } from '../adapters/evm/rewards.ts'
import { blockRewards } from '../adapters/evm/rewards.ts'
import { type BlockTransaction, signingPayload } from '../adapters/evm/transaction.ts'
import { RevmFlag } from '../adapters/revm/adapter.ts'
import { createHashKernel, type Kernel, Output } from '../adapters/revm/kernel.ts'
import { collectPlaceDiffs, type PlaceDiff } from '../adapters/revm/placeDiffs.ts'
import {
  collectDiff,
  type DecodedResult,
  decodeResult,
  type ReceiptContext,
  type TransactionResult,
} from '../adapters/revm/result.ts'
import type { StateDiff } from '../core/diff.ts'
import { type BlockMismatch, CapacityError, InvalidInputError } from '../core/errors.ts'
import { hexOf, readHex } from '../core/hex.ts'
import { Place } from '../core/layout.ts'
import { Kind, locationOf } from '../core/location.ts'
import { fromBigInt } from '../core/words.ts'
import { readBytes } from '../platform/threads.ts'
import type { MemoryState } from '../state/memoryState.ts'
import { loadKernel, type WasmSource } from '../wasm/load.ts'
import { Engine, type EngineOptions, type Plan, type RunReport, type RunSettings, StateFull } from './engine.ts'
import { keepRoot } from './stateRoot.ts'
import { type Ancestry, verifyClaims, verifyOutcome } from './verify.ts'

/** Options of an executor. */
export interface ExecutorOptions extends EngineOptions {
  /** The EVM kernel: its address, its bytes, or compiled; found beside the library by default. */
  readonly wasm?: WasmSource
  /** Which EVM runs the transactions. */
  readonly adapter?: 'revm'
}

/** Where senders come from: signatures (on the pool), the `from` of a JSON block, or a list. */
export type Senders = 'recover' | 'trust' | readonly (Uint8Array | string)[]

/** Results that became final together, in order. */
export interface CommitBatch {
  /** Index of the first transaction of the batch. */
  readonly from: number
  readonly results: readonly TransactionResult[]
  readonly receipts: readonly TransactionReceipt[]
}

/** Options of one block. */
export interface ExecuteBlockOptions extends Ancestry {
  /** The state before the block. A run leaves it as it is. */
  readonly state: MemoryState
  /** A chain by name or configuration, or an @ethereumjs/common `Common`; mainnet by default. */
  readonly chain?: ChainInput
  readonly senders?: Senders
  /**
   * 'transactions' leaves out what belongs to the block and to none of them: system calls, withdrawals, rewards, the DAO
   * fork, the state root, and the comparison with the header. For states that have no accounts for it (a witness of the
   * transactions alone). By default blocks run whole.
   */
  readonly only?: 'transactions'
  /**
   * What the block and its uncles earn, before the merge. By default it follows from the block, which then must name its
   * uncles: RLP does, JSON-RPC gives their hashes alone.
   */
  readonly rewards?: readonly Reward[]
  /** False leaves out the state root, which takes a trie of the whole state (`stateRootOf`). */
  readonly stateRoot?: boolean
  /**
   * Asks for the difference of each place besides the block's: receipts before Byzantium hold the state root after each
   * transaction. Costs memory and time by what the transactions write.
   */
  readonly placeDiffs?: boolean
  /** 'auto' gives what does not gain to the sequential path; 'always' never does (tests). */
  readonly speculation?: 'auto' | 'always'
  /** Everything on one worker, without speculation. */
  readonly sequential?: boolean
  readonly signal?: AbortSignal
  /** Called in order, in batches, as results become final; a result is never taken back. */
  readonly onCommit?: (batch: CommitBatch) => void
}

/** What the block did; names follow ethereumjs `RunBlockResult`. */
export interface BlockResult {
  readonly results: readonly TransactionResult[]
  readonly receipts: readonly TransactionReceipt[]
  readonly gasUsed: bigint
  /** 256 bytes. */
  readonly logsBloom: Uint8Array
  /** 32 bytes; undefined before Byzantium, where receipts hold state roots, if those were not asked for. */
  readonly receiptsRoot: Uint8Array | undefined
  /** 32 bytes: of the state after the block. Undefined where transactions alone were run or it was left out. */
  readonly stateRoot: Uint8Array | undefined
  /** Senders by transaction, 20 bytes each. */
  readonly senders: readonly Uint8Array[]
  /**
   * Deposits (EIP-6110), withdrawal and consolidation requests (EIP-7002, EIP-7251): a type byte and data each, empty
   * ones left out. Undefined before Prague, and where transactions alone were run.
   */
  readonly requests: readonly Uint8Array[] | undefined
  /** 32 bytes: the hash of the requests that a header holds (EIP-7685). */
  readonly requestsHash: Uint8Array | undefined
  /** What the block changed, its ends included; `state.apply` takes it. */
  readonly stateDiff: StateDiff
  /** What each place changed, in order, where `placeDiffs` asks for it; applied one by one they give `stateDiff`. */
  readonly placeDiffs: readonly PlaceDiff[] | undefined
  /** The rules that applied. */
  readonly fork: string
  /** What the run did. */
  readonly run: RunReport
}

/** A block decoded, its senders known, encoded for the kernel: what remains is to run it. */
export interface PreparedBlock {
  readonly block: DecodedBlock
  readonly chain: ResolvedChain
  readonly senders: readonly Uint8Array[]
  readonly plan: Plan
  /** The work of the block's ends; empty where transactions alone run. */
  readonly ends: BlockEnds
  /** Roots of its lists that its header has wrong: told when it has run. */
  readonly mismatches: readonly BlockMismatch[]
}

/** How often a run may find the state's tables too small. */
const MOST_GROWTHS = 12
/** secp256k1's order, halved: EIP-2 allows no larger `s` from Homestead on. */
const HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n

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
  /** Blocks run one after another; this is the end of the line. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(engine: Engine, kernel: Kernel) {
    this.#engine = engine
    this.#kernel = kernel
  }

  /** Threads that serve a block. */
  get workers(): number {
    return this.#engine.workers
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
    const decoded = this.decode(block, options)
    return this.#queue(async () => {
      const prepared = await this.#prepare(decoded, options)
      return this.#runOpen(prepared, options)
    })
  }

  /** Decodes the block and finds its rules: everything that can be known before a worker starts. */
  decode(
    block: unknown,
    options: Pick<ExecuteBlockOptions, 'chain' | 'parentTotalDifficulty'>,
  ): { block: DecodedBlock; chain: ResolvedChain } {
    const decoded = decodeBlock(block)
    const { parentTotalDifficulty } = options
    const point = { ...decoded.header, ...(parentTotalDifficulty === undefined ? {} : { parentTotalDifficulty }) }
    return { block: decoded, chain: resolveChain(options.chain ?? 'mainnet', point) }
  }

  /** Decodes a block and recovers its senders, so that it can be run more than once. */
  async prepareBlock(block: unknown, options: ExecuteBlockOptions): Promise<PreparedBlock> {
    const decoded = this.decode(block, options)
    return this.#queue(() => this.#prepare(decoded, options))
  }

  /** Runs a prepared block and returns its result. */
  async runPrepared(prepared: PreparedBlock, options: ExecuteBlockOptions): Promise<BlockResult> {
    return this.#queue(() => this.#runOpen(prepared, options))
  }

  /** Runs a prepared block for its time alone: nothing is decoded. */
  async timePrepared(prepared: PreparedBlock, options: ExecuteBlockOptions): Promise<RunReport> {
    return this.#queue(() => this.#withRun(prepared, options, undefined, (report) => report))
  }

  async close(): Promise<void> {
    await this.#engine.close()
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

  // ---- preparation ----

  async #prepare(
    decoded: { block: DecodedBlock; chain: ResolvedChain },
    options: ExecuteBlockOptions,
  ): Promise<PreparedBlock> {
    const { block, chain } = decoded
    // With a parent, a field that is missing is told here, with all that is wrong besides.
    const mismatches =
      options.only === undefined
        ? verifyClaims(block, options.chain ?? 'mainnet', chain, {
            ...options,
            keccak256: (bytes) => this.#kernel.keccak256(bytes),
            orderedRoot: (items) => this.#kernel.orderedRoot(items),
          })
        : []
    checkHeader(block, chain)
    const ends = endsFor(block, chain, options)
    const senders = await this.#senders(block.transactions, chain, options)
    const offsets = new Int32Array(block.transactions.length + 1)
    block.transactions.forEach((tx, k) => {
      offsets[k + 1] = offsets[k] + transactionWords(tx)
    })
    const inputs = new Int32Array(offsets[block.transactions.length])
    block.transactions.forEach((tx, k) => {
      encodeTransaction(tx, senders[k] as Uint8Array, inputs, offsets[k])
    })
    const environment = new Int32Array(BLOCK_ENV_WORDS)
    encodeBlockEnv(block.header, chain, environment, 0)
    const coinbase = new Int32Array(block.header.coinbase.slice().buffer)
    const { state } = options
    const plan: Plan = {
      state,
      places: block.transactions.length,
      inputs,
      offsets,
      prologue: encodeEnd(ends.prologue),
      epilogue: encodeEnd(ends.epilogue),
      environment,
      adapterFlags: isFrom(chain, 'spuriousDragon') ? RevmFlag.SpuriousDragon : 0,
      denseLocation: () => locationOf(state.table.account(coinbase, 0), Kind.Balance),
    }
    return { block, chain, senders, plan, ends, mismatches }
  }

  async #senders(
    transactions: readonly BlockTransaction[],
    chain: ResolvedChain,
    options: ExecuteBlockOptions,
  ): Promise<Uint8Array[]> {
    const { senders = 'recover' } = options
    if (senders === 'recover') return this.#recover(transactions, chain, options)
    if (senders === 'trust') {
      return transactions.map((tx, txIndex) => {
        if (tx.from === undefined)
          throw new InvalidInputError('MISSING_SENDER', `transaction ${txIndex} has no \`from\` to trust`, { txIndex })
        return tx.from
      })
    }
    if (!Array.isArray(senders) || senders.length !== transactions.length) {
      const actual = Array.isArray(senders) ? senders.length : senders
      throw new InvalidInputError(
        'INVALID_OPTION',
        `senders is 'recover', 'trust' or a list of ${transactions.length} addresses, not ${String(actual)}`,
        { option: 'senders' },
      )
    }
    return senders.map((sender: Uint8Array | string, k) => readHex(sender, 20, `senders[${k}]`))
  }

  /** Recovers every sender on the pool and compares with the block's claim. */
  async #recover(
    transactions: readonly BlockTransaction[],
    chain: ResolvedChain,
    options: ExecuteBlockOptions,
  ): Promise<Uint8Array[]> {
    const homestead = isFrom(chain, 'homestead')
    const offsets = new Int32Array(transactions.length)
    const payloads = transactions.map((tx, txIndex) => {
      const { signature } = tx
      if (signature === undefined) {
        throw new InvalidInputError(
          'MISSING_SENDER',
          `transaction ${txIndex} has no signature; give \`senders\` or trust its \`from\``,
          { txIndex },
        )
      }
      if (homestead && signature.s > HALF_ORDER)
        throw unrecoverable(txIndex, 's is above half the order of the curve (EIP-2)')
      return signingPayload(tx)
    })
    let total = 0
    payloads.forEach((payload, k) => {
      offsets[k] = total
      total += 18 + ((payload.length + 3) >> 2)
    })
    const items = new Int32Array(total)
    const bytes = new Uint8Array(items.buffer)
    payloads.forEach((payload, k) => {
      const { signature } = transactions[k] as BlockTransaction
      const at = offsets[k]
      fromBigInt(signature?.r ?? 0n, items, at)
      fromBigInt(signature?.s ?? 0n, items, at + 8)
      items[at + 16] = signature?.yParity ?? 0
      items[at + 17] = payload.length
      bytes.set(payload, (at + 18) * 4)
    })
    if (transactions.length > 0) await this.#engine.batch(options.state, items, offsets, options.signal)
    return transactions.map((tx, txIndex) => {
      const at = offsets[txIndex]
      if (items[at + 16] !== 0) throw unrecoverable(txIndex, 'no public key fits it')
      const sender = bytes.slice(at * 4, at * 4 + 20)
      if (tx.from !== undefined && hexOf(tx.from) !== hexOf(sender)) {
        throw unrecoverable(txIndex, `it recovers to ${hexOf(sender)}, but the block says ${hexOf(tx.from)}`)
      }
      return sender
    })
  }

  // ---- runs ----

  async #runOpen(prepared: PreparedBlock, options: ExecuteBlockOptions): Promise<BlockResult> {
    const { block, chain, plan } = prepared
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
    const onProgress = options.onCommit === undefined ? undefined : decodeTo
    const wantsRoot = options.only === undefined && options.stateRoot !== false
    // Receipts before Byzantium hold the root after each transaction.
    const keepVersions = options.placeDiffs === true || (wantsRoot && !byzantium)
    const executed = await this.#withRun(prepared, { ...options, placeDiffs: keepVersions }, onProgress, (run) => {
      decodeTo(plan.places)
      checkGas(prepared, decoded)
      return this.#collect(prepared, decoded, run, options.state, keepVersions)
    })
    const roots = wantsRoot ? await this.#stateRoots(executed, options.state, byzantium) : undefined
    const result = this.#assemble(executed, byzantium, roots)
    try {
      if (options.only === undefined) verifyOutcome(block.header, result, prepared.mismatches, plan.places)
    } catch (error) {
      options.state.rollback()
      throw error
    }
    return options.placeDiffs === true ? result : { ...result, placeDiffs: undefined }
  }

  /** Copies out of the shared memories all that the result needs. */
  #collect(
    { block, chain, senders, ends, plan }: PreparedBlock,
    decoded: readonly DecodedResult[],
    run: RunReport,
    state: MemoryState,
    keepVersions: boolean,
  ): Executed {
    const { words, denseRecord, placeTable } = this.#engine
    const spuriousDragon = isFrom(chain, 'spuriousDragon')
    const receipts = decoded.map((d) => d.receipt)
    const logsBloom = emptyBloom()
    for (const receipt of receipts) orBloom(logsBloom, receipt.bitvector)
    const epilogue = words[placeTable + (plan.places + 1) * Place.Size + Place.Result] + Output.Body
    const requests =
      chain.spec < SPEC_PRAGUE || ends.epilogue.length === 0
        ? undefined
        : [...depositsOf(receipts, block, chain), ...requestsOf(ends.epilogue, words, epilogue)]
    return {
      results: decoded.map((d) => d.result),
      receipts,
      gasUsed: receipts.at(-1)?.cumulativeBlockGasUsed ?? 0n,
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
      placeDiffs: keepVersions
        ? collectPlaceDiffs(words, state.words, this.#engine.written(), spuriousDragon, denseRecord)
        : undefined,
      fork: chain.fork,
      run,
    }
  }

  /** Stages what the block did on the state's trie: the root after the block, and, before Byzantium, after each place. */
  async #stateRoots({ stateDiff, placeDiffs }: Executed, state: MemoryState, byzantium: boolean): Promise<Roots> {
    await keepRoot(state)
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

  /** Opens the state, runs, hands the report to `use` while the results are in memory, and puts everything back. */
  async #withRun<T>(
    prepared: PreparedBlock,
    options: ExecuteBlockOptions,
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
    for (let growths = 0; ; growths++) {
      state.open(4 * prepared.plan.places + 4096)
      let succeeded = false
      try {
        const used = use(await this.#engine.run({ ...prepared.plan, state }, settings))
        succeeded = true
        return used
      } catch (error) {
        if (!(error instanceof StateFull)) throw error
        if (growths === MOST_GROWTHS)
          throw new CapacityError('CAPACITY', 'the state has no room for what the block touches')
      } finally {
        this.#engine.putBack(state, succeeded)
      }
      state.grow()
    }
  }
}

/**
 * Makes an executor: a pool of workers that lives until `close()`.
 *
 * @throws {InvalidInputError} INVALID_OPTION for counts out of range, MODULE_NOT_LOADED where the kernel cannot be read
 */
export const createExecutor = async (options: ExecutorOptions = {}): Promise<Executor> => {
  if (options.adapter !== undefined && options.adapter !== 'revm') {
    throw new InvalidInputError('INVALID_OPTION', `adapter is 'revm', not ${String(options.adapter)}`, {
      option: 'adapter',
    })
  }
  const module = await loadKernel(options.wasm, readBytes)
  return new Executor(new Engine(options, { kind: 'revm', module }), createHashKernel(module))
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

const isFrom = (chain: ResolvedChain, fork: 'homestead' | 'spuriousDragon' | 'byzantium' | 'london'): boolean =>
  chain.spec >= (specOf(fork) ?? Number.POSITIVE_INFINITY)

/** What the block's ends do, by the option. */
const endsFor = (block: DecodedBlock, chain: ResolvedChain, { only, rewards }: ExecuteBlockOptions): BlockEnds => {
  if (only !== undefined && only !== 'transactions') {
    throw new InvalidInputError('INVALID_OPTION', `only is 'transactions' or absent, not ${String(only)}`, {
      option: 'only',
    })
  }
  if (only !== undefined) return { prologue: [], epilogue: [] }
  return endsOf(block, chain, rewards === undefined ? rewardsOf(block, chain) : checkedRewards(rewards))
}

const rewardsOf = ({ header, uncles }: DecodedBlock, { fork, spec }: ResolvedChain): readonly Reward[] => {
  if (spec >= SPEC_PARIS) return []
  if (uncles !== undefined) return blockRewards(header, uncles, fork)
  throw new InvalidInputError(
    'INVALID_OPTION',
    `block ${header.number} names its uncles by hash alone, so what it earns is not known: give \`rewards\`, or the block as RLP`,
    { option: 'rewards' },
  )
}

/** The deposits among the logs, as one request; none where there are none. */
const depositsOf = (
  receipts: readonly TransactionReceipt[],
  { header }: DecodedBlock,
  { depositContract }: ResolvedChain,
): Uint8Array[] => {
  if (depositContract === undefined) return []
  const logs = receipts.flatMap((receipt) => receipt.logs)
  const deposits = depositRequests(logs, depositContract, header.number)
  if (deposits.length === 0) return []
  const request = new Uint8Array(1 + deposits.length)
  request.set(deposits, 1)
  return [request]
}

const checkedRewards = (rewards: readonly Reward[]): readonly Reward[] => {
  if (!Array.isArray(rewards)) {
    throw new InvalidInputError('INVALID_OPTION', 'rewards is not a list of { address, amount }', { option: 'rewards' })
  }
  return rewards.map((reward: Reward, k) => {
    const amount: unknown = reward?.amount
    if (typeof amount !== 'bigint' || amount < 0n || amount >= 1n << 256n) {
      throw new InvalidInputError('INVALID_OPTION', `rewards[${k}].amount is not a number of wei as a bigint`, {
        option: 'rewards',
      })
    }
    return { address: readHex(reward.address, 20, `rewards[${k}].address`), amount }
  })
}

const unrecoverable = (txIndex: number, why: string): InvalidInputError =>
  new InvalidInputError('INVALID_SIGNATURE', `the signature of transaction ${txIndex} is not good: ${why}`, {
    txIndex,
    reason: why,
  })

/** Fields that the fork's rules need. */
const checkHeader = (block: DecodedBlock, chain: ResolvedChain): void => {
  const { header } = block
  const missing = (field: string): InvalidInputError =>
    new InvalidInputError('UNDECODABLE_BLOCK', `a ${chain.fork} block needs ${field} in its header`, {
      where: 'header',
      field,
    })
  if (isFrom(chain, 'london') && header.baseFeePerGas === undefined) throw missing('baseFeePerGas')
  if (chain.spec >= SPEC_CANCUN && header.excessBlobGas === undefined) throw missing('excessBlobGas')
}

/** Each transaction's gas limit must fit into what the block has left, counted with final gas alone (hazard 11). */
const checkGas = (prepared: PreparedBlock, decoded: readonly DecodedResult[]): void => {
  const { header, transactions } = prepared.block
  let spent = 0n
  transactions.forEach((tx, txIndex) => {
    const left = header.gasLimit - spent
    if (tx.gasLimit > left) {
      const reason = `its gas limit of ${tx.gasLimit} exceeds the ${left} that the block has left`
      throw new InvalidInputError(
        'INVALID_TRANSACTION',
        `transaction ${txIndex} is not valid in this block: ${reason}`,
        { txIndex, reason },
        { committedPrefix: txIndex },
      )
    }
    spent = (decoded[txIndex] as DecodedResult).receipt.cumulativeBlockGasUsed
  })
}
