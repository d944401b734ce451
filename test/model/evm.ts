/**
 * Bugs of the EVM side, planted and left to the differential tests: each must make the test that bears its hazard's
 * number fail. What is built in Rust is not changed; every hazard here has a part on this side of the door.
 *
 * The main thread's sources are edited by a plugin of vitest.mutant.config.ts, the worker is built with the same edits.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { type Edit, workerBundle } from './build.ts'

export interface EvmMutation {
  readonly name: string
  readonly hazard: number
  readonly what: string
  readonly edits: readonly Edit[]
  /** With the bug a run never ends: a test that takes too long has found it. */
  readonly freezes?: boolean
  /** Test file, and the name of the tests that must fail. */
  readonly file: string
  readonly test: string
}

const ADAPTER = 'src/adapters/revm/adapter.ts'
const HAZARDS = 'test/hazards/evm.test.ts'
const edit = (file: string, find: string, replace: string): Edit => ({ file, find, replace })

export const evmMutations: readonly EvmMutation[] = [
  {
    name: 'life-not-noted',
    hazard: 6,
    what: "an account's life is looked at without a note: code and hash may be of two versions",
    edits: [
      edit(
        ADAPTER,
        'memory.read(locationOf(r, Kind.Life), Kind.Life, 0)',
        'memory.glance(locationOf(r, Kind.Life), Kind.Life)',
      ),
    ],
    file: HAZARDS,
    test: 'hazard 6',
  },
  {
    name: 'storage-outlives-account',
    hazard: 7,
    what: 'a destroyed account keeps its storage generation',
    edits: [
      edit(
        ADAPTER,
        'if ((flags & (Flag.Created | Flag.Destroyed)) !== 0) life[Life.Generation] = memory.place + 1',
        '',
      ),
    ],
    file: HAZARDS,
    test: 'hazard 7',
  },
  {
    name: 'marker-is-a-slot',
    hazard: 8,
    what: 'the key of all ones is the mark of an emptied storage: what is written there is dropped',
    edits: [
      edit(
        ADAPTER,
        'const slot = record(memory.table.slot(id, m, at))',
        'if (m[at] === -1 && m[at + 7] === -1) continue\n      const slot = record(memory.table.slot(id, m, at))',
      ),
    ],
    file: HAZARDS,
    test: 'hazard 8',
  },
  {
    name: 'new-code-invisible',
    hazard: 9,
    what: 'code that was written in this block is looked for in the state alone',
    edits: [edit(ADAPTER, 'if (seen !== Seen.Base && from[at + Life.CodeBytes] !== 0) codes.push(at)', '')],
    file: HAZARDS,
    test: 'hazard 9',
  },
  {
    name: 'destroyed-recipient-paid',
    hazard: 10,
    what: 'a fee recipient that destroys itself keeps the fee of that transaction',
    edits: [
      edit(
        ADAPTER,
        'if ((m[at + 1] & Flag.Destroyed) !== 0 && m[at] << RECORD_SHIFT === feeRecipient) feeIsBurnt = true',
        '',
      ),
    ],
    file: HAZARDS,
    test: 'hazard 10',
  },
  {
    name: 'limits-against-limits',
    hazard: 11,
    what: 'a gas limit is checked against the limits of the transactions before, not against what they used',
    edits: [
      edit(
        'src/executor/blockOutcome.ts',
        '{ regular: kept.gasUsed(txIndex), state: 0n }',
        '{ regular: kept.count > 0 ? tx.gasLimit : kept.gasUsed(txIndex), state: 0n }',
      ),
    ],
    file: 'test/faults/blocks.test.ts',
    test: 'hazard 11',
  },
  {
    name: 'payment-to-recipient-lost',
    hazard: 14,
    what: 'a credit of the fee recipient is left out, as if all it got were fees',
    edits: [
      edit(
        ADAPTER,
        'memory.add(location, m, at, m, at + 8)',
        'if (r !== feeRecipient) memory.add(location, m, at, m, at + 8)',
      ),
    ],
    file: HAZARDS,
    test: 'hazard 14',
  },
  {
    name: 'gap-freezes',
    hazard: 15,
    what: 'a place that is not valid at its turn is neither committed nor ends the run',
    edits: [
      edit(
        'src/executor/runParts.ts',
        'protected endAgain(place: number, outcome: Outcome): boolean {',
        'protected endAgain(place: number, outcome: Outcome): boolean {\n    if (outcome === Outcome.Invalid) return false',
      ),
    ],
    freezes: true,
    file: HAZARDS,
    test: 'hazard 15',
  },
  {
    name: 'code-of-earlier-incarnations',
    hazard: 18,
    what: 'code that an earlier incarnation has loaded is kept, and given out whatever hash is asked for',
    edits: [
      edit(ADAPTER, 'if (codes.length > 0) codes.length = 0', ''),
      edit(ADAPTER, 'if (!equal8(memory.engine, at + Life.CodeHash, m, kernel.request)) continue', ''),
    ],
    file: HAZARDS,
    test: 'hazard (9|18)',
  },
]

interface Assertion {
  readonly fullName: string
  readonly status: string
  readonly failureMessages: readonly string[]
}

/** What became of the tests of one bug. */
export interface EvmFinding {
  /** Names of the tests that failed; where the bug freezes nothing, not those that only took too long. */
  readonly failed: readonly string[]
  readonly passed: number
  readonly milliseconds: number
}

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Milliseconds that a test may take; the one of a bug that freezes takes them all. */
const PATIENCE = 60_000
const SHORT_PATIENCE = 15_000

/** Runs the tests of a bug with it, or without any edit. */
export const runTests = async (mutation: EvmMutation, edits: readonly Edit[]): Promise<EvmFinding> => {
  const began = performance.now()
  const folder = await mkdtemp(join(tmpdir(), 'blockloom-model-'))
  try {
    const worker = join(folder, 'worker.js')
    const report = join(folder, 'report.json')
    await writeFile(worker, await workerBundle(edits))
    const child = spawn(
      process.execPath,
      [
        'node_modules/vitest/vitest.mjs',
        'run',
        mutation.file,
        ...['--config', 'vitest.mutant.config.ts', '-t', `${mutation.test}\\b`],
        ...[
          '--testTimeout',
          String(mutation.freezes === true ? SHORT_PATIENCE : PATIENCE),
          '--reporter',
          'json',
          '--outputFile',
          report,
        ],
      ],
      {
        cwd: root,
        stdio: 'ignore',
        env: { ...process.env, BLOCKLOOM_MUTANT: JSON.stringify({ worker: pathToFileURL(worker).href, edits }) },
      },
    )
    await new Promise((resolve) => child.once('exit', resolve))
    const { testResults } = JSON.parse(await readFile(report, 'utf8')) as {
      testResults: { assertionResults: Assertion[] }[]
    }
    const all = testResults.flatMap(({ assertionResults }) => assertionResults)
    const counts = ({ status, failureMessages }: Assertion) =>
      status === 'failed' &&
      // What was planted and does not run says nothing of the tests.
      !failureMessages.some((text) => /\bis not (defined|a function)\b/.test(text)) &&
      (mutation.freezes === true || !failureMessages.some((text) => text.includes('timed out in')))
    return {
      failed: all.filter(counts).map(({ fullName }) => fullName),
      passed: all.filter(({ status }) => status === 'passed').length,
      milliseconds: performance.now() - began,
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
