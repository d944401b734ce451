#!/usr/bin/env node
/**
 * The command `blockloom`: options, signals and exit codes.
 *
 * Exit codes: 0 everything is right; 1 a block or fixture is not valid or does not match, or parallel and sequential
 * differ; 2 a file or an option cannot be used; 130 interrupted. What the commands do is in run.ts, chain.ts,
 * conformance/ and records/.
 */
import { createRequire } from 'node:module'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { MAX_WORKERS } from '../core/layout.ts'
import { AMSTERDAM_DIALECTS, type AmsterdamDialect } from '../evm.ts'
import type { ExecutorOptions } from '../index.ts'
import { type BlockFile, readBlockFile } from './blockFile.ts'
import { importChain } from './chain.ts'
import { runConformance } from './conformance/conformance.ts'
import { crossRun } from './crosscheck/blocks.ts'
import { runCrosscheck } from './crosscheck/crosscheck.ts'
import { joinPieces, type Shard, WHOLE } from './crosscheck/pieces.ts'
import { addRecordCommands } from './records/commands.ts'
import { Exit, runSources, type Source } from './run.ts'
import { refuseSame } from './sameFile.ts'
import { errorLine } from './text.ts'
import { demoBlock } from './workloads.ts'

type AdapterName = NonNullable<ExecutorOptions['adapter']>

/** What commander makes of the options of `crosscheck`. */
interface CrosscheckFlags {
  readonly blocks: readonly string[]
  readonly fixtures: readonly string[]
  readonly workers?: number
  readonly json?: boolean
  readonly every: number
  readonly shard: Shard
  readonly join?: readonly string[]
  readonly docs?: string
}

/** What commander makes of the options below. */
interface Flags {
  readonly adapter: AdapterName | 'both'
  readonly workers?: number
  readonly sequential?: boolean
  readonly speculation: 'auto' | 'always'
  readonly repeat: number
  readonly trustSenders?: boolean
  readonly json?: boolean
  readonly records?: string
}

/** What commander makes of the options of `conformance`. */
interface ConformanceFlags {
  readonly adapter: AdapterName | 'both'
  readonly workers?: number
  readonly json?: boolean
  readonly pack?: 'disjoint' | 'overlapping'
  readonly every: number
  readonly amsterdam?: AmsterdamDialect
  readonly docs?: string
}

/** More runs than this are a mistyped number: a block of a millisecond would take three minutes. */
const MOST_REPEATS = 100_000

const DEMO_TRANSACTIONS = 6_000
const DEMO_REPEATS = 9

const interruption = new AbortController()

function wholeNumber(most: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (value >= 1 && value <= most) return value
    throw new InvalidArgumentError(`It is not a whole number from 1 to ${most}.`)
  }
}

function shardOf(text: string): Shard {
  const [, number = 0, of = 0] = (/^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? []).map(Number)
  if (number >= 1 && number <= of) return { number, of }
  throw new InvalidArgumentError('It is not k/n with k from 1 to n.')
}

const ADAPTERS = ['revm', 'ethereumjs']

const workersOption = (): Option =>
  new Option('--workers <n>', `threads, 1 to ${MAX_WORKERS} (default: one a core)`).argParser(wholeNumber(MAX_WORKERS))

/** What every command takes that runs transactions. */
function addPoolOptions(command: Command, adapters = ADAPTERS): Command {
  const described = `the EVM that runs the transactions${adapters.includes('both') ? '; both must agree' : ''}`
  return command
    .addOption(new Option('--adapter <name>', described).choices(adapters).default('revm'))
    .addOption(workersOption())
}

const everyOption = (what: string): Option =>
  new Option('--every <k>', what).argParser(wholeNumber(MOST_REPEATS)).default(1)

const speculationOption = (): Option =>
  new Option('--speculation <mode>', 'auto leaves what does not gain to the sequential path; always never does')
    .choices(['auto', 'always'])
    .default('auto')

