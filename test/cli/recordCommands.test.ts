/** The commands that read records, on files that the library wrote, as a user starts them. */
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeWorkload } from '../../src/cli/workloads.ts'
import { chainAtFork, createExecutor, createMemoryState } from '../../src/index.ts'
import { traceFormatErrors } from '../support/traceFormat.ts'
import { blockloom, linesOf } from './command.ts'

let folder = ''
const path = (name: string): string => join(folder, name)

/**
 * Two runs of one block of token transfers to one recipient, one after another and in parallel, and the block itself.
 */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blockloom-records-'))
  const file = makeWorkload('erc20-hot', 300)
  const executor = await createExecutor({ workers: 2, records: { file: path('run.trace') } })
  try {
    const options = { chain: chainAtFork(file.fork), senders: 'trust', only: 'transactions' } as const
    const state = () => createMemoryState().load(file)
    await executor.executeBlock(file.block, { ...options, state: state(), speculation: 'always' })
    await executor.executeBlock(file.block, { ...options, state: state(), sequential: true })
  } finally {
    await executor.close()
  }
  await writeFile(path('block.json'), JSON.stringify(file))
  await writeFile(path('other.json'), JSON.stringify(makeWorkload('transfers', 300)))
})

afterAll(async () => {
  if (folder !== '') await rm(folder, { recursive: true, force: true })
})

describe('blockloom trace', () => {
  test('writes trace events of the run that speculated', async () => {
    const { code, stdout, stderr } = await blockloom(['trace', path('run.trace'), '--out', path('trace.json')])
    expect([code, stdout]).toEqual([0, ''])
    expect(stderr).toContain('holds 2 runs; this is run 1')
    expect(stderr).toContain('written to')
    const text = await readFile(path('trace.json'), 'utf8')
    expect(traceFormatErrors(text)).toEqual([])
    const { traceEvents } = JSON.parse(text) as {
      traceEvents: { ph: string; name: string; args: { places: number } }[]
    }
    expect(traceEvents.filter(({ ph }) => ph === 'X').length).toBeGreaterThanOrEqual(300)
    expect(traceEvents.findLast(({ ph, name }) => ph === 'C' && name === 'committed')?.args).toEqual({ places: 300 })
  })

  test('writes them to stdout alone where that is asked for', async () => {
    const { code, stdout } = await blockloom(['trace', path('run.trace'), '--out', '-'])
    expect(code).toBe(0)
    expect(traceFormatErrors(stdout)).toEqual([])
  })
})

describe('blockloom explain', () => {
  test('names the balance that all transfers share', async () => {
    const args = ['explain', path('run.trace'), '--block', path('block.json')]
    const { code, stdout } = await blockloom([...args, '--json'])
    expect(code).toBe(0)
    const told = JSON.parse(stdout) as { places: number; conflicts: { name: string; dependencies: number }[] }
    expect(told.places).toBe(300)
    const hot = told.conflicts.find(({ dependencies }) => dependencies === 299)
    expect(hot?.name).toMatch(/^balance of 0x\w+\.\.\w+ of token 0x/)
    const { stdout: text } = await blockloom(args)
    expect(text).toContain('299 conflicts')
    expect(text).toMatch(/\nAdvice\n {2}\S/)
  })
})

describe('blockloom simulate', () => {
  test('prints one line for each policy and number of workers', async () => {
    const { code, stdout } = await blockloom(['simulate', path('run.trace'), '--workers', '1,2,1024', '--json'])
    expect(code).toBe(0)
    const told = linesOf(stdout).map(
      (line) => JSON.parse(line) as { policy: string; workers: number; makespan: number },
    )
    expect(told.map(({ policy, workers }) => `${policy} ${workers}`)).toEqual([
      ...['block-stm 1', 'block-stm 2', 'block-stm 1024', 'access-list 1', 'access-list 2', 'access-list 1024'],
      ...['sequential 1', 'oracle 1', 'oracle 2', 'oracle 1024'],
    ])
    const oracle = told.at(-1)?.makespan as number
    for (const { makespan } of told) expect(makespan).toBeGreaterThanOrEqual(oracle)
  })

  test('simulates the run that is asked for', async () => {
    const { stdout } = await blockloom(['simulate', path('run.trace'), '--run', '2', '--policy', 'sequential'])
    expect(linesOf(stdout)).toHaveLength(2)
    expect(stdout).toContain('sequential')
  })
})

