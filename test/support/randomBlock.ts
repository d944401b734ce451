/**
 * Random EVM blocks over a handful of accounts and contracts, on every fork, as plain data.
 *
 * A case says what its transactions do and not their nonces: `fileOfCase` counts those, so that transactions, snippets
 * of code and payments of the epilogue can be left out one by one and the rest is still a block (shrink.ts). It holds
 * JSON values alone, so that a case that failed can be printed and read again.
 *
 * The oracle is the sequential run of the same adapter; that this one is right is for the consensus tests and for
 * test/property/transfers.property.ts to say.
 */
import fc from 'fast-check'
import { mappingSlot, TOKEN_SLOT, TRANSFER_SELECTOR, tokenContract } from '../../src/cli/contracts.ts'
import type { Hex } from '../../src/index.ts'
import {
  address,
  authority,
  COUNTER,
  created2By,
  delegating,
  ETHER,
  FACTORY,
  FORKS,
  fileOf,
  initOf,
  MORTAL_INIT,
  since,
  type TestAccount,
  type TestFork,
  type TestTransaction,
  word,
} from './evm.ts'
import { codeOf, snippets } from './randomCode.ts'

/** A signed authorisation (EIP-7702): which key, to whom, and how far its nonce is from the right one. */
interface Authorisation {
  readonly key: number
  readonly to: Hex
  readonly shift: number
}

/** One transaction, but for its nonce. Quantities are decimal text. */
export interface BlockStep {
  readonly from: Hex
  /** Absent: creates a contract. */
  readonly to?: Hex
  readonly value: string
  readonly data: string
  readonly gas: number
  /** Wei above the base fee; negative ones make the block invalid. */
  readonly tip: number
  readonly type: 0 | 1 | 2 | 3 | 4
  readonly authorisations?: readonly Authorisation[]
  /** Added to the nonce that would be right. */
  readonly gap?: number
}

export interface BlockCase {
  readonly kind: 'block'
  readonly fork: TestFork
  readonly coinbase: Hex
  /** Accounts besides the contracts, with their balance in wei. */
  readonly people: readonly (readonly [who: Hex, balance: string])[]
  /** Snippets of each contract (randomCode.ts). */
  readonly contracts: readonly (readonly string[])[]
  readonly steps: readonly BlockStep[]
  /** Rewards before the merge, withdrawals from Shanghai on, in wei or gwei. */
  readonly paid: readonly (readonly [who: Hex, amount: number])[]
}

const PEOPLE = [1, 2, 3, 4].map(address)
const KEYS = [7, 8]
const AUTHORITIES = KEYS.map((key) => authority(key).address)
const SENDERS = [...PEOPLE, ...AUTHORITIES]
const ABSENT = [address(0xe1), address(0xe2)]
export const CONTRACTS = [0x201, 0x202, 0x203, 0x204].map(address)
export const TOKEN = address(0x210)
export const MAKER = address(0x211)
export const CHILD = created2By(MAKER, 0n, MORTAL_INIT)
/** Who delegates to it delegates no more. */
export const NOBODY: Hex = `0x${'0'.repeat(40)}`
const SHA256: Hex = `0x${'2'.padStart(40, '0')}`

const BASE = 7n
/** Blobs that a block of any fork here may hold. */
const MOST_BLOBS = 6
const BLOB_GAS = 131_072

const tokenTransfer = (to: Hex, amount: number): string =>
  `0x${TRANSFER_SELECTOR}${word(to).slice(2)}${word(amount).slice(2)}`

const sender = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...PEOPLE) },
  { weight: 2, arbitrary: fc.constantFrom(...AUTHORITIES) },
)
const anybody = fc.constantFrom<Hex>(...SENDERS, ...ABSENT, ...CONTRACTS, TOKEN, MAKER, CHILD, SHA256)
const value = fc.constantFrom<string>('0', '0', '0', '1', '7', '1000000000000000')
const data: fc.Arbitrary<string> = fc.oneof(
  fc.nat(20).map((k) => word(k)),
  anybody.map((who) => word(who)),
)

