/**
 * Tasks in a page: a real Chromium without a window, where one is installed. Page, tasks and worker are bundled from
 * TypeScript, by esbuild and by Vite, and served with the headers that shared memory needs.
 */
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build as esbuild } from 'esbuild'
import { type Browser, chromium } from 'playwright-core'
import { build as vite } from 'vite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const installed = [
  process.env['CHROMIUM_PATH'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
]
const executablePath = installed.find((path) => path !== undefined && existsSync(path))
const dist = (file: string) => fileURLToPath(new URL(`../../dist/${file}`, import.meta.url))
const source = (file: string) => fileURLToPath(new URL(`../support/browser/${file}`, import.meta.url))
const html = '<!doctype html><title>tasks</title><script type="module" src="./page.js"></script>'

const TYPES: Readonly<Record<string, string>> = { '.js': 'text/javascript', '.html': 'text/html' }

function serve(folder: string): Promise<Server> {
  const server = createServer(async (request, response) => {
    const path = join(folder, request.url === '/' ? 'index.html' : (request.url ?? ''))
    response.setHeader('Cross-Origin-Opener-Policy', 'same-origin')
    response.setHeader('Cross-Origin-Embedder-Policy', 'require-corp')
    try {
      response.setHeader('Content-Type', TYPES[extname(path)] ?? 'application/octet-stream')
      response.end(await readFile(path))
    } catch {
      response.statusCode = 404
      response.end()
    }
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}

const bundlers: Readonly<Record<string, (outdir: string) => Promise<unknown>>> = {
  esbuild: (outdir) =>
    esbuild({
      entryPoints: { page: source('page.ts'), tasks: source('tasks.ts'), worker: dist('worker.js') },
      ...{ bundle: true, format: 'esm', platform: 'browser', target: 'es2022', logLevel: 'error', outdir },
      alias: { 'blockloom/tasks': dist('tasks.js') },
      external: ['node:*'],
    }),
  vite: (outDir) =>
    vite({
      ...{ configFile: false, logLevel: 'error', root: fileURLToPath(new URL('../support/browser/', import.meta.url)) },
      resolve: { alias: { 'blockloom/tasks': dist('tasks.js') } },
      build: {
        ...{ outDir, emptyOutDir: false, target: 'es2022', minify: false, modulePreload: false },
        rollupOptions: {
          input: { page: source('page.ts'), tasks: source('tasks.ts'), worker: dist('worker.js') },
          // Workers import the tasks by address: what the module exports must stay.
          preserveEntrySignatures: 'strict',
          output: { entryFileNames: '[name].js' },
        },
      },
    }),
}

describe.skipIf(executablePath === undefined)('tasks in Chromium (skipped: none is installed)', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: executablePath as string, args: ['--no-sandbox'] })
  }, 120_000)
  afterAll(() => browser?.close())

  test.each(Object.keys(bundlers))(
    'bundled by %s',
    async (name) => {
      const folder = await mkdtemp(join(tmpdir(), 'blockloom-page-'))
      await bundlers[name]?.(folder)
      await writeFile(join(folder, 'index.html'), html)
      const server = await serve(folder)
      try {
        const page = await browser.newPage()
        const said: string[] = []
        page.on('console', (message) => said.push(message.text()))
        page.on('pageerror', (error) => said.push(String(error)))
        await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
        const handle = await page
          .waitForFunction('globalThis.blockloomResult', undefined, { timeout: 50_000 })
          .catch((error: unknown) => {
            throw new Error(`${String(error)}\n${said.join('\n')}`)
          })
        expect(await handle.jsonValue()).toEqual({
          done: 201,
          keys: expect.objectContaining({ status: 'done', value: ['count', 'log', 'sum'] }),
          sum: Array.from({ length: 200 }, (_, k) => k % 7).reduce((sum, k) => sum + k, 0),
          log: 200,
          workers: 2,
        })
        await page.close()
      } finally {
        server.close()
        await rm(folder, { recursive: true, force: true })
      }
    },
    120_000,
  )
})
