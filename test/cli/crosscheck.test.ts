/** The command with both adapters, on real blocks and on consensus tests; `npm run crosscheck` runs them all. */

import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { blockloom, haveBlocks, linesOf, realBlock } from './command.ts'

const CONSENSUS = fileURLToPath(new URL('../../../shared/data/consensus/eest.jsonl.gz', import.meta.url))

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crosscheck-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const linesOfJson = (text: string): Record<string, unknown>[] =>
  linesOf(text).map((line) => JSON.parse(line) as Record<string, unknown>)

describe.skipIf(!haveBlocks)('run --adapter both', () => {
  test('both agree on real blocks', async () => {
    const files = [46147, 1150001, 2675000, 4370000].map(realBlock)
    const { code, stdout, stderr } = await blockloom(['run', '--adapter', 'both', '--workers', '2', '--json', ...files])
    expect([code, stderr]).toEqual([0, ''])
    const lines = linesOfJson(stdout)
    expect(lines).toHaveLength(4)
    for (const line of lines) expect(line).toMatchObject({ equal: true, difference: null })
  })

  test('the table says so, and a file that cannot be used is told', async () => {
    const { code, stdout, stderr } = await blockloom([
      ...['run', '--adapter', 'both', '--workers', '1', realBlock(46147), join(folder, 'nothing.json')],
    ])
    expect(code).toBe(2)
    expect(stdout).toMatch(/46147 .* agree\n1 of 1 blocks agree, 1 unusable/)
    expect(stderr).toMatch(/nothing\.json: ENOENT/)
  })

  test('ethereumjs alone runs a file, sequentially and in parallel', async () => {
    const { code, stdout } = await blockloom([
      ...['run', '--adapter', 'ethereumjs', '--workers', '2', '--json', realBlock(1150001)],
    ])
    expect(code).toBe(0)
    expect(linesOfJson(stdout)[0]).toMatchObject({ matches: { gasUsed: true, logsBloom: true } })
  })
})

describe('what cannot be compared costs one line and exit code 2', () => {
  test.each<[string, () => string[], RegExp]>([
    ['neither blocks nor fixtures', () => ['crosscheck'], /give '--blocks', '--fixtures' or both/],
    [
      'a folder without blocks',
      () => ['crosscheck', '--blocks', folder, '--json'],
      /INVALID_OPTION: .* holds no \.json/,
    ],
    [
      'records of both adapters',
      () => ['run', '--adapter', 'both', '--records', 'x', 'y'],
      /'--records' is for one adapter/,
    ],
    [
      'repeats of both adapters',
      () => ['run', '--adapter', 'both', '--repeat', '2', 'y'],
      /'--repeat' is for one adapter/,
    ],
  ])('%s', async (_, args, wanted) => {
    const { code, stdout, stderr } = await blockloom(args())
    expect([code, stdout, linesOf(stderr).length]).toEqual([2, '', 1])
    expect(stderr).toMatch(wanted)
  })
})

describe.skipIf(!haveBlocks || !existsSync(CONSENSUS))('crosscheck', () => {
  test('blocks and fixtures, and the page', async () => {
    const lines = gunzipSync(await readFile(CONSENSUS))
      .toString('utf8')
      .split('\n')
    const shanghai = lines.filter((line) => line.includes('"network":"Shanghai"')).slice(0, 3)
    expect(shanghai).toHaveLength(3)
    const fixtures = join(folder, 'some.jsonl.gz')
    await writeFile(fixtures, gzipSync(shanghai.join('\n')))
    const page = join(folder, 'page.md')
    const { code, stdout } = await blockloom([
      ...['crosscheck', '--blocks', realBlock(46147), '--fixtures', fixtures, '--workers', '1', '--docs', page],
    ])
    expect([code, stdout]).toEqual([0, expect.stringMatching(/3 passed, 0 failed/)])
    const text = await readFile(page, 'utf8')
    expect(text).toMatch(/^# Cross-check\n/)
    expect(text).toMatch(/1 of 1 blocks agree, with 1 transactions/)
    expect(text).toMatch(/3 pass with both, 0 do not/)
  })

  test('packs are for one adapter', async () => {
    const { code, stderr } = await blockloom(['conformance', '--adapter', 'both', '--pack', 'disjoint', CONSENSUS])
    expect(code).toBe(2)
    expect(stderr).toMatch(/--pack/)
  })
})
