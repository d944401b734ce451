/**
 * Fields that are made when they are first asked for, of objects that are plain data to everybody else
 * (docs/decisions/0018-results-on-demand.md).
 *
 * A field is an own, enumerable property, so that copies, JSON, structured clones and deep comparisons have its value; once
 * it was read or written it is a property like any other. `console.log` shows values, not accessors.
 */

/** What Node's inspection asks an object for its own way to be shown. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom')

/**
 * Adds fields to an object, in their order.
 *
 * @param fields - by name, what makes the value; called once at most
 * @returns `target`
 */
export const lazily = <L extends object, T extends object>(
  target: T,
  fields: { readonly [K in keyof L]: () => L[K] },
): T & L => {
  const names = Object.keys(fields) as (keyof L & string)[]
  for (const name of names) {
    let made: { readonly value: unknown } | undefined
    const settle = (value: unknown): void => {
      made = { value }
      // In an object that was frozen before, the accessor stays.
      Reflect.defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true })
    }
    Object.defineProperty(target, name, {
      get: () => {
        if (made === undefined) settle(fields[name]())
        return made?.value
      },
      set: settle,
      enumerable: true,
      configurable: true,
    })
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
