/**
 * Measurements as text: a JSON line for programs, a row of a table and a full account for people.
 *
 * Pure functions from values to strings without line breaks at the end; who prints them where is run.ts's business.
 * Words and ASCII only: nothing here needs a colour, a wide font or a locale.
 */
import { ParallelExecutionError } from '../index.ts'
import { DIGEST_NAMES, type DigestName } from './digest.ts'
import type { Measurement } from './measure.ts'

/** How the files of one call ended. */
export interface Tally {
  readonly matching: number
  readonly differing: number
  readonly unusable: number
  readonly sequentialMs: number
  /** Null where no parallel path ran. */
  readonly parallelMs: number | null
}

/** The line of `run --json`; its fields are part of the command's interface. */
export function jsonLine(file: string, m: Measurement): string {
  return JSON.stringify(jsonFields(file, m))
}

/** The line of `demo --json`: the fields of `run`, rates, and both digests of each part. */
export function jsonDemo(file: string, m: Measurement): string {
  const { digests, differences } = m
  return JSON.stringify({
    ...jsonFields(file, m),
    speedup: round(speedUp(m)),
    transactionsPerSecond: { sequential: rate(m.txs, m.sequentialMs), parallel: rate(m.txs, m.parallelMs) },
    gasPerSecond: {
      sequential: rate(Number(m.gasUsed), m.sequentialMs),
      parallel: rate(Number(m.gasUsed), m.parallelMs),
    },
    equal: m.parallelMs === null && differences.length === 0 ? null : differences.length === 0,
    digests: Object.fromEntries(
      DIGEST_NAMES.map((name) => {
        const [sequential, parallel] = [digests.sequential[name], digests.parallel?.[name] ?? null]
        return [name, { sequential, parallel, equal: digests.parallel === null ? null : sequential === parallel }]
      }),
    ),
  })
}

function jsonFields(file: string, m: Measurement): object {
  return {
    file,
    number: numberOf(m.number),
    txs: m.txs,
    gasUsed: numberOf(m.gasUsed),
    receiptsRoot: m.receiptsRoot,
    logsBloom: m.logsBloom,
    matches: m.matches,
    sequentialMs: round(m.sequentialMs),
    parallelMs: round(m.parallelMs),
    workers: m.workers,
    executions: m.run.executions,
    aborts: m.run.aborts,
    // All that the parallel engine committed: speculated, executed again at the commit cursor, or only there.
    speculative: m.run.speculative + m.run.reexecuted + m.run.direct,
    direct: m.run.direct,
    reexecuted: m.run.reexecuted,
    fallback: m.run.fallback,
  }
}

/** Columns after the file's name, with their widths. */
const COLUMNS = [
  ['block', 9],
  ['txs', 6],
  ['gas used', 11],
  ['gas', 6],
  ['bloom', 6],
  ['receipts', 9],
  ['sequential', 11],
  ['parallel', 11],
  ['speed-up', 9],
  ['  result', 8],
] as const

const MOST_NAME = 48

/** The width that holds the names of these files, within reason. */
export const nameWidth = (files: readonly string[]): number =>
  Math.min(MOST_NAME, Math.max(4, ...files.map((file) => file.length)))

export function tableHead(width: number): string {
  return 'file'.padEnd(width) + COLUMNS.map(([title, room]) => ` ${title.padStart(room)}`).join('')
}

export function tableRow(file: string, m: Measurement, width: number): string {
  const { matches } = m
  const cells = [
    String(m.number),
    String(m.txs),
    String(m.gasUsed),
    yesNo(matches.gasUsed),
    yesNo(matches.logsBloom),
    yesNo(matches.receiptsRoot),
    milliseconds(m.sequentialMs),
    milliseconds(m.parallelMs),
    times(speedUp(m)),
  ]
  const name = file.length > width ? `...${file.slice(file.length - width + 3)}` : file
  const aligned = cells.map((cell, k) => ` ${cell.padStart(COLUMNS[k]?.[1] ?? 0)}`)
  return `${printable(name).padEnd(width)}${aligned.join('')}   ${verdict(m)}`
}

/** The last line of a table. */
export function tallyLine(tally: Tally, workers: number): string {
  const { matching, differing, unusable, sequentialMs, parallelMs } = tally
  const files = matching + differing + unusable
  const ends = [`${matching} right`, `${differing} wrong`, `${unusable} unusable`].join(', ')
  const sum = `sequential ${milliseconds(sequentialMs)}`
  if (parallelMs === null) return `${count(files, 'file')}: ${ends}; ${sum}`
  const speed = `parallel ${milliseconds(parallelMs)} on ${count(workers, 'worker')}`
  return `${count(files, 'file')}: ${ends}; ${sum}, ${speed}, ${times(ratio(sequentialMs, parallelMs))}`
}

const DIGEST_TITLES: Readonly<Record<DigestName, string>> = {
  gasUsed: 'gas',
  receipts: 'receipts',
  receiptsRoot: 'receipts root',
  logsBloom: 'logs bloom',
  results: 'results',
  stateDiff: 'state diff',
}

