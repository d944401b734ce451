/**
 * Blocks, transactions, chains and receipts as the EVM adapters read and write them, and the rules that blocks obey.
 */
export {
  type AccountAccess,
  accessListItems,
  type BlockAccessList,
  encodeAccessList,
  type StorageChange,
} from './adapters/evm/accessList.ts'
export { AMSTERDAM_DIALECTS, type AmsterdamDialect } from './adapters/evm/amsterdam.ts'
export { type BlockHeader, type DecodedBlock, decodeBlock, type Withdrawal } from './adapters/evm/block.ts'
export {
  type BlockRules,
  type ChainInput,
  chainAtFork,
  type ForkPoint,
  type ResolvedChain,
  resolveChain,
  resolveRules,
} from './adapters/evm/chain.ts'
export type { ChainName } from './adapters/evm/chains.ts'
export { type BalanceTransfer, DAO_REFUND_CONTRACT, daoTransfers } from './adapters/evm/dao.ts'
export { nextDifficulty } from './adapters/evm/difficulty.ts'
export { blobBaseFee, nextBaseFee, nextExcessBlobGas } from './adapters/evm/fees.ts'
export type { BlobParams, ChainConfig, CommonLike, ForkActivation, ForkAlias, ForkName } from './adapters/evm/forks.ts'
export { type Genesis, type GenesisAccount, parseGenesis } from './adapters/evm/genesis.ts'
export {
  encodeBlock,
  encodeHeader,
  type HashFunction,
  hashHeader,
  type OrderedRoot,
  ommersHash,
  transactionsRoot,
  withdrawalsRoot,
} from './adapters/evm/header.ts'
export {
  type BodyCheckOptions,
  checkBlock,
  checkBody,
  checkHeader,
  type HeaderCheckOptions,
} from './adapters/evm/headerRules.ts'
export { bloomOf, encodeReceipt, type Log, type TransactionReceipt } from './adapters/evm/receipt.ts'
export { depositRequests, RequestType, requestsHash, requestsOf } from './adapters/evm/requests.ts'
export { blockReward, blockRewards, type Reward } from './adapters/evm/rewards.ts'
export { type ChainEntry, type ChainFileOptions, readChain, splitChain } from './adapters/evm/rlp.ts'
export {
  type AccessListEntry,
  type Authorization,
  type BlockTransaction,
  decodeTransaction,
  encodeRawTransaction,
  signingPayload,
  type TransactionSignature,
  type TransactionType,
} from './adapters/evm/transaction.ts'
export { checkGasLeft, checkTransactions, type TransactionProblem } from './adapters/evm/transactionRules.ts'
