/** How a run of fixtures is told: a table by suite and fork, lines of JSON, and the page docs/conformance.md. */

import { shown } from './json.ts'
import type { CaseResult } from './runCase.ts'

/** One case and what came of it. */
export interface ToldCase extends CaseResult {
  readonly source: string
  readonly file: string
  readonly name: string
  readonly network: string
}

/** Counts of cases that belong together. */
export interface Counts {
  passed: number
  failed: number
  skipped: number
}

/** What a whole run came to. */
export interface Summary extends Counts {
  readonly blocks: number
  readonly transactions: number
  readonly aborts: number
  /** Files, lines and cases that could not be read. */
  readonly unusable: number
  readonly workers: number
  readonly ms: number
  readonly suites: Readonly<Record<string, Readonly<Record<string, Counts>>>>
  /** Skipped cases by reason. */
  readonly reasons: Readonly<Record<string, number>>
}

/** Collects cases; holds counts only, however many there are. */
export class Tallies {
  readonly #suites = new Map<string, Map<string, Counts>>()
  readonly #reasons = new Map<string, number>()
  readonly #total = { passed: 0, failed: 0, skipped: 0, blocks: 0, transactions: 0, aborts: 0 }
  #unusable = 0

  add(told: ToldCase): void {
    const forks = this.#suites.get(suiteOf(told.source)) ?? new Map<string, Counts>()
    this.#suites.set(suiteOf(told.source), forks)
    const counts = forks.get(told.network) ?? { passed: 0, failed: 0, skipped: 0 }
    forks.set(told.network, counts)
    counts[told.status]++
    this.#total[told.status]++
    this.#total.blocks += told.blocks
    this.#total.transactions += told.transactions
    this.#total.aborts += told.aborts
    if (told.status === 'skipped') this.#reasons.set(told.reason, (this.#reasons.get(told.reason) ?? 0) + 1)
  }

  addUnusable(): void {
    this.#unusable++
  }

  get failed(): number {
    return this.#total.failed
  }

  get unusable(): number {
    return this.#unusable
  }

  get cases(): number {
    return this.#total.passed + this.#total.failed + this.#total.skipped
  }

