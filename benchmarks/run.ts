/**
 * `npm run bench`: how fast the built library is, against its own sequential path and against @ethereumjs/vm.
 *
 * Builds dist where it is older than src, measures, prints tables and writes benchmarks/results/<name>.json. What each
 * figure means and how it is made: docs/performance.md.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { ensureBuilt } from '../scripts/ensure.mjs'
import { judge } from '../scripts/goals.mjs'
import { type EngineRows, engineTable } from './engine.ts'
import { type EthereumjsFile, runEthereumjs } from './ethereumjs.ts'
import { type AdapterRow, adapterTable } from './ethereumjsAdapter.ts'
import { type GrowthRow, growthTable, type PoolsRow, poolsTable } from './growth.ts'
import { type NativeRow, nativeTable } from './native.ts'
import type { BenchFile } from './pool.ts'
import type { PrecompileRow } from './precompiles.ts'
import { type RecordsRow, recordsTable } from './records.ts'
import {
  type BlockRow,
  blockTable,
  type CostRow,
  commit,
  costTable,
  type HashRow,
  hashTable,
  machine,
  median,
  type OutsiderRow,
  outsiderTable,
  type Results,
  round,
} from './report.ts'
import { measureRoots, type RootRow, rootTable } from './roots.ts'
import { type RunBlockRow, runBlockTable } from './runblock.ts'
import { errorsOf, type SimulateRow, simulateTable, TOLERANCE } from './simulate.ts'
import type { CodecRow, TaskRow, WorkflowRow } from './tasks.ts'
import { type WholeRow, wholeTable } from './whole.ts'
import { makeWorkload, WORKLOAD_NAMES, type WorkloadName } from './workloads.ts'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const BLOCKS = fileURLToPath(new URL('../../shared/data/blocks/', import.meta.url))
const RESULTS = new URL('./results/', import.meta.url)

/** What is measured where `--only` names nothing: those that have a goal. */
const DEFAULT_WORKLOADS: readonly WorkloadName[] = [
  'transfers',
  'erc20',
  'erc20-hot',
  'erc20-chain',
  'uniswap',
  'chain',
]
const COSTS = [
  'startup',
  'senders',
  'hash',
  'root',
  'whole',
  'records',
  'simulate',
  'ethereumjs-adapter',
  'runblock',
  'tasks',
  'workflows',
  'codec',
  'engine',
  'growth',
  'pools',
  'native',
  'precompiles',
] as const
/** Real blocks with more transactions than this are measured. */
const FEW = 100

const DEFAULT_TRANSACTIONS = 5_000
/** Odd, so that a median is one of the runs. */
const DEFAULT_RUNS = 21
const LEAST_RUNS = 10
/** @ethereumjs/vm takes milliseconds a transaction; its synthetic blocks are made this short. */
const OUTSIDER_LIMIT = 200
const OUTSIDER_RUNS = 3
/** Seconds of real blocks beside @ethereumjs/vm, for each of the two that run them. */
const DEFAULT_BUDGET = 60

const HELP = `npm run bench -- [options]

  --only NAME...        measure only these: ${WORKLOAD_NAMES.join(', ')},
                        real (all real blocks), the number of a real block, startup, senders, hash,
                        root, whole, records, ethereumjs-adapter, runblock (which takes the real blocks too),
                        simulate (predicted against measured time), tasks, workflows, codec,
                        engine (places that do nothing, naps, short blocks), growth (1,000 to 50,000),
                        pools (2 to 16 workers), native (beside native revm; where cargo is),
                        precompiles (each beside native revm; where cargo is)
  --transactions N      transactions of a synthetic block (${DEFAULT_TRANSACTIONS})
  --runs N              pairs of runs that count, after the warm-up (${DEFAULT_RUNS})
  --workers LIST        pool sizes, as 2 or 2,4 (2); one worker with speculation 'always' is measured as well
  --no-ethereumjs       leave @ethereumjs/vm out
  --budget SECONDS      ethereumjs-adapter and runblock begin no further real block after so long (${DEFAULT_BUDGET})
  --ethereumjs-limit N  transactions of a synthetic block that it runs (${OUTSIDER_LIMIT}); real blocks it runs whole
  --save NAME           write benchmarks/results/NAME.json ('latest' for a whole run, else 'scratch')
  --no-build            measure dist as it stands
  --json                print the results file instead of tables
  --machine             print what machine this is, as one line of JSON, and nothing else
  --door                are the functions of core/atomics.ts inlined? Nothing else is measured
  --allocations         bytes and messages a transaction. Nothing else is measured
  --help`

