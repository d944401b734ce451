/**
 * A pre-state and a list of transactions that grow together, until they are closed into a block file.
 *
 * Each function appends one transaction and puts into the pre-state what that transaction needs to succeed at its
 * place in the preset order: funds, a nonce, tokens, an allowance. Nothing is executed, so the pre-state of a
 * contract is written straight into the slots that its source gives its variables (contracts.ts).
 *
 * Always true: an account in `pre` was a sender or was asked for by `fund`; a recipient alone is absent from it.
 */
import {
  type Contract,
  type Hex,
  keccakHex,
  mappingSlot,
  PAIR_SLOT,
  pairContract,
  routerContract,
  TOKEN_SLOT,
  TRANSFER_SELECTOR,
  tokenContract,
  word,
} from './contracts.ts'

/** A transaction as `eth_getBlockByNumber(n, true)` returns it, less hash and signature: nobody signed it. */
export interface WorkloadTransaction {
  readonly type: '0x2'
  readonly chainId: Hex
  readonly transactionIndex: Hex
  readonly from: Hex
  readonly nonce: Hex
  readonly gas: Hex
  readonly maxFeePerGas: Hex
  readonly maxPriorityFeePerGas: Hex
  readonly to: Hex
  readonly value: Hex
  readonly accessList: readonly []
  readonly input: Hex
}

/** A header as JSON-RPC returns it, less what only execution can tell: gasUsed, logsBloom and every root. */
export interface WorkloadBlock {
  readonly number: Hex
  readonly timestamp: Hex
  readonly gasLimit: Hex
  readonly baseFeePerGas: Hex
  readonly miner: Hex
  readonly difficulty: Hex
  readonly extraData: Hex
  readonly mixHash: Hex
  readonly nonce: Hex
  readonly parentHash: Hex
  readonly parentBeaconBlockRoot: Hex
  readonly blobGasUsed: Hex
  readonly excessBlobGas: Hex
  readonly uncles: readonly []
  readonly withdrawals: readonly []
  readonly transactions: readonly WorkloadTransaction[]
}

export interface WorkloadAccount {
  readonly balance: Hex
  readonly nonce: number
  readonly code_hash?: Hex
  readonly storage: Record<Hex, Hex>
}

/** The file format of real blocks: plain JSON, one block with everything that its transactions touch. */
export interface WorkloadFile {
  readonly block: WorkloadBlock
  readonly pre: Record<Hex, WorkloadAccount>
  readonly codes: Record<Hex, Hex>
  readonly blockHashes: Record<string, Hex>
  readonly fork: 'prague'
}

export interface World {
  readonly pre: Record<Hex, WorkloadAccount>
  readonly codes: Record<Hex, Hex>
  readonly transactions: WorkloadTransaction[]
  readonly nonces: Map<Hex, number>
  readonly tokens: Token[]
  readonly pairs: Pair[]
  /** Slots of mapping entries, by key and base: a holder has the same slot in every token. */
  readonly slots: Map<string, Hex>
}

export interface Token {
  readonly address: Hex
  readonly storage: Record<Hex, Hex>
  supply: bigint
}

export interface Pair {
  readonly address: Hex
  readonly token0: Token
  readonly token1: Token
  /** Reserves after the transactions appended so far, by the pair's own arithmetic. */
  reserve0: bigint
  reserve1: bigint
}

const GWEI = 10n ** 9n
const ETHER = 10n ** 18n
const MAX_WORD: Hex = `0x${'f'.repeat(64)}`
const ZERO_WORD: Hex = `0x${'0'.repeat(64)}`

/** Prague begins on mainnet at 1,746,612,311: chain rules by time and the file's `fork` agree. */
const TIMESTAMP = 1_750_000_000
const BLOCK_NUMBER = 22_700_000

/** Enough for any of the transactions below, and far below what a sender owns. */
const GAS_PAYMENT = 21_000
const GAS_TOKEN_TRANSFER = 100_000
const GAS_SWAP = 250_000

const FUNDS = 100n * ETHER
const TOKENS_PER_HOLDER = 1_000_000n * ETHER
const RESERVE0 = 1_000_000n * ETHER
const RESERVE1 = 2_000_000n * ETHER

/** Constants of the EIP-712 domain that UniswapV2ERC20's constructor hashes. */
const DOMAIN_TYPE = '8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f'
const DOMAIN_NAME = 'bfcc8ef98ffbf7b6c3fec7bf5185b566b9863e35a9d83acd49ad6824b5969738'
const DOMAIN_VERSION = 'c89efdaa54c0f20c7adf612882df0950f5a951637e0307cdcb4c672f298b8bc6'

const SPACES = ['account', 'fresh', 'token', 'pair', 'fixed'] as const