const stepsOf = (fork: TestFork): fc.Arbitrary<BlockStep> => {
  const types: (0 | 1 | 2 | 3)[] = [0, 0, 0]
  if (since(fork, 'berlin')) types.push(1)
  if (since(fork, 'london')) types.push(2, 2)
  if (since(fork, 'cancun')) types.push(3)
  const type = fc.constantFrom(...types)
  const tip = fc.constantFrom(0, 3, 3, 3, 50)
  // Often too little: then a call runs out of gas somewhere.
  const gas = fc.oneof(fc.integer({ min: 60_000, max: 400_000 }), fc.constantFrom(90_000, 600_000))
  const common = { from: sender, type, tip }
  const call = (to: fc.Arbitrary<Hex>, input = data, wei = value) =>
    fc.record({ ...common, to, value: wei, data: input, gas })
  const nothing = fc.constant('0')
  const transfer = fc
    .tuple(fc.constantFrom(...SENDERS, ...ABSENT, ...CONTRACTS), fc.nat(9))
    .map(([to, amount]) => tokenTransfer(to, amount))
  const delegation = fc.record({
    key: fc.constantFrom(...KEYS),
    to: fc.constantFrom<Hex>(...CONTRACTS, ...CONTRACTS, NOBODY, ABSENT[0] as Hex),
    shift: fc.constantFrom(0, 0, 0, 1),
  })
  return fc.oneof(
    { weight: 6, arbitrary: fc.record({ ...common, to: anybody, value, data: fc.constant('0x'), gas }) },
    { weight: 12, arbitrary: call(fc.constantFrom(...CONTRACTS)) },
    { weight: 4, arbitrary: call(fc.constant(TOKEN), transfer, nothing) },
    {
      weight: 1,
      arbitrary: fc.tuple(sender, tip, snippets(fork, SENDERS, CONTRACTS)).map(
        ([from, wei, snippet]): BlockStep => ({
          from,
          tip: wei,
          type: 0,
          value: '3',
          gas: 300_000,
          data: initOf(COUNTER, `0 ${snippet.replaceAll('#', '0')} POP 7 0 SSTORE`),
        }),
      ),
    },
    ...(since(fork, 'petersburg')
      ? [
          { weight: 2, arbitrary: call(fc.constant(MAKER), data, fc.constantFrom('0', '9')) },
          { weight: 3, arbitrary: call(fc.constant(CHILD), data, fc.constantFrom('0', '0', '1')) },
        ]
      : []),
    ...(since(fork, 'prague')
      ? [
          {
            weight: 3,
            arbitrary: fc.record({
              ...common,
              type: fc.constant(4 as const),
              to: anybody,
              value,
              data,
              gas: fc.integer({ min: 150_000, max: 400_000 }),
              authorisations: fc.array(delegation, { minLength: 1, maxLength: 3 }),
            }),
          },
        ]
      : []),
  )
}

/** What makes a transaction invalid at its place; both ways of running must then end there, with the same reason. */
const spoilt = fc.constantFrom<Partial<BlockStep>>(
  { gap: 1 },
  { gap: -1 },
  { value: String(10n ** 30n) },
  { gas: 20_000 },
  { tip: -3 },
)

/** @param most - transactions at most; a case has at least two */
export const blockCases = (most = 60): fc.Arbitrary<BlockCase> =>
  fc
    .constantFrom(...FORKS, 'shanghai' as const, 'cancun' as const, 'prague' as const, 'prague' as const)
    .chain((fork) =>
      fc
        .record({
          coinbase: fc.constantFrom<Hex>(
            address(0xc0),
            address(0xc0),
            PEOPLE[0] as Hex,
            CONTRACTS[0] as Hex,
            AUTHORITIES[0] as Hex,
          ),
          // Rarely one of them cannot pay for all that it sends.
          poor: fc.constantFrom(...Array(9).fill(String(ETHER)), '30000000'),
          contracts: fc.array(
            fc.array(snippets(fork, [...SENDERS, ...ABSENT], [...CONTRACTS, TOKEN, MAKER, CHILD]), {
              maxLength: 10,
              size: 'max',
            }),
            { minLength: CONTRACTS.length, maxLength: CONTRACTS.length },
          ),
          steps: fc.array(stepsOf(fork), { minLength: 2, maxLength: most, size: 'max' }),
          paid: fc.array(fc.tuple(fc.constantFrom<Hex>(...SENDERS, ...ABSENT, CHILD, address(0xc0)), fc.nat(3)), {
            maxLength: 4,
          }),
          spoil: fc.tuple(fc.nat(), fc.constantFrom(...Array(10).keys()), spoilt),
        })
        .map(({ coinbase, poor, contracts, steps, paid, spoil }): BlockCase => {
          const [place, odds, spoiled] = spoil
          const at = odds === 0 ? place % steps.length : -1
          return {
            kind: 'block',
            fork,
            coinbase,
            people: SENDERS.map((who, k) => [who, k === 3 ? poor : String(10n * ETHER)] as const),
            contracts,
            steps: steps.map((step, k) => (k === at ? { ...step, ...spoiled } : step)),
            paid,
          }
        }),
    )

