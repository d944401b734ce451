/**
 * The class of a reason for which an EVM refuses a transaction, by what it says.
 *
 * revm and @ethereumjs/vm say the same in other words; a text that is in no list has no class, and where the two are
 * compared that is a difference.
 */
import type { Reason } from './reasons.ts'

/** Classes by the text of revm's InvalidTransaction (revm-context-interface 43.0.2), and of this library's own checks. */
const OF_REVM: readonly (readonly [RegExp, Reason])[] = [
  [/^priority fee is greater than max fee/, 'tx.priorityFee'],
  [/^gas price is less than basefee/, 'tx.baseFee'],
  [/^caller gas limit exceeds the block gas limit/, 'tx.gasAllowance'],
  [/^its gas limit of \d+ exceeds/, 'tx.gasAllowance'],
  [/^transaction gas limit \(\d+\) is greater than the cap/, 'tx.gasCap'],
  [/^call gas cost/, 'tx.intrinsicGas'],
  [/^gas floor/, 'tx.floorGas'],
  [/^reject transactions from senders with deployed code/, 'tx.senderCode'],
  [/^lack of funds/, 'tx.funds'],
  [/^overflow payment in transaction/, 'tx.funds'],
  [/^does not fit in 128 bits: no sender can pay it/, 'tx.funds'],
  [/^nonce overflow in transaction/, 'tx.nonceMax'],
  [/^nonce \d+ too high/, 'tx.nonceHigh'],
  [/^nonce \d+ too low/, 'tx.nonceLow'],
  [/^create initcode size limit/, 'tx.initcode'],
  [/^(?:invalid|missing) chain ID/, 'tx.chainId'],
  [/^blob gas price/, 'tx.blobFee'],
  [/^empty blobs/, 'tx.zeroBlobs'],
  [/^blob create transaction/, 'tx.creation'],
  [/^too many blobs/, 'tx.blobCount'],
  [/^its \d+ blobs exceed/, 'tx.blobCount'],
  [/^its signature names chain/, 'tx.chainId'],
  [/^blob version not supported/, 'tx.blobVersion'],
  [/^empty authorization list/, 'tx.authorizations'],
  [/ is not supported$/, 'tx.type'],
]

/** The same of @ethereumjs/vm and @ethereumjs/tx 10.1.3 (`runTx`, and the constructors of transactions). */
const OF_ETHEREUMJS: readonly (readonly [RegExp, Reason])[] = [
  // One text for both: the greater of the two is the minimum.
  [/^INTRINSIC_GAS_TOO_LOW/, 'tx.intrinsicGas'],
  [/^INTRINSIC_GAS_TOO_LOW/, 'tx.floorGas'],
  [/^tx has a higher gas limit than the block/, 'tx.gasAllowance'],
  [/^Transaction gas limit \d+ exceeds the maximum allowed/, 'tx.gasCap'],
  [/^Transaction's (?:maxFeePerGas|gasPrice) /, 'tx.baseFee'],
  [/^Transaction's maxFeePerBlobGas /, 'tx.blobFee'],
  [/^maxFeePerGas cannot be less than maxPriorityFeePerGas/, 'tx.priorityFee'],
  [/^invalid sender address, address is not EOA/, 'tx.senderCode'],
  [/^sender doesn't have enough funds/, 'tx.funds'],
  [/^gas ?[lL]imit \* (?:maxFeePerGas|gasPrice) cannot exceed MAX_INTEGER/, 'tx.funds'],
  [/^nonce cannot equal or exceed MAX_UINT64/, 'tx.nonceMax'],
  [/^the initcode size of this transaction is too large/, 'tx.initcode'],
  [/^tx should contain at least one blob/, 'tx.zeroBlobs'],
  [/^tx causes total blob gas /, 'tx.blobCount'],
  [/^\d+ blobs exceeds max/, 'tx.blobCount'],
  [/^versioned hash does not start with/, 'tx.blobVersion'],
  [/^tx should have a "to" field/, 'tx.creation'],
  [/authorization list is empty/, 'tx.authorizations'],
  [/^Common chain ID \d+ not matching/, 'tx.chainId'],
  [/^Incompatible EIP155-based V/, 'tx.chainId'],
  [/^(?:Invalid Signature|The y-parity)/, 'tx.signature'],
  [/^EIP-\d+ not enabled on Common/, 'tx.type'],
  [/^Cannot run transaction: EIP \d+ is not activated/, 'tx.type'],
]

const WRONG_NONCE = /^the tx doesn't have the correct nonce. account has nonce of: (\d+) tx has nonce of: (\d+)/

/** The classes of a text; none where nobody knows it. */
export function transactionReasons(text: string): ReadonlySet<Reason> {
  const nonces = WRONG_NONCE.exec(text)
  if (nonces !== null)
    return new Set([BigInt(nonces[2] ?? 0) < BigInt(nonces[1] ?? 0) ? 'tx.nonceLow' : 'tx.nonceHigh'])
  return new Set([...OF_REVM, ...OF_ETHEREUMJS].filter(([known]) => known.test(text)).map(([, reason]) => reason))
}
