/** `--records` of `run` and `demo`. */
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { makeWorkload } from '../../src/cli/workloads.ts'
import { decodeRecords } from '../../src/index.ts'
import { blockloom, jsonOf } from './command.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blockloom-cli-records-'))
  for (const name of ['erc20', 'chain'] as const) {
    await writeFile(join(folder, `${name}.json`), JSON.stringify(makeWorkload(name, 60)))
  }
})
afterAll(() => rm(folder, { recursive: true }))

const inFolder = (name: string): string => join(folder, name)

test('run --records writes the told run of each file, with its name', async () => {
  const file = inFolder('runs.trace')
  const files = [inFolder('erc20.json'), inFolder('chain.json')]
  const ended = await blockloom([
    'run',
    ...files,
    '--trust-senders',
    '--workers',
    '2',
    '--speculation',
    'always',
    '--json',
    '--records',
    file,
  ])
  expect(ended).toMatchObject({ code: 0, stderr: '' })
  const records = decodeRecords(await readFile(file))
  expect(records.map(({ run }) => run.label)).toEqual(files)
  expect(records.map(({ executions }) => executions.length)).toEqual(
    jsonOf(ended.stdout).map((line) => line.executions),
  )
})

test('demo --records --sequential writes the sequential run', async () => {
  const file = inFolder('demo.trace')
  const ended = await blockloom([
    'demo',
    inFolder('erc20.json'),
    '--trust-senders',
    '--sequential',
    '--repeat',
    '1',
    '--records',
    file,
  ])
  expect(ended.code).toBe(0)
  const [record] = decodeRecords(await readFile(file))
  expect(record?.executions.every(({ mode }) => mode === 'sequential')).toBe(true)
  expect(record?.places[60]?.committed).toBe('sequential')
})

test.each(['run', 'demo'])('%s --records does not write over a block file that it reads', async (command) => {
  const file = inFolder('erc20.json')
  const before = await readFile(file)
  await symlink(file, inFolder(`${command}.link`))
  const ended = await blockloom([command, file, '--trust-senders', '--records', inFolder(`${command}.link`)])
  expect(ended).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringMatching(/^blockloom: INVALID_OPTION: .+\n$/),
  })
  expect((await readFile(file)).equals(before)).toBe(true)
})

test.skipIf(!existsSync('/dev/full'))(
  'a full disk costs a line on stderr and exit code 2, not the result',
  async () => {
    const ended = await blockloom([
      'run',
      inFolder('erc20.json'),
      '--trust-senders',
      '--workers',
      '2',
      '--json',
      '--records',
      '/dev/full',
    ])
    expect(ended.code).toBe(2)
    expect(ended.stderr).toMatch(/records cannot be written to \/dev\/full: ENOSPC/)
    expect(jsonOf(ended.stdout)).toMatchObject([{ txs: 60 }])
  },
)
