/** How task results cross threads: a tag, a length in bytes, the bytes packed into words. */

type Words = Int32Array

const Kind = { Nothing: 0, Bytes: 1, Json: 2, Failed: 3 } as const

/** A key: text, or raw bytes. */
export type Key = string | Uint8Array

/** What a task threw, as far as it can be said on another thread. */
export interface TaskFailure {
  readonly name: string
  readonly message: string
}

export type TaskOutcome =
  | { readonly status: 'done'; readonly value: unknown }
  | { readonly status: 'failed'; readonly error: TaskFailure }

const text = new TextEncoder()

/** Packs bytes four to a word, tail zeroed. */
export const packBytes = (bytes: Uint8Array, words: Words, at: number): void => {
  const whole = bytes.length >> 2
  for (let k = 0; k < whole; k++) {
    words[at + k] = bytes[4 * k] | (bytes[4 * k + 1] << 8) | (bytes[4 * k + 2] << 16) | (bytes[4 * k + 3] << 24)
  }
  if ((bytes.length & 3) === 0) return
  let last = 0
  for (let k = whole * 4; k < bytes.length; k++) last |= bytes[k] << ((k & 3) * 8)
  words[at + whole] = last
}

export const unpackBytes = (words: Words, at: number, length: number): Uint8Array =>
  new Uint8Array(words.slice(at, at + ((length + 3) >> 2)).buffer, 0, length).slice()

/** Writes an outcome into room that `allocate` makes; returns its offset and length in words. */
export const encodeOutcome = (
  outcome: TaskOutcome,
  words: Words,
  allocate: (count: number) => number,
): [number, number] => {
  let kind: number = Kind.Nothing
  let bytes = new Uint8Array(0)
  if (outcome.status === 'failed') {
    kind = Kind.Failed
    bytes = text.encode(JSON.stringify(outcome.error))
  } else if (outcome.value instanceof Uint8Array) {
    kind = Kind.Bytes
    bytes = outcome.value as Uint8Array<ArrayBuffer>
  } else if (outcome.value !== undefined) {
    kind = Kind.Json
    const json: string | undefined = JSON.stringify(outcome.value)
    if (json === undefined) throw new TypeError(`a result that is a ${typeof outcome.value} cannot leave its thread`)
    bytes = text.encode(json)
  }
  const count = 2 + ((bytes.length + 3) >> 2)
  const at = allocate(count)
  words[at] = kind
  words[at + 1] = bytes.length
  packBytes(bytes, words, at + 2)
  return [at, count]
}

export const decodeOutcome = (words: Words, at: number): TaskOutcome => {
  const bytes = unpackBytes(words, at + 2, words[at + 1])
  const kind = words[at]
  if (kind === Kind.Nothing) return { status: 'done', value: undefined }
  if (kind === Kind.Bytes) return { status: 'done', value: bytes }
  const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
  return kind === Kind.Failed ? { status: 'failed', error: value as TaskFailure } : { status: 'done', value }
}
