/**
 * Executing a block for `runBlock`, from the Block object to a result: again for each time that a run lacks hashes of
 * blocks, which only the VM's blockchain knows.
 */
import type { Block } from '@ethereumjs/block'
import type { VM } from '@ethereumjs/vm'
import { type DecodedBlock, decodeBlock } from '../../adapters/evm/block.ts'
import { resolveChain } from '../../adapters/evm/chain.ts'
import type { CommonLike } from '../../adapters/evm/forks.ts'
import { InvalidInputError } from '../../core/errors.ts'
import { messageOf } from '../../core/thrown.ts'
import type { SourceState } from '../../state/sourceState.ts'
import type { BlockResult, ExecuteBlockOptions, Senders } from '../blockTypes.ts'
import type { Executor } from '../executeBlock.ts'
import { isFrom, type PreparedBlock } from '../prepare.ts'
import type { ParallelRunBlockOptions } from './options.ts'
import { unlessAborted } from './stopping.ts'

/** A chain that is at the fork the VM is set to, whatever its own has at the block's number and time. */
const chainOf = ({ common }: VM): CommonLike =>
  Object.create(common, { getHardforkBy: { value: () => common.hardfork() } }) as CommonLike

/**
 * A block that claims nothing: what its header says of its lists is compared before (`validate`), if it is to be, and
 * what it says of the outcome afterwards, or generated.
 */
const withoutClaims = ({ header, ...body }: DecodedBlock): DecodedBlock => {
  const {
    gasUsed: _gas,
    logsBloom: _bloom,
    receiptsRoot: _receipts,
    stateRoot: _state,
    requestsHash: _requests,
    blockAccessListHash: _accesses,
    transactionsRoot: _transactions,
    withdrawalsRoot: _withdrawals,
    ommersHash: _ommers,
    blobGasUsed: _blobs,
    ...rest
  } = header
  return { ...body, header: rest }
}

/** Executes, again for each time that a run lacks hashes of blocks: all else it is given while it runs. */
export const execute = async (
  vm: VM,
  { fees, speculation, sequential, signal, block }: ParallelRunBlockOptions,
  executor: Executor,
  state: SourceState,
): Promise<{ prepared: PreparedBlock; result: BlockResult; passes: number }> => {
  const decoded = withoutClaims(decodeBlock(block))
  const common = chainOf(vm)
  const chain = resolveChain(common, decoded.header)
  const wanted: ExecuteBlockOptions = {
    state,
    chain: common,
    stateRoot: false,
    senders: sendersOf(block),
    placeDiffs: !isFrom(chain, 'byzantium'),
    ...(fees === undefined ? {} : { fees }),
    ...(speculation === undefined ? {} : { speculation }),
    ...(sequential === undefined ? {} : { sequential }),
    ...(signal === undefined ? {} : { signal }),
  }
  // Its size is a rule that `validate` has looked at.
  const prepared = await executor.prepareDecoded({ block: decoded, chain, size: 0, isTolerant: true }, wanted)
  for (let passes = 1; ; passes++) {
    try {
      return { prepared, result: await executor.runPrepared(prepared, wanted), passes }
    } catch (error) {
      if (!(error instanceof InvalidInputError) || error.code !== 'MISSING_BLOCK_HASH') throw error
      const number = BigInt(error.fields['blockNumber'] as string)
      await unlessAborted(() => putBlockHashes(vm, state, block.header.number, number, 2 ** (passes - 1)), signal)
    }
  }
}

/**
 * Signatures are recovered on the pool; a transaction that says itself who sent it is believed.
 *
 * @throws {InvalidInputError} MISSING_SENDER with the index
 */
const sendersOf = ({ transactions }: Block): Senders =>
  transactions.every((tx) => tx.isSigned() && !Object.hasOwn(tx, 'getSenderAddress'))
    ? 'recover'
    : transactions.map((tx, txIndex) => {
        try {
          return tx.getSenderAddress().bytes
        } catch (cause) {
          const message = `transaction ${txIndex} has no sender: ${messageOf(cause)}`
          throw new InvalidInputError('MISSING_SENDER', message, { txIndex }, { cause })
        }
      })

/** @throws {InvalidInputError} MISSING_BLOCK_HASH where the blockchain has none, or something else */
const hashOf = async (blockchain: VM['blockchain'], number: bigint): Promise<Uint8Array> => {
  let reason = 'a hash that is not 32 bytes'
  let cause: unknown
  try {
    const hash: unknown = (await blockchain.getBlock(Number(number))).hash()
    if (hash instanceof Uint8Array && hash.length === 32) return hash
  } catch (error) {
    cause = error
    reason = messageOf(error)
  }
  const message = `BLOCKHASH asks for block ${number}, and the VM's blockchain answered: ${reason}`
  throw new InvalidInputError('MISSING_BLOCK_HASH', message, { blockNumber: String(number), reason }, { cause })
}

/** Blocks before one whose hashes it can ask for. */
const HASHES = 256n

/**
 * Puts the hash of a block, and of up to `count` blocks around it where they can be had: a contract that asks for one
 * asks for others, and `count` doubles with each run that lacks one, so that there are few.
 */
const putBlockHashes = async (
  { blockchain }: VM,
  state: SourceState,
  current: bigint,
  wanted: bigint,
  count: number,
): Promise<void> => {
  state.putBlockHash(wanted, await hashOf(blockchain, wanted))
  const first = current > HASHES ? current - HASHES : 0n
  const others: bigint[] = []
  for (let distance = 1n; distance < HASHES && others.length < count - 1; distance++) {
    others.push(...[wanted - distance, wanted + distance].filter((number) => number >= first && number < current))
  }
  const put = async (number: bigint): Promise<void> => state.putBlockHash(number, await hashOf(blockchain, number))
  // Those that nobody has asked for need not be there.
  await Promise.allSettled(others.map(put))
}
