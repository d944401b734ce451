/** A module of tasks whose types the type tests look at. */
import { defineTasks } from '../../src/tasks.ts'

export default defineTasks({
  reserve(memory, order: { readonly sku: string; readonly quantity: number }) {
    const stock = memory.get<number>(`stock:${order.sku}`) ?? 0
    if (stock < order.quantity) return { ok: false as const }
    memory.set(`stock:${order.sku}`, stock - order.quantity)
    return { ok: true as const, left: stock - order.quantity }
  },
  count(memory) {
    memory.add('count', 1)
  },
  maybe(_memory, by?: number) {
    return by === undefined ? 'none' : by
  },
  async later(_memory, ms: number, { index }) {
    return [ms, index] as const
  },
})
