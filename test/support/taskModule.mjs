/**
 * Tasks that the tests run in workers. `program` interprets a small program, so that a generated block is plain data
 * and the same interpreter runs it against the plain store of test/support/program.ts.
 */

/**
 * @typedef {import('../../src/adapters/taskGraph/store.ts').TaskStore} TaskStore
 * @typedef {import('./program.ts').Program} Program
 * @typedef {{ readonly incarnation: number }} Incarnation
 */

const KEYS = 8

// A thread whose start a test wants to be slow: milliseconds in its own environment.
const slow = Number(process.env['SLOW_START'] ?? 0)
if (slow > 0) await new Promise((resolve) => setTimeout(resolve, slow))

/** @param {Uint8Array | undefined} bytes */
const uintOf = (bytes) => (bytes === undefined ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0))

/** @param {number} value */
const bytesOf = (value) => {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}

/**
 * Runs a program; its result is the registers at the end, as text where they are numbers of the store.
 *
 * @param {TaskStore} store
 * @param {Program} ops
 * @param {Incarnation} context
 * @param {number[]} [registers]
 */
export function program(store, ops, context, registers = [0, 0, 0]) {
  for (const op of ops) {
    switch (op.op) {
      case 'get':
        registers[op.to] = uintOf(store.get(op.key))
        break
      case 'getAt':
        registers[op.to] = uintOf(store.get(`k${registers[op.by] % KEYS}`))
        break
      case 'set':
        store.set(op.key, bytesOf((registers[op.by] * 3 + op.plus) % 65_521))
        break
      case 'setAt':
        store.set(`k${registers[op.by] % KEYS}`, bytesOf(op.plus))
        break
      case 'delete':
        store.delete(op.key)
        break
      case 'has':
        registers[op.to] = store.has(op.key) ? 1 : 0
        break
      case 'number':
        registers[op.to] = Number(store.number(op.key) % 65_521n)
        break
      case 'add':
        registers[op.to] = store.add(op.key, BigInt(op.amount), BigInt(op.atLeast)) ? 1 : 0
        break
      case 'ifOdd':
        program(store, registers[op.by] % 2 === 1 ? op.then : op.otherwise, context, registers)
        break
      case 'ifAgain':
        program(store, context.incarnation > 0 ? op.then : op.otherwise, context, registers)
        break
      case 'throwIfOdd':
        if (registers[op.by] % 2 === 1) throw new TypeError(`register ${op.by} is ${registers[op.by]}`)
        break
      case 'catch':
        try {
          program(store, op.body, context, registers)
        } catch {
          // Also the signal that unwinds a blocked read: what follows must not count then.
          registers[0] = 7
        }
        break
      case 'spin': {
        const end = performance.now() + op.ms
        while (performance.now() < end);
        break
      }
    }
  }
  return registers
}

/**
 * Increments a counter and returns the value it had.
 *
 * @param {TaskStore} store
 * @param {string} key
 */
export function increment(store, key) {
  const before = uintOf(store.get(key))
  store.set(key, bytesOf(before + 1))
  return before
}

/**
 * The counter of `increment`, without changing it.
 *
 * @param {TaskStore} store
 * @param {string} key
 */
export function readNumber(store, key) {
  return uintOf(store.get(key))
}

/**
 * Writes one key and then throws if another one is there.
 *
 * @param {TaskStore} store
 * @param {readonly [guard: string, key: string]} input
 */
export function writeUnless(store, [guard, key]) {
  store.set(key, 'written')
  if (store.has(guard)) throw new RangeError(`${guard} is there`)
}

/**
 * @param {TaskStore} store
 * @param {readonly [key: string, value: string]} input
 */
export function put(store, [key, value]) {
  store.set(key, value)
}

/**
 * @param {TaskStore} store
 * @param {{ key: string, amount: string, atLeast?: string }} input
 */
export function addTo(store, { key, amount, atLeast }) {
  return store.add(key, BigInt(amount), BigInt(atLeast ?? 0))
}

/**
 * @param {TaskStore} store
 * @param {string} key
 */
export function numberOf(store, key) {
  return String(store.number(key))
}

/**
 * The values of many keys, as text.
 *
 * @param {TaskStore} store
 * @param {readonly string[]} keys
 */
export function readAll(store, keys) {
  return keys.map((key) => {
    const bytes = store.get(key)
    return bytes === undefined ? null : new TextDecoder().decode(bytes)
  })
}

/**
 * Writes many keys.
 *
 * @param {TaskStore} store
 * @param {{ prefix: string, count: number, value: string }} input
 */
export function writeMany(store, { prefix, count, value }) {
  for (let k = 0; k < count; k++) store.set(`${prefix}${k}`, value)
}

/**
 * Writes many keys and returns a result of that many bytes.
 *
 * @param {TaskStore} store
 * @param {{ keys: readonly string[], bytes: number }} input
 */
export function writeAndFill(store, { keys, bytes }) {
  for (const key of keys) store.set(key, 'overwritten')
  return new Uint8Array(bytes)
}

/**
 * A link of a chain, with a write that only a stale read makes. `limit` links also write a key of their own.
 *
 * @param {TaskStore} store
 * @param {{ index: number, ms: number, own: number }} input
 * @param {Incarnation} context
 */
export function link(store, { index, ms, own }, context) {
  const seen = increment(store, 'hot')
  const end = performance.now() + ms
  while (performance.now() < end);
  if (index < own) store.set(`own${index}`, bytesOf(index + 1))
  // In the order given each link sees its own index, so this is never part of the result.
  else if (seen !== index) for (let k = 0; k < own; k++) store.set(`own${k}`, bytesOf(0))
  return { seen, incarnation: context.incarnation }
}

/**
 * Throws unless the key holds a value, as code does that meets a state no sequential run would show it.
 *
 * @param {TaskStore} store
 * @param {string} key
 */
export function demand(store, key) {
  if (store.get(key) === undefined) throw new RangeError(`${key} is missing`)
  return 'found'
}

/**
 * Reads a key and says whether a failure to read was swallowed.
 *
 * @param {TaskStore} store
 * @param {string} key
 */
export function swallow(store, key) {
  try {
    return String(store.number(key))
  } catch {
    store.set('swallowed', 'yes')
    return 'swallowed'
  }
}

/** @param {unknown} _store @param {number} code */
export function exit(_store, code) {
  process.exit(code)
}

export function loopForEver() {
  for (;;);
}

/** Allocates until its thread has no memory left. */
export function devour() {
  const kept = []
  for (;;) kept.push(new Array(10_000).fill(kept.length))
}

/** Ends well, and leaves an error behind that its thread meets when it comes back to its event loop. */
export function throwLater() {
  setTimeout(() => {
    throw new Error('too late')
  }, 0)
}

export async function asynchronous() {
  return 1
}

/**
 * Waits without the store.
 *
 * @param {unknown} _store
 * @param {number} ms
 */
export function spin(_store, ms) {
  const end = performance.now() + ms
  while (performance.now() < end);
  return ms
}

export function throwNothing() {
  throw Object.create(null)
}

export function returnFunction() {
  return () => 1
}

export function returnCycle() {
  /** @type {Record<string, unknown>} */
  const cycle = {}
  cycle['self'] = cycle
  return cycle
}

/** @param {unknown} _store @param {unknown} input */
export function echo(_store, input) {
  return input
}