/**
 * The address number `index` of a name space. Its words are mixed, since real addresses are hashes and a table
 * that is keyed by them must not be flattered by counting ones; each mix is a bijection of `index`, so two
 * addresses of one space never meet.
 *
 * @param space - `account` for those that send, `fresh` for those that only receive
 * @param index - 0 to 2^32 - 1
 */
export function addressOf(space: (typeof SPACES)[number], index: number): Hex {
  let digits = ''
  for (let lane = 1; lane <= 5; lane++) {
    let h = (Math.imul(index, 0x9e3779b1) + Math.imul(lane * 16 + SPACES.indexOf(space) + 1, 0x85ebca77)) >>> 0
    h = Math.imul(h ^ (h >>> 16), 0x21f0aaad)
    h = Math.imul(h ^ (h >>> 15), 0x735a2d97)
    digits += ((h ^ (h >>> 15)) >>> 0).toString(16).padStart(8, '0')
  }
  return `0x${digits}`
}

/** Receives the fees; has no account before the block. */
const MINER = addressOf('fixed', 0)
const ROUTER = addressOf('fixed', 1)
const FACTORY = addressOf('fixed', 2)

export function openWorld(): World {
  return { pre: {}, codes: {}, transactions: [], nonces: new Map(), tokens: [], pairs: [], slots: new Map() }
}

/** Gives an account 100 ether and nonce 0 before the block. Asking again changes nothing. */
export function fund(world: World, account: Hex): void {
  world.pre[account] ??= { balance: quantity(FUNDS), nonce: 0, storage: {} }
}

/** A token contract without holders. @throws {InvalidInputError} MODULE_NOT_LOADED */
export function deployToken(world: World): Token {
  const index = world.tokens.length
  const address = addressOf('token', index)
  const storage = deploy(world, address, tokenContract)
  storage[slotOf(TOKEN_SLOT.name)] = shortString(`Token ${index}`)
  storage[slotOf(TOKEN_SLOT.symbol)] = shortString(`T${index}`)
  const token = { address, storage, supply: 0n }
  world.tokens.push(token)
  return token
}

/** A pair of two tokens with reserves of 1 : 2 million, traded before. @throws {InvalidInputError} MODULE_NOT_LOADED */
export function deployPair(world: World, a: Token, b: Token): Pair {
  const index = world.pairs.length
  const address = addressOf('pair', index)
  const [token0, token1] = a.address < b.address ? [a, b] : [b, a]
  const pair: Pair = { address, token0, token1, reserve0: RESERVE0 + BigInt(index), reserve1: RESERVE1 }
  if (world.pairs.push(pair) === 1) deploy(world, ROUTER, routerContract)

  hold(world, token0, address, pair.reserve0)
  hold(world, token1, address, pair.reserve1)
  const storage = deploy(world, address, pairContract)
  const put = (slot: keyof typeof PAIR_SLOT, value: Hex): void => {
    storage[slotOf(PAIR_SLOT[slot])] = value
  }
  // The liquidity belongs to the zero address, as the first 1000 units of every pair do: nobody here withdraws.
  const liquidity = quantity(RESERVE0)
  put('totalSupply', liquidity)
  storage[entryOf(world, ZERO_WORD, slotOf(PAIR_SLOT.balanceOf))] = liquidity
  const domain = `${DOMAIN_TYPE}${DOMAIN_NAME}${DOMAIN_VERSION}${word(1)}${word(address)}` as const
  put('domainSeparator', trim(keccakHex(`0x${domain}`)))
  put('factory', trim(FACTORY))
  put('token0', trim(token0.address))
  put('token1', trim(token1.address))
  put('reserves', quantity((BigInt(TIMESTAMP - 12) << 224n) | (pair.reserve1 << 112n) | pair.reserve0))
  // Not zero, so that the first swap of the block updates them at the usual price and creates no slot.
  put('price0Cumulative', quantity(((RESERVE1 << 112n) / RESERVE0) * 3600n))
  put('price1Cumulative', quantity(((RESERVE0 << 112n) / RESERVE1) * 3600n))
  put('unlocked', '0x1')
  return pair
}

/** Appends a plain payment. */
export function pay(world: World, from: Hex, to: Hex, value: bigint): void {
  send(world, { from, to, value, gas: GAS_PAYMENT, input: '0x' })
}

/** Appends an ERC-20 transfer by a holder of the token. */
export function transferToken(world: World, token: Token, from: Hex, to: Hex, amount: bigint): void {
  hold(world, token, from)
  const input: Hex = `0x${TRANSFER_SELECTOR}${word(to)}${word(amount)}`
  send(world, { from, to: token.address, value: 0n, gas: GAS_TOKEN_TRANSFER, input })
}

/**
 * Appends a swap through the router, for the most that the pair gives at this place in the preset order: on any
 * state with a worse price it reverts with `UniswapV2: K`, so swaps of one pair in one direction are a true chain.
 */
