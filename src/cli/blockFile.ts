/**
 * Reads block files: `{ block, pre, codes, blockHashes, fork }` as JSON, plain or gzip.
 *
 * Owns the outer shape, so that everything behind it meets records where it expects records. What the values say is
 * checked where they are used: the block by its decoder, the fork by the chain, accounts and codes by the state.
 */
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { type ForkAlias, InvalidInputError, type StateFile } from '../index.ts'

/** A block with everything that its transactions touch. */
export interface BlockFile extends StateFile {
  /** As `eth_getBlockByNumber(n, true)` returns it; not decoded yet. */
  readonly block: unknown
  /** The rules it runs by; not known to be a fork yet. */
  readonly fork: ForkAlias
}

/** Text longer than this does not fit into a string of V8, so unpacking more only costs memory. */
const MOST_BYTES = 2 ** 29

/**
 * Reads one file.
 *
 * @throws {InvalidInputError} UNDECODABLE_BLOCK for a file of another shape, UNKNOWN_FORK for one without a fork;
 *   an error of Node with its own code where the file cannot be read
 */
export async function readBlockFile(path: string): Promise<BlockFile> {
  return asBlockFile(parse(await unpack(await readFile(path))))
}

/** The first two bytes tell: JSON begins with neither. */
async function unpack(bytes: Buffer): Promise<Buffer> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: MOST_BYTES })
  } catch (cause) {
    throw undecodable(`the gzip file cannot be unpacked: ${reasonOf(cause)}`, cause)
  }
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch (cause) {
    throw undecodable(`the file is neither JSON nor gzip: ${reasonOf(cause)}`, cause)
  }
}

function asBlockFile(file: unknown): BlockFile {
  if (!isRecord(file)) throw undecodable('the file is not an object with block, pre, codes, blockHashes and fork')
  const { block, pre, codes, blockHashes, fork } = file
  if (!isRecord(block)) throw undecodable('the file has no block')
  if (!isRecord(pre)) throw undecodable('the file has no pre, the accounts before the block')
  for (const [address, account] of Object.entries(pre)) {
    if (!isRecord(account)) throw undecodable(`pre.${address} is not an account`)
    if (!isRecord(account['storage'] ?? {})) throw undecodable(`pre.${address}.storage is not an object`)
  }
  if (!isRecord(codes ?? {})) throw undecodable('codes is not an object from hash to code')
  if (!isRecord(blockHashes ?? {})) throw undecodable('blockHashes is not an object from number to hash')
  if (typeof fork !== 'string') throw new InvalidInputError('UNKNOWN_FORK', 'the file does not name its fork')
  return file as unknown as BlockFile
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

const undecodable = (message: string, cause?: unknown): InvalidInputError =>
  new InvalidInputError('UNDECODABLE_BLOCK', message, { where: 'file' }, { cause })