class UsageError extends Error {}

interface Settings {
  readonly only: readonly string[]
  readonly transactions: number
  readonly runs: number
  readonly workers: readonly number[]
  readonly ethereumjs: boolean
  readonly ethereumjsLimit: number
  readonly budget: number
  readonly save: string
}

function readArguments() {
  const flag = { type: 'boolean', default: false } as const
  const text = { type: 'string' } as const
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        only: { type: 'string', multiple: true },
        transactions: text,
        runs: text,
        workers: text,
        'no-ethereumjs': flag,
        'ethereumjs-limit': text,
        budget: text,
        save: text,
        'no-build': flag,
        json: flag,
        machine: flag,
        door: flag,
        allocations: flag,
        help: flag,
      },
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

function settingsOf({ values, positionals }: ReturnType<typeof readArguments>): Settings {
  if (positionals.length > 0 && values.only === undefined) throw new UsageError(`what is '${positionals[0]}'?`)
  const only = [...(values.only ?? []), ...positionals].flatMap((name) => name.split(','))
  for (const name of only) {
    const known = [...WORKLOAD_NAMES, ...COSTS, 'real'].some((one) => one === name)
    if (!known && !/^\d+$/.test(name)) throw new UsageError(`--only knows no '${name}'`)
  }
  const transactions = count('transactions', values.transactions, DEFAULT_TRANSACTIONS)
  const runs = count('runs', values.runs, DEFAULT_RUNS)
  const workers = (values.workers ?? '2').split(',').map((text) => count('workers', text, 2))
  const ethereumjs = !values['no-ethereumjs']
  const whole = only.length === 0 && transactions === DEFAULT_TRANSACTIONS && runs >= LEAST_RUNS && ethereumjs
  const save = values.save ?? (whole ? 'latest' : 'scratch')
  if (!/^[\w.-]+$/.test(save)) throw new UsageError(`--save takes the name of a file, not '${save}'`)
  return {
    only,
    transactions,
    runs,
    workers: [...new Set(workers.filter((n) => n > 1))],
    ethereumjs,
    budget: count('budget', values.budget, DEFAULT_BUDGET),
    ethereumjsLimit: count('ethereumjs-limit', values['ethereumjs-limit'], OUTSIDER_LIMIT),
    save,
  }
}

function count(option: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new UsageError(`--${option} takes a whole number from 1, not '${text}'`)
  return Number(text)
}

const say = (line: string): void => {
  process.stderr.write(`${line}\n`)
}

interface Named {
  readonly name: string
  readonly file: BenchFile
}

/** Real blocks above `FEW` transactions, or those that `only` names by number. */
function realBlocks({ only }: Settings, skipped: string[]): Named[] {
  const numbers = only.filter((name) => /^\d+$/.test(name))
  if (only.length > 0 && numbers.length === 0 && !only.includes('real')) return []
  if (!existsSync(BLOCKS)) {
    skipped.push(`real blocks: ${BLOCKS} is not there`)
    return []
  }
  return readdirSync(BLOCKS)
    .filter((file) => file.endsWith('.json.gz'))
    .map((file) => ({ name: file.slice(0, -'.json.gz'.length), path: `${BLOCKS}${file}` }))
    .filter(({ name }) => numbers.length === 0 || only.includes('real') || numbers.includes(name))
    .sort((a, b) => Number(a.name) - Number(b.name))
    .map(({ name, path }) => ({ name, file: JSON.parse(gunzipSync(readFileSync(path)).toString('utf8')) as BenchFile }))
    .filter(({ name, file }) => numbers.includes(name) || transactionsOf(file) > FEW)
}

