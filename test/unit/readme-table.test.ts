/** The table in README.md: that it says what the results file says, and that a slow row cannot hide. */
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { BlockRow, Results } from '../../benchmarks/report.ts'
import { judge } from '../../scripts/goals.mjs'
import { BEGIN, END, insert, render } from '../../scripts/readme-table.mjs'

const at = (path: string): URL => new URL(`../../${path}`, import.meta.url)

const row = (name: string, kind: BlockRow['kind'], sequential: number, ratio: number): BlockRow => ({
  name,
  kind,
  transactions: 1000,
  runs: 21,
  pools: [
    {
      workers: 2,
      speculation: 'auto',
      sequential: { median: sequential, min: sequential, max: sequential },
      parallel: { median: sequential / ratio, min: sequential / ratio, max: sequential / ratio },
      ratio: { ofMedians: ratio, ofPairs: { median: ratio, min: ratio - 0.1, max: ratio + 0.1 } },
      counts: {
        executions: 1100,
        aborts: 7,
        validations: 1000,
        speculative: 1000,
        direct: 0,
        reexecuted: 0,
        fallback: 0,
        fallbacks: 0,
        deferrals: 0,
        waits: 0,
      },
    },
  ],
})

const results = (...rows: BlockRow[]): Results => ({
  machine: { cpu: 'a processor', cores: 2, memoryGiB: 8, platform: 'linux x64', node: 'v20.20.2' },
  commit: 'abc1234',
  command: 'npm run bench',
  date: '2026-01-01',
  rows,
  costs: [],
  skipped: [],
})

const verdict = (given: Results, goal: string) => judge(given).find((one) => one.goal.startsWith(goal))?.met

