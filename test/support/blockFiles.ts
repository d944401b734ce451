/** The real blocks of ../shared/data, loaded one at a time; tests skip with a message where they are absent. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { ForkName } from '../../src/adapters/evm/forks.ts'
import type { StateFile } from '../../src/index.ts'

const folder = new URL('../../../shared/data/blocks/', import.meta.url)

export const hasBlocks = existsSync(folder)

/** What an archive node says of an account after the block. */
interface PostAccount {
  readonly balance: string
  readonly nonce: string
  /** 32 zero bytes for an account that does not exist. */
  readonly code_hash: string
  readonly storage: Readonly<Record<string, string>>
}

export interface RealBlock extends StateFile {
  readonly block: {
    readonly number: string
    readonly miner: string
    readonly gasUsed: string
    readonly logsBloom: string
    readonly receiptsRoot: string
    readonly uncles: readonly string[]
    readonly withdrawals?: readonly { readonly address: string; readonly amount: string }[]
    readonly transactions: readonly { readonly from: string }[]
  }
  readonly fork: ForkName
  readonly post?: Readonly<Record<string, PostAccount>>
}

/** Block numbers, oldest first. */
export const blockNumbers: readonly number[] = hasBlocks
  ? readdirSync(folder)
      .map((name) => Number.parseInt(name, 10))
      .sort((a, b) => a - b)
  : []

export const loadBlock = (number: number): RealBlock =>
  JSON.parse(gunzipSync(readFileSync(new URL(`${number}.json.gz`, folder))).toString())
