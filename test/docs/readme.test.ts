/**
 * The documents are true as far as a machine can tell: examples run and print what their comments say, commands work,
 * links resolve, tables name what the sources have.
 *
 * Each document gets a folder of its own, with `blockloom` installed as a link to this clone. A block of code that
 * begins with `// file: name` is also kept under that name for the blocks after it. In `sh` blocks each line is a
 * command: `npx blockloom` is the built command, and what must not run in a test stands in `SKIPPED`, with the reason.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { transform } from 'esbuild'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ErrorCode, ParallelExecutionError } from '../../src/index.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const exec = promisify(execFile)

/** Commands of the documents that are not run here, and why. Each must occur. */
const SKIPPED: readonly (readonly [command: RegExp, reason: string])[] = [
  [/^npm install blockloom$/, 'test/package installs the packed package'],
  [/^npm start$/, 'is `blockloom demo`, which is run, behind scripts that build dist while other tests use it'],
  [/^npm test$/, 'is what runs this file'],
  [/^npm run bench( |$)/, 'takes minutes; its times mean nothing on a busy machine'],
  [/^node scripts\/readme-table\.mjs( |$)/, 'writes README.md; test/unit/readme-table.test.ts does what --check does'],
]

/** Languages of blocks that no one can run, and why. */
const NOT_RUN: Readonly<Record<string, string>> = {
  text: 'diagrams, and output of programs',
  jsonc: 'shapes with comments and ellipses',
}

interface CodeBlock {
  readonly language: string
  readonly code: string
  readonly line: number
}

/** Fenced blocks, with the line on which each begins. */
function codeBlocks(markdown: string): CodeBlock[] {
  return [...markdown.matchAll(/^```([\w-]*)\n([\s\S]*?)^```$/gm)].map((match) => ({
    language: match[1] ?? '',
    code: match[2] ?? '',
    line: markdown.slice(0, match.index).split('\n').length,
  }))
}

const documents: readonly string[] = [
  'README.md',
  'CHANGELOG.md',
  ...(await readdir(join(root, 'docs'), { recursive: true }))
    .filter((path) => path.endsWith('.md') && !path.startsWith('api'))
    .sort()
    .map((path) => `docs/${path.replaceAll('\\', '/')}`),
]
const texts = new Map(
  await Promise.all(documents.map(async (path) => [path, await readFile(join(root, path), 'utf8')] as const)),
)

