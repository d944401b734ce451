/** Values as text, the same for the same value: for a comparison, and for who reads what differed. */
const LONGEST = 200

export const textOf = (value: unknown): string => {
  const text = tell(value, [])
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}... (${text.length} characters, ${digest(text)})`
}

/** Tells texts apart that are cut. */
const digest = (text: string): string => {
  let h = 0x811c9dc5
  for (let k = 0; k < text.length; k++) h = Math.imul(h ^ text.charCodeAt(k), 0x01000193)
  return (h >>> 0).toString(16)
}

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
