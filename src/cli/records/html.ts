/**
 * The page of `blockloom report`, as text: figures and tables that need no script, then data and the script that draws.
 *
 * Everything that comes from a run is escaped: names of tasks, labels and keys may be anybody's. The page allows itself
 * no request at all (Content-Security-Policy), so it reads the same without a network.
 */
import type { Explanation } from '../../records/explanation.ts'
import type { CurveData, ReportData } from '../../records/reportData.ts'
import { count, grouped, micros, times } from './text.ts'

export interface PageInput {
  readonly data: ReportData
  /** Transactions or tasks, without the ends. */
  readonly places: number
  readonly thing: 'transaction' | 'task' | 'input'
  /** Names of tasks by place. */
  readonly names: Readonly<Record<number, string>>
  /** Name of the file that was read. */
  readonly source: string
  /** Script that draws, and the licences of what is in it. */
  readonly script: string
  readonly licences: string
}

/** Text for HTML, in elements and in attributes. */
const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign] ?? '&#39;')

/** JSON inside of a script element: nothing in it may end the element or begin a comment. */
const scriptJson = (value: unknown): string => JSON.stringify(value).replace(/</g, '\\u003c')

/** Rows that a table of the page has at most; `explain --json` has all. */
const ROWS = 15

const STYLE = `
:root { color-scheme: light dark; --text: #1b2430; --muted: #55606e; --line: #d5dbe3; --page: #f4f6f9; --card: #ffffff; --accent: #2f6fc4; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6ebf2; --muted: #a3afbf; --line: #37414f; --page: #0d1117; --card: #161b22; --accent: #6aa5f2; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
header, main, footer { max-width: 1200px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 28px; }
h1 { font-size: 24px; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 0 0 4px; }
p { margin: 0 0 12px; color: var(--muted); max-width: 120ch; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 18px 20px; margin: 18px 0; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(104px, 1fr)); gap: 12px; margin: 18px 0; }
dl div { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 12px; }
dt { color: var(--muted); font-size: 13px; }
dd { margin: 0; font-size: 17px; white-space: nowrap; font-variant-numeric: tabular-nums; }
ul { margin: 0; padding-left: 20px; }
.chart { width: 100%; height: 340px; }
#heat, #graph { height: 460px; }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--muted); padding: 6px 0; }
th, td { text-align: right; padding: 5px 8px; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; overflow-wrap: anywhere; }
tbody th { font-weight: normal; }
summary { cursor: pointer; color: var(--accent); margin-top: 10px; }
summary:focus-visible { outline: 2px solid var(--accent); }
footer { color: var(--muted); font-size: 13px; padding-bottom: 28px; }
`

