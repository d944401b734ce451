/** Fixtures are read strictly: what is not one is an error that names file, line, case and path. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeFixture } from '../../src/cli/conformance/fixture.ts'
import { FixtureError, parseJson } from '../../src/cli/conformance/json.ts'
import { listFiles, type RawCase, readCases } from '../../src/cli/conformance/sources.ts'
import { smallTest, spoiled } from '../support/fixtures.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'conform-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

async function all(cases: AsyncGenerator<RawCase>): Promise<RawCase[]> {
  const found: RawCase[] = []
  for await (const one of cases) found.push(one)
  return found
}

const line = (name: string): string => `${JSON.stringify({ file: 'a.json', name, test: smallTest() })}\n`

describe('json', () => {
  test.each([
    ['a duplicate key', '{"a":{"b":1,\n"c":[{"x":1,"x":2}]}}', /line 2, column 13: a\.c\[0\]\.x is given twice/],
    ['a duplicate key that is escaped', '{"a":1,"\\u0061":2}', /column 8: a is given twice/],
    ['a key after a string that ends in a backslash', '{"a":"\\\\","a":1}', /a is given twice/],
    ['deep nesting', '['.repeat(65) + ']'.repeat(65), /nested deeper than 64/],
    ['brackets without end', '['.repeat(5_000_000), /column 65: is nested deeper than 64/],
    ['millions of values', `[${'1,'.repeat(4_000_000)}1]`, /has more than 4000000 values/],
    ['a string without end', '{"a":"', /is not JSON/],
    ['an escape that is none', '{"\\q":1}', /is not JSON/],
    ['no JSON', '{"a":', /is not JSON/],
    ['nothing', '', /is not JSON/],
  ])('%s is an error with its place', (_, text, message) => {
    expect(() => parseJson(text, ['f.json'])).toThrow(message)
    expect(() => parseJson(text, ['f.json'])).toThrow(/^f\.json/)
  })

  test('equal keys of different objects, and values that look like keys, are no duplicates', () => {
    const value = { a: { x: '"x":1,', y: 'a' }, b: [{ x: 1 }, { x: 2 }], c: '{"a":1,"a":2}' }
    expect(parseJson(JSON.stringify(value), [])).toEqual(value)
  })
})

describe('sources', () => {
  test('a document, lines, and both as gzip give the same cases', async () => {
    const document = JSON.stringify({ one: smallTest() })
    const lines = line('one')
    const cases = await Promise.all([
      all(readCases(await file('a.json', document))),
      all(readCases(await file('a.json.gz', gzipSync(document)))),
      all(readCases(await file('b.jsonl', lines))),
      all(readCases(await file('b.jsonl.gz', gzipSync(lines)))),
    ])
    for (const [first] of cases) expect(first).toMatchObject({ name: 'one', test: smallTest() })
    expect(cases.map((found) => found.length)).toEqual([1, 1, 1, 1])
  })

  test('a folder is looked through to its end, sorted, without hidden files', async () => {
    await mkdir(join(folder, 'tree/b/.meta'), { recursive: true })
    for (const name of ['tree/b/z.json', 'tree/c.jsonl.gz', 'tree/a.json', 'tree/b/.meta/index.json', 'tree/n.txt']) {
      await file(name, '{}')
    }
    const found = await listFiles([join(folder, 'tree')])
    expect(found.map((path) => path.slice(folder.length))).toEqual([
      '/tree/a.json',
      '/tree/b/z.json',
      '/tree/c.jsonl.gz',
    ])
  })

  test('a path that is not there, and a folder without fixtures, are errors', async () => {
    await mkdir(join(folder, 'empty'))
    await expect(listFiles([join(folder, 'nothing')])).rejects.toThrow(/nothing: no such file/)
    await expect(listFiles([join(folder, 'empty')])).rejects.toThrow(/empty: holds no/)
  })

  test('a gzip file that breaks off yields what came before and names the file', async () => {
    const packed = gzipSync(line('one') + line('two').repeat(500))
    const path = await file('cut.jsonl.gz', packed.subarray(0, packed.length - 20))
    const names: string[] = []
    const reading = (async () => {
      for await (const { name } of readCases(path)) names.push(name)
    })()
    await expect(reading).rejects.toThrow(/cut\.jsonl\.gz.*cannot be unpacked/s)
    expect(names[0]).toBe('one')
  })

  test('a bad line is named by its number', async () => {
    const path = await file('bad.jsonl', `${line('one')}\n{"file":1}\n`)
    await expect(all(readCases(path))).rejects.toThrow(/bad\.jsonl, line 3: file is missing or not a string/)
  })

  test('a document or line above the limit is an error, however little its gzip takes', async () => {
    const packed = gzipSync(Buffer.alloc(8 << 20, 0x20))
    expect(packed.length).toBeLessThan(10_000)
    await expect(all(readCases(await file('big.json.gz', packed), 1 << 20))).rejects.toThrow(/longer than 1048576/)
    await expect(all(readCases(await file('big.jsonl.gz', packed), 1 << 20))).rejects.toThrow(/line 1: is longer/)
  })

  test('a file that is not an object of tests is an error', async () => {
    await expect(all(readCases(await file('list.json', '[]')))).rejects.toThrow(/not an object from names to tests/)
  })
})

describe('fixture', () => {
  test('a test is decoded', () => {
    const fixture = decodeFixture(smallTest(), [])
    expect(fixture).toMatchObject({ network: 'Frontier', chainId: 1n, sealEngine: 'NoProof' })
    const account = fixture.pre.get('0x00000000000000000000000000000000000000aa')
    expect(account).toEqual({ balance: 5n, nonce: 1n, code: Uint8Array.of(0x60, 1), storage: new Map([[1n, 2n]]) })
    expect(fixture.blocks).toHaveLength(1)
  })

  const aa = '0x00000000000000000000000000000000000000aa'
  test.each<[string, readonly (string | number)[], unknown, RegExp]>([
    ['2^256', ['pre', aa, 'balance'], `0x1${'0'.repeat(64)}`, /pre\.0x0+aa\.balance does not fit in 256 bits/],
    ['a number of a million digits', ['pre', aa, 'balance'], `0x${'f'.repeat(1e6)}`, /does not fit in 256 bits/],
    ['a nonce of 2^64', ['pre', aa, 'nonce'], `0x1${'0'.repeat(16)}`, /nonce does not fit in 64 bits/],
    ['a negative number', ['pre', aa, 'balance'], '-0x1', /balance is '-0x1', not a hex number/],
    ['a JSON number', ['pre', aa, 'balance'], 5, /balance is 5, not a hex number/],
    ['half a byte of code', ['pre', aa, 'code'], '0x123', /code is not 0x and pairs/],
    ['code that is not hex', ['pre', aa, 'code'], '0x12zz', /code is not 0x and pairs/],
    ['a short hash', ['lastblockhash'], '0x12', /lastblockhash is not 32 bytes/],
    ['an address of 21 bytes', ['pre', `0x${'0'.repeat(42)}`], {}, /pre\.0x0+ is not 20 bytes/],
    ['one address in two spellings', ['pre', aa.toUpperCase().replace('X', 'x')], {}, /AA is given twice/],
    ['one slot in two spellings', ['pre', aa, 'storage', '0x001'], '0x01', /storage\.0x001 is given twice/],
    ['no blocks', ['blocks'], undefined, /blocks is missing/],
    ['blocks that are no list', ['blocks'], {}, /blocks is an object, not a list/],
    ['a block without RLP', ['blocks', 0, 'rlp'], undefined, /blocks\[0\]\.rlp is missing/],
    ['a valid block without a header', ['blocks', 0, 'blockHeader'], undefined, /blocks\[0\]\.blockHeader is missing/],
    ['an unknown seal', ['sealEngine'], 'Clique', /sealEngine is neither/],
    ['no state after', ['postState'], undefined, /postState is missing/],
    ['another kind of test', ['env'], {}, /./],
  ])('%s is refused with its path', (_, path, value, message) => {
    const test = spoiled(smallTest(), path, value)
    if (path[0] === 'env') test['transaction'] = {}
    expect(() => decodeFixture(test, ['f', 'line 3'])).toThrow(message)
    expect(() => decodeFixture(test, ['f', 'line 3'])).toThrow(FixtureError)
    expect(() => decodeFixture(test, ['f', 'line 3'])).toThrow(/^f, line 3: /)
  })

  test.each([null, 1, 'x', [], {}, { blocks: [] }])('%j is no test', (value) => {
    expect(() => decodeFixture(value, ['f'])).toThrow(FixtureError)
  })
})
