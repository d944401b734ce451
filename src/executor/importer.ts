/**
 * A chain that grows by one block at a time on one state, every block checked whole before it is taken.
 *
 * Owns what is between blocks: the head, the sum of difficulties, the hashes that BLOCKHASH asks for. A block that is
 * refused changes nothing, so that another one may be tried.
 */
import { type BlockHeader, type DecodedBlock, decodeBlock } from '../adapters/evm/block.ts'
import type { ChainInput } from '../adapters/evm/chain.ts'
import type { Genesis } from '../adapters/evm/genesis.ts'
import { hashHeader } from '../adapters/evm/header.ts'
import { MemoryState } from '../state/memoryState.ts'
import type { BlockResult, ExecuteBlockOptions } from './blockTypes.ts'
import type { Executor } from './executeBlock.ts'
import { Line } from './line.ts'
import { withRules } from './prepare.ts'
import type { Asked } from './signatures.ts'
import { stateRootOf } from './stateRoot.ts'

/** Where a chain stands. */
export interface ChainHead {
  /** Complete. */
  readonly header: BlockHeader
  /** 32 bytes. */
  readonly hash: Uint8Array
  /** Sum of the difficulties of all blocks up to this one. */
  readonly totalDifficulty: bigint
}

/** What may be chosen for one block. */
export type ImportOptions = Pick<
  ExecuteBlockOptions,
  'senders' | 'fees' | 'speculation' | 'sequential' | 'signal' | 'onCommit'
>

/** A block that will be imported soon: decoded, if it can be, and its signers asked for. */
class ExpectedBlock {
  /** As for `import`. */
  readonly input: unknown
  readonly decoded: DecodedBlock | undefined
  readonly asked: Asked | undefined

  /** @internal Made by `ChainImporter.expect`. */
  constructor(input: unknown, decoded?: DecodedBlock, asked?: Asked) {
    this.input = input
    this.decoded = decoded
    this.asked = asked
  }
}

/** Imports blocks one after another; open one with `openChain`. */
export class ChainImporter {
  /** The rules by which blocks are imported. */
  readonly chain: ChainInput
  /** The state after the head. */
  readonly state: MemoryState
  readonly #executor: Executor
  #head: ChainHead
  /** Imports run one after another, each on the head that the one before it left. */
  readonly #line = new Line()

  /** @internal Made by `openChain`. */
  constructor(executor: Executor, chain: ChainInput, state: MemoryState, head: ChainHead) {
    this.#executor = executor
    this.chain = chain
    this.state = state
    this.#head = head
  }

  /** The last block that was imported; the genesis at first. */
  get head(): ChainHead {
    return this.#head
  }

  /**
   * Executes the next block, compares everything that its header claims, and makes it the head. Called again before
   * it is through, it waits for its turn.
   *
   * @param block - as for `executeBlock`; RLP where it has uncles
   * @throws {BlockMismatchError} BLOCK_MISMATCH with every field that differs; the chain is as it was
   * @throws {InvalidInputError} as `executeBlock`; the chain is as it was
   */
  async import(block: unknown, options: ImportOptions = {}): Promise<BlockResult> {
    const expected = block instanceof ExpectedBlock ? block : this.expect(block, options)
    try {
      return await this.#line.next(() => this.#import(expected, options), options.signal)
    } finally {
      this.forget(expected)
    }
  }

  /**
   * Says that a block comes soon: while others are imported, workers that have nothing else to do find its signers. Hand
   * what is returned to `import` with the same options, or to `forget`.
   *
   * @internal
   */
  expect(block: unknown, options: ImportOptions = {}): ExpectedBlock {
    let decoded: DecodedBlock
    try {
      decoded = decodeBlock(block)
    } catch {
      // It is told when its turn comes.
      return new ExpectedBlock(block)
    }
    return new ExpectedBlock(block, decoded, this.#executor.askSigners(decoded, options))
  }

  /** @internal */
  forget({ asked }: ExpectedBlock): void {
    asked?.release()
  }

  async #import(
    { input, decoded = decodeBlock(input), asked }: ExpectedBlock,
    options: ImportOptions,
  ): Promise<BlockResult> {
    const { header: parent, hash: parentHash, totalDifficulty } = this.#head
    const { state, chain } = this
    state.putBlockHash(parent.number, parentHash)
    const whole = { ...options, state, chain, parent, parentTotalDifficulty: totalDifficulty }
    const size = input instanceof Uint8Array ? input.length : undefined
    const prepared = await this.#executor.prepareDecoded({ ...withRules(decoded, size, whole), asked }, whole)
    asked?.release()
    const result = await this.#executor.runPrepared(prepared, whole)
    const { header } = prepared.block
    await state.apply(result.stateDiff)
    this.#head = {
      header,
      hash: hashHeader(header, (bytes) => this.#executor.keccak256(bytes)),
      totalDifficulty: totalDifficulty + header.difficulty,
    }
    return result
  }
}

/**
 * Opens a chain at its genesis.
 *
 * @param genesis - `parseGenesis` of blockloom/evm
 * @param state - where the genesis accounts go; it should be empty. A new one by default
 */
export const openChain = async (
  executor: Executor,
  { chain, accounts, header }: Genesis,
  state: MemoryState = new MemoryState({ keccak256: (bytes) => executor.keccak256(bytes) }),
): Promise<ChainImporter> => {
  for (const [address, account] of Object.entries(accounts)) state.putAccount(address, account)
  const complete = { ...header, stateRoot: await stateRootOf(state) }
  const hash = hashHeader(complete, (bytes) => executor.keccak256(bytes))
  return new ChainImporter(executor, chain, state, { header: complete, hash, totalDifficulty: header.difficulty })
}
