/**
 * A block that says something else than it should: every field that differs is told, with what it says and what it
 * should say, and nothing has happened to the state. The blocks are those of test/support/forkChain.ts, whose headers
 * @ethereumjs/vm computed, so that what is expected of a changed field is known: what stood there before.
 */
import { RLP } from '@ethereumjs/rlp'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HEADER_FIELDS } from '../../src/adapters/evm/block.ts'
import { blockRewards, type DecodedBlock, decodeBlock, parseGenesis } from '../../src/evm.ts'
import {
  type BlockMismatchError,
  type BlockResult,
  type ChainImporter,
  createExecutor,
  createMemoryState,
  type ExecuteBlockOptions,
  type Executor,
  type MemoryState,
  openChain,
  type ParallelExecutionError,
  stateRootOf,
} from '../../src/index.ts'
import { toHex } from '../support/evm.ts'
import { type ForkBlock, type ForkChain, makeForkChain } from '../support/forkChain.ts'

type Field = (typeof HEADER_FIELDS)[number]
type Header = Record<Field, Uint8Array>

/** One block of each form that a header has had: Frontier's, London's, Shanghai's, Cancun's, Prague's. */
const NUMBERS = [5, 17, 35, 50, 53, 57, 65] as const

const FRONTIER = 5
const PRAGUE = 57

/** Fields that say what they like: whoever makes the block chooses them. */
const FREE = new Set<Field>(['extraData', 'prevRandao'])
/** Fields that say what they like, and change what the block does. */
const TELLING = new Set<Field>(['coinbase', 'parentBeaconBlockRoot', 'timestamp', 'gasLimit'])
const INTEGERS = new Set<Field>([
  ...(['difficulty', 'number', 'gasLimit', 'gasUsed', 'timestamp'] as const),
  ...(['baseFeePerGas', 'blobGasUsed', 'excessBlobGas'] as const),
])

let executor: Executor
let chain: ForkChain
const standing = new Map<number, ChainImporter>()

/** A chain whose next block is block `number`. */
async function standAt(number: number): Promise<ChainImporter> {
  const importer = await openChain(executor, parseGenesis(chain.genesis))
  for (const { bytes } of chain.blocks.slice(0, number - 1)) await importer.import(bytes)
  // As the importer itself will, before it runs the next block.
  importer.state.putBlockHash(importer.head.header.number, importer.head.hash)
  return importer
}

beforeAll(async () => {
  executor = await createExecutor({ workers: 2, memoryLimit: 128 * 2 ** 20 })
  chain = await makeForkChain()
  for (const number of NUMBERS) standing.set(number, await standAt(number))
})
afterAll(() => executor.close())

const blockAt = (number: number): ForkBlock => chain.blocks[number - 1] as ForkBlock
const importerAt = (number: number): ChainImporter => standing.get(number) as ChainImporter

/** The block with some items of its header replaced. */
function altered(bytes: Uint8Array, change: (header: Header) => Partial<Header>): Uint8Array {
  const [items, ...body] = RLP.decode(bytes) as unknown as [Uint8Array[], ...Uint8Array[]]
  const header = Object.fromEntries(items.map((item, k) => [HEADER_FIELDS[k], item])) as Header
  return RLP.encode([Object.values({ ...header, ...change(header) }), ...body])
}

