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
import {
  BLOCK_ENV_WORDS,
  encodeBlockEnv,
  encodeSender,
  encodeTransaction,
  transactionWords,
} from '../adapters/evm/encode.ts'
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
import { badOption, checkFlags } from '../core/options.ts'
import type { ExecuteBlockOptions } from './blockTypes.ts'
import type { Engine } from './engine.ts'
import { feeLocation } from './locate.ts'
import type { Plan } from './plan.ts'
import { rowsToOne } from './rows.ts'
import { checkRunOptions } from './runOptions.ts'
import { sendersOf } from './senders.ts'
import type { Asked } from './signatures.ts'
import { isQueues, isSpread } from './spread.ts'
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
  /** Its signers, where somebody has asked for them already, who then lets them go. */
  readonly asked?: Asked | undefined
}

/** A block decoded, its senders known, encoded for the kernel: what remains is to run it. */
export interface PreparedBlock {
  readonly block: DecodedBlock
  /** Its rules. */
  readonly chain: ResolvedChain
  /** By transaction, 20 bytes each. */
  readonly senders: readonly Uint8Array[]
  /** The same as words. */
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

/** @throws {InvalidInputError} INVALID_OPTION for options of the wrong kind */
export const checkOptions = (options: ExecuteBlockOptions): void => {
  const refuse = (option: string, wanted: string, value: unknown): never => {
    throw badOption(option, `${option} is ${wanted}, not ${value === null ? 'null' : typeof value}`)
  }
  if (typeof options !== 'object' || options === null) refuse('options', 'an object with a state', options)
  const { state, onCommit, parent, parentTotalDifficulty } = options as Partial<ExecuteBlockOptions>
  if (!(state?.words instanceof Int32Array)) refuse('state', 'made by createMemoryState', state)
  checkRunOptions(options)
  checkFlags(options, 'stateRoot', 'placeDiffs')
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
  return withRules(decodeBlock(block), block instanceof Uint8Array ? block.length : undefined, options)
}

/** A decoded block with its rules; `size` as in `Decoded`. */
export const withRules = (
  block: DecodedBlock,
  size: number | undefined,
  { chain = 'mainnet', parentTotalDifficulty }: Pick<ExecuteBlockOptions, 'chain' | 'parentTotalDifficulty'>,
): Decoded => {
  const point = { ...block.header, ...(parentTotalDifficulty === undefined ? {} : { parentTotalDifficulty }) }
  return { block, chain: resolveChain(chain, point), ...(size === undefined ? {} : { size }) }
}

/**
 * Checks what a block claims, finds its senders and the work of its ends, and lays its transactions out in words. All
 * that can be done without the senders comes before them: workers look for them meanwhile.
 *
 * @throws {InvalidInputError} for what cannot be used, or is not valid whatever the state is
 * @throws {BlockMismatchError} BLOCK_MISMATCH where the block breaks a rule
 */
export const prepareBlock = async (
  engine: Engine,
  kernel: Kernel,
  { block, chain, size, isTolerant = false, asked }: Decoded,
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
  const withSenders =
    adapter === 'revm' ? wordsOf(block, chain, fees) : foreignWordsOf(block, chain, fees, options.chain ?? 'mainnet')
  const senders = await sendersOf(engine, block.transactions, isFrom(chain, 'homestead'), options, asked)
  const work = withSenders(senders)
  const feeRecipient = new Int32Array(fees.priorityFeeRecipient.slice().buffer)
  const { state } = options
  const plan: Plan = {
    state,
    places: block.transactions.length,
    ...work,
    prologue: encodeEnd(ends.prologue),
    epilogue: encodeEnd(ends.epilogue),
    adapterFlags: isFrom(chain, 'spuriousDragon') ? EvmFlag.SpuriousDragon : 0,
    denseLocation: ({ table }) => feeLocation(table, feeRecipient),
    reserves: adapter === 'revm' && isSpread(block.transactions, senders),
    isLight: adapter === 'revm' && gasOf(block) <= LIGHT_GAS,
    isQueues: adapter === 'revm' && isQueues(senders, gasOf(block)),
    early: longPlaces(block),
    rows: rowsToOne(block.transactions),
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
/** What remains to be done once the senders are known. */
type WithSenders = (senders: readonly Uint8Array[]) => Work

/**
 * Gas up to which a block may be over in a millisecond. The first worker looks at its pace before it decides, so that
 * the others come a few transactions late where the block takes longer.
 */
const LIGHT_GAS = 10_000_000n

/** Gas limit from which a transaction may take long, and the part of the block's gas that it then allows. */
const LONG_GAS = 2_000_000n
const LONG_PART = 16n
/** A limit is a weak hint: so many at most are begun for it. */
const MOST_BY_LIMIT = 4

/** Places whose gas limits allow them a good part of the block, the largest first. */
const longPlaces = (block: DecodedBlock): number[] => {
  const gas = gasOf(block)
  if (gas < LONG_GAS) return []
  return block.transactions
    .map(({ gasLimit }, index) => ({ gasLimit, place: index + 1 }))
    .filter(({ gasLimit }) => gasLimit >= LONG_GAS && gasLimit * LONG_PART >= gas)
    .sort((a, b) => (a.gasLimit < b.gasLimit ? 1 : a.gasLimit > b.gasLimit ? -1 : a.place - b.place))
    .slice(0, MOST_BY_LIMIT)
    .map(({ place }) => place)
}

/** What the block claims to use; of one that claims nothing, what it may use. */
const gasOf = ({ header: { gasUsed = 0n }, transactions }: DecodedBlock): bigint =>
  gasUsed > 0n ? gasUsed : transactions.reduce((sum, { gasLimit }) => sum + gasLimit, 0n)

/** Transactions and environment as the EVM kernel reads them. */
const wordsOf = (block: DecodedBlock, chain: ResolvedChain, fees: ResolvedFees): WithSenders => {
  const offsets = new Int32Array(block.transactions.length + 1)
  block.transactions.forEach((tx, k) => {
    offsets[k + 1] = offsets[k] + transactionWords(tx, fees.dataFee?.amounts[k])
  })
  const inputs = new Int32Array(offsets[block.transactions.length])
  block.transactions.forEach((tx, k) => {
    encodeTransaction(tx, undefined, inputs, offsets[k], fees.dataFee?.amounts[k])
  })
  const environment = new Int32Array(BLOCK_ENV_WORDS)
  encodeBlockEnv(block.header, chain, environment, 0, fees)
  return (senders) => {
    senders.forEach((sender, k) => {
      encodeSender(sender, inputs, offsets[k])
    })
    return { inputs, offsets, environment }
  }
}

/** The same for an EVM that decodes its transactions itself. */
const foreignWordsOf = (
  block: DecodedBlock,
  chain: ResolvedChain,
  fees: ResolvedFees,
  input: ChainInput,
): WithSenders => {
  const values = [contextOf(block, chain, input, fees)]
  return (senders) => ({ ...encodeInputs(block.transactions, senders), environment: new Int32Array(0), values })
}

export const isFrom = (chain: ResolvedChain, fork: 'homestead' | 'spuriousDragon' | 'byzantium' | 'london'): boolean =>
  chain.spec >= specOf(fork)

/** What the block's ends do, by the option. */
const endsFor = (block: DecodedBlock, chain: ResolvedChain, { only, rewards }: ExecuteBlockOptions): BlockEnds => {
  if (only !== undefined && only !== 'transactions') {
    throw badOption('only', `only is 'transactions' or absent, not ${String(only)}`)
  }
  if (only !== undefined) return { prologue: [], epilogue: [] }
  return endsOf(block, chain, rewards === undefined ? rewardsOf(block, chain) : checkedRewards(rewards))
}

const rewardsOf = ({ header, uncles }: DecodedBlock, { fork, spec }: ResolvedChain): readonly Reward[] => {
  if (spec >= SPEC_PARIS) return []
  if (uncles !== undefined) return blockRewards(header, uncles, fork)
  const missing = `block ${header.number} names its uncles by hash alone, so what it earns is not known`
  throw badOption('rewards', `${missing}: give \`rewards\`, or the block as RLP`)
}

const checkedRewards = (rewards: readonly Reward[]): readonly Reward[] => {
  if (!Array.isArray(rewards)) {
    throw badOption('rewards', 'rewards is not a list of { address, amount }')
  }
  return rewards.map((reward: Reward, k) => {
    const amount: unknown = reward?.amount
    if (typeof amount !== 'bigint' || amount < 0n || amount >= 1n << 256n) {
      throw badOption('rewards', `rewards[${k}].amount is not a number of wei as a bigint`)
    }
    return { address: readHex(reward.address, 20, `rewards[${k}].address`), amount }
  })
}

/** Dialects whose log of a burn tells of the coinbase's fee, wherever it went. */
const BURN_LOGS: readonly unknown[] = ['bal-devnet-2', 'bal-devnet-4'] satisfies AmsterdamDialect[]

const checkFeeRules = ({ amsterdam }: ResolvedChain): void => {
  if (!BURN_LOGS.includes(amsterdam)) return
  throw badOption('fees', `fees have no rules in ${amsterdam}: a self-destruct logs what it burns`, {
    dialect: amsterdam,
  })
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
