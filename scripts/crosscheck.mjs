/**
 * `npm run crosscheck`: the real blocks and the consensus tests of ../shared/data with both EVM adapters, on a clone in
 * any state, and the page docs/crosscheck.md. Arguments are handed to the command (`npm run crosscheck -- --every 50`).
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ensureReady, root, run } from './ensure.mjs'

const data = join(root, '..', 'shared', 'data')
if (!existsSync(join(data, 'blocks'))) {
  console.error(`blockloom: the blocks and consensus tests are not here: ${data}`)
  process.exit(2)
}
await ensureReady()
const own = process.argv.slice(2)
// A sample says less than the whole: it does not take the page's place.
const page = own.includes('--every') || own.includes('--docs') ? [] : ['--docs', join('docs', 'crosscheck.md')]
const paths = ['--blocks', join(data, 'blocks'), '--fixtures', join(data, 'consensus')]
process.exit(await run(process.execPath, ['dist/cli.js', 'crosscheck', ...paths, ...page, ...own]))
