/**
 * The script of the page that `blockloom report` writes: reads the data beside it and draws the charts.
 *
 * Bundled with ECharts into one file by the build, and put into each page: a page needs nothing but itself.
 */
import { CustomChart, HeatmapChart, LineChart, LinesChart, ScatterChart } from 'echarts/charts'
import {
  AriaComponent,
  DataZoomComponent,
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TooltipComponent,
  VisualMapComponent,
} from 'echarts/components'
import { type EChartsCoreOption, type EChartsType, init, use } from 'echarts/core'
import { CanvasRenderer } from 'echarts/renderers'
import type { ReportData } from '../src/records/reportData.ts'
import { curveOption, graphOption, heatOption, timelineOption } from './charts.ts'
import { DARK, LIGHT, type Theme } from './theme.ts'

use([CustomChart, HeatmapChart, LineChart, LinesChart, ScatterChart, CanvasRenderer])
use([AriaComponent, DataZoomComponent, GridComponent, LegendComponent, MarkLineComponent, TooltipComponent])
use([VisualMapComponent])

/** What the page holds besides `ReportData`. */
interface PageData extends ReportData {
  /** Places of the run without its ends. */
  readonly places: number
  readonly thing: string
  /** Names of tasks by place, where they have any. */
  readonly names: Readonly<Record<number, string>>
}

const data = JSON.parse(document.getElementById('data')?.textContent ?? '{}') as PageData

const nameOf = (place: number): string => {
  if (place === 0) return 'prologue'
  if (place > data.places) return 'epilogue'
  const name = data.names[place]
  return `${data.thing} ${place - 1}${name === undefined ? '' : ` (${name})`}`
}

const charts: Readonly<Record<string, (theme: Theme) => EChartsCoreOption>> = {
  timeline: (theme) => timelineOption(data.timeline, theme, nameOf),
  heat: (theme) => heatOption(data.heat, theme),
  graph: (theme) => graphOption(data.graph, theme, nameOf),
  curve: (theme) => curveOption(data.curve, theme),
}

const dark = matchMedia('(prefers-color-scheme: dark)')
const drawn: EChartsType[] = []

function draw(): void {
  for (const chart of drawn.splice(0)) chart.dispose()
  for (const [id, option] of Object.entries(charts)) {
    const element = document.getElementById(id)
    // Where there is nothing to draw the page says so, and has no such element.
    if (element === null) continue
    const label = element.getAttribute('aria-label') ?? ''
    const chart = init(element)
    chart.setOption(option(dark.matches ? DARK : LIGHT))
    // ECharts describes each point; the page has a sentence, and tables of the figures.
    element.setAttribute('aria-label', label)
    drawn.push(chart)
  }
  document.body.dataset['drawn'] = String(drawn.length)
}

draw()
dark.addEventListener('change', draw)
addEventListener('resize', () => {
  for (const chart of drawn) chart.resize()
})
