/**
 * The work behind `npm run crosscheck`: real blocks and consensus tests with both adapters, told and written as a page.
 *
 * Both EVMs have nothing in common but the engine: what they agree in is no slip of one of them.
 * All of it takes more than an hour, so it can be run in pieces: what a piece prints with `--json` holds all that the page
 * says of it (pieces.ts).
 */
import { readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { InvalidInputError } from '../../index.ts'
import { readBlockFile } from '../blockFile.ts'
import { runConformance } from '../conformance/conformance.ts'
import type { Summary, ToldCase } from '../conformance/report.ts'
import { Exit, type Source } from '../run.ts'
import { printable } from '../text.ts'
import { type CrossRunOptions, crossRun } from './blocks.ts'
import { KNOWN_FAULTS } from './faults.ts'
import { crosscheckPage } from './page.ts'
import { type Shard, shardLine } from './pieces.ts'

export interface CrosscheckOptions extends Omit<CrossRunOptions, 'senders' | 'speculation'> {
  /** Block files and folders of them. */
  readonly blocks: readonly string[]
  /** Fixtures and folders of them, as for `conformance`. */
  readonly fixtures: readonly string[]
  /** Runs each so-many-th block; of the cases as `conformance` does. */
  readonly every: number
  /** Which blocks and cases of these: all where there is one shard. */
  readonly shard: Shard
  readonly docs: string | undefined
}

/** @returns the exit code; `Exit.Interrupted` as soon as the signal is aborted */
export async function runCrosscheck(options: CrosscheckOptions): Promise<Exit> {
  const { every, shard, workers, json, signal, docs } = options
  const files = (await blockFiles(options.blocks))
    .filter((_, k) => k % every === 0)
    .filter((_, k) => k % shard.of === shard.number - 1)
  const sources = files.map((path): Source => ({ name: path, load: () => readBlockFile(path) }))
  const blocks = await crossRun(sources, { ...options, speculation: 'always', senders: 'recover' })
  if (blocks.code === Exit.Interrupted) return Exit.Interrupted
  let told: { readonly summary: Summary; readonly others: readonly ToldCase[] } | undefined
  const cases =
    options.fixtures.length === 0
      ? Exit.Right
      : await runConformance(options.fixtures, {
          ...{ adapter: 'both', workers, json, every, signal, pack: undefined, docs: undefined, amsterdam: undefined },
          shard,
          onEnd: (summary, others) => {
            told = { summary, others }
          },
        })
  if (cases === Exit.Interrupted) return Exit.Interrupted
  const unusable = sources.length - blocks.results.length
  if (json) process.stdout.write(`${shardLine(shard, every, unusable)}\n`)
  else for (const line of faultLines()) process.stdout.write(`${line}\n`)
  if (docs !== undefined) {
    const failures = told?.others.filter(({ status }) => status === 'failed') ?? []
    await writeFile(docs, crosscheckPage({ blocks: blocks.results, summary: told?.summary, failures, every, unusable }))
  }
  return Math.max(blocks.code, cases) as Exit
}

const faultLines = (): string[] =>
  KNOWN_FAULTS.map(({ cases, field, why }) => printable(`ethereumjs is wrong: ${field} in ${cases.source}: ${why}`))

/**
 * Files by their numbers; a folder is looked through, without what lies deeper.
 *
 * @throws {InvalidInputError} INVALID_OPTION for a folder without any
 */
async function blockFiles(paths: readonly string[]): Promise<string[]> {
  const files: string[] = []
  for (const path of paths) {
    if (!(await stat(path)).isDirectory()) files.push(path)
    else {
      const names = (await readdir(path)).filter((name) => /\.json(?:\.gz)?$/.test(name))
      if (names.length === 0) {
        throw new InvalidInputError('INVALID_OPTION', `${path} holds no .json or .json.gz`, { option: 'blocks' })
      }
      const numberOf = (name: string): number => Number.parseInt(name, 10)
      files.push(...names.sort((a, b) => numberOf(a) - numberOf(b)).map((name) => join(path, name)))
    }
  }
  return files
}
