/**
 * The blocks that are run by @ethereumjs/vm too, which takes milliseconds a transaction: short synthetic ones, and of the
 * real ones as many as a budget of time allows.
 *
 * A block that is begun is run on every path, so that all of them ran the same; which ones were left out is told.
 */
import type { BenchFile } from './pool.ts'
import { makeWorkload, type WorkloadName } from './workloads.ts'

/** Transactions of a synthetic block. */
const TRANSACTIONS = 200

export interface NamedBlock {
  readonly name: string
  readonly file: BenchFile
  readonly isReal: boolean
}

/** What a measurement takes from the command. */
export interface OutsiderOptions {
  /** Runs of each path on a synthetic block; on a real one there is one. */
  readonly runs: number
  /** Seconds after which no further real block is begun. */
  readonly budget: number
  /** Told of each row as it comes. */
  readonly say: (line: string) => void
  /** Receives what was left out, and why. */
  readonly skipped: string[]
}

const GOLDEN = (Math.sqrt(5) - 1) / 2

/** Every beginning of what it returns is spread over the whole list: early forks and late ones. */
const spread = <T>(list: readonly T[]): T[] =>
  list
    .map((item, k) => ({ item, at: (k * GOLDEN) % 1 }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)

/** Measures synthetic blocks, then real ones while the budget lasts. */
export async function measureBlocks<Row>(
  names: readonly WorkloadName[],
  real: readonly { readonly name: string; readonly file: BenchFile }[],
  { budget, skipped }: OutsiderOptions,
  measure: (block: NamedBlock) => Promise<Row | undefined>,
): Promise<{ readonly synthetic: Row[]; readonly real: Row[] }> {
  const rows = { synthetic: [] as Row[], real: [] as Row[] }
  for (const name of names) {
    const row = await measure({ name, file: makeWorkload(name, TRANSACTIONS) as BenchFile, isReal: false })
    if (row !== undefined) rows.synthetic.push(row)
  }
  const began = performance.now()
  const left = spread(real)
  while (left.length > 0 && performance.now() - began < budget * 1000) {
    const row = await measure({ ...(left.shift() as (typeof left)[number]), isReal: true })
    if (row !== undefined) rows.real.push(row)
  }
  if (left.length > 0) {
    const numbers = left.map(({ name }) => name).sort((a, b) => Number(a) - Number(b))
    skipped.push(`real blocks beside @ethereumjs/vm, after ${budget} seconds: ${numbers.join(', ')}`)
  }
  return rows
}
