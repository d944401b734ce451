/** Memory that every worker sees, at its full length from the start (docs/decisions/0002-reserved-memory.md). */

const PAGE = 65536

/** True where threads can share memory: Node, or a browser page that is cross-origin isolated. */
export const canShareMemory = (): boolean => {
  const isolated = (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated
  return typeof SharedArrayBuffer !== 'undefined' && isolated !== false
}

/** Reserves `bytes` of zeros; pages are committed when they are first touched. */
export const reserveShared = (bytes: number): WebAssembly.Memory => {
  const pages = Math.ceil(bytes / PAGE)
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
}