/** `run` and `demo` take the same options; only how often a path is timed differs. */
function addOptions(command: Command, repeat: number, adapters = ADAPTERS): Command {
  return addPoolOptions(command, adapters)
    .option('--sequential', 'run the sequential path only')
    .addOption(speculationOption())
    .addOption(
      new Option('--repeat <r>', 'timed runs of each path; the medians are told')
        .argParser(wholeNumber(MOST_REPEATS))
        .default(repeat),
    )
    .option('--trust-senders', "take each transaction's `from` as given instead of recovering it from the signature")
    .option('--json', 'print one line of JSON for each block')
    .option('--records <file>', 'write what happened in the parallel run of each block, place by place, to a file')
}

async function execute(sources: readonly Source[], flags: Flags, style: 'table' | 'full'): Promise<void> {
  if (flags.records !== undefined) {
    const paths = sources.flatMap(({ path }) => (path === undefined ? [] : [path]))
    await refuseSame('records', flags.records, paths)
  }
  if (flags.adapter === 'both') {
    const { workers, speculation, json = false } = flags
    const senders = flags.trustSenders === true ? 'trust' : 'recover'
    const { signal } = interruption
    process.exitCode = (await crossRun(sources, { workers, speculation, senders, json, signal })).code
    return
  }
  process.exitCode = await runSources(sources, {
    adapter: flags.adapter,
    workers: flags.workers,
    sequential: flags.sequential ?? false,
    speculation: flags.speculation,
    repeat: flags.repeat,
    senders: flags.trustSenders === true ? 'trust' : 'recover',
    json: flags.json ?? false,
    signal: interruption.signal,
    recordsFile: flags.records,
    style,
  })
}

const fromFiles = (paths: readonly string[]): Source[] =>
  paths.map((path) => ({ name: path, path, load: () => readBlockFile(path) }))

const demo: Source = {
  name: 'demo',
  // Nobody signed these transactions, and their state is an object already.
  load: async () => demoBlock(DEMO_TRANSACTIONS) satisfies BlockFile,
}

