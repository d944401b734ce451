/** `npm start`: the demonstration, or the block files given after `--`, on a clone in any state. */
import { ensureReady, run } from './ensure.mjs'

await ensureReady()
process.exit(await run(process.execPath, ['dist/cli.js', 'demo', ...process.argv.slice(2)]))
