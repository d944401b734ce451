/**
 * What the runner needs of a client: a tree of blocks, each executed on its parent's state.
 *
 * The tree is kept here; whole blocks are executed by a `BlockExecution`, which is handed a state that stands after the
 * parent. State is kept by parent hash as differences: the one state object moves along the tree, forward by a
 * difference where a block extends the tip, which is nearly always, else by going back to genesis and forward on the
 * other branch.
 *
 * Always true: the state object stands after the block `#tip`.
 */
import { RLP } from '@ethereumjs/rlp'
import { type BlockHeader, decodeBlock } from '../../evm.ts'
import type { AccountDiff, Hex, MemoryState, StateDiff } from '../../index.ts'
import { toHex } from '../digest.ts'
import { UnknownParentError } from './exceptions.ts'
import type { Alloc, Fixture, FixtureAccount } from './fixture.ts'

/** What executing one block gave. */
export interface ExecutedBlock {
  readonly stateDiff: StateDiff
  /** 32 bytes; undefined where the execution does not compute it. */
  readonly stateRoot: Uint8Array | undefined
  readonly transactions: number
  /** Transactions that the sequential path committed. */
  readonly fallback: number
  readonly aborts: number
}

/** The block that is executed on, as far as rules need it. */
interface ParentBlock {
  readonly hash: Hex
  readonly header: BlockHeader
  /** Sum of all difficulties up to it. */
  readonly totalDifficulty: bigint
}

/**
 * Executes a whole block and checks it.
 *
 * @param rlp - the block
 * @param parent - its parent; `state` stands after it, and knows the hashes of its ancestors
 * @throws what `reasonsOf` knows, where the block is not valid; anything else is a failure of the library
 */
export type BlockExecution = (rlp: Uint8Array, parent: ParentBlock, state: MemoryState) => Promise<ExecutedBlock>

/** A block that was imported. */
interface KnownBlock extends ParentBlock {
  readonly parent: KnownBlock | undefined
  readonly diff: StateDiff
  /** As the execution computed it. */
  readonly stateRoot: Uint8Array | undefined
}

export interface ImporterOptions {
  readonly execute: BlockExecution
  readonly keccak256: (bytes: Uint8Array) => Uint8Array
  /** A state without accounts; `close` leaves it so. */
  readonly state: MemoryState
}

const EMPTY_DIFF: StateDiff = { accounts: [], codes: new Map() }

/** The tree of blocks of one fixture. */
export class BlockTree {
  readonly #options: ImporterOptions
  readonly #pre: Alloc
  readonly #blocks = new Map<Hex, KnownBlock>()
  readonly #genesis: KnownBlock
  #tip: KnownBlock
  #head: KnownBlock
  #lastHead: KnownBlock

