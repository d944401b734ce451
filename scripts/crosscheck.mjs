/**
 * `npm run crosscheck`: the real blocks and the consensus tests of ../shared/data with both EVM adapters, on a clone in
 * any state, and the page docs/crosscheck.md.
 *
 * More than an hour of work, so it is done in pieces, each told by a line; a run that was cut off goes on with the first
 * piece that is not there. What is there of another build is left alone: it says nothing of this one.
 * With arguments it is one run, and they are handed to the command (`npm run crosscheck -- --every 50`).
 */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { ensureReady, hashBuildInputs, root, run } from './ensure.mjs'

const PIECES = 40

const data = join(root, '..', 'shared', 'data')
if (!existsSync(join(data, 'blocks'))) {
  console.error(`blockloom: the blocks and consensus tests are not here: ${data}`)
  process.exit(2)
}
await ensureReady()
const own = process.argv.slice(2)
const paths = ['--blocks', join(data, 'blocks'), '--fixtures', join(data, 'consensus')]
const command = ['dist/cli.js', 'crosscheck']
// A sample says less than the whole: it does not take the page's place.
if (own.length > 0) process.exit(await run(process.execPath, [...command, ...paths, ...own]))

const folder = join(root, 'node_modules', '.cache', 'blockloom', `crosscheck-${hashBuildInputs().slice(0, 12)}`)
mkdirSync(folder, { recursive: true })
const files = Array.from({ length: PIECES }, (_, k) => join(folder, `${k + 1}.jsonl`))
for (const [k, file] of files.entries()) {
  if (existsSync(file)) continue
  const began = performance.now()
  const unfinished = `${file}.unfinished`
  const args = [...command, ...paths, '--json', '--shard', `${k + 1}/${PIECES}`]
  const out = openSync(unfinished, 'w')
  const code = await run(process.execPath, args, { stdout: out })
  closeSync(out)
  // Its last line says which piece it is: without it, it broke off.
  if (!readFileSync(unfinished, 'utf8').includes('\n{"shard":')) process.exit(code === 0 ? 1 : code)
  renameSync(unfinished, file)
  const said = ['agrees', 'differs', 'could not be run as a whole'][code]
  console.error(`piece ${k + 1} of ${PIECES} ${said}, ${Math.round((performance.now() - began) / 1000)} s`)
}
process.exit(await run(process.execPath, [...command, '--docs', join('docs', 'crosscheck.md'), '--join', ...files]))
