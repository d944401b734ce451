/**
 * `blockloom chain` as a user runs it: a real chain to its head, and everything that can be wrong with its two files.
 */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ChainEntry, decodeBlock, splitChain } from '../../src/evm.ts'
import { toHex } from '../support/evm.ts'
import { blockloom, CLI, linesOf } from './command.ts'

const CHAIN = fileURLToPath(new URL('../../../shared/data/chain/geth-600', import.meta.url))
const haveChain = existsSync(CHAIN)
if (!haveChain) process.stderr.write(`skipped: the chain of ${CHAIN} is not here\n`)

const GENESIS = join(CHAIN, 'genesis.json')
const BLOCKS = join(CHAIN, 'chain.rlp')
const file: Uint8Array = new Uint8Array(haveChain ? readFileSync(BLOCKS) : [])
const entries: readonly ChainEntry[] = [...splitChain(file)]
const genesisText = haveChain ? readFileSync(GENESIS, 'utf8') : '{}'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chain-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function put(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

/** The last line of `--json`. */
interface Summary {
  readonly blocks: number
  readonly txs: number
  readonly head: string
  readonly stateRoot: string
  readonly ms: number
  readonly failed?: {
    readonly number: string
    readonly code: string
    readonly fields: string[]
    readonly message: string
  }
}

const summaryOf = (stdout: string): Summary => {
  const lines = linesOf(stdout)
  expect(lines).toHaveLength(1)
  return JSON.parse(lines[0] as string) as Summary
}

/** Everything up to and with block `number`. */
const upTo = (number: number): Uint8Array => file.slice(0, entries[number]?.offset ?? file.length)

/** A copy of the first blocks in which one byte of a field of block `number` is another. */
function flipped(blocks: number, number: number, field: Uint8Array): Uint8Array {
  const copy = upTo(blocks)
  const { offset, bytes } = entries[number - 1] as ChainEntry
  const at = Buffer.from(bytes).indexOf(field)
  expect(at).toBeGreaterThan(0)
  copy[offset + at + 5] = (copy[offset + at + 5] as number) ^ 0x10
  return copy
}

const headerOf = (number: number) => decodeBlock(entries[number - 1]?.bytes).header

describe.runIf(haveChain)('chain: 600 blocks', () => {
  const headBlock = haveChain
    ? (JSON.parse(readFileSync(join(CHAIN, 'headblock.json'), 'utf8')) as { hash: string; stateRoot: string })
    : { hash: '', stateRoot: '' }

  test.each([1, 2])('--json with %i workers ends with the head that go-ethereum wrote', async (workers) => {
    const args = ['chain', GENESIS, BLOCKS, '--json', '--speculation', 'always', '--workers', String(workers)]
    const { code, stdout, stderr } = await blockloom(args)
    expect([code, stderr]).toEqual([0, ''])
    const { ms, ...told } = summaryOf(stdout)
    const txs = entries.reduce((sum, { bytes }) => sum + decodeBlock(bytes).transactions.length, 0)
    expect(told).toEqual({ blocks: 600, txs, head: headBlock.hash, stateRoot: headBlock.stateRoot })
    expect(Number.isSafeInteger(ms) && ms > 0).toBe(true)
  })

  test('without --json it says the same to a reader', async () => {
    const { code, stdout, stderr } = await blockloom(['chain', GENESIS, BLOCKS])
    expect([code, stderr]).toEqual([0, ''])
    const [counts, head, root, ...rest] = linesOf(stdout)
    expect(counts).toMatch(/^600 blocks, \d+ transactions in \d+ ms$/)
    expect([head, root, rest]).toEqual([`head       ${headBlock.hash}`, `state root ${headBlock.stateRoot}`, []])
  })
})

describe('chain: options', () => {
  test('help names the arguments and options', async () => {
    const { code, stdout } = await blockloom(['chain', '--help'])
    expect(code).toBe(0)
    for (const word of ['<genesis>', '<blocks>', '--workers', '--adapter', '--speculation', '--json']) {
      expect(stdout).toContain(word)
    }
  })

  test.each([
    [['chain'], /missing required argument 'genesis'/],
    [['chain', 'x'], /missing required argument 'blocks'/],
    [['chain', 'x', 'y', 'z'], /too many arguments/],
    [['chain', 'x', 'y', '--workers', '65'], /from 1 to 64/],
    [['chain', 'x', 'y', '--adapter', 'evmone'], /Allowed choices are revm/],
    [['chain', 'x', 'y', '--speculation', 'never'], /Allowed choices are auto, always/],
  ])('%j is told in one line and ends with 2', async (args, reason) => {
    const { code, stdout, stderr } = await blockloom(args)
    expect([code, stdout]).toEqual([2, ''])
    expect(linesOf(stderr)).toHaveLength(1)
    expect(stderr).toMatch(reason)
  })
})

describe.runIf(haveChain)('chain: a block that is not valid', () => {
  /** Block 20, of which one field is not what it should be, and the 19 before it, which are. */
  test.each([
    ['stateRoot', headerOf(20).stateRoot],
    ['receiptsRoot', headerOf(20).receiptsRoot],
    ['transactionsRoot', headerOf(20).transactionsRoot],
    ['parentHash', headerOf(20).parentHash],
  ])(
    'one byte of the %s of block 20: exit 1, its number and the field, and 19 blocks counted',
    async (field, value) => {
      const path = await put(`${field}.rlp`, flipped(30, 20, value as Uint8Array))
      const { code, stdout, stderr } = await blockloom(['chain', GENESIS, path, '--json', '--workers', '2'])
      expect(code).toBe(1)
      const { blocks, head, stateRoot, failed } = summaryOf(stdout)
      expect(blocks).toBe(19)
      expect(head).toBe(toHex(headerOf(20).parentHash as Uint8Array))
      expect(stateRoot).toBe(toHex(headerOf(19).stateRoot as Uint8Array))
      expect(failed).toMatchObject({ number: '20', code: 'BLOCK_MISMATCH', fields: [field] })
      const [line, ...rest] = linesOf(stderr)
      expect(rest).toEqual([])
      expect(line).toMatch(
        new RegExp(
          `^blockloom: ${path}: block 20 is refused: BLOCK_MISMATCH: .*${field} is 0x\\w+, should be ${toHex(value as Uint8Array)}`,
        ),
      )
    },
  )

  test('a genesis of another chain: block 1 does not have it for a parent', async () => {
    const other = await put('other.json', genesisText.replace('"balance": "0x1"', '"balance": "0x2"'))
    const { code, stdout, stderr } = await blockloom(['chain', other, BLOCKS, '--json'])
    expect(code).toBe(1)
    const { blocks, txs, failed } = summaryOf(stdout)
    expect([blocks, txs]).toEqual([0, 0])
    expect(failed).toMatchObject({ number: '1', code: 'BLOCK_MISMATCH' })
    expect(failed?.fields).toContain('parentHash')
    expect(stderr).toMatch(/block 1 is refused: .*parentHash is 0x/)
  })

  test('blocks that do not follow: one left out, one twice', async () => {
    const [first, second] = [upTo(10), upTo(12).slice(upTo(11).length)]
    const gap = await put('gap.rlp', Buffer.concat([first, second]))
    const twice = await put('twice.rlp', Buffer.concat([first, first.slice(upTo(9).length)]))
    const [skipped, repeated] = await Promise.all(
      [gap, twice].map((path) => blockloom(['chain', GENESIS, path, '--json'])),
    )
    for (const ended of [skipped, repeated]) {
      expect(ended?.code).toBe(1)
      const { blocks, failed } = summaryOf(ended?.stdout ?? '')
      expect([blocks, failed?.number]).toEqual([10, '11'])
      expect(failed?.fields).toEqual(expect.arrayContaining(['parentHash', 'number']))
    }
  })

  test('any byte flipped: never a crash, one line that names the file', async () => {
    const blocks = upTo(8)
    const last = upTo(7).length
    const endings = await Promise.all(
      // Spread over the first seven blocks; a field that says what it likes is noticed by the next block's parentHash.
      Array.from({ length: 8 }, async (_, k) => {
        const copy = blocks.slice()
        const at = Math.floor(((k + 0.37) * last) / 8)
        copy[at] = (copy[at] as number) ^ (1 << k)
        const path = await put(`flip-${k}.rlp`, copy)
        return { path, ...(await blockloom(['chain', GENESIS, path, '--workers', '1'])) }
      }),
    )
    for (const { path, code, stderr } of endings) {
      expect([1, 2]).toContain(code)
      expect(linesOf(stderr)).toHaveLength(1)
      expect(stderr).toContain(`blockloom: ${path}: `)
      expect(stderr).not.toMatch(/INVARIANT|TypeError|RangeError/)
    }
  })
})

describe.runIf(haveChain)('chain: files that cannot be used', () => {
  const cut = entries[40]?.offset ?? 0
  test.each<[string, Uint8Array | string, RegExp]>([
    ['cut off within a block', file.slice(0, cut + 100), new RegExp(`UNDECODABLE_BLOCK: .*${cut}`)],
    ['cut off within a length', Uint8Array.of(0xf9, 0x02), /UNDECODABLE_BLOCK: .*0/],
    ['text', 'hello, this is a chain\n', /UNDECODABLE_BLOCK: /],
    [
      'of a block that says it is as long as a disk',
      Uint8Array.of(0xff, ...new Uint8Array(16).fill(0x7f)),
      /UNDECODABLE_BLOCK: /,
    ],
    ['of zeros', new Uint8Array(1000), /UNDECODABLE_BLOCK: /],
  ])('blocks %s', async (name, content, reason) => {
    const path = await put(`${name}.rlp`, content)
    const { code, stdout, stderr } = await blockloom(['chain', GENESIS, path, '--json', '--workers', '1'])
    expect([code, stdout]).toEqual([2, ''])
    expect(linesOf(stderr)).toHaveLength(1)
    expect(stderr).toContain(`blockloom: ${path}: `)
    expect(stderr).toMatch(reason)
  })

  test('lists that are no block: refused with the number and the reason', async () => {
    const path = await put('lists.rlp', Buffer.concat([upTo(2), Uint8Array.of(0xc1, 0xc0)]))
    const { code, stdout, stderr } = await blockloom(['chain', GENESIS, path, '--json', '--workers', '1'])
    expect(code).toBe(1)
    expect(summaryOf(stdout)).toMatchObject({
      blocks: 2,
      failed: { number: '3', code: 'UNDECODABLE_BLOCK', fields: [] },
    })
    expect(stderr).toMatch(/block 3 is refused: UNDECODABLE_BLOCK: /)
  })

  test('an empty file is a chain of no blocks', async () => {
    const path = await put('empty.rlp', '')
    const { code, stdout } = await blockloom(['chain', GENESIS, path, '--json', '--workers', '1'])
    expect(code).toBe(0)
    const head = toHex(headerOf(1).parentHash as Uint8Array)
    expect(summaryOf(stdout)).toMatchObject({ blocks: 0, txs: 0, head })
  })

  test.each<[string, string, RegExp]>([
    ['no JSON', 'genesis', /INVALID_GENESIS: genesis: the file /],
    ['cut off', genesisText.slice(0, 3000), /INVALID_GENESIS: /],
    ['a list', '[]', /INVALID_GENESIS: .*not a JSON object/],
    ['with a key twice', genesisText.replace('"nonce"', '"gasLimit": "0x1", "nonce"'), /INVALID_GENESIS: .*gasLimit/],
    [
      'with a balance of 2^256',
      genesisText.replace('"balance": "0x1"', `"balance": "0x1${'0'.repeat(64)}"`),
      /INVALID_GENESIS: .*alloc\.\w+\.balance/,
    ],
    ['with a negative gas limit', genesisText.replace('"0x11e1a300"', '-1'), /INVALID_GENESIS: .*gasLimit/],
    [
      'with a time of 1e400',
      genesisText.replace('"cancunTime": 60', '"cancunTime": 1e400'),
      /INVALID_GENESIS: .*cancunTime/,
    ],
    [
      'with forks out of order',
      genesisText.replace('"pragueTime": 120', '"pragueTime": 12'),
      /INVALID_GENESIS: .*pragueTime/,
    ],
    ['with a fork that nobody knows', genesisText.replace('"pragueTime"', '"pragTime"'), /INVALID_GENESIS: .*pragTime/],
    ['with a short address', genesisText.replace('"00000961ef', '"000961ef'), /INVALID_GENESIS: .*alloc\./],
  ])('a genesis that is %s', async (name, text, reason) => {
    expect(text).not.toBe(genesisText)
    const path = await put(`${name}.json`, text)
    const { code, stdout, stderr } = await blockloom(['chain', path, BLOCKS, '--json'])
    expect([code, stdout]).toEqual([2, ''])
    expect(linesOf(stderr)).toHaveLength(1)
    expect(stderr).toContain(`blockloom: ${path}: `)
    expect(stderr).toMatch(reason)
  })

  test('files that are not there, or folders', async () => {
    const absent = join(folder, 'absent')
    const cases: readonly (readonly [args: string[], path: string, reason: RegExp])[] = [
      [[absent, BLOCKS], absent, /ENOENT/],
      [[GENESIS, absent], absent, /ENOENT/],
      [[folder, BLOCKS], folder, /EISDIR/],
      [[GENESIS, folder], folder, /EISDIR/],
    ]
    const endings = await Promise.all(cases.map(([args]) => blockloom(['chain', ...args, '--json', '--workers', '1'])))
    for (const [k, { code, stdout, stderr }] of endings.entries()) {
      const [, path, reason] = cases[k] as (typeof cases)[number]
      expect([code, stdout]).toEqual([2, ''])
      expect(stderr).toMatch(reason)
      expect(stderr).toContain(`blockloom: ${path}: `)
    }
  })
})

describe.runIf(haveChain && process.platform !== 'win32')('chain: interruption', () => {
  /**
   * The blocks come through a pipe of the file system that stays open, so that the command is in the middle of them,
   * or waits for more, for as long as the test likes.
   */
  test.each([
    ['SIGINT', 0],
    ['SIGTERM', 0],
    ['SIGINT', 500],
  ] as const)('%s, %i ms after the last block came, ends it with 130 and no word', async (signal, wait) => {
    const pipe = join(folder, `pipe-${signal}-${wait}`)
    execFileSync('mkfifo', [pipe])
    const child = spawn(process.execPath, [CLI, 'chain', GENESIS, pipe, '--json', '--workers', '2'])
    let told = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (told += String(text)))
    const ended = new Promise<unknown[]>((resolve) => child.on('close', (...ending) => resolve(ending)))
    const writer = await open(pipe, 'w')
    try {
      // Much more than a pipe holds: when it is written, the command has begun to import.
      await writer.writeFile(upTo(400))
      await new Promise((resolve) => setTimeout(resolve, wait))
      const sent = performance.now()
      child.kill(signal)
      // All streams are closed and the process is gone: nothing, a worker least of all, holds it.
      expect(await ended).toEqual([130, null])
      expect(performance.now() - sent).toBeLessThan(3000)
      expect(told).toBe('')
    } finally {
      await writer.close().catch(() => undefined)
      child.kill('SIGKILL')
    }
  })
})