  /** Puts the genesis state in place. @throws where the genesis block cannot be decoded */
  constructor(fixture: Pick<Fixture, 'genesisRlp' | 'pre'>, options: ImporterOptions) {
    this.#options = options
    this.#pre = fixture.pre
    const { header } = decodeBlock(fixture.genesisRlp)
    this.#genesis = {
      hash: blockHash(fixture.genesisRlp, options.keccak256),
      header,
      totalDifficulty: header.difficulty,
      parent: undefined,
      diff: EMPTY_DIFF,
      stateRoot: undefined,
    }
    this.#blocks.set(this.#genesis.hash, this.#genesis)
    this.#tip = this.#genesis
    this.#head = this.#genesis
    this.#lastHead = this.#genesis
    this.#putGenesis()
  }

  get genesisHash(): Hex {
    return this.#genesis.hash
  }

  /** The block with the most work behind it; of equal ones the first; after the merge the last. */
  get head(): Hex {
    return this.#head.hash
  }

  /**
   * Imports a block.
   *
   * @returns its hash, and what executing it gave
   * @throws {UnknownParentError}, and what the execution throws
   */
  async add(rlp: Uint8Array): Promise<ExecutedBlock & { readonly hash: Hex }> {
    const { header } = decodeBlock(rlp)
    const parent = header.parentHash === undefined ? undefined : this.#blocks.get(toHex(header.parentHash))
    if (parent === undefined) throw new UnknownParentError('the parent of the block is not known')
    const hash = blockHash(rlp, this.#options.keccak256)
    await this.#moveTo(parent)
    const executed = await this.#options.execute(rlp, parent, this.#options.state)
    const totalDifficulty = parent.totalDifficulty + header.difficulty
    const { stateDiff: diff, stateRoot } = executed
    const block: KnownBlock = { hash, header, totalDifficulty, parent, diff, stateRoot }
    this.#blocks.set(hash, block)
    await this.#apply(block)
    this.#tip = block
    this.#lastHead = this.#head
    if (header.difficulty === 0n || totalDifficulty > this.#head.totalDifficulty) this.#head = block
    return { ...executed, hash }
  }

  /** Takes the block that was added last out again: it is wrong in something that is not checked. */
  drop(hash: Hex): void {
    this.#blocks.delete(hash)
    this.#head = this.#lastHead
  }

  /** The state root after a known block; undefined where the execution does not compute it. */
  stateRootAfter(hash: Hex): Hex | undefined {
    const root = this.#blocks.get(hash)?.stateRoot
    return root === undefined ? undefined : toHex(root)
  }

  /** The accounts after a known block, computed from the differences alone. */
  accountsAfter(hash: Hex): Alloc {
    const diffs = this.#pathTo(this.#blocks.get(hash) as KnownBlock).map(({ diff }) => diff)
    return applyDiffs(this.#pre, diffs, this.#options.keccak256)
  }

  /** Takes every account out of the state object, so that another tree may use it. */
  close(): void {
    this.#options.state.clear()
  }

  #putGenesis(): void {
    const { state } = this.#options
    for (const [address, { balance, nonce, code, storage }] of this.#pre) {
      state.putAccount(address, { balance, nonce, ...(code.length > 0 ? { code } : {}) })
      for (const [key, value] of storage) state.putStorage(address, key, value)
    }
    state.putBlockHash(this.#genesis.header.number, this.#genesis.hash)
  }

  async #moveTo(block: KnownBlock): Promise<void> {
    if (this.#tip === block) return
    this.#options.state.clear()
    this.#putGenesis()
    for (const step of this.#pathTo(block)) await this.#apply(step)
    this.#tip = block
  }

  async #apply({ diff, header, hash }: KnownBlock): Promise<void> {
    const { state } = this.#options
    await state.apply(diff)
    state.putBlockHash(header.number, hash)
  }

  /** The blocks from the one after genesis to this one. */
  #pathTo(block: KnownBlock): KnownBlock[] {
    const path: KnownBlock[] = []
    for (let at = block; at.parent !== undefined; at = at.parent) path.unshift(at)
    return path
  }
}

/** The accounts after differences, in order, without any state object. */
export function applyDiffs(
  pre: Alloc,
  diffs: readonly StateDiff[],
  keccak256: (bytes: Uint8Array) => Uint8Array,
): Alloc {
  const accounts = new Map<Hex, FixtureAccount>(pre)
  const codes = new Map<Hex, Uint8Array>()
  for (const account of pre.values()) codes.set(toHex(keccak256(account.code)), account.code)
  for (const diff of diffs) {
    for (const [name, code] of diff.codes) codes.set(name, code)
    for (const account of diff.accounts) applyAccount(accounts, account, codes)
  }
  return accounts
}

const NO_ACCOUNT: FixtureAccount = { balance: 0n, nonce: 0n, code: new Uint8Array(0), storage: new Map() }

function applyAccount(
  accounts: Map<Hex, FixtureAccount>,
  diff: AccountDiff,
  codes: ReadonlyMap<Hex, Uint8Array>,
): void {
  if (diff.deleted) {
    accounts.delete(diff.address)
    return
  }
  const before = accounts.get(diff.address) ?? NO_ACCOUNT
  const storage = new Map(diff.storageCleared ? [] : before.storage)
  for (const [key, value] of diff.storage) {
    if (BigInt(value) === 0n) storage.delete(BigInt(key))
    else storage.set(BigInt(key), BigInt(value))
  }
  const code = diff.codeHash === undefined ? before.code : codes.get(diff.codeHash)
  accounts.set(diff.address, {
    balance: diff.balance ?? before.balance,
    nonce: diff.nonce ?? before.nonce,
    code: code ?? new Uint8Array(0),
    storage,
  })
}

/** Keccak-256 of the header's bytes as they stand in the block. */
function blockHash(rlp: Uint8Array, keccak256: (bytes: Uint8Array) => Uint8Array): Hex {
  const block = RLP.decode(new Uint8Array(rlp))
  return toHex(keccak256(RLP.encode(Array.isArray(block) ? block[0] : block)))
}
