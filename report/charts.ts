/**
 * The four charts as options of ECharts: pure functions of data and theme, used by the page and, drawn as SVG in Node,
 * by the pictures of the documents. Needs no window.
 */
import type { CustomSeriesOption } from 'echarts/charts'
import type { EChartsCoreOption } from 'echarts/core'
import { type CurveData, FATES, type GraphData, type HeatData, type TimelineData } from '../src/records/reportData.ts'
import type { Theme } from './theme.ts'

/** How places are told in tooltips. */
export type PlaceNames = (place: number) => string

const FONT = 'system-ui, -apple-system, Roboto, Helvetica, Arial, sans-serif'

/** Text of others in a tooltip, which ECharts takes as HTML. */
const escaped = (text: string): string => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)

const us = (value: number): string => `${value.toLocaleString('en-US', { maximumFractionDigits: 1 })} us`

const common = (theme: Theme): EChartsCoreOption => ({
  backgroundColor: theme.background,
  animation: false,
  textStyle: { color: theme.text, fontFamily: FONT },
  aria: { enabled: true },
})

const axis = (theme: Theme, name: string, gap = 28): object => ({
  name,
  nameLocation: 'middle',
  nameGap: gap,
  nameTextStyle: { color: theme.muted },
  axisLabel: { color: theme.muted },
  axisLine: { lineStyle: { color: theme.line } },
  axisTick: { lineStyle: { color: theme.line } },
  splitLine: { lineStyle: { color: theme.line } },
})

const tooltip = (theme: Theme): object => ({
  backgroundColor: theme.background,
  borderColor: theme.line,
  textStyle: { color: theme.text },
  confine: true,
})

const legend = (theme: Theme): object => ({
  top: 0,
  left: 0,
  textStyle: { color: theme.text },
  inactiveColor: theme.muted,
})

/** Wheel and drag change what is seen of the x axis; the slider does the same by hand or keyboard. */
const zoom = (theme: Theme): object[] => [
  { type: 'inside', filterMode: 'weakFilter' },
  {
    ...{ type: 'slider', filterMode: 'weakFilter', height: 18, bottom: 6, brushSelect: false, showDataShadow: false },
    ...{ borderColor: theme.line, textStyle: { color: theme.muted }, labelFormatter: (value: number) => us(value) },
  },
]

interface Size {
  readonly width: number
  readonly height: number
  readonly x: number
  readonly y: number
}

/** Draws spans of time in the rows of workers. */
const bars =
  (share: number): NonNullable<CustomSeriesOption['renderItem']> =>
  (params, api) => {
    const row = api.value(0) as number
    const from = api.coord([api.value(1), row])
    const to = api.coord([api.value(2), row])
    const height = Math.max(2, ((api.size?.([0, 1]) ?? [0, 0]) as number[])[1] * share)
    const area = params.coordSys as unknown as Size
    const left = Math.max(from[0], area.x)
    // A place that is shorter than a pixel is still seen.
    const width = Math.min(Math.max(to[0] - from[0], 0.5), area.x + area.width - left)
    if (width <= 0 || left > area.x + area.width) return null
    return {
      type: 'rect',
      shape: { x: left, y: from[1] - height / 2, width, height },
      style: { fill: api.visual('color') as string },
    }
  }

export function timelineOption(data: TimelineData, theme: Theme, nameOf: PlaceNames): EChartsCoreOption {
  const rowsOf = FATES.map((): number[][] => [])
  for (const [k, fate] of data.fate.entries()) {
    rowsOf[fate].push([data.worker[k], data.start[k], data.end[k], data.place[k], data.incarnation[k]])
  }
  const series = FATES.flatMap((name, fate) =>
    rowsOf[fate].length === 0
      ? []
      : [
          {
            ...{ type: 'custom', name, renderItem: bars(0.72), itemStyle: { color: theme.fates[fate] } },
            ...{ data: rowsOf[fate], encode: { x: [1, 2], y: 0 }, progressive: 0, clip: true },
          },
        ],
  )
  const waits = {
    ...{ type: 'custom', name: 'waiting', renderItem: bars(0.3), itemStyle: { color: theme.wait }, z: 3 },
    ...{ data: data.waits, encode: { x: [1, 2], y: 0 }, progressive: 0, clip: true },
  }
  return {
    ...common(theme),
    legend: legend(theme),
    grid: { left: 76, right: 16, top: 34, bottom: 70 },
    tooltip: {
      ...tooltip(theme),
      formatter: ({ value, seriesName }: { value: number[]; seriesName: string }) => {
        const [row, start, end, place, incarnation] = value
        const where = `worker ${data.workers[row]}, ${us(start)} to ${us(end)} (${us(end - start)})`
        return place === undefined
          ? `waiting<br>${where}`
          : `${escaped(nameOf(place))}, incarnation ${incarnation}: ${seriesName}<br>${where}`
      },
    },
    xAxis: { type: 'value', min: 0, ...axis(theme, 'microseconds since the run began') },
    yAxis: {
      type: 'category',
      inverse: true,
      data: data.workers.map((worker) => `worker ${worker}`),
      ...axis(theme, ''),
    },
    dataZoom: zoom(theme),
    series: data.waits.length === 0 ? series : [...series, waits],
  }
}

