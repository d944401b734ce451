/**
 * Packs: many single-transaction tests in one block, so that parallel execution has something to be parallel about.
 *
 * *Disjoint* joins tests of equal block environment that share no account; each must leave exactly the accounts that
 * its own fixture says, but for the fee recipient. *Overlapping* joins tests that share addresses: their pre-states are
 * merged, the first test to name an account or slot decides, senders are given and nonces rewritten; no fixture says
 * what comes out, so parallel is compared with sequential, and since they conflict, there must be aborts.
 *
 * Transactions only are run, so that tests of system contracts and withdrawals are left out; so are tests that read
 * what joining changes (the block's gas limit, the fee recipient, earlier hashes), and those of Amsterdam, where the
 * price of state may hang on the block's gas limit.
 */
import { type BlockTransaction, type DecodedBlock, decodeBlock } from '../../evm.ts'
import { createMemoryState, type Executor, type Hex, type MemoryState } from '../../index.ts'
import { differencesOf, toHex } from '../digest.ts'
import { Exit } from '../run.ts'
import { errorLine, printable } from '../text.ts'
import { type Alloc, decodeFixture, type Fixture, type FixtureAccount } from './fixture.ts'
import { applyDiffs } from './importer.ts'
import { FixtureError } from './json.ts'
import { type NetworkRules, rulesOf } from './networks.ts'
import { accountDifference } from './runCase.ts'
import { readCases } from './sources.ts'

export interface PackOptions {
  readonly pack: 'disjoint' | 'overlapping'
  readonly json: boolean
  readonly signal: AbortSignal
}

/** A test that can be joined with others. */
interface PackMember {
  readonly name: string
  readonly fixture: Fixture
  readonly rules: NetworkRules
  readonly block: DecodedBlock
  readonly tx: BlockTransaction
  readonly sender: Hex
  readonly coinbase: Hex
  /** Equal for tests whose blocks have the same environment. */
  readonly environment: string
}

/** One block of many tests. */
interface Pack {
  readonly members: readonly PackMember[]
  /** Accounts before the block. */
  readonly pre: ReadonlyMap<Hex, FixtureAccount>
}

/** Transactions of one pack at most: more would make a failure hard to read and no pool busier. */
const MOST_MEMBERS = 500
/** Packs of fewer have nothing to overlap. */
const FEWEST_MEMBERS = 8
/** Of the joined block; what reads it is left out of disjoint packs. Some tests' own limits take 56 bits. */
const GAS_LIMIT = (1n << 63n) - 1n
/**
 * Overlapping packs are filled up to this by their own tests once more: short blocks end before a second worker wakes.
 */
const FILLED = 400
/** Most gas that a transaction of an overlapping pack may ask for: the limits of a whole block must add up. */
const MOST_TX_GAS = 1n << 25n
/** Gas that a test may use to be run more than once. */
const CHEAP = 2_000_000n
const STATE_BYTES = 2 ** 28

/** Opcodes that read what joining changes: BLOCKHASH, COINBASE, GASLIMIT. */
const READS_BLOCK: ReadonlySet<number> = new Set([0x40, 0x41, 0x45])
const PUSH1 = 0x60
const PUSH32 = 0x7f

/** Addresses that other tests call one after another, to see that no precompile is there. */
const SMALL = /^0x0{36}/

/** The contracts that system calls run (EIP-4788, 2935, 7002, 7251) and the deposit contract (EIP-6110). */
const SYSTEM: ReadonlySet<string> = new Set([
  '0x000f3df6d732807ef1319fb7b8bb8522d0beac02',
  '0x0000f90827f1c53a10cb7a02335b175320002935',
  '0x00000961ef480eb55e80d19ad83579a64c007002',
  '0x0000bbddc7ce488642fb579f8b00f3a590007251',
  '0x00000000219ab540356cbb839cbe05303d7705fa',
])

/** What one pack did. */
interface PackReport {
  readonly transactions: number
  readonly aborts: number
  readonly executions: number
  /** In words; empty where everything is right. */
  readonly failures: readonly string[]
}

