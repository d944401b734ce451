/**
 * `npm run plots`: the pictures of the documents, from real blocks and from the report of one.
 *
 * Costs are those of one worker that speculates, since only there nothing disturbs them: of several recorded runs each
 * place counts with its shortest execution, which another program cannot make shorter; and overheads are the
 * simulator's defaults, since those of a single run are as unsteady as its waking. The curves are the simulator's; they
 * are drawn by the code that draws them in a report.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { chainAtFork } from 'blockloom'
import type { ExecutionRecord, RunRecord } from 'blockloom/records'
import { LineChart } from 'echarts/charts'
import {
  AriaComponent,
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TitleComponent,
  TooltipComponent,
} from 'echarts/components'
import { init, use } from 'echarts/core'
import { SVGRenderer } from 'echarts/renderers'
import { curveOption } from '../report/charts.ts'
import { LIGHT } from '../report/theme.ts'
import { DEFAULT_OVERHEADS } from '../src/records/overheads.ts'
import { CURVE_WORKERS, curveOf } from '../src/records/reportData.ts'
import { createSimulator, type SimulateOptions } from '../src/records/simulate.ts'
import { type BenchFile, openExecutor, stateOf } from './pool.ts'

const BLOCKS = fileURLToPath(new URL('../../shared/data/blocks/', import.meta.url))
const IMAGES = new URL('../docs/images/', import.meta.url)

/** A block and what it shows. */
const SHOWN = [
  [17666333, 'swaps and transfers'],
  [14396881, 'most calls to one contract'],
  [13287210, 'six senders'],
  [15274915, 'one token'],
  [19932148, 'a usual block'],
  [18426253, 'one long transaction, late'],
] as const

/** Whose report is shown. */
const PICTURED = 19932148

const RUNS = 9
const WARM_UP = 12
const WIDTH = 330
const HEIGHT = 230
const COLUMNS = 3
const LEGEND = 26

use([
  LineChart,
  AriaComponent,
  GridComponent,
  LegendComponent,
  MarkLineComponent,
  TitleComponent,
  TooltipComponent,
  SVGRenderer,
])

const readBlock = (number: number): BenchFile & { readonly fork: Parameters<typeof chainAtFork>[0] } =>
  JSON.parse(gunzipSync(readFileSync(`${BLOCKS}${number}.json.gz`)).toString('utf8'))

/** One record of several runs: each execution as long as the shortest one of its place. */
async function record(number: number): Promise<RunRecord> {
  const file = readBlock(number)
  const executor = await openExecutor(1)
  try {
    const state = stateOf(file, executor)
    const chain = chainAtFork(file.fork)
    const options = { state, chain, senders: 'trust', only: 'transactions', speculation: 'always' } as const
    const prepared = await executor.prepareBlock(file.block, options)
    const records: RunRecord[] = []
    for (let k = 0; k < WARM_UP + RUNS; k++) {
      const { records: one } = await executor.runPrepared(prepared, { ...options, records: true })
      if (k >= WARM_UP && one !== undefined) records.push(one)
    }
    return shortest(records)
  } finally {
    await executor.close()
  }
}

function shortest(records: readonly RunRecord[]): RunRecord {
  const best = new Map<number, number>()
  const length = ({ start, end }: ExecutionRecord): number => end - start
  for (const execution of records.flatMap(({ executions }) => executions)) {
    best.set(execution.place, Math.min(best.get(execution.place) ?? Number.POSITIVE_INFINITY, length(execution)))
  }
  const [first] = records
  const executions = first.executions.map((execution) => {
    const { place, start } = execution
    return { ...execution, end: start + (best.get(place) ?? length(execution)), waits: [] }
  })
  return { ...first, executions }
}

function panel(record: RunRecord, title: string, x: number, y: number): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height: HEIGHT })
  const simulator = createSimulator({ ...record, run: { ...record.run, speculation: 'auto' } })
  const run = (options: SimulateOptions) => simulator.run({ ...options, overheads: DEFAULT_OVERHEADS })
  chart.setOption(curveOption(curveOf({ ...simulator, run }, CURVE_WORKERS), LIGHT, title))
  const svg = chart.renderToSVGString()
  chart.dispose()
  return svg.replace('<svg ', `<svg x="${x}" y="${y}" `)
}

/** Names of the lines, once for all panels. */
function legend(width: number, y: number): string {
  const lines = [
    ['Block-STM, as this engine does it', LIGHT.lines['block-stm'], ''],
    ['all dependencies known', LIGHT.lines['access-list'], ''],
    ['lower bound', LIGHT.lines['oracle'], '5 4'],
    ['critical path', LIGHT.critical, '2 3'],
  ] as const
  const step = width / lines.length
  return lines
    .map(([name, colour, dashes], k) => {
      const x = k * step + 30
      const stroke = `stroke="${colour}" stroke-width="2" stroke-dasharray="${dashes}"`
      const text = `<text x="${x + 34}" y="${y + 4}" font-family="sans-serif" font-size="12" fill="${LIGHT.text}">`
      return `<line x1="${x}" y1="${y}" x2="${x + 28}" y2="${y}" ${stroke}/>${text}${name}</text>`
    })
    .join('')
}

async function main(): Promise<void> {
  if (!existsSync(BLOCKS)) throw new Error(`${BLOCKS} is not there`)
  mkdirSync(IMAGES, { recursive: true })
  const panels: string[] = []
  for (const [k, [number, what]] of SHOWN.entries()) {
    process.stderr.write(`plots: block ${number}\n`)
    const title = `${number}: ${what}`
    panels.push(panel(await record(number), title, (k % COLUMNS) * WIDTH, LEGEND + Math.floor(k / COLUMNS) * HEIGHT))
  }
  const width = COLUMNS * WIDTH
  const height = LEGEND + Math.ceil(SHOWN.length / COLUMNS) * HEIGHT
  const label = 'Simulated speed-up of six real blocks on 1 to 64 workers, with the bound of their critical paths'
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}"><rect width="100%" height="100%" fill="#ffffff"/>${legend(width, 14)}${panels.join('')}</svg>\n`
  writeFileSync(new URL('speed-up.svg', IMAGES), svg)
  await screenshot()
}

/** A recorded run's page, as a browser shows it; left as it is where no browser is installed. */
async function screenshot(): Promise<void> {
  const { reportPicture } = await import('./reportPicture.ts')
  const told = await reportPicture(readBlock(PICTURED), fileURLToPath(new URL('report.png', IMAGES)))
  process.stderr.write(`plots: ${told}\n`)
}

await main()
