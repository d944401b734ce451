/** Order books of many symbols: price and time decide, read through ranges over keys. */
import { defineTasks, type TaskStore } from 'blockloom/tasks'

export interface LimitOrder {
  readonly id: number
  readonly symbol: string
  readonly side: 'buy' | 'sell'
  readonly price: number
  readonly quantity: number
}

/** Price and time as text whose order is the order of matching: best price first, then the older order. */
const keyOf = ({ symbol, side, price, id }: LimitOrder): string => {
  const rank = side === 'sell' ? price : 1_000_000 - price
  return `book:${symbol}:${side}:${String(rank).padStart(7, '0')}:${String(id).padStart(9, '0')}`
}

/** What matching needs of a store: the same code runs over a Map. */
export type Book = Pick<TaskStore, 'entries' | 'set' | 'delete' | 'add'>

export const match = (memory: Book, order: LimitOrder): number => {
  const other = order.side === 'buy' ? 'sell' : 'buy'
  let left = order.quantity
  while (left > 0) {
    // The best order alone: keys behind it are not looked at, so they conflict with nobody.
    const [best] = memory.entries<LimitOrder>(`book:${order.symbol}:${other}:`, { limit: 1 })
    if (best === undefined) break
    const [key, resting] = best
    const crosses = order.side === 'buy' ? resting.price <= order.price : resting.price >= order.price
    if (!crosses) break
    const traded = Math.min(left, resting.quantity)
    left -= traded
    if (traded === resting.quantity) memory.delete(key)
    else memory.set(key, { ...resting, quantity: resting.quantity - traded })
    memory.add(`volume:${order.symbol}`, traded)
  }
  if (left > 0) memory.set(keyOf(order), { ...order, quantity: left })
  return order.quantity - left
}

export default defineTasks(
  {
    place(memory, order: LimitOrder) {
      return match(memory, order)
    },
  },
  { url: import.meta.url },
)
