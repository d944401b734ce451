/** `blockloom conformance` as a user runs it: what it prints, and how it ends. */
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Json, smallTest, spoiled } from '../support/fixtures.ts'
import { blockloom, linesOf } from './command.ts'

const CONSENSUS = fileURLToPath(new URL('../../../shared/data/consensus', import.meta.url))
const haveConsensus = existsSync(CONSENSUS)
if (!haveConsensus) process.stderr.write(`skipped: the consensus tests of ${CONSENSUS} are not here\n`)

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'conform-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function file(name: string, tests: Json): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, JSON.stringify(tests))
  return path
}

interface Told {
  readonly status?: string
  readonly name?: string
  readonly fork?: string
  readonly reason?: string
  readonly summary?: Readonly<Record<string, unknown>>
}

const jsonLines = (text: string): Told[] => linesOf(text).map((line) => JSON.parse(line) as Told)
const command = (...args: string[]) => blockloom(['conformance', '--workers', '2', ...args])

describe('conformance: the command', () => {
  test('help names the options and exit codes', async () => {
    const { code, stdout } = await blockloom(['conformance', '--help'])
    expect(code).toBe(0)
    for (const option of ['--workers', '--json', '--pack', '--every', '--amsterdam', '--docs'])
      expect(stdout).toContain(option)
  })

  test.each([
    [['conformance'], /missing required argument/],
    [['conformance', 'x', '--pack', 'tight'], /disjoint, overlapping/],
    [['conformance', 'x', '--workers', '0'], /whole number/],
    [['conformance', '/no/such/file'], /\/no\/such\/file: no such file or folder/],
  ])('%j is unusable', async (args, message) => {
    const { code, stderr } = await blockloom(args)
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
    expect(linesOf(stderr)).toHaveLength(1)
  })

  test('a case that cannot be read is named, the others run, and the end is 2', async () => {
    const bad = spoiled(smallTest(), ['lastblockhash'], '0x12')
    // Its head is not the one that the fixture names, so that it fails whatever is executed.
    const wrong = spoiled(smallTest(), ['lastblockhash'], `0x${'12'.repeat(32)}`)
    const path = await file('mixed.json', { bad, wrong })
    const { code, stdout, stderr } = await command(path, '--json')
    expect(code).toBe(2)
    expect(stderr).toContain(`${path}, test bad: lastblockhash is not 32 bytes`)
    const [told, last] = jsonLines(stdout)
    expect(told).toMatchObject({ status: 'failed', name: 'wrong', fork: 'Frontier' })
    expect(last?.summary).toMatchObject({ passed: 0, failed: 1, skipped: 0, unusable: 1 })
  })

  test('a failure is told with its first difference, in the page too, and ends with 1', async () => {
    const wrong = spoiled(smallTest(), ['genesisBlockHeader', 'hash'], `0x${'00'.repeat(32)}`)
    const path = await file('wrong.json', { 'a | b': wrong })
    const page = join(folder, 'page.md')
    const { code, stdout } = await command(path, '--docs', page)
    expect(code).toBe(1)
    expect(stdout).toMatch(/failed {2}Frontier {2}a \| b: genesis hash is 0x/)
    expect(stdout).toMatch(/0 passed, 1 failed, 0 skipped/)
    expect(await readFile(page, 'utf8')).toMatch(/\| wrong \| Frontier \| 0 \| 1 \| 0 \|/)
  })

  test('a chain that is not known is a failure', async () => {
    const path = await file('forks.json', { unknown: { ...smallTest(), network: 'Atlantis' } })
    const { code, stdout } = await command(path, '--json')
    expect(code).toBe(1)
    expect(jsonLines(stdout).map(({ status, reason }) => [status, reason])).toEqual([
      ['failed', 'the chain Atlantis is not known'],
      [undefined, undefined],
    ])
  })

  test.runIf(haveConsensus)('a signal ends it cleanly', async () => {
    let sent = false
    const path = join(CONSENSUS, 'ethereum-legacytests.jsonl.gz')
    const { code } = await blockloom(['conformance', path, '--json'], (child) => {
      if (!sent) child.kill('SIGINT')
      sent = true
    })
    expect(code).toBe(130)
  })
})

describe('conformance: packs', () => {
  test.runIf(haveConsensus)('overlapping: parallel equals sequential, and there are aborts', async () => {
    const { code, stdout } = await command(
      join(CONSENSUS, 'ethereum-tests.jsonl.gz'),
      '--pack',
      'overlapping',
      '--json',
    )
    const { summary } = jsonLines(stdout).at(-1) as Told
    expect(code).toBe(0)
    expect(summary).toMatchObject({ pack: 'overlapping', failed: 0 })
    expect(summary?.['aborts']).toBeGreaterThan(0)
  })
})

describe('conformance: the sample', () => {
  test.runIf(haveConsensus)(
    'of each fork of each suite the first case and every 40th',
    async () => {
      const { stdout, stderr } = await command(CONSENSUS, '--every', '40', '--json')
      expect(stderr).toBe('')
      const told = jsonLines(stdout)
      expect(told.filter(({ status }) => status === 'failed')).toEqual([])
      expect(told.at(-1)?.summary?.['passed']).toBeGreaterThan(200)
    },
    180_000,
  )
})
