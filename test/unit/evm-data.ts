/** The data set of ../shared/data, as far as the tests of src/adapters/evm read it; tests skip where it is absent. */

import { createReadStream, existsSync, readdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { createGunzip, gunzipSync } from 'node:zlib'
import type { ForkName } from '../../src/adapters/evm/forks.ts'

const data = new URL('../../../shared/data/', import.meta.url)

/** A block as an RPC node returns it, as far as the tests look inside. */
interface RpcBlock {
  readonly [name: string]: unknown
  readonly hash: string
  readonly number: string
  readonly timestamp: string
  readonly uncles: readonly string[]
  readonly transactions: readonly Readonly<Record<string, unknown>>[]
}

/** An account before or after a block, as far as the tests look at it. */
interface StoredAccount {
  readonly balance: string
}

/** One file of data/blocks. */
export interface BlockFile {
  readonly name: string
  readonly fork: ForkName
  readonly block: RpcBlock
  readonly pre: Readonly<Record<string, StoredAccount>>
  /** What an archive node says of the state after the block, where it was asked. */
  readonly post?: Readonly<Record<string, StoredAccount>>
}

/** The real blocks by file name, oldest first; empty where the data is absent. */
export function realBlocks(): BlockFile[] {
  const folder = new URL('blocks/', data)
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
    .map((name) => ({ name, ...JSON.parse(gunzipSync(readFileSync(new URL(name, folder))).toString()) }) as BlockFile)
}

/** RLP of 600 consecutive blocks of a test chain with all transaction types; undefined where absent. */
export function gethChain(): Uint8Array | undefined {
  const file = new URL('chain/geth-600/chain.rlp', data)
  return existsSync(file) ? readFileSync(file) : undefined
}

/** The last of these blocks, as go-ethereum prints it. */
export function gethHeadBlock(): Readonly<Record<string, unknown>> {
  return JSON.parse(readFileSync(new URL('chain/geth-600/headblock.json', data), 'utf8'))
}

/** A consensus test, as far as decoding looks at it. */
export interface ConsensusTest {
  readonly name: string
  readonly test: {
    readonly network: string
    readonly config?: { readonly blobSchedule?: Readonly<Record<string, Readonly<Record<string, string>>>> }
    readonly genesisRLP: string
    readonly blocks: readonly ConsensusBlock[]
  }
}

/** A block of a consensus test. */
interface ConsensusBlock {
  readonly rlp: string
  /** Present where the block is not valid: what is wrong, in the words of the suite. */
  readonly expectException?: string
  readonly blockHeader?: { readonly hash: string }
}

/** The genesis of the chain of 600 blocks. */
export function gethGenesis(): string {
  return readFileSync(new URL('chain/geth-600/genesis.json', data), 'utf8')
}

/** True where the consensus tests are there. */
export const hasConsensusTests = existsSync(new URL('consensus/', data))

/** The tests of one file of data/consensus, one by one, since a file has more than a hundred megabytes. */
export async function* consensusTests(file: string): AsyncGenerator<ConsensusTest> {
  const input = createReadStream(new URL(`consensus/${file}.jsonl.gz`, data)).pipe(createGunzip())
  for await (const line of createInterface({ input })) yield JSON.parse(line)
}
