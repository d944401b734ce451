/**
 * `npm run conformance`: all consensus tests of ../shared/data, on a clone in any state, and the page
 * docs/conformance.md. Arguments are handed to the command (`npm run conformance -- --workers 4`).
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ensureReady, root, run } from './ensure.mjs'

const data = join(root, '..', 'shared', 'data', 'consensus')
if (!existsSync(data)) {
  console.error(`blockloom: the consensus tests are not here: ${data}`)
  process.exit(2)
}
await ensureReady()
const page = ['--docs', join('docs', 'conformance.md')]
process.exit(await run(process.execPath, ['dist/cli.js', 'conformance', data, ...page, ...process.argv.slice(2)]))
