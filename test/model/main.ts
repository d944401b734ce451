/**
 * `npm run model`: the engine as it is under every schedule of the small cases and random ones of larger cases, then
 * every planted bug, each of which must be found. Ends with one line; exit 1 where a bug is missed or the engine is not
 * sound.
 */
import { styleText } from 'node:util'
import { Command, InvalidArgumentError } from 'commander'
import { control, draw, type Finding, hunt, scenarioOf, walk } from './check.ts'
import { Controller, type Schedule } from './controller.ts'
import { evmMutations, runTests } from './evm.ts'
import { mutations } from './mutations.ts'
import { largerScenarios, scenarios } from './scenarios.ts'
import type { Scenario } from './subjects/subjects.ts'

interface Options {
  readonly json?: boolean
  readonly only?: readonly string[]
  readonly seed: number
  readonly preemptions: number
  readonly random: number
  readonly evm: boolean
}

/** A planted bug and what became of it. */
interface Verdict {
  readonly name: string
  readonly hazard: number
  readonly found: boolean
  /** Schedules that it took; tests, for bugs of the EVM side. */
  readonly schedules: number
  readonly by: string
  readonly failure: string
  readonly schedule?: Schedule
  readonly milliseconds: number
}

const wholeNumber = (text: string): number => {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('give a whole number, 0 or more')
  return value
}

const options = new Command('npm run model --')
  .description('Checks the engine under chosen schedules, and that planted bugs are found.')
  .option('--only <names...>', 'cases and bugs whose names contain one of these')
  .option('--preemptions <n>', 'bound of the walks over all schedules', wholeNumber, 2)
  .option('--random <n>', 'random schedules of each larger case', wholeNumber, 2000)
  .option('--seed <n>', 'first seed of the random schedules; printed', wholeNumber, Math.floor(Math.random() * 2 ** 30))
  .option('--no-evm', 'leave out the bugs of the EVM side')
  .option('--json', 'one object instead of lines')
  .parse()
  .opts<Options>()

const say = (line: string): void => {
  if (options.json !== true) process.stdout.write(`${line}\n`)
}
/** What is under way, where a terminal can take it back. */
const progress = (text: string): void => {
  if (options.json !== true && process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}
const wanted = ({ name }: { readonly name: string }): boolean =>
  options.only === undefined || options.only.some((part) => name.includes(part))
const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`
const first = (text: string): string => text.split('\n')[0] ?? ''

const began = performance.now()
let schedules = 0
const broken: { scenario: Scenario; finding: Finding }[] = []
const sound: Finding[] = []

const judge = (scenario: Scenario, finding: Finding): void => {
  schedules += finding.schedules
  progress('')
  if (finding.failure === undefined) {
    sound.push(finding)
    const stalls = finding.stalls === 0 ? '' : `, ${finding.stalls} of them waited for a timeout`
    say(`sound   ${scenario.name}: ${finding.schedules} schedules${stalls}, ${seconds(finding.milliseconds)}`)
    return
  }
  broken.push({ scenario, finding })
  say(`${styleText('red', 'BROKEN')}  ${scenario.name}: ${finding.failure}`)
  say(`        { scenario: ${JSON.stringify(scenario)}, schedule: ${JSON.stringify(finding.schedule)} },`)
}

const checkEngine = async (): Promise<void> => {
  const small = scenarios.filter(wanted)
  const large = options.random === 0 ? [] : largerScenarios(options.seed).filter(wanted)
  if (small.length + large.length === 0) return
  const controller = await Controller.make()
  try {
    for (const scenario of small) {
      progress(`walking ${scenario.name}`)
      judge(scenario, walk(controller, scenario, options.preemptions))
    }
    for (const scenario of large) {
      progress(`drawing ${scenario.name}`)
      judge(scenario, draw(controller, scenario, options.random, options.seed))
    }
  } finally {
    await controller.close()
  }
}

const verdicts: Verdict[] = []
const tell = (verdict: Verdict): void => {
  verdicts.push(verdict)
  progress('')
  const hazard = verdict.hazard === 0 ? '' : ` (hazard ${verdict.hazard})`
  const how = verdict.found ? `${verdict.by}: ${first(verdict.failure)}` : 'nobody found it'
  say(
    `${verdict.found ? 'found  ' : styleText('red', 'MISSED ')} ${verdict.name}${hazard} after ${verdict.schedules}, ${how}`,
  )
  if (verdict.schedule !== undefined && verdict.found) say(`        ${JSON.stringify(verdict.schedule)}`)
}

const checkPlanted = async (): Promise<void> => {
  for (const mutation of mutations.filter(wanted)) {
    progress(`planting ${mutation.name}`)
    if (!(await control(mutation, options.preemptions))) {
      broken.push({
        scenario: scenarioOf(mutation.on[0] as string),
        finding: { ...(await hunt({ ...mutation, edits: [] }, options.preemptions)) },
      })
    }
    const { failure, scenario, schedule, milliseconds, schedules: took } = await hunt(mutation, options.preemptions)
    schedules += took
    const { name, hazard } = mutation
    const found = failure !== undefined
    tell({ name, hazard, found, schedules: took, by: scenario, failure: failure ?? '', schedule, milliseconds })
  }
}

const checkEvm = async (): Promise<void> => {
  const planted = options.evm ? evmMutations.filter(wanted) : []
  const clean = new Map<string, boolean>()
  for (const mutation of planted) {
    progress(`planting ${mutation.name}`)
    const tests = `${mutation.file} ${mutation.test}`
    // Tests that fail without the bug say nothing of it.
    if (!clean.has(tests)) {
      const { failed, passed } = await runTests({ ...mutation, freezes: false }, [])
      clean.set(tests, failed.length === 0 && passed > 0)
    }
    const { failed, passed, milliseconds } = await runTests(mutation, mutation.edits)
    const { name, hazard } = mutation
    const found = clean.get(tests) === true && failed.length > 0
    const failure = clean.get(tests) === true ? (failed[0] ?? '') : 'its tests fail without the bug, or there are none'
    tell({ name, hazard, found, schedules: failed.length + passed, by: mutation.file, failure, milliseconds })
  }
}

await checkEngine()
await checkPlanted()
await checkEvm()

const found = verdicts.filter((verdict) => verdict.found).length
const milliseconds = performance.now() - began
const failed = found < verdicts.length || broken.length > 0
if (verdicts.length === 0 && sound.length === 0 && broken.length === 0) {
  process.stderr.write(`blockloom: no case and no bug has a name with ${(options.only ?? []).join(' or ')}\n`)
  process.exit(2)
}
if (options.json === true) {
  const { seed } = options
  process.stdout.write(
    `${JSON.stringify({ seed, planted: verdicts.length, found, schedules, milliseconds, sound, broken, verdicts })}\n`,
  )
} else {
  const state = broken.length === 0 ? 'engine sound' : `engine broken in ${broken.length} cases`
  say(
    `model: ${verdicts.length} planted, ${found} found, ${schedules} schedules, ${seconds(milliseconds)}; ${state}, seed ${options.seed}`,
  )
}
process.exit(failed ? 1 : 0)
