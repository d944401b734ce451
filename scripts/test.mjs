/**
 * `npm test`: every test but the slow ones, on a clone in any state. Arguments go to vitest (`npm test -- .property.`).
 */
import { ensureReady, run } from './ensure.mjs'

await ensureReady()
process.exit(await run(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...process.argv.slice(2)]))
