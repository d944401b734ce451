/** What a caller gives for a block, and what the block did: the shapes alone. */
import type { BlockAccessList } from '../adapters/evm/accessList.ts'
import type { ChainInput } from '../adapters/evm/chain.ts'
import type { FeeOptions } from '../adapters/evm/feeOptions.ts'
import type { TransactionReceipt } from '../adapters/evm/receipt.ts'
import type { Reward } from '../adapters/evm/rewards.ts'
import type { PlaceDiff } from '../adapters/revm/placeDiffs.ts'
import type { TransactionResult } from '../adapters/revm/result.ts'
import type { StateDiff } from '../core/diff.ts'
import type { MemoryState } from '../state/memoryState.ts'
import type { RecordedOutcome } from './recordRun.ts'
import type { RunOptions } from './runOptions.ts'
import type { RunReport } from './runReport.ts'
import type { Ancestry } from './verify.ts'

/** Where senders come from: signatures (on the pool), the `from` of a JSON block, or a list. */
export type Senders = 'recover' | 'trust' | readonly (Uint8Array | string)[]

/** Results that became final together, in order. */
export interface CommitBatch {
  /** Index of the first transaction of the batch. */
  readonly from: number
  /** Results of the transactions from `from` on. */
  readonly results: readonly TransactionResult[]
  /** Their receipts, final but for the state roots of receipts before Byzantium, which come with the block's result. */
  readonly receipts: readonly TransactionReceipt[]
}

/** Options of one block. */
export interface ExecuteBlockOptions extends RunOptions, Ancestry {
  /** The state before the block. A run leaves it as it is. */
  readonly state: MemoryState
  /** A chain by name or configuration, or an @ethereumjs/common `Common`; mainnet by default. */
  readonly chain?: ChainInput
  /** Where senders come from; signatures by default. */
  readonly senders?: Senders
  /**
   * 'transactions' leaves out what belongs to the block and to none of them: system calls, withdrawals, rewards, the
   * DAO fork, the state root, and the comparison with the header. For states that have no accounts for it (a witness of
   * the transactions alone). By default blocks run whole.
   */
  readonly only?: 'transactions'
  /**
   * What the block and its uncles earn, before the merge. By default it follows from the block, which then must name
   * its uncles: RLP does, JSON-RPC gives their hashes alone.
   */
  readonly rewards?: readonly Reward[]
  /** Where the fees go, as rollups need it; as on mainnet by default. */
  readonly fees?: FeeOptions
  /** False leaves out the state root, which takes a trie of the whole state (`stateRootOf`). */
  readonly stateRoot?: boolean
  /**
   * Asks for the difference of each place besides the block's: receipts before Byzantium hold the state root after each
   * transaction. Costs memory and time by what the transactions write.
   */
  readonly placeDiffs?: boolean
  /** Called in order, in batches, as results become final; a result is never taken back. */
  readonly onCommit?: (batch: CommitBatch) => void
}

/** What the block did; names follow ethereumjs `RunBlockResult`. */
export interface BlockResult extends RecordedOutcome {
  /** By transaction, in the order of the block. */
  readonly results: readonly TransactionResult[]
  /** As `results`. */
  readonly receipts: readonly TransactionReceipt[]
  /** What the header holds: the sum of what was paid for; from Amsterdam on as in `BlockGas`, before refunds. */
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
  /** Every account and slot read, and what changed (EIP-7928). Undefined before Amsterdam, and as `requests`. */
  readonly blockLevelAccessList: BlockAccessList | undefined
  /** 32 bytes: the hash of the access list that a header holds. */
  readonly blockAccessListHash: Uint8Array | undefined
  /** What the block changed, its ends included; `state.apply` takes it. */
  readonly stateDiff: StateDiff
  /** What each place changed, in order, where `placeDiffs` asks for it; applied one by one they give `stateDiff`. */
  readonly placeDiffs: readonly PlaceDiff[] | undefined
  /** The rules that applied. */
  readonly fork: string
  /** What the run did. */
  readonly run: RunReport
}