const integerOf = (bytes: Uint8Array): bigint => (bytes.length === 0 ? 0n : BigInt(toHex(bytes)))
const bytesOf = (value: bigint): Uint8Array => {
  const hex = value.toString(16)
  return value === 0n
    ? new Uint8Array(0)
    : Uint8Array.from(Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex'))
}

const flipped = (bytes: Uint8Array, at: number, mask: number): Uint8Array =>
  bytes.map((byte, k) => (k === at % bytes.length ? byte ^ mask : byte))

/** Runs a block on the chain without taking it. */
const tried = (
  importer: ChainImporter,
  block: unknown,
  options: Partial<ExecuteBlockOptions> = {},
): Promise<BlockResult> => {
  const { state, chain: rules, head } = importer
  const ancestry = { parent: head.header, parentTotalDifficulty: head.totalDifficulty }
  return executor.executeBlock(block, { state, chain: rules, ...ancestry, ...options })
}

const errorOf = (run: Promise<unknown>): Promise<ParallelExecutionError | undefined> =>
  run.then(
    () => undefined,
    (error: ParallelExecutionError) => error,
  )

/** The fields that an attempt was refused for; undefined where it was not refused. */
async function refusal(run: Promise<unknown>): Promise<BlockMismatchError['mismatches'] | undefined> {
  const error = await errorOf(run)
  if (error === undefined) return undefined
  expect(error).toMatchObject({ code: 'BLOCK_MISMATCH', name: 'Blockloom.BlockMismatchError' })
  return (error as BlockMismatchError).mismatches
}

const fieldsOf = (mismatches: BlockMismatchError['mismatches'] | undefined) => mismatches?.map(({ field }) => field)

describe('one field of the header is another', () => {
  const change = fc.record({
    number: fc.constantFrom(...NUMBERS),
    field: fc.constantFrom(...HEADER_FIELDS),
    at: fc.nat(255),
    mask: fc.integer({ min: 1, max: 255 }),
    delta: fc.integer({ min: 1, max: 1 << 20 }),
  })

  test('it is told, with both values, and nothing else is; the right block still comes out', async () => {
    await fc.assert(
      fc.asyncProperty(change, async ({ number, field, at, mask, delta }) => {
        const importer = importerAt(number)
        const { bytes } = blockAt(number)
        const right = decodeBlock(bytes).header[field]
        fc.pre(right !== undefined)
        const wrong = altered(bytes, (header) => ({
          [field]: INTEGERS.has(field)
            ? bytesOf(integerOf(header[field]) + BigInt(delta))
            : flipped(header[field], at, mask),
        }))
        const mismatches = await refusal(tried(importer, wrong))
        if (FREE.has(field) || (field === 'nonce' && number < 43)) {
          // The extra data of the first blocks of the DAO fork is no choice; none of those is here.
          expect(mismatches).toBe(undefined)
        } else if (TELLING.has(field)) {
          // What they change is what was computed from them.
          if (field === 'coinbase' || field === 'parentBeaconBlockRoot') {
            expect(fieldsOf(mismatches)).toContain('stateRoot')
          }
        } else {
          const told = mismatches?.find((mismatch) => mismatch.field === field)
          expect(told?.actual).toEqual(decodeBlock(wrong).header[field])
          // A value beyond a bound is told by the bound.
          if (typeof told?.expected !== 'string') expect(told?.expected).toEqual(right)
          // Another number may be of another fork, with other rules.
          if (field !== 'number') expect(fieldsOf(mismatches)).toEqual([field])
        }
        const { stateRoot } = await tried(importer, bytes)
        expect(toHex(stateRoot as Uint8Array)).toBe(blockAt(number).stateRoot)
      }),
      { numRuns: 150, seed: 4 },
    )
  })

  test.each(NUMBERS)('every field of block %i in turn: not one can be wrong unseen', async (number) => {
    const importer = importerAt(number)
    const { bytes } = blockAt(number)
    for (const field of HEADER_FIELDS) {
      const right = decodeBlock(bytes).header[field]
      if (right === undefined || FREE.has(field) || (field === 'nonce' && number < 43)) continue
      const wrong = altered(bytes, (header) => ({
        // As far as a value may go by the rules: the gas limit has room, so that it takes a large step.
        [field]: INTEGERS.has(field) ? bytesOf(integerOf(header[field]) + 100_000n) : flipped(header[field], 0, 1),
      }))
      const fields = fieldsOf(await refusal(tried(importer, wrong)))
      expect(fields, field).not.toBe(undefined)
      if (!TELLING.has(field)) expect(fields, field).toContain(field)
    }
  })
})

describe('more than one field', () => {
  test('all that break a rule are told at once, in the order of the header', async () => {
    const wrong = altered(blockAt(PRAGUE).bytes, (header) => ({
      parentHash: flipped(header.parentHash, 3, 1),
      ommersHash: flipped(header.ommersHash, 3, 1),
      difficulty: Uint8Array.of(1),
      number: bytesOf(BigInt(PRAGUE) + 1n),
      gasLimit: bytesOf(integerOf(header.gasLimit) * 2n),
      extraData: new Uint8Array(33),
      nonce: flipped(header.nonce, 7, 1),
      baseFeePerGas: bytesOf(integerOf(header.baseFeePerGas) + 1n),
      excessBlobGas: bytesOf(integerOf(header.excessBlobGas) + 1n),
    }))
    expect(fieldsOf(await refusal(tried(importerAt(PRAGUE), wrong)))).toEqual([
      ...['parentHash', 'ommersHash', 'difficulty', 'number', 'gasLimit', 'extraData', 'nonce'],
      ...['baseFeePerGas', 'excessBlobGas'],
    ])
  })

  test('all that execution gives are told at once, and the roots of lists with them', async () => {
    const fields = ['gasUsed', 'logsBloom', 'receiptsRoot', 'stateRoot', 'requestsHash'] as const
    const { bytes } = blockAt(PRAGUE)
    const wrong = altered(bytes, (header) => ({
      gasUsed: bytesOf(integerOf(header.gasUsed) - 1n),
      logsBloom: flipped(header.logsBloom, 200, 4),
      receiptsRoot: flipped(header.receiptsRoot, 0, 1),
      stateRoot: flipped(header.stateRoot, 0, 1),
      requestsHash: flipped(header.requestsHash, 0, 1),
      transactionsRoot: flipped(header.transactionsRoot, 0, 1),
      withdrawalsRoot: flipped(header.withdrawalsRoot, 0, 1),
    }))
    const error = (await errorOf(tried(importerAt(PRAGUE), wrong))) as BlockMismatchError
    expect(fieldsOf(error.mismatches)).toEqual(['transactionsRoot', 'withdrawalsRoot', ...fields])
    const right = decodeBlock(bytes).header
    for (const field of fields) {
      expect(error.mismatches.find((mismatch) => mismatch.field === field)?.expected).toEqual(right[field])
      expect(error.message).toContain(`${field} is `)
    }
    // Of a bloom, the message shows the part that differs.
    const bloom = toHex(decodeBlock(wrong).header.logsBloom as Uint8Array).slice(2)
    expect(error.message).toContain(
      `logsBloom is 0x...${bloom.slice(2 * 192, 2 * 224)}... (256 bytes, these from 192 on)`,
    )
  })

  test('a header without a field that its fork has is not complete', async () => {
    const [items, ...body] = RLP.decode(blockAt(PRAGUE).bytes) as unknown as [Uint8Array[], ...Uint8Array[]]
    const mismatches = await refusal(tried(importerAt(PRAGUE), RLP.encode([items.slice(0, -1), ...body])))
    expect(mismatches).toMatchObject([{ field: 'requestsHash', actual: undefined }])
  })
})

describe('what a refused block leaves behind', () => {
  /** The same accounts in a state of its own, whose trie is built from nothing. */
  function copyOf(state: MemoryState): MemoryState {
    const copy = createMemoryState({ keccak256: (bytes) => executor.keccak256(bytes) })
    for (const { address, balance, nonce, codeHash, storage } of state.accounts()) {
      const code = codeHash === undefined ? undefined : state.getCode(codeHash)
      copy.putAccount(address, {
        ...{ balance, nonce, storage: Object.fromEntries(storage) },
        ...(code === undefined ? {} : { code }),
      })
    }
    return copy
  }

  test.each([FRONTIER, 35, PRAGUE])('block %i with a wrong root: nothing is staged', async (number) => {
    const importer = await standAt(number)
    const { bytes } = blockAt(number)
    const head = importer.head
    const wrong = altered(bytes, (header) => ({ stateRoot: flipped(header.stateRoot, 9, 1) }))
    expect(fieldsOf(await refusal(importer.import(wrong)))).toEqual(['stateRoot'])
    expect(importer.head).toBe(head)
    expect(toHex(await stateRootOf(importer.state))).toBe(toHex(head.header.stateRoot as Uint8Array))
    // Something else than what was refused: the block's transactions without its ends.
    const part = await tried(importer, bytes, { only: 'transactions' })
    const copy = copyOf(importer.state)
    const refusedAgain = await refusal(importer.import(wrong))
    expect(fieldsOf(refusedAgain)).toEqual(['stateRoot'])
    for (const state of [copy, importer.state]) await state.apply(part.stateDiff)
    const root = toHex(await stateRootOf(copy))
    expect(toHex(await stateRootOf(importer.state))).toBe(root)
    expect(root).not.toBe(blockAt(number).stateRoot)
  })

  test('after any number of refusals the chain goes on', async () => {
    const importer = await standAt(55)
    for (const { bytes, stateRoot } of chain.blocks.slice(54, 60)) {
      for (const field of ['parentHash', 'stateRoot', 'requestsHash'] as const) {
        const wrong = altered(bytes, (header) => ({ [field]: flipped(header[field], 30, 128) }))
        expect(fieldsOf(await refusal(importer.import(wrong, { speculation: 'always' })))).toEqual([field])
      }
      await importer.import(bytes, { speculation: 'always' })
      expect(toHex(importer.head.header.stateRoot as Uint8Array)).toBe(stateRoot)
    }
  })
})

describe('what is compared, by the options', () => {
  const allWrong = (number: number): Uint8Array =>
    altered(blockAt(number).bytes, (header) => ({
      parentHash: flipped(header.parentHash, 0, 1),
      stateRoot: flipped(header.stateRoot, 0, 1),
      receiptsRoot: flipped(header.receiptsRoot, 0, 1),
      transactionsRoot: flipped(header.transactionsRoot, 0, 1),
      logsBloom: flipped(header.logsBloom, 0, 1),
      gasUsed: bytesOf(integerOf(header.gasUsed) + 1n),
    }))

  test.each([FRONTIER, PRAGUE])('block %i, only: transactions: nothing', async (number) => {
    const result = await tried(importerAt(number), allWrong(number), { only: 'transactions' })
    expect([result.stateRoot, result.requests, result.requestsHash]).toEqual([undefined, undefined, undefined])
    expect(result.gasUsed).toBe(decodeBlock(blockAt(number).bytes).header.gasUsed)
  })

  test('stateRoot: false: all but the root of the state', async () => {
    const { bytes } = blockAt(PRAGUE)
    const importer = importerAt(PRAGUE)
    const noRoot = altered(bytes, (header) => ({ stateRoot: flipped(header.stateRoot, 0, 1) }))
    const result = await tried(importer, noRoot, { stateRoot: false })
    expect(result.stateRoot).toBe(undefined)
    expect(result.receiptsRoot).toEqual(decodeBlock(bytes).header.receiptsRoot)
    const noReceipts = altered(noRoot, (header) => ({ receiptsRoot: flipped(header.receiptsRoot, 0, 1) }))
    expect(fieldsOf(await refusal(tried(importer, noReceipts, { stateRoot: false })))).toEqual(['receiptsRoot'])
  })

  test('before Byzantium receipts hold roots: compared with them, left out without them', async () => {
    const { bytes } = blockAt(FRONTIER)
    const importer = importerAt(FRONTIER)
    const right = decodeBlock(bytes).header
    const wrong = altered(bytes, (header) => ({ receiptsRoot: flipped(header.receiptsRoot, 0, 1) }))
    expect(await refusal(tried(importer, wrong))).toMatchObject([
      { field: 'receiptsRoot', expected: right.receiptsRoot },
    ])
    const { receiptsRoot, receipts } = await tried(importer, wrong, { stateRoot: false })
    expect(receiptsRoot).toBe(undefined)
    expect(receipts.length).toBeGreaterThan(8)
    const gas = altered(wrong, (header) => ({ gasUsed: bytesOf(integerOf(header.gasUsed) - 1n) }))
    expect(fieldsOf(await refusal(tried(importer, gas, { stateRoot: false })))).toEqual(['gasUsed'])
  })
})

describe('JSON blocks', () => {
  /** As JSON-RPC gives a block: uncles by hash. The header says no more than running it takes. */
  const jsonOf = ({ header, uncles = [] }: DecodedBlock) => ({
    number: header.number,
    timestamp: header.timestamp,
    gasLimit: header.gasLimit,
    difficulty: header.difficulty,
    miner: toHex(header.coinbase),
    mixHash: toHex(header.prevRandao),
    uncles: uncles.map((_, k) => `0x${`${k}`.repeat(64)}`),
    transactions: [],
  })

  test('uncles by hash, without rewards: it says what to give; with them it runs', async () => {
    const importer = importerAt(FRONTIER)
    const { state, chain: rules } = importer
    const decoded = decodeBlock(blockAt(FRONTIER).bytes)
    expect(decoded.uncles).toHaveLength(2)
    const block = jsonOf(decoded)
    const error = await errorOf(executor.executeBlock(block, { state, chain: rules }))
    expect(error).toMatchObject({ code: 'INVALID_OPTION', fields: { option: 'rewards' } })
    expect(error?.message).toMatch(/block 5 names its uncles by hash alone.*`rewards`.*RLP/)
    const rewards = blockRewards(decoded.header, decoded.uncles ?? [], 'dao')
    const { stateDiff } = await executor.executeBlock(block, { state, chain: rules, rewards })
    const paid = stateDiff.accounts.map(
      ({ address, balance = 0n }) => balance - (state.getAccount(address)?.balance ?? 0n),
    )
    // Five ether and a thirty-second for each uncle; the two siblings get seven and six eighths.
    const ether = 10n ** 18n
    expect(paid.sort()).toEqual([(5n * ether * 34n) / 32n, (5n * ether * 7n) / 8n, (5n * ether * 6n) / 8n].sort())
  })
})
