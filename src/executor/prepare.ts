/**
 * A block from what the caller has to what an engine runs: decoded, its rules found, its claims checked, its senders
 * known, encoded in words.
 *
 * Owns the order of these steps. Does not own the rules (adapters/evm, verify.ts) or the run (executeBlock.ts).
 */
import { contextOf, encodeInputs } from '../adapters/ethereumjs/context.ts'
import type { AmsterdamDialect } from '../adapters/evm/amsterdam.ts'
import { type DecodedBlock, decodeBlock } from '../adapters/evm/block.ts'
import { type ChainInput, type ResolvedChain, resolveChain } from '../adapters/evm/chain.ts'
import { BLOCK_ENV_WORDS, encodeBlockEnv, encodeTransaction, transactionWords } from '../adapters/evm/encode.ts'
import { type BlockEnds, encodeEnd, endsOf } from '../adapters/evm/ends.ts'
import { type ResolvedFees, resolveFees } from '../adapters/evm/feeOptions.ts'
import { isPriceable } from '../adapters/evm/fees.ts'
import { EvmFlag } from '../adapters/evm/flags.ts'
import { SPEC_AMSTERDAM, SPEC_CANCUN, SPEC_PARIS, specOf } from '../adapters/evm/forks.ts'
import { blockRewards, type Reward } from '../adapters/evm/rewards.ts'
import { ownParamsOf } from '../adapters/evm/standardParams.ts'
import type { Kernel } from '../adapters/revm/kernel.ts'
import { type BlockMismatch, InvalidInputError } from '../core/errors.ts'
import { readHex } from '../core/hex.ts'
import { Kind, locationOf } from '../core/location.ts'
import type { ExecuteBlockOptions } from './blockTypes.ts'
import type { Engine, Plan } from './engine.ts'
import { sendersOf } from './senders.ts'
import { verifyClaims } from './verify.ts'

/** Which EVM runs the transactions. */
export type AdapterName = 'revm' | 'ethereumjs'

/** A block and the rules that apply to it. */
export interface Decoded {
  readonly block: DecodedBlock
  readonly chain: ResolvedChain
  /** Bytes of the block's RLP, where it came so. */
  readonly size?: number
  /** True where contracts of the protocol that have no code make no block invalid: as @ethereumjs/vm has it. */
  readonly isTolerant?: boolean
}

/** A block decoded, its senders known, encoded for the kernel: what remains is to run it. */
export interface PreparedBlock {
  readonly block: DecodedBlock
  readonly chain: ResolvedChain
  readonly senders: readonly Uint8Array[]
  readonly plan: Plan
  /** False where `only: 'transactions'` was asked for. */
  readonly isWhole: boolean
  /** The work of the block's ends; empty where transactions alone run. */
  readonly ends: BlockEnds
  /** Roots of its lists that its header has wrong: told when it has run. */
  readonly mismatches: readonly BlockMismatch[]
  /** As in `Decoded`. */
  readonly isTolerant: boolean
  /** Who earns the priority fee, 20 bytes. */
  readonly feeRecipient: Uint8Array
}

/** Options of the wrong kind would be told by whatever stumbles over them first, inside a worker perhaps. */
export const checkOptions = (options: ExecuteBlockOptions): void => {
  const refuse = (option: string, wanted: string, value: unknown): never => {
    const given = value === null ? 'null' : typeof value
    throw new InvalidInputError('INVALID_OPTION', `${option} is ${wanted}, not ${given}`, { option })
  }
  if (typeof options !== 'object' || options === null) refuse('options', 'an object with a state', options)
  const { state, signal, onCommit, parent, parentTotalDifficulty } = options as Partial<ExecuteBlockOptions>
  if (!(state?.words instanceof Int32Array)) refuse('state', 'made by createMemoryState', state)
  if (signal !== undefined && typeof signal?.addEventListener !== 'function') refuse('signal', 'an AbortSignal', signal)
  if (onCommit !== undefined && typeof onCommit !== 'function') refuse('onCommit', 'a function', onCommit)
  if (parent !== undefined && (typeof parent !== 'object' || parent === null)) refuse('parent', 'a header', parent)
  if (parentTotalDifficulty !== undefined && typeof parentTotalDifficulty !== 'bigint') {
    refuse('parentTotalDifficulty', 'a bigint', parentTotalDifficulty)
  }
}