const transactionsOf = (file: BenchFile): number =>
  (file.block as { readonly transactions: readonly unknown[] }).transactions.length

/** Microseconds a transaction with @ethereumjs/vm, which runs after everything else: its garbage disturbs nobody then. */
async function measureOutsider(file: EthereumjsFile, runs: number, warmUp: boolean): Promise<OutsiderRow> {
  let transactions = 0
  const time = async (caches: boolean): Promise<number> => {
    const { ms, txs } = await runEthereumjs(file, { caches })
    transactions = txs
    return (ms * 1000) / txs
  }
  if (warmUp) await time(true)
  const without: number[] = []
  const with_: number[] = []
  for (let k = 0; k < runs; k++) {
    without.push(await time(false))
    with_.push(await time(true))
  }
  return { transactions, runs, withoutCaches: round(median(without)), withCaches: round(median(with_)) }
}

async function measureAll(settings: Settings): Promise<Results> {
  const { only, transactions, runs, workers } = settings
  // Imported late: they load the built library, which may have been built just now.
  const { measureBlock, sumOf } = await import('./blocks.ts')
  const { measureCompile, measureImport, measureSenders, measureStart } = await import('./costs.ts')
  const skipped: string[] = []
  // Noted before the first run: who commits meanwhile does not change what dist was built from.
  const measuredCommit = commit(ROOT)
  const names = only.length === 0 ? DEFAULT_WORKLOADS : WORKLOAD_NAMES.filter((name) => only.includes(name))
  const rows: BlockRow[] = []
  for (const name of names) {
    if (name === 'empty') {
      skipped.push('empty: it has no transaction to divide by')
      continue
    }
    say(`bench: ${name}`)
    const { row } = await measureBlock(name, 'synthetic', makeWorkload(name, transactions), { runs, workers })
    rows.push(row)
  }
  const real = realBlocks(settings, skipped)
  const measured = []
  for (const { name, file } of real) {
    say(`bench: block ${name}, ${transactionsOf(file)} transactions`)
    const block = await measureBlock(name, 'real', file, { runs, workers })
    measured.push(block)
    rows.push(block.row)
  }
  if (measured.length > 1) rows.push(sumOf(`${measured.length} real blocks`, measured))

  const costs: CostRow[] = []
  const wants = (name: (typeof COSTS)[number]) => only.length === 0 || only.includes(name)
  if (wants('startup')) {
    say('bench: startup')
    costs.push(measureImport(runs), await measureCompile(runs))
    for (const size of [1, ...workers]) costs.push(...(await measureStart(size, runs)))
  }
  if (wants('senders')) {
    say('bench: senders')
    const { measureRaw } = await import('./raw.ts')
    for (const size of [1, ...workers]) costs.push(await measureSenders(size, runs), ...(await measureRaw(size, runs)))
  }
  let roots: RootRow[] = []
  if (wants('root')) {
    say('bench: root')
    roots = await measureRoots(runs, settings.ethereumjs)
  }
  let hashes: readonly HashRow[] | undefined
  if (wants('hash')) {
    const { measureHashes } = await import('./hash.ts')
    say('bench: hash')
    hashes = await measureHashes(runs)
  }
  let whole: readonly WholeRow[] | undefined
  if (wants('whole')) {
    const { measureWhole } = await import('./whole.ts')
    say('bench: whole')
    whole = await measureWhole(runs)
    if (whole.some(({ edr }) => edr === undefined))
      skipped.push('@nomicfoundation/edr: not installed (benchmarks/edr.ts)')
  }
  let runBlock: readonly RunBlockRow[] | undefined
  const allReal = () => (real.length > 0 ? real : realBlocks({ ...settings, only: ['real'] }, skipped))
  const beside = { runs, budget: settings.budget, say, skipped }
  if (wants('runblock') && settings.ethereumjs) {
    const { measureRunBlock } = await import('./runblock.ts')
    say('bench: runblock')
    runBlock = await measureRunBlock(allReal(), beside)
  }
  let adapter: readonly AdapterRow[] | undefined
  if (wants('ethereumjs-adapter') && settings.ethereumjs) {
    const { measureAdapter } = await import('./ethereumjsAdapter.ts')
    say('bench: ethereumjs-adapter')
    adapter = await measureAdapter(allReal(), beside)
  }
  let simulations: SimulateRow[] | undefined
  if (wants('simulate')) {
    const { measureSimulation } = await import('./simulate.ts')
    simulations = []
    for (const name of only.length === 0 || names.length === 0 ? DEFAULT_WORKLOADS : names) {
      say(`bench: simulate ${name}`)
      simulations.push(await measureSimulation(name, makeWorkload(name, transactions), runs))
    }
    for (const { name, file } of realBlocks({ ...settings, only: only.filter((one) => one !== 'simulate') }, skipped)) {
      say(`bench: simulate block ${name}`)
      simulations.push(await measureSimulation(name, file, runs))
    }
  }
  let records: readonly RecordsRow[] | undefined
  if (wants('records')) {
    const { measureRecords } = await import('./records.ts')
    say('bench: records')
    records = await measureRecords(runs)
  }
  let engine: EngineRows | undefined
  if (wants('engine')) {
    const { measureEngine } = await import('./engine.ts')
    say('bench: engine')
    engine = await measureEngine(runs)
    costs.push(...engine.costs)
  }
  const { measureGrowth, measurePools } = await import('./growth.ts')
  let growth: readonly GrowthRow[] | undefined
  if (wants('growth')) {
    say('bench: growth')
    growth = await measureGrowth(Math.min(runs, LEAST_RUNS))
  }
  let pools: readonly PoolsRow[] | undefined
  if (wants('pools')) {
    say('bench: pools')
    pools = await measurePools(runs)
  }
  const native = wants('native') ? await measureNativeRows(settings, allReal(), skipped) : undefined
  const precompiles = wants('precompiles') ? await measurePrecompileRows(runs, skipped) : undefined
  const wantsTasks = wants('tasks') || wants('workflows') || wants('codec')
  const other = wantsTasks ? await measureTaskRows(wants, runs, skipped) : {}
  const withOutsider = settings.ethereumjs ? await addOutsider(rows, real, settings, skipped) : rows
  if (!settings.ethereumjs) skipped.push('@ethereumjs/vm: --no-ethereumjs')
  return {
    machine: machine(),
    commit: measuredCommit,
    command: ['npm run bench --', ...process.argv.slice(2)].join(' ').replace(/ --$/, ''),
    date: new Date().toISOString().slice(0, 10),
    rows: withOutsider,
    costs,
    ...(hashes !== undefined && { hashes }),
    ...(roots.length === 0 ? {} : { roots }),
    ...(whole !== undefined && { whole }),
    ...(runBlock !== undefined && { runBlock }),
    ...(adapter !== undefined && { adapter }),
    ...(simulations !== undefined && { simulations }),
    ...(records !== undefined && { records }),
    ...(engine !== undefined && { engine }),
    ...(growth !== undefined && { growth }),
    ...(pools !== undefined && { pools }),
    ...(native !== undefined && { native }),
    ...(precompiles !== undefined && { precompiles }),
    ...other,
    skipped,
  }
}

