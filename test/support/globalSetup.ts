import { ensureBuilt } from '../../scripts/ensure.mjs'

/**
 * Tests that start real workers load dist/worker.js, so dist must be as new as src even when vitest is called directly.
 */
export default async function setup(): Promise<void> {
  await ensureBuilt()
}
