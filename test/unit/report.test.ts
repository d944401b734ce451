/** What the page of a report is made of: counts that have to add up, and text of others that has to stay text. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { curveOption, graphOption, heatOption, timelineOption } from '../../report/charts.ts'
import { DARK, LIGHT } from '../../report/theme.ts'
import { addressesOf } from '../../src/cli/records/block.ts'
import { reportHtml } from '../../src/cli/records/html.ts'
import { graphOf } from '../../src/records/graph.ts'
import { reportData } from '../../src/records/reportData.ts'
import type { RunRecord } from '../../src/records/runRecord.ts'
import { madePlaces, madeRun, slots } from '../support/runRecords.ts'

const HOSTILE = '</script><script>alert(1)</script><img src=x onerror="alert(2)">&\'<!--'

const page = (record: RunRecord, names: Record<number, string> = {}): string =>
  reportHtml({
    data: reportData(record),
    places: record.run.places,
    thing: 'task',
    names,
    source: HOSTILE,
    script: 'const a = "</script>"',
    licences: 'Licence & text',
  })

test('heat map: cells and the rest count every conflict once, in its own stretch', () => {
  fc.assert(
    fc.property(madePlaces(100), (made) => {
      const record = madeRun(made, slots(16))
      const { heat } = reportData(record)
      const conflicts = graphOf(record).needs.flat().length
      expect(heat.cells.reduce((sum, [, , count]) => sum + count, heat.rest)).toBe(conflicts)
      for (const [column, row] of heat.cells) {
        expect(column).toBeLessThan(heat.stretches.length)
        expect(row).toBeLessThan(heat.locations.length)
      }
    }),
    { numRuns: 15 },
  )
})

test('heat map: a run made by hand', () => {
  const reads = [[0, 1]] as const
  const record = madeRun([{ cost: 1, writes: [0] }, { cost: 1, reads }, { cost: 1 }, { cost: 1, reads }])
  const { heat } = reportData(record)
  expect(heat.locations).toEqual(['variable at slot 0 of contract 0xa1a1a1..a1a1'])
  expect(heat.stretches).toEqual([1, 2, 3, 4])
  expect(heat.cells).toEqual([
    [1, 0, 1],
    [3, 0, 1],
  ])
})

test('the timeline has every execution once, with what became of it', () => {
  const { timeline } = reportData(
    madeRun([
      { cost: 10, writes: [0] },
      { cost: 20, reads: [[0, 1]], aborted: { location: 0, by: 1 } },
    ]),
  )
  expect(timeline.place).toEqual([1, 2, 2])
  expect(timeline.fate).toEqual([0, 2, 1])
  expect(timeline.start).toEqual([0, 11, 32])
})

test('charts: both themes draw the same series, one for each that there is', () => {
  const data = reportData(
    madeRun([
      { cost: 10, writes: [0] },
      { cost: 20, reads: [[0, 1]] },
    ]),
  )
  const names = (option: object): unknown =>
    (option as { series: { name?: string }[] }).series.map(({ name }) => name ?? 'heat')
  for (const theme of [LIGHT, DARK]) {
    expect(names(timelineOption(data.timeline, theme, String))).toEqual(['committed'])
    expect(names(heatOption(data.heat, theme))).toEqual(['heat'])
    expect(names(graphOption(data.graph, theme, String))).toEqual(['needs', 'place', 'critical path'])
    expect(names(curveOption(data.curve, theme))).toEqual(['lower bound', 'all dependencies known', 'Block-STM'])
  }
})

test('charts: what a tooltip takes as HTML is escaped', () => {
  const { graph } = reportData(madeRun([{ cost: 10 }]))
  const option = graphOption(graph, LIGHT, () => HOSTILE) as { tooltip: { formatter(one: object): string } }
  expect(option.tooltip.formatter({ value: [1, 2, 3] })).not.toMatch(/<(?!br>)/)
})

test('the page: names, labels and file names stay text', () => {
  const record = madeRun([
    { cost: 1, writes: [0] },
    { cost: 1, reads: [[0, 1]] },
  ])
  const key = `0x${Buffer.from(HOSTILE).toString('hex')}`
  const hostile: RunRecord = {
    ...record,
    run: { ...record.run, kind: 'tasks', label: HOSTILE },
    locations: [{ kind: 'bytes', address: undefined, slot: undefined, key }],
  }
  const html = page(hostile, { 1: HOSTILE })
  expect(html).not.toContain('<img')
  expect(html).not.toContain('<script>alert')
  // Data, licences and the script itself.
  expect(html.match(/<script/g)).toHaveLength(3)
  expect(html.match(/<\/script>/g)).toHaveLength(3)
  const data = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(html)?.[1] ?? ''
  expect((JSON.parse(data) as { names: Record<string, string> }).names['1']).toBe(HOSTILE)
})

test('the page: asks for nothing from a network and tells what is missing in words', () => {
  const html = page(madeRun([]))
  expect(html).toContain("default-src 'none'")
  expect(html).not.toMatch(/(src|href)="/)
  expect(html).toContain('No execution is recorded.')
  expect(html).toContain('There is nothing to simulate.')
  expect(page(madeRun([{ cost: 1 }]))).toContain('No task read what another one wrote.')
})

test('addresses of a block: senders, recipients and words of call data; anything else is passed over', () => {
  const word = (address: string): string => address.padStart(64, '0')
  const transactions = [
    { from: `0x${'A1'.repeat(20)}`, to: null, input: `0xa9059cbb${word('b2'.repeat(20))}${word('ff')}` },
    { to: `0x${'c3'.repeat(20)}`, data: '0x12' },
    {},
  ]
  expect(addressesOf({ transactions })).toEqual([
    `0x${'a1'.repeat(20)}`,
    `0x${'b2'.repeat(20)}`,
    `0x${'c3'.repeat(20)}`,
  ])
  expect(addressesOf({})).toEqual([])
})
