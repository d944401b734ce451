/** Blocks, transactions, chains and receipts as the EVM adapters read and write them. */
export { type BlockHeader, type DecodedBlock, decodeBlock, type Withdrawal } from './adapters/evm/block.ts'
export { type ChainInput, chainAtFork, type ForkPoint, type ResolvedChain, resolveChain } from './adapters/evm/chain.ts'
export type { ChainName } from './adapters/evm/chains.ts'
export type { BlobParams, ChainConfig, CommonLike, ForkActivation, ForkAlias, ForkName } from './adapters/evm/forks.ts'
export { bloomOf, encodeReceipt, type Log, type TransactionReceipt } from './adapters/evm/receipt.ts'
export {
  type AccessListEntry,
  type Authorization,
  type BlockTransaction,
  decodeTransaction,
  signingPayload,
  type TransactionSignature,
  type TransactionType,
} from './adapters/evm/transaction.ts'