const accountsOf = ({ fork, people, contracts }: BlockCase): Record<Hex, TestAccount> => {
  const balances: Record<string, string> = { [word(TOKEN_SLOT.totalSupply)]: word(1_000_000) }
  for (const who of [...SENDERS, ...CONTRACTS]) {
    balances[mappingSlot(word(who), word(TOKEN_SLOT.balances))] = word(12)
  }
  return {
    ...Object.fromEntries(people.map(([who, balance]) => [who, { balance: BigInt(balance) }])),
    ...Object.fromEntries(
      contracts.map((list, k) => [
        CONTRACTS[k] as Hex,
        { nonce: 1, balance: 1000n, code: codeOf(list), storage: { '0x0': '0x5', '0x1': '0x2', '0x7': '0x1' } },
      ]),
    ),
    [TOKEN]: { nonce: 1, code: tokenContract().code, storage: balances },
    ...(since(fork, 'petersburg') ? { [MAKER]: { nonce: 1, code: FACTORY } } : {}),
  }
}

const hex = (number: bigint | number): Hex => `0x${number.toString(16)}`

/** The fields by which a transaction says its fee and type. */
const typeFields = (step: BlockStep, blobs: number, signed: Record<string, Hex>[]): Record<string, unknown> => {
  const price = BASE + BigInt(step.tip)
  const fees = { maxFeePerGas: hex(price), maxPriorityFeePerGas: hex(Math.max(step.tip, 0)), chainId: '0x1' }
  // The fourth slot of the callee is warm, and so is one of somebody else.
  const accessList = [{ address: step.to ?? TOKEN, storageKeys: [word(3)] }]
  switch (step.type) {
    case 0:
      return {}
    case 1:
      return { type: '0x1', chainId: '0x1', accessList }
    case 2:
      return { type: '0x2', ...fees, accessList }
    case 3: {
      const hashes = Array.from({ length: blobs }, (_, k) => `0x01${word(k).slice(4)}`)
      return { type: '0x3', ...fees, accessList, maxFeePerBlobGas: '0x5', blobVersionedHashes: hashes }
    }
    case 4:
      return { ...delegating(...signed), ...fees }
  }
}

/** The case as a block file, its nonces counted. */
export function fileOfCase(one: BlockCase) {
  const nonces = new Map<string, number>()
  const nonceOf = (who: string): number => nonces.get(who) ?? 0
  let blobs = 0
  const transactions = one.steps.map((given): TestTransaction => {
    const step =
      given.type === 3 && (given.to === undefined || blobs >= MOST_BLOBS) ? { ...given, type: 2 as const } : given
    const nonce = nonceOf(step.from) + (step.gap ?? 0)
    nonces.set(step.from, nonceOf(step.from) + 1)
    const signed = (step.authorisations ?? []).map(({ key, to, shift }) => {
      const signer = authority(key)
      const right = nonceOf(signer.address)
      if (shift === 0) nonces.set(signer.address, right + 1)
      return signer.sign(to, right + shift)
    })
    if (step.type === 3) blobs++
    return {
      from: step.from,
      ...(step.to === undefined ? {} : { to: step.to }),
      value: BigInt(step.value),
      data: step.data,
      gas: step.gas,
      gasPrice:
        (since(one.fork, 'london') ? BASE : 0n) + BigInt(Math.max(step.tip, since(one.fork, 'london') ? step.tip : 0)),
      nonce: Math.max(0, nonce),
      extra: typeFields(step, 1, signed),
    }
  })
  const file = fileOf({ fork: one.fork, coinbase: one.coinbase, accounts: accountsOf(one), transactions })
  if (since(one.fork, 'cancun')) Object.assign(file.block, { blobGasUsed: hex(blobs * BLOB_GAS) })
  if (since(one.fork, 'shanghai')) Object.assign(file.block, { withdrawals: one.paid.map(withdrawalOf) })
  return file
}

const withdrawalOf = ([who, amount]: readonly [Hex, number], k: number) => ({
  index: hex(k),
  validatorIndex: '0x0',
  address: who,
  amount: hex(amount),
})
