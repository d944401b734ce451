/**
 * The commands that read records: `trace`, `explain`, `simulate`, `report`. Options here, work in the library
 * (src/records), text in text.ts and html.ts.
 *
 * Results go to stdout or into the file that was asked for, everything else to stderr. What cannot be used throws, and
 * main.ts makes one line and exit code 2 of it.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { InvalidInputError } from '../../index.ts'
import { reportData } from '../../records/reportData.ts'
import { THINGS } from '../../records/runRecord.ts'
import { MOST_WORKERS } from '../../records/simulate.ts'
import {
  createSimulator,
  type ExplainOptions,
  explain,
  nameLocations,
  POLICIES,
  type Policy,
  type RunRecord,
  traceEvents,
} from '../../records.ts'
import { createHasher } from '../../wasm.ts'
import { readBlockFile } from '../blockFile.ts'
import { refuseSame } from '../sameFile.ts'
import { printable } from '../text.ts'
import { addressesOf, isBlockOf } from './block.ts'
import { reportHtml } from './html.ts'
import { readRun } from './read.ts'
import { explanationText, simulationHead, simulationRow } from './text.ts'

interface RecordFlags {
  readonly run?: number
  readonly block?: string
  readonly json?: boolean
  readonly out: string
}

interface SimulateFlags extends RecordFlags {
  readonly workers: readonly number[]
  readonly policy?: readonly Policy[]
  readonly speculation?: 'auto' | 'always'
}

const DEFAULT_WORKERS = [1, 2, 4, 8, 16, 32, 64]

/** More runs than this in one file are a mistyped number. */
const MOST_RUNS = 1_000_000

function wholeNumber(text: string, most: number): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (value >= 1 && value <= most) return value
  throw new InvalidArgumentError(`'${printable(text)}' is not a whole number from 1 to ${most}.`)
}

const workerList = (text: string): number[] => text.split(',').map((one) => wholeNumber(one, MOST_WORKERS))

function policyList(text: string): Policy[] {
  return text.split(',').map((one) => {
    const policy = POLICIES.find((name) => name === one)
    if (policy !== undefined) return policy
    throw new InvalidArgumentError(`'${printable(one)}' is none of ${POLICIES.join(', ')}.`)
  })
}

/** Adds the commands that read a file of records. */
export function addRecordCommands(program: Command): void {
  const command = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .argument('<records>', 'file that `blockloom run --records` or the library wrote')
      .addOption(
        new Option('--run <n>', 'which run of the file, from 1 on (default: the last one that speculated)').argParser(
          (text: string) => wholeNumber(text, MOST_RUNS),
        ),
      )
  const blockOption = (): Option =>
    new Option('--block <file>', 'block file of the run: names more token balances, by the addresses in its call data')

  command('trace', 'turn a recorded run into trace events, for ui.perfetto.dev or chrome://tracing')
    .requiredOption('--out <file>', 'where to write the JSON; - for stdout')
    .addOption(blockOption())
    .action(async (path: string, flags: RecordFlags) => {
      await refuseSame('out', flags.out, inputsOf(path, flags))
      const record = await open(path, flags)
      const { hash, addresses } = await namesOf(record, flags)
      const text = JSON.stringify(traceEvents(record, nameLocations(record, hash, addresses)))
      await put(flags.out, text, 'open it with https://ui.perfetto.dev')
    })

  command('explain', 'tell which locations made transactions run again, what chain holds the run, and what would help')
    .addOption(blockOption())
    .option('--json', 'print one line of JSON')
    .action(async (path: string, flags: RecordFlags) => {
      const record = await open(path, flags)
      const told = explain(record, await namesOf(record, flags))
      print(flags.json === true ? JSON.stringify(told) : explanationText(told))
    })

  command('simulate', 'replay a recorded run in virtual time, on other numbers of workers and under other policies')
    .addOption(
      new Option('--workers <list>', `numbers of workers, each 1 to ${MOST_WORKERS}, with commas between`)
        .argParser(workerList)
        .default(DEFAULT_WORKERS, DEFAULT_WORKERS.join(',')),
    )
    .addOption(
      new Option(
        '--policy <list>',
        `${POLICIES.join(', ')}, with commas between (default: all; graph where one is declared)`,
      ).argParser(policyList),
    )
    .addOption(
      new Option(
        '--speculation <mode>',
        'may Block-STM leave places to the sequential path (default: as recorded)',
      ).choices(['auto', 'always']),
    )
    .option('--json', 'print one line of JSON for each simulation')
    .action(async (path: string, flags: SimulateFlags) => {
      simulateAll(await open(path, flags), flags)
    })

  command('report', 'draw a recorded run as one self-contained page: timelines, conflicts, dependencies, speed-up')
    .requiredOption('--out <file>', 'where to write the HTML; - for stdout')
    .addOption(blockOption())
    .action(async (path: string, flags: RecordFlags) => {
      await refuseSame('out', flags.out, inputsOf(path, flags))
      const record = await open(path, flags)
      await put(flags.out, await pageOf(record, path, await namesOf(record, flags)), 'open it in a browser')
    })
}