describe('blockloom report', () => {
  const out = () => path('report.html')

  test('writes one page of a reasonable size', async () => {
    const { code, stdout, stderr } = await blockloom([
      'report',
      path('run.trace'),
      '--out',
      out(),
      '--block',
      path('block.json'),
    ])
    expect([code, stdout]).toEqual([0, ''])
    expect(stderr).toContain('written to')
    expect((await stat(out())).size).toBeLessThan(2_000_000)
    const html = await readFile(out(), 'utf8')
    expect(html).toContain('Redistribution and use in source and binary forms')
    expect(html).toContain('Apache License')
  })

  test('draws its four charts without a network, light and dark', async (context) => {
    const executablePath = browser()
    if (executablePath === undefined) {
      process.stderr.write('skipped: no Chromium here (BLOCKLOOM_CHROMIUM names one)\n')
      return context.skip()
    }
    const driver = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
    try {
      for (const colorScheme of ['light', 'dark'] as const) {
        const tab = await driver.newPage({ colorScheme, viewport: { width: 1200, height: 900 } })
        const wrong: string[] = []
        tab.on('pageerror', ({ message }) => wrong.push(message))
        tab.on('console', (message) => message.type() === 'error' && wrong.push(message.text()))
        tab.on('request', (request) => request.url().startsWith('file:') || wrong.push(request.url()))
        await tab.goto(`file://${out()}`)
        await tab.waitForSelector('body[data-drawn="4"]')
        // A canvas that nobody drew on has one colour; a chart may have several, one above the other.
        const colours: number[] = await tab.evaluate(`[...document.querySelectorAll('.chart')].map((chart) =>
          Math.max(...[...chart.querySelectorAll('canvas')].map((canvas) => {
            const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
            return new Set(new Uint32Array(data.buffer)).size
          })))`)
        expect(colours).toHaveLength(4)
        for (const count of colours) expect(count).toBeGreaterThan(10)
        expect(await tab.getByRole('img').count()).toBe(4)
        expect(wrong).toEqual([])
        await tab.close()
      }
    } finally {
      await driver.close()
    }
  })
})

/** A Chromium of this machine. */
function browser(): string | undefined {
  const named = process.env['BLOCKLOOM_CHROMIUM']
  const paths = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/snap/bin/chromium']
  return named ?? paths.find((one) => existsSync(one))
}

describe('unusable input costs one line and exit code 2', () => {
  const cases: [string, () => string[], RegExp][] = [
    ['a file that is not there', () => ['explain', path('none')], /ENOENT/],
    ['a file of another kind', () => ['explain', path('block.json')], /RECORDS_FORMAT/],
    ['an empty file', () => ['simulate', path('empty')], /RECORDS_FORMAT/],
    ['a run that is not there', () => ['explain', path('run.trace'), '--run', '9'], /INVALID_OPTION: .*2 runs/],
    ['no number of workers', () => ['simulate', path('run.trace'), '--workers', '2,0'], /whole number from 1 to 1024/],
    ['an unknown policy', () => ['simulate', path('run.trace'), '--policy', 'luck'], /'luck' is none of/],
    ['no file to write to', () => ['trace', path('run.trace')], /--out/],
    ['a folder that is not there', () => ['report', path('run.trace'), '--out', path('no/page.html')], /ENOENT/],
    [
      'a block file that is none',
      () => ['explain', path('run.trace'), '--block', path('run.trace')],
      /UNDECODABLE_BLOCK/,
    ],
    [
      'the block file of another run',
      () => ['explain', path('run.trace'), '--block', path('other.json')],
      /INVALID_OPTION: --block is not the block of the run/,
    ],
    [
      'the records as the file to write',
      () => ['trace', path('run.trace'), '--out', path('run.trace')],
      /INVALID_OPTION: --out is .*run\.trace, which is read/,
    ],
    [
      'the block file as the file to write',
      () => ['report', path('run.trace'), '--block', path('block.json'), '--out', path('block.json')],
      /INVALID_OPTION: --out is .*block\.json, which is read/,
    ],
    [
      'a version of the format that is not known',
      () => ['explain', path('later.trace')],
      /RECORDS_FORMAT: .*version 9/,
    ],
    ['a file that ends in its header', () => ['explain', path('cut.trace')], /RECORDS_FORMAT/],
    ['an option that is not known', () => ['simulate', path('run.trace'), '--threads', '2'], /unknown option/],
    ['a second file', () => ['explain', path('run.trace'), path('run.trace')], /too many arguments/],
  ]
  test.each(cases)('%s', async (_, args, wanted) => {
    const bytes = await readFile(path('run.trace'))
    await writeFile(path('empty'), '')
    await writeFile(path('cut.trace'), bytes.subarray(0, 14))
    bytes[8] = 9
    await writeFile(path('later.trace'), bytes)
    const { code, stdout, stderr } = await blockloom(args())
    const lines = linesOf(stderr).filter((line) => !line.includes('this is run'))
    expect([code, stdout, lines.length]).toEqual([2, '', 1])
    expect(lines[0]).toMatch(wanted)
  })

  test('a file that breaks off is told of, and what is whole is used', async () => {
    const bytes = await readFile(path('run.trace'))
    await writeFile(path('half.trace'), bytes)
    await truncate(path('half.trace'), bytes.length - 700)
    const { code, stdout, stderr } = await blockloom(['explain', path('half.trace')])
    expect(code).toBe(0)
    expect(stderr).toContain('breaks off')
    expect(stdout).toContain('300 transactions')
  })

  test.skipIf(!existsSync('/dev/full'))('a disk that fills', async () => {
    for (const name of ['trace', 'report']) {
      const { code, stdout, stderr } = await blockloom([name, path('run.trace'), '--run', '1', '--out', '/dev/full'])
      expect([code, stdout, stderr]).toEqual([2, '', expect.stringMatching(/^blockloom: ENOSPC[^\n]*\n$/)])
    }
  })

  test('a run that broke off before anything ended is told as one, and gains nothing', async () => {
    const bytes = await readFile(path('run.trace'))
    await writeFile(path('begun.trace'), bytes.subarray(0, 400))
    const { code, stdout } = await blockloom(['simulate', path('begun.trace'), '--json'])
    expect(code).toBe(0)
    for (const line of linesOf(stdout)) expect(JSON.parse(line)).toMatchObject({ speedup: 1, executions: 0 })
  })
})
