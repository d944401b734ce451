/**
 * Tasks that the tests run in workers. `program` interprets a small program, so that a generated block is plain data
 * and the same interpreter runs it against the plain store of test/support/program.ts.
 */

import { defineTasks } from 'blockloom/tasks'

/**
 * @typedef {import('../../src/adapters/taskGraph/store.ts').TaskStore} TaskStore
 * @typedef {import('./program.ts').Program} Program
 * @typedef {{ readonly incarnation: number }} Incarnation
 */

const KEYS = 8

// A thread whose start a test wants to be slow: milliseconds in its own environment.
const slow = Number(process.env['SLOW_START'] ?? 0)
if (slow > 0) await new Promise((resolve) => setTimeout(resolve, slow))

/** @param {number} register */
const keyBy = (register) => `k${Math.abs(register) % KEYS}`

/** @param {unknown} value */
const numberOf = (value) => (typeof value === 'number' ? value : 0)

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
        registers[op.to] = numberOf(store.get(op.key))
        break
      case 'getAt':
        registers[op.to] = numberOf(store.get(keyBy(registers[op.by])))
        break
      case 'set':
        store.set(op.key, (registers[op.by] * 3 + op.plus) % 65_521)
        break
      case 'setAt':
        store.set(keyBy(registers[op.by]), op.plus)
        break
      case 'delete':
        store.delete(op.key)
        break
      case 'has':
        registers[op.to] = store.has(op.key) ? 1 : 0
        break
      case 'add':
        registers[op.to] = store.add(op.key, op.amount, op.atLeast ?? undefined) ? 1 : 0
        break
      case 'min':
        store.min(op.key, op.amount)
        break
      case 'max':
        store.max(op.key, op.amount)
        break
      case 'append':
        store.append(op.list, registers[op.by], { plus: op.plus })
        break
      case 'list':
        registers[op.to] = JSON.stringify(store.get(op.list) ?? []).length % 65_521
        break
      case 'merge':
        store.merge('digits', op.list, op.plus)
        break
      case 'keys':
        registers[op.to] = store.keys(op.prefix, op.limit === 0 ? {} : { limit: op.limit }).join().length
        break
      case 'entries':
        registers[op.to] = store.entries(op.prefix).reduce((sum, [, value]) => sum + numberOf(value), 0) % 65_521
        break
      case 'ifOdd':
        program(store, Math.abs(registers[op.by]) % 2 === 1 ? op.then : op.otherwise, context, registers)
        break
      case 'ifAgain':
        program(store, context.incarnation > 0 ? op.then : op.otherwise, context, registers)
        break
      case 'throwIfOdd':
        if (Math.abs(registers[op.by]) % 2 === 1) throw new TypeError(`register ${op.by} is ${registers[op.by]}`)
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
  const before = numberOf(store.get(key))
  store.set(key, before + 1)
  return before
}

/**
 * The counter of `increment`, without changing it.
 *
 * @param {TaskStore} store
 * @param {string} key
 */
