/**
 * The Trace Event Format as far as recorded runs use it, checked strictly: what Perfetto's importer would drop or draw
 * wrong is an error here.
 *
 * Source: Trace Event Format. Complete events of one thread have to nest; an arrow has a start and an end of one name,
 * category and id, in this order of time, each inside a slice of its thread; counters have numbers.
 */
type Fields = Readonly<Record<string, unknown>>

const FIELDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  X: { name: 'string', cat: 'string', ts: 'number', dur: 'number', pid: 'number', tid: 'number', args: 'object' },
  s: { name: 'string', cat: 'string', ts: 'number', id: 'number', pid: 'number', tid: 'number' },
  f: { name: 'string', cat: 'string', ts: 'number', id: 'number', pid: 'number', tid: 'number', bp: 'string' },
  C: { name: 'string', ts: 'number', pid: 'number', tid: 'number', args: 'object' },
  M: { name: 'string', pid: 'number', tid: 'number', args: 'object' },
}
const METADATA = new Set(['process_name', 'thread_name', 'thread_sort_index'])

/** What is wrong with the text of a trace file; empty where nothing is. */
export function traceFormatErrors(text: string): string[] {
  const errors: string[] = []
  const file = JSON.parse(text) as Fields
  const events = file['traceEvents']
  if (!Array.isArray(events)) return ['traceEvents is not a list']
  if (file['displayTimeUnit'] !== 'ms' && file['displayTimeUnit'] !== 'ns')
    errors.push('displayTimeUnit is not ms or ns')
  for (const [index, event] of (events as Fields[]).entries()) errors.push(...fieldErrors(event, index))
  if (errors.length > 0) return errors
  return [...nestingErrors(events as Slice[]), ...arrowErrors(events as Slice[]), ...threadErrors(events as Slice[])]
}

interface Slice {
  readonly ph: string
  readonly name: string
  readonly cat: string
  readonly ts: number
  readonly dur: number
  readonly pid: number
  readonly tid: number
  readonly id: number
  readonly bp: string
}

function fieldErrors(event: Fields, index: number): string[] {
  const kind = String(event['ph'])
  const fields = FIELDS[kind]
  if (fields === undefined) return [`event ${index}: ph is ${kind}`]
  const errors: string[] = []
  for (const [name, type] of Object.entries(fields)) {
    const value = event[name]
    if (typeof value !== type || value === null) errors.push(`event ${index} (${kind}): ${name} is ${String(value)}`)
    if (type === 'number' && !(Number.isFinite(value) && (value as number) >= 0)) {
      errors.push(`event ${index} (${kind}): ${name} is ${String(value)}`)
    }
  }
  for (const name of Object.keys(event)) {
    if (name !== 'ph' && fields[name] === undefined) errors.push(`event ${index} (${kind}): knows no ${name}`)
  }
  const args = Object.values((event['args'] ?? {}) as Fields)
  if (kind === 'C' && (args.length === 0 || !args.every((value) => typeof value === 'number'))) {
    errors.push(`event ${index}: a counter has numbers`)
  }
  if (kind === 'M' && !METADATA.has(String(event['name']))) errors.push(`event ${index}: metadata ${event['name']}`)
  return errors
}

const slicesOf = (events: readonly Slice[]): Slice[] => events.filter(({ ph }) => ph === 'X')

/** A nanosecond is what times are rounded to. */
const ROUNDING = 0.0011

function nestingErrors(events: readonly Slice[]): string[] {
  const errors: string[] = []
  const open = new Map<number, number[]>()
  for (const { name, ts, dur, tid } of slicesOf(events).sort((a, b) => a.ts - b.ts || b.dur - a.dur)) {
    const ends = open.get(tid) ?? []
    while (ends.length > 0 && (ends.at(-1) as number) <= ts + ROUNDING) ends.pop()
    const outer = ends.at(-1)
    if (outer !== undefined && ts + dur > outer + ROUNDING)
      errors.push(`${name} at ${ts} ends after the slice it is in`)
    ends.push(ts + dur)
    open.set(tid, ends)
  }
  return errors
}

function arrowErrors(events: readonly Slice[]): string[] {
  const errors: string[] = []
  const slices = slicesOf(events)
  const inside = ({ tid, ts }: Slice): boolean =>
    slices.some((slice) => slice.tid === tid && slice.ts <= ts + ROUNDING && ts <= slice.ts + slice.dur + ROUNDING)
  const starts = new Map(events.filter(({ ph }) => ph === 's').map((event) => [event.id, event]))
  const ends = events.filter(({ ph }) => ph === 'f')
  if (starts.size !== ends.length) errors.push(`${starts.size} arrows begin, ${ends.length} end`)
  for (const end of ends) {
    const start = starts.get(end.id)
    if (start === undefined) errors.push(`arrow ${end.id} has no start`)
    else if (start.name !== end.name || start.cat !== end.cat) errors.push(`arrow ${end.id} changes its name`)
    else if (start.ts > end.ts) errors.push(`arrow ${end.id} points back in time`)
    else if (!inside(start) || !inside(end)) errors.push(`arrow ${end.id} lies outside of a slice`)
    if (end.bp !== 'e') errors.push(`arrow ${end.id} binds to the next slice`)
  }
  return errors
}

function threadErrors(events: readonly Slice[]): string[] {
  const named = new Set(events.filter(({ name }) => name === 'thread_name').map(({ tid }) => tid))
  return [...new Set(slicesOf(events).map(({ tid }) => tid))]
    .filter((tid) => !named.has(tid))
    .map((tid) => `thread ${tid} has no name`)
}
