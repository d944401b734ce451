/**
 * What can be written as CBOR and not read again is refused where it is written.
 *
 * A value too deep for the stack of one thread may be no trouble to another's: so how deep it may be is a number, the same
 * for all. And the decoder gives an object's own key `__proto__` another name.
 *
 * Cost: a walk over the heads of items; the bytes of texts are not looked at.
 */

/**
 * Objects and lists in each other: a third of what a main thread of Node has room for, before its code is compiled, if each
 * is a Set (804 on Node 20.20.2, 2026-11-21; lists 1781).
 */
const DEEPEST = 256
const MAP_TAG = 259
const PROTO = [...'__proto__'].map((letter) => letter.charCodeAt(0))

const Major = { Bytes: 2, Text: 3, List: 4, Map: 5, Tag: 6 } as const
/** In place of a length: unknown, up to a mark. */
const OPEN = 31
const MARK = 0xff

const isProto = (bytes: Uint8Array, at: number, length: number): boolean =>
  length === PROTO.length && PROTO.every((letter, k) => bytes[at + k] === letter)

/** @throws TypeError where the bytes would not be read as the value that they were written for */
export const checkCbor = (bytes: Uint8Array): void => {
  /** Items to come, of each list and object that is open: below zero where their number is unknown. */
  const left = [1]
  /** Whether those are names and values of an object. */
  const named = [false]
  let top = 0
  let tag = 0
  let at = 0
  while (top >= 0) {
    const head = bytes[at++] as number
    const major = head >> 5
    const info = head & 31
    const extra = info < 24 || info === OPEN ? 0 : 1 << (info - 24)
    let length = extra === 0 ? info : 0
    for (let k = 0; k < extra; k++) length = length * 256 + (bytes[at++] as number)
    if (major === Major.Tag) {
      tag = length
      continue
    }
    const isMap = tag === MAP_TAG
    tag = 0
    if (major === Major.List || major === Major.Map) {
      if (++top > DEEPEST) throw new TypeError(`it is nested more than ${DEEPEST} deep`)
      left[top] = info === OPEN ? -1 : major === Major.Map ? 2 * length : length
      named[top] = major === Major.Map && !isMap
    } else {
      if (major === Major.Bytes || major === Major.Text) {
        if (named[top] && ((left[top] as number) & 1) === 0 && isProto(bytes, at, length)) {
          throw new TypeError('an object has a key __proto__ of its own')
        }
        at += length
      }
      left[top] = head === MARK ? 0 : (left[top] as number) - 1
    }
    while (top >= 0 && left[top] === 0) if (--top >= 0) left[top] = (left[top] as number) - 1
  }
}
