/**
 * The package as its users get it: packed, installed into an empty project, then run from plain JavaScript, compiled by
 * TypeScript and bundled by esbuild and Vite. The question is whether the worker and the kernel are found each time.
 *
 * Source of truth: the programs in ./fixture print gas used and receipts of one transfer: 21000 and 1.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build as esbuild } from 'esbuild'
import { build as vite } from 'vite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const fixture = fileURLToPath(new URL('./fixture', import.meta.url))
const transferred = { gasUsed: '21000', receipts: 1 }
const exec = promisify(execFile)
let project = ''

/** Runs a program and returns its stdout; what it wrote to stderr becomes part of a failure. */
async function run(command: string, args: readonly string[], cwd = project): Promise<string> {
  try {
    return (await exec(command, [...args], { cwd, maxBuffer: 1 << 26, timeout: 240_000 })).stdout
  } catch (error) {
    const { message, stdout, stderr } = error as { message: string; stdout?: string; stderr?: string }
    throw new Error(`${message}\n${stdout ?? ''}\n${stderr ?? ''}`)
  }
}

const npm = (args: readonly string[], cwd?: string): Promise<string> => {
  const own = process.env['npm_execpath']
  return own?.endsWith('.js') === true ? run(process.execPath, [own, ...args], cwd) : run('npm', args, cwd)
}

