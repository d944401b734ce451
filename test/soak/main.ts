/**
 * `npm run soak -- --minutes M`: random blocks and tasks with fresh seeds, for as long as wanted.
 *
 * Every case has a seed of its own, `--seed` the first one's and each next one more, so that `--seed S --cases 1` makes
 * the case of seed S again. A case that fails is made smaller, printed as data, and kept in a file that `--replay`
 * runs. Ends with one line, and exit code 1 where a case failed.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { type Case, caseOf, check, fresh, Pools, type Verdict } from '../support/cases.ts'
import { addIngredients, type Ingredients, ingredientsText, noIngredients } from '../support/ingredients.ts'
import { shrink } from '../support/shrink.ts'

const HELP = `npm run soak -- [options]

Runs random EVM blocks and random tasks in every way and compares them with the sequential run, bit for bit.

  --minutes M       how long; 1 by default
  --cases N         stop after N cases, whatever the time
  --seed S          seed of the first case; each next one has one more. Random by default
  --workers A,B,..  pool sizes; 1,2,3,8 by default
  --replay FILE     run a case that failed, 200 times or --cases N
  --help`

/** Milliseconds between two lines of progress. */
const PROGRESS = 10_000
const REPLAYS = 200
/** Failures after which there is nothing more to learn. */
const MOST_FAILURES = 5

interface Totals {
  blocks: number
  lists: number
  transactions: number
  runs: number
  executions: number
  aborts: number
  fallback: number
  invalid: number
  readonly failed: string[]
  readonly ingredients: Ingredients
}

const wholeNumber = (text: string | undefined, name: string): number | undefined => {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0) throw new RangeError(`--${name} is a whole number, not ${text}`)
  return value
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '1' },
      cases: { type: 'string' },
      seed: { type: 'string' },
      workers: { type: 'string', default: '1,2,3,8' },
      replay: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const minutes = Number(values.minutes)
  if (!(minutes > 0)) throw new RangeError(`--minutes is a number above 0, not ${values.minutes}`)
  const workers = values.workers.split(',').map((text) => wholeNumber(text, 'workers') ?? 0)
  if (workers.some((number) => number < 1 || number > 64)) throw new RangeError('--workers are numbers from 1 to 64')
  const seed = wholeNumber(values.seed, 'seed') ?? Math.floor(Math.random() * 2 ** 30)
  return { minutes, workers, seed, cases: wholeNumber(values.cases, 'cases'), replay: values.replay, help: values.help }
}

function add(totals: Totals, one: Case, verdict: Verdict): void {
  if (one.kind === 'block') totals.blocks++
  else totals.lists++
  totals.transactions += verdict.transactions
  totals.runs += verdict.runs
  totals.executions += verdict.executions
  totals.aborts += verdict.aborts
  totals.fallback += verdict.fallback
  if (verdict.invalid) totals.invalid++
  addIngredients(totals.ingredients, verdict.ingredients)
}

const line = (totals: Totals, seconds: number): string =>
  `${totals.blocks} blocks (${totals.invalid} of them invalid), ${totals.lists} lists of tasks, ` +
  `${totals.transactions} transactions, ${totals.runs} runs, ${totals.executions} executions, ${totals.aborts} aborts, ` +
  `${totals.fallback} by fallback, ${Math.round(seconds)} s`

/** Makes the case smaller, keeps it, and says how to run it again. */
async function report(one: Case, seed: string, failure: string, pools: Pools): Promise<void> {
  process.stderr.write(`\nseed ${seed} failed: ${failure}\nmaking it smaller ...\n`)
  const fails = async (candidate: Case) => (await verdictOf(candidate, pools)).failure !== undefined
  const smallest = await shrink(one, { fails, tries: 10, budget: 120_000 })
  const name = `soak-failure-${seed}.json`
  const text = JSON.stringify(smallest)
  writeFileSync(name, `${text}\n`)
  process.stderr.write(`${text}\nnpm run soak -- --replay ${name}\n`)
}

/** What a check throws is a failure of the case like any other. */
const verdictOf = async (one: Case, pools: Pools): Promise<Verdict> => {
  try {
    return await check(one, pools)
  } catch (error) {
    const failure = `it threw ${String(error)}`
    return { ...fresh(0), failure }
  }
}

async function main(): Promise<number> {
  const options = readOptions()
  if (options.help) {
    process.stdout.write(`${HELP}\n`)
    return 0
  }
  const { replay, minutes, workers, seed } = options
  const kept = replay === undefined ? undefined : (JSON.parse(readFileSync(replay, 'utf8')) as Case)
  const most = options.cases ?? (kept === undefined ? Number.POSITIVE_INFINITY : REPLAYS)
  const totals: Totals = {
    blocks: 0,
    lists: 0,
    transactions: 0,
    runs: 0,
    executions: 0,
    aborts: 0,
    fallback: 0,
    invalid: 0,
    failed: [],
    ingredients: noIngredients(),
  }
  const pools = new Pools(workers)
  const began = performance.now()
  const seconds = () => (performance.now() - began) / 1000
  const end = kept === undefined ? minutes * 60 : Number.POSITIVE_INFINITY
  let said = 0
  let stopped = false
  process.once('SIGINT', () => {
    stopped = true
  })
  const where = kept === undefined ? `seeds from ${seed}` : `replay of ${replay}`
  process.stderr.write(`soak: ${where}, pools of ${workers.join(', ')} on ${availableParallelism()} cores\n`)
  for (let k = 0; k < most && seconds() < end && !stopped && totals.failed.length < MOST_FAILURES; k++) {
    const one = kept ?? caseOf(seed + k)
    const name = kept === undefined ? String(seed + k) : `replay-${k}`
    const verdict = await verdictOf(one, pools)
    add(totals, one, verdict)
    if (verdict.failure !== undefined) {
      totals.failed.push(name)
      if (kept === undefined) await report(one, name, verdict.failure, pools)
      else process.stderr.write(`run ${k} failed: ${verdict.failure}\n`)
    }
    if (performance.now() - said > PROGRESS) {
      said = performance.now()
      process.stderr.write(`${line(totals, seconds())}, at seed ${name}\n`)
    }
  }
  await pools.close()
  const { failed } = totals
  const ending = failed.length === 0 ? '0 failures' : `${failed.length} failures: ${failed.join(' ')}`
  process.stdout.write(`blocks were made of ${ingredientsText(totals.ingredients)}\n`)
  process.stdout.write(`soak: ${line(totals, seconds())}, ${where}: ${ending}\n`)
  return failed.length === 0 ? 0 : 1
}

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`soak: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 2
}
