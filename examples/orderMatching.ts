/**
 * 2,000 orders in 200 symbols, matched on every core and on one thread:
 * `npx tsx --tsconfig examples/tsconfig.json examples/orderMatching.ts`
 */
import { createTaskExecutor } from 'blockloom/tasks'
import tasks, { type Book, type LimitOrder, match } from './orderMatching.tasks.ts'

const orders: LimitOrder[] = Array.from({ length: 2000 }, (_, id) => ({
  id,
  symbol: `S${(id * 7919) % 200}`,
  side: Math.floor(id / 200) % 3 === 1 ? 'sell' : 'buy',
  price: 1000 + ((id * 104_729) % 21) - 10,
  quantity: 1 + ((id * 13) % 9),
}))

/** The same matching over a Map and one thread. */
const map = new Map<string, unknown>()
const book: Book = {
  entries<T>(prefix: string, { limit = Number.POSITIVE_INFINITY }: { readonly limit?: number } = {}) {
    const keys = [...map.keys()].filter((key) => key.startsWith(prefix)).sort()
    return keys.slice(0, limit).map((key): [string, T] => [key, map.get(key) as T])
  },
  set: (key, value) => void map.set(key, value),
  delete: (key) => void map.delete(key),
  add(key, amount) {
    map.set(key, Number(map.get(key) ?? 0) + Number(amount))
    return true
  },
}
const alone = performance.now()
const filled = orders.map((order) => match(book, order))
const oneThread = performance.now() - alone

const executor = await createTaskExecutor(tasks, { setup: new URL('./typescript.mjs', import.meta.url) })
try {
  await executor.run([{ task: 'place', input: { id: 0, symbol: 'none', side: 'buy', price: 1, quantity: 1 } }])
  const began = performance.now()
  const { results, stateDiff } = await executor.run(orders.map((input) => ({ task: 'place', input })))
  const ms = performance.now() - began
  const same =
    results.every((result, k) => result.status === 'done' && result.value === filled[k]) &&
    stateDiff.entries.length === map.size &&
    stateDiff.entries.every(({ key, value }) => JSON.stringify(map.get(key)) === JSON.stringify(value))
  const volume = filled.reduce((sum, traded) => sum + traded, 0)
  console.log(`${orders.length} orders, ${volume} traded; equal to one thread: ${same}`)
  console.log(`${executor.workers} workers ${ms.toFixed(0)} ms, one thread ${oneThread.toFixed(0)} ms`)
} finally {
  await executor.close()
}