describe('readme-table', () => {
  it('readme-table: a goal at its limit is met, beyond it missed, and not measured is neither', () => {
    const given = results(row('transfers', 'synthetic', 1.0, 1.49), row('erc20', 'synthetic', 6.51, 1.9))
    expect(verdict(given, 'transfers, sequential')).toBe(true)
    expect(verdict(given, 'transfers, two workers')).toBe(false)
    expect(verdict(given, 'erc20, sequential')).toBe(false)
    expect(verdict(given, 'erc20, two workers')).toBe(true)
    expect(verdict(given, 'uniswap, sequential')).toBeUndefined()
  })

  it('readme-table: the slowest block is shown and marked, a real one among many too', () => {
    const given = results(
      row('transfers', 'synthetic', 1, 1.4),
      row('100', 'real', 20, 1.5),
      row('101', 'real', 20, 0.94),
      row('102', 'real', 20, 1.2),
      row('3 real blocks', 'sum', 20, 1.3),
    )
    const table = render(given)
    expect(table).toContain(
      '| block 101, the worst of them | 1000 | n/a | 20.0 | 21.3 | **0.94x (0.84 to 1.04), the slowest** |',
    )
    expect(table).toContain('| block 100, the best of them |')
    expect(table).not.toContain('block 102')
    expect(table).toContain('| the slowest of all, two workers | at least 0.95x | 0.94x (block 101) | **missed** |')
    expect(table).toContain('| 3 real blocks, two workers | at least 1.60x | 1.30x | **missed** |')
  })

  it('readme-table: beside @ethereumjs/vm there are goals and lines where it was measured, and none where not', () => {
    const times = { transactions: 200, runs: 3 }
    const given: Results = {
      ...results(),
      runBlock: [
        { ...times, name: 'erc20', kind: 'synthetic', plain: 180, revm: 10, ethereumjs: 100 },
        { ...times, name: '100', kind: 'real', plain: 300, revm: 20, ethereumjs: 100 },
        { ...times, name: '9 real blocks', kind: 'sum', plain: 149, revm: 10, ethereumjs: 100 },
      ],
      adapter: [
        { ...times, name: 'erc20', kind: 'synthetic', merkle: 400, flat: 100, sequential: 110, one: 112, two: 60 },
        { ...times, name: '9 real blocks', kind: 'sum', merkle: 400, flat: 100, sequential: 111, one: 112, two: 60 },
      ],
    }
    expect(verdict(given, 'runBlock of erc20')).toBe(true)
    expect(verdict(given, 'runBlock of 9 real blocks')).toBe(false)
    expect(verdict(given, 'erc20, adapter ethereumjs on one worker')).toBe(true)
    expect(verdict(given, '9 real blocks, adapter ethereumjs on one worker')).toBe(false)
    expect(judge(results()).every(({ met }) => met === undefined)).toBe(true)
    const table = render(given)
    expect(table).toContain(
      '| `runBlock` of 200 `erc20`, two workers, ethereumjs | 100 ms | 180 ms, @ethereumjs/vm `runBlock` | 1.80x |',
    )
    expect(table).toContain(
      '| adapter ethereumjs, 9 real blocks, one worker | 111 ms | 400 ms, `runTx`, MerkleStateManager | 3.60x |',
    )
    expect(table).not.toContain('300 ms')
  })

  it('readme-table: what is no block is judged where it was measured', () => {
    const spread = (median: number) => ({ median, min: median, max: median })
    const cost = (name: string, unit: 'ms' | 'us', median: number) => ({ name, unit, runs: 3, spread: spread(median) })
    const growth = (transactions: number, median: number) => ({
      ...{ name: 'transfers', transactions, sequential: spread(1), parallel: spread(median), memory: 2049 },
    })
    const given: Results = {
      ...results({
        ...row('erc20', 'synthetic', 5, 1.9),
        ethereumjs: { transactions: 200, runs: 3, withoutCaches: 2633, withCaches: 1300 },
      }),
      costs: [cost('compile evm-core.wasm', 'ms', 10), cost('pool of 2: start, to the result', 'ms', 141)],
      whole: [{ name: 'erc20', transactions: 1000, runs: 3, ms: spread(10), edr: spread(100) }],
      engine: { costs: [], short: [{ transactions: 5, sequentialUs: 100, parallelUs: 111 }], naps: [] },
      growth: [growth(1000, 1), growth(50_000, 1.2)],
      pools: [{ name: 'transfers', transactions: 2000, ms: {}, worst: 1.11 }],
    }
    expect(verdict(given, 'erc20, two workers over @ethereumjs/vm')).toBe(true)
    expect(verdict(given, 'whole block of erc20')).toBe(true)
    expect(verdict(given, 'first block')).toBe(false)
    expect(verdict(given, '1 to 20 transactions')).toBe(false)
    expect(verdict(given, 'transfers, the slowest of 1,000')).toBe(true)
    expect(verdict(given, 'transfers, working memory')).toBe(false)
    expect(verdict(given, 'transfers, the slowest of 4')).toBe(false)
    expect(verdict(given, 'a read')).toBeUndefined()
  })

  it('readme-table: the text around the marks stays, and missing or doubled marks are an error', () => {
    const readme = `before\n${BEGIN}\nold\n${END}\nafter\n`
    const once = insert(readme, 'new')
    expect(once).toBe(`before\n${BEGIN}\nnew\n${END}\nafter\n`)
    expect(insert(once, 'new')).toBe(once)
    expect(() => insert('nothing', 'new')).toThrow('once each')
    expect(() => insert(readme + readme, 'new')).toThrow('once each')
  })

  const measured = existsSync(at('README.md')) && existsSync(at('benchmarks/results/latest.json'))
  it.skipIf(!measured)('readme-table: README.md says what latest.json says (node scripts/readme-table.mjs)', () => {
    const readme = readFileSync(at('README.md'), 'utf8')
    const latest = JSON.parse(readFileSync(at('benchmarks/results/latest.json'), 'utf8')) as Results
    expect(insert(readme, render(latest))).toBe(readme)
  })
})
