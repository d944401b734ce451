/**
 * JSON as fixtures need it read: strictly, and with the place of what is wrong.
 *
 * `JSON.parse` keeps the last of two equal keys and says nothing, so a fixture could say one thing to a reader and
 * another to a program. The text that it accepts is looked through once more, for keys alone.
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

/** Most values of one document: what takes a byte of text may take a hundred of memory. */
const MOST_VALUES = 4_000_000

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
  // First, since JSON.parse takes gigabytes for a hundred megabytes of brackets.
  const fault = findFault(text)
  if (fault !== undefined) throw new FixtureError([...place, `${lineAndColumn(text, fault.at)}`], fault.problem)
  try {
    return JSON.parse(text)
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new FixtureError(place, `is not JSON: ${shown(message)}`, cause)
  }
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

/** Looks through text for what `JSON.parse` lets pass. Where the text is not JSON, nothing need be found. */
function findFault(text: string): { readonly at: number; readonly problem: string } | undefined {
  const frames: Frame[] = []
  let expectsKey = false
  let values = 0
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
        if (++values === MOST_VALUES) return { at: i, problem: `has more than ${MOST_VALUES} values` }
        const frame = frames.at(-1)
        expectsKey = frame?.keys !== undefined
        if (frame !== undefined && typeof frame.at === 'number') frame.at++
        break
      }
      case QUOTE: {
        const end = endOfString(text, i)
        if (end < 0) return undefined
        const frame = frames.at(-1)
        if (expectsKey && frame?.keys !== undefined) {
          const raw = text.slice(i, end + 1)
          const key = raw.includes('\\') ? unescaped(raw) : raw.slice(1, -1)
          if (key === undefined) return undefined
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

/** Index of the quote that ends the string which begins at `from`; -1 where none does. */
function endOfString(text: string, from: number): number {
  let end = text.indexOf('"', from + 1)
  while (end >= 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end
}

/** The string that a JSON string stands for; undefined where it is not one. */
function unescaped(raw: string): string | undefined {
  try {
    return String(JSON.parse(raw))
  } catch {
    return undefined
  }
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
