/** Values as text, the same for the same value: for a comparison, and for who reads what differed. */
export const textOf = (value: unknown): string => tell(value, [])

const tell = (value: unknown, within: readonly unknown[]): string => {
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : String(value)
  if (within.includes(value)) return `(again, ${within.length - within.indexOf(value)} up)`
  const next = [...within, value]
  const list = (items: Iterable<unknown>) => Array.from(items, (item) => tell(item, next)).join(', ')
  if (Array.isArray(value)) return `[${list(value)}]`
  const name = value.constructor?.name ?? ''
  if (ArrayBuffer.isView(value) && Symbol.iterator in value) return `${name}[${list(value as never)}]`
  if (value instanceof Map || value instanceof Set) return `${name}{${list(value)}}`
  if (value instanceof Date || value instanceof RegExp) return `${name}(${String(value)})`
  const own = Object.keys(value).map((key) => `${key}: ${tell((value as Record<string, unknown>)[key], next)}`)
  return `{ ${own.join(', ')} }`
}