/**
 * Decodes the block and finds its rules: everything that can be known before a worker starts.
 *
 * @throws {InvalidInputError} INVALID_OPTION for a Common with parameters of its own, where the adapter is not the one that
 *   takes them; what `decodeBlock` and `resolveChain` throw
 */
export const decode = (
  block: unknown,
  options: Pick<ExecuteBlockOptions, 'chain' | 'parentTotalDifficulty'>,
  adapter: AdapterName,
): Decoded => {
  const own = adapter === 'revm' ? ownParamsOf(options.chain) : []
  if (own.length > 0) {
    const message = `the Common object has parameters of its own (${own.join(', ')}); the adapter 'ethereumjs' takes them`
    throw new InvalidInputError('INVALID_OPTION', message, { option: 'chain', parameters: own })
  }
  const decoded = decodeBlock(block)
  const { parentTotalDifficulty } = options
  const point = { ...decoded.header, ...(parentTotalDifficulty === undefined ? {} : { parentTotalDifficulty }) }
  const size = block instanceof Uint8Array ? { size: block.length } : {}
  return { block: decoded, chain: resolveChain(options.chain ?? 'mainnet', point), ...size }
}

/**
 * Checks what a block claims, finds its senders and the work of its ends, and lays its transactions out in words.
 *
 * @throws {InvalidInputError} for what cannot be used, or is not valid whatever the state is
 * @throws {BlockMismatchError} BLOCK_MISMATCH where the block breaks a rule
 */
export const prepareBlock = async (
  engine: Engine,
  kernel: Kernel,
  { block, chain, size, isTolerant = false }: Decoded,
  options: ExecuteBlockOptions,
  adapter: AdapterName = 'revm',
): Promise<PreparedBlock> => {
  // With a parent, a field that is missing is told here, with all that is wrong besides.
  const mismatches =
    options.only === undefined
      ? verifyClaims(block, options.chain ?? 'mainnet', chain, {
          ...options,
          ...(size === undefined ? {} : { size }),
          keccak256: (bytes) => kernel.keccak256(bytes),
          orderedRoot: (items) => kernel.orderedRoot(items),
        })
      : []
  checkHeader(block, chain)
  const { excessBlobGas } = block.header
  if (chain.blob !== undefined && excessBlobGas !== undefined && !isPriceable(excessBlobGas, chain.blob)) {
    throw new InvalidInputError('UNDECODABLE_BLOCK', `an excess of ${excessBlobGas} blob gas has no price`, {
      where: 'header',
      field: 'excessBlobGas',
    })
  }
  if (options.fees !== undefined) checkFeeRules(chain)
  const fees = resolveFees(options.fees, block)
  const ends = endsFor(block, chain, options)
  const senders = await sendersOf(engine, block.transactions, isFrom(chain, 'homestead'), options)
  const work =
    adapter === 'revm'
      ? wordsOf(block, chain, senders, fees)
      : foreignWordsOf(block, chain, senders, fees, options.chain ?? 'mainnet')
  const feeRecipient = new Int32Array(fees.priorityFeeRecipient.slice().buffer)
  const { state } = options
  const plan: Plan = {
    state,
    places: block.transactions.length,
    ...work,
    prologue: encodeEnd(ends.prologue),
    epilogue: encodeEnd(ends.epilogue),
    adapterFlags: isFrom(chain, 'spuriousDragon') ? EvmFlag.SpuriousDragon : 0,
    denseLocation: ({ table }) => locationOf(table.account(feeRecipient, 0), Kind.Balance),
  }
  return {
    block,
    chain,
    isWhole: options.only === undefined,
    senders,
    plan,
    ends,
    mismatches,
    isTolerant,
    feeRecipient: fees.priorityFeeRecipient,
  }
}

type Work = Pick<Plan, 'inputs' | 'offsets' | 'environment' | 'values'>

