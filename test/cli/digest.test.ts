/** Digests tell results apart by anything that a user could see, and by nothing else. */
import { describe, expect, test } from 'vitest'
import { differencesOf, digestsOf } from '../../src/cli/digest.ts'
import { complaints, errorLine } from '../../src/cli/text.ts'
import type { AccountDiff, BlockResult, Hex, TransactionReceipt, TransactionResult } from '../../src/index.ts'

const bytes = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill)
const word = (value: number): Hex => `0x${value.toString(16).padStart(64, '0')}`

const receipt: TransactionReceipt = {
  status: 1,
  cumulativeBlockGasUsed: 21_000n,
  bitvector: bytes(256, 0),
  logs: [[bytes(20, 1), [bytes(32, 2)], bytes(5, 3)]],
  txType: 2,
  gasUsed: 21_000n,
  effectiveGasPrice: 7n,
}
const outcome: TransactionResult = {
  status: 'success',
  totalGasSpent: 21_000n,
  gasRefund: 0n,
  minerValue: 3n,
  amountSpent: 147_000n,
  returnValue: bytes(2, 9),
}
const account: AccountDiff = {
  address: '0x00000000000000000000000000000000000000aa',
  balance: 0n,
  storage: new Map([
    [word(1), word(2)],
    [word(3), word(4)],
  ]),
  storageCleared: false,
  deleted: false,
}
const other: AccountDiff = { ...account, address: '0x00000000000000000000000000000000000000bb' }

const result: BlockResult = {
  results: [outcome, outcome],
  receipts: [receipt, { ...receipt, cumulativeBlockGasUsed: 42_000n }],
  gasUsed: 42_000n,
  logsBloom: bytes(256, 0),
  receiptsRoot: bytes(32, 5),
  senders: [],
  requests: undefined,
  requestsHash: undefined,
  blockLevelAccessList: undefined,
  blockAccessListHash: undefined,
  stateRoot: undefined,
  placeDiffs: undefined,
  stateDiff: { accounts: [account, other], codes: new Map() },
  fork: 'prague',
  run: {} as BlockResult['run'],
}

const withSecond = <T>(list: readonly T[], change: Partial<T>): T[] =>
  list.map((item, k) => (k === 1 ? { ...item, ...change } : item))
const withAccount = (change: Partial<AccountDiff>): BlockResult['stateDiff'] => ({
  accounts: [account, { ...other, ...change }],
  codes: new Map(),
})

describe('digest', () => {
  test.each<[string, Partial<BlockResult>, string, string]>([
    ['gas', { receipts: withSecond(result.receipts, { gasUsed: 1n }) }, 'gasUsed', 'transaction 1'],
    [
      'cumulative gas',
      { receipts: withSecond(result.receipts, { cumulativeBlockGasUsed: 1n }) },
      'receipts',
      'transaction 1',
    ],
    ['status', { receipts: withSecond(result.receipts, { status: 0 }) }, 'receipts', 'transaction 1'],
    ['logs', { receipts: withSecond(result.receipts, { logs: [] }) }, 'receipts', 'transaction 1'],
    ['a missing transaction', { results: [outcome] }, 'results', 'transaction 1'],
    ['return value', { results: withSecond(result.results, { returnValue: bytes(3, 9) }) }, 'results', 'transaction 1'],
    ['root', { receiptsRoot: bytes(32, 6) }, 'receiptsRoot', ''],
    ['no root', { receiptsRoot: undefined }, 'receiptsRoot', ''],
    ['bloom', { logsBloom: bytes(256, 1) }, 'logsBloom', ''],
    ['balance', { stateDiff: withAccount({ balance: 1n }) }, 'stateDiff', `account ${other.address}`],
    ['nonce 0 and none', { stateDiff: withAccount({ nonce: 0n }) }, 'stateDiff', `account ${other.address}`],
    [
      'slot',
      { stateDiff: withAccount({ storage: new Map([[word(1), word(2)]]) }) },
      'stateDiff',
      `account ${other.address}`,
    ],
    ['deletion', { stateDiff: withAccount({ deleted: true }) }, 'stateDiff', `account ${other.address}`],
    [
      'a new code',
      { stateDiff: { ...result.stateDiff, codes: new Map([[word(9), bytes(1, 0)]]) } },
      'stateDiff',
      `code ${word(9)}`,
    ],
  ])('a difference in %s shows in one digest and is found at its place', (_, change, name, where) => {
    const changed: BlockResult = { ...result, ...change }
    expect(differencesOf(result, changed)).toEqual([{ name, where }])
    const [a, b] = [digestsOf(result), digestsOf(changed)]
    expect(Object.keys(a).filter((key) => a[key as keyof typeof a] !== b[key as keyof typeof b])).toEqual([name])
  })

  test('the order of accounts and slots in a state difference does not count', () => {
    const storage = new Map([...account.storage].reverse())
    const turned: BlockResult = {
      ...result,
      stateDiff: { accounts: [other, { ...account, storage }], codes: new Map() },
    }
    expect(differencesOf(result, turned)).toEqual([])
    expect(digestsOf(turned)).toEqual(digestsOf(result))
  })
})

describe('text', () => {
  test('a difference and a mismatch are one line each', () => {
    const m = {
      differences: ['receipts of transaction 1', 'logsBloom'],
      mismatches: ['gasUsed is 1, the header says 2'],
    }
    expect(complaints(m as unknown as Parameters<typeof complaints>[0])).toEqual([
      'parallel and sequential differ in receipts of transaction 1, logsBloom',
      'does not match its header: gasUsed is 1, the header says 2',
    ])
  })

  test('an error of any kind is one line without control characters', () => {
    expect(errorLine(new TypeError('a\nb\u001b[2Jc'))).toBe('TypeError: a b [2Jc')
    expect(errorLine('thrown')).toBe('thrown')
  })
})