async function put(out: string, text: string, advice: string): Promise<void> {
  if (out === '-') return print(text)
  await writeFile(out, text)
  say(`written to ${printable(out)}: ${advice}`)
}

/** The run to look at; what is missing of the file is told. */
async function open(path: string, { run }: RecordFlags): Promise<RunRecord> {
  const { record, number, of, broken } = await readRun(path, run)
  if (broken !== undefined) say(`${printable(path)} breaks off: ${printable(broken)}`)
  if (run === undefined && of > 1) say(`${printable(path)} holds ${of} runs; this is run ${number}`)
  return record
}

const inputsOf = (path: string, { block }: RecordFlags): string[] => (block === undefined ? [path] : [path, block])

/** @throws {InvalidInputError} INVALID_OPTION for a block file of something else than the run */
async function namesOf(record: RunRecord, { block: path }: RecordFlags): Promise<Required<ExplainOptions>> {
  const { keccak256 } = await createHasher()
  if (path === undefined) return { hash: keccak256, addresses: [] }
  const { block } = await readBlockFile(path)
  if (!isBlockOf(record, block)) {
    const message = `--block is not the block of the run, ${printable(record.run.label)}: its transactions are others`
    throw new InvalidInputError('INVALID_OPTION', message, { option: 'block' })
  }
  return { hash: keccak256, addresses: addressesOf(block) }
}

function simulateAll(record: RunRecord, { workers, policy, speculation, json }: SimulateFlags): void {
  const simulator = createSimulator(record)
  const declared = simulator.graph.declared.some((before) => before.length > 0)
  const policies = policy ?? POLICIES.filter((name) => name !== 'graph' || declared)
  if (json !== true) print(simulationHead())
  for (const name of policies) {
    // One after another is the same on any number of workers.
    for (const count of name === 'sequential' ? [1] : workers) {
      const told = simulator.run({ workers: count, policy: name, ...(speculation !== undefined && { speculation }) })
      print(json === true ? JSON.stringify(told) : simulationRow(told))
    }
  }
}

async function pageOf(record: RunRecord, path: string, options: ExplainOptions): Promise<string> {
  const { kind, places } = record.run
  const names = record.places.flatMap((place) =>
    kind === 'tasks' && place !== undefined && place.name !== '' ? [[place.place, place.name] as const] : [],
  )
  return reportHtml({
    data: reportData(record, options),
    places,
    thing: THINGS[kind],
    names: Object.fromEntries(names),
    source: basename(path),
    script: await readFile(new URL('./report-page.js', import.meta.url), 'utf8'),
    licences: await readFile(new URL('./report-page.licences.txt', import.meta.url), 'utf8'),
  })
}

const print = (text: string): void => void process.stdout.write(`${text}\n`)

const say = (text: string): void => void process.stderr.write(`blockloom: ${text}\n`)