/** What the comments behind `console.log(...)` promise, in order; undefined where one promises nothing. */
function promised(code: string): string[] | undefined {
  const calls = code.match(/console\.log\(/g) ?? []
  const comments = [...code.matchAll(/^\s*console\.log\(.*\) \/\/ (.*)$/gm)].map((match) => match[1] ?? '')
  return calls.length === comments.length ? comments : undefined
}

let folder = ''

async function folderOf(document: string): Promise<string> {
  const path = join(folder, document.replaceAll(/\W/g, '-'))
  await mkdir(path, { recursive: true })
  return path
}

const run = async (args: readonly string[], cwd: string): Promise<string> => {
  try {
    return (await exec(process.execPath, [...args], { cwd, timeout: 25_000 })).stdout
  } catch (error) {
    const { message, stdout, stderr } = error as { message: string; stdout?: string; stderr?: string }
    throw new Error(`${message}\n${stdout ?? ''}\n${stderr ?? ''}`)
  }
}

/** The block of README.md as a block file whose header tells what the block does. */
async function writeBlockFile(cwd: string): Promise<void> {
  const { accounts, block } = await import(pathToFileURL(join(cwd, 'block.mjs')).href)
  const { createMemoryState, executeBlockParallel } = await import('../../src/index.ts')
  const state = createMemoryState({ accounts })
  const result = await executeBlockParallel(block, { state, senders: 'trust', sequential: true })
  const hex = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`
  const header = {
    gasUsed: `0x${result.gasUsed.toString(16)}`,
    logsBloom: hex(result.logsBloom),
    receiptsRoot: hex(result.receiptsRoot ?? new Uint8Array(32)),
  }
  const file = { block: { ...block, ...header }, pre: accounts, codes: {}, blockHashes: {}, fork: 'cancun' }
  await writeFile(join(cwd, 'block.json'), JSON.stringify(file))
}

/** The VM that docs/ethereumjs.md describes, for the examples of other documents. */
async function writeVmFile(cwd: string): Promise<void> {
  const [vm] = codeBlocks(texts.get('docs/ethereumjs.md') ?? '').filter(({ code }) =>
    code.startsWith('// file: vm.mjs'),
  )
  await writeFile(join(cwd, 'vm.mjs'), vm?.code ?? '')
}

/** A genesis and the one block after it, which is empty. */
async function writeChainFiles(cwd: string): Promise<void> {
  const { decodeBlock, encodeBlock, hashHeader, nextBaseFee, ommersHash, parseGenesis } = await import(
    '../../src/evm.ts'
  )
  const { createMemoryState, stateRootOf } = await import('../../src/index.ts')
  const forks = ['homestead', 'eip150', 'eip155', 'eip158', 'byzantium', 'constantinople', 'petersburg', 'istanbul']
  const config = Object.fromEntries([...forks, 'berlin', 'london'].map((name) => [`${name}Block`, 0]))
  const text = JSON.stringify({
    config: { chainId: 1, ...config, terminalTotalDifficulty: 0 },
    alloc: { '00000000000000000000000000000000000000a1': { balance: '0x1' } },
    ...{ difficulty: '0x0', gasLimit: '0x1c9c380', baseFeePerGas: '0x7', timestamp: '0x0' },
  })
  const { accounts, header } = parseGenesis(text)
  const genesis = { ...header, stateRoot: await stateRootOf(createMemoryState({ accounts })) }
  const next = { ...genesis, number: 1n, timestamp: 12n, gasUsed: 0n, baseFeePerGas: nextBaseFee(genesis) }
  const block = {
    header: { ...next, parentHash: hashHeader(genesis), ommersHash: ommersHash([]) },
    transactions: [],
    uncles: [],
  }
  const bytes = encodeBlock(block)
  expect(decodeBlock(bytes).header.number).toBe(1n)
  await writeFile(join(cwd, 'genesis.json'), text)
  await writeFile(join(cwd, 'chain.rlp'), bytes)
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blockloom-docs-'))
  await mkdir(join(folder, 'node_modules'))
  await symlink(root, join(folder, 'node_modules', 'blockloom'), 'junction')
  // An optional peer, which examples hand to the library.
  await mkdir(join(folder, 'node_modules', '@opentelemetry'))
  const api = join('node_modules', '@opentelemetry', 'api')
  await symlink(join(root, api), join(folder, api), 'junction')
  await symlink(join(root, 'node_modules', '@ethereumjs'), join(folder, 'node_modules', '@ethereumjs'), 'junction')
})

afterAll(async () => {
  if (folder !== '') await rm(folder, { recursive: true, force: true })
})

const scripts = documents.flatMap((document) =>
  codeBlocks(texts.get(document) ?? '')
    .filter(({ language }) => language === 'js' || language === 'ts')
    .map((block) => ({ document, ...block })),
)
const commands = documents.flatMap((document) =>
  codeBlocks(texts.get(document) ?? '')
    .filter(({ language }) => language === 'sh')
    .flatMap(({ code, line }) =>
      code
        .split('\n')
        .map((text, k) => ({ document, line: line + 1 + k, command: text.replace(/\s+#.*$/, '').trim() }))
        .filter(({ command }) => command !== ''),
    ),
)
const skipped = (command: string): boolean => SKIPPED.some(([pattern]) => pattern.test(command))

describe('documents: examples', () => {
  test('every block is of a language that is run, or is listed with a reason', () => {
    const known = new Set(['js', 'ts', 'sh', ...Object.keys(NOT_RUN)])
    for (const document of documents) {
      for (const { language, line } of codeBlocks(texts.get(document) ?? '')) {
        expect(known.has(language), `${document}:${line} is '${language}'`).toBe(true)
      }
    }
  })

  for (const { document, line, language, code } of scripts) {
    test(`${document}:${line} runs and prints what it promises`, async () => {
      const cwd = await folderOf(document)
      const name = /^\/\/ file: (\S+)\n/.exec(code)?.[1] ?? `line-${line}.mjs`
      const source = language === 'ts' ? (await transform(code, { loader: 'ts', target: 'node20' })).code : code
      await writeFile(join(cwd, name), source)
      if (code.includes("from './vm.mjs'")) await writeVmFile(cwd)
      const wanted = promised(code)
      expect(wanted, 'each console.log says in a comment what it prints').toBeDefined()
      expect((await run([name], cwd)).split('\n').slice(0, -1)).toEqual(wanted)
    })
  }

  test('TypeScript examples compile, strictly', async () => {
    const cwd = await folderOf('types')
    const files: string[] = []
    for (const { code, document, line, language } of scripts) {
      const name = /^\/\/ file: (\S+)\n/.exec(code)?.[1]
      if (language === 'ts') files.push(join(cwd, `line-${line}.mts`))
      if (language === 'ts') await writeFile(files.at(-1) ?? '', code)
      else if (name !== undefined && document === 'README.md') await writeFile(join(cwd, name), code)
    }
    const options: ts.CompilerOptions = {
      ...{ strict: true, noEmit: true, allowJs: true, skipLibCheck: true, types: [] },
      ...{ target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.NodeNext },
      ...{ moduleResolution: ts.ModuleResolutionKind.NodeNext, lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'] },
    }
    const program = ts.createProgram(files, options)
    const messages = ts
      .getPreEmitDiagnostics(program)
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
    expect(messages).toEqual([])
  })

  for (const { document, line, command } of commands.filter(({ command }) => !skipped(command))) {
    test(`${document}:${line} \`${command}\` ends well`, async () => {
      const [npx, name, ...args] = command.split(/\s+/)
      expect([npx, name], 'not a command of this project, and not in SKIPPED').toEqual(['npx', 'blockloom'])
      const cwd = await folderOf(document)
      if (args.includes('block.json') && !existsSync(join(cwd, 'block.json'))) await writeBlockFile(cwd)
      if (args.includes('chain.rlp')) await writeChainFiles(cwd)
      const told = await run([join(root, 'dist/cli.js'), ...args], cwd)
      // A command that writes a file says so on stderr.
      const out = args.includes('--out') ? join(cwd, args[args.indexOf('--out') + 1] as string) : undefined
      expect(out === undefined ? told : await readFile(out, 'utf8')).not.toBe('')
    })
  }

  test.each(SKIPPED)('%s is not run: %s', (pattern) => {
    expect(commands.some(({ command }) => pattern.test(command))).toBe(true)
  })
})