/** Those blocks beside native revm that a goal or a table speaks of, and all real ones. */
async function measureNativeRows(
  { only, transactions, runs }: Settings,
  real: readonly Named[],
  skipped: string[],
): Promise<readonly NativeRow[] | undefined> {
  const { buildNative, measureNative, sumOfNative } = await import('./native.ts')
  const missing = buildNative()
  if (missing !== undefined) {
    skipped.push(missing)
    return undefined
  }
  const rows: NativeRow[] = []
  const named = DEFAULT_WORKLOADS.filter((name) => only.includes(name))
  for (const name of named.length === 0 ? DEFAULT_WORKLOADS : named) {
    say(`bench: native, ${name}`)
    rows.push((await measureNative(name, 'synthetic', makeWorkload(name, transactions), runs)).row)
  }
  const measured = []
  for (const { name, file } of real) {
    say(`bench: native, block ${name}`)
    measured.push(await measureNative(name, 'real', file, runs))
  }
  rows.push(...measured.map(({ row }) => row))
  if (measured.length > 1) rows.push(sumOfNative(`${measured.length} real blocks`, measured))
  return rows
}

async function measurePrecompileRows(runs: number, skipped: string[]): Promise<readonly PrecompileRow[] | undefined> {
  const missing = (await import('./native.ts')).buildNative()
  if (missing !== undefined) {
    skipped.push(`precompiles, ${missing}`)
    return undefined
  }
  const { measurePrecompile, precompileCases } = await import('./precompiles.ts')
  const rows: PrecompileRow[] = []
  for (const one of await precompileCases()) {
    say(`bench: precompile ${one.name}`)
    rows.push(await measurePrecompile(one, runs))
  }
  return rows
}

