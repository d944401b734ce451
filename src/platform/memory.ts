/** Memory that every worker sees, at its full length from the start (docs/decisions/0002-reserved-memory.md). */

import { ParallelExecutionError } from '../core/errors.ts'
import { reserve } from '../core/reserve.ts'

/** True where threads can share memory: Node, or a browser page that is cross-origin isolated. */
const canShareMemory = (): boolean => {
  const isolated = (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated
  return typeof SharedArrayBuffer !== 'undefined' && isolated !== false
}

/**
 * Reserves `bytes` of zeros; pages are committed when they are first touched.
 *
 * @throws {ParallelExecutionError} NO_SHARED_MEMORY in a page that is not cross-origin isolated
 */
export const reserveShared = (bytes: number): WebAssembly.Memory => {
  if (!canShareMemory()) {
    throw new ParallelExecutionError(
      'NO_SHARED_MEMORY',
      'threads cannot share memory here: serve the page with Cross-Origin-Opener-Policy and Cross-Origin-Embedder-Policy',
    )
  }
  return reserve(bytes, true)
}
