/**
 * The work behind `npm run crosscheck`: real blocks and consensus tests with both adapters, told and written as a page.
 *
 * Both EVMs have nothing in common but the engine: what they agree in is no slip of one of them.
 */
import { readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { InvalidInputError } from '../../index.ts'
import { readBlockFile } from '../blockFile.ts'
import { runConformance } from '../conformance/conformance.ts'
import type { Summary, ToldCase } from '../conformance/report.ts'
import { Exit, type Source } from '../run.ts'
import { printable } from '../text.ts'
import { type CrossResult, type CrossRunOptions, crossRun } from './blocks.ts'
import { CHECK_ORDERS, KNOWN_FAULTS } from './faults.ts'

export interface CrosscheckOptions extends Omit<CrossRunOptions, 'senders' | 'speculation'> {
  /** Block files and folders of them. */
  readonly blocks: readonly string[]
  /** Fixtures and folders of them, as for `conformance`. */
  readonly fixtures: readonly string[]
  /** Runs each so-many-th block; of the cases as `conformance` does. */
  readonly every: number
  readonly docs: string | undefined
}

/** @returns the exit code; `Exit.Interrupted` as soon as the signal is aborted */
export async function runCrosscheck(options: CrosscheckOptions): Promise<Exit> {
  const { every, workers, json, signal, docs } = options
  const files = (await blockFiles(options.blocks)).filter((_, k) => k % every === 0)
  const sources = files.map((path): Source => ({ name: path, load: () => readBlockFile(path) }))
  const blocks = await crossRun(sources, { ...options, speculation: 'always', senders: 'recover' })
  if (blocks.code === Exit.Interrupted) return Exit.Interrupted
  let told: { readonly summary: Summary; readonly others: readonly ToldCase[] } | undefined
  const cases =
    options.fixtures.length === 0
      ? Exit.Right
      : await runConformance(options.fixtures, {
          ...{ adapter: 'both', workers, json, every, signal, pack: undefined, docs: undefined, amsterdam: undefined },
          onEnd: (summary, others) => {
            told = { summary, others }
          },
        })
  if (cases === Exit.Interrupted) return Exit.Interrupted
  if (!json) for (const line of faultLines()) process.stdout.write(`${line}\n`)
  if (docs !== undefined) await writeFile(docs, page(blocks.results, told, every))
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

/** The page docs/crosscheck.md. */
function page(
  blocks: readonly CrossResult[],
  cases: { readonly summary: Summary; readonly others: readonly ToldCase[] } | undefined,
  every: number,
): string {
  const differing = blocks.filter(({ difference }) => difference !== undefined)
  const txs = blocks.reduce((sum, block) => sum + block.txs, 0)
  const sample = every > 1 ? ` A sample: one in ${every}.` : ''
  const cell = (text: string): string => printable(text).replaceAll('|', '\\|')
  return [
    '# Cross-check',
    '',
    'Written by `npm run crosscheck`: every block with revm and with @ethereumjs/vm 10.1.3, both through the pool, with',
    `\`speculation: 'always'\`, compared by \`compareBlockResults\`.${sample}`,
    '',
    '## Real blocks',
    '',
    `${blocks.length - differing.length} of ${blocks.length} blocks agree, with ${txs} transactions.`,
    ...differing.map(({ number, difference }) => `- ${number}: ${difference?.field ?? ''}`),
    '',
    '## Consensus tests',
    '',
    ...(cases === undefined ? ['Not run.'] : casesPart(cases, cell)),
    '',
    '## What both reject, for different reasons',
    '',
    'Reasons are compared by class: funds, nonces, a field of the header. Blocks that break two rules at once may be told by',
    'either, and these are:',
    '',
    '| revm | ethereumjs | why |',
    '|---|---|---|',
    ...CHECK_ORDERS.map(({ revm, ethereumjs, why }) => `| \`${revm}\` | \`${ethereumjs}\` | ${cell(why)} |`),
    '',
    '## What ethereumjs gets wrong',
    '',
    ...(KNOWN_FAULTS.length === 0
      ? ['Nothing is known.']
      : [
          '| cases | field | why |',
          '|---|---|---|',
          ...KNOWN_FAULTS.map(
            ({ cases: names, field, why }) => `| \`${cell(names.source)}\` | ${cell(field)} | ${cell(why)} |`,
          ),
        ]),
    '',
  ].join('\n')
}

function casesPart(
  { summary, others }: { readonly summary: Summary; readonly others: readonly ToldCase[] },
  cell: (text: string) => string,
): string[] {
  const rows = Object.entries(summary.suites).flatMap(([suite, forks]) =>
    Object.entries(forks).map(
      ([fork, { passed, failed, skipped }]) =>
        `| ${cell(suite)} | ${cell(fork)} | ${passed} | ${failed} | ${skipped} |`,
    ),
  )
  const reasons = Object.entries(summary.reasons).map(([reason, count]) => `| ${count} | ${cell(reason)} |`)
  const failures = others.filter(({ status }) => status === 'failed')
  return [
    `${summary.passed} pass with both, ${summary.failed} do not, ${summary.skipped} are skipped; ${summary.blocks} blocks.`,
    '',
    '| suite | fork | agree | differ | skipped |',
    '|---|---|---|---|---|',
    ...rows,
    ...(reasons.length === 0 ? [] : ['', '| skipped | why |', '|---|---|', ...reasons]),
    ...(failures.length === 0 ? [] : ['', '### Cases that differ', '']),
    ...failures.map(({ network, name, reason }) => `- ${network}: \`${printable(name)}\`: ${cell(reason)}`),
  ]
}