function makeProgram(): Command {
  // By its own name, since this file lies at different depths in src and dist.
  const { version, description } = createRequire(import.meta.url)('blockloom/package.json') as Record<string, string>
  const program = new Command('blockloom')
    .description(description ?? '')
    .version(version ?? '')
    // Both are inherited by the commands that are added below.
    .exitOverride()
    .configureOutput({
      outputError: (text, write) =>
        write(
          `blockloom: ${text
            .replace(/^error: /, '')
            .trim()
            .replace(/\s+/g, ' ')}\n`,
        ),
    })

  addOptions(
    program
      .command('run')
      .description('execute block files one after another and in parallel, and compare both with the header')
      .argument('<file...>', 'JSON, plain or gzip: { block, pre, codes, blockHashes, fork }'),
    1,
    [...ADAPTERS, 'both'],
  ).action((paths: string[], flags: Flags, command: Command) => {
    if (flags.adapter === 'both') {
      const foreign = ['sequential', 'repeat', 'records'].find((name) => command.getOptionValueSource(name) === 'cli')
      if (foreign !== undefined) command.error(`error: '--${foreign}' is for one adapter; name it`)
    }
    return execute(fromFiles(paths), flags, 'table')
  })

  addOptions(
    program
      .command('demo')
      .description(`run a block of ${DEMO_TRANSACTIONS} ERC-20 transfers and Uniswap V2 swaps, and tell all about it`)
      .argument('[file...]', 'block files to run instead'),
    DEMO_REPEATS,
  ).action((paths: string[], flags: Flags) =>
    paths.length > 0
      ? execute(fromFiles(paths), flags, 'full')
      : execute([demo], { ...flags, trustSenders: true }, 'full'),
  )

  addPoolOptions(
    program
      .command('chain')
      .description('import a chain, each block checked whole: header, transactions, receipts, state root')
      .argument('<genesis>', 'genesis file as go-ethereum reads it, JSON')
      .argument('<blocks>', 'consecutive blocks from number 1 on, RLP, as `geth export` writes them'),
  )
    .addOption(speculationOption())
    .option('--json', 'print one line of JSON at the end')
    .action(async (genesis: string, blocks: string, { adapter, workers, speculation, json = false }: Flags) => {
      const { signal } = interruption
      const name = adapter as AdapterName
      process.exitCode = await importChain(genesis, blocks, { adapter: name, workers, speculation, json, signal })
    })

  addPoolOptions(
    program
      .command('conformance')
      .description('run BlockchainTest fixtures, every block through the pool, and compare with what they say')
      .argument('<path...>', 'official JSON files, folders of them, or .jsonl of { file, name, test }; plain or gzip'),
    [...ADAPTERS, 'both'],
  )
    .option('--json', 'print one line of JSON for each case that did not pass, and a last one of counts')
    .addOption(
      new Option(
        '--pack <kind>',
        'join many tests in one block, and check their own or compare with sequential',
      ).choices(['disjoint', 'overlapping']),
    )
    .addOption(everyOption('run a sample: of each fork of each file the first case and each k-th after it'))
    .addOption(
      new Option(
        '--amsterdam <dialect>',
        'whose Amsterdam the fixtures are of (default: told by the release that they are from)',
      ).choices(AMSTERDAM_DIALECTS),
    )
    .option('--docs <file>', 'write a page of Markdown about what passed and what did not')
    .action(async (paths: string[], flags: ConformanceFlags, command: Command) => {
      if (flags.pack !== undefined && flags.adapter === 'both') {
        command.error("error: '--pack' joins the tests for one adapter; name it")
      }
      process.exitCode = await runConformance(paths, {
        adapter: flags.adapter,
        workers: flags.workers,
        json: flags.json ?? false,
        pack: flags.pack,
        every: flags.every,
        amsterdam: flags.amsterdam,
        docs: flags.docs,
        signal: interruption.signal,
      })
    })

  addRecordCommands(program)
  program
    .command('crosscheck')
    .description('run blocks and fixtures with both adapters, and tell where they part')
    .option('--blocks <path...>', 'block files, and folders of them', [])
    .option('--fixtures <path...>', 'fixtures as for `conformance`, and folders of them', [])
    .addOption(workersOption())
    .addOption(everyOption('run a sample: each k-th block, and of the fixtures as `conformance` does'))
    .addOption(
      new Option('--shard <k/n>', 'run the k-th of n pieces; with --json, what it prints can be joined')
        .argParser(shardOf)
        .default(WHOLE, '1/1'),
    )
    .option('--join <file...>', 'run nothing: tell what came of all pieces, of what each printed with --json')
    .option('--json', 'print one line of JSON for each block, each case that did not pass, and last ones of counts')
    .option('--docs <file>', 'write a page of Markdown about what agreed and what did not')
    .action(async (flags: CrosscheckFlags, command: Command) => {
      const { blocks, fixtures, workers, every, shard, join, docs, json = false } = flags
      if (join !== undefined) {
        const foreign = ['blocks', 'fixtures', 'workers', 'every', 'shard'].find(
          (name) => command.getOptionValueSource(name) === 'cli',
        )
        if (foreign !== undefined) command.error(`error: '--${foreign}' is for a run; '--join' runs nothing`)
        process.exitCode = await joinPieces(join, { docs, json })
        return
      }
      if (blocks.length + fixtures.length === 0) command.error("error: give '--blocks', '--fixtures' or both")
      const { signal } = interruption
      process.exitCode = await runCrosscheck({ blocks, fixtures, workers, every, shard, docs, json, signal })
    })

  // Below the help of each command, too.
  program.addHelpText(
    'afterAll',
    `
Exit codes: 0 right, 1 a block or fixture does not match or parallel and
sequential differ, 2 a file or an option cannot be used, 130 interrupted.`,
  )
  return program
}

/** The first signal ends the command cleanly; one more ends it at once. */
function listenForSignals(): void {
  const stop = (): void => {
    if (interruption.signal.aborted) process.exit(Exit.Interrupted)
    interruption.abort()
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
}

/** A reader that has seen enough (`| head`) ends the command as well, but that is no failure. */
function listenForClosedPipes(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') process.stderr.write(`blockloom: ${errorLine(error)}\n`)
    process.exit(error.code === 'EPIPE' ? Exit.Right : Exit.Unusable)
  })
  process.stderr.on('error', () => undefined)
}

listenForSignals()
listenForClosedPipes()
try {
  await makeProgram().parseAsync()
} catch (error) {
  // Commander has said what is wrong with the options; help and version come this way too, with exit code 0.
  const told = error instanceof CommanderError
  if (!told) process.stderr.write(`blockloom: ${errorLine(error)}\n`)
  process.exitCode = told && error.exitCode === 0 ? Exit.Right : Exit.Unusable
}
