/** Why a block may be refused, in classes that tests of consensus and both EVMs have in common. */

/** Header fields, by the name that `BlockHeader` gives them. */
type HeaderField =
  | 'parentHash'
  | 'number'
  | 'timestamp'
  | 'gasLimit'
  | 'gasUsed'
  | 'baseFeePerGas'
  | 'difficulty'
  | 'extraData'
  | 'nonce'
  | 'prevRandao'
  | 'stateRoot'
  | 'receiptsRoot'
  | 'logsBloom'
  | 'transactionsRoot'
  | 'withdrawalsRoot'
  | 'ommersHash'
  | 'blobGasUsed'
  | 'excessBlobGas'
  | 'parentBeaconBlockRoot'
  | 'requestsHash'
  | 'blockAccessListHash'

/** A class of reasons. */
export type Reason =
  /** The bytes are not a block: RLP, number of items, widths of fields, fields of another fork. */
  | 'form'
  /** The same, inside a transaction or the withdrawals. */
  | 'form.transaction'
  | 'form.withdrawals'
  | `header.${HeaderField}`
  /** The parent is not known, or is not valid itself. */
  | 'parent'
  /** Uncles where there may be none. */
  | 'uncles.forbidden'
  /** What an uncle says of itself, or which block it is. */
  | 'uncles.validity'
  /** A log of the deposit contract that is not a deposit, or a system contract that fails (EIP-6110, 7002, 7251). */
  | 'requests'
  | 'blockAccessList'
  /** More bytes than a block may have (EIP-7934). */
  | 'size'
  | 'tx.signature'
  | 'tx.type'
  | 'tx.chainId'
  | 'tx.creation'
  | 'tx.intrinsicGas'
  | 'tx.floorGas'
  | 'tx.funds'
  | 'tx.priorityFee'
  | 'tx.baseFee'
  | 'tx.gasAllowance'
  | 'tx.gasCap'
  | 'tx.nonceLow'
  | 'tx.nonceHigh'
  | 'tx.nonceMax'
  | 'tx.senderCode'
  | 'tx.initcode'
  | 'tx.blobCount'
  | 'tx.zeroBlobs'
  | 'tx.blobVersion'
  | 'tx.blobFee'
  | 'tx.authorizations'