  summary(workers: number, ms: number): Summary {
    const suites = Object.fromEntries([...this.#suites].map(([suite, forks]) => [suite, Object.fromEntries(forks)]))
    return { ...this.#total, unusable: this.#unusable, workers, ms, suites, reasons: Object.fromEntries(this.#reasons) }
  }
}

/** A suite is the file or folder that it lies in, without its path and endings. */
function suiteOf(source: string): string {
  const name = source.slice(source.lastIndexOf('/') + 1)
  return name.replace(/\.jsonl?(?:\.gz)?$/, '')
}

/** One line of JSON for a case that did not pass. */
export function jsonCase({ source, file, name, network, status, reason }: ToldCase): string {
  return JSON.stringify({ status, source, file, name, fork: network, reason })
}

export function jsonSummary(summary: Summary): string {
  return JSON.stringify({ summary })
}

const HEAD = ['suite', 'fork', 'passed', 'failed', 'skipped']

/** The table by suite and fork, and a last line for all. */
export function table(summary: Summary): string {
  const rows = rowsOf(summary)
  const widths = HEAD.map((head, column) => Math.max(head.length, ...rows.map((row) => (row[column] ?? '').length)))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
  const reasons = Object.entries(summary.reasons).map(([reason, count]) => `skipped ${count}: ${reason}`)
  const { passed, failed, skipped, unusable, blocks, transactions, workers, ms } = summary
  const total = [
    `${passed} passed, ${failed} failed, ${skipped} skipped`,
    ...(unusable > 0 ? [`${unusable} unusable`] : []),
    `${blocks} blocks, ${transactions} transactions, ${workers} workers, ${(ms / 1000).toFixed(1)} s`,
  ]
  return [line(HEAD), ...rows.map(line), ...reasons, total.join('; ')].join('\n')
}

function rowsOf({ suites }: Summary): string[][] {
  return Object.entries(suites).flatMap(([suite, forks]) =>
    Object.entries(forks).map(([fork, { passed, failed, skipped }]) => {
      return [suite, fork, `${passed}`, `${failed}`, `${skipped}`]
    }),
  )
}

/** More of a reason than a table has room for. */
const NOTES: readonly (readonly [reason: string, lines: readonly string[]])[] = [
  [
    'what uncles say of themselves is not checked',
    ['The headers of uncles are not checked, only their number, hash and generation; nor are seals of proof of work.'],
  ],
]

/** What is said where fixtures of Amsterdam were run. */
const AMSTERDAM_NOTE: readonly string[] = [
  '## Amsterdam',
  '',
  'The fork is a draft, and its test networks did not agree on its rules. Each case runs by those of the network that its release of',
  'fixtures is for ([decision 0010](decisions/0010-dialects-of-amsterdam.md)); every block makes its access list (EIP-7928), whose',
  'hash is compared. What the pinned revm 43.0.3 has of each, and what is added or taken away here:',
  '',
  '| | `bal-devnet-2` | `bal-devnet-4` | `glamsterdam-devnet-8` (default) |',
  '|---|---|---|---|',
  '| fixtures | `bal@v5.1.0` | v5.7.0-alpha | none here |',
  '| 7708: logs of transfers | revm; logs of what is burnt added | same | revm |',
  '| 7778: gas of a block before refunds | revm | same | revm |',
  '| 7843, 8024: slot number, stack instructions | revm | same | revm |',
  '| 7928: access lists | made here of what revm loaded | same | same |',
  '| 7954: code sizes | switched off | set to 32 KiB | revm, 64 KiB |',
  '| 7976, 7981: calldata, access lists | switched off | revm, prices set | revm |',
  '| 8037: gas for state | switched off | price by gas limit; own CREATE, SSTORE, settling of frames | revm |',
  '| 2780, 8038, 8246 | switched off | switched off | revm |',
  '',
  'A list reaches a block as its hash alone, so a list that is malformed is told by its hash too. Nothing here confirms the default:',
  'no fixtures of that network are at hand.',
]

/**
 * The page docs/conformance.md: what passes, what does not, and why.
 *
 * @param command - the command that was run
 * @param others - cases that did not pass
 */
export function page(summary: Summary, others: readonly ToldCase[], command: string): string {
  const cell = (text: string): string => shown(text).replaceAll('|', '\\|')
  const rows = rowsOf(summary).map((row) => `| ${row.map(cell).join(' | ')} |`)
  const byReason = new Map<string, number>()
  for (const { status, reason } of others) {
    // Without the numbers of one case, cases that fail for one reason are one row.
    const key = `${status} | ${cell(reason.replace(/0x[0-9a-f]+/g, '…').replace(/\b\d+\b/g, 'n'))}`
    byReason.set(key, (byReason.get(key) ?? 0) + 1)
  }
  const reasons = [...byReason].sort((a, b) => b[1] - a[1]).map(([key, count]) => `| ${count} | ${key} |`)
  const failures = others
    .filter(({ status }) => status === 'failed')
    .map(({ network, name }) => `- ${network}: \`${name}\``)
  return [
    '# Conformance',
    '',
    `Written by \`${command}\`: every block whole, through the pool, with \`speculation: 'always'\`.`,
    '',
    `${summary.passed} passed, ${summary.failed} failed, ${summary.skipped} skipped; ${summary.blocks} blocks with ${summary.transactions} transactions.`,
    '',
    '| suite | fork | passed | failed | skipped |',
    '|---|---|---|---|---|',
    ...rows,
    '',
    '## What does not pass, and why',
    '',
    ...(reasons.length === 0 ? ['Everything passes.'] : ['| cases | what | why |', '|---|---|---|', ...reasons]),
    ...NOTES.flatMap(([reason, note]) => (byReason.has(`skipped | ${reason}`) ? ['', ...note] : [])),
    ...(rows.some((row) => /\| Amsterdam \|/.test(row)) ? ['', ...AMSTERDAM_NOTE] : []),
    ...(failures.length === 0 ? [] : ['', '## Cases that fail', '', ...failures]),
    '',
  ].join('\n')
}