/** @returns a whole HTML document */
export function reportHtml(input: PageInput): string {
  const { data, thing, source, script, licences } = input
  const { explanation } = data
  const title = explanation.label === '' ? 'recorded run' : explanation.label
  const { heat, timeline, graph } = data
  const payload = { ...data, explanation: undefined, places: input.places, thing, names: input.names }
  const tall = Math.max(220, 110 + 36 * timeline.workers.length)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">
<title>blockloom: ${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escapeHtml(title)}</h1>
${facts(explanation, thing)}
</header>
<main>
<section><h2>What to do</h2>${list(explanation.advice, 'Nothing stands out: this run is about as parallel as it can be.')}</section>
${section(
  'timeline',
  'Timeline of each worker',
  `A bar is one execution of a ${thing}; a thin bar inside is waiting for a lower one. Drag or use the wheel to look closer.`,
  graph.place.length === 0
    ? undefined
    : `Timeline of ${count(timeline.workers.length, 'worker')} with ${grouped(explanation.executions)} executions`,
  'No execution is recorded.',
  '',
  `height:${tall}px`,
)}
${section(
  'heat',
  'Where it conflicts',
  `Reads that needed what a lower ${thing} wrote, by location and by stretch of the preset order.${
    heat.rest > 0 ? ` ${grouped(heat.rest)} more conflicts are over other locations.` : ''
  }`,
  heat.cells.length === 0 ? undefined : `Heat map of conflicts over ${count(heat.locations.length, 'location')}`,
  `No ${thing} read what another one wrote.`,
  conflictTable(explanation),
  `height:${90 + 20 * Math.max(4, heat.locations.length)}px`,
)}
${section(
  'graph',
  'What needs what',
  `Each point is a ${thing}, as high as its earliest end with any number of workers; lines go to what that end depends on. The critical path is the way to the highest point.`,
  graph.place.length === 0
    ? undefined
    : `Dependency graph of ${grouped(graph.place.length)} places, critical path ${micros(explanation.criticalPath.length)}`,
  'Nothing ran to an end.',
  pathTable(explanation),
)}
${section(
  'curve',
  'What more workers would give',
  'Simulated from this run: this engine, a schedule that knows all dependencies before, and the lower bound of both.',
  graph.place.length === 0
    ? undefined
    : `Speed-up by workers; any number of workers could gain ${times(data.curve.bound)}`,
  'There is nothing to simulate.',
  curveTable(data.curve),
)}
</main>
<footer>From ${escapeHtml(source)} by blockloom report. Charts: Apache ECharts (Apache License 2.0) with zrender and d3 (BSD 3-Clause); texts in this page's source.</footer>
<script type="application/json" id="data">${scriptJson(payload)}</script>
<script type="text/plain" id="licences">${escapeHtml(licences)}</script>
<script>${script.replace(/<\/script/gi, '<\\/script')}</script>
</body>
</html>
`
}

function facts(told: Explanation, thing: string): string {
  const entries: [string, string][] = [
    [`${thing}s`, grouped(told.places)],
    ['workers', grouped(told.workers)],
    ['recorded time', told.duration === undefined ? 'breaks off' : micros(told.duration)],
    ['work of all', micros(told.work)],
    ['critical path', micros(told.criticalPath.length)],
    ['thrown away', grouped(told.aborts)],
    ['waits', grouped(told.waits)],
    ['most to gain', times(told.bound.speedup)],
  ]
  const rows = entries.map(([term, value]) => `<div><dt>${escapeHtml(term)}</dt><dd>${escapeHtml(value)}</dd></div>`)
  return `<dl>${rows.join('')}</dl>`
}

const list = (sentences: readonly string[], none: string): string =>
  sentences.length === 0
    ? `<p>${escapeHtml(none)}</p>`
    : `<ul>${sentences.map((sentence) => `<li>${escapeHtml(sentence)}</li>`).join('')}</ul>`

/**
 * A chart with its title, a sentence how to read it, and its figures as a table. `label` undefined: nothing to draw.
 */
function section(
  id: string,
  title: string,
  how: string,
  label: string | undefined,
  none: string,
  table: string,
  style = '',
): string {
  const chart =
    label === undefined
      ? `<p>${escapeHtml(none)}</p>`
      : `<p>${escapeHtml(how)}</p><div class="chart" id="${id}" role="img" aria-label="${escapeHtml(label)}"${
          style === '' ? '' : ` style="${style}"`
        }></div>`
  return `<section aria-labelledby="${id}-title"><h2 id="${id}-title">${escapeHtml(title)}</h2>${chart}${table}</section>`
}

function conflictTable({ conflicts }: Explanation): string {
  const rows = conflicts.slice(0, ROWS)
  if (rows.length === 0) return ''
  return tableOf(
    'Locations, what cost most first',
    ['location', 'thrown away', 'time of that', 'waits', 'time of that', 'conflicts'],
    rows.map((one) => [
      ...[one.name, grouped(one.aborts), micros(one.wasted), grouped(one.waits), micros(one.waited)],
      grouped(one.dependencies),
    ]),
    conflicts.length - rows.length,
  )
}

function pathTable({ criticalPath: { steps } }: Explanation): string {
  const rows = [...steps].sort((a, b) => b.cost - a.cost).slice(0, ROWS)
  if (rows.length === 0) return ''
  return tableOf(
    'The critical path, longest steps first',
    ['step', 'work', 'needed the step before for'],
    rows.map(({ name, cost, via }) => [name, micros(cost), via?.name ?? '-']),
    steps.length - rows.length,
  )
}

const curveTable = ({ workers, series }: CurveData): string =>
  tableOf(
    'Speed-up over one after another',
    ['policy', ...workers.map((n) => count(n, 'worker'))],
    series.map(({ policy, speedup }) => [policy, ...speedup.map(times)]),
    0,
  )

function tableOf(caption: string, head: readonly string[], rows: readonly (readonly string[])[], more: number): string {
  const line = (tag: 'td' | 'th', cells: readonly string[]): string =>
    cells
      .map((cell, k) => {
        const scope = tag === 'th' ? ' scope="col"' : k === 0 ? ' scope="row"' : ''
        const name = k === 0 ? 'th' : tag
        return `<${name}${scope}>${escapeHtml(cell)}</${name}>`
      })
      .join('')
  const rest = more > 0 ? `<p>${grouped(more)} more: <code>blockloom explain --json</code>.</p>` : ''
  return `<details><summary>${escapeHtml(caption)}, as a table</summary><div class="table"><table><caption>${escapeHtml(caption)}</caption><thead><tr>${line('th', head)}</tr></thead><tbody>${rows
    .map((cells) => `<tr>${line('td', cells)}</tr>`)
    .join('')}</tbody></table></div>${rest}</details>`
}
