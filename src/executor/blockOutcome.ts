/**
 * What a block that has run comes to: receipts, gas, requests, differences and access list, copied out of the shared
 * memories; then the roots that a header names.
 *
 * Owns no run: the words of the last one must still lie in the engine's memory. Main thread. Everything that a header is
 * compared with is computed from words; objects come when the user asks for them (core/lazy.ts).
 */
import { BlockGas } from '../adapters/evm/blockGas.ts'
import { requestDataOf } from '../adapters/evm/ends.ts'
import { SPEC_AMSTERDAM, SPEC_PRAGUE } from '../adapters/evm/forks.ts'
import type { TransactionReceipt } from '../adapters/evm/receipt.ts'
import { depositRequests, RequestType, requestsHash, requestsOf } from '../adapters/evm/requests.ts'
import { BLOOM_BYTES, bloomsOf } from '../adapters/revm/blooms.ts'
import { collectDiff } from '../adapters/revm/changes.ts'
import { KeptResults } from '../adapters/revm/keptResults.ts'
import { type Kernel, Output } from '../adapters/revm/kernel.ts'
import { collectPlaceDiffs } from '../adapters/revm/placeDiffs.ts'
import { receiptItems } from '../adapters/revm/receiptItems.ts'
import { type DecodedResult, decodeResult, type ReceiptContext } from '../adapters/revm/result.ts'
import { InvalidInputError } from '../core/errors.ts'
import { Place } from '../core/layout.ts'
import { lazily } from '../core/lazy.ts'
import type { MemoryState } from '../state/memoryState.ts'
import { accessListHash, blockGasOf, collectAccessList } from './accessList.ts'
import type { BlockResult } from './blockTypes.ts'
import type { Engine } from './engine.ts'
import { isFrom, type PreparedBlock } from './prepare.ts'
import type { RunReport } from './runReport.ts'

/** The fields of a result that are made of words when they are asked for. */
type OnDemand = Pick<BlockResult, 'results' | 'receipts'>

/** A result but for what is made on demand, and what the trie of the state says. */
export type Executed = Omit<BlockResult, keyof OnDemand | 'stateRoot' | 'receiptsRoot'>

/** The transactions' part of an outcome, in words. */
export interface KeptBlock {
  readonly kept: KeptResults
  /** 256 bytes a receipt. */
  readonly blooms: Uint8Array
}

/** Copies out of the shared memories all that the result needs. */
export const collectOutcome = (
  engine: Engine,
  kernel: Kernel,
  prepared: PreparedBlock,
  run: RunReport,
  state: MemoryState,
  keepVersions: boolean,
): Executed & { readonly block: KeptBlock } => {
  const { chain, senders, plan, isWhole } = prepared
  const { words, denseRecord, placeTable } = engine
  const kept = new KeptResults(words, placeTable, plan.places)
  const gasUsed = checkGas(prepared, kept, engine)
  const spuriousDragon = isFrom(chain, 'spuriousDragon')
  const blooms = bloomsOf(kept, kernel)
  const epilogue = words[placeTable + (plan.places + 1) * Place.Size + Place.Result] + Output.Body
  const requests = requestsAfter(prepared, kept, words, epilogue)
  const placeDiffs = keepVersions
    ? collectPlaceDiffs(words, state.words, engine.written(), spuriousDragon, denseRecord)
    : undefined
  const accessList =
    isWhole && chain.spec >= SPEC_AMSTERDAM && placeDiffs !== undefined
      ? collectAccessList(engine, prepared, placeDiffs)
      : undefined
  return {
    block: { kept, blooms: blooms.each },
    gasUsed,
    logsBloom: blooms.block,
    senders,
    requests,
    requestsHash: requests === undefined ? undefined : requestsHash(requests),
    stateDiff: collectDiff(words, state.words, engine.written(), spuriousDragon, plan.places > 0 ? denseRecord : 0),
    placeDiffs,
    blockLevelAccessList: accessList,
    blockAccessListHash:
      accessList === undefined ? undefined : accessListHash(accessList, (bytes) => kernel.keccak256(bytes)),
    fork: chain.fork,
    run,
  }
}