/** A block told in full: times and rates, digest by digest, what the run did. */
export function account(title: string, m: Measurement, repeat: number): string {
  const path = (name: string, ms: number | null, more: string): string =>
    ms === null
      ? `  ${name.padEnd(14)}-`
      : `  ${name.padEnd(14)}${milliseconds(ms).padStart(11)}${perSecond(m.txs, ms, 'tx').padStart(18)}` +
        `${perSecond(Number(m.gasUsed) / 1e6, ms, 'Mgas').padStart(18)}   ${more}`
  const lines = [
    `${printable(title)}: block ${m.number}, ${count(m.txs, 'transaction')}, ${grouped(m.gasUsed)} gas`,
    '',
    path('sequential', m.sequentialMs, 'one worker'),
    path('parallel', m.parallelMs, count(m.workers, 'worker')),
    `  ${'speed-up'.padEnd(14)}${times(speedUp(m)).padStart(11)}   median of ${count(repeat, 'run')} of each, by turns`,
    '',
    ...DIGEST_NAMES.map((name) => digestLine(name, m)),
    '',
    `  header        gas ${yesNo(m.matches.gasUsed)}, bloom ${yesNo(m.matches.logsBloom)}, ` +
      `receipts root ${yesNo(m.matches.receiptsRoot)} (- where it does not say)`,
    `  executions    ${grouped(m.run.executions)}, ${grouped(m.run.aborts)} aborted, ${grouped(m.run.validations)} validations`,
    `  committed     ${grouped(m.run.speculative + m.run.reexecuted)} by speculation ` +
      `(${grouped(m.run.reexecuted)} of them executed again in order), ${grouped(m.run.direct)} in order at once, ` +
      `${grouped(m.run.fallback)} by the sequential path`,
    '',
    `  ${verdict(m)}`,
  ]
  return lines.join('\n')
}

function digestLine(name: DigestName, { digests }: Measurement): string {
  const sequential = digests.sequential[name]
  const parallel = digests.parallel?.[name]
  const title = `  ${DIGEST_TITLES[name].padEnd(14)}`
  if (sequential === null) return `${title}-`
  if (parallel === undefined) return `${title}${short(sequential)}`
  if (parallel === sequential) return `${title}equal    ${short(sequential)}`
  return `${title}DIFFERS  sequential ${short(sequential)}, parallel ${short(parallel ?? '-')}`
}

function verdict(m: Measurement): string {
  if (m.differences.length > 0) return 'DIFFERS: parallel is not sequential'
  if (m.mismatches.length > 0) return 'WRONG: not what the header says'
  return m.parallelMs === null ? 'ok' : 'ok, parallel equals sequential'
}

/** What is wrong with a file that ran, one phrase for each kind; empty where nothing is. */
export function complaints({ mismatches, differences }: Measurement): readonly string[] {
  const lines: string[] = []
  if (differences.length > 0) lines.push(`parallel and sequential differ in ${differences.join(', ')}`)
  if (mismatches.length > 0) lines.push(`does not match its header: ${mismatches.join('; ')}`)
  return lines
}

/** An error in one line: its code, where it has one, and its message. */
export function errorLine(error: unknown): string {
  if (error instanceof ParallelExecutionError) return printable(`${error.code}: ${error.message}`)
  if (!(error instanceof Error)) return printable(String(error))
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name
  // Node begins the messages of system errors with the code.
  return printable(error.message.startsWith(code) ? error.message : `${code}: ${error.message}`)
}

/** Text of others in one line, without the control characters that move a terminal's cursor. */
export const printable = (text: string): string => text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim()

const speedUp = (m: Measurement): number | null => ratio(m.sequentialMs, m.parallelMs)

const ratio = (sequential: number, parallel: number | null): number | null =>
  parallel === null || parallel === 0 ? null : sequential / parallel

const rate = (amount: number, ms: number | null): number | null =>
  ms === null || ms === 0 ? null : Math.round((amount / ms) * 1000)

const perSecond = (amount: number, ms: number, unit: string): string =>
  `${ms === 0 ? '-' : grouped(Math.round((amount / ms) * 1000))} ${unit}/s`

/** Microseconds are the finest that the clock is good for. */
const round = (value: number | null): number | null => (value === null ? null : Math.round(value * 1000) / 1000)

const milliseconds = (ms: number | null): string => (ms === null ? '-' : `${ms.toFixed(2)} ms`)

const times = (value: number | null): string => (value === null ? '-' : `${value.toFixed(2)}x`)

const yesNo = (value: boolean | null): string => (value === null ? '-' : value ? 'ok' : 'WRONG')

const short = (hex: string): string => (hex.length > 22 ? `${hex.slice(0, 18)}...` : hex)

const grouped = (value: number | bigint): string => value.toLocaleString('en-US')

const count = (value: number, noun: string): string => `${grouped(value)} ${noun}${value === 1 ? '' : 's'}`

/** A number where it is exact, text beyond. */
const numberOf = (value: bigint): number | string =>
  value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : String(value)
