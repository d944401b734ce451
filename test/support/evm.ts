/**
 * Small blocks with hand-written contracts: an assembler, the contracts, and a builder of block files.
 *
 * Senders are given by `from` (`senders: 'trust'`): nobody signed these transactions.
 */

import { isDeepStrictEqual } from 'node:util'
import { RLP } from '@ethereumjs/rlp'
import {
  eoaCode7702AuthorizationListBytesItemToJSON,
  eoaCode7702SignAuthorization,
  privateToAddress,
} from '@ethereumjs/util'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { expect } from 'vitest'
import type { ForkAlias } from '../../src/adapters/evm/forks.ts'
import {
  type BlockResult,
  chainAtFork,
  createMemoryState,
  type ExecuteBlockOptions,
  type Executor,
  type Hex,
  type MemoryState,
  type ParallelExecutionError,
} from '../../src/index.ts'
import { repeats } from './adapter.ts'

// ---- bytes ----

const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replace(/^0x/, ''), 'hex'))
export const toHex = (bytes: Uint8Array): Hex => `0x${Buffer.from(bytes).toString('hex')}`
export const keccak256 = (bytes: Uint8Array): Uint8Array => keccak_256(bytes)
export const hashOf = (code: string): Hex => toHex(keccak256(fromHex(code)))
const quantity = (value: bigint | number): Hex => `0x${value.toString(16)}`
/** 32 bytes, as storage keys and values are written in a state difference. */
export const word = (value: bigint | number | string): Hex => `0x${BigInt(value).toString(16).padStart(64, '0')}`

/** A readable address: the number in its last bytes, and something in the first, so that it is no precompile. */
export const address = (index: number): Hex => `0xaa${index.toString(16).padStart(38, '0')}`

/** Address of the contract that `creator` makes with CREATE at `nonce`. */
export const createdBy = (creator: string, nonce: number): Hex =>
  toHex(keccak256(RLP.encode([fromHex(creator), nonce])).slice(12))

/** Address of a CREATE2 with a salt and its init code. */
export const created2By = (creator: string, salt: bigint, init: string): Hex =>
  toHex(keccak256(fromHex(`ff${creator.slice(2)}${word(salt).slice(2)}${hashOf(init).slice(2)}`)).slice(12))

// ---- assembler ----

const OPCODES: Readonly<Record<string, number>> = {
  STOP: 0x00,
  ADD: 0x01,
  MUL: 0x02,
  SUB: 0x03,
  MOD: 0x06,
  LT: 0x10,
  GT: 0x11,
  EQ: 0x14,
  ISZERO: 0x15,
  AND: 0x16,
  SHL: 0x1b,
  SHR: 0x1c,
  SHA3: 0x20,
  ADDRESS: 0x30,
  BALANCE: 0x31,
  ORIGIN: 0x32,
  CALLER: 0x33,
  CALLVALUE: 0x34,
  CALLDATALOAD: 0x35,
  CALLDATASIZE: 0x36,
  CALLDATACOPY: 0x37,
  CODECOPY: 0x39,
  GASPRICE: 0x3a,
  EXTCODESIZE: 0x3b,
  EXTCODECOPY: 0x3c,
  RETURNDATASIZE: 0x3d,
  RETURNDATACOPY: 0x3e,
  EXTCODEHASH: 0x3f,
  BLOCKHASH: 0x40,
  COINBASE: 0x41,
  TIMESTAMP: 0x42,
  NUMBER: 0x43,
  PREVRANDAO: 0x44,
  SELFBALANCE: 0x47,
  BLOBHASH: 0x49,
  SLOTNUM: 0x4b,
  POP: 0x50,
  MLOAD: 0x51,
  MSTORE: 0x52,
  MSTORE8: 0x53,
  SLOAD: 0x54,
  SSTORE: 0x55,
  JUMP: 0x56,
  JUMPI: 0x57,
  GAS: 0x5a,
  JUMPDEST: 0x5b,
  TLOAD: 0x5c,
  TSTORE: 0x5d,
  DUP1: 0x80,
  DUP2: 0x81,
  DUP3: 0x82,
  SWAP1: 0x90,
  SWAP2: 0x91,
  LOG0: 0xa0,
  LOG1: 0xa1,
  LOG4: 0xa4,
  CREATE: 0xf0,
  CALL: 0xf1,
  RETURN: 0xf3,
  DELEGATECALL: 0xf4,
  CREATE2: 0xf5,
  STATICCALL: 0xfa,
  REVERT: 0xfd,
  INVALID: 0xfe,
  SELFDESTRUCT: 0xff,
}

