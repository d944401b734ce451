/** The programs of examples/ run, from their TypeScript sources, and find the result of one thread. */
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const programs = readdirSync(new URL('../../examples/', import.meta.url)).filter((name) => /^\w+\.ts$/.test(name))

test.each(programs)('examples/%s', async (name) => {
  const args = ['--import', 'tsx', `examples/${name}`]
  const env = { ...process.env, TSX_TSCONFIG_PATH: 'examples/tsconfig.json' }
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, env, timeout: 50_000 })
  const lines = stdout.trim().split('\n')
  expect(lines[0]).toMatch(/equal to one thread: true$/)
  expect(lines.at(-1)).toMatch(/^\d+ workers? \d+ ms, one thread \d+ ms$/)
})