/** Runs the packs of the files; returns the exit code. */
export async function runPack(
  executor: Executor,
  files: readonly string[],
  options: PackOptions,
  unusable: (error: FixtureError) => void,
): Promise<Exit> {
  const groups = new Map<string, PackMember[]>()
  let left = 0
  let broken = 0
  for (const file of files) {
    try {
      for await (const { source, line, name, test } of readCases(file)) {
        if (options.signal.aborted) return Exit.Interrupted
        const place = [source, line === undefined ? '' : `line ${line}`, `test ${name}`]
        const member = memberOf(name, decodeFixture(test, place), options.pack)
        if (member === undefined) left++
        else push(groups, member.environment, member)
      }
    } catch (error) {
      if (!(error instanceof FixtureError)) throw error
      broken++
      unusable(error)
    }
  }
  const began = performance.now()
  const total = { packs: 0, tests: 0, transactions: 0, executions: 0, aborts: 0, failed: 0 }
  for (const members of groups.values()) {
    const packs = options.pack === 'disjoint' ? disjointPacks(members) : overlappingPacks(members)
    for (const pack of packs) {
      if (options.signal.aborted) return Exit.Interrupted
      if (pack.members.length < FEWEST_MEMBERS) {
        left += pack.members.length
        continue
      }
      const report = await runOne(executor, pack, options)
      total.packs++
      total.tests += pack.members.length
      total.transactions += report.transactions
      total.executions += report.executions
      total.aborts += report.aborts
      total.failed += report.failures.length
      tell(pack, report, options.json)
    }
  }
  const ms = Math.round(performance.now() - began)
  const { packs, tests, transactions, executions, aborts, failed } = total
  print(
    options.json
      ? JSON.stringify({ summary: { pack: options.pack, ...total, left, workers: executor.workers, ms } })
      : `${packs} packs of ${tests} tests, ${transactions} transactions, ${executions} executions, ${aborts} aborts, ${failed} failures; ${left} tests left out; ${executor.workers} workers, ${(ms / 1000).toFixed(1)} s`,
  )
  if (broken > 0) return Exit.Unusable
  // One worker never meets an estimate or a stale value: it executes in order.
  const idle = options.pack === 'overlapping' && aborts === 0 && packs > 0 && executor.workers > 1
  if (idle) process.stderr.write('blockloom: overlapping packs ran without a single abort\n')
  return failed > 0 || idle ? Exit.Wrong : Exit.Right
}

function tell(pack: Pack, report: PackReport, json: boolean): void {
  const { network } = (pack.members[0] as PackMember).fixture
  const { transactions, executions, aborts, failures } = report
  if (json) {
    print(JSON.stringify({ pack: network, transactions, executions, aborts, failures }))
    return
  }
  print(`${network.padEnd(20)} ${`${transactions}`.padStart(5)} transactions  ${`${aborts}`.padStart(6)} aborts`)
  for (const failure of failures) print(`failed  ${printable(failure)}`)
}

/**
 * The test as a member of packs.
 *
 * @returns undefined where it cannot be one
 */
function memberOf(name: string, fixture: Fixture, kind: PackOptions['pack']): PackMember | undefined {
  const [only] = fixture.blocks
  if (only === undefined || fixture.blocks.length !== 1 || only.expectException !== undefined) return undefined
  if (fixture.postState === undefined) return undefined
  const sender = only.senders[0]
  const rules = rulesOf(fixture)
  if (sender === undefined || rules === undefined || rules.fork === 'amsterdam') return undefined
  const block = decodeBlock(only.rlp)
  const [tx] = block.transactions
  if (tx === undefined || block.transactions.length !== 1 || (block.withdrawals ?? []).length > 0) return undefined
  const coinbase = toHex(block.header.coinbase)
  // What comes out of an overlapping pack is compared with itself, so one environment is as good as another.
  const environment = kind === 'disjoint' ? environmentOf(fixture, block) : fixture.network
  const member = { name, fixture, rules, block, tx, sender, coinbase, environment }
  return kind === 'disjoint' ? (isSelfContained(member) ? member : undefined) : mayOverlap(tx) ? member : undefined
}

/** Authorisations move nonces of accounts that may be senders elsewhere; blobs are few in a block. */
const mayOverlap = ({ type }: BlockTransaction): boolean => type < 3

/** Everything of a header that a transaction can read, and the chain. */
function environmentOf({ network, chainId }: Fixture, { header }: DecodedBlock): string {
  const { number, timestamp, difficulty, baseFeePerGas, excessBlobGas } = header
  const numbers = [chainId, number, timestamp, difficulty, baseFeePerGas, excessBlobGas].map(String)
  return [network, ...numbers, toHex(header.coinbase), toHex(header.prevRandao)].join(' ')
}