describe('documents: tables', () => {
  /** The cells of the rows whose first cell is code. */
  const rowsOf = (markdown: string): string[][] =>
    [...markdown.matchAll(/^\| `.*\|$/gm)].map(([row]) =>
      row
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )

  test('README.md: the table of errors has every code, and tells which are retryable', async () => {
    const declared = await readFile(join(root, 'src/core/errors.ts'), 'utf8')
    const union = declared.slice(declared.indexOf('export type ErrorCode'), declared.indexOf('export interface'))
    const codes = [...union.matchAll(/^ {2}\| '([A-Z_]+)'/gm)].map((match) => match[1] ?? '')
    const rows = rowsOf(texts.get('README.md') ?? '').filter(([code]) => /^`[A-Z_]+`$/.test(code ?? ''))
    expect(rows.map(([code]) => code?.slice(1, -1)).sort()).toEqual([...codes].sort())
    for (const [code = '', , , retryable] of rows) {
      const error = new ParallelExecutionError(code.slice(1, -1) as ErrorCode, '')
      expect([code, retryable]).toEqual([code, error.retryable ? 'yes' : 'no'])
    }
  })

  test('docs/memory-model.md: every use of `peek` is argued for, and no other', async () => {
    const sources = (await readdir(join(root, 'src'), { recursive: true })).filter((path) => path.endsWith('.ts'))
    const used = new Set<string>()
    for (const path of sources) {
      let method = ''
      for (const text of (await readFile(join(root, 'src', path), 'utf8')).split('\n')) {
        method = /^(?: {2}(?:get )?|export const )(#?\w+)(?:\(| = \().*\{$/.exec(text)?.[1] ?? method
        if (text.includes('atomics.peek(')) used.add(`src/${path.replaceAll('\\', '/')} ${method}`)
      }
    }
    const rows = rowsOf(texts.get('docs/memory-model.md') ?? '').filter(([file]) => file?.startsWith('`src/'))
    expect(rows.map(([file, where]) => `${file} ${where}`.replaceAll('`', '')).sort()).toEqual([...used].sort())
  })

  test('docs/testing.md: each of the 21 hazards has a row, whose test is in its file', async () => {
    const rows = [
      ...(texts.get('docs/testing.md') ?? '').matchAll(/^\| (\d+) \|.*\| (.*) \| \[.*\]\(\.\.\/(.*)\) \|$/gm),
    ]
    expect(rows.map(([, number]) => Number(number))).toEqual(Array.from({ length: 21 }, (_, k) => k + 1))
    for (const [, number, name, file = ''] of rows) {
      expect({ number, file: existsSync(join(root, file)) }).toEqual({ number, file: true })
      const source = await readFile(join(root, file), 'utf8')
      expect({ number, name, found: source.includes(`test('hazard ${number}: ${name}'`) }).toEqual({
        number,
        name,
        found: true,
      })
    }
  })

  test('docs/testing.md: hazards of the EVM are tested on both adapters', async () => {
    const both = await readFile(join(root, 'test/ethereumjs/hazards.test.ts'), 'utf8')
    const rows = [
      ...(texts.get('docs/testing.md') ?? '').matchAll(/^\| (\d+) \|.*\]\(\.\.\/test\/hazards\/(.*)\) \|$/gm),
    ]
    // Those of the EVM: the others are of the engine, which does not know who executes.
    const evm = [6, 7, 8, 9, 10, 11, 12, 14, 15, 17, 18, 19, 20]
    const there = rows.filter(([, , file]) => both.includes(`await import('../hazards/${file}')`))
    expect(there.map(([, number]) => Number(number))).toEqual(evm)
  })

  test('docs/architecture.md opens with owns and does not own', () => {
    expect(texts.get('docs/architecture.md')).toMatch(/^# Architecture\n\n\| folder \| owns \| does not own \|\n/)
  })
})

describe('documents: links', () => {
  test('every relative link leads to a file, and every anchor to a heading', () => {
    const anchorsOf = (path: string): string[] =>
      [...(texts.get(path) ?? '').matchAll(/^#+ (.*)$/gm)].map((match) =>
        (match[1] ?? '')
          .toLowerCase()
          .replaceAll(/[^\w -]/g, '')
          .replaceAll(' ', '-'),
      )
    const broken: string[] = []
    for (const [path, text] of texts) {
      const prose = text.replaceAll(/^```[\s\S]*?^```$/gm, '').replaceAll(/`[^`\n]*`/g, '')
      for (const [, target = ''] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue
        const [file = '', anchor] = target.split('#')
        const full = file === '' ? join(root, path) : resolve(root, dirname(path), file)
        const known = anchor === undefined || anchorsOf(relative(root, full).replaceAll('\\', '/')).includes(anchor)
        if (!existsSync(full) || !known) broken.push(`${path}: ${target}`)
      }
    }
    expect(broken).toEqual([])
  })
})
