/**
 * Tasks and blocks in a process whose heap is nearly full. Prints what was wrong, as one line of JSON.
 * `node --max-old-space-size=HEAP pressure.mjs HEAP FREE SEED`: FREE is what is left of the heap; both in MiB.
 */
import { getHeapStatistics } from 'node:v8'
import { chainAtFork, createExecutor, createMemoryState } from 'blockloom'
import { createKeyValueState, createTaskExecutor } from 'blockloom/tasks'

const MIB = 2 ** 20
const [heap = 0, free = 0, seed = 0] = process.argv.slice(2).map(Number)
const address = (/** @type {number} */ k) => `0x${k.toString(16).padStart(40, 'a')}`
const transactions = Array.from({ length: 60 }, (_, k) => ({
  type: '0x0',
  from: address(k % 8),
  nonce: `0x${Math.floor(k / 8).toString(16)}`,
  gas: '0x5208',
  gasPrice: '0x1',
  to: address((k * 7 + seed) % 11),
  value: `0x${((k * seed) % 1000).toString(16)}`,
  input: '0x',
}))
const header = { number: '0x1', timestamp: '0x1', gasLimit: '0xffffffff', miner: address(99), difficulty: '0x1' }
const accounts = Object.fromEntries(Array.from({ length: 8 }, (_, k) => [address(k), { balance: 10n ** 18n }]))
const textOf = (/** @type {unknown} */ value) =>
  JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? String(part) : part))

const executor = await createExecutor({ workers: 2, memoryLimit: 16 * MIB })
const tasks = await createTaskExecutor(new URL('./taskModule.mjs', import.meta.url), {
  workers: 2,
  memoryLimit: 16 * MIB,
})
const state = createMemoryState({ maxBytes: MIB, accounts })
const given = /** @type {any} */ ({ state, chain: chainAtFork('berlin'), senders: 'trust', only: 'transactions' })
/** @param {object} how */
const block = async (how) => {
  const { run: _, ...result } = await executor.executeBlock({ ...header, transactions }, { ...given, ...how })
  return textOf(result)
}
const calls = Array.from({ length: 60 }, (_, k) => ({ task: 'increment', input: `k${(k * seed) % 5}` }))
/** @param {object} how */
const list = async (how) => {
  const { results, stateDiff } = await tasks.run(
    calls,
    /** @type {any} */ ({ state: createKeyValueState({ maxBytes: MIB }), ...how }),
  )
  return textOf([results.map((result) => result.status === 'done' && result.value), stateDiff])
}
const expected = [await block({ sequential: true }), await list({ sequential: true })]

/** @type {unknown[]} */
const ballast = []
while (getHeapStatistics().used_heap_size < (heap - free) * MIB) {
  ballast.push(Array.from({ length: 500 }, (_, k) => ({ k })))
}
const wrong = []
for (let round = 0; round < 40; round++) {
  if ((await block({ speculation: 'always' })) !== expected[0]) wrong.push(`block of round ${round}`)
  if ((await list({ speculation: 'always' })) !== expected[1]) wrong.push(`tasks of round ${round}`)
}
if (ballast.length === 0) wrong.push('the heap was full before')
await executor.close()
await tasks.close()
process.stdout.write(`${JSON.stringify(wrong)}\n`)