/**
 * Assembles a listing: mnemonics; numbers and 0x-literals become the shortest PUSH; `name:` places a JUMPDEST and
 * `@name` pushes where it is (two bytes).
 */
export function asm(listing: string): Hex {
  const labels = new Map<string, number>()
  const bytes: number[] = []
  const uses: [at: number, label: string][] = []
  for (const token of listing.replace(/;.*$/gm, '').split(/\s+/).filter(Boolean)) {
    if (token.endsWith(':')) {
      labels.set(token.slice(0, -1), bytes.length)
      bytes.push(0x5b)
    } else if (token.startsWith('@')) {
      uses.push([bytes.push(0x61, 0, 0) - 2, token.slice(1)])
    } else if (/^(0x[0-9a-f]+|\d+)$/.test(token)) {
      let hex = BigInt(token).toString(16)
      if (token.startsWith('0x') && token.length === 42) hex = token.slice(2)
      if (hex.length % 2 === 1) hex = `0${hex}`
      bytes.push(0x5f + hex.length / 2, ...fromHex(hex))
    } else {
      const opcode = OPCODES[token]
      if (opcode === undefined) throw new Error(`unknown word in the listing: ${token}`)
      bytes.push(opcode)
    }
  }
  for (const [at, label] of uses) {
    const target = labels.get(label)
    if (target === undefined) throw new Error(`no label ${label}`)
    bytes[at] = target >> 8
    bytes[at + 1] = target & 255
  }
  return toHex(Uint8Array.from(bytes))
}

/** Init code that deploys a runtime, after a prologue. */
export function initOf(runtime: string, prologue = ''): Hex {
  const code = runtime.slice(2)
  const size = code.length / 2
  const before = asm(prologue).slice(2)
  // PUSH2 size, DUP1, PUSH2 offset, PUSH1 0, CODECOPY, PUSH1 0, RETURN: 13 bytes.
  const offset = before.length / 2 + 13
  const hex4 = (value: number) => value.toString(16).padStart(4, '0')
  return `0x${before}61${hex4(size)}8061${hex4(offset)}6000396000f3${code}`
}

// ---- contracts ----

/** slot 0 += 1; logs the value. */
export const COUNTER = asm('0 SLOAD 1 ADD DUP1 0 SSTORE 0 MSTORE 32 0 LOG0')

/**
 * Writes what it sees into slots 0 to 4: BALANCE, EXTCODESIZE, EXTCODEHASH (if the fork has it) of calldata word 0, own
 * and coinbase balance.
 */
export const observerOf = (fork: ForkAlias): Hex =>
  asm(`
    0 CALLDATALOAD BALANCE 0 SSTORE
    0 CALLDATALOAD EXTCODESIZE 1 SSTORE
    ${since(fork, 'petersburg') ? '0 CALLDATALOAD EXTCODEHASH 2 SSTORE' : ''}
    ADDRESS BALANCE 3 SSTORE
    COINBASE BALANCE 4 SSTORE
    5 SLOAD 1 ADD 5 SSTORE`)

/** Sends its call value on to calldata word 0, and keeps the answer in slot 0. */
export const FORWARDER = asm('0 0 0 0 CALLVALUE 0 CALLDATALOAD GAS CALL 2 ADD 0 SSTORE')