/** True where nothing that joining changes can be seen by the test. */
function isSelfContained({ fixture, tx, coinbase, sender }: PackMember): boolean {
  const own = [...fixture.pre].filter(([address]) => !SYSTEM.has(address))
  if (fixture.pre.has(coinbase) || sender === coinbase) return false
  if (own.some(([address]) => SMALL.test(address))) return false
  const codes = [...own.map(([, { code }]) => code), ...(tx.to === undefined ? [tx.data] : [])]
  if (codes.some(readsBlock)) return false
  const named = [...codes, tx.data, tx.to ?? new Uint8Array(0), ...tx.authorizationList.map(({ address }) => address)]
  const texts = named.map((bytes) => Buffer.from(bytes).toString('hex'))
  const special = [...SYSTEM, coinbase].map((address) => address.slice(2).replace(/^(?:00)+/, ''))
  return !texts.some((text) => special.some((address) => text.includes(address)))
}

/** True where the code holds one of the opcodes, walked as code is: data of PUSH is stepped over. */
function readsBlock(code: Uint8Array): boolean {
  for (let at = 0; at < code.length; at++) {
    const opcode = code[at] ?? 0
    if (READS_BLOCK.has(opcode)) return true
    if (opcode >= PUSH1 && opcode <= PUSH32) at += opcode - PUSH1 + 1
  }
  return false
}

/** Puts each test into the first pack that has none of its accounts. */
function disjointPacks(members: readonly PackMember[]): Pack[] {
  const packs: { members: PackMember[]; pre: Map<Hex, FixtureAccount>; taken: Set<Hex>; blobs: number }[] = []
  for (const member of members) {
    const mine = accountsOf(member)
    const blobs = member.tx.blobVersionedHashes.length
    const limit = blobLimit(member)
    let pack = packs.find(
      ({ taken, members: its, blobs: used }) =>
        its.length < MOST_MEMBERS && used + blobs <= limit && mine.every((address) => !taken.has(address)),
    )
    if (pack === undefined) {
      pack = { members: [], pre: new Map(), taken: new Set(), blobs: 0 }
      packs.push(pack)
    }
    pack.members.push(member)
    pack.blobs += blobs
    for (const address of mine) pack.taken.add(address)
    for (const [address, account] of member.fixture.pre) pack.pre.set(address, account)
  }
  return packs
}

/** Blobs that a block of the test's fork may hold. */
function blobLimit({ fixture }: PackMember): number {
  return Math.max(0, ...[...fixture.blobSchedule.values()].map(({ max }) => max)) || 6
}

/** Every account that the test may touch, but for those that all tests have. */
function accountsOf({ fixture, tx, sender, coinbase }: PackMember): Hex[] {
  const addresses = new Set<Hex>([...fixture.pre.keys(), ...(fixture.postState ?? new Map()).keys(), sender])
  if (tx.to !== undefined) addresses.add(toHex(tx.to))
  return [...addresses].filter((address) => address !== coinbase && !SYSTEM.has(address) && !isPrecompile(address))
}

const isPrecompile = (address: Hex): boolean => BigInt(address) < 0x200n

/** Cuts the tests of a fork into packs, in order, and merges their pre-states. */
function overlappingPacks(members: readonly PackMember[]): Pack[] {
  const packs: Pack[] = []
  for (let from = 0; from < members.length; from += MOST_MEMBERS) {
    const part = members.slice(from, from + MOST_MEMBERS)
    const cheap = part.filter(({ block }) => (block.header.gasUsed ?? 0n) <= CHEAP)
    const pre = mergedPre(part)
    for (let at = 0; part.length < FILLED && cheap.length > 0; at++) part.push(cheap[at % cheap.length] as PackMember)
    packs.push({ members: part, pre })
  }
  return packs
}

/** Enough for every test's gas and value. */
const RICH = 1n << 200n

function mergedPre(members: readonly PackMember[]): Map<Hex, FixtureAccount> {
  const pre = new Map<Hex, FixtureAccount>()
  for (const { fixture } of members) {
    for (const [address, account] of fixture.pre) {
      const before = pre.get(address)
      if (before === undefined) {
        pre.set(address, account)
        continue
      }
      const storage = new Map([...account.storage, ...before.storage])
      pre.set(address, { ...before, code: before.code.length > 0 ? before.code : account.code, storage })
    }
  }
  // A sender has no code in its own test; where it has some in another's, it could not send (EIP-3607).
  for (const { sender } of members) {
    const account = pre.get(sender)
    pre.set(sender, { nonce: 0n, storage: new Map(), ...account, balance: RICH, code: new Uint8Array(0) })
  }
  return pre
}

