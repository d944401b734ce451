/** `npm run build`: writes dist. */
import { build, ensureInstalled } from './ensure.mjs'

try {
  await ensureInstalled()
  await build()
} catch (error) {
  console.error(`blockloom: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
}
