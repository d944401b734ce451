/** The page docs/crosscheck.md: what both adapters agree in, and what not. */
import type { Summary } from '../conformance/report.ts'
import { printable } from '../text.ts'
import type { CrossResult } from './blocks.ts'
import { CHECK_ORDERS, KNOWN_FAULTS } from './faults.ts'

/** A case that did not end alike, as far as the page tells of it. */
export interface Failure {
  readonly network: string
  readonly name: string
  readonly reason: string
}

/** What a cross-check came to, in one go or of all its pieces. */
export interface CrosscheckOutcome {
  readonly blocks: readonly Pick<CrossResult, 'number' | 'txs' | 'difference' | 'mismatches'>[]
  /** Undefined where no fixtures were run. */
  readonly summary: Omit<Summary, 'ms' | 'workers'> | undefined
  readonly failures: readonly Failure[]
  readonly every: number
  /** Blocks that could not be run. */
  readonly unusable: number
}

const cell = (text: string): string => printable(text).replaceAll('|', '\\|')

export function crosscheckPage({ blocks, summary, failures, every, unusable }: CrosscheckOutcome): string {
  const differing = blocks.filter(({ difference }) => difference !== undefined)
  const txs = blocks.reduce((sum, block) => sum + block.txs, 0)
  const sample = every > 1 ? ` A sample: one in ${every}.` : ''
  return [
    '# Cross-check',
    '',
    'Written by `npm run crosscheck`: every block with revm and with @ethereumjs/vm 10.1.3, both through the pool, with',
    `\`speculation: 'always'\`, compared by \`compareBlockResults\`.${sample}`,
    '',
    '## Real blocks',
    '',
    `${blocks.length - differing.length} of ${blocks.length} blocks agree, with ${txs} transactions.`,
    ...(unusable > 0 ? [`${unusable} could not be run.`] : []),
    ...differing.map(({ number, difference }) => `- ${number}: ${difference?.field ?? ''}`),
    ...blocks.flatMap(({ number, mismatches }) => mismatches.map((mismatch) => `- ${number}: ${mismatch}`)),
    '',
    '## Consensus tests',
    '',
    ...(summary === undefined ? ['Not run.'] : casesPart(summary, failures)),
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

function casesPart(summary: NonNullable<CrosscheckOutcome['summary']>, failures: readonly Failure[]): string[] {
  const rows = Object.entries(summary.suites).flatMap(([suite, forks]) =>
    Object.entries(forks).map(
      ([fork, { passed, failed, skipped }]) =>
        `| ${cell(suite)} | ${cell(fork)} | ${passed} | ${failed} | ${skipped} |`,
    ),
  )
  const reasons = Object.entries(summary.reasons).map(([reason, count]) => `| ${count} | ${cell(reason)} |`)
  const { passed, failed, skipped, blocks, unusable } = summary
  const unread = unusable > 0 ? `, ${unusable} could not be read` : ''
  return [
    `${passed} pass with both, ${failed} do not, ${skipped} are skipped${unread}; ${blocks} blocks.`,
    '',
    '| suite | fork | agree | differ | skipped |',
    '|---|---|---|---|---|',
    ...rows,
    ...(reasons.length === 0 ? [] : ['', '| skipped | why |', '|---|---|', ...reasons]),
    ...(failures.length === 0 ? [] : ['', '### Cases that differ, or that could not be run to their end', '']),
    ...failures.map(({ network, name, reason }) => `- ${network}: \`${printable(name)}\`: ${cell(reason)}`),
  ]
}
