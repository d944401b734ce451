/**
 * Synthetic blocks, named once and shared by the tests, the benchmark and the demo.
 *
 * Each name is a shape of conflict, from none to all. The same name and size give the same bytes on every machine.
 * The transactions carry no signature: run them with `--trust-senders`, or with `senders` given.
 *
 * Not here: how a transaction and its pre-state are written (world.ts), bytecode and slots (contracts.ts).
 */
import { InvalidInputError } from '../core/errors.ts'
import type { Hex } from './contracts.ts'
import {
  addressOf,
  closeWorld,
  deployPair,
  deployToken,
  fund,
  openWorld,
  pay,
  swap,
  transferToken,
  type WorkloadFile,
  type World,
} from './world.ts'

export type { Hex } from './contracts.ts'
export type { WorkloadAccount, WorkloadBlock, WorkloadFile, WorkloadTransaction } from './world.ts'

const ETHER = 10n ** 18n

/** Accounts and pairs that the transactions of `mixed` share, whatever its size: more of them conflict more. */
const MIXED_ACCOUNTS = 1_000
const MIXED_PAIRS = 20

const DEMO_TOKENS = 8
const DEMO_SWAPS_PER_PAIR = 3

const WORKLOADS = {
  /** No conflict: distinct senders pay distinct recipients that have no account yet. */
  transfers(world: World, count: number) {
    for (let i = 0; i < count; i++) pay(world, account(i), fresh(i), payment(i))
  },

  /** No conflict of storage: holders of one token send to distinct addresses that hold none. */
  erc20(world: World, count: number) {
    const token = deployToken(world)
    for (let i = 0; i < count; i++) transferToken(world, token, account(i), fresh(i), payment(i))
  },

  /** One hot slot: as `erc20`, but all to one recipient. Every transaction reads what the one before it wrote. */
  'erc20-hot'(world: World, count: number) {
    const token = deployToken(world)
    for (let i = 0; i < count; i++) transferToken(world, token, account(i), fresh(0), payment(i))
  },

  /** A chain of slots: holder i sends to holder i + 1, who sends next. */
  'erc20-chain'(world: World, count: number) {
    const token = deployToken(world)
    for (let i = 0; i < count; i++) transferToken(world, token, account(i), account(i + 1), payment(i))
  },

  /** No conflict, long transactions: each swaps on a pair of its own between two tokens of its own. */
  uniswap(world: World, count: number) {
    for (let i = 0; i < count; i++) {
      const pair = deployPair(world, deployToken(world), deployToken(world))
      swap(world, pair, account(i), ETHER + payment(i), i % 2 === 0 ? 'zeroForOne' : 'oneForZero')
    }
  },

  /** A chain of balances: account i pays account i + 1, who pays next. All are funded before. */
  chain(world: World, count: number) {
    for (let i = 0; i < count; i++) pay(world, account(i), account(i + 1), payment(i))
    fund(world, account(count))
  },

  /**
   * 50 % payments and 35 % token transfers among 1,000 accounts, 15 % swaps on 20 pairs that share one token:
   * chains of nonces and hot pairs. Swaps ask for all that the preset order gives them, see `swap`.
   */
  mixed(world: World, count: number) {
    const random = generator(0x6d697865)
    const someone = () => account(random(MIXED_ACCOUNTS))
    const base = deployToken(world)
    const pairs = Array.from({ length: MIXED_PAIRS }, () => deployPair(world, base, deployToken(world)))
    for (let i = 0; i < count; i++) {
      const kind = random(100)
      if (kind < 50) pay(world, someone(), someone(), payment(random(1_000)))
      else if (kind < 85) transferToken(world, base, someone(), someone(), payment(random(1_000)))
      else swap(world, pick(pairs, random), someone(), ETHER, random(2) === 0 ? 'zeroForOne' : 'oneForZero')
    }
  },

  /** A block without transactions, whatever count is asked for. */
  empty() {},

  /** One payment, whatever count is asked for. */
  single(world: World) {
    pay(world, account(0), fresh(0), payment(0))
  },
} as const satisfies Record<string, (world: World, count: number) => void>

export type WorkloadName = keyof typeof WORKLOADS

/** Every name, in the order in which the benchmark prints them. */
export const WORKLOAD_NAMES = Object.keys(WORKLOADS) as readonly WorkloadName[]

/**
 * Makes a synthetic block in the format of a block file.
 *
 * Cost: 6 us a payment, 20 a token transfer, 90 a swap with its pair and two tokens (blocks of 5,000, 2-core EPYC).
 *
 * @param transactions - how many, an integer from 0
 * @throws {InvalidInputError} INVALID_OPTION if `transactions` is not one; MODULE_NOT_LOADED if the packages of the
 *   contracts are not installed (blocks of payments need none)
 */
export function makeWorkload(name: WorkloadName, transactions: number): WorkloadFile {
  return build((world) => WORKLOADS[name](world, checkCount(transactions)))
}

/**
 * Makes the block of `blockloom demo`: 70 % transfers of eight tokens, 30 % swaps on as many pairs as give each of
 * them three, by as many accounts as there are transactions. Nearly independent, as a busy block of a rollup is.
 *
 * @param transactions - how many, an integer from 0
 * @throws {InvalidInputError} INVALID_OPTION if `transactions` is not one; MODULE_NOT_LOADED if the packages of the
 *   contracts are not installed
 */
export function demoBlock(transactions = 6_000): WorkloadFile {
  const count = checkCount(transactions)
  return build((world) => {
    const random = generator(0x64656d6f)
    const someone = () => account(random(count))
    const tokens = Array.from({ length: DEMO_TOKENS }, () => deployToken(world))
    const base = deployToken(world)
    const pairs = Array.from({ length: Math.ceil((count * 0.3) / DEMO_SWAPS_PER_PAIR) }, () =>
      deployPair(world, base, pick(tokens, random)),
    )
    for (let i = 0; i < count; i++) {
      if (random(10) < 7) transferToken(world, pick(tokens, random), someone(), someone(), payment(random(1_000)))
      else swap(world, pick(pairs, random), someone(), ETHER, random(2) === 0 ? 'zeroForOne' : 'oneForZero')
    }
  })
}

function build(fill: (world: World) => void): WorkloadFile {
  const world = openWorld()
  fill(world)
  return closeWorld(world)
}

function checkCount(transactions: number): number {
  if (Number.isSafeInteger(transactions) && transactions >= 0) return transactions
  const message = `a block has an integer number of transactions from 0, not ${transactions}`
  throw new InvalidInputError('INVALID_OPTION', message, { option: 'transactions', actual: transactions })
}

const account = (index: number): Hex => addressOf('account', index)
const fresh = (index: number): Hex => addressOf('fresh', index)

/** A different amount each time, so that a result put at the wrong place shows. */
const payment = (index: number): bigint => 1_000_000n + BigInt(index)

const pick = <T>(list: readonly T[], random: (limit: number) => number): T => list[random(list.length)]

/** Mulberry32: small, seeded and good enough to choose accounts. @returns a function to integers below `limit` */
function generator(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * limit)
  }
}
