/**
 * `npm run wasm:check`: exits 1 when a committed kernel does not belong to the Rust sources beside it.
 *
 * The stamp `src/wasm/<name>.stamp.json` holds a hash over the sources that were built and a hash of the built file. No
 * Rust is needed to compare them. `--write <name> <rustc version>` makes the stamp (scripts/wasm-build.sh does),
 * `--stale` names the kernels to build.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
/** @type {Record<string, string[]>} a built file to its crate, and what crates of rust/ that one is built with */
const kernels = {
  'evm-core': ['evm-core', 'bn254', 'modexp', 'secp256k1', 'u256'],
  'hash-core': ['hash-core'],
  'hash-core-scalar': ['hash-core'],
}
const inputs = ['src', 'build.rs', '.cargo', 'Cargo.toml', 'Cargo.lock', 'rust-toolchain', 'rust-toolchain.toml']

/**
 * @param {string} folder
 * @param {string} path
 * @returns {string[]} files below `path`, as paths relative to `folder` with `/`
 */
function filesBelow(folder, path) {
  const full = join(folder, path)
  if (!existsSync(full)) return []
  if (!statSync(full).isDirectory()) return [path]
  return readdirSync(full).flatMap((name) => filesBelow(folder, `${path}/${name}`))
}

/** @param {string} kernel */
function hashSources(kernel) {
  const hash = createHash('sha256')
  for (const crate of kernels[kernel]) {
    const folder = join(root, 'rust', crate)
    for (const path of inputs.flatMap((input) => filesBelow(folder, input)).sort()) {
      const bytes = readFileSync(join(folder, path))
      hash.update(`${path}\0${bytes.length}\0`).update(bytes)
    }
  }
  return hash.digest('hex')
}

/** @param {string} path */
const hashFile = (path) => createHash('sha256').update(readFileSync(path)).digest('hex')

/**
 * @param {string} kernel
 * @returns {string | undefined} what is wrong
 */
function check(kernel) {
  const wasm = join(root, 'src', 'wasm', `${kernel}.wasm`)
  const stampFile = join(root, 'src', 'wasm', `${kernel}.stamp.json`)
  if (!existsSync(wasm)) return `src/wasm/${kernel}.wasm is missing`
  if (!existsSync(stampFile)) return `src/wasm/${kernel}.stamp.json is missing`
  const stamp = JSON.parse(readFileSync(stampFile, 'utf8'))
  if (stamp.sources !== hashSources(kernel))
    return `src/wasm/${kernel}.wasm was built from other sources than rust/${kernels[kernel].join(', rust/')}`
  if (stamp.wasm !== hashFile(wasm)) return `src/wasm/${kernel}.wasm is not the file that its stamp describes`
  return undefined
}

const [mode, kernel, rustc] = process.argv.slice(2)
if (mode === '--sources' && kernel !== undefined) {
  console.log(hashSources(kernel))
} else if (mode === '--write' && kernel !== undefined && rustc !== undefined) {
  const stamp = { sources: hashSources(kernel), wasm: hashFile(join(root, 'src', 'wasm', `${kernel}.wasm`)), rustc }
  writeFileSync(join(root, 'src', 'wasm', `${kernel}.stamp.json`), `${JSON.stringify(stamp, null, 2)}\n`)
} else if (mode === '--stale') {
  for (const name of Object.keys(kernels)) if (check(name) !== undefined) console.log(name)
} else {
  const wrong = Object.keys(kernels)
    .map(check)
    .filter((line) => line !== undefined)
  for (const line of wrong) console.error(`wasm:check: ${line}; run \`npm run wasm\` and commit the result`)
  if (wrong.length === 0) console.log(`wasm:check: ${Object.keys(kernels).join(', ')}: built from the sources in rust/`)
  process.exit(wrong.length === 0 ? 0 : 1)
}
