/** `blockloom demo` from outside, with and without the packages of its contracts. */
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { blockloom, haveBlocks, jsonOf, linesOf, realBlock } from './command.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

test('demo: one JSON object tells times, rates and equal digests of at least 5,000 transactions', async () => {
  const { code, stdout, stderr } = await blockloom(['demo', '--json', '--repeat', '1', '--workers', '2'])
  expect([code, stderr]).toEqual([0, ''])
  const [line, ...more] = jsonOf(stdout)
  expect(more).toEqual([])
  expect(line?.txs).toBeGreaterThanOrEqual(5000)
  expect(line?.equal).toBe(true)
  const digests = Object.entries(line?.digests ?? {})
  expect(digests.map(([name]) => name)).toEqual([
    ...['gasUsed', 'receipts', 'receiptsRoot', 'logsBloom', 'results', 'stateDiff'],
  ])
  for (const [, digest] of digests) {
    expect(digest).toMatchObject({ sequential: expect.stringMatching(/^0x[0-9a-f]{64}$/), equal: true })
    expect(digest.parallel).toBe(digest.sequential)
  }
  expect(line).toMatchObject({
    speedup: expect.any(Number),
    transactionsPerSecond: { sequential: expect.any(Number), parallel: expect.any(Number) },
    gasPerSecond: { sequential: expect.any(Number), parallel: expect.any(Number) },
  })
})

test.skipIf(!haveBlocks)('demo: a file given is run, told in full and compared with its header', async () => {
  const { code, stdout, stderr } = await blockloom(['demo', '--repeat', '2', realBlock(6196166), 'absent.json'])
  expect(code).toBe(2)
  expect(stderr).toMatch(/^blockloom: absent\.json: ENOENT: .*\n$/)
  expect(stdout).toMatch(/block 6196166, 108 transactions, 7,975,867 gas/)
  expect(stdout).toMatch(/sequential +[\d.]+ ms +[\d,]+ tx\/s +[\d,]+ Mgas\/s/)
  expect(stdout).toMatch(/speed-up +[\d.]+x +median of 2 runs/)
  expect(linesOf(stdout).filter((line) => / equal +0x[0-9a-f]{16}/.test(line))).toHaveLength(6)
  expect(stdout).toMatch(/header +gas ok, bloom ok, receipts root ok/)
})

test('demo: without the packages of the contracts it names them and ends with 2', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'blockloom-demo-'))
  try {
    const installed = join(folder, 'node_modules', 'blockloom')
    await cp(join(root, 'dist'), join(installed, 'dist'), { recursive: true })
    await cp(join(root, 'package.json'), join(installed, 'package.json'))
    for (const name of Object.keys(packageJson.dependencies)) {
      const link = join(folder, 'node_modules', name)
      await mkdir(dirname(link), { recursive: true })
      await symlink(join(root, 'node_modules', name), link)
    }
    // An empty package ends the search, whatever lies in the folders above.
    for (const name of ['@openzeppelin/contracts', '@uniswap/v2-core']) {
      await mkdir(join(folder, 'node_modules', name), { recursive: true })
      await writeFile(join(folder, 'node_modules', name, 'package.json'), '{ "exports": {} }')
    }
    const { code, stdout, stderr } = await blockloom(['demo'], undefined, join(installed, 'dist', 'cli.js'), folder)
    expect([code, stdout]).toEqual([2, ''])
    expect(linesOf(stderr)).toHaveLength(1)
    expect(stderr).toMatch(/^blockloom: demo: MODULE_NOT_LOADED: .*npm install @openzeppelin\/contracts@4\.9\.6/)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