/** What has to do with tasks, as far as it is wanted. */
async function measureTaskRows(
  wants: (name: (typeof COSTS)[number]) => boolean,
  runs: number,
  skipped: string[],
): Promise<Pick<Results, 'tasks' | 'workflows' | 'codecs'>> {
  const { measureCodecs, measureTasks, measureWorkflows } = await import('./tasks.ts')
  const filled: { tasks?: TaskRow[]; workflows?: WorkflowRow[]; codecs?: CodecRow[] } = {}
  if (wants('tasks')) {
    say('bench: tasks')
    filled.tasks = await measureTasks(runs, 2)
  }
  if (wants('workflows')) {
    say('bench: workflows')
    const workflows = await measureWorkflows()
    if (workflows === undefined) skipped.push('workflows: ../shared/data/workflows is not there')
    else filled.workflows = workflows
  }
  if (wants('codec')) {
    say('bench: codec')
    filled.codecs = measureCodecs()
  }
  return filled
}

async function addOutsider(
  rows: readonly BlockRow[],
  real: readonly Named[],
  { ethereumjsLimit }: Settings,
  skipped: string[],
): Promise<BlockRow[]> {
  const filled: BlockRow[] = []
  const outsiders: OutsiderRow[] = []
  for (const row of rows) {
    if (row.kind === 'sum') {
      if (outsiders.length === real.length) filled.push({ ...row, ethereumjs: sumOutsiders(outsiders) })
      else filled.push(row)
      continue
    }
    say(`bench: @ethereumjs/vm, ${row.name}`)
    const synthetic = row.kind === 'synthetic'
    const file = synthetic
      ? makeWorkload(row.name as WorkloadName, Math.min(ethereumjsLimit, row.transactions))
      : (real.find(({ name }) => name === row.name)?.file as BenchFile)
    try {
      // A real block takes it seconds: once, in a process that is warm from the blocks before.
      const runs = synthetic ? OUTSIDER_RUNS : 1
      const ethereumjs = await measureOutsider(file as unknown as EthereumjsFile, runs, synthetic)
      if (!synthetic) outsiders.push(ethereumjs)
      filled.push({ ...row, ethereumjs })
    } catch (error) {
      skipped.push(`@ethereumjs/vm on ${row.name}: ${error instanceof Error ? error.message : String(error)}`)
      filled.push(row)
    }
  }
  return filled
}

/** All blocks together, weighted by their transactions. */
function sumOutsiders(rows: readonly OutsiderRow[]): OutsiderRow {
  const transactions = rows.reduce((sum, row) => sum + row.transactions, 0)
  const mean = (of: (row: OutsiderRow) => number) =>
    round(rows.reduce((sum, row) => sum + of(row) * row.transactions, 0) / transactions)
  return { transactions, runs: 1, withoutCaches: mean((r) => r.withoutCaches), withCaches: mean((r) => r.withCaches) }
}

