/** A binary heap of numbers by key; of equal keys the one put in first comes out first, so that simulations repeat. */
export class Heap {
  #keys: number[] = []
  #orders: number[] = []
  #items: number[] = []
  #order = 0

  get size(): number {
    return this.#items.length
  }

  /** Key of the next item. */
  get key(): number {
    return this.#keys[0]
  }

  push(key: number, item: number): void {
    let at = this.#items.length
    const order = this.#order++
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#before(key, order, parent)) break
      this.#move(parent, at)
      at = parent
    }
    this.#put(at, key, order, item)
  }

  /** The next item, -1 where there is none. */
  pop(): number {
    if (this.#items.length === 0) return -1
    const item = this.#items[0]
    const key = this.#keys.pop() as number
    const order = this.#orders.pop() as number
    const last = this.#items.pop() as number
    const { length } = this.#items
    if (length === 0) return item
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= length) break
      if (child + 1 < length && this.#before(this.#keys[child + 1], this.#orders[child + 1], child)) child++
      if (this.#before(key, order, child)) break
      this.#move(child, at)
      at = child
    }
    this.#put(at, key, order, last)
    return item
  }

  #before(key: number, order: number, at: number): boolean {
    return key < this.#keys[at] || (key === this.#keys[at] && order < this.#orders[at])
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#keys[from], this.#orders[from], this.#items[from])
  }

  #put(at: number, key: number, order: number, item: number): void {
    this.#keys[at] = key
    this.#orders[at] = order
    this.#items[at] = item
  }
}
