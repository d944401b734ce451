/** `blockloom run` from outside: what it prints, and how it ends on good and bad files, options and signals. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { makeWorkload, type WorkloadFile } from '../../src/cli/workloads.ts'
import { blockloom, haveBlocks, jsonOf, linesOf, realBlock } from './command.ts'

let folder = ''
const at = (name: string): string => join(folder, name)

/** Writes a file of the test, as JSON unless it is text or bytes. */
async function put(name: string, content: unknown): Promise<string> {
  const raw = typeof content === 'string' || content instanceof Uint8Array
  await writeFile(at(name), raw ? content : JSON.stringify(content))
  return at(name)
}

const payments = (count: number): WorkloadFile => makeWorkload('transfers', count)

/** A copy of a small block with one thing changed. */
const changed = (change: (file: Record<string, never> & WorkloadFile) => object): object =>
  change(JSON.parse(JSON.stringify(payments(4))))

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blockloom-cli-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('run: files that can be used', () => {
  test.skipIf(!haveBlocks)(
    'real blocks match their headers, each in one line of JSON with the documented fields',
    async () => {
      const files = [46147, 2675001, 6196166, 19426587].map(realBlock)
      const { code, stdout, stderr } = await blockloom([
        'run',
        '--json',
        '--workers',
        '2',
        '--speculation',
        'always',
        '--repeat',
        '2',
        ...files,
      ])
      expect([code, stderr]).toEqual([0, ''])
      const lines = jsonOf(stdout)
      expect(lines.map(({ file }) => file)).toEqual(files)
      for (const line of lines) {
        expect(Object.keys(line)).toEqual([
          'file',
          'number',
          'txs',
          'gasUsed',
          'receiptsRoot',
          'logsBloom',
          'matches',
          'sequentialMs',
          'parallelMs',
          'workers',
          'executions',
          'aborts',
          'speculative',
          'direct',
          'reexecuted',
          'fallback',
        ])
        expect(line).toMatchObject({ matches: { gasUsed: true, logsBloom: true }, workers: 2 })
        expect(line.sequentialMs).toBeGreaterThan(0)
        expect(line.parallelMs).toBeGreaterThan(0)
        expect(line.speculative + line.fallback).toBe(line.txs)
        expect(line.executions).toBeGreaterThanOrEqual(line.txs)
      }
      expect(lines.map(({ matches }) => matches.receiptsRoot)).toEqual([null, null, true, true])
      expect(lines[0]).toMatchObject({ number: 46147, txs: 1, gasUsed: 21000, receiptsRoot: null })
      expect(lines[2]).toMatchObject({ number: 6196166, receiptsRoot: expect.stringMatching(/^0x[0-9a-f]{64}$/) })
    },
  )

  test('a synthetic block, plain or gzip, runs with trusted senders and has nothing to match', async () => {
    const plain = await put('plain.json', payments(30))
    const packed = await put('packed.json.gz', gzipSync(JSON.stringify(payments(30))))
    const { code, stdout, stderr } = await blockloom(['run', '--json', '--trust-senders', plain, packed])
    expect([code, stderr]).toEqual([0, ''])
    const [a, b] = jsonOf(stdout)
    expect(a).toMatchObject({
      txs: 30,
      gasUsed: 630_000,
      matches: { gasUsed: null, logsBloom: null, receiptsRoot: null },
    })
    expect(b).toMatchObject({ txs: 30, gasUsed: 630_000 })
  })

  test('--sequential leaves the parallel path out', async () => {
    const file = await put('sequential.json', payments(10))
    const { code, stdout } = await blockloom(['run', '--json', '--sequential', '--trust-senders', file])
    expect(code).toBe(0)
    expect(jsonOf(stdout)).toMatchObject([{ parallelMs: null, workers: 1, speculative: 0, fallback: 10 }])
  })

  test('a table for people has a row a file and says how many are right, without a bar where no terminal is', async () => {
    const file = await put('table.json', payments(10))
    const { code, stdout, stderr } = await blockloom(['run', '--trust-senders', file, file])
    expect([code, stderr]).toEqual([0, ''])
    const lines = linesOf(stdout)
    expect(lines).toHaveLength(4)
    expect(lines[0]).toMatch(/^file .* block .* sequential .* parallel .* speed-up/)
    expect(lines[1]).toMatch(/ 10 +210000 .* ok, parallel equals sequential$/)
    expect(lines[3]).toMatch(/^2 files: 2 right, 0 wrong, 0 unusable; sequential .* ms, parallel .* ms on /)
  })
})

