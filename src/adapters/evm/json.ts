/**
 * JSON that keeps what `JSON.parse` loses: integers above 2^53, and keys that occur twice.
 *
 * A genesis holds a terminal total difficulty of 23 digits as a bare number, and an account given twice would silently
 * lose its first entry. Integers that a number cannot hold become bigint; a key that occurs twice is an error.
 *
 * The reader of fixtures (cli/conformance/json.ts) is another: its files are a thousand times as large, so it lets
 * `JSON.parse` read them and looks for equal keys alone.
 *
 * Source: RFC 8259.
 */

/** Deepest nesting that is read. */
const MOST_LEVELS = 64

/** Longest number, in characters: 256 bits have 78 digits. */
const MOST_DIGITS = 400

/** What is wrong with a JSON text, and where. */
export class JsonError extends Error {
  /** Path of the value, such as `alloc.0x01.balance`; empty at the top. */
  readonly path: string

  constructor(path: string, problem: string) {
    super(problem)
    this.path = path
  }
}

const SPACE = /[ \t\n\r]*/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WORD = /true|false|null/y

/** Reads one text from front to back. */
class JsonText {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  whole(): unknown {
    const value = this.#value('', 0)
    this.#take(SPACE)
    return this.#at === this.#text.length ? value : this.#fail('', 'has something after its end')
  }

  #value(path: string, level: number): unknown {
    if (level > MOST_LEVELS) return this.#fail(path, `is nested deeper than ${MOST_LEVELS}`)
    switch (this.#next()) {
      case '{':
        return this.#object(path, level)
      case '[':
        return this.#list(path, level)
      case '"':
        return this.#string(path)
      default:
        return this.#scalar(path)
    }
  }

  #object(path: string, level: number): Readonly<Record<string, unknown>> {
    // No prototype, so that a key called __proto__ is a key.
    const object: Record<string, unknown> = Object.create(null)
    this.#at++
    if (this.#skip('}')) return object
    do {
      if (this.#next() !== '"') return this.#fail(path, 'has something else where a key must stand')
      const key = this.#string(path)
      const below = path === '' ? key : `${path}.${key}`
      if (key in object) return this.#fail(below, 'is given twice')
      if (!this.#skip(':')) return this.#fail(below, 'has no colon after its key')
      object[key] = this.#value(below, level + 1)
    } while (this.#skip(','))
    return this.#skip('}') ? object : this.#fail(path, 'is an object that does not end')
  }

  #list(path: string, level: number): unknown[] {
    const list: unknown[] = []
    this.#at++
    if (this.#skip(']')) return list
    do list.push(this.#value(`${path}[${list.length}]`, level + 1))
    while (this.#skip(','))
    return this.#skip(']') ? list : this.#fail(path, 'is a list that does not end')
  }

  /** Finds the end alone; what is between is for JSON.parse to judge. */
  #string(path: string): string {
    const start = this.#at
    let end = start
    let escapes: number
    do {
      end = this.#text.indexOf('"', end + 1)
      if (end < 0) return this.#fail(path, 'is a string that does not end')
      escapes = 0
      while (this.#text[end - 1 - escapes] === '\\') escapes++
    } while (escapes % 2 === 1)
    this.#at = end + 1
    try {
      return JSON.parse(this.#text.slice(start, end + 1)) as string
    } catch {
      return this.#fail(path, 'is a string that is not well formed')
    }
  }

  #scalar(path: string): unknown {
    const word = this.#take(WORD)
    if (word !== '') return word === 'null' ? null : word === 'true'
    const digits = this.#take(NUMBER)
    if (digits === '') return this.#fail(path, 'is not JSON')
    if (digits.length > MOST_DIGITS) return this.#fail(path, `is a number of ${digits.length} characters`)
    const number = Number(digits)
    return Number.isInteger(number) && !Number.isSafeInteger(number) && /^-?\d+$/.test(digits) ? BigInt(digits) : number
  }

  /** The next character that is no space. */
  #next(): string | undefined {
    this.#take(SPACE)
    return this.#text[this.#at]
  }

  #skip(character: string): boolean {
    if (this.#next() !== character) return false
    this.#at++
    return true
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0] ?? ''
    this.#at += found.length
    return found
  }

  #fail(path: string, problem: string): never {
    const line = this.#text.slice(0, this.#at).split('\n').length
    throw new JsonError(path, `${problem} (line ${line})`)
  }
}

/**
 * Reads a JSON text.
 *
 * @returns the value; objects have no prototype, integers beyond 2^53 are bigint
 * @throws {JsonError} where the text is not JSON, or gives a key twice
 */
export function parseJson(text: string): unknown {
  return new JsonText(text).whole()
}