async function print(results: Results): Promise<void> {
  const { cpu, cores, memoryGiB, platform, node } = results.machine
  console.log(`${cpu}, ${cores} cores, ${memoryGiB} GiB, ${platform}, Node ${node}; commit ${results.commit}\n`)
  if (results.rows.length > 0) console.log(`${blockTable(results.rows)}\n`)
  if (results.rows.some((row) => row.ethereumjs !== undefined)) console.log(`${outsiderTable(results.rows)}\n`)
  if (results.costs.length > 0) console.log(`${costTable(results.costs)}\n`)
  if (results.roots !== undefined) console.log(`${rootTable(results.roots)}\n`)
  if (results.whole !== undefined) console.log(`${wholeTable(results.whole)}\n`)
  if (results.runBlock !== undefined) console.log(`${runBlockTable(results.runBlock)}\n`)
  if (results.adapter !== undefined) console.log(`${adapterTable(results.adapter)}\n`)
  if (results.simulations !== undefined) {
    const { own, other } = errorsOf(results.simulations)
    const percent = (error: number) => `${(100 * error).toFixed(1)} %`
    console.log(simulateTable(results.simulations))
    console.log(
      `worst error ${percent(own)} for the workers recorded, ${percent(other)} for others; may be ${percent(TOLERANCE)}\n`,
    )
  }
  if (results.records !== undefined) console.log(`${recordsTable(results.records)}\n`)
  if (results.tasks !== undefined || results.workflows !== undefined || results.codecs !== undefined) {
    const { codecTable, taskTable, workflowTable } = await import('./tasks.ts')
    if (results.tasks !== undefined) console.log(`${taskTable(results.tasks)}\n`)
    if (results.workflows !== undefined) console.log(`${workflowTable(results.workflows)}\n`)
    if (results.codecs !== undefined) console.log(`${codecTable(results.codecs)}\n`)
  }
  if (results.engine !== undefined) console.log(`${engineTable(results.engine)}\n`)
  if (results.growth !== undefined) console.log(`${growthTable(results.growth)}\n`)
  if (results.pools !== undefined) console.log(`${poolsTable(results.pools)}\n`)
  if (results.native !== undefined) console.log(`${nativeTable(results.native)}\n`)
  if (results.precompiles !== undefined) {
    const { precompileTable } = await import('./precompiles.ts')
    console.log(`${precompileTable(results.precompiles)}\n`)
  }
  if (results.hashes !== undefined) console.log(`${hashTable(results.hashes)}\n`)
  const isWhole = !results.command.includes('--only')
  for (const { goal, limit, actual, met } of judge(results)) {
    if (met === undefined && !isWhole) continue
    console.log(`${met === undefined ? 'n/a   ' : met ? 'met   ' : 'MISSED'}  ${goal}: ${actual} (goal ${limit})`)
  }
  for (const line of results.skipped) console.log(`skipped  ${line}`)
}

async function main(): Promise<void> {
  const given = readArguments()
  const { values } = given
  const show = (data: unknown, text: string) => console.log(values.json ? JSON.stringify(data, null, 2) : text)
  if (values.help) return console.log(HELP)
  if (values.machine) {
    return console.log(JSON.stringify(machine()))
  }
  const settings = settingsOf(given)
  if (values.door) {
    const { doorText, measureDoor } = await import('./door.ts')
    const report = measureDoor()
    return show(report, doorText(report))
  }
  if (values['no-build']) {
    if (!existsSync(new URL('../dist/index.js', import.meta.url))) throw new UsageError('run `npm run build` first')
  } else await ensureBuilt()
  if (values.allocations) {
    const { allocationText, measureAllocations } = await import('./allocations.ts')
    const names = settings.only.length === 0 ? (['transfers', 'erc20'] as const) : WORKLOAD_NAMES
    const wanted = names.filter((name) => settings.only.length === 0 || settings.only.includes(name))
    const reports = []
    for (const name of wanted) {
      say(`bench: allocations, ${name}`)
      reports.push(await measureAllocations(name, settings.transactions, settings.workers[0] ?? 2, settings.runs))
    }
    const report = { rows: reports.flatMap(({ rows }) => rows), sites: reports.flatMap(({ sites }) => sites) }
    return show(report, allocationText(report))
  }
  const results = await measureAll(settings)
  const file = fileURLToPath(new URL(`${settings.save}.json`, RESULTS))
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`)
  if (values.json) console.log(JSON.stringify(results, null, 2))
  else await print(results)
  say(`bench: written to ${file}`)
}

try {
  await main()
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(`bench: ${error.message}`)
  process.exitCode = 2
}
