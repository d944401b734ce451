/** An inventory: orders reserve what is there, and count what they could not get. */
import { defineTasks } from 'blockloom/tasks'

export interface Order {
  readonly sku: string
  readonly quantity: number
}

/** Stands for the work of checking an order, so that there is something to spread. */
export const check = ({ sku, quantity }: Order): number => {
  let hash = quantity
  for (let k = 0; k < 20_000; k++) hash = (Math.imul(hash, 31) + sku.charCodeAt(k % sku.length)) | 0
  return hash
}

export default defineTasks(
  {
    reserve(memory, order: Order) {
      check(order)
      const key = `stock:${order.sku}`
      const stock = memory.get<number>(key) ?? 0
      if (stock < order.quantity) {
        memory.add('refused', 1)
        return { ok: false as const, left: stock }
      }
      memory.set(key, stock - order.quantity)
      memory.add('orders', 1)
      return { ok: true as const, left: stock - order.quantity }
    },
  },
  { url: import.meta.url },
)