/** The last line of a program, as JSON. The program must end by itself: a worker left behind shows as a timeout. */
async function printed(file: string): Promise<unknown> {
  const lines = (await run(process.execPath, [file])).trim().split('\n')
  return JSON.parse(lines.at(-1) ?? '')
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

const sha256 = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex')

beforeAll(async () => {
  const temporary = await mkdtemp(join(tmpdir(), 'blockloom-package-'))
  project = join(temporary, 'app')
  await cp(fixture, project, { recursive: true })
  const packed = JSON.parse(await npm(['pack', '--json', '--ignore-scripts', '--pack-destination', temporary], root))
  const tarball = join(
    temporary,
    Array.isArray(packed) ? packed[0].filename : Object.values<{ filename: string }>(packed)[0]?.filename,
  )
  const own = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const manifest = {
    name: 'consumer',
    private: true,
    type: 'module',
    dependencies: { blockloom: `file:${tarball}` },
    devDependencies: { '@types/node': own.devDependencies['@types/node'] },
  }
  await writeFile(join(project, 'package.json'), JSON.stringify(manifest))
  await npm(['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'])
})

afterAll(async () => {
  if (project !== '') await rm(join(project, '..'), { recursive: true, force: true })
})

describe('package: plain JavaScript', () => {
  test('a block runs on the installed worker and kernel', async () => {
    expect(await printed('transfer.mjs')).toEqual(transferred)
  })

  test('tasks run from a module of the project', async () => {
    expect(await printed('count.mjs')).toEqual({ results: [1, 3, 6, 10] })
  })

  test('every export resolves, and only the listed ones', async () => {
    const { exports } = JSON.parse(await readFile(join(project, 'node_modules/blockloom/package.json'), 'utf8'))
    for (const [path, target] of Object.entries<string | Record<string, string>>(exports)) {
      for (const file of typeof target === 'string' ? [target] : Object.values(target)) {
        expect(existsSync(join(project, 'node_modules/blockloom', file)), `${path} -> ${file}`).toBe(true)
      }
    }
    await expect(run(process.execPath, ['-e', "import('blockloom/dist/index.js')"])).rejects.toThrow(
      /not defined by "exports"/,
    )
  })

  test('the command is on the path of the project and tells its version', async () => {
    const bin = join(project, 'node_modules', '.bin', process.platform === 'win32' ? 'blockloom.cmd' : 'blockloom')
    const own = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
    expect((await run(bin, ['--version'])).trim()).toBe(own.version)
  })
})

describe('package: TypeScript', () => {
  const compile = async (name: string, options: Record<string, unknown>): Promise<void> => {
    const config = {
      compilerOptions: {
        target: 'es2022',
        strict: true,
        skipLibCheck: false,
        allowJs: true,
        types: ['node'],
        outDir: name,
        ...options,
      },
      files: ['typed.ts'],
    }
    await writeFile(join(project, `tsconfig.${name}.json`), JSON.stringify(config))
    await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', `tsconfig.${name}.json`])
  }

  test('compiles with moduleResolution nodenext, library declarations checked, and runs', async () => {
    await compile('nodenext', { module: 'nodenext', moduleResolution: 'nodenext' })
    expect(await printed('nodenext/typed.js')).toEqual(transferred)
  })

  test('compiles with moduleResolution bundler, and runs', async () => {
    await compile('bundler', { module: 'es2022', moduleResolution: 'bundler' })
    expect(await printed('bundler/typed.js')).toEqual(transferred)
  })
})

describe('package: esbuild', () => {
  const base = { bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' } as const

  test('a build that leaves packages outside runs', async () => {
    const outfile = join(project, 'esbuild', 'external.mjs')
    await esbuild({ ...base, entryPoints: [join(project, 'transfer.mjs')], outfile, packages: 'external' })
    expect(await printed(outfile)).toEqual(transferred)
  })

  test('a build that takes the library in runs with `worker` and `wasm` given', async () => {
    const outfile = join(project, 'esbuild', 'bundled.mjs')
    await esbuild({ ...base, entryPoints: [join(project, 'bundled.mjs')], outfile })
    expect(await readFile(outfile, 'utf8')).not.toMatch(/from\s*["']blockloom["']/)
    expect(await printed(outfile)).toEqual(transferred)
  })

  test('a build that takes the library in runs with worker and kernel copied beside it', async () => {
    const folder = join(project, 'beside')
    await mkdir(folder)
    await esbuild({ ...base, entryPoints: [join(project, 'transfer.mjs')], outfile: join(folder, 'app.mjs') })
    for (const file of ['worker.js', 'evm-core.wasm', 'hash-core.wasm']) {
      await cp(join(project, 'node_modules/blockloom/dist', file), join(folder, file))
    }
    expect(await printed(join(folder, 'app.mjs'))).toEqual(transferred)
  })
})

describe('package: Vite', () => {
  const base = { configFile: false, logLevel: 'error' } as const

  test('a server build runs', async () => {
    await vite({ ...base, root: project, build: { ssr: 'transfer.mjs', outDir: 'vite-server' } })
    expect(await printed('vite-server/transfer.js')).toEqual(transferred)
  })

  test('a server build that takes the library in runs with `worker` and `wasm` given', async () => {
    await vite({
      ...base,
      root: project,
      ssr: { noExternal: true },
      build: { ssr: 'bundled.mjs', outDir: 'vite-bundled', target: 'node20' },
    })
    expect(await printed('vite-bundled/bundled.js')).toEqual(transferred)
  })

  test('an application for browsers carries the worker and the kernel', async () => {
    await vite({
      ...base,
      root: project,
      worker: { format: 'es' },
      build: { outDir: 'vite-browser', target: 'es2022' },
    })
    const files = await filesBelow(join(project, 'vite-browser'))
    const kernels = files.filter((file) => file.endsWith('.wasm'))
    const names = ['evm-core', 'hash-core', 'hash-core-scalar']
    const own = names.map((name) => sha256(join(project, `node_modules/blockloom/dist/${name}.wasm`)))
    expect((await Promise.all(kernels.map(sha256))).sort()).toEqual((await Promise.all(own)).sort())
    const workers = files.filter((file) => /\bworker-[^/\\]*\.js$/.test(file))
    expect(workers.length).toBeGreaterThan(0)
    // Each is one file: nothing that the browser would look for under a name that the build has changed.
    for (const file of workers) expect(await readFile(file, 'utf8')).not.toMatch(/\b(?:import|from)\s*["']\.\.?\//)
  })
})
