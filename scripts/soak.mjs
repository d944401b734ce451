/** `npm run soak`: random blocks and tasks until the time is over, on a clone in any state (test/soak/main.ts). */
import { ensureReady, runTypeScript } from './ensure.mjs'

await ensureReady()
process.exit(await runTypeScript('test/soak/main.ts', process.argv.slice(2)))
