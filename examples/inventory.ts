/**
 * 2,000 orders for 100 articles, on every core and on one thread:
 * `npx tsx --tsconfig examples/tsconfig.json examples/inventory.ts`
 */
import { createKeyValueState, createTaskExecutor } from 'blockloom/tasks'
import tasks, { check, type Order } from './inventory.tasks.ts'

const orders: Order[] = Array.from({ length: 2000 }, (_, k) => ({ sku: `a${(k * 37) % 100}`, quantity: 1 + (k % 4) }))
const stock = Array.from({ length: 100 }, (_, k) => [`stock:a${k}`, 40] as const)

// One thread and a Map.
const map = new Map<string, number>(stock)
let refused = 0
const alone = performance.now()
for (const order of orders) {
  check(order)
  const left = (map.get(`stock:${order.sku}`) ?? 0) - order.quantity
  if (left < 0) refused++
  else map.set(`stock:${order.sku}`, left)
}
const oneThread = performance.now() - alone

const state = createKeyValueState({ entries: stock })
const executor = await createTaskExecutor(tasks, { setup: new URL('./typescript.mjs', import.meta.url) })
try {
  await executor.run([{ task: 'reserve', input: { sku: 'none', quantity: 1 } }])
  const began = performance.now()
  const { results, stateDiff } = await executor.run(
    orders.map((input) => ({ task: 'reserve', input })),
    { state },
  )
  const ms = performance.now() - began
  await state.apply(stateDiff)
  const same = [...map].every(([key, left]) => state.get(key) === left) && state.get('refused') === refused
  const served = results.filter((result) => result.status === 'done' && result.value.ok).length
  console.log(`${served} orders served, ${refused} refused; equal to one thread: ${same}`)
  console.log(`${executor.workers} workers ${ms.toFixed(0)} ms, one thread ${oneThread.toFixed(0)} ms`)
} finally {
  await executor.close()
}