export function readNumber(store, key) {
  return numberOf(store.get(key))
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
 * @param {{ key: string, amount: number | bigint, atLeast?: number | bigint }} input
 */
export function addTo(store, { key, amount, atLeast }) {
  return atLeast === undefined ? store.add(key, amount) : store.add(key, amount, atLeast)
}

/**
 * @param {TaskStore} store
 * @param {string} key
 */
export function read(store, key) {
  return store.get(key)
}

/**
 * The values of many keys, as text.
 *
 * @param {TaskStore} store
 * @param {readonly string[]} keys
 */
export function readAll(store, keys) {
  return keys.map((key) => store.get(key) ?? null)
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
 * As `writeMany`, and hushes up whatever is thrown.
 *
 * @param {TaskStore} store
 * @param {{ prefix: string, count: number, value: string }} input
 */
export function writeManyQuietly(store, { prefix, count, value }) {
  for (let k = 0; k < count; k++) {
    try {
      store.set(`${prefix}${k}`, value)
    } catch {}
  }
}

/**
 * Puts a value with a getter that uses the store while the value is encoded, and returns another.
 *
 * @param {TaskStore} store
 * @param {{ key: string, how: 'get' | 'set' | 'add' | 'keys', deep: boolean }} input
 */
export function putByGetter(store, { key, how, deep }) {
  store.add('sum', 1)
  const value = {
    first: 1,
    get second() {
      if (how === 'get') return store.get('sum')
      if (how === 'keys') return store.keys('').length
      if (how === 'add') return String(store.add(key, 1))
      store.set('aside', 'written')
      return 2
    },
  }
  const given = deep ? { list: [value], more: 'x'.repeat(100) } : value
  try {
    store.set(key, given)
  } catch (error) {
    store.set(key, error instanceof Error ? error.message : 'something')
  }
  return given
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
  if (index < own) store.set(`own${index}`, index + 1)
  // In the order given each link sees its own index, so this is never part of the result.
  else if (seen !== index) for (let k = 0; k < own; k++) store.set(`own${k}`, 0)
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
    return store.get(key) ?? 0
  } catch {
    store.set('swallowed', 'yes')
    return 'swallowed'
  }
}

/**
 * @param {TaskStore} store
 * @param {{ prefix: string, options?: import('../../src/tasks.ts').RangeOptions }} input
 */
export function keysOf(store, { prefix, options }) {
  return store.keys(prefix, options)
}

/**
 * Counts the keys of a prefix, then writes one more there: a phantom for every task that counted before.
 *
 * @param {TaskStore} store
 * @param {{ prefix: string, name: string }} input
 */
export function countAndAdd(store, { prefix, name }) {
  const count = store.keys(prefix).length
  store.set(`${prefix}${name}`, count)
  return count
}

/** @param {TaskStore} store @param {string} key */
export function remove(store, key) {
  const had = store.has(key)
  store.delete(key)
  return had
}

/** @param {TaskStore} store @param {{ key: string, items: unknown[] }} input */
export function appendTo(store, { key, items }) {
  store.append(key, ...items)
}

/** @param {unknown} _store @param {number} code */
export function exit(_store, code) {
  process.exit(code)
}

/** @param {unknown} store @param {number} ms */
export function exitAfter(store, ms) {
  spin(store, ms)
  process.exit(3)
}

/** @param {unknown} store @param {number} ms */
export function failAfter(store, ms) {
  spin(store, ms)
  throw new RangeError('that was it')
}

/**
 * Fails in its first incarnation, so that it is executed again at the commit cursor, and writes many keys there.
 *
 * @param {TaskStore} store
 * @param {{ prefix: string, count: number }} input
 * @param {Incarnation} context
 */
export function writeManyLate(store, { prefix, count }, { incarnation }) {
  if (incarnation === 0) throw new RangeError('too early')
  writeMany(store, { prefix, count, value: 'late' })
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

/** Values and errors that cannot be looked at. */
const odd = {
  /** @returns {unknown} */
  returnTrap: () => ({
    // biome-ignore lint/suspicious/noThenProperty: what looks like a promise and is none is what is tested
    get then() {
      throw new RangeError('do not look')
    },
  }),
  returnRevoked: () => revoked(),
  /** A promise to whoever awaits it, for ever. */
  returnLoop: () => ({
    /** @param {(value: unknown) => void} settle */
    // biome-ignore lint/suspicious/noThenProperty: as above
    then(settle) {
      settle(this)
    },
  }),
  throwTrap: () => {
    const error = new Error('hidden')
    Object.defineProperty(error, 'name', {
      get() {
        throw new RangeError('do not look')
      },
    })
    throw error
  },
  throwRevoked: () => {
    throw revoked()
  },
  throwFull: () => {
    throw Object.assign(new Error('looks like ours'), { name: 'Blockloom.TableFull' })
  },
}

/** @returns {never} */
const throwNumber = () => {
  // biome-ignore lint/style/useThrowOnlyError: a merge of somebody's may do so
  throw 5
}

const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

/** @param {unknown} _store @param {keyof typeof odd} how */
export function beOdd(_store, how) {
  return odd[how]()
}

/** Ends well, and keeps the thread from its event loop from then on. */
export function loopLater() {
  setTimeout(() => {
    for (;;);
  }, 0)
}

/** The same without a timer. */
export function loopInMicrotasks() {
  ;(async () => {
    for (;;) await null
  })()
}

/**
 * Waits for what no run in order shows: two values, always written together, that differ.
 *
 * @param {TaskStore} store @param {[string, string]} keys
 */
export function loopIfTorn(store, [one, other]) {
  const first = store.get(one)
  spin(store, 20)
  if (store.get(other) !== first) for (;;);
  return first ?? null
}

/** @param {TaskStore} store @param {[string, string]} keys */
export function writeBoth(store, [one, other]) {
  spin(store, 10)
  store.set(one, 1)
  store.set(other, 1)
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

export function returnPromise() {
  return { later: Promise.resolve(1) }
}

/** @param {unknown} _store @param {unknown} input */
export function echo(_store, input) {
  return input
}

let count = 0

/** Answers by what is no part of the state. */
export function remember() {
  return ++count
}

/** @param {TaskStore} store @param {string} key */
export function writeTime(store, key) {
  store.set(key, performance.now())
}

/**
 * Waits without computing, and says from when until when.
 *
 * @param {unknown} _store
 * @param {{ ms: number }} input
 */
export function sleep(_store, { ms }) {
  const began = performance.timeOrigin + performance.now()
  // biome-ignore lint/plugin: nobody notifies this word; there is no other way to wait without computing
  globalThis['Atomics'].wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  return { began, ended: performance.timeOrigin + performance.now() }
}

/** @param {TaskStore} store @param {{ name: string, key: string, operand: unknown }} input */
export function mergeBy(store, { name, key, operand }) {
  store.merge(name, key, operand)
}

export default defineTasks(
  {},
  {
    merges: {
      /** @param {number | undefined} value @param {number} operand */
      digits: (value, operand) => ((value ?? 0) * 10 + operand) % 65_521,
      /** @param {unknown} value */
      refuse: (value) => {
        if (value !== undefined) throw new RangeError('there is a value already')
        return 'first'
      },
      nothing: () => undefined,
      five: () => {
        throwNumber()
      },
      trap: () => ({
        get inside() {
          return throwNumber()
        },
      }),
    },
  },
)
