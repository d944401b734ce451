/**
 * `npm run faults -- --count N --seed S`: N faults of each kind, at random points; a table of what became of them.
 *
 * The fault of kind k and round r has the seed S + r, so a loss is made again by `--kind K --seed S+r --count 1` (and
 * by luck, where it takes an interleaving). Ends with one line, and exit code 1 where a fault was not survived.
 */
import { parseArgs } from 'node:util'
import { FAULT_KINDS, type FaultKind, type Injection, Worlds } from './inject.ts'

const HELP = `npm run faults -- [options]

Ends threads, aborts, closes, stalls, fills memory and more while tasks and blocks run, and looks whether the result is
right or the error typed, the state as it was, and the next run right.

  --count N   faults of each kind; 20 by default
  --seed S    seed of the first of each kind; each next one has one more. Random by default
  --kind K    only kinds whose name holds K
  --help`

/** Kinds of which each takes seconds (a watchdog's patience, a heap to be filled) are injected this much less often. */
const SLOW: Partial<Record<FaultKind, number>> = {
  'a task never ends': 5,
  "a task uses up its thread's memory": 2,
  'adapter: never ends': 5,
  'adapter with promises: never ends': 5,
  'a small heap (--max-old-space-size)': 2,
  'a heap that is nearly full': 5,
  '10,000 blocks in a row': Number.POSITIVE_INFINITY,
}

const wholeNumber = (text: string, name: string): number => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0) throw new RangeError(`--${name} is a whole number, not ${text}`)
  return value
}

function row(kind: FaultKind, done: readonly Injection[]): string {
  const results = done.filter(({ ended, lost }) => ended === 'result' && lost === undefined).length
  const lost = done.filter((one) => one.lost !== undefined).length
  const codes = [...new Set(done.map(({ ended }) => ended).filter((ended) => ended !== 'result'))].join(' ')
  const cells = [done.length, results, done.length - results - lost, lost].map((n) => String(n).padStart(9))
  return `${kind.padEnd(56)}${cells.join('')}  ${codes}\n`
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '20' },
      seed: { type: 'string' },
      kind: { type: 'string', default: '' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(`${HELP}\n`)
    return 0
  }
  const count = wholeNumber(values.count, 'count')
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 30) : wholeNumber(values.seed, 'seed')
  const kinds = FAULT_KINDS.filter((kind) => kind.includes(values.kind))
  if (kinds.length === 0) throw new RangeError(`no kind of fault holds '${values.kind}': ${FAULT_KINDS.join(', ')}`)
  const head = ['injected', 'result', 'error', 'lost'].map((name) => name.padStart(9)).join('')
  process.stdout.write(`${'fault'.padEnd(56)}${head}  codes\n`)
  const began = performance.now()
  const all: Injection[] = []
  for (const kind of kinds) {
    const worlds = new Worlds()
    const done: Injection[] = []
    const rounds = Math.max(1, Math.ceil(count / (SLOW[kind] ?? 1)))
    for (let round = 0; round < rounds; round++) {
      const injection = await worlds.inject(kind, seed + round)
      done.push(injection)
      if (injection.lost !== undefined) {
        process.stderr.write(`lost: ${kind}, seed ${injection.seed}, ended ${injection.ended}: ${injection.lost}\n`)
      }
    }
    await worlds.close()
    process.stdout.write(row(kind, done))
    all.push(...done)
  }
  const lost = all.filter((one) => one.lost !== undefined).length
  const seconds = Math.round((performance.now() - began) / 1000)
  process.stdout.write(
    `faults: ${kinds.length} kinds, ${all.length} injected, ${all.length - lost} survived, ${lost} lost, ` +
      `seeds from ${seed}, ${seconds} s\n`,
  )
  return lost === 0 ? 0 : 1
}

try {
  process.exit(await main())
} catch (error) {
  process.stderr.write(`faults: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(2)
}