/** Transactions and environment as the EVM kernel reads them. */
const wordsOf = (
  block: DecodedBlock,
  chain: ResolvedChain,
  senders: readonly Uint8Array[],
  fees: ResolvedFees,
): Work => {
  const offsets = new Int32Array(block.transactions.length + 1)
  block.transactions.forEach((tx, k) => {
    offsets[k + 1] = offsets[k] + transactionWords(tx, fees.dataFee?.amounts[k])
  })
  const inputs = new Int32Array(offsets[block.transactions.length])
  block.transactions.forEach((tx, k) => {
    encodeTransaction(tx, senders[k] as Uint8Array, inputs, offsets[k], fees.dataFee?.amounts[k])
  })
  const environment = new Int32Array(BLOCK_ENV_WORDS)
  encodeBlockEnv(block.header, chain, environment, 0, fees)
  return { inputs, offsets, environment }
}

/** The same for an EVM that decodes its transactions itself. */
const foreignWordsOf = (
  block: DecodedBlock,
  chain: ResolvedChain,
  senders: readonly Uint8Array[],
  fees: ResolvedFees,
  input: ChainInput,
): Work => ({
  ...encodeInputs(block.transactions, senders),
  environment: new Int32Array(0),
  values: [contextOf(block, chain, input, fees)],
})

export const isFrom = (chain: ResolvedChain, fork: 'homestead' | 'spuriousDragon' | 'byzantium' | 'london'): boolean =>
  chain.spec >= specOf(fork)

/** What the block's ends do, by the option. */
const endsFor = (block: DecodedBlock, chain: ResolvedChain, { only, rewards }: ExecuteBlockOptions): BlockEnds => {
  if (only !== undefined && only !== 'transactions') {
    throw new InvalidInputError('INVALID_OPTION', `only is 'transactions' or absent, not ${String(only)}`, {
      option: 'only',
    })
  }
  if (only !== undefined) return { prologue: [], epilogue: [] }
  return endsOf(block, chain, rewards === undefined ? rewardsOf(block, chain) : checkedRewards(rewards))
}

const rewardsOf = ({ header, uncles }: DecodedBlock, { fork, spec }: ResolvedChain): readonly Reward[] => {
  if (spec >= SPEC_PARIS) return []
  if (uncles !== undefined) return blockRewards(header, uncles, fork)
  throw new InvalidInputError(
    'INVALID_OPTION',
    `block ${header.number} names its uncles by hash alone, so what it earns is not known: give \`rewards\`, or the block as RLP`,
    { option: 'rewards' },
  )
}

const checkedRewards = (rewards: readonly Reward[]): readonly Reward[] => {
  if (!Array.isArray(rewards)) {
    throw new InvalidInputError('INVALID_OPTION', 'rewards is not a list of { address, amount }', { option: 'rewards' })
  }
  return rewards.map((reward: Reward, k) => {
    const amount: unknown = reward?.amount
    if (typeof amount !== 'bigint' || amount < 0n || amount >= 1n << 256n) {
      throw new InvalidInputError('INVALID_OPTION', `rewards[${k}].amount is not a number of wei as a bigint`, {
        option: 'rewards',
      })
    }
    return { address: readHex(reward.address, 20, `rewards[${k}].address`), amount }
  })
}

/** Dialects whose log of a burn tells of the coinbase's fee, wherever it went. */
const BURN_LOGS: readonly unknown[] = ['bal-devnet-2', 'bal-devnet-4'] satisfies AmsterdamDialect[]

const checkFeeRules = ({ amsterdam }: ResolvedChain): void => {
  if (!BURN_LOGS.includes(amsterdam)) return
  throw new InvalidInputError(
    'INVALID_OPTION',
    `fees have no rules in ${amsterdam}: a self-destruct logs what it burns`,
    {
      option: 'fees',
      dialect: amsterdam,
    },
  )
}

/** Fields that the fork's rules need. */
const checkHeader = (block: DecodedBlock, chain: ResolvedChain): void => {
  const { header } = block
  const missing = (field: string): InvalidInputError =>
    new InvalidInputError('UNDECODABLE_BLOCK', `a ${chain.fork} block needs ${field} in its header`, {
      where: 'header',
      field,
    })
  if (isFrom(chain, 'london') && header.baseFeePerGas === undefined) throw missing('baseFeePerGas')
  if (chain.spec >= SPEC_CANCUN && header.excessBlobGas === undefined) throw missing('excessBlobGas')
  if (chain.spec >= SPEC_AMSTERDAM && header.slotNumber === undefined) throw missing('slotNumber')
}
