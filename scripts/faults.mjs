/** `npm run faults`: faults of every kind at random points, on a clone in any state (test/faults/main.ts). */
import { ensureReady, runTypeScript } from './ensure.mjs'

await ensureReady()
process.exit(await runTypeScript('test/faults/main.ts', process.argv.slice(2)))