export function heatOption(data: HeatData, theme: Theme): EChartsCoreOption {
  const most = Math.max(1, ...data.cells.map(([, , conflicts]) => conflicts))
  return {
    ...common(theme),
    grid: { left: 330, right: 70, top: 10, bottom: 50 },
    tooltip: {
      ...tooltip(theme),
      formatter: ({ value: [column, row, conflicts] }: { value: number[] }) => {
        const first = data.stretches[column]
        return `${escaped(data.locations[row])}<br>places ${first} to ${first + data.stretch - 1}: ${conflicts} conflicts`
      },
    },
    xAxis: {
      type: 'category',
      data: data.stretches,
      ...axis(theme, 'place in the preset order'),
      splitArea: { show: false },
    },
    yAxis: {
      type: 'category',
      inverse: true,
      data: data.locations,
      ...axis(theme, ''),
      axisLabel: { color: theme.text, width: 315, overflow: 'truncate', fontSize: 11, interval: 0 },
    },
    visualMap: {
      ...{
        min: 1,
        max: Math.max(most, 2),
        calculable: false,
        orient: 'vertical',
        right: 0,
        top: 'middle',
        precision: 0,
      },
      ...{ itemHeight: 120, itemWidth: 14, inRange: { color: [...theme.heat] }, textStyle: { color: theme.text } },
      ...{ text: [String(Math.max(most, 2)), '1'] },
    },
    series: [{ type: 'heatmap', data: data.cells, itemStyle: { borderColor: theme.background, borderWidth: 1 } }],
  }
}

/** More places than this are drawn without their own tooltip and symbol sizes. */
const MANY = 3000

export function graphOption(data: GraphData, theme: Theme, nameOf: PlaceNames): EChartsCoreOption {
  const at = (index: number): [number, number] => [data.place[index], data.end[index]]
  const edges = data.after.flatMap((on, index) => (on < 0 ? [] : [{ coords: [at(on), at(index)] }]))
  const longest = Math.max(1, ...data.cost)
  return {
    ...common(theme),
    legend: { ...legend(theme), itemHeight: 8 },
    grid: { left: 84, right: 16, top: 34, bottom: 70 },
    tooltip: {
      ...tooltip(theme),
      formatter: ({ value }: { value: number[] | undefined }) =>
        value === undefined
          ? ''
          : `${escaped(nameOf(value[0]))}<br>earliest end ${us(value[1])}${value[2] === undefined ? '' : `, work ${us(value[2])}`}`,
    },
    xAxis: {
      type: 'value',
      min: 'dataMin',
      max: 'dataMax',
      ...axis(theme, 'place in the preset order'),
      splitLine: { show: false },
    },
    yAxis: { type: 'value', ...axis(theme, 'earliest end, microseconds', 62) },
    dataZoom: zoom(theme).map((one) => ({ ...one, labelFormatter: (value: number) => String(Math.round(value)) })),
    series: [
      {
        ...{ type: 'lines', name: 'needs', coordinateSystem: 'cartesian2d', data: edges, silent: true, clip: true },
        ...{
          large: edges.length > MANY,
          lineStyle: { color: theme.edge, width: 1, opacity: 1 },
          itemStyle: { color: theme.muted },
        },
      },
      {
        ...{
          type: 'scatter',
          name: 'place',
          data: data.place.map((place, index) => [place, data.end[index], data.cost[index]]),
        },
        ...{ large: data.place.length > MANY, itemStyle: { color: theme.point } },
        symbolSize: data.place.length > MANY ? 2 : ([, , cost]: number[]) => 3 + 9 * Math.sqrt(cost / longest),
      },
      {
        ...{ type: 'line', name: 'critical path', data: data.critical.map(at), symbol: 'circle', symbolSize: 5 },
        ...{ lineStyle: { color: theme.critical, width: 2 }, itemStyle: { color: theme.critical }, z: 4 },
      },
    ],
  }
}

/** End of the axis above a value: a round number, a little higher. */
const topOf = (value: number): number =>
  value > 3 ? Math.ceil(value * 1.1) : Math.ceil(Math.max(1, value) * 1.15 * 5) / 5

const POLICY_NAMES: Readonly<Record<string, string>> = {
  oracle: 'lower bound',
  'access-list': 'all dependencies known',
  graph: 'declared graph',
  'block-stm': 'Block-STM',
}

export function curveOption(data: CurveData, theme: Theme, title?: string): EChartsCoreOption {
  const bound = Math.round(data.bound * 100) / 100
  return {
    ...common(theme),
    ...(title !== undefined && {
      title: { text: title, left: 'center', textStyle: { color: theme.text, fontSize: 13, fontWeight: 'bold' } },
    }),
    legend: title === undefined ? legend(theme) : { show: false },
    grid: { left: 58, right: 30, top: 38, bottom: 48 },
    tooltip: { ...tooltip(theme), trigger: 'axis', valueFormatter: (value: number) => `${value.toFixed(2)}x` },
    xAxis: { type: 'category', data: data.workers, boundaryGap: false, ...axis(theme, 'workers') },
    yAxis: {
      ...{
        type: 'value',
        min: 0,
        max: topOf(Math.min(bound, data.workers.at(-1) ?? 1)),
        ...axis(theme, 'speed-up', 38),
        axisLabel: { color: theme.muted, showMaxLabel: false },
      },
    },
    series: [
      ...data.series.map(({ policy, speedup }) => ({
        ...{ type: 'line', name: POLICY_NAMES[policy] ?? policy, data: speedup, symbolSize: 6 },
        symbol: policy === 'block-stm' ? 'circle' : policy === 'oracle' ? 'none' : 'triangle',
        lineStyle: { width: 2, color: theme.lines[policy], type: policy === 'oracle' ? 'dashed' : 'solid' },
        itemStyle: { color: theme.lines[policy] },
        ...(policy === 'oracle' && { markLine: boundLine(bound, theme) }),
      })),
    ],
  }
}

const boundLine = (bound: number, theme: Theme): object => ({
  ...{ silent: true, symbol: 'none', data: [{ yAxis: bound }] },
  lineStyle: { color: theme.critical, type: 'dotted', width: 1.5 },
  label: { formatter: `critical path ${bound.toFixed(2)}x`, position: 'insideEndTop', color: theme.critical },
})