/** Sends half of its balance to calldata word 0. */
export const HALVER = asm('0 0 0 0 2 ADDRESS BALANCE 1 SHR 0 CALLDATALOAD GAS CALL POP POP')

/** Writes slot 0, then reverts if calldata is odd; else keeps it. */
export const REVERTER = asm(`0 CALLDATALOAD DUP1 0 SSTORE 1 AND @fail JUMPI STOP fail: 0 0 REVERT`)

/**
 * slot 0 += 1, and the slot of the block's number becomes the same; with a call value it self-destructs to its caller.
 */
export const MORTAL = asm(`
  0 SLOAD 1 ADD DUP1 0 SSTORE
  NUMBER SSTORE
  CALLVALUE @end JUMPI STOP
  end: CALLER SELFDESTRUCT`)

/**
 * Creates MORTAL with CREATE2 and salt 0, endowed with the call value; keeps the address in slot 0 and counts in slot
 * 1.
 */
export const MORTAL_INIT = initOf(MORTAL, '9 0 SSTORE')
const initBytes = (MORTAL_INIT.length - 2) / 2
export const FACTORY: Hex = `${asm(`
  1 SLOAD 1 ADD 1 SSTORE
  ${initBytes} @code 1 ADD 0 CODECOPY
  0 ${initBytes} 0 CALLVALUE CREATE2 0 SSTORE STOP code:`)}${MORTAL_INIT.slice(2)}`

/** Copies code hash and size of calldata word 0, and the first word of its code, into slots 0 to 2. */
export const CODE_READER = asm(`
  0 CALLDATALOAD EXTCODEHASH 0 SSTORE
  0 CALLDATALOAD EXTCODESIZE 1 SSTORE
  32 0 0 0 CALLDATALOAD EXTCODECOPY 0 MLOAD 2 SSTORE`)

const ORDER = [
  'frontier',
  'homestead',
  'tangerineWhistle',
  'spuriousDragon',
  'byzantium',
  'constantinople',
  'petersburg',
  'istanbul',
  'berlin',
  'london',
  'paris',
  'shanghai',
  'cancun',
  'prague',
  'osaka',
] as const
export type TestFork = (typeof ORDER)[number]
export const FORKS: readonly TestFork[] = ORDER
export const since = (fork: ForkAlias, first: TestFork): boolean =>
  ORDER.indexOf(fork as TestFork) >= ORDER.indexOf(first)

// ---- blocks ----

export interface TestTransaction {
  readonly from: Hex
  /** Absent: creates a contract. */
  readonly to?: Hex
  readonly value?: bigint
  readonly data?: string
  readonly gas?: number
  readonly gasPrice?: bigint
  /** What the sender has sent before by default. */
  readonly nonce?: number
  /** Fields of other types. */
  readonly extra?: Readonly<Record<string, unknown>>
}

export interface TestAccount {
  readonly balance?: bigint
  readonly nonce?: number
  readonly code?: string
  readonly storage?: Readonly<Record<string, string>>
}

export interface TestBlock {
  readonly fork: TestFork
  readonly coinbase: Hex
  readonly accounts: Readonly<Record<string, TestAccount>>
  readonly transactions: readonly TestTransaction[]
  readonly gasLimit?: bigint
}

export const GWEI = 10n ** 9n
export const ETHER = 10n ** 18n
export const BASE_FEE = 7n
export const NUMBER = 25_000_000