/** The block of a pack, in the shape of JSON-RPC. */
function blockOf(pack: Pack, overlapping: boolean): { block: object; senders: Hex[] } {
  const { header } = (pack.members[0] as PackMember).block
  // Every test pays its own base fee, so each pays the lowest.
  let { baseFeePerGas } = header
  for (const { block } of pack.members) {
    const fee = block.header.baseFeePerGas
    if (fee !== undefined && baseFeePerGas !== undefined && fee < baseFeePerGas) baseFeePerGas = fee
  }
  const baseFee = baseFeePerGas === undefined ? {} : { baseFeePerGas }
  const nonces = new Map<Hex, bigint>()
  const transactions = pack.members.map(({ tx, sender }) => {
    const nonce = nonces.get(sender) ?? pack.pre.get(sender)?.nonce ?? 0n
    nonces.set(sender, nonce + 1n)
    const { signature: _, maxFeePerGas, ...rest } = tx
    const gasLimit = overlapping && tx.gasLimit > MOST_TX_GAS ? MOST_TX_GAS : tx.gasLimit
    return { ...rest, nonce, gasLimit, ...(tx.type < 2 ? { gasPrice: maxFeePerGas } : { maxFeePerGas }) }
  })
  return {
    block: { ...header, ...baseFee, gasLimit: GAS_LIMIT, transactions },
    senders: pack.members.map(({ sender }) => sender),
  }
}

async function runOne(executor: Executor, pack: Pack, options: PackOptions): Promise<PackReport> {
  const first = pack.members[0] as PackMember
  const state = stateOf(pack, executor)
  const { block, senders } = blockOf(pack, options.pack === 'overlapping')
  const run = { state, chain: first.rules.chain, senders, signal: options.signal, only: 'transactions' as const }
  try {
    const parallel = await executor.executeBlock(block, { ...run, speculation: 'always' })
    const { executions, aborts, fallback } = parallel.run
    const failures = fallback > 0 ? [`${fallback} transactions took the fallback`] : []
    const sequential = await executor.executeBlock(block, { ...run, sequential: true })
    for (const { name, where } of differencesOf(sequential, parallel)) {
      failures.push(`parallel and sequential differ in ${name} of ${where}`)
    }
    if (options.pack === 'disjoint') {
      const after = applyDiffs(pack.pre, [parallel.stateDiff], (bytes) => executor.keccak256(bytes))
      failures.push(...pack.members.flatMap((member) => postFailures(member, after)))
      failures.push(
        ...gasFailures(
          pack,
          parallel.receipts.map(({ gasUsed }) => gasUsed),
        ),
      )
    }
    return { transactions: pack.members.length, aborts, executions, failures }
  } catch (error) {
    if (options.signal.aborted) throw error
    const failures = [`${first.fixture.network} pack of ${pack.members.length}: ${errorLine(error)}`]
    return { transactions: pack.members.length, aborts: 0, executions: 0, failures }
  }
}

/** Blocks that BLOCKHASH reaches back. */
const MOST_HASHES = 256n

/**
 * The state before the pack. Hashes of earlier blocks are made up: tests that read them are not compared with fixtures.
 */
function stateOf({ pre, members }: Pack, executor: Executor): MemoryState {
  const state = createMemoryState({ maxBytes: STATE_BYTES, keccak256: (bytes) => executor.keccak256(bytes) })
  for (const [address, { balance, nonce, code, storage }] of pre) {
    state.putAccount(address, { balance, nonce, ...(code.length > 0 ? { code } : {}) })
    for (const [key, value] of storage) state.putStorage(address, key, value)
  }
  const { number } = (members[0] as PackMember).block.header
  for (let back = 1n; back <= MOST_HASHES && back <= number; back++) {
    state.putBlockHash(number - back, `0x${(number - back + 1n).toString(16).padStart(64, '7')}`)
  }
  return state
}

/** What the test's own accounts should be and are not. */
function postFailures({ name, fixture, coinbase }: PackMember, after: Alloc): string[] {
  const addresses = new Set([...fixture.pre.keys(), ...(fixture.postState ?? new Map()).keys()])
  for (const address of addresses) {
    if (address === coinbase || SYSTEM.has(address) || isPrecompile(address)) continue
    const difference = accountDifference(fixture.postState?.get(address), after.get(address))
    if (difference !== undefined) return [`${name}: account ${address}: ${difference}`]
  }
  return []
}

/** The gas of each transaction is that of its own block. */
function gasFailures({ members }: Pack, used: readonly bigint[]): string[] {
  return members.flatMap(({ name, block }, index) =>
    used[index] === block.header.gasUsed
      ? []
      : [`${name}: gas used is ${used[index]}, should be ${block.header.gasUsed}`],
  )
}

function push<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}

const print = (text: string): void => void process.stdout.write(`${text}\n`)
