/**
 * What a block that has run comes to: receipts, gas, requests, differences and access list, copied out of the shared
 * memories; then the roots that a header names.
 *
 * Owns no run: the words of the last one must still lie in the engine's memory. Main thread.
 */
import { BlockGas } from '../adapters/evm/blockGas.ts'
import { requestDataOf } from '../adapters/evm/ends.ts'
import { SPEC_AMSTERDAM, SPEC_PRAGUE } from '../adapters/evm/forks.ts'
import { emptyBloom, encodeReceipt, orBloom, type TransactionReceipt } from '../adapters/evm/receipt.ts'
import { depositRequests, RequestType, requestsHash, requestsOf } from '../adapters/evm/requests.ts'
import { type Kernel, Output } from '../adapters/revm/kernel.ts'
import { collectPlaceDiffs } from '../adapters/revm/placeDiffs.ts'
import { collectDiff, type DecodedResult } from '../adapters/revm/result.ts'
import { InvalidInputError } from '../core/errors.ts'
import { Place } from '../core/layout.ts'
import type { MemoryState } from '../state/memoryState.ts'
import { accessListHash, blockGasOf, collectAccessList } from './accessList.ts'
import type { BlockResult } from './blockTypes.ts'
import type { Engine } from './engine.ts'
import { isFrom, type PreparedBlock } from './prepare.ts'
import type { RunReport } from './runReport.ts'

/** A result but for what the trie of the state says. */
export type Executed = Omit<BlockResult, 'stateRoot' | 'receiptsRoot'>

/** Copies out of the shared memories all that the result needs. */
export const collectOutcome = (
  engine: Engine,
  kernel: Kernel,
  prepared: PreparedBlock,
  decoded: readonly DecodedResult[],
  run: RunReport,
  state: MemoryState,
  keepVersions: boolean,
): Executed => {
  const { chain, senders, plan, isWhole } = prepared
  const { words, denseRecord, placeTable } = engine
  const gasUsed = checkGas(prepared, decoded, engine)
  const spuriousDragon = isFrom(chain, 'spuriousDragon')
  const receipts = decoded.map((d) => d.receipt)
  const logsBloom = emptyBloom()
  for (const { logs, bitvector } of receipts) if (logs.length > 0) orBloom(logsBloom, bitvector)
  const epilogue = words[placeTable + (plan.places + 1) * Place.Size + Place.Result] + Output.Body
  const requests = requestsAfter(prepared, receipts, words, epilogue)
  const placeDiffs = keepVersions
    ? collectPlaceDiffs(words, state.words, engine.written(), spuriousDragon, denseRecord)
    : undefined
  const accessList =
    isWhole && chain.spec >= SPEC_AMSTERDAM && placeDiffs !== undefined
      ? collectAccessList(engine, prepared, placeDiffs)
      : undefined
  return {
    results: decoded.map((d) => d.result),
    receipts,
    gasUsed,
    logsBloom,
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

/** Root after the block and, where they were asked for, after each place. */
interface Roots {
  readonly block: Uint8Array
  readonly places: ReadonlyMap<number, Uint8Array>
}

/**
 * Adds the roots to an outcome; that of the state where `state` is given, on whose trie the block's changes are staged.
 */
export const withRoots = (
  executed: Executed,
  byzantium: boolean,
  kernel: Kernel,
  state: MemoryState | undefined,
): BlockResult => {
  const roots = state === undefined ? undefined : stageRoots(executed, state, byzantium)
  const byPlace = byzantium ? undefined : roots?.places
  const receipts =
    byPlace === undefined
      ? executed.receipts
      : executed.receipts.map((receipt, k) => ({ ...receipt, stateRoot: byPlace.get(k + 1) as Uint8Array }))
  const encoded = receipts.map((receipt) => encodeReceipt(receipt, receipt.txType)).filter((b) => b !== undefined)
  const isComplete = encoded.length === receipts.length && (byzantium || byPlace !== undefined)
  return {
    ...executed,
    receipts,
    receiptsRoot: isComplete ? kernel.orderedRoot(encoded) : undefined,
    stateRoot: roots?.block,
  }
}

/** Stages what the block did on the state's trie: the root after the block, and, before Byzantium, after each place. */
const stageRoots = ({ stateDiff, placeDiffs }: Executed, state: MemoryState, byzantium: boolean): Roots => {
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