describe('run: files that are wrong or cannot be used', () => {
  test('a block that does not match its header ends with 1 and says what differs', async () => {
    const logsBloom = `0x01${'00'.repeat(255)}`
    const receiptsRoot = `0x${'11'.repeat(32)}`
    const wrong = changed((file) => ({ ...file, block: { ...file.block, gasUsed: '0x1', logsBloom, receiptsRoot } }))
    const { code, stdout, stderr } = await blockloom([
      ...['run', '--json', '--trust-senders'],
      await put('wrong.json', wrong),
    ])
    expect(code).toBe(1)
    expect(jsonOf(stdout)[0]?.matches).toEqual({ gasUsed: false, logsBloom: false, receiptsRoot: false })
    expect(linesOf(stderr)).toHaveLength(1)
    expect(stderr).toMatch(/wrong\.json: does not match its header: gasUsed is 84000, the header says 1; logsBloom /)
  })

  test('each unusable file costs one line with its name and the reason, the others run, and the end is 2', async () => {
    const to = '0x00000000000000000000000000000000000000aa'
    const account = { balance: '0x0', nonce: 1, code_hash: `0x${'ab'.repeat(32)}`, storage: {} }
    const cases: readonly (readonly [name: string, content: unknown, reason: RegExp])[] = [
      ['text.json', 'hello\u001b[2J\nworld', /UNDECODABLE_BLOCK: the file is neither JSON nor gzip/],
      ['empty.json', '', /UNDECODABLE_BLOCK/],
      ['list.json', '[]', /UNDECODABLE_BLOCK: the file is not an object/],
      ['cut.json.gz', gzipSync(JSON.stringify(payments(4))).subarray(0, 200), /UNDECODABLE_BLOCK: .* unpacked/],
      ['no-block.json', changed(({ block: _, ...file }) => file), /UNDECODABLE_BLOCK: the file has no block/],
      ['no-pre.json', changed(({ pre: _, ...file }) => file), /UNDECODABLE_BLOCK: the file has no pre/],
      ['account.json', changed((file) => ({ ...file, pre: { [to]: null } })), /UNDECODABLE_BLOCK: pre\.0x0+aa/],
      ['balance.json', changed((file) => ({ ...file, pre: { [to]: { balance: 'much' } } })), /balance is not a number/],
      ['code.json', changed((file) => ({ ...file, codes: { '0x12': '0x00' } })), /INVALID_OPTION: code hash is not/],
      ['no-fork.json', changed(({ fork: _, ...file }) => file), /UNKNOWN_FORK/],
      ['fork.json', changed((file) => ({ ...file, fork: 'tomorrow' })), /UNKNOWN_FORK: fork tomorrow is not known/],
      ['amsterdam.json', changed((file) => ({ ...file, fork: 'amsterdam' })), /UNSUPPORTED_FORK/],
      [
        'header.json',
        changed((file) => ({ ...file, block: { ...file.block, number: 'x' } })),
        /UNDECODABLE_BLOCK: number/,
      ],
      [
        'missing-code.json',
        changed((file) => ({
          ...file,
          pre: { ...file.pre, [to]: account },
          block: { ...file.block, transactions: file.block.transactions.map((tx) => ({ ...tx, to })) },
        })),
        /MISSING_CODE: .*0xabab.* transaction 0/,
      ],
      ['poor.json', changed((file) => ({ ...file, pre: {} })), /INVALID_TRANSACTION: transaction 0 /],
    ]
    const files = await Promise.all(cases.map(([name, content]) => put(name, content)))
    const good = await put('good.json', payments(5))
    const { code, stdout, stderr } = await blockloom([
      ...['run', '--json', '--trust-senders', at('absent.json'), folder],
      ...[...files, good],
    ])
    expect(code).toBe(2)
    expect(jsonOf(stdout).map(({ file }) => file)).toEqual([good])
    const lines = linesOf(stderr)
    const begins = (name: string): string => `blockloom: ${name}: `
    expect(lines.map((line) => line.slice(0, line.indexOf(': ', 11) + 2))).toEqual(
      [at('absent.json'), folder, ...files].map(begins),
    )
    for (const [k, reason] of [/ENOENT: /, /EISDIR: /, ...cases.map(([, , why]) => why)].entries()) {
      expect(lines[k]).toMatch(reason)
    }
    expect(stderr).not.toContain('\u001b')
  })

  test('a block without signatures needs --trust-senders, and an unusable file outweighs a wrong one', async () => {
    const unsigned = await put('unsigned.json', payments(3))
    const wrong = await put(
      'other.json',
      changed((file) => ({ ...file, block: { ...file.block, transactions: [], gasUsed: '0x1' } })),
    )
    const { code, stderr } = await blockloom(['run', '--json', wrong, unsigned])
    expect(code).toBe(2)
    expect(linesOf(stderr)).toHaveLength(2)
    expect(stderr).toMatch(/unsigned\.json: MISSING_SENDER: transaction 0 has no signature/)
  })

  test.skipIf(!haveBlocks)(
    'a sender that is not the one of the signature is told, unless senders are trusted',
    async () => {
      const { readBlockFile } = await import('../../src/cli/blockFile.ts')
      const file = await readBlockFile(realBlock(46147))
      const block = file.block as { transactions: { from: string }[] }
      const from = Object.keys(file.pre)[1] as string
      const forged = await put('forged.json', {
        ...file,
        block: { ...block, transactions: [{ ...block.transactions[0], from }] },
      })
      const { code, stderr } = await blockloom(['run', '--json', forged])
      expect(code).toBe(2)
      expect(stderr).toMatch(/INVALID_SIGNATURE: the signature of transaction 0 is not good: it recovers to 0xa1e4380a/)
    },
  )
})

