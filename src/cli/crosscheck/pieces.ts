/**
 * Joins what the pieces of a cross-check printed with `--json` (one file for each `--shard`) to one page.
 *
 * A piece is whole when its last line says which it is; the page is written of all the pieces of one run, or not at all.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { type ErrorFields, InvalidInputError } from '../../index.ts'
import { type Counts, jsonSummary, type Summary, table } from '../conformance/report.ts'
import { Exit } from '../run.ts'
import { isWrongResult } from './blocks.ts'
import { type CrosscheckOutcome, crosscheckPage, type Failure } from './page.ts'

/** The piece `number` of `of`, from 1 on. */
export interface Shard {
  readonly number: number
  readonly of: number
}

export const WHOLE: Shard = { number: 1, of: 1 }

/** The last line of a piece. */
export const shardLine = (shard: Shard, every: number, unusable: number): string =>
  JSON.stringify({ shard: { ...shard, every, unusable } })

interface Piece extends CrosscheckOutcome {
  readonly shard: Shard
  readonly summary: Summary | undefined
}

/**
 * @param files - one for each piece, in any order
 * @returns the exit code that one run of everything would have ended with
 * @throws {InvalidInputError} INVALID_OPTION where a piece broke off, is missing or there twice, or of another run
 */
export async function joinPieces(
  files: readonly string[],
  { docs, json }: { readonly docs: string | undefined; readonly json: boolean },
): Promise<Exit> {
  const pieces: Piece[] = []
  for (const file of files) pieces.push(readPiece(file, await readFile(file, 'utf8')))
  pieces.sort((a, b) => a.shard.number - b.shard.number)
  const { of } = (pieces[0] as Piece).shard
  const numbers = pieces.map(({ shard }) => shard.number)
  if (pieces.some(({ shard, every }) => shard.of !== of || every !== pieces[0]?.every)) {
    throw wrong('the pieces are not of one run: they differ in how many there are, or in the sample')
  }
  const missing = Array.from({ length: of }, (_, k) => k + 1).filter((k) => !numbers.includes(k))
  if (missing.length > 0) throw wrong(`of ${of} pieces these are missing: ${missing.join(', ')}`, { missing })
  if (pieces.length > of) throw wrong(`there are ${pieces.length} pieces of ${of}: one is there twice`)
  const all = joined(pieces)
  const ran = all.summary !== undefined
  if (ran) process.stdout.write(`${json ? jsonSummary(all.summary) : table(all.summary)}\n`)
  if (docs !== undefined) await writeFile(docs, crosscheckPage(all))
  if (all.unusable > 0 || (all.summary?.unusable ?? 0) > 0) return Exit.Unusable
  const differs = all.blocks.some(isWrongResult) || (all.summary?.failed ?? 0) > 0
  return differs ? Exit.Wrong : Exit.Right
}

/** What a line may hold. */
interface Line {
  readonly status?: string
  readonly fork?: string
  readonly name?: string
  readonly reason?: string
  readonly number?: number
  readonly txs?: number
  readonly difference?: CrosscheckOutcome['blocks'][number]['difference'] | null
  readonly mismatches?: readonly string[]
  readonly summary?: Summary
  readonly shard?: Shard & { readonly every: number; readonly unusable: number }
}

function readPiece(file: string, text: string): Piece {
  const blocks: CrosscheckOutcome['blocks'][number][] = []
  const failures: Failure[] = []
  let summary: Summary | undefined
  let end: Line['shard']
  for (const [k, line] of text.split('\n').entries()) {
    if (line === '') continue
    const said = parse(file, k + 1, line)
    if (said.shard !== undefined) end = said.shard
    else if (said.summary !== undefined) summary = said.summary
    else if (said.number !== undefined) {
      const { number, txs = 0, difference, mismatches = [] } = said
      blocks.push({ number: BigInt(number), txs, difference: difference ?? undefined, mismatches })
    } else if (said.status === 'failed') {
      failures.push({ network: said.fork ?? '', name: said.name ?? '', reason: said.reason ?? '' })
    }
  }
  if (end === undefined) throw wrong(`${file} breaks off: run this piece again`, { file })
  const { number, of, every, unusable } = end
  return { shard: { number, of }, blocks, summary, failures, every, unusable }
}

function parse(file: string, line: number, text: string): Line {
  try {
    const said: unknown = JSON.parse(text)
    if (typeof said === 'object' && said !== null) return said
  } catch {
    // Told below, with the place.
  }
  throw wrong(`${file}, line ${line} is not what 'crosscheck --json' prints: run this piece again`, { file, line })
}

function joined(
  pieces: readonly Piece[],
): Omit<CrosscheckOutcome, 'summary'> & { readonly summary: Summary | undefined } {
  const summaries = pieces.flatMap(({ summary }) => (summary === undefined ? [] : [summary]))
  return {
    blocks: pieces.flatMap(({ blocks }) => blocks).sort((a, b) => Number(a.number - b.number)),
    summary: summaries.length === 0 ? undefined : summaries.reduce(sumOf),
    failures: pieces.flatMap(({ failures }) => failures),
    every: (pieces[0] as Piece).every,
    unusable: pieces.reduce((sum, { unusable }) => sum + unusable, 0),
  }
}

function sumOf(a: Summary, b: Summary): Summary {
  const suites: Record<string, Record<string, Counts>> = structuredClone(a.suites)
  for (const [suite, forks] of Object.entries(b.suites)) {
    suites[suite] ??= {}
    for (const [fork, counts] of Object.entries(forks)) {
      const sum = suites[suite][fork]
      suites[suite][fork] =
        sum === undefined
          ? counts
          : {
              passed: sum.passed + counts.passed,
              failed: sum.failed + counts.failed,
              skipped: sum.skipped + counts.skipped,
            }
    }
  }
  const reasons = { ...a.reasons }
  for (const [reason, count] of Object.entries(b.reasons)) reasons[reason] = (reasons[reason] ?? 0) + count
  const counts = ['passed', 'failed', 'skipped', 'blocks', 'transactions', 'aborts', 'unusable', 'ms'] as const
  const sums = Object.fromEntries(counts.map((name) => [name, a[name] + b[name]])) as Pick<
    Summary,
    (typeof counts)[number]
  >
  return { ...sums, workers: Math.max(a.workers, b.workers), suites, reasons }
}

const wrong = (message: string, fields: ErrorFields = {}): InvalidInputError =>
  new InvalidInputError('INVALID_OPTION', message, { option: 'join', ...fields })
