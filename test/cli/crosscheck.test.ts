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

  test('both agree, and the header says something else: told, and the end is 1', async () => {
    const file = JSON.parse(gunzipSync(await readFile(realBlock(46147))).toString())
    file.block.gasUsed = '0x1'
    const path = join(folder, 'header.json')
    await writeFile(path, JSON.stringify(file))
    const { code, stdout } = await blockloom(['run', '--adapter', 'both', '--workers', '1', '--json', path])
    expect(code).toBe(1)
    expect(linesOfJson(stdout)[0]).toMatchObject({ equal: true, mismatches: ['gasUsed is 21000, the header says 1'] })
    await rm(path)
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
    ['a piece that there is not', () => ['crosscheck', '--shard', '3/2', 'y'], /not k\/n with k from 1 to n/],
    [
      'a run and a join',
      () => ['crosscheck', '--join', 'x', '--shard', '1/2'],
      /'--shard' is for a run; '--join' runs nothing/,
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
  let paths: string[] = []
  let whole = ''
  const run = (...args: string[]) => blockloom(['crosscheck', ...args])
  beforeAll(async () => {
    const lines = gunzipSync(await readFile(CONSENSUS))
      .toString('utf8')
      .split('\n')
    const shanghai = lines.filter((line) => line.includes('"network":"Shanghai"')).slice(0, 3)
    expect(shanghai).toHaveLength(3)
    const fixtures = join(folder, 'some.jsonl.gz')
    await writeFile(fixtures, gzipSync(shanghai.join('\n')))
    paths = ['--blocks', realBlock(46147), realBlock(930196), '--fixtures', fixtures, '--workers', '1']
  })

  test('blocks and fixtures, and the page', async () => {
    const page = join(folder, 'page.md')
    const { code, stdout } = await run(...paths, '--docs', page)
    expect([code, stdout]).toEqual([0, expect.stringMatching(/3 passed, 0 failed/)])
    whole = await readFile(page, 'utf8')
    expect(whole).toMatch(/^# Cross-check\n/)
    expect(whole).toMatch(/2 of 2 blocks agree, with 19 transactions/)
    expect(whole).toMatch(/3 pass with both, 0 do not/)
  })

  test('in pieces, joined to the same page in any order', async () => {
    const pieces: string[] = []
    for (const shard of ['2/2', '1/2']) {
      const { code, stdout } = await run(...paths, '--json', '--shard', shard)
      expect(code).toBe(0)
      expect(linesOf(stdout)).toHaveLength(3)
      pieces.push(join(folder, `${pieces.length}.jsonl`))
      await writeFile(pieces.at(-1) as string, stdout)
    }
    const page = join(folder, 'joined.md')
    const { code, stdout } = await run('--join', ...pieces, '--docs', page)
    expect([code, stdout]).toEqual([0, expect.stringMatching(/3 passed, 0 failed/)])
    expect(await readFile(page, 'utf8')).toBe(whole)

    const [first, second] = pieces as [string, string]
    const torn = join(folder, 'torn.jsonl')
    await writeFile(torn, (await readFile(first, 'utf8')).split('\n').slice(0, 1).join('\n'))
    const garbage = join(folder, 'garbage.jsonl')
    await writeFile(garbage, '{"fil')
    for (const [files, wanted] of [
      [[first], /of 2 pieces these are missing: 1/],
      [[first, first, second], /3 pieces of 2: one is there twice/],
      [[torn, second], /torn\.jsonl breaks off: run this piece again/],
      [[second, garbage], /garbage\.jsonl, line 1 is not what/],
    ] as const) {
      const refused = await run('--join', ...files, '--docs', join(folder, 'none.md'))
      expect([refused.code, refused.stdout]).toEqual([2, ''])
      expect(refused.stderr).toMatch(wanted)
    }
    expect(existsSync(join(folder, 'none.md'))).toBe(false)
  })

  test('pieces that part, or that could not be run, are told as one run would have', async () => {
    const piece = async (name: string, lines: readonly object[]): Promise<string> => {
      const file = join(folder, name)
      await writeFile(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
      return file
    }
    const shard = (number: number, unusable = 0) => ({ shard: { number, of: 2, every: 1, unusable } })
    const block = { file: 'x', number: 5, txs: 7, difference: { tx: 0, field: 'gasUsed' } }
    const [one, two] = [await piece('a.jsonl', [block, shard(1)]), await piece('b.jsonl', [shard(2)])]
    const page = join(folder, 'parts.md')
    expect(await run('--join', one, two, '--docs', page)).toMatchObject({ code: 1, stderr: '' })
    expect(await readFile(page, 'utf8')).toMatch(/0 of 1 blocks agree, with 7 transactions\.\n- 5: gasUsed/)
    const ill = await piece('c.jsonl', [shard(2, 1)])
    expect((await run('--join', one, ill, '--docs', page)).code).toBe(2)
    expect(await readFile(page, 'utf8')).toMatch(/\n1 could not be run\./)
  })

  test('packs are for one adapter', async () => {
    const { code, stderr } = await blockloom(['conformance', '--adapter', 'both', '--pack', 'disjoint', CONSENSUS])
    expect(code).toBe(2)
    expect(stderr).toMatch(/--pack/)
  })
})