/** A block and its state in the format of a block file, which two EVMs understand. */
export function fileOf(block: TestBlock) {
  const nonces = new Map<string, number>()
  for (const [name, { nonce }] of Object.entries(block.accounts)) nonces.set(name, nonce ?? 0)
  const codes: Record<string, string> = {}
  const pre: Record<string, { balance: Hex; nonce: Hex; code_hash?: Hex; storage: Record<string, string> }> = {}
  for (const [name, { balance = 0n, nonce = 0, code, storage = {} }] of Object.entries(block.accounts)) {
    if (code !== undefined) codes[hashOf(code)] = code
    pre[name] = {
      balance: quantity(balance),
      nonce: quantity(nonce),
      ...(code === undefined ? {} : { code_hash: hashOf(code) }),
      storage: { ...storage },
    }
  }
  const transactions = block.transactions.map((tx, k) => {
    const nonce = tx.nonce ?? nonces.get(tx.from) ?? 0
    nonces.set(tx.from, nonce + 1)
    return {
      type: '0x0',
      transactionIndex: quantity(k),
      from: tx.from,
      nonce: quantity(nonce),
      gas: quantity(tx.gas ?? 200_000),
      gasPrice: quantity(tx.gasPrice ?? 10n),
      to: tx.to ?? null,
      value: quantity(tx.value ?? 0n),
      input: tx.data ?? '0x',
      ...tx.extra,
    }
  })
  const json = {
    // @ethereumjs/common wants a number and a time that mainnet had, from Osaka on.
    number: quantity(NUMBER),
    timestamp: '0x69800000',
    gasLimit: quantity(block.gasLimit ?? 1_000_000_000n),
    miner: block.coinbase,
    difficulty: since(block.fork, 'paris') ? '0x0' : '0x20000',
    mixHash: word(1),
    extraData: '0x',
    nonce: '0x0000000000000000',
    parentHash: word(2),
    uncles: [],
    ...(since(block.fork, 'london') ? { baseFeePerGas: quantity(BASE_FEE) } : {}),
    ...(since(block.fork, 'shanghai') ? { withdrawals: [] } : {}),
    ...(since(block.fork, 'cancun')
      ? { blobGasUsed: '0x0', excessBlobGas: '0x0', parentBeaconBlockRoot: word(0) }
      : {}),
    transactions,
  }
  return { block: json, pre, codes, blockHashes: {} as Record<string, string>, fork: block.fork as string }
}

export type TestFile = ReturnType<typeof fileOf>

export const stateOf = (file: TestFile): MemoryState =>
  createMemoryState({ maxBytes: 8 * 2 ** 20, keccak256 }).load(file)

/** Everything that must not depend on how the block was run. */
const comparable = (result: BlockResult) => ({
  gasUsed: result.gasUsed,
  logsBloom: toHex(result.logsBloom),
  receiptsRoot: result.receiptsRoot === undefined ? undefined : toHex(result.receiptsRoot),
  receipts: result.receipts,
  results: result.results,
  stateDiff: result.stateDiff,
  blockLevelAccessList: result.blockLevelAccessList,
})

/** Compares field by field, the receipts one by one, so that a failure is short. */
export function expectSame(actual: BlockResult, expected: BlockResult, what = ''): void {
  const [a, b] = [comparable(actual), comparable(expected)]
  if (isDeepStrictEqual(a, b)) return
  for (const [k, receipt] of b.receipts.entries()) expect(a.receipts[k], `${what} receipt ${k}`).toEqual(receipt)
  for (const [k, result] of b.results.entries()) expect(a.results[k], `${what} result ${k}`).toEqual(result)
  for (const [k, account] of b.stateDiff.accounts.entries())
    expect(a.stateDiff.accounts[k], `${what} account ${account.address}`).toEqual(account)
  expect(a, what).toEqual(b)
}

/** What a run ended with: a result, or which error. */
export type Ending =
  | { readonly result: BlockResult }
  | { readonly code: string; readonly txIndex: unknown; readonly reason: unknown }

export async function endingOf(
  executor: Executor,
  block: TestBlock | TestFile,
  options: Partial<ExecuteBlockOptions> = {},
): Promise<Ending> {
  const file = 'pre' in block ? block : fileOf(block)
  const state = options.state ?? stateOf(file)
  const given = { chain: chainAtFork(file.fork as ForkAlias), senders: 'trust', only: 'transactions' } as const
  const settings = { ...given, ...options, state }
  try {
    return { result: await executor.executeBlock(file.block, settings) }
  } catch (error) {
    const { code, fields } = error as ParallelExecutionError
    if (code === undefined || code === 'INVARIANT') throw error
    return { code, txIndex: fields?.['txIndex'], reason: fields?.['reason'] }
  }
}