/** The requests of a whole block from Prague on: deposits among the logs, and what the epilogue's calls returned. */
const requestsAfter = (
  { block, chain, ends, isTolerant }: PreparedBlock,
  kept: KeptResults,
  words: Int32Array,
  epilogue: number,
): Uint8Array[] | undefined => {
  if (chain.spec < SPEC_PRAGUE || ends.epilogue.length === 0) return undefined
  const data = requestDataOf(ends.epilogue, words, epilogue, isTolerant)
  if (chain.depositContract !== undefined) {
    const logs = kept.logsOf(chain.depositContract)
    data[RequestType.deposit] = depositRequests(logs, chain.depositContract, block.header.number)
  }
  return requestsOf(data)
}

/**
 * Each transaction's gas limit must fit into what the block has left, counted with final gas alone (hazard 11).
 *
 * @returns the gas that the block used
 */
const checkGas = (prepared: PreparedBlock, kept: KeptResults, engine: Engine): bigint => {
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
    gas.add(isSplit ? blockGasOf(engine, txIndex) : { regular: kept.gasUsed(txIndex), state: 0n })
  })
  return gas.used
}

/** Root after the block and, where they were asked for, after each place. */
interface Roots {
  readonly block: Uint8Array
  readonly places: ReadonlyMap<number, Uint8Array>
}

/** What a header is compared with, and what of it the objects of the user need. */
export interface Rooted extends Omit<BlockResult, keyof OnDemand> {
  /** Before Byzantium, where state roots were asked for: the root after each place. */
  readonly byPlace: ReadonlyMap<number, Uint8Array> | undefined
}

/**
 * Adds the roots to an outcome; that of the state where `state` is given, on whose trie the block's changes are staged.
 */
export const withRoots = (
  { block, ...executed }: Executed & { readonly block: KeptBlock },
  { block: { transactions } }: PreparedBlock,
  byzantium: boolean,
  kernel: Kernel,
  state: MemoryState | undefined,
): Rooted => {
  const { kept, blooms } = block
  const roots = state === undefined ? undefined : stageRoots(executed, state, byzantium)
  const byPlace = byzantium ? undefined : roots?.places
  const rootOf = byPlace && ((txIndex: number): Uint8Array => byPlace.get(txIndex + 1) as Uint8Array)
  // Without a status or a root there is no receipt to encode; of no receipts at all the root is known.
  const isComplete = byzantium || byPlace !== undefined
  const typeOf = (txIndex: number): number => transactions[txIndex].type
  return {
    ...executed,
    receiptsRoot: isComplete ? kernel.rootOfItems(receiptItems(kept, blooms, typeOf, rootOf), kept.count) : undefined,
    stateRoot: roots?.block,
    byPlace,
  }
}

/**
 * The result that the user is given: its results and receipts are decoded when he asks for one of them.
 *
 * @param told - what `onCommit` was given, where there is one: then these are the objects
 */
export const resultOf = (
  { byPlace, ...rooted }: Rooted,
  { kept, blooms }: KeptBlock,
  context: ReceiptContext,
  told: readonly DecodedResult[] | undefined,
): BlockResult => {
  let decoded = told
  const all = (): readonly DecodedResult[] => {
    decoded ??= decodeAll(kept, blooms, context)
    return decoded
  }
  const rooting = (receipt: TransactionReceipt, txIndex: number): TransactionReceipt => ({
    ...receipt,
    stateRoot: byPlace?.get(txIndex + 1) as Uint8Array,
  })
  const result = lazily<OnDemand, object>(
    {},
    {
      results: () => all().map((d) => d.result),
      receipts: () => {
        const receipts = all().map((d) => d.receipt)
        return byPlace === undefined ? receipts : receipts.map(rooting)
      },
    },
  )
  return Object.assign(result, rooted)
}

const decodeAll = (kept: KeptResults, blooms: Uint8Array, context: ReceiptContext): DecodedResult[] => {
  const decoded: DecodedResult[] = []
  let gas = 0n
  for (let k = 0; k < kept.count; k++) {
    const bloom = (): Uint8Array => blooms.slice(BLOOM_BYTES * k, BLOOM_BYTES * (k + 1))
    const one = decodeResult(kept.words, kept.starts[k], k, gas, context, bloom)
    gas = one.receipt.cumulativeBlockGasUsed
    decoded.push(one)
  }
  return decoded
}

/** Stages what the block did on the state's trie: the root after the block, and, before Byzantium, after each place. */
const stageRoots = (
  { stateDiff, placeDiffs }: Pick<Executed, 'stateDiff' | 'placeDiffs'>,
  state: MemoryState,
  byzantium: boolean,
): Roots => {
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