export function swap(world: World, pair: Pair, trader: Hex, amountIn: bigint, direction: 'zeroForOne' | 'oneForZero') {
  const forward = direction === 'zeroForOne'
  const tokenIn = forward ? pair.token0 : pair.token1
  hold(world, tokenIn, trader)
  approve(world, tokenIn, trader, ROUTER)

  const [reserveIn, reserveOut] = forward ? [pair.reserve0, pair.reserve1] : [pair.reserve1, pair.reserve0]
  const amountLessFee = amountIn * 997n
  const amountOut = (amountLessFee * reserveOut) / (reserveIn * 1000n + amountLessFee)
  pair.reserve0 += forward ? amountIn : -amountOut
  pair.reserve1 += forward ? -amountOut : amountIn

  const outs = forward ? [0n, amountOut] : [amountOut, 0n]
  const input: Hex = `0x${[pair.address, tokenIn.address, amountIn, ...outs].map(word).join('')}`
  send(world, { from: trader, to: ROUTER, value: 0n, gas: GAS_SWAP, input })
}

/** Completes the pre-state and returns the file; the world must not be used after. */
export function closeWorld(world: World): WorkloadFile {
  for (const token of world.tokens) token.storage[slotOf(TOKEN_SLOT.totalSupply)] = quantity(token.supply)
  const block: WorkloadBlock = {
    number: quantity(BLOCK_NUMBER),
    timestamp: quantity(TIMESTAMP),
    gasLimit: '0x3fffffffffff',
    baseFeePerGas: quantity(GWEI),
    miner: MINER,
    difficulty: '0x0',
    extraData: '0x',
    mixHash: ZERO_WORD,
    nonce: '0x0000000000000000',
    parentHash: ZERO_WORD,
    parentBeaconBlockRoot: ZERO_WORD,
    blobGasUsed: '0x0',
    excessBlobGas: '0x0',
    uncles: [],
    withdrawals: [],
    transactions: world.transactions,
  }
  return { block, pre: world.pre, codes: world.codes, blockHashes: {}, fork: 'prague' }
}

interface Message {
  readonly from: Hex
  readonly to: Hex
  readonly value: bigint
  readonly gas: number
  readonly input: Hex
}

function send(world: World, { from, to, value, gas, input }: Message): void {
  fund(world, from)
  const nonce = world.nonces.get(from) ?? 0
  world.nonces.set(from, nonce + 1)
  world.transactions.push({
    type: '0x2',
    chainId: '0x1',
    transactionIndex: quantity(world.transactions.length),
    from,
    nonce: quantity(nonce),
    gas: quantity(gas),
    maxFeePerGas: quantity(20n * GWEI),
    maxPriorityFeePerGas: quantity(GWEI),
    to,
    value: quantity(value),
    accessList: [],
    input,
  })
}

function deploy(world: World, address: Hex, contract: () => Contract): Record<Hex, Hex> {
  const storage: Record<Hex, Hex> = {}
  const { code, codeHash } = contract()
  world.codes[codeHash] = code
  world.pre[address] = { balance: '0x0', nonce: 1, code_hash: codeHash, storage }
  return storage
}

/** Gives `holder` a balance of the token before the block, unless it has one. */
function hold(world: World, token: Token, holder: Hex, amount = TOKENS_PER_HOLDER): void {
  const slot = entryOf(world, holder, slotOf(TOKEN_SLOT.balances))
  if (token.storage[slot] !== undefined) return
  token.storage[slot] = quantity(amount)
  token.supply += amount
}

/** Approves without limit: OpenZeppelin's token leaves such an allowance unwritten when it is used. */
function approve(world: World, token: Token, owner: Hex, spender: Hex): void {
  token.storage[entryOf(world, spender, entryOf(world, owner, slotOf(TOKEN_SLOT.allowances)))] = MAX_WORD
}

/** `mappingSlot`, remembered; hashing is most of the cost of making a block. */
function entryOf(world: World, key: Hex, base: Hex): Hex {
  const name = `${key}${base}`
  let slot = world.slots.get(name)
  if (slot === undefined) {
    slot = trim(mappingSlot(key, base))
    world.slots.set(name, slot)
  }
  return slot
}

const slotOf = (slot: number): Hex => quantity(slot)

const quantity = (value: bigint | number): Hex => `0x${value.toString(16)}`

/** Block files write slots and values as quantities, without leading zeros. */
const trim = (hex: Hex): Hex => `0x${hex.slice(2).replace(/^0+(?=.)/, '')}`

/** A string of up to 31 characters as Solidity keeps it in one slot: the bytes, then twice the length. */
const shortString = (text: string): Hex =>
  `0x${Buffer.from(text).toString('hex').padEnd(62, '0')}${(text.length * 2).toString(16).padStart(2, '0')}`
