/**
 * Installs and builds what is missing, so that `npm start` and `npm test` work on a fresh clone.
 *
 * Needs Node alone. Installed: every package that package-lock.json asks for is in node_modules at that version.
 * Built: a hash over all inputs of the build equals the one noted when dist was written (times of files say nothing
 * after a clone or a checkout).
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = join(dirname(fileURLToPath(import.meta.url)), '..')

const note = join(root, 'node_modules', '.cache', 'blockloom', 'build.json')
const buildInputs = ['src', 'report', 'package.json', 'package-lock.json', 'tsconfig.json', 'tsup.config.ts']
const buildOutputs = ['index.js', 'index.d.ts', 'worker.js', 'cli.js', 'report-page.js']

/**
 * Runs a command in the project folder with this terminal, and lets it answer Ctrl-C itself.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ stdout?: 'inherit' | 'stderr' | number }} [options] - `stderr` keeps stdout free for what the user asked
 *   for; a number is an open file
 * @returns {Promise<number>} the exit code; 128 + number of the signal where one ended it
 */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const out = options.stdout === 'stderr' ? 2 : (options.stdout ?? 'inherit')
    const child = spawn(command, args, { cwd: root, stdio: ['inherit', out, 'inherit'] })
    // A terminal sends Ctrl-C to the whole group; a signal sent to this process alone is handed on.
    const ignore = () => {}
    const handOn = () => void child.kill('SIGTERM')
    process.on('SIGINT', ignore)
    process.on('SIGTERM', handOn)
    child.on('error', reject)
    child.on('close', (code, signal) => {
      process.off('SIGINT', ignore)
      process.off('SIGTERM', handOn)
      resolve(code ?? (signal === 'SIGINT' ? 130 : signal === 'SIGTERM' ? 143 : 137))
    })
  })
}

/**
 * Runs a TypeScript file of the project. Without the test configuration `blockloom` means the built package there.
 *
 * @param {string} file
 * @param {readonly string[]} args
 */
export function runTypeScript(file, args) {
  const tsx = join(root, 'node_modules', 'tsx', 'dist', 'cli.mjs')
  return run(process.execPath, [tsx, '--tsconfig', 'benchmarks/tsconfig.json', file, ...args])
}

/** @param {readonly string[]} args */
function npm(args) {
  const own = process.env['npm_execpath']
  if (own?.endsWith('.js')) return run(process.execPath, [own, ...args], { stdout: 'stderr' })
  return run(process.platform === 'win32' ? 'npm.cmd' : 'npm', args, { stdout: 'stderr' })
}

/** @returns {string | undefined} what is missing, in words; undefined when all is there */
function missingPackage() {
  const installed = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(installed)) return 'node_modules is missing'
  const have = JSON.parse(readFileSync(installed, 'utf8')).packages
  const want = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  for (const [path, { version, optional, devOptional, peer }] of Object.entries(want)) {
    if (path === '') continue
    if (have[path] === undefined && (optional || devOptional || peer)) continue // another platform's, or not asked for
    if (have[path]?.version !== version || !existsSync(join(root, path))) return `${path} ${version} is missing`
  }
  return undefined
}

export async function ensureInstalled() {
  const missing = missingPackage()
  if (missing === undefined) return
  console.error(`blockloom: installing (${missing})`)
  if ((await npm(['ci', '--no-audit', '--no-fund'])) !== 0) throw new Error('npm ci failed')
}

/** @returns {string} a hash over everything that the build reads */
export function hashBuildInputs() {
  const hash = createHash('sha256')
  /** @param {string} path */
  const visit = (path) => {
    const full = join(root, path)
    if (!existsSync(full)) return
    if (statSync(full).isDirectory()) {
      for (const name of readdirSync(full).sort()) visit(`${path}/${name}`)
      return
    }
    const bytes = readFileSync(full)
    hash.update(`${path}\0${bytes.length}\0`).update(bytes)
  }
  for (const path of buildInputs) visit(path)
  return hash.digest('hex')
}

/**
 * Builds always. The hash is taken first, so that a file changed during the build makes the next one.
 *
 * @param {readonly string[]} [options] - for tsup
 */
export async function build(options = []) {
  const inputs = hashBuildInputs()
  rmSync(note, { force: true })
  rmSync(join(root, 'dist'), { recursive: true, force: true })
  const tsup = join(root, 'node_modules', 'tsup', 'dist', 'cli-default.js')
  const code = await run(process.execPath, [tsup, ...options], { stdout: 'stderr' })
  if (code !== 0) throw new Error(`the build failed with exit code ${code}`)
  mkdirSync(dirname(note), { recursive: true })
  writeFileSync(note, JSON.stringify({ inputs }))
}

export async function ensureBuilt() {
  const whole = buildOutputs.every((name) => existsSync(join(root, 'dist', name)))
  if (whole && existsSync(note) && JSON.parse(readFileSync(note, 'utf8')).inputs === hashBuildInputs()) return
  console.error('blockloom: building')
  await build(['--silent'])
}

/** Both, or one line on stderr and exit code 1. */
export async function ensureReady() {
  try {
    await ensureInstalled()
    await ensureBuilt()
  } catch (error) {
    console.error(`blockloom: ${error instanceof Error ? error.message : String(error)}`)
    process.exit(1)
  }
}
