/** When two EVMs that reject a block agree: by the class of their reasons, not by the fact alone. */
import { describe, expect, test } from 'vitest'
import type { Reason } from '../../src/cli/conformance/reasons.ts'
import { transactionReasons } from '../../src/cli/conformance/transactionTexts.ts'
import { reasonDifference } from '../../src/cli/crosscheck/execution.ts'
import { CHECK_ORDERS } from '../../src/cli/crosscheck/faults.ts'

/** What revm 43.0.3 and @ethereumjs/vm 10.1.3 say of the same transaction, as consensus tests made them say it. */
const SAME: readonly (readonly [Reason, revm: string, ethereumjs: string])[] = [
  [
    'tx.nonceLow',
    'nonce 0 too low, expected 1',
    "the tx doesn't have the correct nonce. account has nonce of: 1 tx has nonce of: 0",
  ],
  [
    'tx.nonceHigh',
    'nonce 2 too high, expected 1',
    "the tx doesn't have the correct nonce. account has nonce of: 1 tx has nonce of: 2",
  ],
  [
    'tx.funds',
    'lack of funds (1) for max fee (2)',
    "sender doesn't have enough funds to send tx. The upfront cost is: 2 and the sender's account (0x00) only has: 1",
  ],
  [
    'tx.baseFee',
    'gas price is less than basefee',
    "Transaction's maxFeePerGas (6) is less than the block's baseFeePerGas (7)",
  ],
  [
    'tx.floorGas',
    'gas floor (21040) exceeds the gas limit (21000)',
    'INTRINSIC_GAS_TOO_LOW: tx gas limit 21000 is lower than the minimum gas limit of 21040',
  ],
  ['tx.blobVersion', 'blob version not supported', 'versioned hash does not start with KZG commitment version'],
]

describe('crosscheck: reasons', () => {
  test.each(SAME)('%s: both texts are of its class, and agree', (reason, revm, ethereumjs) => {
    const [one, other] = [transactionReasons(revm), transactionReasons(ethereumjs)]
    expect(one).toContain(reason)
    expect(other).toContain(reason)
    expect(reasonDifference(one, other)).toBeUndefined()
  })

  test('two rejections for different reasons are a difference, and so is a reason that nobody knows', () => {
    const [nonce, funds] = [new Set(['tx.nonceLow']), new Set(['tx.funds'])]
    expect(reasonDifference(nonce, funds)).toBe('both reject a block, for tx.nonceLow and tx.funds')
    expect(reasonDifference(nonce, new Set())).toMatch(/no known class/)
    expect(reasonDifference(transactionReasons('it rains'), nonce)).toMatch(/no known class/)
  })

  test('a known order of checks is none, in that order alone', () => {
    const [{ revm, ethereumjs }] = CHECK_ORDERS as [(typeof CHECK_ORDERS)[number]]
    expect(reasonDifference(new Set([revm]), new Set([ethereumjs]))).toBeUndefined()
    expect(reasonDifference(new Set([ethereumjs]), new Set([revm]))).toMatch(/^both reject/)
  })
})
