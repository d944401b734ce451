/**
 * Runs one fixture and says what came of it: passed, failed with the first difference, or skipped with the reason.
 */
import { decodeBlock } from '../../evm.ts'
import { type Hex, stateRootOf } from '../../index.ts'
import { toHex } from '../digest.ts'
import { allowedBy, mayBeAnUncles, reasonsOf } from './exceptions.ts'
import type { Alloc, Fixture, FixtureAccount, FixtureBlock } from './fixture.ts'
import { BlockTree, type ImporterOptions } from './importer.ts'
import type { NetworkRules } from './networks.ts'
import type { Reason } from './reasons.ts'

/** What came of a fixture, and what it cost. */
export interface CaseResult {
  readonly status: 'passed' | 'failed' | 'skipped'
  /** Why it failed or was skipped; empty where it passed. */
  readonly reason: string
  /** Blocks that were imported, transactions in them, and incarnations that were thrown away. */
  readonly blocks: number
  readonly transactions: number
  readonly aborts: number
}

/** Ends a case as failed. */
class Difference extends Error {
  override readonly name = 'Blockloom.Difference'
}

/** Counts of one case. */
interface Tally {
  blocks: number
  transactions: number
  aborts: number
  /** Blocks that are wrong in what an uncle says, which is not checked. */
  unclesNotChecked: number
}

/**
 * Runs a fixture.
 *
 * @param rules - of its chain; undefined where the chain's name is not known
 * @throws where the signal was aborted, and what is no verdict on the fixture: a full memory, a lost worker
 */
export async function runCase(
  fixture: Fixture,
  rules: NetworkRules | undefined,
  options: ImporterOptions,
): Promise<CaseResult> {
  const tally: Tally = { blocks: 0, transactions: 0, aborts: 0, unclesNotChecked: 0 }
  const end = (status: CaseResult['status'], reason: string): CaseResult => {
    const { blocks, transactions, aborts } = tally
    return { status, reason, blocks, transactions, aborts }
  }
  if (rules === undefined) return end('failed', `the chain ${fixture.network} is not known`)
  let tree: BlockTree | undefined
  try {
    tree = new BlockTree(fixture, options)
    same('genesis hash', tree.genesisHash, fixture.genesisHash)
    same('genesis state root', toHex(await stateRootOf(options.state)), fixture.genesisStateRoot)
    for (const [index, block] of fixture.blocks.entries()) await importOne(tree, block, index, tally)
    same('head', tree.head, fixture.lastBlockHash)
    if (fixture.postState !== undefined) comparePost(fixture.postState, tree.accountsAfter(tree.head))
    if (fixture.postStateHash !== undefined) {
      same('state root', tree.stateRootAfter(tree.head) ?? '0x', fixture.postStateHash)
    }
    if (tally.unclesNotChecked === 0) return end('passed', '')
    return end('skipped', 'what uncles say of themselves is not checked')
  } catch (error) {
    if (error instanceof Difference) return end('failed', error.message)
    throw error
  } finally {
    tree?.close()
  }
}

async function importOne(tree: BlockTree, block: FixtureBlock, index: number, tally: Tally): Promise<void> {
  const name = `block ${index}`
  const { expectException: expected } = block
  const { reasons, unknown } = allowedBy(expected ?? '')
  if (expected !== undefined && unknown.length > 0) {
    throw new Difference(`${name}: nothing is known of the exception ${unknown.join(', ')}`)
  }
  let imported: Awaited<ReturnType<BlockTree['add']>>
  try {
    imported = await tree.add(block.rlp)
  } catch (error) {
    const found = reasonsOf(error)
    if (found === undefined) throw error
    if (lacksTransactions(block) && found.has('header.transactionsRoot')) return
    const said = error instanceof Error ? error.message : String(error)
    if (expected === undefined) throw new Difference(`${name} is valid, but was rejected: ${said}`)
    if (![...found].some((reason) => (reasons as ReadonlySet<string>).has(reason))) {
      // What a block with a bad uncle says of its rewards is no better than the uncle.
      if (isOfAnUncle(block, reasons)) {
        tally.unclesNotChecked++
        return
      }
      throw new Difference(`${name}: expected ${expected}, but it was rejected for another reason: ${said}`)
    }
    return
  }
  if (expected !== undefined) {
    if (isOfAnUncle(block, reasons)) {
      tally.unclesNotChecked++
      tree.drop(imported.hash)
      return
    }
    throw new Difference(`${name}: expected ${expected}, but it was accepted`)
  }
  tally.blocks++
  tally.transactions += imported.transactions
  tally.aborts += imported.aborts
  if (imported.fallback > 0) {
    throw new Difference(`${name}: ${imported.fallback} of ${imported.transactions} transactions took the fallback`)
  }
  if (block.hash !== undefined) same(`${name}: hash`, imported.hash, block.hash)
}

function same(what: string, actual: Hex, expected: Hex): void {
  if (actual !== expected) throw new Difference(`${what} is ${actual}, should be ${expected}`)
}

/** Compares every account, field and slot, in the order of addresses. */
function comparePost(expected: Alloc, actual: Alloc): void {
  const difference = firstDifference(expected, actual)
  if (difference !== undefined) throw new Difference(`post-state: ${difference}`)
}

/**
 * Finds where two sets of accounts differ.
 *
 * @returns the first difference in words; undefined where they are equal
 */
function firstDifference(expected: Alloc, actual: Alloc): string | undefined {
  for (const address of [...new Set([...expected.keys(), ...actual.keys()])].sort()) {
    const difference = accountDifference(expected.get(address), actual.get(address))
    if (difference !== undefined) return `account ${address}: ${difference}`
  }
  return undefined
}

/** The same of one account; undefined stands for an account that does not exist. */
export function accountDifference(
  wanted: FixtureAccount | undefined,
  found: FixtureAccount | undefined,
): string | undefined {
  if (wanted === undefined) return found === undefined ? undefined : 'exists, should not'
  if (found === undefined) return 'does not exist, should'
  if (found.balance !== wanted.balance) return `balance is ${found.balance}, should be ${wanted.balance}`
  if (found.nonce !== wanted.nonce) return `nonce is ${found.nonce}, should be ${wanted.nonce}`
  if (Buffer.compare(found.code, wanted.code) !== 0) {
    return `code has ${found.code.length} bytes and differs from the ${wanted.code.length} that it should have`
  }
  for (const key of new Set([...wanted.storage.keys(), ...found.storage.keys()])) {
    const [is, should] = [found.storage.get(key) ?? 0n, wanted.storage.get(key) ?? 0n]
    if (is !== should) return `slot 0x${key.toString(16)} is 0x${is.toString(16)}, should be 0x${should.toString(16)}`
  }
  return undefined
}

/** True where a transaction that is not valid was left out of the block's RLP: its root cannot be right then. */
function lacksTransactions({ rlp, committed, expectException }: FixtureBlock): boolean {
  if (committed === undefined || expectException === undefined) return false
  try {
    return decodeBlock(rlp).transactions.length < committed
  } catch {
    return false
  }
}

/** True where the block has uncles, and what is expected of it may be wrong in one of them alone. */
function isOfAnUncle({ rlp }: FixtureBlock, reasons: ReadonlySet<Reason>): boolean {
  if (!mayBeAnUncles(reasons)) return false
  try {
    return (decodeBlock(rlp).uncles ?? []).length > 0
  } catch {
    return false
  }
}
