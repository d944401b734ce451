/**
 * Fields that are made when they are first asked for, of objects that are plain data to everybody else
 * (docs/decisions/0018-results-on-demand.md).
 *
 * A field is an own, enumerable property, so that copies, JSON, structured clones and deep comparisons have its value; once
 * it was read or written it is a property like any other. `console.log` shows values, not accessors.
 */

/** What Node's inspection asks an object for its own way to be shown. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom')

/** Getters of fields that nobody has read or written. */
const unread = new WeakSet<() => unknown>()

/** Whether a field is still as `lazily` made it: neither read, nor written, nor defined anew. */
export const isUnread = (target: object, name: string): boolean => {
  const get = Object.getOwnPropertyDescriptor(target, name)?.get
  return get !== undefined && unread.has(get)
}

/**
 * Adds fields to an object, in their order.
 *
 * @param fields - by name, what makes the value; called once at most, and let go of then
 * @returns `target`
 */
export const lazily = <L extends object, T extends object>(
  target: T,
  fields: { readonly [K in keyof L]: () => L[K] },
): T & L => {
  const names = Object.keys(fields) as (keyof L & string)[]
  // Not `fields` in what follows: what is shown keeps its scope alive, and with it what values are made of.
  const makers = new Map<string, () => unknown>(Object.entries(fields) as [string, () => unknown][])
  for (const name of names) {
    let made: { readonly value: unknown } | undefined
    const settle = (value: unknown): void => {
      made = { value }
      makers.delete(name)
      unread.delete(get)
      // In an object that was frozen before, the accessor stays.
      Reflect.defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true })
    }
    const get = (): unknown => {
      if (made === undefined) settle(makers.get(name)?.())
      return made?.value
    }
    const set = (value: unknown): void => {
      if (Object.isFrozen(target)) throw new TypeError(`cannot assign to '${name}' of a frozen object`)
      settle(value)
    }
    unread.add(get)
    Object.defineProperty(target, name, { get, set, enumerable: true, configurable: true })
  }
  Object.defineProperty(target, INSPECT, {
    value: (): unknown => {
      for (const name of names) Reflect.get(target, name)
      return target
    },
    configurable: true,
  })
  return target as T & L
}
