/**
 * `npm run charts`: the pictures of a results file: speed-up of each block, what speculation adds to a transaction, growth.
 *
 * Drawn from benchmarks/results/latest.json, which `npm run bench` writes; nothing is measured here.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { BarChart, LineChart } from 'echarts/charts'
import { AriaComponent, GridComponent, LegendComponent, MarkLineComponent, TitleComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'
import { LIGHT } from '../report/theme.ts'
import type { BlockRow, Results } from './report.ts'

const RESULTS = new URL('./results/latest.json', import.meta.url)
const IMAGES = new URL('../docs/images/', import.meta.url)
const [BLUE, AMBER, RED, PURPLE] = LIGHT.fates
const COLOURS = [BLUE, AMBER, PURPLE, RED]
const WIDTH = 900
const ROW = 17

use([
  BarChart,
  LineChart,
  AriaComponent,
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TitleComponent,
  SVGRenderer,
])

const text = { color: LIGHT.text, fontFamily: 'sans-serif' }
const axis = { axisLabel: { color: LIGHT.muted }, splitLine: { lineStyle: { color: LIGHT.line } } }

function draw(file: string, height: number, option: object): void {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height })
  chart.setOption({
    animation: false,
    backgroundColor: LIGHT.background,
    textStyle: text,
    aria: { enabled: true },
    ...option,
  })
  mkdirSync(IMAGES, { recursive: true })
  writeFileSync(new URL(file, IMAGES), `${chart.renderToSVGString()}\n`)
  chart.dispose()
}

const pool = (row: BlockRow, workers: number) => row.pools.find((one) => one.workers === workers)
const nameOf = ({ kind, name }: BlockRow): string => (kind === 'real' ? `block ${name}` : name)

/** Two workers against one, least first: those that lose stand out. */
function speedUp({ rows }: Results): void {
  const shown = rows
    .flatMap((row) => {
      const ratio = pool(row, 2)?.ratio.ofMedians
      return ratio === undefined ? [] : [{ name: nameOf(row), kind: row.kind, ratio }]
    })
    .sort((a, b) => a.ratio - b.ratio)
  const colour = { synthetic: BLUE, real: PURPLE, sum: AMBER }
  draw('bench-speed-up.svg', 70 + ROW * shown.length, {
    title: { text: 'Two workers over the sequential path, times', textStyle: { ...text, fontSize: 14 } },
    grid: { left: 130, right: 50, top: 36, bottom: 24 },
    xAxis: { type: 'value', min: 0, ...axis },
    yAxis: {
      type: 'category',
      data: shown.map(({ name }) => name),
      axisLabel: { color: LIGHT.text, interval: 0, fontSize: 11 },
    },
    series: [
      {
        type: 'bar',
        data: shown.map(({ ratio, kind }) => ({ value: ratio, itemStyle: { color: colour[kind] } })),
        label: {
          show: true,
          position: 'right',
          color: LIGHT.text,
          formatter: ({ value }: { value: number }) => value.toFixed(2),
        },
        markLine: {
          symbol: 'none',
          label: { show: false },
          lineStyle: { color: LIGHT.critical, type: 'dashed' },
          data: [{ xAxis: 1 }],
        },
      },
    ],
  })
}

/** What speculation adds to a transaction where it can gain nothing: on one worker. */
function overhead({ rows }: Results): void {
  const shown = rows.flatMap((row) => {
    const one = pool(row, 1)
    return row.kind === 'synthetic' && one !== undefined ? [{ name: row.name, one }] : []
  })
  draw('bench-overhead.svg', 300, {
    title: {
      text: 'One worker, microseconds that speculation adds to a transaction',
      textStyle: { ...text, fontSize: 14 },
    },
    grid: { left: 60, right: 20, top: 44, bottom: 30 },
    xAxis: { type: 'category', data: shown.map(({ name }) => name), axisLabel: { color: LIGHT.text } },
    yAxis: { type: 'value', ...axis },
    series: [
      {
        type: 'bar',
        itemStyle: { color: AMBER },
        data: shown.map(({ one }) => one.parallel.median - one.sequential.median),
        label: {
          show: true,
          position: 'top',
          color: LIGHT.text,
          formatter: ({ value, dataIndex }: { value: number; dataIndex: number }) =>
            `${value.toFixed(2)} (on ${shown[dataIndex].one.sequential.median.toFixed(2)})`,
        },
      },
    ],
  })
}

/** Time a transaction by the length of the block. */
function growth({ growth: rows = [] }: Results): void {
  const names = [...new Set(rows.map(({ name }) => name))]
  draw('bench-growth.svg', 320, {
    title: { text: 'Two workers, microseconds a transaction by length of block', textStyle: { ...text, fontSize: 14 } },
    legend: { right: 20, top: 4, textStyle: text },
    grid: { left: 60, right: 30, top: 44, bottom: 40 },
    xAxis: { type: 'log', min: 1000, name: 'transactions', nameLocation: 'middle', nameGap: 26, ...axis },
    yAxis: { type: 'value', min: 0, ...axis },
    series: names.map((name, k) => ({
      name,
      type: 'line',
      itemStyle: { color: COLOURS[k] },
      lineStyle: { width: 2 },
      data: rows
        .filter((row) => row.name === name)
        .map(({ transactions, parallel }) => [transactions, parallel.median]),
    })),
  })
}

const results = JSON.parse(readFileSync(RESULTS, 'utf8')) as Results
speedUp(results)
overhead(results)
if (results.growth !== undefined) growth(results)
