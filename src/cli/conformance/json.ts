/**
 * JSON as fixtures need it read: strictly, and with the place of what is wrong.
 *
 * `JSON.parse` keeps the last of two equal keys and says nothing, so a fixture could say one thing to a reader and another
 * to a program. The text that it accepts is looked through once more, for keys alone.
 *
 * Cost: the second pass goes from quote to quote, since most of a fixture is long strings: about a third of the time of
 * `JSON.parse`.
 */

/** What is wrong with a file of fixtures, and where. */
export class FixtureError extends Error {
  override readonly name = 'Blockloom.FixtureError'
  /** The file, the line or the case, and the path inside it, as far as they are known, outermost first. */
  readonly place: readonly string[]

  constructor(place: readonly string[], problem: string, cause?: unknown) {
    const where = place.filter((part) => part !== '').join(', ')
    super(where === '' ? problem : `${where}: ${problem}`, cause === undefined ? undefined : { cause })
    this.place = place
  }
}

/** Deepest nesting that is read: fixtures need nine. Readers of deeper ones would run out of stack. */
const MOST_DEPTH = 64

/** Longest piece of the input that a message repeats. */
const MOST_SHOWN = 80

const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c

/**
 * Parses a text.
 *
 * @param text - JSON, the whole of it
 * @param place - what the text is, for errors: the file, and the line where it is one of many
 * @throws {FixtureError} where it is not JSON, where an object has a key twice, or where it is nested too deep
 */
export function parseJson(text: string, place: readonly string[]): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new FixtureError(place, `is not JSON: ${shown(message)}`, cause)
  }
  const fault = findFault(text)
  if (fault !== undefined) throw new FixtureError([...place, `${lineAndColumn(text, fault.at)}`], fault.problem)
  return value
}

/** Text from the input, short enough for one line of a message. */
export function shown(text: string): string {
  return text.length <= MOST_SHOWN ? text : `${text.slice(0, MOST_SHOWN)}...`
}

/** One object or list that is open; `keys` is absent for a list. */
interface Frame {
  readonly keys: Set<string> | undefined
  /** The key or index whose value is being read. */
  at: string | number
}

/** Looks through text that is JSON for what `JSON.parse` lets pass. */
function findFault(text: string): { readonly at: number; readonly problem: string } | undefined {
  const frames: Frame[] = []
  let expectsKey = false
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case OPEN_OBJECT:
      case OPEN_LIST: {
        if (frames.length === MOST_DEPTH) return { at: i, problem: `is nested deeper than ${MOST_DEPTH} levels` }
        const isObject = text.charCodeAt(i) === OPEN_OBJECT
        frames.push({ keys: isObject ? new Set() : undefined, at: isObject ? '' : 0 })
        expectsKey = isObject
        break
      }
      case CLOSE_OBJECT:
      case CLOSE_LIST:
        frames.pop()
        expectsKey = false
        break
      case COMMA: {
        const frame = frames.at(-1)
        expectsKey = frame?.keys !== undefined
        if (frame !== undefined && typeof frame.at === 'number') frame.at++
        break
      }
      case QUOTE: {
        const end = endOfString(text, i)
        const frame = frames.at(-1)
        if (expectsKey && frame?.keys !== undefined) {
          const raw = text.slice(i, end + 1)
          const key = raw.includes('\\') ? String(JSON.parse(raw)) : raw.slice(1, -1)
          frame.at = key
          if (frame.keys.has(key)) return { at: i, problem: `${pathOf(frames)} is given twice` }
          frame.keys.add(key)
          expectsKey = false
        }
        i = end
        break
      }
    }
  }
  return undefined
}

/** Index of the quote that ends the string which begins at `from`. */
function endOfString(text: string, from: number): number {
  let end = text.indexOf('"', from + 1)
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end
}

function isEscaped(text: string, at: number): boolean {
  let slashes = 0
  while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++
  return slashes % 2 === 1
}

function pathOf(frames: readonly Frame[]): string {
  return frames
    .map(({ at }, depth) => (typeof at === 'number' ? `[${at}]` : `${depth === 0 ? '' : '.'}${shown(at)}`))
    .join('')
}

function lineAndColumn(text: string, at: number): string {
  let line = 1
  let from = 0
  for (let next = text.indexOf('\n'); next >= 0 && next < at; next = text.indexOf('\n', from)) {
    line++
    from = next + 1
  }
  return line === 1 ? `column ${at + 1}` : `line ${line}, column ${at - from + 1}`
}
