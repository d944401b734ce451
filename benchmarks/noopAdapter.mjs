/**
 * Places that do nothing but ask the engine: so many reads of slots, so many writes back of what was read, told in their input.
 * An input is the count of reads, the count of writes, then a location each. A nap in milliseconds may come first.
 */
const DONE = 0
const SLOT = 3
const WORDS = 8

/** @param {{ napMs?: number }} options */
export function createAdapter({ napMs = 0 }) {
  const nap = new Int32Array(new SharedArrayBuffer(4))
  const value = new Int32Array(WORDS)
  return {
    kind: 'sync',
    beginBlock() {},
    endBlock() {},
    dispose() {},
    complaint: () => ({ fault: 0, message: '' }),
    /**
     * @param {import('../src/core/contracts.ts').TaskMemory} memory
     * @param {number} input
     */
    execute(memory, input) {
      // biome-ignore lint/plugin: nobody notifies this word; there is no other way to wait without computing
      if (napMs > 0) globalThis['Atomics'].wait(nap, 0, 0, napMs)
      const { engine } = memory
      const reads = engine[input]
      const writes = engine[input + 1]
      let sum = 0
      for (let k = 0; k < reads; k++) {
        const at = memory.read(engine[input + 2 + k], SLOT, 0)
        if (at === -2) return 2
        sum += at > 0 ? engine[at] : 0
      }
      value[0] = sum + 1
      for (let k = 0; k < writes; k++) memory.write(engine[input + 2 + k], SLOT, value, 0)
      memory.result(input, 0)
      return DONE
    },
  }
}