describe('run: options', () => {
  test.each([
    [['run', '--workers', '0', 'x'], /'--workers <n>' argument '0' .* from 1 to 64/],
    [['run', '--workers', 'abc', 'x'], /argument 'abc'/],
    [['run', '--workers', '1e9', 'x'], /argument '1e9'/],
    [['run', '--repeat', '0', 'x'], /'--repeat <r>' argument '0'/],
    [['run', '--speculation', 'never', 'x'], /Allowed choices are auto, always/],
    [['demo', '--adapter', 'evmone'], /Allowed choices are revm/],
    [['run'], /missing required argument 'file'/],
    [['run', '--worker', '2', 'x'], /unknown option '--worker'/],
    [['walk'], /unknown command 'walk'/],
  ])('%j is told in one line and ends with 2', async (args, reason) => {
    const { code, stdout, stderr } = await blockloom(args)
    expect([code, stdout]).toEqual([2, ''])
    expect(linesOf(stderr)).toHaveLength(1)
    expect(stderr).toMatch(/^blockloom: /)
    expect(stderr).toMatch(reason)
  })

  test('--help is there everywhere, and --version tells the version of the package', async () => {
    const [top, run, demo, version] = await Promise.all(
      [['--help'], ['run', '--help'], ['demo', '--help'], ['--version']].map((args) => blockloom(args)),
    )
    expect([top, run, demo, version].map((ended) => ended?.code)).toEqual([0, 0, 0, 0])
    expect(top?.stdout).toMatch(/run \[options\] <file...>[\s\S]*demo \[options\] \[file...\]/)
    for (const option of ['adapter', 'workers', 'sequential', 'speculation', 'repeat', 'trust-senders', 'json']) {
      expect(run?.stdout).toContain(`--${option}`)
      expect(demo?.stdout).toContain(`--${option}`)
    }
    expect(version?.stdout).toBe(`${packageJson.version}\n`)
  })
})

describe('run: interruption', () => {
  /** The first file is told soon; the second would take minutes. */
  const endless = async (): Promise<string[]> => {
    const [first, second] = [
      await put('first.json', makeWorkload('empty', 0)),
      await put('second.json', payments(4000)),
    ]
    return ['run', '--json', '--trust-senders', '--workers', '2', '--repeat', '2000', first, second]
  }

  test.each(['SIGINT', 'SIGTERM'] as const)('%s during a run ends the command with 130 and no word', async (signal) => {
    let sent = 0
    const ended = await blockloom(await endless(), (child) => {
      // Well into the second file.
      setTimeout(() => {
        sent = performance.now()
        child.kill(signal)
      }, 400)
    })
    expect(ended).toMatchObject({ code: 130, signal: null, stderr: '' })
    expect(jsonOf(ended.stdout)).toHaveLength(1)
    expect(performance.now() - sent).toBeLessThan(5000)
  })

  test('a reader that closes the pipe ends the command without a crash', async () => {
    const file = await put('piped.json', payments(10))
    const files = Array.from({ length: 60 }, () => file)
    const { code, signal, stderr } = await blockloom(['run', '--json', '--trust-senders', ...files], (child) =>
      child.stdout.destroy(),
    )
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' })
  })
})
