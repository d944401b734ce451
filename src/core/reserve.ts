/**
 * Memory at its full length from the start (docs/decisions/0002-reserved-memory.md): pages are committed when touched.
 */

const PAGE = 65536

/**
 * Reserves `bytes` of zeros, rounded up to pages of 64 KiB.
 *
 * Where there is no WebAssembly (`node --jitless`) it is a plain buffer in an object of the same shape: no kernel can
 * run there, and nobody else asks a memory for more than its buffer.
 *
 * @param shared - whether other threads are to see it
 */
export const reserve = (bytes: number, shared: boolean): WebAssembly.Memory => {
  const pages = Math.ceil(bytes / PAGE)
  if (typeof WebAssembly !== 'undefined') {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared })
  }
  const buffer = shared ? new SharedArrayBuffer(pages * PAGE) : new ArrayBuffer(pages * PAGE)
  return { buffer } as unknown as WebAssembly.Memory
}