/** Runs a block that must succeed. */
export async function run(
  executor: Executor,
  block: TestBlock | TestFile,
  options: Partial<ExecuteBlockOptions> = {},
): Promise<BlockResult> {
  const ending = await endingOf(executor, block, options)
  if (!('result' in ending)) throw new Error(`${ending.code} at ${String(ending.txIndex)}: ${String(ending.reason)}`)
  return ending.result
}

/**
 * Runs a block sequentially and then in parallel, `repeat` times; all must be the same. Returns the sequential result.
 */
export async function expectParallelSame(
  executor: Executor,
  block: TestBlock | TestFile,
  repeat = 20,
): Promise<BlockResult> {
  const file = 'pre' in block ? block : fileOf(block)
  const state = stateOf(file)
  const sequential = await run(executor, file, { state, sequential: true })
  for (let k = 0; k < repeats(repeat); k++) {
    const parallel = await run(executor, file, { state, speculation: 'always' })
    expect(parallel.run.fallback).toBe(0)
    expectSame(parallel, sequential, `run ${k}`)
  }
  return sequential
}

/**
 * Applies the differences of a result's places one by one, and the block's at once: both states must be the same.
 *
 * @param before - makes the state before the block
 */
export async function expectPlaceDiffs(before: () => MemoryState, result: BlockResult, what = ''): Promise<void> {
  const [whole, stepwise] = [before(), before()]
  await whole.apply(result.stateDiff)
  for (const { stateDiff } of result.placeDiffs ?? []) await stepwise.apply(stateDiff)
  const changes = [result.stateDiff, ...(result.placeDiffs ?? []).map(({ stateDiff }) => stateDiff)]
  for (const { address: name, storage } of changes.flatMap(({ accounts }) => accounts)) {
    const seen = (state: MemoryState) => [
      name,
      state.getAccount(name),
      [...storage.keys()].map((slot) => [slot, state.getStorage(name, slot)]),
      state.getCode(state.getAccount(name)?.codeHash ?? word(0)),
    ]
    expect(seen(stepwise), what).toEqual(seen(whole))
  }
}

/** The account's part of a difference. */
export const changeOf = (result: BlockResult, account: string) =>
  result.stateDiff.accounts.find((change) => change.address === account)

/** A slot after the block, as far as the difference says. */
export const slotOf = (result: BlockResult, account: string, slot: bigint | number): bigint | undefined => {
  const value = changeOf(result, account)?.storage.get(word(slot))
  return value === undefined ? undefined : BigInt(value)
}

/** A key pair's address, and a signed authorisation (EIP-7702) as JSON-RPC spells it. */
export function authority(seed: number): { address: Hex; sign(to: Hex, nonce: number): Record<string, Hex> } {
  const key = new Uint8Array(32).fill(seed)
  return {
    address: toHex(privateToAddress(key)),
    sign(to, nonce) {
      const unsigned = { chainId: '0x1', address: to, nonce: nonce === 0 ? '0x' : quantity(nonce) } as const
      const signed = eoaCode7702SignAuthorization(unsigned as never, key)
      const json = eoaCode7702AuthorizationListBytesItemToJSON(signed) as unknown as Record<string, Hex>
      // ethereumjs writes 0 as `0x` and keeps leading zeros; JSON-RPC does neither.
      const numbers = ['chainId', 'nonce', 'yParity', 'r', 's'].map((name) => {
        const hex = json[name] as Hex
        return [name, quantity(hex === '0x' ? 0n : BigInt(hex))]
      })
      return { ...Object.fromEntries(numbers), address: to }
    },
  }
}

/** Fields that make a transaction one of type 4. */
export const delegating = (...authorizationList: Record<string, Hex>[]) => ({
  type: '0x4',
  chainId: '0x1',
  maxFeePerGas: '0xa',
  maxPriorityFeePerGas: '0x3',
  accessList: [],
  authorizationList,
})
