/**
 * The work behind `chain`: imports the blocks of a file on top of a genesis, one after another, each checked whole.
 *
 * Stops at the first block that is not valid, and says which fields differ. Memory: the state, one block, and one piece
 * of the file.
 */
import { createReadStream, open, type Stats } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { type ChainEntry, parseGenesis, readChain } from '../evm.ts'
import {
  BlockMismatchError,
  type ChainImporter,
  createExecutor,
  type Executor,
  type ExecutorOptions,
  openChain,
  ParallelExecutionError,
} from '../index.ts'
import { toHex } from './digest.ts'
import { showProgress } from './progress.ts'
import { Exit } from './run.ts'
import { errorLine, printable } from './text.ts'

export interface ChainOptions {
  readonly adapter: NonNullable<ExecutorOptions['adapter']>
  /** Undefined for as many as there are cores. */
  readonly workers: number | undefined
  readonly speculation: 'auto' | 'always'
  readonly json: boolean
  readonly signal: AbortSignal
}

/** What the import came to: the last line, with `--json`. */
interface Summary {
  readonly blocks: number
  readonly txs: number
  /** Hash of the last block that was taken, or of the genesis. */
  readonly head: string
  readonly stateRoot: string
  readonly ms: number
  /** The block that was refused. */
  readonly failed?: BadBlock
}

interface BadBlock {
  readonly number: string
  readonly code: string
  /** Fields that differ, where that is what is wrong. */
  readonly fields: readonly string[]
  readonly message: string
}

/**
 * Imports a chain file and prints what came of it.
 *
 * @returns 1 where a block is not valid, 2 where a file cannot be used, `Exit.Interrupted` after the signal
 */
export async function importChain(genesisPath: string, chainPath: string, options: ChainOptions): Promise<Exit> {
  const { adapter, workers, signal } = options
  let path = genesisPath
  let executor: Executor | undefined
  try {
    const genesis = parseGenesis(await readFile(genesisPath, 'utf8'))
    executor = await createExecutor({ adapter, ...(workers === undefined ? {} : { workers }) })
    const chain = await openChain(executor, genesis)
    path = chainPath
    const summary = await importFile(chain, chainPath, options)
    if (signal.aborted) return Exit.Interrupted
    process.stdout.write(`${options.json ? JSON.stringify(summary) : account(summary)}\n`)
    if (summary.failed === undefined) return Exit.Right
    process.stderr.write(`blockloom: ${printable(chainPath)}: ${badBlockLine(summary.failed)}\n`)
    return Exit.Wrong
  } catch (error) {
    if (signal.aborted) return Exit.Interrupted
    process.stderr.write(`blockloom: ${printable(path)}: ${errorLine(error)}\n`)
    return Exit.Unusable
  } finally {
    await executor?.close()
  }
}

async function importFile(chain: ChainImporter, path: string, options: ChainOptions): Promise<Summary> {
  const { speculation, signal, json } = options
  const info = await stat(path)
  const source = await openChainFile(path, info, signal)
  const progress = showProgress(!json, 'chain', info.size, 'bytes')
  const began = performance.now()
  let blocks = 0
  let txs = 0
  let failed: BadBlock | undefined
  try {
    for await (const { length, expected } of expectedBlocks(chain, readChain(source))) {
      if (signal.aborted) break
      failed = await chain.import(expected, { speculation, signal }).then(
        ({ receipts }) => {
          blocks++
          txs += receipts.length
          return undefined
        },
        (error: unknown) => badBlock(chain, error),
      )
      if (failed !== undefined) break
      progress.step(length)
    }
  } finally {
    progress.stop()
    source.destroy()
  }
  const { hash, header } = chain.head
  return {
    blocks,
    txs,
    head: toHex(hash),
    stateRoot: toHex(header.stateRoot as Uint8Array),
    ms: Math.round(performance.now() - began),
    ...(failed === undefined ? {} : { failed }),
  }
}

/**
 * The blocks of a file, each read, and its signers asked for, while the one before it is imported. What is wrong with the
 * file is told when its place comes.
 */
async function* expectedBlocks(chain: ChainImporter, entries: AsyncIterator<ChainEntry>) {
  const read = async () => {
    const { value } = await entries.next()
    return value === undefined ? undefined : { length: value.bytes.length, expected: chain.expect(value.bytes) }
  }
  let next = read()
  try {
    for (let block = await next; block !== undefined; block = await next) {
      next = read()
      // Nobody listens until the block before it is through.
      next.catch(() => undefined)
      yield block
    }
  } finally {
    // It may never come: whoever opened the file closes it.
    next.then(
      (left) => left !== undefined && chain.forget(left.expected),
      () => undefined,
    )
  }
}

/**
 * Opens the blocks; the signal ends the stream with an error. A pipe is read as a socket: a read of node:fs that waits
 * for a writer cannot be taken back, and holds even `process.exit`.
 */
async function openChainFile(path: string, info: Stats, signal: AbortSignal): Promise<Readable> {
  if (!info.isFIFO()) return createReadStream(path, { signal })
  return new Socket({ fd: await promisify(open)(path, 'r'), readable: true, writable: false, signal })
}

/** What is wrong with the block that comes next. */
function badBlock(chain: ChainImporter, error: unknown): BadBlock {
  if (!(error instanceof ParallelExecutionError)) throw error
  const fields = error instanceof BlockMismatchError ? error.mismatches.map(({ field }) => field) : []
  const number = String(chain.head.header.number + 1n)
  return { number, code: error.code, fields, message: error.message }
}

const badBlockLine = ({ number, code, message }: BadBlock): string =>
  printable(`block ${number} is refused: ${code}: ${message}`)

function account({ blocks, txs, head, stateRoot, ms }: Summary): string {
  return `${blocks} blocks, ${txs} transactions in ${ms} ms\nhead       ${head}\nstate root ${stateRoot}`
}
